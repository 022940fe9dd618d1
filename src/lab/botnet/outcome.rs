//! outcome - how a simulated client's try to log in ended
//!
//! Not here: the conversation that it ended in (`connection`), counting (`tally`).
//! RFC 5321 section 4.2, RFC 4954 section 6.

use std::io;

/// How one try to log in ended, as its client saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// 235: logged in.
    Accept,
    /// 535: wrong password.
    Reject,
    /// 454, or another 4xx: not now.
    TryLater,
    /// 421, or 554 to whom it will not talk: sent away.
    SendAway,
    /// The connection was reset: what a banned client gets.
    Reset,
    /// The connection was closed without a word.
    HangUp,
    /// Nobody listens there.
    NobodyThere,
    /// No answer in time.
    Silence,
    /// Anything else, our own failures included.
    Odd,
}

/// What came of a try, or of a connection that ended before it.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) outcome: Outcome,
    /// In words: the reply, printable, or the system's error.
    pub(super) said: String,
}

/// A reply of the target.
pub(super) struct Reply {
    pub(super) code: u16,
    pub(super) last_line: String,
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Self {
            outcome: match reply.code {
                235 => Outcome::Accept,
                535 => Outcome::Reject,
                421 | 554 => Outcome::SendAway,
                400..=499 => Outcome::TryLater,
                _ => Outcome::Odd,
            },
            said: reply.last_line,
        }
    }
}

impl From<io::Error> for Answer {
    fn from(fault: io::Error) -> Self {
        use io::ErrorKind as Kind;
        Self {
            outcome: match fault.kind() {
                Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe => {
                    Outcome::Reset
                }
                Kind::UnexpectedEof => Outcome::HangUp,
                Kind::ConnectionRefused => Outcome::NobodyThere,
                Kind::TimedOut => Outcome::Silence,
                _ => Outcome::Odd,
            },
            said: fault.to_string(),
        }
    }
}
