//! gatehouse - the gate as a door: admission, judgement, turns, Postfix, settlement
//!
//! The same [`Gate`] that runs live. Around it stand what a live server has: banned clients are reset
//! before they speak, strangers wait for one of four turns, one a network, for at most 15 s, and a password
//! check takes 45 ms. Familiar attempts are settled in the moment in which they come.
//! Not here: the turns of the running server (`net::turns`), files (`store`).

use std::collections::VecDeque;
use std::time::Duration;

use crate::traffic::door::{Answer, Asked, Door, Ended, Knock, Mechanism, Mishap, Outcome, Truth};
use crate::traffic::{MINUTE, START};
use gatepost_core::gate::request::attempt::{AuthAttempt, AuthOutcome, Password, UserName};
use gatepost_core::gate::request::change::{Change, Fact, Subject};
use gatepost_core::gate::request::client::{ClientKey, NetworkKey};
use gatepost_core::gate::request::settings::GateSettings;
use gatepost_core::gate::request::verdict::{Permit, Reason, Standing, Verdict};
use gatepost_core::gate::state::file::StateFile;
use gatepost_core::gate::state::journal;
use gatepost_core::gate::{Events, Gate, Keys};
use gatepost_core::moment::Moment;

/// Attempts of strangers at Postfix at once.
const STRANGERS: usize = 4;
/// How long they wait for it.
const DEADLINE: Duration = Duration::from_secs(15);
/// One bcrypt.
const CHECK: Duration = Duration::from_millis(45);

/// The gate, and what stands around it.
#[derive(Debug)]
pub struct Gatehouse {
    gate: Gate,
    settings: GateSettings,
    starts: u8,
    waiting: VecDeque<Waiting>,
    serving: Vec<Serving>,
    events: Events,
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
    knock: Knock,
    deadline: Moment,
}

#[derive(Debug)]
struct Serving {
    ticket: u64,
    network: NetworkKey,
    permit: Permit,
    truth: Truth,
    done: Moment,
}

impl Gatehouse {
    /// A gate that knows nobody.
    pub fn new(settings: GateSettings) -> Self {
        Self {
            gate: Gate::new(settings.clone(), keys(0), START),
            settings,
            starts: 0,
            waiting: VecDeque::new(),
            serving: Vec::new(),
            events: Vec::new(),
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
            self.gate.tick(now, &mut self.events);
        }
        for change in self.events.drain(..) {
            self.bans += u64::from(matches!(change.fact, Fact::BanBegan(_)));
            if self.snapshot.is_some() {
                self.journal.push(change);
            }
        }
    }

    /// Gives free turns to those who wait longest, one a network.
    fn grant(&mut self, now: Moment, ended: &mut Ended) {
        while self.serving.len() < STRANGERS {
            let serving = &self.serving;
            let free = |waiting: &Waiting| {
                let network = waiting.knock.client.network();
                serving.iter().all(|other| other.network != network)
            };
            let Some(at) = self.waiting.iter().position(free) else {
                return;
            };
            let Some(Waiting { ticket, knock, .. }) = self.waiting.remove(at) else {
                return;
            };
            let (gate, events) = (&self.gate, &mut self.events);
            let verdict = attempt(&knock, ticket, |try_| gate.judge_in_turn(try_, now, events));
            match verdict {
                Verdict::Allow(permit) => self.serving.push(Serving {
                    ticket,
                    network: knock.client.network(),
                    permit,
                    truth: knock.truth,
                    done: now + CHECK,
                }),
                refused => ended.push((ticket, refusal(&refused))),
            }
        }
    }

    fn settle(&mut self, permit: Permit, truth: Truth, now: Moment) -> Outcome {
        let asked = match permit.grounds() {
            Reason::Repeat => Asked::Again,
            _ => Asked::Once,
        };
        let outcome = match truth {
            Truth::Right => AuthOutcome::Accept,
            Truth::Wrong | Truth::NoSuchUser | Truth::Sick => AuthOutcome::Reject,
        };
        let settled = self.gate.settle(permit, outcome, now, &mut self.events);
        let answer = match settled.outcome {
            AuthOutcome::Accept => Answer::LoggedIn,
            AuthOutcome::Reject => Answer::Wrong,
            AuthOutcome::Defer | AuthOutcome::Stalled => Answer::Later(settled.reason),
        };
        Outcome { answer, asked }
    }

