//! fault - the faults of Postfix
//!
//! Postfix's own faults or its configuration's, never the client's. The texts are for the log, and name the
//! setting to change where one is wrong. Not here: when they are logged (`health`).

use std::fmt;
use std::io;

use gatepost_core::smtp::reply::{Reply, ReplyFault};
use gatepost_core::smtp::sasl::Mechanism;

/// The step at which Postfix failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamStep {
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

impl fmt::Display for UpstreamStep {
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

/// Why Postfix could not be used. Never counted against a client.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamFault {
    /// No answer within the deadline.
    #[error("no answer in time at {0}")]
    TimedOut(UpstreamStep),
    /// The connection failed; one that is refused fails at [`UpstreamStep::Connect`].
    #[error("connection failed at {0}: {1}")]
    Lost(UpstreamStep, #[source] io::Error),
    /// Postfix closed the connection.
    #[error("connection closed at {0}")]
    Closed(UpstreamStep),
    /// Not an SMTP reply.
    #[error("malformed reply at {0}: {1}")]
    Malformed(UpstreamStep, #[source] ReplyFault),
    /// A reply that no command asked for.
    #[error("unexpected reply before {0}")]
    Unasked(UpstreamStep),
    /// Postfix refused, with a temporary or permanent code. In [`UpstreamStep::Auth`]: a temporary failure, or one of
    /// its configuration.
    #[error("refused at {0}: {1}")]
    Refused(UpstreamStep, Reply),
    /// A challenge that is not base64, or one too many.
    #[error("invalid challenge: not base64, or one too many")]
    Challenge,
    /// It offers STARTTLS, which would end the login within the splice.
    #[error(
        "it offers STARTTLS, with which a client that has logged in could try passwords unseen: \
         set smtpd_tls_security_level=none in its master.cf entry; all logins fail until then"
    )]
    OffersStartTls,
    /// It would accept XCLIENT from the client through the splice.
    #[error(
        "it would accept XCLIENT from the client, which could then act as any other user: set \
         smtpd_authorized_xclient_hosts in its master.cf entry to this proxy's address when clients \
         are announced by XCLIENT, else to nothing"
    )]
    OffersXclient,
    /// It parsed the PROXY header as commands.
    #[error(
        "it does not expect a PROXY header: set smtpd_upstream_proxy_protocol=haproxy in its \
         master.cf entry"
    )]
    NoProxyProtocol,
    /// Clients are to be announced by XCLIENT, and it does not accept that from us.
    #[error(
        "it offers no XCLIENT with ADDR: add this proxy's address to smtpd_authorized_xclient_hosts \
         in its master.cf entry"
    )]
    NoXclient,
    /// It no longer offers the mechanism.
    #[error("it no longer offers {0}")]
    NoMechanism(Mechanism),
    /// All processes that a login may have were taken for as long as it could wait.
    #[error("no process of it was free in time")]
    NoProcess,
    /// No address is configured.
    #[error("no upstream address is configured")]
    NoAddress,
}

impl UpstreamFault {
    /// Whether Postfix hung up between taking the connection and AUTH.
    pub(super) const fn is_early_end(&self) -> bool {
        use UpstreamStep::{Ehlo, Greeting};
        matches!(
            self,
            Self::Closed(Greeting | Ehlo) | Self::Lost(Greeting | Ehlo, _)
        )
    }

    /// Whether there was no answer, as opposed to a wrong one.
    pub(super) fn is_no_answer(&self) -> bool {
        matches!(self, Self::TimedOut(_) | Self::Lost(..) | Self::Closed(_))
    }
}
