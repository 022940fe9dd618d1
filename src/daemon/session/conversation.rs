//! conversation - the dialogue's actions, carried out
//!
//! A fold with nothing left to decide: each [`Action`] is done, and what came of it is fed back.
//! Not here: judging and trying (`login`), the words (`smtp::dialogue`).

use std::io;
use std::time::Duration;

use tokio::time::error::Elapsed;
use tokio::time::timeout;

use super::entry::Entered;
use super::login::{self, Client, ExchangeEnd, Tried};
use super::peer::{LineEvent, Peer, WriteAndClose};
use super::{ClientFault, Ending, Visit, called};
use crate::net::admission::Slot;
use gatepost_core::gate::request::attempt::Secret;
use gatepost_core::smtp::dialogue::{Action, Dialogue, Resolution};
use gatepost_core::smtp::reply::Reply;

/// How long EHLO waits for the first answer of a probe.
const FIRST_PROBE: Duration = Duration::from_secs(5);

/// How long a client may take to take a reply.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client may take to take our close_notify.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// What comes after a conversation that did not end the session.
pub(in crate::session) enum Next {
    /// The handshake; what lies in the buffer is to be dropped.
    StartTls,
    /// The splice.
    LoggedIn(Box<Entered>),
}

/// One client, one dialogue.
pub(in crate::session) struct Conversation<'a, S> {
    visit: &'a mut Visit,
    peer: &'a mut Peer<S>,
    dialogue: &'a mut Dialogue,
    /// Why the dialogue was told to close, if it was.
    closing: Option<Ending>,
}

impl<'a, S: WriteAndClose> Conversation<'a, S> {
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
            closing: None,
        }
    }

    /// Sends the banner; of a client that talked before it, this is the end.
    pub(in crate::session) async fn greet(&mut self, banner: Action) -> Result<(), Ending> {
        let Action::Reply(banner) = banner else {
            return self.run(Some(banner)).await.map(drop);
        };
        self.write(banner).await
    }

    /// Carries on from `first`, or from the client's next line, until login, STARTTLS or the end.
    pub(in crate::session) async fn run(&mut self, first: Option<Action>) -> Result<Next, Ending> {
        let ended = self.carry_out(first).await;
        if ended.is_err() {
            self.visit.faults = self.dialogue.take_faults();
            // A client that does not take even our close_notify is left to the kernel.
            let closed = timeout(CLOSE_TIMEOUT, self.peer.close());
            let _ = unless_evicted(&self.visit.slot, closed).await;
        }
        ended
    }

    async fn carry_out(&mut self, first: Option<Action>) -> Result<Next, Ending> {
        let mut action = match first {
            Some(action) => action,
            None => self.read_line(self.visit.config.timeouts.line).await?,
        };
        loop {
            let unjudged = self.dialogue.take_unjudged();
            let counters = &self.visit.services.judging.counters;
            counters.unjudged.add(u64::from(unjudged));
            action = match action {
                Action::Reply(reply) | Action::Cancel(reply) => {
                    self.write(reply).await?;
                    self.read_line(self.visit.config.timeouts.line).await?
                }
                Action::AskCapabilities => {
                    let known = login::capabilities(self.visit, FIRST_PROBE);
                    let known = unless_evicted(&self.visit.slot, known).await?;
                    self.dialogue.set_capabilities(known)
                }
                Action::JudgeHelo(name) => {
                    let trap = login::helo(self.visit, &name).await;
                    self.dialogue.helo_judged(trap)
                }
                Action::StartTls(reply) => {
                    self.write(reply).await?;
                    return Ok(Next::StartTls);
                }
                Action::LogIn(wish) => {
                    let helo = self.dialogue.helo().cloned();
                    match Box::pin(login::log_in(self, helo, wish)).await? {
                        Tried::LoggedIn(entered) => return Ok(Next::LoggedIn(entered)),
                        Tried::Resolved(resolution) => self.dialogue.resolve(resolution),
                        Tried::ExchangeEnd(action) => action,
                    }
                }
                // Answers to a challenge are taken in `ask`; there is none here.
                Action::Relay(_) => self.dialogue.resolve(Resolution::Defer),
                Action::Close(reply) => return Err(self.hang_up(reply).await),
            };
        }
    }

    async fn prompt(&mut self, prompt: Reply, round: Duration) -> Result<Action, Ending> {
        self.write(prompt).await?;
        let line = self.visit.config.timeouts.line;
        self.read_line(line.min(round)).await
    }

    /// Waits for the client's next line, or for what ends the waiting, and feeds the dialogue.
    async fn read_line(&mut self, time_limit: Duration) -> Result<Action, Ending> {
        let limit = self.dialogue.line_limit();
        let time_limit = time_limit.min(self.visit.time_left());
        let visit = &mut *self.visit;
        let event = tokio::select! {
            biased;
            event = timeout(time_limit, self.peer.read_line(limit)) => event,
            ending = called(&mut visit.drain, &visit.services, visit.key, visit.epoch) => return Ok(self.end(ending)),
            () = visit.slot.evicted() => return Ok(self.end(Ending::Evicted)),
        };
        match event {
            Ok(Ok(LineEvent::Line(line))) => Ok(self.dialogue.feed(&line, self.peer.following())),
            Ok(Ok(LineEvent::Fault(fault))) => Ok(self.dialogue.line_fault(fault)),
            Ok(Ok(LineEvent::End)) => Err(Ending::Quit),
            Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(Ending::Client(ClientFault::Gone))
            }
            Ok(Err(error)) => Err(Ending::Client(error.into())),
            Err(_) => Ok(self.end(Ending::TimedOut)),
        }
    }

    /// Closes a dialogue for a reason of our own.
    pub(in crate::session) fn end(&mut self, ending: Ending) -> Action {
        let reply = match ending {
            Ending::Drained => self.dialogue.draining(),
            Ending::Evicted | Ending::Expelled => self.dialogue.evicted(),
            _ => self.dialogue.timed_out(),
        };
        self.closing = Some(ending);
        Action::Close(reply)
    }

    /// The last reply, and how the session ends with it.
    async fn hang_up(&mut self, reply: Reply) -> Ending {
        let written = timeout(WRITE_TIMEOUT, self.peer.write_last(&reply));
        if let Err(ending) = taken(unless_evicted(&self.visit.slot, written).await) {
            return ending;
        }
        self.closing.take().unwrap_or(match reply.code() {
            221 => Ending::Quit,
            _ => Ending::HungUp,
        })
    }

    /// Sends a reply. It fits into any socket's buffer, so [`WRITE_TIMEOUT`] is ample.
    async fn write(&mut self, reply: Reply) -> Result<(), Ending> {
        let written = timeout(WRITE_TIMEOUT, self.peer.write(&reply));
        taken(unless_evicted(&self.visit.slot, written).await)
    }
}

