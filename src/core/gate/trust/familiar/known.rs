//! known - what is kept of one user: the networks, each with its last login
//!
//! Not here: the book of all users (`familiar`), since when a login proves a network (`passwords`).

use super::KEPT;
use crate::gate::buckets::bucket::seconds;
use crate::gate::request::attempt::Trust;
use crate::gate::request::client::NetworkKey;
use crate::moment::Moment;

/// A network and the last login there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) struct Pair {
    pub(in crate::gate) network: u64,
    pub(in crate::gate) last: u32,
}

/// What is kept of one user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::gate) struct Known {
    /// The last login anywhere, in seconds since the epoch.
    pub(in crate::gate) last: u32,
    pub(in crate::gate) pairs: Vec<Pair>,
}

impl Known {
    pub(super) fn pair(&self, code: u64) -> Option<&Pair> {
        self.pairs.iter().find(|pair| pair.network == code)
    }

    pub(super) fn trust(&self, network: NetworkKey, proven_since: u32, now: Moment) -> Trust {
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
