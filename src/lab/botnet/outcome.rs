//! outcome - the result of a simulated client's login attempt
//!
//! Not here: the conversation in which it ended (`connection`), counting (`tally`).
//! RFC 5321 section 4.2, RFC 4954 section 6.

use std::io;

/// How one login attempt ended, as its client saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginOutcome {
    /// 235: logged in.
    Accept,
    /// 535: wrong password.
    Reject,
    /// 454, or another 4xx: not now.
    TryLater,
    /// 421 or 554: the service is not available to this client.
    Unavailable,
    /// The connection was reset: what a banned client gets.
    Reset,
    /// The connection was closed without a reply.
    Close,
    /// Nothing listens there.
    ConnectionRefused,
    /// No answer in time.
    Timeout,
    /// Anything else, our own failures included.
    Other,
}

/// The end of an attempt, or of a connection that ended before it.
#[derive(Clone, Debug)]
pub(super) struct LoginAnswer {
    pub(super) outcome: LoginOutcome,
    /// The reply, printable, or the system's error.
    pub(super) said: String,
}

/// A reply of the target.
pub(super) struct ServerReply {
    pub(super) code: u16,
    pub(super) last_line: String,
}

impl From<ServerReply> for LoginAnswer {
    fn from(reply: ServerReply) -> Self {
        Self {
            outcome: match reply.code {
                235 => LoginOutcome::Accept,
                535 => LoginOutcome::Reject,
                421 | 554 => LoginOutcome::Unavailable,
                400..=499 => LoginOutcome::TryLater,
                _ => LoginOutcome::Other,
            },
            said: reply.last_line,
        }
    }
}

impl From<io::Error> for LoginAnswer {
    fn from(fault: io::Error) -> Self {
        use io::ErrorKind as Kind;
        Self {
            outcome: match fault.kind() {
                Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe => {
                    LoginOutcome::Reset
                }
                Kind::UnexpectedEof => LoginOutcome::Close,
                Kind::ConnectionRefused => LoginOutcome::ConnectionRefused,
                Kind::TimedOut => LoginOutcome::Timeout,
                _ => LoginOutcome::Other,
            },
            said: fault.to_string(),
        }
    }
}
