//! client - a mail program's side of SMTP over TLS, from any loopback address
//!
//! Our own, small, with nothing of the proxy's in it. It checks no certificate (the figures are the
//! servers' cost), but that the server holds its key. It offers TLS_AES_128_GCM_SHA256 first, as Thunderbird
//! does, and takes nothing else: all peers are measured with the same cipher suite.
//! RFC 8446, RFC 5321, RFC 4954.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use gatepost_lab::any_certificate::AnyCertificate;
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, HandshakeKind};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::BenchResult;
use crate::backend::{password, user};

/// How long a client waits for one answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Whether TLS sessions are resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tickets {
    /// Every handshake is a full one.
    Ignored,
    /// A handshake is shortened wherever the server has given a ticket.
    Used,
}

/// Connects to a server.
#[derive(Clone, Debug)]
pub(crate) struct BenchClient {
    address: SocketAddr,
    tls: Arc<ClientConfig>,
    resumed: Arc<AtomicUsize>,
}

/// A conversation.
#[derive(Debug)]
pub(crate) struct BenchConnection {
    stream: BufReader<TlsStream<TcpStream>>,
}

/// The nth of 4 million loopback addresses, none of them the server's own network.
pub(crate) fn source(number: usize) -> Ipv4Addr {
    let number = u32::try_from(number % (1 << 22)).unwrap_or(0);
    Ipv4Addr::from(0x7f20_0000 | number)
}

/// The nth of the attackers' addresses: every one in a network of its own.
pub(crate) fn attacker(number: usize) -> Ipv4Addr {
    let number = u32::try_from(number % (1 << 14)).unwrap_or(0);
    Ipv4Addr::from(0x7f80_0007 | number << 8)
}

/// The nth of the addresses in the honest users' own network.
pub(crate) fn home(number: usize) -> Ipv4Addr {
    let number = u8::try_from(number % 200).unwrap_or(0);
    Ipv4Addr::new(127, 1, 0, 10 + number)
}

impl BenchClient {
    /// For the server at `address`, TLS 1.3.
    pub(crate) fn new(address: SocketAddr, tickets: Tickets) -> BenchResult<Self> {
        let mut provider = rustls::crypto::aws_lc_rs::default_provider();
        let first = |suite: &_| *suite != TLS13_AES_128_GCM_SHA256;
        provider.cipher_suites.sort_by_key(first);
        let provider = Arc::new(provider);
        let mut tls = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate::new(provider)))
            .with_no_client_auth();
        tls.resumption = match tickets {
            Tickets::Ignored => Resumption::disabled(),
            Tickets::Used => Resumption::in_memory_sessions(64),
        };
        Ok(Self {
            address,
            tls: Arc::new(tls),
            resumed: Arc::default(),
        })
    }

    /// How many of its handshakes were shortened.
    pub(crate) fn resumed(&self) -> usize {
        self.resumed.load(Ordering::Relaxed)
    }

    /// Connects, and sends nothing.
    pub(crate) async fn connect(&self, source: Ipv4Addr) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((source, 0).into())?;
        let stream = socket.connect(self.address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// The octets of a ClientHello.
    pub(crate) fn client_hello(&self) -> io::Result<Vec<u8>> {
        let name = ServerName::IpAddress(self.address.ip().into());
        let tls = rustls::ClientConnection::new(Arc::clone(&self.tls), name);
        let mut hello = Vec::new();
        tls.map_err(io::Error::other)?.write_tls(&mut hello)?;
        Ok(hello)
    }

    /// Connects and makes the handshake.
    pub(crate) async fn secure(&self, source: Ipv4Addr) -> io::Result<BenchConnection> {
        self.shake_hands(self.connect(source).await?).await
    }

    /// Makes the handshake on a connection, and reads the banner.
    pub(crate) async fn greeted(&self, stream: TcpStream) -> io::Result<BenchConnection> {
        let mut talk = self.shake_hands(stream).await?;
        expect(220, talk.read_reply().await?)?;
        Ok(talk)
    }

    async fn shake_hands(&self, stream: TcpStream) -> io::Result<BenchConnection> {
        let name = ServerName::IpAddress(self.address.ip().into());
        let stream = TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream);
        let stream = timeout(ANSWER_TIMEOUT, stream).await??;
        let tls = stream.get_ref().1;
        let suite = tls.negotiated_cipher_suite();
        if suite != Some(TLS13_AES_128_GCM_SHA256) {
            return Err(io::Error::other(format!("the server chose {suite:?}")));
        }
        if tls.handshake_kind() == Some(HandshakeKind::Resumed) {
            self.resumed.fetch_add(1, Ordering::Relaxed);
        }
        let stream = BufReader::new(stream);
        Ok(BenchConnection { stream })
    }

    /// Connects, makes the handshake, and reads the banner.
    pub(crate) async fn call(&self, source: Ipv4Addr) -> io::Result<BenchConnection> {
        self.greeted(self.connect(source).await?).await
    }

    /// As [`BenchClient::call`], and sends EHLO.
    pub(crate) async fn hello(&self, source: Ipv4Addr) -> io::Result<BenchConnection> {
        let mut talk = self.call(source).await?;
        expect(250, talk.ask("EHLO laptop.example.org").await?)?;
        Ok(talk)
    }

    /// As [`BenchClient::hello`], and logs a user in from home.
    pub(crate) async fn logged_in(&self, number: usize) -> io::Result<BenchConnection> {
        let mut talk = self.hello(home(number)).await?;
        let code = talk.log_in(&user(number), &password(number)).await?;
        expect(235, code)?;
        Ok(talk)
    }
}

