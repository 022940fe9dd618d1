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

use super::outcome::{Answer, Reply};
use super::target::{Target, TlsBegins};
use crate::wire::Wire;

/// How long a client waits for one answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many lines a reply may have.
const REPLY_LINES: usize = 100;

/// How a client greets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Greeting {
    /// Waits for the banner, then says EHLO with this name.
    InTurn(&'static str),
    /// Says EHLO before the banner is there.
    TooEarly(&'static str),
}

/// How a client logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mechanism {
    Plain,
    Login,
}

/// A mail to be sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Letter<'a> {
    pub(super) sender: &'a str,
    pub(super) subject: &'a str,
    /// The size of its text, header included, at least about.
    pub(super) octets: usize,
}

/// A connection that was greeted and may log in.
#[derive(Debug)]
pub(super) struct Connection {
    talk: Talk<TlsStream<TcpStream>>,
}

impl Connection {
    /// Connects from `source`, secures, greets.
    pub(super) async fn open(
        target: &Target,
        source: IpAddr,
        greeting: Greeting,
    ) -> Result<Self, Answer> {
        match tokio::time::timeout(PATIENCE, Self::greeted(target, source, greeting)).await {
            Ok(Ok(ready)) => ready,
            Ok(Err(fault)) => Err(Answer::from(fault)),
            Err(_) => Err(Answer::from(io::Error::from(io::ErrorKind::TimedOut))),
        }
    }

    async fn greeted(
        target: &Target,
        source: IpAddr,
        greeting: Greeting,
    ) -> io::Result<Result<Self, Answer>> {
        let mut stream = target.connect(source).await?;
        let mut greeting = greeting;
        if target.begins() == TlsBegins::AfterStartTls {
            let mut clear = Talk::new(stream);
            if let Some(refused) = clear.greet(greeting).await? {
                return Ok(Err(refused));
            }
            let ready = clear.ask("STARTTLS").await?;
            if ready.code != 220 {
                return Ok(Err(ready.into()));
            }
            stream = clear.0.into_inner();
            // There is no second banner to be early for.
            greeting = Greeting::InTurn(greeting.name());
        }
        let mut talk = Talk::new(target.secure(stream).await?);
        let refused = match target.begins() {
            TlsBegins::AtOnce => talk.greet(greeting).await?,
            TlsBegins::AfterStartTls => talk.hello(greeting.name()).await?,
        };
        Ok(refused.map_or(Ok(Self { talk }), Err))
    }

    /// Tries one password.
    pub(super) async fn log_in(
        &mut self,
        mechanism: Mechanism,
        user: &str,
        password: &str,
    ) -> Answer {
        let reply = match mechanism {
            Mechanism::Plain => self.talk.plain(user, password).await,
            Mechanism::Login => self.talk.login(user, password).await,
        };
        reply.map_or_else(Answer::from, Answer::from)
    }

    /// Sends one mail to the sender himself: whether it was taken.
    ///
    /// # Errors
    /// What the stream says.
    pub(super) async fn send(&mut self, letter: &Letter<'_>) -> io::Result<bool> {
        let sender = letter.sender;
        for command in [
            format!("MAIL FROM:<{sender}>"),
            format!("RCPT TO:<{sender}>"),
            "DATA".to_owned(),
        ] {
            if self.talk.ask(&command).await?.code >= 400 {
                return Ok(false);
            }
        }
        let text = letter.text();
        Ok(self.talk.ask(&text).await?.code == 250)
    }

    /// Says QUIT and waits for the answer, as a decent client does.
    pub(super) async fn quit(mut self) {
        // Whatever comes, the client is gone after this.
        let _ = self.talk.ask("QUIT").await;
    }
}

impl Greeting {
    fn name(self) -> &'static str {
        match self {
            Self::InTurn(name) | Self::TooEarly(name) => name,
        }
    }
}

impl Letter<'_> {
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
struct Talk<S>(Wire<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> Talk<S> {
    fn new(stream: S) -> Self {
        Self(Wire::new(stream))
    }

    /// Banner and EHLO; what the server said, if it does not want us.
    async fn greet(&mut self, greeting: Greeting) -> io::Result<Option<Answer>> {
        if let Greeting::TooEarly(name) = greeting {
            self.say(&format!("EHLO {name}")).await?;
        }
        let banner = self.reply().await?;
        if banner.code != 220 {
            return Ok(Some(banner.into()));
        }
        match greeting {
            Greeting::InTurn(name) => self.hello(name).await,
            Greeting::TooEarly(_) => {
                let hello = self.reply().await?;
                Ok((hello.code != 250).then(|| hello.into()))
            }
        }
    }

    async fn hello(&mut self, name: &str) -> io::Result<Option<Answer>> {
        let hello = self.ask(&format!("EHLO {name}")).await?;
        Ok((hello.code != 250).then(|| hello.into()))
    }

    async fn plain(&mut self, user: &str, password: &str) -> io::Result<Reply> {
        let response = BASE64_STANDARD.encode(format!("\0{user}\0{password}"));
        self.ask(&format!("AUTH PLAIN {response}")).await
    }

    async fn login(&mut self, user: &str, password: &str) -> io::Result<Reply> {
        let mut reply = self.ask("AUTH LOGIN").await?;
        for response in [user, password] {
            if reply.code != 334 {
                break;
            }
            reply = self.ask(&BASE64_STANDARD.encode(response)).await?;
        }
        Ok(reply)
    }

    async fn ask(&mut self, command: &str) -> io::Result<Reply> {
        self.say(command).await?;
        self.reply().await
    }

    async fn say(&mut self, command: &str) -> io::Result<()> {
        self.0.queue(command.as_bytes());
        self.0.queue(b"\r\n");
        self.0.flush().await
    }

    /// A whole reply, by the code of its last line.
    async fn reply(&mut self) -> io::Result<Reply> {
        for _ in 0..REPLY_LINES {
            let line = tokio::time::timeout(PATIENCE, self.0.line()).await??;
            let line = line.ok_or(io::ErrorKind::UnexpectedEof)?;
            let text: String = line
                .iter()
                .take(200)
                .map(|octet| printable(*octet))
                .collect();
            if line.get(3) != Some(&b'-') {
                let code = text.get(..3).and_then(|code| code.parse().ok());
                return Ok(Reply {
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