impl<S: WriteAndClose> Client for Conversation<'_, S> {
    fn visit(&self) -> &Visit {
        self.visit
    }

    fn visit_mut(&mut self) -> &mut Visit {
        self.visit
    }

    async fn ask(&mut self, challenge: Secret, round: Duration) -> Result<Secret, ExchangeEnd> {
        let asked = self.dialogue.resolve(Resolution::Challenge(challenge));
        let answered = match asked {
            Action::Reply(prompt) => {
                let answered = self.prompt(prompt, round).await;
                answered.map_err(ExchangeEnd::Ended)?
            }
            other => other,
        };
        match answered {
            Action::Relay(answer) => Ok(answer),
            other => Err(ExchangeEnd::Action(other)),
        }
    }
}

/// Waits for what the client is to take, as long as its place is not wanted for another. Of an evicted client:
/// what can be done without waiting.
async fn unless_evicted<T>(slot: &Slot, sent: impl Future<Output = T>) -> Result<T, Ending> {
    tokio::select! {
        biased;
        sent = sent => Ok(sent),
        () = slot.evicted() => Err(Ending::Evicted),
    }
}

/// Whether the client took what it was sent.
fn taken(written: Result<Result<io::Result<()>, Elapsed>, Ending>) -> Result<(), Ending> {
    match written? {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Ending::Client(error.into())),
        Err(_) => Err(Ending::TimedOut),
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;
    use crate::net::admission::{Admission, AdmissionSettings};
    use crate::net::filter::FilterMode;
    use gatepost_core::gate::buckets::quota::Quota;
    use gatepost_core::gate::request::client::ClientKey;
    use gatepost_core::gate::request::verdict::Standing;
    use gatepost_core::moment::Moment;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_no_octet_makes_room_all_the_same() {
        let connects = Quota {
            burst: 9,
            every: Duration::from_secs(1),
        };
        let settings = AdmissionSettings {
            sessions: 1,
            per_client: 9,
            per_network: 9,
            connects,
            familiar_connects: connects,
            handshakes: 1,
            filter: FilterMode::Off,
        };
        let admission = Admission::new(&settings, &[7; 16]);
        let admit = || admission.admit(ClientKey::V4(1), Standing::Stranger, Moment::EPOCH);
        let first = admit().unwrap();
        let second = admit().unwrap();
        let written = timeout(WRITE_TIMEOUT, unless_evicted(&first, pending::<()>())).await;
        assert!(matches!(written, Ok(Err(Ending::Evicted))));
        // What can be sent at once is sent.
        assert!(unless_evicted(&first, ready(())).await.is_ok());
        tokio::select! {
            biased;
            _ = unless_evicted(&second, pending::<()>()) => panic!("it may stay"),
            () = ready(()) => {}
        }
    }
}
