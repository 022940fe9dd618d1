//! usable - whether a backend can be used: the one predicate, with its reason and its cure
//!
//! Asked of every greeting and every EHLO reply, of the probe's and of a client's, and so behind what sessions do and
//! what the log, `status` and `doctor` tell. Pure. Not here: sending and reading (`greeting`), the state of an address
//! (`health`), the texts (`fault`).
//! What a fault most likely comes from depends on how clients are announced, so that is decided here as well.

use std::io::ErrorKind;

use crate::net::upstream::{Announce, Complaint, Party, UpstreamFault, UpstreamStep};
use gatepost_core::moment::Moment;
use gatepost_core::smtp::capabilities::Capabilities;
use gatepost_core::smtp::reply::Reply;
use gatepost_core::smtp::sasl::Mechanism;

/// Whether logins can be passed to an address, as far as is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Usability {
    /// It was not asked yet.
    #[default]
    Unknown,
    /// They can.
    Usable {
        /// Since when.
        since: Moment,
    },
    /// They cannot.
    Unusable {
        /// Since when.
        since: Moment,
        /// Why, as it was told last, and what to do.
        complaint: Complaint,
    },
}

impl Usability {
    /// Whether it is known that logins can be passed there.
    pub const fn is_usable(&self) -> bool {
        matches!(self, Self::Usable { .. })
    }

    /// Changes to what was found `now`; what it was already keeps its beginning.
    pub(super) fn found(&mut self, fault: Option<&UpstreamFault>, now: Moment) {
        let next = match (&*self, fault) {
            (Self::Usable { .. }, None) => return,
            (_, None) => Self::Usable { since: now },
            (before, Some(fault)) => Self::Unusable {
                since: match before {
                    Self::Unusable { since, .. } => *since,
                    _ => now,
                },
                complaint: fault.complaint(),
            },
        };
        *self = next;
    }
}

/// Whether logins can be passed to a backend that offers this.
///
/// Refused is one with which a client could change its identity through the splice, one that cannot be told the
/// client's address, and one at which nobody can log in. XCLIENT is offered by address, so a probe under PROXY cannot
/// detect it: there, and under XCLIENT, the offer is to Gatepost itself.
///
/// # Errors
/// The first reason against it.
pub(super) fn check_offers(
    announcement: Announce,
    party: Party<'_>,
    mechanisms: &[Mechanism],
    offered: &Capabilities,
) -> Result<(), UpstreamFault> {
    if offered.offers_starttls() {
        return Err(UpstreamFault::OffersStartTls);
    }
    let xclient = offered.offers_xclient();
    match (announcement, party) {
        (Announce::Xclient, Party::Probe) if !xclient => return Err(UpstreamFault::NoXclient),
        (Announce::Nothing, Party::Probe) | (_, Party::Client(_)) if xclient => {
            return Err(UpstreamFault::OffersXclient);
        }
        _ => {}
    }
    match offered.allowed(mechanisms).next() {
        Some(_) => Ok(()),
        None if offered.mechanisms().is_empty() => Err(UpstreamFault::OffersNoAuth),
        None => {
            let names: Vec<&str> = offered
                .mechanisms()
                .iter()
                .map(|one| one.as_str())
                .collect();
            Err(UpstreamFault::OffersOtherMechanisms(names.join(" ")))
        }
    }
}

/// What a fault before a login says of the backend, under this announcement.
pub(super) fn diagnose(announcement: Announce, fault: UpstreamFault) -> UpstreamFault {
    use ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset, NotFound};
    use UpstreamFault::{Closed, Lost, Refused, Unasked};
    use UpstreamStep::{Connect, Ehlo, Greeting};
    let has_header = matches!(announcement, Announce::ProxyV1 | Announce::ProxyV2);
    match fault {
        // It answers the header's lines as commands, before the reply to EHLO.
        Unasked(Ehlo) if has_header => UpstreamFault::NoProxyProtocol,
        Refused(Ehlo, reply) if has_header && reply.code() == 500 => UpstreamFault::NoProxyProtocol,
        Refused(Greeting, reply) if is_header_refusal(&reply) && !has_header => {
            UpstreamFault::AwaitsProxyHeader
        }
        Refused(Greeting, reply) if is_postscreen(&reply) => UpstreamFault::Postscreen,
        Closed(Greeting) => UpstreamFault::DiesAtGreeting,
        // It died with our header unread.
        Lost(Greeting, error) if matches!(error.kind(), ConnectionReset | BrokenPipe) => {
            UpstreamFault::DiesAtGreeting
        }
        Lost(Connect, error) if matches!(error.kind(), ConnectionRefused | NotFound) => {
            UpstreamFault::NotListening(error)
        }
        other => other,
    }
}

/// An smtpd that waited for a PROXY header in vain says so in its log, and this to its peer.
fn is_header_refusal(reply: &Reply) -> bool {
    reply.code() == 421 && reply.first_line().contains("Server local error")
}

/// postscreen(8) with a PROXY header or without: no smtpd took its connection.
fn is_postscreen(reply: &Reply) -> bool {
    reply.code() == 421 && reply.first_line().contains("All server ports are busy")
}

#[cfg(test)]
mod tests;
