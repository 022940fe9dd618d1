//! gate_policy - the gate as a policy: admission, judging, Postfix, settlement
//!
//! The same judging that runs live: gate, both stages, and the queue before Postfix with its defaults. Around
//! it stand what a live server has: banned clients are reset before they speak, and a password check takes
//! 45 ms, and half a second if it fails. Attempts that need no turn are settled in the moment in which they come.
//! At Dovecot's doors (`at_door`) it is asked by Dovecot, which shows a hash, waits for no turn, and says to who is
//! refused that the password is wrong.
//! Not here: files (`store`), waiting (the daemon's `judging`).

mod at_door;
mod several;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::traffic::people::CarrierSystems;
use crate::traffic::policy::{
    Asked, ClientAnswer, Ended, Expected, Incident, LoginAttempt, Outcome, Policy,
};
use crate::traffic::{MINUTE, START};
use at_door::{AtDoors, NO_TURN, ShownAttempt, told};
use gatepost_core::gate::queue::Woken;
use gatepost_core::gate::request::attempt::{AuthOutcome, UserName};
use gatepost_core::gate::request::change::{Change, Fact, Subject};
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::doors::Door;
use gatepost_core::gate::request::settings::{GateSettings, QueueSettings};
use gatepost_core::gate::request::verdict::{FailureReply, Reason, Standing};
use gatepost_core::gate::sequence::{Begun, GrantedAttempt, JudgingSequence, RefusedAttempt};
use gatepost_core::gate::state::file::StateFile;
use gatepost_core::gate::state::journal;
use gatepost_core::gate::{Changes, Gate, Keys};
use gatepost_core::moment::Moment;

/// One bcrypt.
const CHECK: Duration = Duration::from_millis(45);
/// The same with a wrong password: Dovecot answers failures twice a second.
const FAILED_CHECK: Duration = Duration::from_millis(500);
/// Later than every deadline.
const NEVER: Moment = Moment::from_nanos(u64::MAX);

/// The gate, and what a live server has around it.
#[derive(Debug)]
pub struct GatePolicy {
    judging: JudgingSequence<u64>,
    settings: GateSettings,
    starts: u8,
    /// Those in the queue, by their tickets.
    waiting: HashMap<u64, ShownAttempt>,
    /// Those of them that wait for a moment only, the first to stop waiting first.
    at_doors: AtDoors,
    serving: Vec<Serving>,
    changes: Changes,
    ticked: Moment,
    /// The last snapshot, and the journal since.
    snapshot: Option<[StateFile; 2]>,
    journal: Vec<Change>,
    bans: u64,
    bans_lost: u64,
    /// What other machines are to be told; none: there are none.
    told: Option<Changes>,
}

#[derive(Debug)]
struct Serving {
    ticket: u64,
    granted: GrantedAttempt,
    expected: Expected,
    door: Door,
    done: Moment,
}

impl GatePolicy {
    /// A gate that knows nobody.
    pub fn new(settings: GateSettings) -> Self {
        Self {
            judging: judging(Gate::new(settings.clone(), keys(0), START)),
            settings,
            starts: 0,
            waiting: HashMap::new(),
            at_doors: AtDoors::default(),
            serving: Vec::new(),
            changes: Vec::new(),
            ticked: START,
            snapshot: None,
            journal: Vec::new(),
            bans: 0,
            bans_lost: 0,
            told: None,
        }
    }

    fn tick(&mut self, now: Moment) {
        if now.since(self.ticked) >= MINUTE {
            self.ticked = now;
            self.judging.gate().tick(now, &mut self.changes);
        }
        self.keep_changes();
    }

    fn keep_changes(&mut self) {
        for change in self.changes.drain(..) {
            if let Some(told) = &mut self.told
                && change.concerns_others()
            {
                told.push(change);
            }
            self.bans += u64::from(matches!(change.fact, Fact::BanBegan(_)));
            if self.snapshot.is_some() {
                self.journal.push(change);
            }
        }
    }

    /// Judges those whose turn it is and refuses those whose deadline has come. A refusal in turn frees the
    /// turn for the next.
    fn advance(&mut self, now: Moment, ended: &mut Ended) {
        loop {
            let woken = self.judging.queue().advance(now);
            if woken.is_empty() {
                return;
            }
            for woken in woken {
                self.wake_one(woken, now, ended);
            }
        }
    }

