//! sync - when a machine asks for all that is known, and when it tells that
//!
//! A machine that starts, or has missed something, asks; one that starts tells what it has of the last day. One of the
//! machines that are asked answers, after a short time of its own choice; the others see that and do not answer, except a
//! machine that knows more users. An answer serves all machines that have asked. A machine that knows more users than the
//! one that answers tells all of it then. A machine that lacks letters of one process asks that process, which tells them
//! again, or tells all if it does not know any more what they said.
//! Decides only; the octets and their way are `sharing`'s.

mod full_telling;

use std::time::Duration;

pub(super) use full_telling::NextTold;
use full_telling::{FullTelling, TellingCause, ToldFacts, Unasked};

use super::settling_in::SignOfLife;
use super::told_letters::ToldLetters;
use crate::cluster::message::{ClusterLetter, ClusterTold, FullAnswer, ProcessId};
use gatepost_core::gate::Gate;
use gatepost_core::moment::Moment;

/// Nobody asks more often, whatever becomes of the stream.
const ASKS: Duration = Duration::from_secs(5);
/// A question that nobody answers is put again after this, if there is anybody.
const PATIENCE: Duration = Duration::from_secs(30);
/// A machine that was there within this may answer.
const COMPANY: Duration = Duration::from_secs(180);
/// Nobody answers more often.
const ANSWERS: Duration = Duration::from_secs(20);
/// Up to this an answer waits, so that one machine answers and not all.
const CHOICE: Duration = Duration::from_secs(2);
/// A machine that has missed something too waits so much longer.
const LAST: Duration = Duration::from_secs(5);
/// Nobody tells letters again more often.
const AGAIN: Duration = Duration::from_secs(5);
/// A question that is older is not answered, and an answer that began before is none to a question of now.
const OLD: Duration = Duration::from_secs(60);
/// How far two machines may be apart in what the store's clock shows.
const APART: Duration = Duration::from_secs(1);
/// No answer takes longer: its end was lost.
const LONGEST: Duration = Duration::from_secs(3600);
/// What a machine tells unasked.
const RECENT: Duration = Duration::from_secs(86_400);

/// What a machine may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missing {
    Nothing,
    /// It has not asked yet.
    Something,
    Asked(Moment),
    /// A process answers.
    Served(AnsweringProcess),
}

/// The process that answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct AnsweringProcess {
    process: ProcessId,
    answer: FullAnswer,
    began: Moment,
    /// When it told something last.
    last: Moment,
}

/// The state of one machine.
#[derive(Debug)]
pub(super) struct FullSync {
    process: ProcessId,
    lack: Missing,
    answer: Option<FullTelling>,
    unasked: Option<Unasked>,
    /// When it asked last, by its own clock and by the store's.
    asked: Option<(Moment, Moment)>,
    /// Which machine to answer, and when.
    due: Option<(Moment, ProcessId)>,
    /// When it answered last.
    answered: Option<Moment>,
    /// Somebody lacks what this process told after this number.
    lacked: Option<u64>,
    /// When it told letters again last.
    told_again: Option<Moment>,
    /// Whether somebody may have missed orders, of which no state tells later; and when they were told again last.
    orders: bool,
    told_orders: Option<Moment>,
    hello: SignOfLife,
}

impl FullSync {
    /// A process that starts may have missed anything.
    pub(super) fn new(process: ProcessId) -> Self {
        let mut new = Self {
            process,
            lack: Missing::Nothing,
            answer: None,
            unasked: None,
            asked: None,
            due: None,
            answered: None,
            lacked: None,
            told_again: None,
            orders: false,
            told_orders: None,
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
        self.tell_unasked(Unasked::Recent);
    }

    fn tell_unasked(&mut self, what: Unasked) {
        self.unasked = self.unasked.max(Some(what));
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
            Some(TellingCause::Asked(answer)) => self.due = Some((now, answer.asker)),
            Some(TellingCause::Unasked(what)) => self.tell_unasked(what),
            Some(TellingCause::Lacked(since, _)) => self.lacks(since),
            None => {}
        }
    }

    /// Somebody lacks what this process told after this number.
    fn lacks(&mut self, since: u64) {
        let is_told = |answer: &FullTelling| matches!(answer.cause, TellingCause::Lacked(told, _) if told <= since);
        if !self.answer.as_ref().is_some_and(is_told) {
            self.lacked = Some(self.lacked.map_or(since, |lowest| lowest.min(since)));
        }
    }

    /// Tells again now what somebody lacks, if that is due.
    pub(super) fn tell_again(&mut self, told: &ToldLetters, gate: &Gate, now: Moment) {
        let Some(since) = self.lacked.filter(|_| self.answer.is_none()) else {
            return;
        };
        let facts = match told.since(since) {
            Some(facts) if rested(self.told_again, AGAIN, now) => ToldFacts::Again(facts),
            None if rested(self.answered, ANSWERS, now) => {
                self.answered = Some(now);
                self.orders = true;
                ToldFacts::Known(gate.begin_telling(Moment::EPOCH, now))
            }
            _ => return,
        };
        self.lacked = None;
        self.told_again = Some(now);
        let cause = TellingCause::Lacked(since, told.number());
        self.answer = Some(FullTelling::new(cause, facts));
    }

