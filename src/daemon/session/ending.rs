//! ending - how a session ended, and whose fault that was
//!
//! Every session yields one [`Ending`]; `serve` logs it, in one place. The log values are public API.

use std::io;

use crate::net::splice::SpliceEnd;
use crate::net::tls::HandshakeFault;
use crate::report::events::Blame;

/// How a session ended.
#[derive(Debug)]
pub enum Ending {
    /// The client said QUIT, or closed between two commands.
    Quit,
    /// We hung up on a client that broke the rules or was refused too often.
    HungUp,
    /// The client was silent for too long.
    TimedOut,
    /// We are stopping.
    Drained,
    /// Its slot went to somebody else.
    Evicted,
    /// The operator ended it before it had logged in.
    Expelled,
    /// The splice ended.
    Spliced(SpliceEnd),
    /// The client's fault.
    Client(ClientFault),
}

/// What a client did to end its session.
#[derive(Debug, thiserror::Error)]
pub enum ClientFault {
    /// No TLS came about.
    #[error(transparent)]
    Handshake(#[from] HandshakeFault),
    /// Its connection broke.
    #[error("connection lost: {0}")]
    Lost(#[from] io::Error),
    /// It closed in the middle of a line or an exchange.
    #[error("closed in the middle of a line")]
    Gone,
}

impl Ending {
    /// The log value.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Quit => "quit",
            Self::HungUp => "hung-up",
            Self::TimedOut => "timed-out",
            Self::Drained => "drained",
            Self::Evicted => "evicted",
            Self::Expelled => "expelled",
            Self::Spliced(end) => end.as_str(),
            Self::Client(ClientFault::Handshake(_)) => "handshake",
            Self::Client(ClientFault::Lost(_)) => "lost",
            Self::Client(ClientFault::Gone) => "gone",
        }
    }

    /// Whose fault it was.
    pub fn blame(&self) -> Blame {
        match self {
            Self::Client(_)
            | Self::HungUp
            | Self::TimedOut
            | Self::Spliced(SpliceEnd::SentBehindQuit(_)) => Blame::Client,
            Self::Spliced(SpliceEnd::UpstreamLost(_)) => Blame::Upstream,
            _ => Blame::Nobody,
        }
    }

    /// The fault to be shown, where there is one.
    pub fn fault(&self) -> Option<&dyn std::fmt::Display> {
        match self {
            Self::Client(fault) => Some(fault),
            Self::Spliced(
                SpliceEnd::UpstreamLost(fault)
                | SpliceEnd::SentBehindQuit(fault)
                | SpliceEnd::ClientLost(fault),
            ) => Some(fault),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_postfix_that_dies_under_a_session_is_blamed_with_its_error() {
        let reset = || io::Error::from(io::ErrorKind::ConnectionReset);
        let lost = Ending::Spliced(SpliceEnd::UpstreamLost(reset()));
        assert_eq!(lost.as_str(), "upstream-lost");
        assert_eq!(lost.blame(), Blame::Upstream);
        assert_eq!(lost.fault().unwrap().to_string(), "connection reset");
        let lost = Ending::Spliced(SpliceEnd::ClientLost(reset()));
        assert_eq!(lost.blame(), Blame::Nobody);
        assert!(lost.fault().is_some());
        let behind = Ending::Spliced(SpliceEnd::SentBehindQuit(reset()));
        assert_eq!(behind.as_str(), "sent-behind-quit");
        assert_eq!(behind.blame(), Blame::Client);
        assert!(behind.fault().is_some());
        let closed = Ending::Spliced(SpliceEnd::UpstreamClosed);
        assert_eq!(closed.blame(), Blame::Nobody);
    }
}
