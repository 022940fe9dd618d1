//! explained - the answers of `explain` and `users`
//!
//! Not here: the other messages (`message`).

use serde::{Deserialize, Serialize};

use super::BanMessage;
use super::past::PastDecisionMessage;

/// The tokens of a bucket.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BucketMessage {
    /// Its name, as in the config.
    pub name: String,
    /// Tokens now.
    pub tokens: u32,
    /// Tokens when full.
    pub burst: u32,
    /// Seconds until the next token for this client.
    pub next_s: u64,
    /// The same for what was refused and comes again.
    #[serde(default)]
    pub next_retry_s: u64,
    /// For a client that has tried nothing else.
    #[serde(default)]
    pub next_newcomer_s: u64,
    /// For all others.
    #[serde(default)]
    pub next_others_s: u64,
}

/// Why a client is, or would be, refused.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExplanationMessage {
    /// The client, as the gate counts it.
    pub client: String,
    /// Where it is, if a database says so: `DE, AS64500 Example`.
    #[serde(default)]
    pub place: Option<String>,
    /// Its network.
    pub network: String,
    /// The user asked about.
    pub user: Option<String>,
    /// `familiar`, `unproven`, `near` or `far` in the client's network, where a user was given.
    pub trust: Option<String>,
    /// Whether the user is near by the autonomous system alone.
    #[serde(default)]
    pub near_by_system: bool,
    /// Whether the user is known.
    pub known: Option<bool>,
    /// What admission decides for the client.
    pub standing: String,
    /// The client's strikes.
    pub strikes: u32,
    /// The ban on the client or its network.
    pub ban: Option<BanMessage>,
    /// At which machine of a cluster that, and what is known of the user, was decided.
    #[serde(default)]
    pub decided: Vec<DecidedMessage>,
    /// The tokens of each bucket that an attempt would take from.
    pub buckets: Vec<BucketMessage>,
    /// The answer to an attempt: `allow`, `refuse`, or `depends` on what it shows, as `outlooks` says.
    pub verdict: String,
    /// The reason; of `depends` the first of those that allow or refuse it.
    pub reason: String,
    /// Seconds until the same attempt may be allowed.
    pub wait_s: u64,
    /// The answer by what the attempt shows, where that matters.
    #[serde(default)]
    pub outlooks: Vec<OutlookMessage>,
    /// `enforce`, `dry-run` or `settling-in`.
    pub mode: String,
    /// What the client did wrong before a login that did not come, the last time.
    #[serde(default)]
    pub last_fault: Option<FaultMessage>,
    /// The last decisions on it, the newest first.
    pub decisions: Vec<DecisionMessage>,
    /// Earlier ones, from the history.
    #[serde(default)]
    pub past: Vec<PastDecisionMessage>,
    /// The programs that came with decisions in the history, the latest first.
    #[serde(default)]
    pub programs: Vec<ProgramMessage>,
}

/// The TLS program of a client, as its ClientHello tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramMessage {
    /// Its label by FoxIO's JA4.
    pub ja4: String,
    /// When it came last, RFC 3339; of decisions that were alike within ten minutes only the last one's program is known.
    pub last: String,
}

/// What a client did wrong in a session that ended without a login.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultMessage {
    /// When the session ended, RFC 3339.
    pub at: String,
    /// Its id.
    pub session: String,
    /// The log value.
    pub fault: String,
}

/// A past decision.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DecisionMessage {
    /// The time, RFC 3339.
    pub at: String,
    /// The session's id.
    pub session: String,
    /// The client.
    pub client: String,
    /// The user, as `users` shows one: the keyed hash of the name; none if the session did not come to it.
    #[serde(default)]
    pub user: Option<String>,
    /// The answer (`allow`, `would-refuse`, `refuse`, `repeat`), or Postfix's outcome after it
    /// (`accept`, `reject`, `defer`).
    pub verdict: String,
    /// The reason.
    pub reason: String,
    /// The door: `smtp`, `imap`, `pop3`, `sieve`, `submission`, `doveadm`, `other`.
    #[serde(default)]
    pub door: String,
    /// Seconds that the client should have waited.
    #[serde(default)]
    pub wait_s: u64,
}

/// What an attempt would be answered, by what it shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutlookMessage {
    /// Which attempts: `a known user, a new password`.
    pub attempt: String,
    /// `allow` or `refuse`.
    pub verdict: String,
    /// The reason.
    pub reason: String,
    /// Seconds until the same attempt may be allowed.
    pub wait_s: u64,
}