    fn wake_one(&mut self, woken: Woken<u64>, now: Moment, ended: &mut Ended) {
        let (Woken::Missed(ticket) | Woken::Turn(ticket, _)) = &woken;
        let ticket = *ticket;
        let Some(waiting) = self.waiting.remove(&ticket) else {
            return;
        };
        let door = waiting.attempt.door;
        let (judging, changes) = (&self.judging, &mut self.changes);
        let shown = waiting.shown(ticket);
        let (judged, pace) = match woken {
            Woken::Turn(_, turn) => (judging.in_turn(turn, &shown, now, changes), Duration::ZERO),
            Woken::Missed(_) if door.has_later() => {
                (Err(judging.missed(&shown, now)), Duration::ZERO)
            }
            Woken::Missed(_) => (
                judging.without_turn(waiting.class, &shown, now, changes),
                NO_TURN,
            ),
        };
        match judged {
            Ok(granted) => self.serve(ticket, granted, &waiting.attempt, (pace, now)),
            Err(refused) => ended.push((ticket, refusal(door, refused))),
        }
    }

    /// It is at Postfix or Dovecot, once its password has waited for as long as it must.
    fn serve(
        &mut self,
        ticket: u64,
        mut granted: GrantedAttempt,
        attempt: &LoginAttempt,
        (pace, now): (Duration, Moment),
    ) {
        let delay = granted.permit().delay().max(pace);
        if !delay.is_zero() {
            self.judging.give_up_turn(&mut granted);
        }
        let expected = attempt.expected;
        let check = match expected {
            Expected::Right => CHECK,
            Expected::Wrong | Expected::NoSuchUser | Expected::Outage => FAILED_CHECK,
        };
        self.serving.push(Serving {
            ticket,
            granted,
            expected,
            door: attempt.door,
            done: now + delay + check,
        });
    }

    /// Those at Dovecot's doors for which no turn came soon go on without one.
    fn stop_waiting(&mut self, now: Moment, ended: &mut Ended) {
        while let Some((ticket, place)) = self.at_doors.pop(now) {
            self.judging.queue().leave(place);
            self.wake_one(Woken::Missed(ticket), now, ended);
        }
    }

    fn settle(
        &mut self,
        granted: GrantedAttempt,
        (door, expected): (Door, Expected),
        now: Moment,
    ) -> Outcome {
        let asked = match granted.permit().grounds() {
            Reason::Repeat => Asked::Again,
            _ => Asked::Once,
        };
        let outcome = match expected {
            Expected::Right => AuthOutcome::Accept,
            Expected::Wrong | Expected::NoSuchUser | Expected::Outage => AuthOutcome::Reject,
        };
        let settled = self
            .judging
            .settle(granted, outcome, now, &mut self.changes);
        let answer = match settled.outcome {
            AuthOutcome::Accept => ClientAnswer::LoggedIn,
            AuthOutcome::Reject if settled.reply == FailureReply::Refusal => {
                ClientAnswer::FailedOrPutOff
            }
            AuthOutcome::Reject => ClientAnswer::Wrong,
            AuthOutcome::Defer
            | AuthOutcome::Stalled
            | AuthOutcome::Abandoned
            | AuthOutcome::Unreported => ClientAnswer::Later(settled.reason),
        };
        let answer = told(door, answer);
        Outcome { answer, asked }
    }

    /// Starts anew. Who was waiting or at Postfix is cut off.
    fn start(&mut self, files: &[StateFile], now: Moment, ended: &mut Ended) {
        self.cut_off(ended);
        let banned = self.banned(now);
        self.starts = self.starts.wrapping_add(1);
        let keys = keys(self.starts);
        let (gate, _) = Gate::restore(self.settings.clone(), keys, files, now);
        self.judging = judging(gate);
        if self.told.is_some() {
            self.gate().begin_telling_spent();
        }
        let still = self.banned(now);
        let lost = banned.iter().filter(|subject| !still.contains(subject));
        self.bans_lost += lost.count() as u64;
    }

    /// Those who wait in the order in which they came, then those at Postfix, whose turns are free again.
    fn cut_off(&mut self, ended: &mut Ended) {
        let mut cut = |ticket, asked| {
            let answer = ClientAnswer::Cut;
            ended.push((ticket, Outcome { answer, asked }));
        };
        for woken in self.judging.queue().advance(NEVER) {
            let (Woken::Missed(ticket) | Woken::Turn(ticket, _)) = woken;
            cut(ticket, Asked::Not);
        }
        self.waiting.clear();
        self.at_doors.clear();
        for mut serving in self.serving.drain(..) {
            self.judging.give_up_turn(&mut serving.granted);
            cut(serving.ticket, Asked::Once);
        }
    }

