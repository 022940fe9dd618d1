//! login - AUTH at Postfix, and its outcome
//!
//! Two ways: [`Connected::log_in`] with credentials that we know, and the relay of a mechanism that hides
//! them, message by message ([`Exchange`]). Everything that sends a password or a proof of one requires a
//! [`Permit`]. Not here: settling it (`gate`), decoding what clients send (`smtp::sasl`).
//! Without an accept the connection is closed at once, before the outcome is returned.
//! RFC 4954 sections 4 and 6, RFC 7628 section 3.2.3.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::net::upstream::command_stream::CommandStream;
use crate::net::upstream::{Endpoint, HeldProcess, Stream, UpstreamFault, UpstreamStep};
use gatepost_core::gate::permit::Permit;
use gatepost_core::gate::request::attempt::AuthOutcome;
use gatepost_core::gate::request::client::NetworkKey;
use gatepost_core::smtp::capabilities::Capabilities;
use gatepost_core::smtp::reply::{EnhancedCode, Reply};
use gatepost_core::smtp::sasl::{self, Credentials, Mechanism, OAUTH_DISMISSAL, Secret};

/// The longest command, with CRLF, in octets. RFC 5321 section 4.5.3.1.4.
const COMMAND: usize = 512;
/// The most messages of a client that one exchange relays; SCRAM needs three.
const MESSAGES: usize = 5;

/// A connection on which the client is announced, and Postfix waits for AUTH.
#[derive(Debug)]
pub struct Connected<S = Stream> {
    commands: CommandStream<S>,
    client: GreetedClient,
    endpoint: Arc<Endpoint>,
    deadline: Duration,
    /// Given back when the connection is closed.
    pub(super) process: HeldProcess,
}

/// The client that is announced there, and what it was offered.
#[derive(Debug)]
pub(super) struct GreetedClient {
    pub(super) network: NetworkKey,
    pub(super) capabilities: Arc<Capabilities>,
}

/// The outcome of a login.
#[derive(Debug)]
#[must_use = "the permit is settled with its outcome"]
pub enum Attempted<S = Stream> {
    /// Logged in.
    Accept(LoggedIn<S>),
    /// The credentials are wrong; holds Postfix's reply.
    Reject(Reply),
    /// The token is wrong; holds Postfix's reply, and the challenge before it, decoded, which says why.
    RejectToken(Reply, Secret),
    /// The credentials were not checked.
    Defer(UpstreamFault),
}

/// A session at Postfix that has logged in.
#[derive(Debug)]
pub struct LoggedIn<S = Stream> {
    /// The connection.
    pub stream: S,
    /// Postfix's 235.
    pub reply: Reply,
    /// What Postfix sent after it.
    pub rest: Vec<u8>,
    /// Given back when the connection is closed: drop it after the stream.
    pub process: HeldProcess,
}

/// The state of a relayed exchange.
#[derive(Debug)]
#[must_use]
pub enum Round<S = Stream> {
    /// Postfix sent a challenge, here decoded; the client's answer goes to [`Exchange::answer`].
    Challenge(Exchange<S>, Secret),
    /// The exchange is over.
    Done(Attempted<S>),
}

/// A relayed exchange that waits for the client. Dropping it cancels it and closes the connection.
#[derive(Debug)]
pub struct Exchange<S = Stream> {
    connected: Connected<S>,
    messages: usize,
}

/// Postfix's reply, or the fault.
impl<S> fmt::Display for Attempted<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accept(LoggedIn { reply, .. })
            | Self::Reject(reply)
            | Self::RejectToken(reply, _) => reply.fmt(f),
            Self::Defer(fault) => fault.fmt(f),
        }
    }
}

impl<S> Attempted<S> {
    /// The outcome to settle the permit with.
    pub const fn outcome(&self) -> AuthOutcome {
        match self {
            Self::Accept(_) => AuthOutcome::Accept,
            Self::Reject(_) | Self::RejectToken(..) => AuthOutcome::Reject,
            Self::Defer(_) => AuthOutcome::Defer,
        }
    }

    /// Whether Postfix took no credentials from what the client sent, as what is too long.
    pub const fn is_about_message(&self) -> bool {
        matches!(self, Self::Defer(fault) if is_about_message(fault))
    }

