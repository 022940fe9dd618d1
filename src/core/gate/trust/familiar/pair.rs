//! pair - one user's networks: how far and how long the user is trusted there
//!
//! Not here: all users, and what bounds their number (`familiar`), since when a login proves a network (`passwords`).

use crate::gate::buckets::table::seconds;
use crate::gate::request::attempt::Trust;
use crate::gate::request::client::NetworkKey;
use crate::moment::Moment;

/// How long a pair stays familiar, in seconds.
pub(in crate::gate::trust) const KEPT: u32 = 90 * 86_400;
/// How long a pair is young after its first login, in seconds.
const YOUNG: u32 = 3600;

/// Whether a pair has been familiar for an hour. A stolen password makes as many pairs as the thief has
/// networks, at once. Learnt from a log a pair is as old as its last login; a restart forgets earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) enum PairAge {
    Old,
    /// Or not familiar at all.
    Young,
}

/// A network and the last login there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) struct Pair {
    pub(in crate::gate) network: u64,
    pub(in crate::gate) last: u32,
    /// The first login that this process knows of.
    pub(in crate::gate) since: u32,
}

impl Pair {
    pub(in crate::gate::trust) const fn new(network: u64, last: u32) -> Self {
        let since = last;
        Self {
            network,
            last,
            since,
        }
    }
}

/// What is kept of one user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::gate) struct Known {
    /// The last login anywhere, in seconds since the epoch.
    pub(in crate::gate) last: u32,
    pub(in crate::gate) pairs: Vec<Pair>,
}

impl Known {
    /// The networks, the one with the last login first.
    pub(in crate::gate) fn latest_first(&self) -> Vec<Pair> {
        let mut pairs = self.pairs.clone();
        pairs.sort_by_key(|pair| std::cmp::Reverse(pair.last));
        pairs
    }

    pub(in crate::gate::trust) fn pair(&self, code: u64) -> Option<&Pair> {
        self.pairs.iter().find(|pair| pair.network == code)
    }

    pub(in crate::gate::trust) fn age(&self, network: NetworkKey, now: Moment) -> PairAge {
        let old = |pair: &Pair| seconds(now).saturating_sub(pair.since) >= YOUNG;
        match self.pair(network.code()).is_some_and(old) {
            true => PairAge::Old,
            false => PairAge::Young,
        }
    }

    /// How far the user is trusted in a network, where a login since `proven_since` proves one.
    pub(in crate::gate::trust) fn trust(
        &self,
        network: NetworkKey,
        proven_since: u32,
        now: Moment,
    ) -> Trust {
        let now = seconds(now);
        let (code, region) = (network.code(), network.region());
        let mut trust = Trust::Far;
        for pair in &self.pairs {
            if now.saturating_sub(pair.last) >= KEPT {
                continue;
            }
            if pair.network == code {
                return match pair.last < proven_since {
                    true => Trust::Unproven,
                    false => Trust::Familiar,
                };
            }
            if NetworkKey::of_code(pair.network).is_some_and(|near| near.region() == region) {
                trust = Trust::Near;
            }
        }
        trust
    }
}