impl BenchConnection {
    /// Tries a password with AUTH PLAIN; gives the code of the answer.
    pub(crate) async fn log_in(&mut self, user: &str, password: &str) -> io::Result<u16> {
        let response = BASE64_STANDARD.encode(format!("\0{user}\0{password}"));
        self.ask(&format!("AUTH PLAIN {response}")).await
    }

    /// Sends a mail to oneself.
    pub(crate) async fn mail(&mut self, user: &str, text: &str) -> io::Result<()> {
        expect(250, self.ask(&format!("MAIL FROM:<{user}>")).await?)?;
        expect(250, self.ask("RCPT TO:<friend@example.net>").await?)?;
        expect(354, self.ask("DATA").await?)?;
        self.stream.write_all(text.as_bytes()).await?;
        expect(250, self.ask(".").await?)
    }

    /// Sends QUIT, reads the answer, closes.
    pub(crate) async fn quit(mut self) -> io::Result<()> {
        expect(221, self.ask("QUIT").await?)?;
        // The server may have closed first.
        let _ = self.stream.shutdown().await;
        Ok(())
    }

    /// Sends a line and reads the answer.
    pub(crate) async fn ask(&mut self, line: &str) -> io::Result<u16> {
        self.stream
            .write_all(format!("{line}\r\n").as_bytes())
            .await?;
        self.stream.flush().await?;
        self.read_reply().await
    }

    /// A reply, by its code.
    pub(crate) async fn read_reply(&mut self) -> io::Result<u16> {
        let mut line = String::new();
        for _ in 0..100 {
            line.clear();
            let read = timeout(ANSWER_TIMEOUT, self.stream.read_line(&mut line)).await??;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                let code = line.get(..3).and_then(|code| code.parse().ok());
                return code.ok_or_else(|| io::ErrorKind::InvalidData.into());
            }
        }
        Err(io::ErrorKind::InvalidData.into())
    }

    /// The socket alone: the server sees a client that sends nothing more.
    pub(crate) fn into_socket(self) -> TcpStream {
        self.stream.into_inner().into_inner().0
    }
}

fn expect(wanted: u16, code: u16) -> io::Result<()> {
    if code == wanted {
        return Ok(());
    }
    Err(io::Error::other(format!("{code} in place of {wanted}")))
}

/// A mail's text of at least so many octets, without the line of its end.
pub(crate) fn letter(octets: usize) -> String {
    const LINE: &str = "The post is at the gate, and the gate is at its post, day and night.\r\n";
    let mut text = "From: <user@example.org>\r\nSubject: bench\r\n\r\n".to_owned();
    while text.len() < octets {
        text.push_str(LINE);
    }
    text
}
