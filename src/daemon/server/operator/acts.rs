//! acts - what an operator does: to its end, whether the disk has it, and what the log and the history are told
//!
//! Not here: what is answered (`operator`).

use std::fmt;

use tokio::net::UnixStream;

use super::{Operator, present};
use crate::admin::message::{Request, Response};
use crate::judging::WriteOutcome;
use crate::report::events;
use crate::report::record::RecordedEvent;
use gatepost_core::gate::Changes;
use gatepost_core::moment::Moment;

/// Who asks, for the log.
#[derive(Clone, Copy, Debug)]
pub(super) enum Caller {
    /// Somebody at the page, or Gatepost itself.
    Page,
    /// A user of this machine, at the socket.
    User(u32),
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Page => f.write_str("page"),
            Self::User(0) => f.write_str("root"),
            // By its number: asking for the name may take as long as a directory on the network takes.
            Self::User(id) => write!(f, "uid {id}"),
        }
    }
}

/// Whether this changes what is known and banned, but for what passes its changes on by itself.
pub(super) const fn is_change(request: &Request) -> bool {
    matches!(
        request,
        Request::BansRemove { .. }
            | Request::Forgive { .. }
            | Request::Introduce { .. }
            | Request::Learn { .. }
    )
}

/// Whether this does something, and does not only tell.
pub(super) const fn is_act(request: &Request) -> bool {
    is_change(request)
        || matches!(
            request,
            Request::BansAdd { .. }
                | Request::BansImport { .. }
                | Request::Lists { .. }
                | Request::Expel { .. }
                | Request::Forget { .. }
                | Request::EndHeld { .. }
        )
}

impl Operator {
    /// For who is at the other end of the socket, as the kernel says.
    pub(in crate::server) fn for_peer(mut self, stream: &UnixStream) -> Self {
        if let Ok(peer) = stream.peer_cred() {
            self.caller = Caller::User(peer.uid());
        }
        self
    }

    /// Answers one question, and tells the log that `by` has asked, if it changed something. What does something is done
    /// to its end, also when nobody waits for the answer any more.
    pub async fn answer_by(&self, request: Request, by: Option<&str>) -> Response {
        if !is_act(&request) {
            return self.carry_out(request, by).await;
        }
        let (operator, by) = (self.clone(), by.map(str::to_owned));
        let doing = tokio::spawn(async move { operator.carry_out(request, by.as_deref()).await });
        doing.await.unwrap_or_else(|ended| Response::Refused {
            message: ended.to_string(),
        })
    }

    async fn carry_out(&self, request: Request, by: Option<&str>) -> Response {
        let now = self.context.services.judging.clock.now();
        let mut changes = Vec::new();
        let is_change = is_change(&request);
        let answered = match self.may_answer(&request) {
            true => self.decide(request, now, &mut changes).await,
            false => Err("this process was stopped: another one serves, and answers".to_owned()),
        };
        let kept = match changes.is_empty() && !is_change {
            true => Ok(()),
            false => self.disk_has(changes).await,
        };
        let response = match answered {
            Ok(response) => present::kept(response, kept),
            Err(message) => Response::Refused { message },
        };
        self.tell(&response, by, now);
        response
    }

    /// Has the journal keep what a command changed, and says whether the disk has it. A command that finds everything as it wants
    /// it may be the second one of its kind: what the first changed is not kept either while the disk refuses.
    pub(super) async fn disk_has(&self, changes: Changes) -> WriteOutcome {
        if changes.is_empty() {
            let refused = self.context.state.not_kept();
            return refused.map_or(Ok(()), |refused| Err(refused.why));
        }
        self.context.services.judging.notices.keep(changes).await
    }

    /// Tells what was done, if anything was, and who did it (`by`) where that is known.
    pub(super) fn tell(&self, response: &Response, by: Option<&str>, now: Moment) {
        let did = match response {
            Response::Done { message }
            | Response::Ended { message, .. }
            | Response::NotKept { message } => message.clone(),
            Response::BansImported {
                banned, sessions, ..
            } if *banned > 0 => {
                format!("{banned} banned from a list; {sessions} sessions ended")
            }
            Response::Learnt(taught) if taught.changed() => {
                events::learnt(taught.pairs, taught.users);
                if taught.settling_ended {
                    events::settled();
                }
                let (pairs, users) = (taught.pairs, taught.users);
                let did =
                    format!("learnt: {pairs} pairs newly familiar, {users} users newly known");
                return self.keep(did, now);
            }
            _ => return,
        };
        match by {
            Some(by) => events::operator(&did, &by),
            None => events::operator(&did, &self.caller),
        }
        let did = by.map_or_else(|| did.clone(), |by| format!("{did} ({by})"));
        self.keep(did, now);
    }

    fn keep(&self, did: String, now: Moment) {
        let recorder = &self.context.services.judging.recorder;
        recorder.tell(now, RecordedEvent::Act(did));
    }
}
