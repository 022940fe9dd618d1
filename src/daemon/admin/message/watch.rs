//! watch - the messages of the live view: the state, who is busy, and the last attempts
//!
//! Not here: the other messages (`message`).

use serde::{Deserialize, Serialize};

use super::{BanMessage, StatusMessage};

/// The most rows of each list.
pub const WATCH_ROWS: usize = 50;

/// The answer to `Request::Watch`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WatchMessage {
    /// As `gatepost status --json` shows it.
    pub status: StatusMessage,
    /// Since when the next three are counted, RFC 3339: ten to twenty minutes ago, or the start.
    pub since: String,
    /// The busiest clients, at most [`WATCH_ROWS`].
    pub clients: Vec<BusyMessage>,
    /// The busiest networks.
    pub networks: Vec<BusyMessage>,
    /// The users whose attempts failed most often.
    pub users: Vec<BusyMessage>,
    /// Bans, the next to end first; `status.bans` counts them all.
    pub bans: Vec<BanMessage>,
    /// Users whose password seems to be stolen, the latest first; `status.suspected` counts them all.
    #[serde(default)]
    pub suspected: Vec<SuspectedMessage>,
    /// The attempts after the one that was asked for, the last 200 at most, in their order.
    pub attempts: Vec<AttemptMessage>,
}

/// A user whose password seems to be stolen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuspectedMessage {
    /// The name, escaped; none if it is not known.
    pub user: Option<String>,
    /// What the log calls a user without a name.
    pub id: String,
    /// Since when, RFC 3339.
    pub since: String,
    /// Why: as the log's `cause`.
    pub cause: String,
}

/// How busy a client, a network or a user is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusyMessage {
    /// Which one.
    pub name: String,
    /// Attempts, at least.
    pub attempts: u64,
    /// Of them, accepted by Postfix.
    pub accepted: u64,
    /// Rejected by Postfix.
    pub rejected: u64,
    /// Refused here.
    pub refused: u64,
}

/// One attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptMessage {
    /// Counted from the start.
    pub number: u64,
    /// When it was answered, RFC 3339.
    pub at: String,
    /// The client.
    pub client: String,
    /// Where it is, if a database says so.
    #[serde(default)]
    pub place: Option<String>,
    /// The user, as the log shows the name.
    pub user: Option<String>,
    /// `accept`, `reject`, `refuse`, `repeat`, `defer` or `cancel`.
    pub verdict: String,
    /// On what grounds.
    pub reason: Option<String>,
    /// Seconds that the client was told to wait.
    pub wait_s: u64,
}
