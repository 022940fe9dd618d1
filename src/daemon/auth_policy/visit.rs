//! visit - a client at one of Dovecot's doors, as it is judged and told
//!
//! Not here: what Dovecot says of it (`wire`), the answers (`auth_policy`).

use std::net::{IpAddr, Ipv4Addr};

use super::wire::PolicyQuestion;
use crate::drain::Drain;
use crate::judging::Asker;
use crate::net::http::HttpAddress;
use crate::report::events;
use crate::session::SessionId;
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::doors::Door;

/// A client at one of Dovecot's doors.
#[derive(Debug)]
pub(super) struct DoorVisit {
    id: SessionId,
    client: IpAddr,
    pub(super) key: ClientKey,
    pub(super) door: Door,
    listener: HttpAddress,
    tls: &'static str,
    drain: Drain,
}

impl DoorVisit {
    /// The client that asks, at the door that listens there.
    pub(super) fn new(
        ask: &PolicyQuestion,
        id: SessionId,
        listener: HttpAddress,
        drain: Drain,
    ) -> Self {
        let client = remote(ask);
        Self {
            id,
            client,
            key: ClientKey::new(client),
            door: ask.door,
            listener,
            tls: match ask.tls {
                true => "yes",
                false => "none",
            },
            drain,
        }
    }
}

impl Asker for DoorVisit {
    fn client(&self) -> ClientKey {
        self.key
    }

    fn session(&self) -> u64 {
        self.id.number()
    }

    fn door(&self) -> Door {
        self.door
    }

    fn seen(&self) -> events::Session<'_> {
        events::Session {
            id: &self.id,
            key: self.key,
            client: &self.client,
            listener: &self.listener,
            tls: self.tls,
            // That TLS ends at Dovecot.
            ja4: None,
        }
    }

    fn drain(&self) -> Drain {
        self.drain.clone()
    }
}

/// The address of the client that tries. Where Dovecot names no address it is this machine, and judged as such.
pub(super) fn remote(ask: &PolicyQuestion) -> IpAddr {
    ask.remote.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
}
