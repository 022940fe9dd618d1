//! counted - what processes that were stopped still have, in the bounds of users and of Postfix's processes
//!
//! They are asked before the first client comes, and then as often as the own sessions are looked at. A session of theirs that gives
//! way to a login here ends at once.
//! Not here: who finds room and who gives way (`session::registry`), Postfix's processes (`gate::processes`).

use std::io;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tracing::debug;

use super::{LeavingProcess, Predecessors, ask, has_gone};
use crate::admin::message::{HeldMessage, WhyEnded, WorkMessage};
use crate::drain::Drain;
use crate::session::registry::{SAMPLE, SessionElsewhere, SessionWork, ToldElsewhere};
use gatepost_core::moment::Moment;

impl Predecessors {
    /// Asks which sessions they have, and counts these.
    pub(in crate::server) async fn count(&self) {
        let answers = self
            .ask_all(|_, process| async move { ask::held(&process.socket).await })
            .await;
        let now = self.services.judging.clock.now();
        let mut told = ToldElsewhere::new();
        for (process, answer) in answers {
            match answer {
                Ok(held) => {
                    let sessions = held.iter().map(|one| self.elsewhere(one, now)).collect();
                    told.insert(process.id, Some(sessions));
                }
                Err(fault) if has_gone(&fault) => {}
                Err(fault) => {
                    debug!(socket = %process.socket.display(), %fault, "a stopped process does not answer");
                    told.insert(process.id, None);
                }
            }
        }
        self.services.registry.take_over(&told);
        self.count_processes();
    }

    /// Asks them every few seconds, and ends what gives way, until the drain.
    pub(in crate::server) async fn follow(self, mut drain: Drain) {
        let registry = &self.services.registry;
        let mut samples = interval(SAMPLE);
        samples.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = samples.tick() => self.count().await,
                () = registry.somebody_gives_way() => self.end_those_that_give_way().await,
                () = drain.begun() => return,
            }
        }
    }

    async fn end_those_that_give_way(&self) {
        let registry = &self.services.registry;
        let end = |this: Self, process: LeavingProcess| async move {
            let numbers = this.services.registry.giving_way().remove(&process.id);
            match numbers {
                Some(numbers) => Some(end_for_others(&process, numbers).await),
                None => None,
            }
        };
        for (process, told) in self.ask_all(end).await {
            if let Some(told) = told {
                registry.told(process.id, &told);
            }
        }
        self.count_processes();
    }

    fn count_processes(&self) {
        let config = self.services.config.load();
        let processes = config.upstream.processes();
        processes.elsewhere(self.services.registry.elsewhere());
    }

    fn elsewhere(&self, one: &HeldMessage, now: Moment) -> SessionElsewhere {
        // Of a version that does not tell it: at work, and begun before this process, as all of them.
        let work = one.work.unwrap_or(WorkMessage {
            lasts_s: now.since(self.began).as_secs(),
            still_s: 0,
            lately: u32::MAX,
            clients_turn: false,
        });
        SessionElsewhere {
            number: one.number,
            user: self.user_of(one),
            work: SessionWork {
                since: now - Duration::from_secs(work.lasts_s),
                moved: now - Duration::from_secs(work.still_s),
                seen: now,
                lately: work.lately,
                clients_turn: work.clients_turn,
            },
        }
    }
}

/// Ends sessions whose places others take. How many there were.
async fn end_for_others(process: &LeavingProcess, numbers: Vec<u64>) -> io::Result<usize> {
    let ended = ask::end(&process.socket, numbers.clone(), WhyEnded::GaveWay).await;
    match ended {
        // A version that knows no reasons.
        Err(fault) if fault.kind() == io::ErrorKind::Other => {
            ask::end(&process.socket, numbers, WhyEnded::ByOrder).await
        }
        ended => ended,
    }
}
