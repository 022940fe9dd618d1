//! admin - the operator's socket: messages and the client that sends them

use std::path::PathBuf;

/// Where the operator's socket is, and who may use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The UNIX socket.
    pub socket: PathBuf,
    /// The group that may use it beside the owner; none: the owner alone.
    pub group: Option<String>,
}