    fn banned(&self, now: Moment) -> Vec<Subject> {
        let bans = self.judging.gate().bans(now).into_iter();
        bans.map(|ban| ban.subject).collect()
    }
}

impl Policy for GatePolicy {
    fn name(&self) -> &'static str {
        "gatepost"
    }

    fn log_in(&mut self, ticket: u64, attempt: LoginAttempt, now: Moment, ended: &mut Ended) {
        self.tick(now);
        let standing = self.judging.gate().standing(attempt.client, now);
        // Connections to Dovecot's own doors are none of ours.
        if attempt.door.has_later() && matches!(standing, Standing::Deny | Standing::Banned) {
            let answer = ClientAnswer::Later(Some(Reason::Ban));
            let asked = Asked::Not;
            ended.push((ticket, Outcome { answer, asked }));
            return;
        }
        let mut asked = ShownAttempt::new(attempt, self.settings.nonce.as_ref());
        let LoginAttempt { door, expected, .. } = asked.attempt;
        let shown = asked.shown(ticket);
        match self.judging.begin(&shown, now, &mut self.changes) {
            Begun::Granted(granted) if !granted.permit().delay().is_zero() => {
                self.serve(ticket, granted, &asked.attempt, (Duration::ZERO, now));
            }
            Begun::Granted(granted) => {
                let outcome = self.settle(granted, (door, expected), now);
                ended.push((ticket, outcome));
            }
            Begun::Refused(refused) => ended.push((ticket, refusal(door, refused))),
            Begun::Wait(class) => {
                asked.class = class;
                let network = asked.attempt.client.network();
                self.waiting.insert(ticket, asked);
                let place = self.judging.queue().enter(network, class, ticket, now);
                if !door.has_later() {
                    self.at_doors.push(ticket, place, now);
                }
                self.advance(now, ended);
            }
        }
    }

    fn next(&self) -> Option<Moment> {
        let served = self.serving.iter().map(|serving| serving.done);
        let missed = self.judging.queue().next_deadline();
        served.chain(missed).chain(self.at_doors.next()).min()
    }

    fn wake(&mut self, now: Moment, ended: &mut Ended) {
        while let Some(at) = self.serving.iter().position(|serving| serving.done <= now) {
            let served = self.serving.remove(at);
            let outcome = self.settle(served.granted, (served.door, served.expected), now);
            ended.push((served.ticket, outcome));
        }
        self.stop_waiting(now, ended);
        self.advance(now, ended);
    }

    fn learn(&mut self, user: &UserName, client: ClientKey, when: Moment, now: Moment) {
        let gate = self.judging.gate();
        gate.learn(user, client, when, now, &mut self.changes);
    }

    fn learnt(&mut self) {
        self.judging.gate().finish_settling();
    }

    fn happen(&mut self, incident: Incident, now: Moment, ended: &mut Ended) {
        self.tick(now);
        match incident {
            Incident::Snapshot => {
                self.snapshot = self.judging.gate().snapshots(now).ok();
                self.journal.clear();
            }
            Incident::Restart => {
                if let Ok(files) = self.judging.gate().snapshots(now) {
                    self.start(&files, now, ended);
                }
            }
            Incident::Kill => {
                if let Some([known, debts]) = self.snapshot.take() {
                    let changes = journal::file(&std::mem::take(&mut self.journal));
                    self.start(&[known, debts, changes], now, ended);
                }
            }
        }
    }

    fn bans(&self) -> u64 {
        self.bans
    }

    fn bans_lost(&self) -> u64 {
        self.bans_lost
    }
}

fn judging(gate: Gate) -> JudgingSequence<u64> {
    gate.ask_systems(Arc::new(CarrierSystems));
    JudgingSequence::new(gate, QueueSettings::default())
}

/// What a client sees of a refusal.
fn refusal(door: Door, refused: RefusedAttempt) -> Outcome {
    let answer = match refused {
        RefusedAttempt::Repeat => ClientAnswer::Wrong,
        RefusedAttempt::Refuse(refusal) | RefusedAttempt::Crowded(refusal) => {
            ClientAnswer::Later(Some(refusal.reason))
        }
    };
    Outcome {
        answer: told(door, answer),
        asked: Asked::Not,
    }
}

/// The key for users stays, the others are new after every start.
fn keys(starts: u8) -> Keys {
    Keys {
        users: [1; 16],
        passwords: [starts; 16],
        table: [starts.wrapping_add(128); 16],
    }
}
