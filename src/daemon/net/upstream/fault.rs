//! fault - the faults of Postfix
//!
//! Postfix's own faults or its configuration's, never the client's. The texts are for the log and for `status`; the
//! cure names the setting to change where one is wrong. Not here: which fault it is (`usable`), when they are logged (`health`).

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
    /// Its answers to MAIL, RCPT and RSET of a client that has not logged in.
    Envelope,
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
            Self::Envelope => "MAIL and RCPT",
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
    /// The connection failed.
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
    /// Nothing listens at its address.
    #[error("nothing listens there: {0}")]
    NotListening(#[source] io::Error),
    /// Its process ends before it has greeted.
    #[error("it closes the connection instead of a greeting")]
    DiesAtGreeting,
    /// postscreen answers, not smtpd.
    #[error("postscreen answers there, not smtpd")]
    Postscreen,
    /// It awaits a PROXY header, and none is sent.
    #[error("it awaits a PROXY header, and Gatepost sends none")]
    AwaitsProxyHeader,
    /// It offers STARTTLS, which would end the login within the splice.
    #[error(
        "it offers STARTTLS, with which a client that has logged in could try passwords unseen"
    )]
    OffersStartTls,
    /// It would accept XCLIENT from the client through the splice.
    #[error("it would accept XCLIENT from the client, which could then act as any other user")]
    OffersXclient,
    /// It parsed the PROXY header as commands.
    #[error("it does not expect a PROXY header")]
    NoProxyProtocol,
    /// Clients are to be announced by XCLIENT, and it does not accept that from us.
    #[error("it offers no XCLIENT with ADDR")]
    NoXclient,
    /// It offers no AUTH at all.
    #[error("it offers no AUTH, so nobody can log in")]
    OffersNoAuth,
    /// It offers AUTH, with these mechanisms, of which none is in `mechanisms`.
    #[error(
        "it offers only mechanisms that `mechanisms` does not allow ({0}), so nobody can log in"
    )]
    OffersOtherMechanisms(String),
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

/// A fault as it is told to the operator: what it is, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// What is wrong.
    pub reason: String,
    /// What to do, where that is known.
    pub cure: Option<&'static str>,
    /// The options that its entry in master.cf needs, where that is all.
    pub options: &'static [&'static str],
}

/// On one line, for a log.
impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        match self.cure {
            Some(cure) => write!(f, ": {cure}"),
            None => Ok(()),
        }
    }
}

impl UpstreamFault {
    /// The fault and its cure.
    pub fn complaint(&self) -> Complaint {
        Complaint {
            reason: self.to_string(),
            cure: self.cure(),
            options: self.options(),
        }
    }

    /// What to do about it.
    const fn cure(&self) -> Option<&'static str> {
        use UpstreamStep::{Auth, Connect, Greeting};
        Some(match self {
            Self::NotListening(_) => {
                "start Postfix, and look whether the entry of config/master.cf is in its master.cf, with the address \
                 of upstream.addresses: `gatepost setup` shows what is missing"
            }
            Self::Lost(Connect, _) => {
                "may the user of this service connect there? For a UNIX socket of Postfix it must be in the group \
                 postdrop"
            }
            Self::DiesAtGreeting => {
                "mostly Postfix cannot reach Dovecot: is Dovecot running, and is smtpd_sasl_path in the entry its \
                 socket? The mail log says why smtpd ended"
            }
            Self::TimedOut(Greeting) => {
                "its master may start no process for a while (service_throttle_time), all its processes may be \
                 taken, or the entry has smtpd_tls_wrappermode=yes, which must be no"
            }
            Self::Postscreen => "the entry's last field in master.cf must be smtpd",
            Self::AwaitsProxyHeader => {
                "write announce = \"proxy-v2\" into [upstream], or take smtpd_upstream_proxy_protocol out of its \
                 master.cf entry"
            }
            Self::OffersStartTls => "set smtpd_tls_security_level=none in its master.cf entry",
            Self::OffersXclient => {
                "set smtpd_authorized_xclient_hosts in its master.cf entry to this proxy's address when clients are \
                 announced by XCLIENT, else to nothing"
            }
            Self::NoProxyProtocol => {
                "set smtpd_upstream_proxy_protocol=haproxy in its master.cf entry"
            }
            Self::NoXclient => {
                "add this proxy's address to smtpd_authorized_xclient_hosts in its master.cf entry"
            }
            Self::OffersNoAuth => {
                "set smtpd_sasl_auth_enable=yes and smtpd_tls_auth_only=no in its master.cf entry"
            }
            Self::OffersOtherMechanisms(_) => {
                "change auth_mechanisms in Dovecot, or `mechanisms` in gatepost.toml, so that both have one"
            }
            Self::Refused(Auth, _) => "mostly Dovecot is away or failing: see the mail log",
            _ => return None,
        })
    }

    const fn options(&self) -> &'static [&'static str] {
        match self {
            Self::OffersStartTls => &["smtpd_tls_security_level=none"],
            Self::NoProxyProtocol => &["smtpd_upstream_proxy_protocol=haproxy"],
            Self::OffersNoAuth => &["smtpd_sasl_auth_enable=yes", "smtpd_tls_auth_only=no"],
            _ => &[],
        }
    }

    /// Whether Postfix hung up between taking the connection and AUTH.
    pub(super) const fn is_early_end(&self) -> bool {
        use UpstreamStep::{Ehlo, Greeting};
        matches!(
            self,
            Self::DiesAtGreeting | Self::Closed(Ehlo) | Self::Lost(Greeting | Ehlo, _)
        )
    }

    /// Whether there was no answer, as opposed to a wrong one.
    pub(super) fn is_no_answer(&self) -> bool {
        use UpstreamFault::{Closed, DiesAtGreeting, Lost, NotListening, TimedOut};
        matches!(
            self,
            TimedOut(_) | Lost(..) | Closed(_) | NotListening(_) | DiesAtGreeting
        )
    }
}
