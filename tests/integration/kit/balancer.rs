//! balancer - a load balancer before Gateposts, which names its clients with the PROXY protocol
//!
//! It connects from an address of its own. Not here: every form of the header (the daemon's `net::proxy_header`).

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use toml::toml;

use super::client::{Client, Trust, loopback};
use super::mail::User;
use super::ports;
use super::proxy::{NAME, Proxy, Setup};

/// The balancer's own address.
pub(crate) const BALANCER: IpAddr = loopback(21, 1);

/// A Gatepost with one more listener, at which the balancer may speak for clients.
pub(crate) struct BehindBalancer {
    pub(crate) proxy: Proxy,
    server: SocketAddr,
    trust: Trust,
}

impl BehindBalancer {
    #[track_caller]
    pub(crate) fn start(mut setup: Setup) -> Self {
        let port = ports::free();
        let trusted = format!("{BALANCER}/32");
        setup.listen(toml! {
            address = (format!("[::]:{port}"))
            tls = "implicit"
            proxy-protocol-from = [trusted]
        });
        let proxy = setup.start();
        Self {
            trust: proxy.trust(),
            server: (Ipv4Addr::LOCALHOST, port).into(),
            proxy,
        }
    }

    /// A connection from `peer` that begins with this header, after the handshake.
    pub(crate) fn connect(&self, peer: IpAddr, header: &[u8]) -> io::Result<Client> {
        let mut client = Client::connect(peer, self.server)?;
        client.try_send(header)?;
        client.secure(&self.trust, NAME)?;
        Ok(client)
    }

    /// A connection of the balancer that announces nobody.
    #[track_caller]
    pub(crate) fn silent(&self) -> Client {
        Client::connect(BALANCER, self.server).expect("a balancer is let in")
    }

    /// A connection of the balancer for this client.
    pub(crate) fn client(&self, named: IpAddr) -> io::Result<Client> {
        let header = match named {
            IpAddr::V4(client) => format!("PROXY TCP4 {client} 192.0.2.1 4567 465\r\n"),
            IpAddr::V6(client) => format!("PROXY TCP6 {client} 2001:db8::1 4567 465\r\n"),
        };
        self.connect(BALANCER, header.as_bytes())
    }

    /// The code that a login of this client got; none if the session ended before.
    pub(crate) fn log_in(&self, named: IpAddr, user: User<'_>) -> Option<u16> {
        let reply = self.client(named).ok()?.try_log_in(user);
        reply.ok().map(|reply| reply.code)
    }

    /// A session of this client that has logged in.
    #[track_caller]
    pub(crate) fn session(&self, named: IpAddr, user: User<'_>) -> Client {
        let mut client = self.client(named).expect("a balancer is let in");
        assert_eq!(client.try_log_in(user).expect("an answer").code, 235);
        client
    }
}
