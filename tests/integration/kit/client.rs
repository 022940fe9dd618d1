//! client - a scripted SMTP client over TLS
//!
//! Says what the test says, from the loopback address that the test names, and checks nothing but
//! the server's certificate. Blocking, with a deadline on every read that only a hang reaches.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned,
    SupportedProtocolVersion,
};
use socket2::{Domain, Socket, Type};

use super::mail::User;

const HANG: Duration = Duration::from_secs(60);

/// One of many addresses on the loopback interface: 127.`net`.0.`host`.
pub(crate) const fn loopback(net: u8, host: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, net, 0, host))
}

/// A reply of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// The three digits.
    pub(crate) code: u16,
    /// What stands behind them, a string a line.
    pub(crate) lines: Vec<String>,
}

impl Reply {
    /// Whether an EHLO reply offers `keyword`.
    pub(crate) fn offers(&self, keyword: &str) -> bool {
        let mut offered = self.lines.iter().skip(1);
        offered.any(|line| line.split(' ').next() == Some(keyword))
    }
}

/// How a client speaks TLS.
#[derive(Clone)]
pub(crate) struct Trust {
    config: Arc<ClientConfig>,
}

impl Trust {
    /// Trusts `roots`; offers no ALPN.
    pub(crate) fn new(roots: RootCertStore) -> Self {
        Self::with_alpn(roots, &[])
    }

    /// Trusts `roots` and speaks no later version than TLS 1.2.
    pub(crate) fn tls12(roots: RootCertStore) -> Self {
        Self::of(roots, &[], &[&rustls::version::TLS12])
    }

    /// Trusts `roots` and offers `protocols`.
    pub(crate) fn with_alpn(roots: RootCertStore, protocols: &[&str]) -> Self {
        Self::of(roots, protocols, rustls::DEFAULT_VERSIONS)
    }

    fn of(
        roots: RootCertStore,
        protocols: &[&str],
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("the provider has both versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        Self {
            config: Arc::new(config),
        }
    }
}

impl Trust {
    /// The octets of a ClientHello for the server's `name`, of a client that does not go on.
    pub(crate) fn client_hello(&self, name: &str) -> Vec<u8> {
        let name = ServerName::try_from(name.to_owned()).expect("a server's name");
        let mut tls =
            ClientConnection::new(Arc::clone(&self.config), name).expect("a client's side");
        let mut octets = Vec::new();
        tls.write_tls(&mut octets).expect("write into memory");
        octets
    }
}

enum Stream {
    Clear(TcpStream),
    Secured(Box<StreamOwned<ClientConnection, TcpStream>>),
    /// In the middle of an upgrade, or after one that failed.
    Gone,
}

/// One connection to the server.
pub(crate) struct Client {
    stream: Stream,
    unread: Vec<u8>,
    address: SocketAddr,
}

