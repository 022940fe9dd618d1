//! settings - the rules that the gate is built from
//!
//! Not here: reading them from TOML and refusing nonsense (`config`).

use std::fmt;
use std::time::Duration;

use ipnet::IpNet;

/// A token bucket: `burst` tokens at most, one back every `every`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Tokens in a full bucket, at least 1.
    pub burst: u32,
    /// The time in which one token comes back, longer than zero.
    pub every: Duration,
}

/// Whether refusals are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Refusals are answered 454.
    Enforce,
    /// All is judged, counted and logged; nothing is refused.
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
pub struct Settings {
    /// Whether refusals are meant.
    pub mode: Mode,
    /// How long a state in which nobody is familiar enforces only traps and `client`.
    pub settling: Duration,
    /// Names from the `users` file: known from the start.
    pub users: Vec<String>,
    /// The buckets.
    pub limits: Limits,
    /// When to ban, and for how long.
    pub bans: Bans,
    /// Names that no honest user has.
    pub traps: Traps,
    /// Never judged.
    pub allow: Vec<IpNet>,
    /// Never admitted.
    pub deny: Vec<IpNet>,
    /// Rows of the tables.
    pub capacity: Capacity,
    /// A part of the judgement that a simulation leaves out; no config says so.
    pub without: Option<Part>,
}

/// A part of the judgement, to see what it is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Names, digits and signs are cut from a password before it is compared.
    Folding,
    /// Common passwords are words from the first try on.
    List,
    /// Unknown users have a bucket of their own.
    Unknown,
    /// The last third of a user's and of a shared bucket is kept for newcomers.
    Newcomers,
}

/// One quota a bucket, named as in the config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// By (user, network) that has logged in.
    pub familiar: Quota,
    /// By address or /64.
    pub client: Quota,
    /// By /24 or /48.
    pub network: Quota,
    /// By user, near and far apart.
    pub user: Quota,
    /// All near attempts together.
    pub near: Growing,
    /// All attempts with a word together.
    pub words: Quota,
    /// All unknown users together.
    pub unknown: Quota,
    /// All others together.
    pub strangers: Growing,
}

/// A shared bucket that grows with the number of known users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growing {
    /// The bucket of a server without users. Its burst grows by one for every ten known users.
    pub base: Quota,
    /// Tokens more a day for every known user.
    pub daily_per_user: u32,
}

/// When to ban, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bans {
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

impl Default for Settings {
    /// The defaults of the config file.
    fn default() -> Self {
        const MINUTE: Duration = Duration::from_secs(60);
        const DAY: Duration = Duration::from_secs(86_400);
        let quota = |burst, minutes: u32| Quota {
            burst,
            every: MINUTE * minutes,
        };
        let growing = Growing {
            base: quota(100, 2),
            daily_per_user: 3,
        };
        let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        Self {
            mode: Mode::Enforce,
            settling: DAY * 7,
            users: Vec::new(),
            limits: Limits {
                familiar: quota(20, 30),
                client: quota(10, 30),
                network: quota(20, 10),
                user: quota(10, 60),
                near: growing,
                words: quota(20, 30),
                unknown: quota(20, 10),
                strangers: growing,
            },
            bans: Bans {
                strikes: 3,
                first: MINUTE * 10,
                longest: DAY,
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
            capacity: Capacity {
                clients: 1_000_000,
                pairs: 200_000,
            },
            without: None,
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
