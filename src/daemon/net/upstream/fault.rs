//! fault - what can be wrong with Postfix
//!
//! Its own fault or its configuration's, never the client's. The texts are for the log, and say what to
//! change where a setting is to blame. Not here: when they are logged (`health`).

use std::fmt;
use std::io;

use gatepost_core::smtp::reply::{Reply, ReplyFault};
use gatepost_core::smtp::sasl::Mechanism;

/// Where in the conversation Postfix failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Taking the connection.
    Connect,
    /// Its 220.
    Greeting,
    /// Its answer to EHLO.
    Ehlo,
    /// Its answer to XCLIENT.
    Xclient,
    /// Its answers to AUTH.
    Auth,
    /// Its answer to QUIT.
    Quit,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting",
            Self::Greeting => "its greeting",
            Self::Ehlo => "EHLO",
            Self::Xclient => "XCLIENT",
            Self::Auth => "AUTH",
            Self::Quit => "QUIT",
        })
    }
}

/// Why Postfix could not be used. None of it is counted against a client.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamFault {
    /// It did not answer in time.
    #[error("no answer in time at {0}")]
    TimedOut(Step),
    /// The connection failed; a refused one fails at [`Step::Connect`].
    #[error("connection failed at {0}: {1}")]
    Lost(Step, #[source] io::Error),
    /// It closed the connection.
    #[error("connection closed at {0}")]
    Closed(Step),
    /// What it sent is no SMTP reply.
    #[error("nonsense at {0}: {1}")]
    Nonsense(Step, #[source] ReplyFault),
    /// It sent a reply that nothing asked for.
    #[error("a reply too many before {0}")]
    Unasked(Step),
    /// It refused, or put off, what it was asked for. In [`Step::Auth`]: a temporary failure, or one of
    /// its configuration.
    #[error("refused at {0}: {1}")]
    Refused(Step, Reply),
    /// A challenge that is no base64, or one too many.
    #[error("a challenge that makes no sense")]
    Challenge,
    /// It would start TLS in the splice, and forget there who logged in.
    #[error(
        "it offers STARTTLS, through which a client that has logged in could try passwords unseen: \
         set smtpd_tls_security_level=none in its master.cf entry; nobody can log in until then"
    )]
    OffersStartTls,
    /// It would take XCLIENT from the client in the splice.
    #[error(
        "it would take XCLIENT from the client, who could go on as any other user: set \
         smtpd_authorized_xclient_hosts in its master.cf entry to this proxy's address when clients \
         are announced by XCLIENT, else to nothing"
    )]
    OffersXclient,
    /// It took the PROXY header for commands.
    #[error(
        "it does not understand the PROXY header: set smtpd_upstream_proxy_protocol=haproxy in its \
         master.cf entry"
    )]
    NoProxyProtocol,
    /// Clients are to be announced by XCLIENT, and it does not take that from us.
    #[error(
        "it offers no XCLIENT with ADDR: name this proxy's address in smtpd_authorized_xclient_hosts \
         of its master.cf entry"
    )]
    NoXclient,
    /// It does not offer the mechanism any more.
    #[error("it does not offer {0} any more")]
    NoMechanism(Mechanism),
    /// It did not answer another session a moment ago.
    #[error("it does not answer")]
    Down,
    /// No address is configured.
    #[error("no address of an upstream")]
    NoAddress,
}

impl UpstreamFault {
    /// Whether nobody is there, as opposed to somebody who says the wrong thing.
    pub(super) fn is_silence(&self) -> bool {
        matches!(
            self,
            Self::TimedOut(_) | Self::Lost(..) | Self::Closed(_) | Self::Down
        )
    }
}
