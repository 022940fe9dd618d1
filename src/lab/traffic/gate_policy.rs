//! gate_policy - the gate as a policy: admission, judging, Postfix, settlement
//!
//! The same judging that runs live: gate, both stages, and the queue before Postfix with its defaults. Around
//! it stand what a live server has: banned clients are reset before they speak, and a password check takes
//! 45 ms, and half a second if it fails. Attempts that need no turn are settled in the moment in which they come.
//! Not here: files (`store`), waiting (the daemon's `judging`).

use std::time::Duration;

use crate::traffic::policy::{
    Asked, ClientAnswer, Ended, Expected, Incident, LoginAttempt, Outcome, PasswordForm, Policy,
};
use crate::traffic::{MINUTE, START};
use gatepost_core::gate::queue::Woken;
use gatepost_core::gate::request::attempt::{AuthAttempt, AuthOutcome, Password, UserName};
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
    judging: JudgingSequence<Waiting>,
    settings: GateSettings,
    starts: u8,
    serving: Vec<Serving>,
    changes: Changes,
    ticked: Moment,
    /// The last snapshot, and the journal since.
    snapshot: Option<[StateFile; 2]>,
    journal: Vec<Change>,
    bans: u64,
    bans_lost: u64,
}

#[derive(Debug)]
struct Waiting {
    ticket: u64,
    attempt: LoginAttempt,
}

#[derive(Debug)]
struct Serving {
    ticket: u64,
    granted: GrantedAttempt,
    expected: Expected,
    done: Moment,
}

impl GatePolicy {
    /// A gate that knows nobody.
    pub fn new(settings: GateSettings) -> Self {
        Self {
            judging: judging(Gate::new(settings.clone(), keys(0), START)),
            settings,
            starts: 0,
            serving: Vec::new(),
            changes: Vec::new(),
            ticked: START,
            snapshot: None,
            journal: Vec::new(),
            bans: 0,
            bans_lost: 0,
        }
    }

    fn tick(&mut self, now: Moment) {
        if now.since(self.ticked) >= MINUTE {
            self.ticked = now;
            self.judging.gate().tick(now, &mut self.changes);
        }
        for change in self.changes.drain(..) {
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

    fn wake_one(&mut self, woken: Woken<Waiting>, now: Moment, ended: &mut Ended) {
        let (judging, changes) = (&self.judging, &mut self.changes);
        let (ticket, judged) = match woken {
            Woken::Missed(Waiting { ticket, attempt }) => {
                let shown = shown(&attempt, ticket);
                (ticket, Err(judging.missed(&shown, now)))
            }
            Woken::Turn(Waiting { ticket, attempt }, turn) => {
                let judged = judging.in_turn(turn, &shown(&attempt, ticket), now, changes);
                (ticket, judged.map(|granted| (granted, attempt.expected)))
            }
        };
        match judged {
            Ok((granted, expected)) => self.serving.push(Serving {
                ticket,
                granted,
                expected,
                done: match expected {
                    Expected::Right => now + CHECK,
                    Expected::Wrong | Expected::NoSuchUser | Expected::Outage => now + FAILED_CHECK,
                },
            }),
            Err(refused) => ended.push((ticket, refusal(refused))),
        }
    }

    fn settle(&mut self, granted: GrantedAttempt, expected: Expected, now: Moment) -> Outcome {
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
            let (Woken::Missed(waiting) | Woken::Turn(waiting, _)) = woken;
            cut(waiting.ticket, Asked::Not);
        }
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
        if matches!(standing, Standing::Deny | Standing::Banned) {
            let answer = ClientAnswer::Later(Some(Reason::Ban));
            let asked = Asked::Not;
            ended.push((ticket, Outcome { answer, asked }));
            return;
        }
        let shown = shown(&attempt, ticket);
        match self.judging.begin(&shown, now, &mut self.changes) {
            Begun::Granted(granted) => {
                let outcome = self.settle(granted, attempt.expected, now);
                ended.push((ticket, outcome));
            }
            Begun::Refused(refused) => ended.push((ticket, refusal(refused))),
            Begun::Wait(class) => {
                let network = attempt.client.network();
                let waiting = Waiting { ticket, attempt };
                self.judging.queue().enter(network, class, waiting, now);
                self.advance(now, ended);
            }
        }
    }

    fn next(&self) -> Option<Moment> {
        let served = self.serving.iter().map(|serving| serving.done);
        let missed = self.judging.queue().next_deadline();
        served.chain(missed).min()
    }

    fn wake(&mut self, now: Moment, ended: &mut Ended) {
        while let Some(at) = self.serving.iter().position(|serving| serving.done <= now) {
            let served = self.serving.remove(at);
            let outcome = self.settle(served.granted, served.expected, now);
            ended.push((served.ticket, outcome));
        }
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

fn judging(gate: Gate) -> JudgingSequence<Waiting> {
    JudgingSequence::new(gate, QueueSettings::default())
}

/// What the gate is shown of an attempt.
fn shown(attempt: &LoginAttempt, ticket: u64) -> AuthAttempt<'_> {
    AuthAttempt {
        session: ticket,
        client: attempt.client,
        user: &attempt.user,
        password: match attempt.mechanism {
            PasswordForm::Plain => Password::Shown(&attempt.password),
            PasswordForm::Scram => Password::Hidden,
        },
        door: Door::Own,
    }
}

/// What a client sees of a refusal.
fn refusal(refused: RefusedAttempt) -> Outcome {
    let answer = match refused {
        RefusedAttempt::Repeat => ClientAnswer::Wrong,
        RefusedAttempt::Refuse(refusal) => ClientAnswer::Later(Some(refusal.reason)),
    };
    Outcome {
        answer,
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
