//! connection - one simulated client's conversation with the target, over TLS
//!
//! Not here: what to try next (`attack`, `honest`).
//! RFC 5321, RFC 4954, RFC 3207; draft-murchison-sasl-login for LOGIN.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::outcome::{LoginAnswer, ServerReply};
use super::target::{Target, TargetTls};
use crate::wire::Wire;

/// How long a client waits for one answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How many lines a reply may have.
const REPLY_LINES: usize = 100;

/// When a client sends EHLO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HelloTiming {
    /// Waits for the banner, then sends EHLO with this name.
    AfterBanner(&'static str),
    /// Sends EHLO before the banner is there.
    BeforeBanner(&'static str),
}

/// How a client logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LoginMethod {
    Plain,
    Login,
}

/// A mail to be sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct TestMail<'a> {
    pub(super) sender: &'a str,
    pub(super) subject: &'a str,
    /// The size of its text, header included, at least about.
    pub(super) octets: usize,
}

/// A connection that was greeted and may log in.
#[derive(Debug)]
pub(super) struct ClientConnection {
    talk: SmtpStream<TlsStream<TcpStream>>,
}

impl ClientConnection {
    /// Connects from `source`, secures, greets.
    pub(super) async fn open(
        target: &Target,
        source: IpAddr,
        greeting: HelloTiming,
    ) -> Result<Self, LoginAnswer> {
        match tokio::time::timeout(ANSWER_TIMEOUT, Self::greeted(target, source, greeting)).await {
            Ok(Ok(ready)) => ready,
            Ok(Err(fault)) => Err(LoginAnswer::from(fault)),
            Err(_) => Err(LoginAnswer::from(io::Error::from(io::ErrorKind::TimedOut))),
        }
    }

    async fn greeted(
        target: &Target,
        source: IpAddr,
        greeting: HelloTiming,
    ) -> io::Result<Result<Self, LoginAnswer>> {
        let mut stream = target.connect(source).await?;
        let mut greeting = greeting;
        if target.begins() == TargetTls::StartTls {
            let mut clear = SmtpStream::new(stream);
            if let Some(refused) = clear.greet(greeting).await? {
                return Ok(Err(refused));
            }
            let ready = clear.ask("STARTTLS").await?;
            if ready.code != 220 {
                return Ok(Err(ready.into()));
            }
            stream = clear.0.into_inner();
            // There is no second banner to be early for.
            greeting = HelloTiming::AfterBanner(greeting.name());
        }
        let mut talk = SmtpStream::new(target.secure(stream).await?);
        let refused = match target.begins() {
            TargetTls::Implicit => talk.greet(greeting).await?,
            TargetTls::StartTls => talk.hello(greeting.name()).await?,
        };
        Ok(refused.map_or(Ok(Self { talk }), Err))
    }

    /// Tries one password.
    pub(super) async fn log_in(
        &mut self,
        mechanism: LoginMethod,
        user: &str,
        password: &str,
    ) -> LoginAnswer {
        let reply = match mechanism {
            LoginMethod::Plain => self.talk.plain(user, password).await,
            LoginMethod::Login => self.talk.login(user, password).await,
        };
        reply.map_or_else(LoginAnswer::from, LoginAnswer::from)
    }

    /// Sends one mail to the sender's own address; where it was refused, the answer.
    ///
    /// # Errors
    /// Those of the stream.
    pub(super) async fn send(&mut self, letter: &TestMail<'_>) -> io::Result<Option<String>> {
        let sender = letter.sender;
        for command in [
            format!("MAIL FROM:<{sender}>"),
            format!("RCPT TO:<{sender}>"),
            "DATA".to_owned(),
        ] {
            let reply = self.talk.ask(&command).await?;
            if reply.code >= 400 {
                return Ok(Some(format!("{command}: {}", reply.last_line)));
            }
        }
        let text = letter.text();
        let reply = self.talk.ask(&text).await?;
        let is_taken = reply.code == 250;
        Ok((!is_taken).then_some(reply.last_line))
    }

