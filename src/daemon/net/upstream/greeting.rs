//! greeting - everything sent to Postfix before a login: the client's address, and EHLO
//!
//! PROXY header, 220, EHLO; with XCLIENT: 220, EHLO, XCLIENT, 220, EHLO again. Each waits for the reply to
//! the one before.
//! Not here: whether that Postfix can be used (`usable`), the form of an XCLIENT command (`xclient`) and of a PROXY
//! header (`net::proxy_header`).
//! Postfix puts the name from EHLO into its `Received:`, so it gets the client's.

use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncRead, AsyncWrite};

use crate::net::proxy_header::{Version, announce, announce_probe};
use crate::net::upstream::command_stream::CommandStream;
use crate::net::upstream::usable::{check_offers, diagnose};
use crate::net::upstream::{
    Announce, Party, UpstreamFault, UpstreamSettings, UpstreamStep, xclient,
};
use gatepost_core::smtp::capabilities::Capabilities;
use gatepost_core::smtp::reply::Reply;

impl<S: AsyncRead + AsyncWrite + Unpin> CommandStream<S> {
    /// Goes from the open connection to where AUTH may be sent. Returns what Postfix offers; under XCLIENT,
    /// what it offered before the command, so that probe and session see the same.
    ///
    /// # Errors
    /// Also when Postfix offers what must not be available through a splice.
    pub(super) async fn greet(
        &mut self,
        party: Party<'_>,
        settings: &UpstreamSettings,
    ) -> Result<Capabilities, UpstreamFault> {
        let told = self.introduce(party, settings).await;
        told.map_err(|fault| diagnose(settings.announce, fault))
    }

    async fn introduce(
        &mut self,
        party: Party<'_>,
        settings: &UpstreamSettings,
    ) -> Result<Capabilities, UpstreamFault> {
        let announcement = settings.announce;
        if let Some(header) = proxy_header(announcement, party) {
            self.send(UpstreamStep::Greeting, &header).await?;
        }
        expect(220, UpstreamStep::Greeting, self.read_reply().await?)?;
        let hello = hello(party, &settings.hostname);
        let offered = self.ehlo(&hello).await?;
        if let (Announce::Xclient, Party::Client(origin)) = (announcement, party) {
            let command = xclient::command(origin, offered.xclient_attributes())
                .ok_or(UpstreamFault::NoXclient)?;
            expect(
                220,
                UpstreamStep::Xclient,
                self.send_command(UpstreamStep::Xclient, &command).await?,
            )?;
            let as_client = self.ehlo(&hello).await?;
            check_offers(announcement, party, &settings.mechanisms, &as_client)?;
        } else {
            check_offers(announcement, party, &settings.mechanisms, &offered)?;
        }
        Ok(offered)
    }

    async fn ehlo(&mut self, hello: &[u8]) -> Result<Capabilities, UpstreamFault> {
        let reply = expect(
            250,
            UpstreamStep::Ehlo,
            self.send_command(UpstreamStep::Ehlo, hello).await?,
        )?;
        Ok(Capabilities::parse(&reply))
    }
}

/// The PROXY header, if this announcement uses one.
fn proxy_header(announcement: Announce, party: Party<'_>) -> Option<Vec<u8>> {
    let version = match announcement {
        Announce::ProxyV2 => Version::V2,
        Announce::ProxyV1 => Version::V1,
        Announce::Xclient | Announce::Nothing => return None,
    };
    let mut header = Vec::new();
    match party {
        Party::Client(origin) => announce(version, origin.client, origin.listener, &mut header),
        Party::Probe => announce_probe(version, &mut header),
    }
    Some(header)
}

/// EHLO with the client's name, or with its address if there is none. RFC 5321 section 4.1.3.
fn hello(party: Party<'_>, hostname: &str) -> Vec<u8> {
    let name = match party {
        Party::Probe => hostname.to_owned(),
        Party::Client(origin) => match &origin.helo {
            Some(name) => name.as_str().to_owned(),
            None => literal(origin.client),
        },
    };
    format!("EHLO {name}\r\n").into_bytes()
}

fn literal(client: SocketAddr) -> String {
    match client.ip().to_canonical() {
        IpAddr::V4(address) => format!("[{address}]"),
        IpAddr::V6(address) => format!("[IPv6:{address}]"),
    }
}

fn expect(code: u16, step: UpstreamStep, reply: Reply) -> Result<Reply, UpstreamFault> {
    if reply.code() == code {
        Ok(reply)
    } else {
        Err(UpstreamFault::Refused(step, reply))
    }
}
