//! sync - when a machine asks for all that is known, and when it tells that
//!
//! Who starts, or has missed something, asks, and tells what it has of the last day. Of those who are asked one answers, after a
//! short time of its own choice; the others see that and leave it. An answer serves all who have asked.
//! Decides only; the octets and their way are `sharing`'s.

use std::time::Duration;

use super::settling_in::SignOfLife;
use crate::cluster::message::{ClusterLetter, ClusterTold, ProcessId};
use gatepost_core::gate::Gate;
use gatepost_core::gate::request::change::Change;
use gatepost_core::gate::spent::UserDebt;
use gatepost_core::gate::tell::Telling;
use gatepost_core::moment::Moment;

/// Nobody asks more often, whatever becomes of the stream.
const ASKS: Duration = Duration::from_secs(5);
/// A question that nobody answers is put again after this, if there is anybody.
const PATIENCE: Duration = Duration::from_secs(30);
/// Who was there within this may answer.
const COMPANY: Duration = Duration::from_secs(180);
/// Nobody answers more often.
const ANSWERS: Duration = Duration::from_secs(20);
/// Up to this an answer waits, so that one machine answers and not all.
const CHOICE: Duration = Duration::from_secs(2);
/// Who has missed something too waits so much longer.
const LAST: Duration = Duration::from_secs(5);
/// A question that is older is not answered.
const OLD: Duration = Duration::from_secs(60);
/// What a machine tells unasked.
const RECENT: Duration = Duration::from_secs(86_400);
/// Batches of users that are told in one round.
const PER_ROUND: usize = 4;
/// Debts that are told in one round.
const DEBTS: usize = 1920;

/// What a machine may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missing {
    Nothing,
    /// It has not asked yet.
    Something,
    Asked(Moment),
    /// This process answers, and did last at this moment.
    Served(ProcessId, Moment),
}

/// What is being told, and who has asked for it; none: nobody.
#[derive(Debug)]
struct FullTelling {
    telling: Telling,
    asker: Option<ProcessId>,
    /// What users owe: told to who has asked, behind all else. None: it is not looked up yet.
    debts: Option<Vec<UserDebt>>,
}

/// What to tell next: what is no fact, then facts, then debts. An end stands behind all of it.
#[derive(Debug, Default)]
pub(super) struct NextTold {
    pub(super) letters: Vec<ClusterTold>,
    pub(super) facts: Vec<Change>,
    pub(super) debts: Vec<UserDebt>,
    pub(super) end: Option<ClusterTold>,
}

/// The state of one machine.
#[derive(Debug)]
pub(super) struct FullSync {
    process: ProcessId,
    lack: Missing,
    answer: Option<FullTelling>,
    /// Whether what it knows of the last day is to be told.
    recent: bool,
    /// When it asked last.
    asked: Option<Moment>,
    /// Which machine to answer, and when.
    due: Option<(Moment, ProcessId)>,
    /// When it answered last.
    answered: Option<Moment>,
    hello: SignOfLife,
}

impl FullSync {
    /// A process that starts may have missed anything.
    pub(super) fn new(process: ProcessId) -> Self {
        let mut new = Self {
            process,
            lack: Missing::Nothing,
            answer: None,
            recent: false,
            asked: None,
            due: None,
            answered: None,
            hello: SignOfLife::default(),
        };
        new.missed();
        new
    }

    /// Something may have been missed; and what this machine told was perhaps lost with it.
    pub(super) fn missed(&mut self) {
        self.lack = Missing::Something;
        self.tell_recent();
    }

    /// What this machine has to tell found no room.
    pub(super) fn tell_recent(&mut self) {
        self.recent = true;
    }

    /// The others are to see at once that it is there.
    pub(super) fn greet(&mut self) {
        self.hello.again();
    }

    /// What was being told did not arrive.
    pub(super) fn interrupted(&mut self, now: Moment) {
        self.hello.again();
        if self.lack != Missing::Nothing {
            self.lack = Missing::Something;
        }
        match self.answer.take() {
            Some(FullTelling {
                asker: Some(asker), ..
            }) => self.due = Some((now, asker)),
            Some(FullTelling { asker: None, .. }) => self.recent = true,
            None => {}
        }
    }

    /// Whether it has been told all that the others knew.
    pub(super) fn is_whole(&self) -> bool {
        self.lack == Missing::Nothing
    }

