//! smtp_session - one client of the backend, from its banner to its QUIT
//!
//! Replies to a pipelined group leave in one piece, as Postfix's do.
//! Not here: who the client is (`proxy`), whether a password is right (`checker`).
//! RFC 5321 section 4, RFC 4954 section 4, RFC 3030 section 2.

use std::io;
use std::net::IpAddr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tokio::io::{AsyncRead, AsyncWrite};

use super::content::{Fed, MailContent, Unstuffer};
use super::{BackendSession, IDLE, Mail};
use crate::wire::Wire;

/// The largest mail, in octets.
const SIZE_LIMIT: u64 = 52_428_800;
/// After so many errors the client is answered 421: Postfix's `smtpd_hard_error_limit`.
const ERROR_LIMIT: u32 = 20;

/// Serves until the client disconnects or the drain begins.
///
/// # Errors
/// Those of the stream, and `UnexpectedEof` for a client that leaves in the middle of something.
pub(super) async fn serve<S>(stream: S, client: IpAddr, session: &BackendSession) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut conversation = SmtpSession {
        wire: Wire::new(stream),
        session,
        client,
        greeted: false,
        user: None,
        envelope: None,
        errors: 0,
    };
    let mut drain = session.drain.clone();
    tokio::select! {
        ended = conversation.run() => ended,
        () = drain.begun() => {
            conversation.reply("421 4.3.2 Shutting down");
            conversation.wire.flush().await
        }
    }
}

struct SmtpSession<'a, S> {
    wire: Wire<S>,
    session: &'a BackendSession,
    client: IpAddr,
    greeted: bool,
    user: Option<String>,
    envelope: Option<Envelope>,
    errors: u32,
}

struct Envelope {
    sender: String,
    recipients: usize,
    content: MailContent,
    /// A BDAT was seen, so DATA may not follow.
    chunked: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum AfterCommand {
    Line,
    HangUp,
}

/// Why an AUTH command led to no password check.
enum AuthFault {
    Cancelled,
    Malformed,
}

impl<S: AsyncRead + AsyncWrite + Unpin> SmtpSession<'_, S> {
    async fn run(&mut self) -> io::Result<()> {
        let banner = format!("220 {} ESMTP lab backend", self.session.hostname);
        self.reply(&banner);
        while let Some(line) = self.line().await? {
            if self.run_command(&line).await? == AfterCommand::HangUp {
                break;
            }
            if self.errors >= ERROR_LIMIT {
                self.reply("421 4.7.0 Too many errors");
                break;
            }
        }
        self.wire.flush().await
    }

    /// The next line, lossily as text; what was replied goes out before we wait for it.
    async fn line(&mut self) -> io::Result<Option<String>> {
        if !self.wire.has_more() {
            self.wire.flush().await?;
        }
        let line = match tokio::time::timeout(IDLE, self.wire.line()).await {
            Ok(line) => line?,
            Err(_) => return Ok(None),
        };
        Ok(line.map(|line| String::from_utf8_lossy(&line).into_owned()))
    }

    fn reply(&mut self, reply: &str) {
        self.wire.queue(reply.as_bytes());
        self.wire.queue(b"\r\n");
    }

    fn refuse(&mut self, reply: &str) {
        self.errors += 1;
        self.reply(reply);
    }

