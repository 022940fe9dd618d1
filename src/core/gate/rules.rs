//! rules - the settings, made ready to be asked on every attempt
//!
//! Not here: the settings themselves (`settings`), what follows from an answer (`judge`).

use std::collections::HashSet;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::PrefixSet;

use crate::gate::buckets::credit::EarningQuota;
use crate::gate::buckets::division::LentLimit;
use crate::gate::buckets::limit::Limit;
use crate::gate::buckets::quota::{BucketQuota, Division};
use crate::gate::buckets::spec::{
    Bucket, BucketSpec, BucketStore, Ladder, Payers, PerBucket, Reserve,
};
use crate::gate::buckets::strike_count::MOST_NEEDED;
use crate::gate::request::attempt::{Trust, UserName};
use crate::gate::request::client::ClientKey;
use crate::gate::request::doors::PolicyNonce;
use crate::gate::request::keys::{Keys, UserId};
use crate::gate::request::names::NameFolding;
use crate::gate::request::networks::canonical;
use crate::gate::request::place::PlaceRules;
use crate::gate::request::settings::{GateSettings, Mode};
use crate::gate::request::suspicion::StolenSettings;

mod own;

pub(in crate::gate) use own::OwnRule;
use own::OwnRules;

pub(in crate::gate) struct Rules {
    pub(in crate::gate) mode: Mode,
    pub(in crate::gate) settling: Duration,
    /// Strikes until a ban; 0: no bans.
    pub(in crate::gate) strikes: u8,
    first_ban: Duration,
    longest_ban: Duration,
    limits: PerBucket<RuleLimit>,
    /// How many have one bound together.
    pub(in crate::gate) machines: u32,
    routes: Routes,
    /// How much credit may be earned; none: nothing is paid from it.
    pub(in crate::gate) earning: Option<EarningQuota>,
    /// The steps of the judgement, as data.
    pub(in crate::gate) ladder: Ladder,
    pub(in crate::gate) nonce: Option<PolicyNonce>,
    trap_users: HashSet<UserId>,
    trap_helos: HashSet<Vec<u8>>,
    allow: Networks,
    deny: Networks,
    /// None: everybody may log in.
    only: Option<Networks>,
    pub(in crate::gate) places: PlaceRules,
    /// Whether any rule is about countries.
    pub(in crate::gate) asks_countries: bool,
    own: OwnRules,
    pub(in crate::gate) stolen: StolenSettings,
    unwatched: HashSet<UserId>,
}

/// A limit as far as it can be computed before the number of users is known.
#[derive(Clone, Copy)]
enum RuleLimit {
    Fixed(Limit),
    Growing(BucketQuota),
    /// Of a shared bucket that machines divide: this machine's own part.
    Divided(BucketQuota, Division),
}

/// The buckets that attempts with each trust may pay, in their order: what the table of buckets says,
/// without what a look at a bucket does not need.
struct Routes {
    familiar: Box<[Payable]>,
    device: Box<[Payable]>,
    unproven: Box<[Payable]>,
    near: Box<[Payable]>,
    far: Box<[Payable]>,
}

/// A bucket that an attempt may pay.
pub(in crate::gate) struct Payable {
    pub(in crate::gate) bucket: Bucket,
    pub(in crate::gate) store: BucketStore,
    pub(in crate::gate) reserve: Reserve,
    limit: RuleLimit,
}

impl Payable {
    /// Shows `ask` its limit on a server with this many known users. Lent, for a copy of it is half of what
    /// a look at a bucket costs.
    #[inline(always)]
    pub(in crate::gate) fn with_limit<T>(&self, known: usize, ask: impl FnOnce(&Limit) -> T) -> T {
        match &self.limit {
            RuleLimit::Fixed(limit) => ask(limit),
            RuleLimit::Growing(quota) => ask(&Limit::growing(*quota, known)),
            RuleLimit::Divided(quota, division) => {
                ask(&division.own(Limit::growing(*quota, known)))
            }
        }
    }
}

