//! admin - the operator's socket: its messages, and the client that commands use
//!
//! Not here: answering (`server::operator`), showing an answer (`cli`).

use std::path::PathBuf;

pub mod client;
pub mod message;

/// Where the operator's socket is, if the config does not say.
pub const DEFAULT_SOCKET: &str = "/run/gatepost/admin.sock";

/// The operator's socket, and who may use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminSettings {
    /// The UNIX socket.
    pub socket: PathBuf,
    /// The group that may use it besides the owner; none: only the owner.
    pub group: Option<String>,
}
