//! admin - the operator's socket: what is asked and answered there, and the client that asks
//!
//! Not here: who answers (`server::operator`), how an answer is shown (`cli`).

use std::path::PathBuf;

pub mod client;
pub mod message;

/// Where the operator's socket is, and who may use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The UNIX socket.
    pub socket: PathBuf,
    /// The group that may use it beside the owner; none: the owner alone.
    pub group: Option<String>,
}
