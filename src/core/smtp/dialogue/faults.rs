//! faults - what a client did wrong before its login, by a code that logs and explanations show
//!
//! The codes are public API. A session keeps its first fault: what follows is mostly the client's going on as if
//! nothing had been said. Not here: the replies (`replies`), how many faults end a session (`session_limits`).

use super::Dialogue;
use crate::smtp::reply::Reply;

/// What a client did wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DialogueFault {
    /// It talked before the banner.
    TalksFirst,
    /// A command that nobody knows.
    UnknownCommand,
    /// A command that is known and not offered.
    NotImplemented,
    /// A command with arguments that it does not have.
    Arguments,
    /// A line that is too long.
    TooLong,
    /// A mail before the login.
    LoginFirst,
    /// AUTH before STARTTLS.
    TlsFirst,
    /// STARTTLS in TLS.
    TlsAlready,
    /// Something in clear behind STARTTLS.
    ClearBehindStartTls,
    /// AUTH with a mechanism that is not offered.
    NoMechanism,
    /// A message of an AUTH exchange that cannot be read.
    AuthMessage,
    /// An AUTH exchange that names no user.
    NoUser,
    /// It cancelled an AUTH exchange.
    Cancelled,
    /// HTTP, or another protocol.
    OtherProtocol,
    /// Too many commands.
    TooManyCommands,
    /// Too many logins that failed.
    TooManyLogins,
    /// A HELO name from `[traps]`.
    Trap,
    /// Nothing for too long, in the middle of a conversation.
    TimedOut,
}

impl DialogueFault {
    /// The log value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TalksFirst => "talks-first",
            Self::UnknownCommand => "unknown-command",
            Self::NotImplemented => "not-implemented",
            Self::Arguments => "arguments",
            Self::TooLong => "too-long",
            Self::LoginFirst => "login-first",
            Self::TlsFirst => "tls-first",
            Self::TlsAlready => "tls-already",
            Self::ClearBehindStartTls => "clear-behind-starttls",
            Self::NoMechanism => "no-mechanism",
            Self::AuthMessage => "auth-message",
            Self::NoUser => "no-user",
            Self::Cancelled => "cancelled",
            Self::OtherProtocol => "other-protocol",
            Self::TooManyCommands => "too-many-commands",
            Self::TooManyLogins => "too-many-logins",
            Self::Trap => "trap",
            Self::TimedOut => "timed-out",
        }
    }
}

/// The faults of a session.
#[derive(Debug)]
pub struct FaultRecord {
    /// The first.
    pub first: DialogueFault,
    /// What it was answered.
    pub reply: Reply,
    /// How many there were.
    pub count: u32,
}

impl Dialogue {
    /// What the client did wrong until now; forgotten with the answer.
    pub fn take_faults(&mut self) -> Option<Box<FaultRecord>> {
        self.faults.take()
    }
}
