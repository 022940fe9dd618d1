//! stranger - what a backend lets a client do that has not logged in: for `doctor`
//!
//! Announces an address, asks to send to a foreign domain, and takes it back before any message: RSET, QUIT. No mail is sent.
//! Not here: what the answers mean (`cli::doctor`).

use std::net::{IpAddr, SocketAddr};

use tokio::time::timeout;

use crate::net::upstream::{
    ClientOrigin, Endpoint, Party, Upstream, UpstreamAddress, UpstreamFault, UpstreamStep,
};
use gatepost_core::smtp::reply::Reply;

/// A recipient of another server, which no server of ours has.
const ELSEWHERE: &str = "RCPT TO:<postmaster@example.net>\r\n";

/// What was answered to a client without a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StrangerReplies {
    /// The reply to MAIL, or to RCPT where MAIL was accepted.
    pub last: Reply,
    /// Whether a recipient elsewhere was accepted.
    pub relays: bool,
}

impl Upstream {
    /// Asks each backend, as a client at `client` that has not logged in, to relay.
    pub async fn try_stranger(
        &self,
        client: IpAddr,
    ) -> Vec<(&UpstreamAddress, Result<StrangerReplies, UpstreamFault>)> {
        let origin = ClientOrigin {
            client: SocketAddr::new(client, 1),
            listener: SocketAddr::new(client, 465),
            helo: None,
        };
        let mut tried = Vec::new();
        for endpoint in &self.endpoints {
            let asked = timeout(self.deadlines.login, self.ask_to_relay(endpoint, &origin)).await;
            let asked = asked.unwrap_or(Err(UpstreamFault::TimedOut(UpstreamStep::Envelope)));
            tried.push((&endpoint.address, asked));
        }
        tried
    }

    async fn ask_to_relay(
        &self,
        endpoint: &Endpoint,
        origin: &ClientOrigin,
    ) -> Result<StrangerReplies, UpstreamFault> {
        const STEP: UpstreamStep = UpstreamStep::Envelope;
        let party = Party::Client(origin);
        let (mut commands, _) = self.greet(endpoint, party, self.deadlines.greeting).await?;
        let mut last = commands.send_command(STEP, b"MAIL FROM:<>\r\n").await?;
        let mut relays = false;
        if last.code() == 250 {
            last = commands.send_command(STEP, ELSEWHERE.as_bytes()).await?;
            relays = last.code() / 100 == 2;
            commands.send_command(STEP, b"RSET\r\n").await?;
        }
        // The result is not needed.
        let _ = commands.quit().await;
        Ok(StrangerReplies { last, relays })
    }
}
