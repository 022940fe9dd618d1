//! settings - the rules that the gate is built from
//!
//! Not here: reading them from TOML and refusing nonsense (`config`).

use std::fmt;
use std::time::Duration;

use ipnet::IpNet;

use crate::gate::buckets::quota::{BucketQuota, Division, Quota};
use crate::gate::buckets::spec::{Bucket, Ladder, PerBucket};
use crate::gate::request::doors::PolicyNonce;
use crate::gate::request::names::NameSettings;
use crate::gate::request::place::PlaceRules;
use crate::gate::request::suspicion::StolenSettings;
use crate::gate::request::user_rule::UserRule;

/// Whether refusals are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Refusals are answered 454.
    Enforce,
    /// All is judged, counted and logged; only the deny list and the operator's own bans refuse.
    DryRun,
}

/// The log value.
impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Enforce => "enforce",
            Self::DryRun => "dry-run",
        })
    }
}

/// All the rules of the gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateSettings {
    /// Whether refusals are meant.
    pub mode: Mode,
    /// How long a state in which nobody is familiar forgives what most buckets refuse.
    pub settling: Duration,
    /// Which names are one user. Only a new gate takes it over: what is known is kept under hashes of names.
    pub names: NameSettings,
    /// Names from the `users` file: known from the start.
    pub users: Vec<String>,
    /// The buckets.
    pub limits: Quotas,
    /// How machines divide the buckets that all clients share.
    pub division: Division,
    /// When to ban, and for how long.
    pub bans: BanSettings,
    /// Names that no honest user has.
    pub traps: Traps,
    /// Never judged.
    pub allow: Vec<IpNet>,
    /// Never admitted.
    pub deny: Vec<IpNet>,
    /// Nobody else is admitted; empty: everybody may be.
    pub only: Vec<IpNet>,
    /// Which countries may log in.
    pub places: PlaceRules,
    /// What holds for single users; each has one at most.
    pub user_rules: Vec<UserRule>,
    /// When valid logins are not their owner's, and what becomes of them.
    pub stolen: StolenSettings,
    /// The nonce with which Dovecot hashes the passwords that it asks about. None: it does not ask.
    pub nonce: Option<PolicyNonce>,
    /// Rows of the tables.
    pub capacity: Capacity,
    /// The steps of a judgement. A simulation may leave some out; no config does.
    pub ladder: Ladder,
}

impl GateSettings {
    /// Whether any rule is about countries.
    pub fn asks_countries(&self) -> bool {
        let places = &self.places;
        let of_users = || {
            self.user_rules
                .iter()
                .any(|rule| !rule.countries.is_empty())
        };
        !places.only.is_empty() || !places.deny.is_empty() || of_users()
    }
}

/// The quota of every bucket. Buckets with one key in the config have one quota.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quotas(PerBucket<BucketQuota>);

impl Quotas {
    /// The quota of a bucket.
    pub fn of(&self, bucket: Bucket) -> BucketQuota {
        *self.0.get(bucket)
    }

    /// Sets burst and speed of a bucket, and of those that share its key in the config.
    pub fn set(&mut self, bucket: Bucket, quota: Quota) {
        self.change(bucket, |limit| limit.base = quota);
    }

    /// Changes the quota of a bucket, and of those that share its key in the config.
    pub fn change(&mut self, bucket: Bucket, change: impl Fn(&mut BucketQuota)) {
        let key = bucket.spec().key;
        for (spec, quota) in self.0.iter_mut() {
            if spec.key == key {
                change(quota);
            }
        }
    }
}

impl Default for Quotas {
    fn default() -> Self {
        Self(PerBucket::new(|spec| spec.quota))
    }
}

/// When to ban, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BanSettings {
    /// Refusals by `client` until a ban; 0: no bans.
    pub strikes: u32,
    /// The first ban; each further one is twice as long.
    pub first: Duration,
    /// The longest ban.
    pub longest: Duration,
}

/// Names that no honest user has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traps {
    /// User names.
    pub users: Vec<String>,
    /// HELO and EHLO names.
    pub helo: Vec<String>,
}

/// Rows of the tables: what bounds the memory of the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Rows for clients, networks and users together.
    pub clients: usize,
    /// Rows for familiar pairs.
    pub pairs: usize,
}

impl Default for GateSettings {
    /// The defaults of the config file.
    fn default() -> Self {
        const MINUTE: Duration = Duration::from_secs(60);
        const DAY: Duration = Duration::from_secs(86_400);
        let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        Self {
            mode: Mode::Enforce,
            settling: DAY * 7,
            names: NameSettings::default(),
            users: Vec::new(),
            limits: Quotas::default(),
            division: Division::Alone,
            bans: BanSettings {
                strikes: 60,
                first: MINUTE * 10,
                longest: MINUTE * 60,
            },
            traps: Traps {
                users: owned(&[
                    "root", "nobody", "daemon", "bin", "www-data", "mysql", "postgres", "oracle",
                    "ftp", "nagios",
                ]),
                helo: owned(&["ylmf-pc"]),
            },
            allow: Vec::new(),
            deny: Vec::new(),
            only: Vec::new(),
            places: PlaceRules::default(),
            user_rules: Vec::new(),
            stolen: StolenSettings::default(),
            nonce: None,
            capacity: Capacity {
                clients: 1_000_000,
                pairs: 200_000,
            },
            ladder: Ladder::default(),
        }
    }
}

/// The processes of Postfix behind us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessSettings {
    /// How many Postfix has, and so how many sessions may be at it, logged in or not. None: not known.
    /// Default: 100, Postfix's `default_process_limit`.
    pub limit: Option<usize>,
    /// How many familiar users may log in at once. Default: 32.
    pub at_once: usize,
}

impl Default for ProcessSettings {
    fn default() -> Self {
        Self {
            limit: Some(100),
            at_once: 32,
        }
    }
}

/// The queue before Postfix: how many at once, and how long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueSettings {
    /// Attempts that are not familiar, at Postfix at once. Default: 4.
    pub at_once: usize,
    /// How long an attempt waits for its turn. Default: 15 s.
    pub deadline: Duration,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self {
            at_once: 4,
            deadline: Duration::from_secs(15),
        }
    }
}
