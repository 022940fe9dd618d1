//! rules - the settings, made ready to be asked on every attempt
//!
//! Not here: the settings themselves (`settings`), what follows from an answer (`judge`).

use std::collections::HashSet;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::PrefixSet;

use crate::gate::buckets::limit::Limit;
use crate::gate::buckets::quota::BucketQuota;
use crate::gate::buckets::spec::{Bucket, Ladder, PerBucket};
use crate::gate::request::attempt::UserName;
use crate::gate::request::client::ClientKey;
use crate::gate::request::keys::{Keys, UserId};
use crate::gate::request::networks::canonical;
use crate::gate::request::settings::{GateSettings, Mode};

pub(in crate::gate) struct Rules {
    pub(in crate::gate) mode: Mode,
    pub(in crate::gate) settling: Duration,
    /// Strikes until a ban; 0: no bans.
    pub(in crate::gate) strikes: u8,
    first_ban: Duration,
    longest_ban: Duration,
    limits: PerBucket<RuleLimit>,
    /// The steps of the judgement, as data.
    pub(in crate::gate) ladder: Ladder,
    trap_users: HashSet<Vec<u8>>,
    trap_helos: HashSet<Vec<u8>>,
    allow: Networks,
    deny: Networks,
}

/// A limit as far as it can be computed before the number of users is known.
#[derive(Clone, Copy)]
enum RuleLimit {
    Fixed(Limit),
    Growing(BucketQuota),
}

impl RuleLimit {
    fn new(quota: BucketQuota) -> Self {
        match quota.daily_per_user {
            None => Self::Fixed(Limit::new(quota.base)),
            Some(_) => Self::Growing(quota),
        }
    }
}

impl Rules {
    pub(in crate::gate) fn new(settings: &GateSettings) -> Self {
        let folded = |names: &[String]| {
            let names = names
                .iter()
                .map(|name| name.as_bytes().to_ascii_lowercase());
            names.collect()
        };
        Self {
            mode: settings.mode,
            settling: settings.settling,
            strikes: u8::try_from(settings.bans.strikes).unwrap_or(u8::MAX),
            first_ban: settings.bans.first,
            longest_ban: settings.bans.longest,
            limits: PerBucket::new(|spec| RuleLimit::new(settings.limits.of(spec.bucket))),
            ladder: settings.ladder.clone(),
            trap_users: folded(&settings.traps.users),
            trap_helos: folded(&settings.traps.helo),
            allow: Networks::new(&settings.allow),
            deny: Networks::new(&settings.deny),
        }
    }

    pub(in crate::gate) fn allows(&self, client: ClientKey) -> bool {
        self.allow.contains(client)
    }

    pub(in crate::gate) fn denies(&self, client: ClientKey) -> bool {
        self.deny.contains(client)
    }

    pub(in crate::gate) fn is_trap(&self, user: &UserName) -> bool {
        !self.trap_users.is_empty() && self.trap_users.contains(&user.folded())
    }

    pub(in crate::gate) fn is_trap_helo(&self, name: &[u8]) -> bool {
        !self.trap_helos.is_empty() && self.trap_helos.contains(&name.to_ascii_lowercase())
    }

    /// The limit of a bucket on a server with this many known users.
    #[inline]
    pub(in crate::gate) fn limit(&self, bucket: Bucket, known: usize) -> Limit {
        match self.limits.get(bucket) {
            RuleLimit::Fixed(limit) => *limit,
            RuleLimit::Growing(quota) => Limit::growing(*quota, known),
        }
    }

    /// How long a ban for this many strikes lasts: twice as long for each strike beyond those of the first ban.
    pub(in crate::gate) fn ban_length(&self, strikes: u8) -> Duration {
        let doublings = u32::from(strikes.saturating_sub(self.strikes)).min(31);
        let length = self.first_ban.saturating_mul(1 << doublings);
        length.min(self.longest_ban)
    }

    /// The number of strikes beyond which a ban gets no longer, so that no more are counted.
    pub(in crate::gate) fn most_strikes(&self) -> u8 {
        let longest = (self.strikes..u8::MAX)
            .take(32)
            .find(|strikes| self.ban_length(*strikes) >= self.longest_ban);
        longest.unwrap_or(u8::MAX)
    }
}

/// The users of the `users` file.
pub(in crate::gate) fn listed(settings: &GateSettings, keys: &Keys) -> HashSet<UserId> {
    let names = settings.users.iter();
    names
        .map(|name| keys.user(&UserName::new(name.as_bytes())))
        .collect()
}

/// Networks to look a client up in. An IPv6 prefix longer than /64 counts as its /64.
#[derive(Default)]
struct Networks {
    v4: PrefixSet<Ipv4Net>,
    v6: PrefixSet<Ipv6Net>,
}

impl Networks {
    fn new(networks: &[IpNet]) -> Self {
        let mut sets = Self::default();
        for network in networks {
            match canonical(*network).trunc() {
                IpNet::V4(v4) => {
                    sets.v4.insert(v4);
                }
                IpNet::V6(v6) => {
                    if let Ok(cut) = Ipv6Net::new(v6.addr(), v6.prefix_len().min(64)) {
                        sets.v6.insert(cut.trunc());
                    }
                }
            }
        }
        sets
    }

    fn contains(&self, client: ClientKey) -> bool {
        match client.address() {
            IpAddr::V4(v4) => !self.v4.is_empty() && self.v4.get_lpm(&v4.into()).is_some(),
            IpAddr::V6(v6) => !self.v6.is_empty() && self.v6.get_lpm(&v6.into()).is_some(),
        }
    }
}

#[cfg(test)]
mod tests;