    /// Another process tells something, at `common` by the store's clock.
    pub(super) fn note(&mut self, letter: &ClusterLetter, common: Moment, now: Moment) {
        let by = letter.process;
        match letter.told {
            ClusterTold::Asks(at) => {
                let is_old = common.since(at) > OLD;
                if !is_old && self.due.is_none() {
                    let rested = self.answered.map_or(now, |at| at + ANSWERS);
                    self.due = Some((rested.max(now) + self.choice(by), by));
                }
            }
            ClusterTold::Begins(_) => {
                // An answer of the one who asked is not for itself.
                if self.due.is_some_and(|(_, asker)| asker != by) {
                    self.due = None;
                }
                // Whichever process has asked: all of it comes, and what is told behind it.
                if matches!(self.lack, Missing::Something | Missing::Asked(_)) {
                    self.lack = Missing::Served(by, now);
                }
            }
            ClusterTold::Ends(_) => {
                if matches!(self.lack, Missing::Served(server, _) if server == by) {
                    self.lack = Missing::Nothing;
                }
            }
            ClusterTold::Facts(_) | ClusterTold::Owed(_) => {
                if let Missing::Served(server, at) = &mut self.lack
                    && *server == by
                {
                    *at = now;
                }
            }
            ClusterTold::Hello(_) | ClusterTold::Spent(_) => {}
        }
    }

    /// What to tell next.
    pub(super) fn next(
        &mut self,
        gate: &Gate,
        (now, common): (Moment, Moment),
        has_company: impl Fn(Moment) -> bool,
    ) -> NextTold {
        let mut told = NextTold::default();
        told.letters.extend(self.hello.due(gate, (now, common)));
        let asks = match self.lack {
            Missing::Nothing => false,
            Missing::Something => self.asked.is_none_or(|at| now.since(at) >= ASKS),
            Missing::Asked(at) | Missing::Served(_, at) => {
                now.since(at) >= PATIENCE && has_company(now - COMPANY)
            }
        };
        if asks {
            self.lack = Missing::Asked(now);
            self.asked = Some(now);
            told.letters.push(ClusterTold::Asks(common));
        }
        self.begin(gate, now, &mut told.letters);
        self.go_on(gate, now, &mut told);
        told
    }

    /// Tells the next part of what is being told.
    fn go_on(&mut self, gate: &Gate, now: Moment, told: &mut NextTold) {
        let Some(answer) = &mut self.answer else {
            return;
        };
        for _ in 0..PER_ROUND {
            match gate.next_told(&mut answer.telling, now) {
                Some(more) => told.facts.extend(more),
                None => {
                    let asked = answer.asker.is_some();
                    let debts = answer.debts.get_or_insert_with(|| match asked {
                        true => gate.user_debts(now),
                        false => Vec::new(),
                    });
                    let rest = debts.len().saturating_sub(DEBTS);
                    told.debts = debts.split_off(rest);
                    if rest == 0 {
                        told.end = answer.asker.map(ClusterTold::Ends);
                        self.answer = None;
                    }
                    break;
                }
            }
        }
    }

    /// Begins to tell what is to be told, one at a time.
    fn begin(&mut self, gate: &Gate, now: Moment, told: &mut Vec<ClusterTold>) {
        if self.answer.is_some() {
            return;
        }
        if let Some((_, asker)) = self.due.take_if(|(at, _)| *at <= now) {
            self.answered = Some(now);
            self.recent = false;
            told.push(ClusterTold::Begins(asker));
            self.answer = Some(FullTelling {
                telling: gate.begin_telling(Moment::EPOCH, now),
                asker: Some(asker),
                debts: None,
            });
        } else if std::mem::take(&mut self.recent) {
            self.answer = Some(FullTelling {
                telling: gate.begin_telling(now - RECENT, now),
                asker: None,
                debts: None,
            });
        }
    }

    /// How long this process waits before it answers that one: another time for each of both.
    fn choice(&self, asker: ProcessId) -> Duration {
        let [own, other] = [self.process, asker].map(|id| id.first_chunk::<8>().copied());
        let [own, other] =
            [own, other].map(|octets| u64::from_le_bytes(octets.unwrap_or_default()));
        let within = u64::try_from(CHOICE.as_millis()).unwrap_or_default();
        let wait = Duration::from_millis((own ^ other) % within.max(1));
        match self.lack {
            Missing::Nothing => wait,
            _ => wait + LAST,
        }
    }
}

#[cfg(test)]
mod tests;