    /// Whether it has been told all that the others knew.
    pub(super) fn is_whole(&self) -> bool {
        self.lack == Missing::Nothing
    }

    /// Whether it is time to tell orders again that somebody may have missed; they are told then.
    pub(super) fn orders_are_due(&mut self, now: Moment) -> bool {
        let is_due = self.orders && rested(self.told_orders, AGAIN, now);
        if is_due {
            (self.orders, self.told_orders) = (false, Some(now));
        }
        is_due
    }

    /// Another process tells something, at `common` by the store's clock.
    pub(super) fn note(
        &mut self,
        letter: &ClusterLetter,
        gate: &Gate,
        (now, common): (Moment, Moment),
    ) {
        let by = letter.process;
        match letter.told {
            ClusterTold::Asks(at) => {
                if common.since(at) > OLD {
                    return;
                }
                self.orders = true;
                if self.due.is_none() {
                    let rested = self.answered.map_or(now, |at| at + ANSWERS);
                    self.due = Some((rested.max(now) + self.choice(by), by));
                }
            }
            ClusterTold::Begins(answer) if common.since(answer.at) <= OLD => {
                // An answer of the one who asked is not for itself.
                let is_better = || knows_more(users(gate), answer.users);
                if self.due.is_some_and(|(_, asker)| asker != by) && !is_better() {
                    self.due = None;
                }
                self.is_served(by, answer, now);
            }
            ClusterTold::Ends(answer) => {
                if let Missing::Served(server) = self.lack
                    && (server.process, server.answer) == (by, answer)
                {
                    self.lack = Missing::Nothing;
                    if knows_more(users(gate), answer.users) {
                        self.tell_unasked(Unasked::All);
                    }
                }
            }
            ClusterTold::Facts(_) | ClusterTold::Owed(_) => {
                if let Missing::Served(server) = &mut self.lack
                    && server.process == by
                {
                    server.last = now;
                }
            }
            ClusterTold::Lacks(lacked) => {
                if lacked.process == self.process && common.since(lacked.at) <= OLD {
                    self.lacks(lacked.since);
                }
            }
            ClusterTold::Begins(_)
            | ClusterTold::Hello(_)
            | ClusterTold::Spent(_)
            | ClusterTold::ToldAgain { .. } => {}
        }
    }

    /// Whichever process has asked: all of it comes, and what is told behind it. But for a record of before this one's question.
    fn is_served(&mut self, by: ProcessId, answer: FullAnswer, now: Moment) {
        let asked = self.asked.map(|(_, common)| common);
        let is_answer = asked.is_none_or(|asked| answer.at + APART >= asked);
        if is_answer && matches!(self.lack, Missing::Something | Missing::Asked(_)) {
            self.lack = Missing::Served(AnsweringProcess {
                process: by,
                answer,
                began: now,
                last: now,
            });
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
            Missing::Something => rested(self.asked.map(|(at, _)| at), ASKS, now),
            Missing::Asked(at) => now.since(at) >= PATIENCE && has_company(now - COMPANY),
            Missing::Served(AnsweringProcess { began, last, .. }) => {
                let is_over = now.since(last) >= PATIENCE || now.since(began) >= LONGEST;
                is_over && has_company(now - COMPANY)
            }
        };
        if asks {
            self.lack = Missing::Asked(now);
            self.asked = Some((now, common));
            told.letters.push(ClusterTold::Asks(common));
        }
        self.begin(gate, (now, common), &mut told.letters);
        if let Some(answer) = &mut self.answer
            && answer.go_on(gate, now, &mut told)
        {
            self.answer = None;
        }
        told
    }

    /// Begins to tell what is to be told, one at a time.
    fn begin(&mut self, gate: &Gate, (now, common): (Moment, Moment), told: &mut Vec<ClusterTold>) {
        if self.answer.is_some() {
            return;
        }
        let (cause, since) = if let Some((_, asker)) = self.due.take_if(|(at, _)| *at <= now) {
            self.answered = Some(now);
            self.unasked = None;
            // It serves those who have not asked, too.
            self.orders = true;
            let answer = FullAnswer {
                asker,
                at: common,
                users: users(gate),
            };
            told.push(ClusterTold::Begins(answer));
            (TellingCause::Asked(answer), Moment::EPOCH)
        } else {
            match self.unasked.take() {
                None => return,
                Some(what @ Unasked::Recent) => (TellingCause::Unasked(what), now - RECENT),
                Some(what @ Unasked::All) => (TellingCause::Unasked(what), Moment::EPOCH),
            }
        };
        let facts = ToldFacts::Known(gate.begin_telling(since, now));
        self.answer = Some(FullTelling::new(cause, facts));
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

fn rested(last: Option<Moment>, rest: Duration, now: Moment) -> bool {
    last.is_none_or(|at| now.since(at) >= rest)
}

/// How many users this machine knows.
pub(super) fn users(gate: &Gate) -> u64 {
    gate.known().0 as u64
}

/// Whether it is worth telling, for who knows so many users, to one that knows so many.
const fn knows_more(users: u64, other: u64) -> bool {
    users > other.saturating_add(users / 64)
}

#[cfg(test)]
mod tests;
