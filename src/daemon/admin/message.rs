//! message - the messages of the operator's socket
//!
//! One JSON object a line as request, one as answer; then the next. Times are seconds since the Unix epoch in
//! requests, RFC 3339 in answers. Not here: the socket (`client`, `server::operator`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

mod crowdsec;
mod explained;
mod held;
mod lists;
mod parts;
mod past;
mod watch;

pub use crowdsec::{CrowdsecMessage, LapiMessage};
pub use explained::{
    BucketMessage, DecidedMessage, DecisionMessage, ExplanationMessage, FaultMessage,
    KnownUserMessage, KnownUsersMessage, LoginNetworkMessage, NewPlaceMessage, OutlookMessage,
    ProgramMessage, SuspicionMessage, UserDeviceMessage, UserMessage, UserNetworkMessage,
};
pub use held::{HeldMessage, WhyEnded, WorkMessage};
pub use lists::{ListMessage, ListRequest};
pub use parts::{
    CertificateMessage, ClusterMessage, DatabaseMessage, Fill, LenderMessage, LinkMessage,
    MeshMessage, NotKeptMessage, PeerMessage, ProcessMessage, SeenMessage, SharingMessage,
    UpstreamMessage,
};
pub use past::{
    ActMessage, Attacked, Attacker, ListedMessage, OutageMessage, PastBanMessage,
    PastDecisionMessage, ReportMessage, ReportStep,
};
pub use watch::{AttemptMessage, BusyMessage, SuspectedMessage, WATCH_ROWS, WatchMessage};

/// The longest line in either direction, in octets: large enough for `Learn`'s batches.
pub const LONGEST: usize = 1 << 20;
/// The most logins in one [`Request::Learn`].
pub const BATCH: usize = 2_000;

/// A request of the operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Show the state.
    Status,
    /// Show the state, who is busy, and the last attempts.
    Watch {
        /// The number of the last attempt that is known already; 0: none is.
        after: u64,
    },
    /// Make a one-time link to the page.
    Dashboard {
        /// The operator's login name, for the log.
        #[serde(default)]
        who: Option<String>,
        /// The address that the operator came from, which the page then never bans.
        from: Option<String>,
    },
    /// All bans.
    BansList,
    /// Ban an address or a network, and end its sessions.
    BansAdd {
        /// `203.0.113.7`, `203.0.113.0/24`, `2001:db8::/48`.
        subject: String,
        /// Seconds.
        seconds: u64,
        /// Whether an address of this machine's own may be among them.
        #[serde(default)]
        own: bool,
    },
    /// Ban many, as [`Request::BansAdd`] does; at most [`BATCH`].
    BansImport {
        /// Addresses and networks.
        subjects: Vec<String>,
        /// Seconds.
        seconds: u64,
    },
    /// Published lists of networks.
    Lists {
        /// What is to be done.
        what: ListRequest,
    },
    /// End a ban.
    BansRemove {
        /// As it was listed.
        subject: String,
    },
    /// Clear bans, strikes and spent tokens of an address or a user.
    Forgive {
        /// An address, a network, or a user's name.
        target: String,
    },
    /// Make a user familiar in a network, or only known.
    Introduce {
        /// The user.
        user: String,
        /// `203.0.113.0/24`; none: the user becomes known, and familiar nowhere.
        network: Option<String>,
        /// Whether the name may be a trap, which it then is no more.
        #[serde(default)]
        trap: bool,
    },
    /// End sessions at once; a user's trust ends with them.
    Expel {
        /// A user's name, an address, or a network.
        target: String,
        /// Of a user: only from there.
        network: Option<String>,
    },
    /// Take back that a user is familiar.
    Forget {
        /// The user.
        user: String,
        /// Only there; none: everywhere.
        network: Option<String>,
    },
    /// Explain why a client is, or would be, refused.
    Explain {
        /// An address, the session's id in a 454, or a user.
        address: String,
        /// The user at that address.
        user: Option<String>,
    },
    /// What happened in a time.
    Report {
        /// The last so many seconds.
        span_s: u64,
    },
    /// Send a test notice.
    NoticesTest,
    /// All known users.
    Users {
        /// Names to look for: without them there are only the keyed hashes.
        #[serde(default)]
        names: Vec<String>,
    },
    /// To a process that was stopped: which sessions it still has.
    Held,
    /// To a process that was stopped: end these.
    EndHeld {
        /// Their numbers in its answer to [`Request::Held`].
        numbers: Vec<u64>,
        /// Why; by order where it is not said.
        #[serde(default, skip_serializing_if = "WhyEnded::is_by_order")]
        why: WhyEnded,
    },
    /// Make users familiar who logged in according to a log.
    Learn {
        /// At most [`BATCH`].
        logins: Vec<PastLogin>,
        /// What becomes of settling in.
        #[serde(default)]
        settling: SettlingAfter,
    },
}