    /// Whether Postfix itself deferred the login.
    pub const fn is_deferred_by_postfix(&self) -> bool {
        matches!(self, Self::Defer(UpstreamFault::Refused(UpstreamStep::Auth, reply)) if reply.is_transient())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connected<S> {
    pub(super) const fn new(
        commands: CommandStream<S>,
        client: GreetedClient,
        endpoint: Arc<Endpoint>,
        deadline: Duration,
        process: HeldProcess,
    ) -> Self {
        Self {
            commands,
            client,
            endpoint,
            deadline,
            process,
        }
    }

    /// Tries credentials, up to the final reply.
    ///
    /// Do not drop the future once it was polled: the password was sent, and the permit has to
    /// be settled with the outcome, even if the client is gone.
    pub async fn log_in(mut self, _permit: &Permit, credentials: &Credentials) -> Attempted<S> {
        match within(self.deadline, self.run_exchange(credentials)).await {
            Ok((reply, why)) => match (self.conclude(reply), why) {
                (Attempted::Reject(reply), Some(why)) => Attempted::RejectToken(reply, why),
                (attempted, _) => attempted,
            },
            Err(fault) => self.defer(fault),
        }
    }

    /// Starts SCRAM with the client's first message.
    pub async fn begin_scram(
        self,
        _permit: &Permit,
        mechanism: Mechanism,
        first: &Secret,
    ) -> Round<S> {
        self.begin(mechanism, Some(first)).await
    }

    /// Starts CRAM-MD5, where Postfix sends first. It holds nothing of the client, so it takes no
    /// permit; but it occupies a Postfix process, so the caller has to limit how many do.
    pub async fn begin_cram_md5(self) -> Round<S> {
        self.begin(Mechanism::CramMd5, None).await
    }

    async fn begin(mut self, mechanism: Mechanism, first: Option<&Secret>) -> Round<S> {
        let answered = within(self.deadline, self.send_first(mechanism, first)).await;
        self.next_round(answered, usize::from(first.is_some()))
    }

    /// Sends the messages of `credentials`, one a prompt, and returns the final reply, with the challenge that
    /// says why a token is wrong.
    async fn run_exchange(
        &mut self,
        credentials: &Credentials,
    ) -> Result<(Reply, Option<Secret>), UpstreamFault> {
        let mechanism = credentials.mechanism;
        let messages = credentials.client_messages();
        let mut messages = messages.iter();
        // LOGIN has no initial response: the server prompts for both.
        let first = match mechanism {
            Mechanism::Login => None,
            _ => messages.next(),
        };
        let mut reply = self.send_first(mechanism, first).await?;
        while reply.code() == 334 {
            match messages.next() {
                Some(answer) => reply = self.send(answer).await?,
                None if mechanism.shows_token() => return self.dismiss(&reply).await,
                None => return Err(UpstreamFault::Challenge),
            }
        }
        Ok((reply, None))
    }

    /// Answers a challenge that only says why a token is wrong, so that Postfix need not wait for the client.
    async fn dismiss(
        &mut self,
        challenge: &Reply,
    ) -> Result<(Reply, Option<Secret>), UpstreamFault> {
        let why = sasl::decode(challenge.first_line().as_bytes()).ok();
        let reply = self.send(&Secret::new(OAUTH_DISMISSAL.to_vec())).await?;
        if reply.code() == 334 {
            return Err(UpstreamFault::Challenge);
        }
        Ok((reply, why))
    }

    /// Sends AUTH, with the first message or, if that is too long, after a prompt.
    async fn send_first(
        &mut self,
        mechanism: Mechanism,
        first: Option<&Secret>,
    ) -> Result<Reply, UpstreamFault> {
        if !self.client.capabilities.mechanisms().contains(&mechanism) {
            return Err(UpstreamFault::NoMechanism(mechanism));
        }
        let verb = format!("AUTH {mechanism}");
        let Some(first) = first else {
            return self.send_line(&[verb.as_bytes()]).await;
        };
        let encoded = sasl::encode(first.expose());
        let text: &[u8] = match encoded.expose() {
            b"" => b"=",
            text => text,
        };
        if verb.len() + " \r\n".len() + text.len() <= COMMAND {
            return self.send_line(&[verb.as_bytes(), b" ", text]).await;
        }
        let prompt = self.send_line(&[verb.as_bytes()]).await?;
        if prompt.code() == 334 {
            self.send(first).await
        } else {
            Ok(prompt)
        }
    }

    async fn send(&mut self, message: &Secret) -> Result<Reply, UpstreamFault> {
        self.send_line(&[sasl::encode(message.expose()).expose()])
            .await
    }

    /// Sends one line, made of `parts`, and wipes it.
    async fn send_line(&mut self, parts: &[&[u8]]) -> Result<Reply, UpstreamFault> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let mut line = Zeroizing::new(Vec::with_capacity(length + 2));
        for part in parts {
            line.extend_from_slice(part);
        }
        line.extend_from_slice(b"\r\n");
        self.commands.send_command(UpstreamStep::Auth, &line).await
    }

    fn next_round(self, answered: Result<Reply, UpstreamFault>, messages: usize) -> Round<S> {
        match answered {
            Ok(reply) if reply.code() == 334 => match sasl::decode(reply.first_line().as_bytes()) {
                Ok(challenge) if messages < MESSAGES => {
                    let exchange = Exchange {
                        connected: self,
                        messages,
                    };
                    Round::Challenge(exchange, challenge)
                }
                _ => Round::Done(self.defer(UpstreamFault::Challenge)),
            },
            Ok(reply) => Round::Done(self.conclude(reply)),
            Err(fault) => Round::Done(self.defer(fault)),
        }
    }

    fn conclude(mut self, reply: Reply) -> Attempted<S> {
        if reply.code() == 235 {
            self.note(None);
            self.process.logged_in();
            let (stream, rest) = self.commands.into_parts();
            return Attempted::Accept(LoggedIn {
                stream,
                reply,
                rest,
                process: self.process,
            });
        }
        if is_about_credentials(&reply) {
            self.note(None);
            return Attempted::Reject(reply);
        }
        self.defer(UpstreamFault::Refused(UpstreamStep::Auth, reply))
    }

    fn defer(self, fault: UpstreamFault) -> Attempted<S> {
        if !is_about_message(&fault) {
            self.note(Some(&fault));
        }
        Attempted::Defer(fault)
    }

    fn note(&self, fault: Option<&UpstreamFault>) {
        let Endpoint { address, health } = &*self.endpoint;
        health.note_login(address, self.client.network, fault);
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Exchange<S> {
    /// Relays the client's answer to the last challenge.
    ///
    /// Do not drop the future once it was polled, as for [`Connected::log_in`].
    pub async fn answer(mut self, _permit: &Permit, message: &Secret) -> Round<S> {
        let deadline = self.connected.deadline;
        let answered = within(deadline, self.connected.send(message)).await;
        self.connected.next_round(answered, self.messages + 1)
    }
}

async fn within<T>(
    deadline: Duration,
    reply: impl Future<Output = Result<T, UpstreamFault>>,
) -> Result<T, UpstreamFault> {
    let answered = timeout(deadline, reply).await;
    answered.unwrap_or(Err(UpstreamFault::TimedOut(UpstreamStep::Auth)))
}

/// Whether a final reply is about one message, which its client could have sent otherwise: 500 and 501.
const fn is_about_message(fault: &UpstreamFault) -> bool {
    matches!(fault, UpstreamFault::Refused(UpstreamStep::Auth, reply) if matches!(reply.code(), 500 | 501))
}

/// Whether a final reply says that the credentials are wrong, which counts as a failure. Of all other
/// 5xx, 500 and 501 are about a message, and 502 to 504, 530 and 538 about a command, a mechanism or missing TLS: faults of
/// the configuration, not of the client.
fn is_about_credentials(reply: &Reply) -> bool {
    const INVALID: EnhancedCode = EnhancedCode::new(5, 7, 8);
    const TOO_WEAK: EnhancedCode = EnhancedCode::new(5, 7, 9);
    const DISABLED: EnhancedCode = EnhancedCode::new(5, 7, 13);
    let code = reply.enhanced();
    matches!(reply.code(), 534 | 535)
        || reply.is_permanent() && [INVALID, TOO_WEAK, DISABLED].map(Some).contains(&code)
}