/// What is known of a user.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UserMessage {
    /// The name that was asked about.
    pub user: String,
    /// The keyed hash of the name.
    pub id: String,
    /// Whether this user has ever logged in, was learnt, introduced or listed.
    pub known: bool,
    /// Whether the name is a trap while it is not known.
    pub trap: bool,
    /// What the owner has set for the user in `[[user]]`, in words.
    #[serde(default)]
    pub rule: Option<String>,
    /// The last login, RFC 3339.
    pub last_login: Option<String>,
    /// Where the user is familiar, the latest first.
    pub networks: Vec<UserNetworkMessage>,
    /// Why the password seems to be stolen; none: it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspicion: Option<SuspicionMessage>,
    /// The devices that have logged in as the user, the latest first.
    #[serde(default)]
    pub devices: Vec<UserDeviceMessage>,
    /// The user's own buckets.
    pub buckets: Vec<BucketMessage>,
    /// `enforce`, `dry-run` or `settling-in`.
    pub mode: String,
    /// The last decisions, the newest first.
    pub decisions: Vec<DecisionMessage>,
    /// Earlier ones, from the history.
    #[serde(default)]
    pub past: Vec<PastDecisionMessage>,
    /// The programs that came with decisions in the history, the latest first.
    #[serde(default)]
    pub programs: Vec<ProgramMessage>,
    /// At which machine of a cluster what is known of the user was decided.
    #[serde(default)]
    pub decided: Vec<DecidedMessage>,
}

/// What one machine of a cluster has decided for all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecidedMessage {
    /// The machine.
    pub machine: String,
    /// What: a ban, a login, a forgetting.
    pub what: String,
}

/// Why a password seems to be stolen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuspicionMessage {
    /// Since when, RFC 3339.
    pub since: String,
    /// `countries`, `systems`, `networks` or `guesses`.
    pub cause: String,
    /// Whether the logins from other than familiar places wait.
    pub held: bool,
    /// The places that were new within a day, the oldest first.
    pub places: Vec<NewPlaceMessage>,
}

/// A place that was new to a user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewPlaceMessage {
    /// Its /16, or /32.
    pub network: String,
    /// The country, if a database says it.
    pub country: Option<String>,
    /// The number of the autonomous system, if a database says it.
    pub system: Option<u32>,
    /// The first login, RFC 3339.
    pub at: String,
}

/// A network where a user is familiar.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserNetworkMessage {
    /// The network.
    pub network: String,
    /// Where it is.
    #[serde(default)]
    pub place: Option<String>,
    /// The first login there since the start, RFC 3339; of earlier ones the last.
    pub since: String,
    /// The last login there, RFC 3339.
    pub last_login: String,
    /// `familiar` or `unproven`.
    pub trust: String,
    /// The answer to a new password from there.
    pub outlook: OutlookMessage,
}

/// A device of a user: a mail program that keeps TLS tickets, or one connection of a program that does not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserDeviceMessage {
    /// The last login from it, RFC 3339.
    pub last_login: String,
    /// Whether it has brought its ticket back.
    pub came_back: bool,
    /// Whether it is familiar, wherever it is, when it comes back; not if the password was changed since.
    pub familiar: bool,
    /// Wrong passwords since its last login.
    pub wrong: u32,
}

/// All known users.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownUsersMessage {
    /// The last to log in first.
    pub users: Vec<KnownUserMessage>,
    /// Names that were asked for, and that nobody knows.
    pub unknown: Vec<String>,
}

/// One of the known users.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownUserMessage {
    /// The name, if it was asked for: it is not kept.
    pub user: Option<String>,
    /// The keyed hash of the name.
    pub id: String,
    /// The last login, RFC 3339; none of users who are listed in the `users` file and have not logged in.
    pub last_login: Option<String>,
    /// Where the user is familiar, the latest first.
    pub networks: Vec<LoginNetworkMessage>,
    /// Since when it is known that the password is on the owner's list, RFC 3339; none: it is not, as far as is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_listed: Option<String>,
    /// How many devices have logged in as this user.
    #[serde(default)]
    pub devices: u64,
}

/// A network, and when a user logged in there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginNetworkMessage {
    /// The network.
    pub network: String,
    /// The last login there, RFC 3339.
    pub last_login: String,
}