    /// Sends QUIT and waits for the answer, as well-behaved clients do.
    pub(super) async fn quit(mut self) {
        // Whatever the answer is, the connection ends here.
        let _ = self.talk.ask("QUIT").await;
    }
}

impl HelloTiming {
    fn name(self) -> &'static str {
        match self {
            Self::AfterBanner(name) | Self::BeforeBanner(name) => name,
        }
    }
}

impl TestMail<'_> {
    /// The mail with its dots stuffed and the line with the single dot, but that line's CRLF.
    fn text(&self) -> String {
        const LINE: &str = "The post is at the gate, and the gate is at its post.\r\n..\r\n";
        let mut text = format!(
            "From: <{0}>\r\nTo: <{0}>\r\nSubject: {1}\r\n\r\n",
            self.sender, self.subject
        );
        while text.len() < self.octets {
            text.push_str(LINE);
        }
        text.push('.');
        text
    }
}

/// Commands and replies over any stream.
#[derive(Debug)]
struct SmtpStream<S>(Wire<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> SmtpStream<S> {
    fn new(stream: S) -> Self {
        Self(Wire::new(stream))
    }

    /// Banner and EHLO; the server's answer, if it refuses.
    async fn greet(&mut self, greeting: HelloTiming) -> io::Result<Option<LoginAnswer>> {
        if let HelloTiming::BeforeBanner(name) = greeting {
            self.send_line(&format!("EHLO {name}")).await?;
        }
        let banner = self.reply().await?;
        if banner.code != 220 {
            return Ok(Some(banner.into()));
        }
        match greeting {
            HelloTiming::AfterBanner(name) => self.hello(name).await,
            HelloTiming::BeforeBanner(_) => {
                let hello = self.reply().await?;
                Ok((hello.code != 250).then(|| hello.into()))
            }
        }
    }

    async fn hello(&mut self, name: &str) -> io::Result<Option<LoginAnswer>> {
        let hello = self.ask(&format!("EHLO {name}")).await?;
        Ok((hello.code != 250).then(|| hello.into()))
    }

    async fn plain(&mut self, user: &str, password: &str) -> io::Result<ServerReply> {
        let response = BASE64_STANDARD.encode(format!("\0{user}\0{password}"));
        self.ask(&format!("AUTH PLAIN {response}")).await
    }

    async fn login(&mut self, user: &str, password: &str) -> io::Result<ServerReply> {
        let mut reply = self.ask("AUTH LOGIN").await?;
        for response in [user, password] {
            if reply.code != 334 {
                break;
            }
            reply = self.ask(&BASE64_STANDARD.encode(response)).await?;
        }
        Ok(reply)
    }

    async fn ask(&mut self, command: &str) -> io::Result<ServerReply> {
        self.send_line(command).await?;
        self.reply().await
    }

    async fn send_line(&mut self, command: &str) -> io::Result<()> {
        self.0.queue(command.as_bytes());
        self.0.queue(b"\r\n");
        self.0.flush().await
    }

    /// A whole reply, by the code of its last line.
    async fn reply(&mut self) -> io::Result<ServerReply> {
        for _ in 0..REPLY_LINES {
            let line = tokio::time::timeout(ANSWER_TIMEOUT, self.0.line()).await??;
            let line = line.ok_or(io::ErrorKind::UnexpectedEof)?;
            let text: String = line
                .iter()
                .take(200)
                .map(|octet| printable(*octet))
                .collect();
            if line.get(3) != Some(&b'-') {
                let code = text.get(..3).and_then(|code| code.parse().ok());
                return Ok(ServerReply {
                    code: code.ok_or(io::ErrorKind::InvalidData)?,
                    last_line: text,
                });
            }
        }
        Err(io::ErrorKind::InvalidData.into())
    }
}

fn printable(octet: u8) -> char {
    match octet {
        0x20..=0x7e => char::from(octet),
        _ => '?',
    }
}