impl Client {
    /// Connects from `source` and says nothing.
    pub(crate) fn connect(source: IpAddr, server: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(server), Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(source, 0).into())?;
        socket.connect(&server.into())?;
        socket.set_tcp_nodelay(true)?;
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(HANG))?;
        stream.set_write_timeout(Some(HANG))?;
        Ok(Self {
            address: stream.local_addr()?,
            stream: Stream::Clear(stream),
            unread: Vec::new(),
        })
    }

    /// Our own address and port.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Begins TLS for the server's `name`; returns when the handshake is done.
    pub(crate) fn secure(&mut self, trust: &Trust, name: &str) -> io::Result<()> {
        let Stream::Clear(mut stream) = std::mem::replace(&mut self.stream, Stream::Gone) else {
            panic!("TLS has begun already");
        };
        let name = ServerName::try_from(name.to_owned()).expect("a server's name");
        let config = Arc::clone(&trust.config);
        let mut tls = ClientConnection::new(config, name).map_err(io::Error::other)?;
        while tls.is_handshaking() {
            tls.complete_io(&mut stream)?;
        }
        self.stream = Stream::Secured(Box::new(StreamOwned::new(tls, stream)));
        Ok(())
    }

    /// Whether the handshake was resumed.
    pub(crate) fn handshake_kind(&self) -> HandshakeKind {
        let Stream::Secured(stream) = &self.stream else {
            panic!("no TLS, no handshake");
        };
        stream.conn.handshake_kind().expect("after the handshake")
    }

    /// The certificate that the server showed.
    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        let Stream::Secured(stream) = &self.stream else {
            panic!("no TLS, no certificate");
        };
        let chain = stream
            .conn
            .peer_certificates()
            .expect("after the handshake");
        chain[0].clone().into_owned()
    }

    /// Sends octets as they are.
    pub(crate) fn try_send(&mut self, octets: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Clear(stream) => stream.write_all(octets),
            Stream::Secured(stream) => stream.write_all(octets).and_then(|()| stream.flush()),
            Stream::Gone => Err(ErrorKind::NotConnected.into()),
        }
    }

    /// Sends octets as they are.
    ///
    /// # Panics
    /// When the connection is gone.
    #[track_caller]
    pub(crate) fn send(&mut self, octets: &[u8]) {
        self.try_send(octets).expect("send to the server");
    }

    /// Reads one reply; an error, too, when the server closes before it has ended.
    pub(crate) fn try_reply(&mut self) -> io::Result<Reply> {
        let mut lines = Vec::new();
        loop {
            let line = self.line()?;
            let code = line.get(..3).and_then(|digits| digits.parse().ok());
            let code = code.ok_or_else(|| io::Error::other(format!("not a reply: {line}")))?;
            lines.push(line.get(4..).unwrap_or_default().to_owned());
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(Reply { code, lines });
            }
        }
    }

    /// Reads one reply.
    ///
    /// # Panics
    /// When none comes.
    #[track_caller]
    pub(crate) fn reply(&mut self) -> Reply {
        self.try_reply().expect("a reply of the server")
    }

    /// Sends a line and reads the reply.
    #[track_caller]
    pub(crate) fn say(&mut self, line: &str) -> Reply {
        self.send(format!("{line}\r\n").as_bytes());
        self.reply()
    }

    /// As [`Client::say`], for a server that may have closed.
    pub(crate) fn try_say(&mut self, line: &str) -> io::Result<Reply> {
        self.try_send(format!("{line}\r\n").as_bytes())?;
        self.try_reply()
    }

    /// As [`Client::say`]; the reply must have this code.
    #[track_caller]
    pub(crate) fn expect(&mut self, line: &str, code: u16) -> Reply {
        let reply = self.say(line);
        assert_eq!(reply.code, code, "{line} was answered with {reply:?}");
        reply
    }

    /// Takes the banner and says EHLO; gives the reply to that.
    #[track_caller]
    pub(crate) fn greet(&mut self) -> Reply {
        let banner = self.reply();
        assert_eq!(banner.code, 220, "{banner:?}");
        self.expect("EHLO laptop.example.net", 250)
    }

    /// The reply to a login from the banner on, or the first refusal before it.
    pub(crate) fn try_log_in(&mut self, user: User<'_>) -> io::Result<Reply> {
        let banner = self.try_reply()?;
        if banner.code != 220 {
            return Ok(banner);
        }
        let hello = self.try_say("EHLO laptop.example.net")?;
        match hello.code {
            250 => self.try_say(&auth_plain(user)),
            _ => Ok(hello),
        }
    }

    /// Sends one mail, after login: from `sender`, with `text` as it is to go over the line (dots
    /// doubled, lines and end with CRLF).
    #[track_caller]
    pub(crate) fn submit(&mut self, sender: &str, text: &str) {
        self.expect(&format!("MAIL FROM:<{sender}>"), 250);
        self.expect("RCPT TO:<someone@example.net>", 250);
        self.expect("DATA", 354);
        self.expect(&format!("{text}."), 250);
    }

    /// Reads what comes until the server closes. A close without `close_notify` is an end too.
    pub(crate) fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut rest = std::mem::take(&mut self.unread);
        match self.reader().read_to_end(&mut rest) {
            Ok(_) => Ok(rest),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(rest),
            Err(error) => Err(error),
        }
    }

    /// Whether the server has left a connection in clear open. What it has sent until now is taken and gone.
    pub(crate) fn is_open(&mut self) -> bool {
        let Stream::Clear(stream) = &mut self.stream else {
            panic!("this is asked before TLS only");
        };
        stream.set_nonblocking(true).expect("a socket's mode");
        let mut taken = [0; 4096];
        let open = loop {
            match stream.read(&mut taken) {
                Ok(0) => break false,
                Ok(_) => {}
                Err(error) => break error.kind() == ErrorKind::WouldBlock,
            }
        };
        stream.set_nonblocking(false).expect("a socket's mode");
        open
    }

    /// Says that no more will be sent, and still reads.
    pub(crate) fn finish_sending(&mut self) {
        let socket = match &mut self.stream {
            Stream::Clear(stream) => stream,
            Stream::Secured(stream) => {
                stream.conn.send_close_notify();
                stream.flush().expect("send close_notify");
                &mut stream.sock
            }
            Stream::Gone => panic!("nothing to close"),
        };
        socket
            .shutdown(std::net::Shutdown::Write)
            .expect("half close");
    }

    fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.unread.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = self.unread.drain(..end + 2).collect();
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            let mut buffer = [0; 4096];
            match self.reader().read(&mut buffer)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                count => self.unread.extend_from_slice(&buffer[..count]),
            }
        }
    }

    fn reader(&mut self) -> &mut dyn Read {
        match &mut self.stream {
            Stream::Clear(stream) => stream,
            Stream::Secured(stream) => stream.as_mut(),
            Stream::Gone => panic!("the connection is gone"),
        }
    }
}

/// `AUTH PLAIN` with its initial response.
pub(crate) fn auth_plain(User(name, password): User<'_>) -> String {
    let message = format!("\0{name}\0{password}");
    format!("AUTH PLAIN {}", BASE64_STANDARD.encode(message))
}

/// The base64 form of a message.
pub(crate) fn base64(message: impl AsRef<[u8]>) -> String {
    BASE64_STANDARD.encode(message)
}