impl Routes {
    fn new(ladder: &Ladder, limits: &PerBucket<RuleLimit>) -> Self {
        let payable = |spec: &BucketSpec| Payable {
            bucket: spec.bucket,
            store: spec.store,
            reserve: spec.reserve,
            limit: *limits.get(spec.bucket),
        };
        let route = |trust| {
            let specs = ladder.specs.iter();
            let paid = specs.filter(|spec| spec.payers.include(trust));
            paid.map(payable).collect()
        };
        Self {
            familiar: route(Trust::Familiar),
            device: route(Trust::Device),
            unproven: route(Trust::Unproven),
            near: route(Trust::Near),
            far: route(Trust::Far),
        }
    }
}

impl RuleLimit {
    fn new(spec: &BucketSpec, quota: BucketQuota, division: Division) -> Self {
        if spec.is_shared() && division != Division::Alone {
            return Self::Divided(quota, division);
        }
        match quota.daily_per_user {
            Some(_) if !spec.is_earned() => Self::Growing(quota),
            _ => Self::Fixed(Limit::new(quota.base)),
        }
    }
}

impl Rules {
    pub(in crate::gate) fn new(settings: &GateSettings, names: &NameFolding, keys: &Keys) -> Self {
        let helos = settings.traps.helo.iter();
        let division = settings.division;
        let limits =
            PerBucket::new(|spec| RuleLimit::new(spec, settings.limits.of(spec.bucket), division));
        Self {
            mode: settings.mode,
            settling: settings.settling,
            strikes: u8::try_from(settings.bans.strikes)
                .unwrap_or(u8::MAX)
                .min(MOST_NEEDED),
            first_ban: settings.bans.first,
            longest_ban: settings.bans.longest,
            routes: Routes::new(&settings.ladder, &limits),
            limits,
            machines: division.machines(),
            earning: earning(settings),
            ladder: settings.ladder.clone(),
            nonce: settings.nonce.clone(),
            trap_users: users(&settings.traps.users, names, keys),
            trap_helos: helos
                .map(|name| name.as_bytes().to_ascii_lowercase())
                .collect(),
            allow: Networks::new(&settings.allow),
            deny: Networks::new(&settings.deny),
            only: (!settings.only.is_empty()).then(|| Networks::new(&settings.only)),
            places: settings.places.clone(),
            asks_countries: settings.asks_countries(),
            own: OwnRules::new(&settings.user_rules, names, keys),
            unwatched: users(&settings.stolen.except, names, keys),
            stolen: settings.stolen.clone(),
        }
    }

    pub(in crate::gate) fn allows(&self, client: ClientKey) -> bool {
        self.allow.contains(client)
    }

    pub(in crate::gate) fn denies(&self, client: ClientKey) -> bool {
        let is_outside = |only: &Networks| !only.contains(client);
        self.deny.contains(client) || self.only.as_ref().is_some_and(is_outside)
    }

    /// What the owner has set for this user.
    #[inline(always)]
    pub(in crate::gate) fn of_user(&self, user: UserId) -> Option<&OwnRule> {
        self.own.of(user)
    }

    /// Whether nobody has this mailbox.
    #[inline(always)]
    pub(in crate::gate) fn is_decoy(&self, user: UserId) -> bool {
        self.of_user(user).is_some_and(OwnRule::is_decoy)
    }

    /// Whether this user's logins may come from everywhere.
    pub(in crate::gate) fn is_unwatched(&self, user: UserId) -> bool {
        !self.unwatched.is_empty() && self.unwatched.contains(&user)
    }

    pub(in crate::gate) fn is_trap(&self, user: UserId) -> bool {
        !self.trap_users.is_empty() && self.trap_users.contains(&user)
    }

    pub(in crate::gate) fn is_trap_helo(&self, name: &[u8]) -> bool {
        !self.trap_helos.is_empty() && self.trap_helos.contains(&name.to_ascii_lowercase())
    }

    /// The limit of a bucket on a server with this many known users.
    #[inline(always)]
    pub(in crate::gate) fn limit(&self, bucket: Bucket, known: usize) -> Limit {
        match self.limits.get(bucket) {
            RuleLimit::Fixed(limit) => *limit,
            RuleLimit::Growing(quota) => Limit::growing(*quota, known),
            RuleLimit::Divided(quota, division) => division.own(Limit::growing(*quota, known)),
        }
    }