/// What becomes of settling in after an import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SettlingAfter {
    /// It goes on.
    #[default]
    GoesOn,
    /// It ends: all users who should be familiar were learnt.
    Ends,
}

/// A login in an old log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PastLogin {
    /// The user.
    pub user: String,
    /// The client.
    pub address: std::net::IpAddr,
    /// When, in seconds since the Unix epoch.
    pub at: u64,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Response {
    /// Done; says what has changed.
    Done {
        /// A sentence.
        message: String,
    },
    /// Done, and gone with a restart, for the disk did not take it; says both.
    NotKept {
        /// A sentence.
        message: String,
    },
    /// To [`Request::BansAdd`], [`Request::Expel`] and [`Request::Forget`]: done; says what has ended.
    Ended {
        /// A sentence.
        message: String,
        /// Sessions that were ended.
        sessions: u64,
        /// Networks where the user was familiar until now.
        networks: u64,
    },
    /// There was nothing of the kind, so nothing was done; says so.
    NotFound {
        /// A sentence.
        message: String,
    },
    /// To [`Request::BansImport`].
    BansImported {
        /// How many are banned.
        banned: u64,
        /// Sessions that had logged in and were ended.
        sessions: u64,
        /// Which were refused: their places in the request, and why.
        refused: Vec<(usize, String)>,
    },
    /// Refused; says why.
    Refused {
        /// What was wrong, and what would be right.
        message: String,
    },
    /// To [`Request::Status`].
    Status(Box<StatusMessage>),
    /// To [`Request::Watch`].
    Watch(Box<WatchMessage>),
    /// To [`Request::Dashboard`].
    Dashboard {
        /// Where the page is; none: on a UNIX socket.
        address: Option<String>,
        /// What stands behind the `#`.
        link: String,
    },
    /// To [`Request::BansList`].
    Bans {
        /// The next to end first.
        bans: Vec<BanMessage>,
    },
    /// To [`ListRequest::All`].
    Lists {
        /// In the order in which they came.
        lists: Vec<ListMessage>,
    },
    /// To [`ListRequest::Part`].
    ListPart,
    /// To [`Request::Explain`].
    Explanation(Box<ExplanationMessage>),
    /// To [`Request::Explain`] of a user alone.
    User(Box<UserMessage>),
    /// To [`Request::Report`].
    Report(Box<ReportMessage>),
    /// To [`Request::Users`].
    Users(KnownUsersMessage),
    /// To [`Request::Learn`].
    Learnt(ImportStats),
    /// To [`Request::Held`].
    Held {
        /// Each session that has logged in.
        sessions: Vec<HeldMessage>,
    },
}

/// What an import of past logins added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportStats {
    /// Pairs that were not familiar before.
    pub pairs: u64,
    /// Users that were not known before.
    pub users: u64,
    /// Whether settling in ended.
    pub settling_ended: bool,
    /// Whether it goes on.
    #[serde(default)]
    pub settling: bool,
}

impl ImportStats {
    /// Whether the import has changed anything.
    pub const fn changed(&self) -> bool {
        self.pairs > 0 || self.users > 0 || self.settling_ended
    }
}

/// One ban.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BanMessage {
    /// An address, an IPv6 /64, or a network.
    pub address: String,
    /// When it ends, RFC 3339.
    pub until: String,
    /// `strikes`, `trap`, `neighbours` or `operator`.
    pub reason: String,
}

