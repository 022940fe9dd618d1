//! message - the words of the operator's socket
//!
//! One JSON object a line asks, one answers; then the next. Times are seconds since the Unix epoch in requests,
//! RFC 3339 in answers. Not here: the socket (`client`, `server::operator`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The longest line either way, in octets: room for `Learn`'s batches.
pub const LONGEST: usize = 1 << 20;

/// At most this many logins in one [`Request::Learn`].
pub const BATCH: usize = 2_000;

/// What the operator wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// How things stand.
    Status,
    /// All bans.
    BansList,
    /// Ban an address or a network.
    BansAdd {
        /// `203.0.113.7`, `203.0.113.0/24`, `2001:db8::/48`.
        subject: String,
        /// Seconds.
        seconds: u64,
    },
    /// End a ban.
    BansRemove {
        /// As it was listed.
        subject: String,
    },
    /// Forget what is held against an address or a user.
    Forgive {
        /// An address, a network, or a user's name.
        target: String,
    },
    /// Make a user familiar in a network, or known at least.
    Introduce {
        /// The user.
        user: String,
        /// `203.0.113.0/24`; none: the user is known from now on, and familiar nowhere.
        network: Option<String>,
    },
    /// Why is, or would be, this client refused?
    Explain {
        /// An address, or the session's id out of a 454.
        address: String,
        /// As whom.
        user: Option<String>,
    },
    /// Make familiar who logged in according to a log.
    Learn {
        /// At most [`BATCH`].
        logins: Vec<PastLogin>,
    },
}

/// A login out of an old log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PastLogin {
    /// Who.
    pub user: String,
    /// From where.
    pub address: std::net::IpAddr,
    /// When, in seconds since the Unix epoch.
    pub at: u64,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Response {
    /// Done, and what that changed.
    Done {
        /// A sentence.
        message: String,
    },
    /// Not done, and why.
    Refused {
        /// What was wrong, and what would be right.
        message: String,
    },
    /// To [`Request::Status`].
    Status(Box<Status>),
    /// To [`Request::BansList`].
    Bans {
        /// Soonest end first.
        bans: Vec<Ban>,
    },
    /// To [`Request::Explain`].
    Explanation(Box<Explanation>),
    /// To [`Request::Learn`].
    Learnt(Taught),
}

/// What past logins taught.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taught {
    /// Pairs that were not familiar before.
    pub pairs: u64,
    /// Users that were not known before.
    pub users: u64,
    /// Whether settling in ended with them.
    pub settling_ended: bool,
}

/// One ban.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// An address, an IPv6 /64, or a network.
    pub address: String,
    /// When it ends, RFC 3339.
    pub until: String,
    /// `strikes`, `trap`, `neighbours` or `operator`.
    pub reason: String,
}

/// How things stand.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The version of gatepost.
    pub version: String,
    /// Seconds since the start.
    pub uptime_s: u64,
    /// `enforce`, `dry-run` or `settling-in`.
    pub mode: String,
    /// When settling in ends, RFC 3339, while it lasts.
    pub settling_until: Option<String>,
    /// Whether Postfix answered last.
    pub upstream_up: bool,
    /// Whether the backend is taken for sick.
    pub backend_sick: bool,
    /// Sessions now.
    pub sessions: u64,
    /// Bans now.
    pub bans: u64,
    /// Known users.
    pub known_users: u64,
    /// Familiar pairs.
    pub familiar_pairs: u64,
    /// The bound: guesses by clients that are not familiar that can reach Postfix in a day.
    pub bound_per_day: u64,
    /// What the shared buckets hold.
    pub buckets: Vec<Bucket>,
    /// Rows taken and rows there are, by table.
    pub tables: BTreeMap<String, Fill>,
    /// What sessions came to since the start.
    pub counters: BTreeMap<String, u64>,
    /// Attempts allowed since the start, by reason.
    pub allowed: BTreeMap<String, u64>,
    /// Attempts refused since the start, by reason.
    pub refused: BTreeMap<String, u64>,
    /// Attempts allowed only because of a dry run or settling in, by the reason that would have refused.
    pub would_refuse: BTreeMap<String, u64>,
    /// Connections turned away before TLS since the start, by reason.
    pub turned_away: BTreeMap<String, u64>,
    /// How often each limit acted since the start.
    pub limits: BTreeMap<String, u64>,
}

/// What a bucket holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    /// Its name, as in the config.
    pub name: String,
    /// Tokens now.
    pub tokens: u32,
    /// Tokens when full.
    pub burst: u32,
    /// Seconds until one more token is there.
    pub next_s: u64,
}

/// How full a table is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill {
    /// Rows taken.
    pub used: u64,
    /// Rows there are.
    pub capacity: u64,
    /// Rows given up to make room, since the start.
    pub evicted: u64,
}

/// Why a client is, or would be, refused.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The client as the gate counts it.
    pub client: String,
    /// Its network.
    pub network: String,
    /// The user asked about.
    pub user: Option<String>,
    /// `familiar`, `near` or `far`, where a user was given.
    pub place: Option<String>,
    /// Whether the user is known.
    pub known: Option<bool>,
    /// What admission makes of the client.
    pub standing: String,
    /// Strikes now.
    pub strikes: u32,
    /// The ban on the client or its network.
    pub ban: Option<Ban>,
    /// What each bucket that it would pay from holds.
    pub buckets: Vec<Bucket>,
    /// What a new password would be answered now: `allow` or `refuse`.
    pub verdict: String,
    /// Why.
    pub reason: String,
    /// Seconds until the same attempt could be allowed.
    pub wait_s: u64,
    /// Whether refusals are meant: `enforce`, `dry-run` or `settling-in`.
    pub mode: String,
    /// The last decisions about it, newest first.
    pub decisions: Vec<Decision>,
}

/// A decision of the past.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// When, RFC 3339.
    pub at: String,
    /// The session's id.
    pub session: String,
    /// The client.
    pub client: String,
    /// What was answered (`allow`, `would-refuse`, `refuse`, `repeat`), or what Postfix then made of it
    /// (`accept`, `reject`, `defer`).
    pub verdict: String,
    /// Why.
    pub reason: String,
}
