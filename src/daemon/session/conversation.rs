//! conversation - the dialogue's actions, carried out
//!
//! A fold with nothing left to decide: each [`Action`] is done, and what came of it is fed back.
//! Not here: judging and trying (`login`), the words (`smtp::dialogue`).

use std::io;
use std::time::Duration;

use tokio::time::error::Elapsed;
use tokio::time::timeout;

use super::login::{self, Relay, Tried};
use super::peer::{Heard, LastWords, Peer};
use super::{ClientFault, Ending, Visit};
use crate::net::upstream::LoggedIn;
use gatepost_core::gate::request::attempt::UserName;
use gatepost_core::smtp::dialogue::{Action, Dialogue, Resolution};
use gatepost_core::smtp::reply::Reply;

/// How long EHLO waits for the first answer of a probe.
const FIRST_PROBE: Duration = Duration::from_secs(5);

/// The longest that a client may take for one round of a relayed exchange: Postfix is held meanwhile.
const ROUND: Duration = Duration::from_secs(10);

/// How long a client may take to take a reply.
const SAY: Duration = Duration::from_secs(10);

/// How long a client may take to take our close_notify.
const GOOD_BYE: Duration = Duration::from_secs(5);

/// What comes after a conversation that did not end the session.
pub(in crate::session) enum Next {
    /// The handshake; what lies in the buffer is to be dropped.
    StartTls,
    /// The splice.
    LoggedIn(Box<LoggedIn>, UserName),
}

/// One client, one dialogue.
pub(in crate::session) struct Conversation<'a, S> {
    visit: &'a mut Visit,
    peer: &'a mut Peer<S>,
    dialogue: &'a mut Dialogue,
    /// The exchange that is being relayed, if one is.
    relay: Option<Box<Relay>>,
    /// Why the dialogue was told to close, if it was.
    closing: Option<Ending>,
}

enum Stepped {
    On(Action),
    Out(Next),
}

impl<'a, S: LastWords> Conversation<'a, S> {
    /// A conversation that has not begun.
    pub(in crate::session) fn new(
        visit: &'a mut Visit,
        peer: &'a mut Peer<S>,
        dialogue: &'a mut Dialogue,
    ) -> Self {
        Self {
            visit,
            peer,
            dialogue,
            relay: None,
            closing: None,
        }
    }

    /// Carries on from `first`, or from the client's next line, until login, STARTTLS or the end.
    pub(in crate::session) async fn run(&mut self, first: Option<Action>) -> Result<Next, Ending> {
        let ended = self.until_it_ends(first).await;
        if ended.is_err() {
            // A client that does not take even our close_notify is left to the kernel.
            let _ = timeout(GOOD_BYE, self.peer.close()).await;
        }
        self.abandon().await;
        ended
    }

    async fn until_it_ends(&mut self, first: Option<Action>) -> Result<Next, Ending> {
        let mut action = match first {
            Some(action) => action,
            None => self.hear().await?,
        };
        loop {
            action = match self.step(action).await? {
                Stepped::On(action) => action,
                Stepped::Out(next) => return Ok(next),
            };
        }
    }

    async fn step(&mut self, action: Action) -> Result<Stepped, Ending> {
        let next = match action {
            Action::Reply(reply) => {
                self.say(reply).await?;
                self.hear().await?
            }
            Action::AskCapabilities => {
                let known = login::capabilities(self.visit, FIRST_PROBE).await;
                self.dialogue.set_capabilities(known)
            }
            Action::JudgeHelo(name) => {
                let trap = login::helo(self.visit, &name).await;
                self.dialogue.helo_judged(trap)
            }
            Action::StartTls(reply) => {
                self.say(reply).await?;
                return Ok(Stepped::Out(Next::StartTls));
            }
            Action::LogIn(wish) => {
                let helo = self.dialogue.helo().cloned();
                let tried = Box::pin(login::try_it(self.visit, helo, wish)).await;
                return Ok(self.tried(tried));
            }
            Action::Relay(answer) => {
                let tried = match self.relay.take() {
                    Some(relay) => Box::pin(relay.answer(self.visit, &answer)).await,
                    None => Tried::Resolved(Resolution::Defer),
                };
                return Ok(self.tried(tried));
            }
            Action::Cancel(reply) => {
                self.abandon().await;
                self.say(reply).await?;
                self.hear().await?
            }
            Action::Close(reply) => {
                let said = timeout(self.visit.rules.timeouts.line, self.peer.say_last(&reply));
                took(said.await)?;
                return Err(self.closing.take().unwrap_or(match reply.code() {
                    221 => Ending::Quit,
                    _ => Ending::HungUp,
                }));
            }
        };
        Ok(Stepped::On(next))
    }

    /// Feeds the dialogue what came of an attempt.
    fn tried(&mut self, tried: Tried) -> Stepped {
        match tried {
            Tried::LoggedIn(logged_in, user) => Stepped::Out(Next::LoggedIn(logged_in, user)),
            Tried::Resolved(resolution) => Stepped::On(self.dialogue.resolve(resolution)),
            Tried::Challenged(challenge, relay) => {
                self.relay = Some(relay);
                Stepped::On(self.dialogue.resolve(Resolution::Challenge(challenge)))
            }
        }
    }

    /// Lets go of a relayed exchange, if there is one.
    async fn abandon(&mut self) {
        if let Some(relay) = self.relay.take() {
            Box::pin(relay.abandon(self.visit)).await;
        }
    }

    /// Waits for the client's next line, or for what ends the waiting, and feeds the dialogue.
    async fn hear(&mut self) -> Result<Action, Ending> {
        let limit = self.dialogue.line_limit();
        let line = self.visit.rules.timeouts.line;
        let patience = match self.relay {
            Some(_) => line.min(ROUND),
            None => line,
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

    /// Sends a reply to a client that has [`SAY`] to take it: it fits into any socket's buffer.
    async fn say(&mut self, reply: Reply) -> Result<(), Ending> {
        took(timeout(SAY, self.peer.say(&reply)).await)
    }
}

/// Whether the client took what it was sent.
fn took(said: Result<io::Result<()>, Elapsed>) -> Result<(), Ending> {
    match said {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Ending::Client(error.into())),
        Err(_) => Err(Ending::TimedOut),
    }
}
