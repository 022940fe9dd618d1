//! sync - when a machine asks for all that is known, and when it tells that
//!
//! Who starts, or has missed something, asks; who starts tells what it has of the last day. Of those who are asked one answers, after
//! a short time of its own choice; the others see that and leave it. An answer serves all who have asked. Who lacks letters of one
//! process asks that one, which tells them again, or all if it does not know any more what they said.
//! Decides only; the octets and their way are `sharing`'s.

use std::time::Duration;

use super::settling_in::SignOfLife;
use super::told_letters::ToldLetters;
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
/// Nobody tells letters again more often.
const AGAIN: Duration = Duration::from_secs(5);
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

/// Why something is being told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Unasked,
    /// This process has asked for all.
    Asked(ProcessId),
    /// Somebody lacks letters after this number; the last number when it was told again.
    Lacked(u64, u64),
}

/// What is being told.
#[derive(Debug)]
struct FullTelling {
    cause: Cause,
    facts: ToldFacts,
    /// What users owe: told to who has asked, behind all else. None: it is not looked up yet.
    debts: Option<Vec<UserDebt>>,
}

/// Where the facts are that are told.
#[derive(Debug)]
enum ToldFacts {
    /// In the gate.
    Known(Telling),
    /// They were told before.
    Again(Vec<Change>),
    /// All are told.
    None,
}

/// What to tell next: what is no fact, then facts, then debts. An end stands behind all of it.
#[derive(Debug, Default)]
pub(super) struct NextTold {
    pub(super) letters: Vec<ClusterTold>,
    pub(super) facts: Vec<Change>,
    /// Whether these facts were told before.
    pub(super) again: bool,
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
    /// Somebody lacks what this process told after this number.
    lacked: Option<u64>,
    /// When it told letters again last.
    told_again: Option<Moment>,
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
            lacked: None,
            told_again: None,
            hello: SignOfLife::default(),
        };
        new.missed();
        new.tell_recent();
        new
    }

    /// Something may have been missed, by the others too: they see by the next sign of life what they lack.
    pub(super) fn missed(&mut self) {
        self.lack = Missing::Something;
        self.greet();
    }

    /// What this machine has to tell found no room, or was told by a process before this one.
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
        match self.answer.take().map(|answer| answer.cause) {
            Some(Cause::Asked(asker)) => self.due = Some((now, asker)),
            Some(Cause::Unasked) => self.recent = true,
            Some(Cause::Lacked(since, _)) => self.lacks(since),
            None => {}
        }
    }

    /// Somebody lacks what this process told after this number.
    fn lacks(&mut self, since: u64) {
        let is_told =
            |answer: &FullTelling| matches!(answer.cause, Cause::Lacked(told, _) if told <= since);
        if !self.answer.as_ref().is_some_and(is_told) {
            self.lacked = Some(self.lacked.map_or(since, |lowest| lowest.min(since)));
        }
    }

    /// Tells again now what somebody lacks, if that is due.
    pub(super) fn tell_again(&mut self, told: &ToldLetters, gate: &Gate, now: Moment) {
        let Some(since) = self.lacked.filter(|_| self.answer.is_none()) else {
            return;
        };
        let rested = |last: Option<Moment>, rest| last.is_none_or(|at| now.since(at) >= rest);
        let facts = match told.since(since) {
            Some(facts) if rested(self.told_again, AGAIN) => ToldFacts::Again(facts),
            None if rested(self.answered, ANSWERS) => {
                self.answered = Some(now);
                ToldFacts::Known(gate.begin_telling(Moment::EPOCH, now))
            }
            _ => return,
        };
        self.lacked = None;
        self.told_again = Some(now);
        self.answer = Some(FullTelling {
            cause: Cause::Lacked(since, told.number()),
            facts,
            debts: None,
        });
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
            ClusterTold::Lacks(lacked) => {
                if lacked.process == self.process && common.since(lacked.at) <= OLD {
                    self.lacks(lacked.since);
                }
            }
            ClusterTold::Hello(_) | ClusterTold::Spent(_) | ClusterTold::ToldAgain { .. } => {}
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
        match &mut answer.facts {
            ToldFacts::Known(telling) => {
                for _ in 0..PER_ROUND {
                    match gate.next_told(telling, now) {
                        Some(more) => told.facts.extend(more),
                        None => {
                            answer.facts = ToldFacts::None;
                            break;
                        }
                    }
                }
            }
            ToldFacts::Again(facts) => {
                told.facts.append(facts);
                told.again = true;
                answer.facts = ToldFacts::None;
            }
            ToldFacts::None => {}
        }
        if !matches!(answer.facts, ToldFacts::None) {
            return;
        }
        let is_asked = answer.cause != Cause::Unasked;
        let debts = answer.debts.get_or_insert_with(|| match is_asked {
            true => gate.user_debts(now),
            false => Vec::new(),
        });
        let rest = debts.len().saturating_sub(DEBTS);
        told.debts = debts.split_off(rest);
        if rest == 0 {
            told.end = match answer.cause {
                Cause::Unasked => None,
                Cause::Asked(asker) => Some(ClusterTold::Ends(asker)),
                Cause::Lacked(since, from) => Some(ClusterTold::ToldAgain { since, from }),
            };
            self.answer = None;
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
                cause: Cause::Asked(asker),
                facts: ToldFacts::Known(gate.begin_telling(Moment::EPOCH, now)),
                debts: None,
            });
        } else if std::mem::take(&mut self.recent) {
            self.answer = Some(FullTelling {
                cause: Cause::Unasked,
                facts: ToldFacts::Known(gate.begin_telling(now - RECENT, now)),
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
