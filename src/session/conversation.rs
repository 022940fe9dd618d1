//! conversation - the dialogue's actions, carried out
//!
//! A fold with nothing left to decide: each [`Action`] is done, and what came of it is fed back.
//! Not here: judging and trying (`login`), the words (`smtp::dialogue`).

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::login::{self, Relay, Tried};
use super::peer::{Heard, Peer};
use super::{ClientFault, Ending, Visit};
use crate::gate::attempt::UserName;
use crate::net::upstream::LoggedIn;
use crate::smtp::dialogue::{Action, Dialogue, Resolution, Trap};
use crate::smtp::reply::Reply;

/// How long EHLO waits for the first answer of a probe.
const FIRST_PROBE: Duration = Duration::from_secs(5);

/// The longest that a client may take for one round of a relayed exchange: Postfix is held meanwhile.
const ROUND: Duration = Duration::from_secs(10);

/// What comes after a conversation that did not end the session.
pub(in crate::session) enum Next {
    /// The handshake; what lies in the buffer is to be dropped.
    StartTls,
    /// The splice.
    LoggedIn(Box<LoggedIn>, UserName),
}

/// One client, one dialogue.
pub(in crate::session) struct Conversation<'a, S> {
    pub(in crate::session) visit: &'a mut Visit,
    pub(in crate::session) peer: &'a mut Peer<S>,
    pub(in crate::session) dialogue: &'a mut Dialogue,
    /// Why the dialogue was told to close, if it was.
    pub(in crate::session) closing: Option<Ending>,
}

enum Stepped {
    On(Action),
    Out(Next),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Conversation<'_, S> {
    /// Carries on from `first`, or from the client's next line, until login, STARTTLS or the end.
    pub(in crate::session) async fn run(mut self, first: Option<Action>) -> Result<Next, Ending> {
        let mut relay = None;
        let mut action = match first {
            Some(action) => action,
            None => self.hear(&relay).await?,
        };
        let ended = loop {
            action = match self.step(action, &mut relay).await {
                Ok(Stepped::On(action)) => action,
                Ok(Stepped::Out(next)) => break Ok(next),
                Err(ending) => break Err(ending),
            };
        };
        if let Some(relay) = relay {
            Box::pin(relay.abandon(self.visit)).await;
        }
        if ended.is_err() {
            self.peer.close().await;
        }
        ended
    }

    async fn step(
        &mut self,
        action: Action,
        relay: &mut Option<Box<Relay>>,
    ) -> Result<Stepped, Ending> {
        let next = match action {
            Action::Reply(reply) => {
                self.say(&reply).await?;
                self.hear(relay).await?
            }
            Action::AskCapabilities => {
                let known = login::capabilities(self.visit, FIRST_PROBE).await;
                self.dialogue.learn(known)
            }
            Action::JudgeHelo(name) => {
                let trap = match login::helo(self.visit, &name).await {
                    Some(_) => Trap::Sprung,
                    None => Trap::Clear,
                };
                self.dialogue.helo_judged(trap)
            }
            Action::StartTls(reply) => {
                self.say(&reply).await?;
                return Ok(Stepped::Out(Next::StartTls));
            }
            Action::LogIn(wish) => {
                let tried = Box::pin(login::try_it(
                    self.visit,
                    self.dialogue.helo().cloned(),
                    wish,
                ))
                .await;
                return self.tried(tried, relay).await;
            }
            Action::Relay(answer) => {
                let tried = match relay.take() {
                    Some(going_on) => Box::pin(going_on.answer(self.visit, &answer)).await,
                    None => Tried::Resolved(Resolution::Defer),
                };
                return self.tried(tried, relay).await;
            }
            Action::Cancel(reply) => {
                if let Some(relay) = relay.take() {
                    Box::pin(relay.abandon(self.visit)).await;
                }
                self.say(&reply).await?;
                self.hear(relay).await?
            }
            Action::Close(reply) => {
                self.say(&reply).await?;
                let by_itself = if reply.code() == 221 {
                    Ending::Quit
                } else {
                    Ending::HungUp
                };
                return Err(self.closing.take().unwrap_or(by_itself));
            }
        };
        Ok(Stepped::On(next))
    }

    /// Feeds the dialogue what came of an attempt.
    async fn tried(
        &mut self,
        tried: Tried,
        relay: &mut Option<Box<Relay>>,
    ) -> Result<Stepped, Ending> {
        match tried {
            Tried::LoggedIn(logged_in, user) => Ok(Stepped::Out(Next::LoggedIn(logged_in, user))),
            Tried::Resolved(resolution) => Ok(Stepped::On(self.dialogue.resolve(resolution))),
            Tried::Challenged(challenge, going_on) => {
                *relay = Some(going_on);
                Ok(Stepped::On(
                    self.dialogue.resolve(Resolution::Challenge(challenge)),
                ))
            }
        }
    }

    /// Waits for the client's next line, or for what ends the waiting, and feeds the dialogue.
    async fn hear(&mut self, relay: &Option<Box<Relay>>) -> Result<Action, Ending> {
        let limit = self.dialogue.line_limit();
        let line = self.visit.rules.timeouts.line;
        let patience = if relay.is_some() {
            line.min(ROUND)
        } else {
            line
        };
        let patience = patience.min(self.visit.time_left());
        let visit = &mut *self.visit;
        let heard = tokio::select! {
            biased;
            heard = timeout(patience, self.peer.line(limit)) => heard,
            () = visit.drain.begun() => return Ok(self.end(Ending::Drained)),
            () = visit.slot.evicted() => return Ok(self.end(Ending::Evicted)),
        };
        match heard {
            Ok(Ok(Heard::Line(line))) => Ok(self.dialogue.feed(&line, self.peer.following())),
            Ok(Ok(Heard::Fault(fault))) => Ok(self.dialogue.line_fault(fault)),
            Ok(Ok(Heard::End)) => Err(Ending::Quit),
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                Err(Ending::Client(ClientFault::Gone))
            }
            Ok(Err(error)) => Err(Ending::Client(error.into())),
            Err(_) => Ok(self.end(Ending::TimedOut)),
        }
    }

    /// The good-bye that fits an ending of our own making.
    fn end(&mut self, ending: Ending) -> Action {
        let reply = match ending {
            Ending::Drained => self.dialogue.draining(),
            Ending::Evicted => self.dialogue.evicted(),
            _ => self.dialogue.timed_out(),
        };
        self.closing = Some(ending);
        Action::Close(reply)
    }

    /// Sends a reply to a client that has no longer to take it than to say its next line.
    async fn say(&mut self, reply: &Reply) -> Result<(), Ending> {
        match timeout(self.visit.rules.timeouts.line, self.peer.say(reply)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Ending::Client(error.into())),
            Err(_) => Err(Ending::TimedOut),
        }
    }
}
