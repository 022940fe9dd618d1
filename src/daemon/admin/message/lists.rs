//! lists - the messages about published lists of networks
//!
//! Not here: the other messages (`message`).

use serde::{Deserialize, Serialize};

/// What is to be done about published lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ListRequest {
    /// Show them.
    All,
    /// Keep these for a list that comes in parts. Nothing holds before its end has come.
    Part {
        /// The list's number, which its sender chooses: another one begins anew.
        number: u64,
        /// Addresses and networks, at most [`super::BATCH`].
        networks: Vec<String>,
    },
    /// Take the parts over, in place of what the source had before.
    End {
        /// The list's number.
        number: u64,
        /// What the operator calls it.
        source: String,
        /// How many addresses and networks there were.
        count: usize,
        /// How long it holds, in seconds.
        seconds: u64,
    },
    /// Remove a source's list.
    Remove {
        /// What the operator calls it.
        source: String,
    },
}

/// One source's list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListMessage {
    /// What the operator calls it.
    pub source: String,
    /// How many addresses and networks it has.
    pub networks: usize,
    /// When it ends, RFC 3339.
    pub until: String,
}