    async fn run_command(&mut self, line: &str) -> io::Result<AfterCommand> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => self.ehlo(),
            "HELO" => {
                self.greeted = true;
                let hello = format!("250 {}", self.session.hostname);
                self.reply(&hello);
            }
            "AUTH" => self.auth(rest).await?,
            "MAIL" => self.mail(rest),
            "RCPT" => self.recipient(rest),
            "DATA" => self.data().await?,
            "BDAT" => return self.chunk(rest).await,
            "RSET" => {
                self.envelope = None;
                self.reply("250 2.0.0 Ok");
            }
            "NOOP" => self.reply("250 2.0.0 Ok"),
            "QUIT" => {
                self.reply("221 2.0.0 Bye");
                return Ok(AfterCommand::HangUp);
            }
            _ => self.refuse("502 5.5.2 Error: command not recognized"),
        }
        Ok(AfterCommand::Line)
    }

    fn ehlo(&mut self) {
        self.greeted = true;
        self.envelope = None;
        let hello = format!("250-{}", self.session.hostname);
        let size = format!("250-SIZE {SIZE_LIMIT}");
        self.reply(&hello);
        self.reply("250-PIPELINING");
        self.reply(&size);
        self.reply("250-AUTH PLAIN LOGIN");
        self.reply("250-ENHANCEDSTATUSCODES");
        self.reply("250-8BITMIME");
        self.reply("250 CHUNKING");
    }

    async fn auth(&mut self, rest: &str) -> io::Result<()> {
        if self.user.is_some() || !self.greeted {
            self.refuse("503 5.5.1 Error: authentication not possible now");
            return Ok(());
        }
        let (mechanism, initial) = match rest.split_once(' ') {
            Some((mechanism, initial)) => (mechanism, Some(initial)),
            None => (rest, None),
        };
        let credentials = match mechanism.to_ascii_uppercase().as_str() {
            "PLAIN" => self.plain(initial).await?,
            "LOGIN" => self.login(initial).await?,
            _ => {
                self.refuse("504 5.5.4 Unrecognized authentication type");
                return Ok(());
            }
        };
        match credentials {
            Ok((user, password)) => self.check_password(user, &password).await,
            Err(AuthFault::Cancelled) => self.refuse("501 5.7.0 Authentication aborted"),
            Err(AuthFault::Malformed) => self.refuse("501 5.5.2 Cannot decode response"),
        }
        Ok(())
    }

    async fn check_password(&mut self, user: String, password: &[u8]) {
        self.session.counters.asked(self.client);
        if self.session.checker.check(&user, password).await {
            self.session.counters.accepted(self.client);
            self.reply("235 2.7.0 Authentication successful");
            self.user = Some(user);
        } else {
            self.refuse("535 5.7.8 Error: authentication failed");
        }
    }

    /// RFC 4616: authzid NUL authcid NUL password.
    async fn plain(
        &mut self,
        initial: Option<&str>,
    ) -> io::Result<Result<(String, Vec<u8>), AuthFault>> {
        let response = match initial {
            Some(initial) => decode(initial),
            None => self.ask("334 ").await?,
        };
        Ok(response.and_then(|octets| {
            let mut parts = octets.split(|octet| *octet == 0);
            match (parts.next(), parts.next(), parts.next(), parts.next()) {
                (Some(_), Some(user), Some(password), None) => Ok((text(user), password.to_vec())),
                _ => Err(AuthFault::Malformed),
            }
        }))
    }

    /// Two prompts, `Username:` and `Password:`; the name may come with the command.
    async fn login(
        &mut self,
        initial: Option<&str>,
    ) -> io::Result<Result<(String, Vec<u8>), AuthFault>> {
        let user = match initial {
            Some(initial) => decode(initial),
            None => self.ask("334 VXNlcm5hbWU6").await?,
        };
        let user = match user {
            Ok(user) => text(&user),
            Err(fault) => return Ok(Err(fault)),
        };
        let password = self.ask("334 UGFzc3dvcmQ6").await?;
        Ok(password.map(|password| (user, password)))
    }

    async fn ask(&mut self, challenge: &str) -> io::Result<Result<Vec<u8>, AuthFault>> {
        self.reply(challenge);
        let answer = self.line().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(match answer.as_str() {
            "*" => Err(AuthFault::Cancelled),
            answer => decode(answer),
        })
    }

    fn mail(&mut self, rest: &str) {
        let oversized = rest.split(' ').any(|word| {
            let size = word.strip_prefix("SIZE=").map(str::parse::<u64>);
            matches!(size, Some(Ok(size)) if size > SIZE_LIMIT)
        });
        match (&self.user, path(rest, "FROM:")) {
            (None, _) => self.refuse("530 5.7.0 Authentication required"),
            _ if self.envelope.is_some() => self.refuse("503 5.5.1 Error: nested MAIL command"),
            (_, None) => self.refuse("501 5.5.4 Syntax: MAIL FROM:<address>"),
            _ if oversized => self.refuse("552 5.3.4 Message size exceeds fixed limit"),
            (Some(_), Some(sender)) => {
                self.envelope = Some(Envelope {
                    sender: sender.to_owned(),
                    recipients: 0,
                    content: MailContent::default(),
                    chunked: false,
                });
                self.reply("250 2.1.0 Ok");
            }
        }
    }

    fn recipient(&mut self, rest: &str) {
        match (&mut self.envelope, path(rest, "TO:")) {
            (Some(envelope), Some(recipient)) if !recipient.is_empty() => {
                envelope.recipients += 1;
                self.reply("250 2.1.5 Ok");
            }
            (None, _) => self.refuse("503 5.5.1 Error: need MAIL command"),
            _ => self.refuse("501 5.5.4 Syntax: RCPT TO:<address>"),
        }
    }

    async fn data(&mut self) -> io::Result<()> {
        let ready = |envelope: &Envelope| envelope.recipients > 0 && !envelope.chunked;
        let Some(mut envelope) = self.envelope.take_if(|envelope| ready(envelope)) else {
            self.refuse("503 5.5.1 Error: need RCPT command");
            return Ok(());
        };
        self.reply("354 End data with <CR><LF>.<CR><LF>");
        self.wire.flush().await?;
        let mut unstuffer = Unstuffer::default();
        loop {
            let octets = self.octets().await?;
            let fed = unstuffer.feed(octets, &mut envelope.content);
            let used = match fed {
                Fed::All => octets.len(),
                Fed::EndedAfter(used) => used,
            };
            self.wire.consume(used);
            if fed != Fed::All {
                break;
            }
        }
        self.deliver(envelope);
        Ok(())
    }

    /// `BDAT octets [LAST]`: what is announced is read, also when it is refused.
    async fn chunk(&mut self, rest: &str) -> io::Result<AfterCommand> {
        let mut words = rest.split(' ');
        let count = words.next().and_then(|count| count.parse::<u64>().ok());
        let last = words
            .next()
            .is_some_and(|word| word.eq_ignore_ascii_case("LAST"));
        let Some(mut left) = count else {
            // Where the text ends and the commands begin again is unknown.
            self.refuse("501 5.5.4 Syntax: BDAT count [LAST]");
            return Ok(AfterCommand::HangUp);
        };
        let mut envelope = self.envelope.take_if(|envelope| envelope.recipients > 0);
        while left > 0 {
            let octets = self.octets().await?;
            let used = usize::try_from(left).map_or(octets.len(), |left| octets.len().min(left));
            if let (Some(envelope), Some(text)) = (&mut envelope, octets.get(..used)) {
                envelope.content.push(text);
            }
            self.wire.consume(used);
            left -= used as u64;
        }
        match envelope {
            None => self.refuse("503 5.5.1 Error: need RCPT command"),
            Some(envelope) if last => self.deliver(envelope),
            Some(mut envelope) => {
                envelope.chunked = true;
                self.envelope = Some(envelope);
                self.reply("250 2.0.0 Ok");
            }
        }
        Ok(AfterCommand::Line)
    }

    /// At least one octet of a mail's text.
    async fn octets(&mut self) -> io::Result<&[u8]> {
        match tokio::time::timeout(IDLE, self.wire.octets()).await {
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
            Ok(Ok([])) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(octets) => octets,
        }
    }

    fn deliver(&mut self, envelope: Envelope) {
        let Envelope {
            sender,
            recipients,
            content,
            ..
        } = envelope;
        if content.octets() > SIZE_LIMIT {
            self.refuse("552 5.3.4 Message size exceeds fixed limit");
            return;
        }
        self.session.counters.received(Mail {
            user: self.user.clone().unwrap_or_default(),
            client: self.client,
            sender,
            recipients,
            subject: content.subject(),
            octets: content.octets(),
            crc32: content.crc32(),
        });
        self.reply("250 2.0.0 Ok: discarded");
    }
}

/// The address in `FROM:<address> parameters`.
fn path<'a>(rest: &'a str, keyword: &str) -> Option<&'a str> {
    let (word, address) = rest.split_at_checked(keyword.len())?;
    let address = address.trim_start().strip_prefix('<')?;
    let (address, _) = address.split_once('>')?;
    word.eq_ignore_ascii_case(keyword).then_some(address)
}

fn decode(base64: &str) -> Result<Vec<u8>, AuthFault> {
    match base64 {
        "=" => Ok(Vec::new()),
        base64 => BASE64_STANDARD
            .decode(base64)
            .map_err(|_| AuthFault::Malformed),
    }
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}