    /// The longest debt of a bucket that each machine has for itself, in nanoseconds: several machines may have spent the last
    /// token before they know of each other, and what all have spent is paid back.
    pub(in crate::gate) fn longest_debt(&self, bucket: Bucket, known: usize) -> u64 {
        self.limit(bucket, known).owed_by(self.machines)
    }

    /// The limit of a bucket for all machines together.
    pub(in crate::gate) fn whole(&self, bucket: Bucket, known: usize) -> Limit {
        match self.limits.get(bucket) {
            RuleLimit::Divided(quota, _) => Limit::growing(*quota, known),
            RuleLimit::Fixed(_) | RuleLimit::Growing(_) => self.limit(bucket, known),
        }
    }

    /// What of a shared bucket is lent to machines, on a server with this many known users.
    pub(in crate::gate) fn lent(&self, bucket: Bucket, known: usize) -> Option<LentLimit> {
        match self.limits.get(bucket) {
            RuleLimit::Divided(quota, division) => division.lent(&Limit::growing(*quota, known)),
            RuleLimit::Fixed(_) | RuleLimit::Growing(_) => None,
        }
    }

    /// Whether devices count: a simulation may leave them out.
    pub(in crate::gate) fn knows_devices(&self) -> bool {
        !self.routes.device.is_empty()
    }

    /// The buckets that an attempt with this trust may pay, in their order.
    #[inline(always)]
    pub(in crate::gate) fn route(&self, trust: Trust) -> &[Payable] {
        match trust {
            Trust::Familiar => &self.routes.familiar,
            Trust::Device => &self.routes.device,
            Trust::Unproven => &self.routes.unproven,
            Trust::Near => &self.routes.near,
            Trust::Far => &self.routes.far,
        }
    }

    /// How long the ban with this number lasts: the first one, and each further one twice as long.
    pub(in crate::gate) fn ban_length(&self, ban: u8) -> Duration {
        let doublings = u32::from(ban.saturating_sub(1)).min(31);
        let length = self.first_ban.saturating_mul(1 << doublings);
        length.min(self.longest_ban)
    }

    /// The number of the ban after which none is longer, so that no more are counted.
    pub(in crate::gate) fn most_bans(&self) -> u8 {
        let mut bans = 1..=32;
        let longest = bans.find(|ban| self.ban_length(*ban) >= self.longest_ban);
        longest.unwrap_or(32)
    }
}

/// How much credit may be earned.
fn earning(settings: &GateSettings) -> Option<EarningQuota> {
    let mut specs = settings.ladder.specs.iter();
    let spec = specs.find(|spec| spec.bucket == Bucket::Credit)?;
    let quota = settings.limits.of(Bucket::Credit);
    let clients = usize::try_from(quota.daily_per_user?).unwrap_or(usize::MAX);
    let is_earned = spec.payers == Payers::InCredit && clients > 0;
    is_earned.then_some(EarningQuota {
        most: quota.base.burst,
        clients,
    })
}

/// The users of these names.
pub(in crate::gate) fn users(list: &[String], names: &NameFolding, keys: &Keys) -> HashSet<UserId> {
    list.iter()
        .map(|name| keys.user(&names.fold(&UserName::new(name.as_bytes()))))
        .collect()
}

/// Networks to look a client up in. An IPv6 prefix longer than /64 counts as its /64.
#[derive(Default)]
pub(in crate::gate) struct Networks {
    v4: PrefixSet<Ipv4Net>,
    v6: PrefixSet<Ipv6Net>,
}

impl Networks {
    pub(in crate::gate) fn new(networks: &[IpNet]) -> Self {
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

    /// All of them, each once.
    pub(in crate::gate) fn all(&self) -> Vec<IpNet> {
        let (v4, v6) = (self.v4.iter(), self.v6.iter());
        v4.map(IpNet::V4).chain(v6.map(IpNet::V6)).collect()
    }

    pub(in crate::gate) fn contains(&self, client: ClientKey) -> bool {
        match client.address() {
            IpAddr::V4(v4) => !self.v4.is_empty() && self.v4.get_lpm(&v4.into()).is_some(),
            IpAddr::V6(v6) => !self.v6.is_empty() && self.v6.get_lpm(&v6.into()).is_some(),
        }
    }
}

#[cfg(test)]
mod tests;