    /// Starts anew. Who was waiting or at Postfix is cut off.
    fn start(&mut self, files: &[StateFile], now: Moment, ended: &mut Ended) {
        let banned = self.banned(now);
        self.starts = self.starts.wrapping_add(1);
        let keys = keys(self.starts);
        (self.gate, _) = Gate::restore(self.settings.clone(), keys, files, now);
        let still = self.banned(now);
        let lost = banned.iter().filter(|subject| !still.contains(subject));
        self.bans_lost += lost.count() as u64;
        let cut = |ticket, asked| {
            let answer = Answer::Cut;
            (ticket, Outcome { answer, asked })
        };
        let (waiting, serving) = (self.waiting.drain(..), self.serving.drain(..));
        ended.extend(waiting.map(|waiting| cut(waiting.ticket, Asked::Not)));
        ended.extend(serving.map(|serving| cut(serving.ticket, Asked::Once)));
    }

    fn banned(&self, now: Moment) -> Vec<Subject> {
        let bans = self.gate.bans(now).into_iter();
        bans.map(|ban| ban.subject).collect()
    }
}

impl Door for Gatehouse {
    fn name(&self) -> &'static str {
        "gatepost"
    }

    fn knock(&mut self, ticket: u64, knock: Knock, now: Moment, ended: &mut Ended) {
        self.tick(now);
        let standing = self.gate.standing(knock.client, now);
        if matches!(standing, Standing::Deny | Standing::Banned) {
            let answer = Answer::Later(Some(Reason::Ban));
            let asked = Asked::Not;
            ended.push((ticket, Outcome { answer, asked }));
            return;
        }
        let (gate, events) = (&self.gate, &mut self.events);
        let verdict = attempt(&knock, ticket, |try_| gate.judge(try_, now, events));
        match verdict {
            Verdict::Allow(permit) => {
                let outcome = self.settle(permit, knock.truth, now);
                ended.push((ticket, outcome));
            }
            Verdict::Wait => {
                let deadline = now + DEADLINE;
                self.waiting.push_back(Waiting {
                    ticket,
                    knock,
                    deadline,
                });
                self.grant(now, ended);
            }
            refused => ended.push((ticket, refusal(&refused))),
        }
    }

    fn next(&self) -> Option<Moment> {
        let served = self.serving.iter().map(|serving| serving.done);
        let missed = self.waiting.front().map(|waiting| waiting.deadline);
        served.chain(missed).min()
    }

    fn wake(&mut self, now: Moment, ended: &mut Ended) {
        while let Some(at) = self.serving.iter().position(|serving| serving.done <= now) {
            let served = self.serving.remove(at);
            let outcome = self.settle(served.permit, served.truth, now);
            ended.push((served.ticket, outcome));
        }
        while self
            .waiting
            .front()
            .is_some_and(|first| first.deadline <= now)
        {
            let Some(Waiting { ticket, knock, .. }) = self.waiting.pop_front() else {
                break;
            };
            let gate = &self.gate;
            let missed = attempt(&knock, ticket, |try_| gate.miss_turn(try_, now));
            ended.push((ticket, refusal(&Verdict::Refuse(missed))));
        }
        self.grant(now, ended);
    }

    fn learn(&mut self, user: &UserName, client: ClientKey, when: Moment, now: Moment) {
        self.gate.learn(user, client, when, now, &mut self.events);
    }

    fn learnt(&mut self) {
        self.gate.finish_settling();
    }

    fn befall(&mut self, mishap: Mishap, now: Moment, ended: &mut Ended) {
        self.tick(now);
        match mishap {
            Mishap::Snapshot => {
                self.snapshot = self.gate.snapshots(now).ok();
                self.journal.clear();
            }
            Mishap::Restart => {
                if let Ok(files) = self.gate.snapshots(now) {
                    self.start(&files, now, ended);
                }
            }
            Mishap::Kill => {
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

/// Shows a knock to the gate.
fn attempt<T>(knock: &Knock, ticket: u64, ask: impl FnOnce(&AuthAttempt<'_>) -> T) -> T {
    ask(&AuthAttempt {
        session: ticket,
        client: knock.client,
        user: &knock.user,
        password: match knock.mechanism {
            Mechanism::Plain => Password::Shown(&knock.password),
            Mechanism::Scram => Password::Hidden,
        },
    })
}

/// What a client sees of a verdict that lets nothing through.
fn refusal(verdict: &Verdict) -> Outcome {
    let answer = match verdict {
        Verdict::Repeat => Answer::Wrong,
        Verdict::Refuse(refusal) => Answer::Later(Some(refusal.reason)),
        Verdict::Allow(_) | Verdict::Wait => Answer::Later(None),
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