/// The state of the running Gatepost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StatusMessage {
    /// The version of gatepost.
    pub version: String,
    /// When it was started, RFC 3339.
    #[serde(default)]
    pub started: String,
    /// Seconds since the start.
    pub uptime_s: u64,
    /// `enforce`, `dry-run` or `settling-in`.
    pub mode: String,
    /// When settling in ends, RFC 3339, while it lasts.
    pub settling_until: Option<String>,
    /// Whether logins can work: a backend can be used, and rejects no trusted users.
    #[serde(default)]
    pub logins_work: bool,
    /// Whether a backend greeted as it must the last time.
    pub upstream_up: bool,
    /// Each backend.
    #[serde(default)]
    pub upstream: Vec<UpstreamMessage>,
    /// Whether an outage of the backend is suspected.
    pub backend_outage: bool,
    /// Processes of Postfix: at logins, relayed exchanges and sessions that have logged in; and who waits for one.
    pub processes: BTreeMap<String, u64>,
    /// Open sessions.
    pub sessions: u64,
    /// Sessions that have logged in, each at a process of Postfix.
    #[serde(default)]
    pub logged_in: u64,
    /// Sessions that had logged in before a restart, and go on in processes that were stopped. `logged_in` is without them.
    #[serde(default)]
    pub left_over: u64,
    /// Bans in force.
    pub bans: u64,
    /// The same by reason: `strikes`, `trap`, `neighbours`, `operator`.
    #[serde(default)]
    pub bans_by_reason: BTreeMap<String, u64>,
    /// Known users.
    pub known_users: u64,
    /// Familiar pairs.
    pub familiar_pairs: u64,
    /// Devices that have logged in, each of one user.
    #[serde(default)]
    pub devices: u64,
    /// Users whose password seems to be stolen.
    #[serde(default)]
    pub suspected: u64,
    /// The bound: the guesses by strangers that can reach Postfix in a day.
    pub bound_per_day: u64,
    /// The machines that this bound is one for; none: there is only this one.
    pub cluster: Option<ClusterMessage>,
    /// CrowdSec; none: it is neither asked nor told anything.
    pub crowdsec: Option<CrowdsecMessage>,
    /// The tokens of the shared buckets.
    pub buckets: Vec<BucketMessage>,
    /// Used and available rows, by table.
    pub tables: BTreeMap<String, Fill>,
    /// Outcomes of sessions since the start.
    pub counters: BTreeMap<String, u64>,
    /// Attempts since the start by how they ended, as the log tells it, and by reason: `accept`, `reject`, `refuse`,
    /// `repeat`, `defer`, `cancel`.
    #[serde(default)]
    pub attempts: BTreeMap<String, BTreeMap<String, u64>>,
    /// Of the attempts refused, those of users in networks where they have logged in (`familiar` and `unproven`), by
    /// reason; without those that the operator has ordered.
    #[serde(default)]
    pub familiar_refused: BTreeMap<String, u64>,
    /// What came of attempts since the start, by the door at which they were made.
    #[serde(default)]
    pub doors: BTreeMap<String, BTreeMap<String, u64>>,
    /// Attempts allowed since the start, by reason.
    pub allowed: BTreeMap<String, u64>,
    /// Attempts refused since the start, by reason.
    pub refused: BTreeMap<String, u64>,
    /// Attempts allowed only because of a dry run or settling in, by the reason that would have refused.
    pub would_refuse: BTreeMap<String, u64>,
    /// Connections turned away before TLS since the start, by reason.
    pub turned_away: BTreeMap<String, u64>,
    /// The certificates in use, the default one first.
    #[serde(default)]
    pub certificates: Vec<CertificateMessage>,
    /// TLS handshakes that failed since the start, by cause.
    #[serde(default)]
    pub handshakes_failed: BTreeMap<String, u64>,
    /// How often each limit acted since the start.
    pub limits: BTreeMap<String, u64>,
    /// Since when the state is not kept, and why; none: it is.
    pub state_not_kept: Option<NotKeptMessage>,
    /// Why the history is not kept; none: it is, or it is off.
    pub history_not_kept: Option<String>,
    /// The databases of `[places]`.
    #[serde(default)]
    pub places: Vec<DatabaseMessage>,
    /// What the process takes of the machine.
    #[serde(default)]
    pub process: ProcessMessage,
}
