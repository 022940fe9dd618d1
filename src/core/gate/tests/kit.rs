//! kit - a gate with a clock, and tries in one line

use std::time::Duration;

use crate::gate::buckets::spec::Bucket;
use crate::gate::permit::{First, Permit, Verdict};
use crate::gate::queue::QueueClass;
use crate::gate::request::attempt::{AuthAttempt, AuthOutcome, Password, Secret, UserName};
use crate::gate::request::change::Change;
use crate::gate::request::client::ClientKey;
use crate::gate::request::device::Device;
use crate::gate::request::doors::Door;
use crate::gate::request::place::Located;
use crate::gate::request::settings::GateSettings;
use crate::gate::request::verdict::{FailureReply, Reason, Refusal};
use crate::gate::{Gate, Keys};
use crate::moment::Moment;

pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const HOUR: Duration = Duration::from_secs(3600);
pub(super) const DAY: Duration = Duration::from_secs(86_400);
/// 2026-11-24T00:00:00Z.
pub(super) const START: Moment = Moment::from_seconds(1_795_478_400);

pub(super) fn keys() -> Keys {
    Keys {
        users: [1; 16],
        passwords: [2; 16],
        table: [3; 16],
    }
}

/// Where users are at home, and a place far from there.
pub(super) const HOME: &str = "203.0.113.7";
pub(super) const FAR: &str = "198.51.100.7";

/// Good passwords, each another.
pub(super) fn good(n: usize) -> String {
    format!("Zwiebel{n}kuchen{n}fest")
}

/// Small tables, no settling in, a ban after three strikes, and full buckets for everybody (`retries` has those that keep something).
pub(super) fn settings() -> GateSettings {
    let mut settings = GateSettings {
        settling: Duration::ZERO,
        ..GateSettings::default()
    };
    settings.bans.strikes = 3;
    settings.ladder = settings.ladder.without_retries();
    settings.capacity.clients = 50_000;
    settings.capacity.pairs = 20_000;
    settings
}

pub(super) fn client(text: &str) -> ClientKey {
    text.parse().unwrap()
}

/// A world without countries.
pub(super) fn nowhere(_: ClientKey) -> Located {
    Located::Unasked
}

pub(super) fn user(name: &str) -> UserName {
    UserName::new(name.as_bytes())
}

/// What became of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Postfix was asked, on these grounds.
    Asked(Reason),
    /// Postfix was asked only because refusals are not meant.
    Would(Reason),
    /// 535 without asking.
    Repeat,
    /// 454.
    Refused(Reason),
}

pub(super) struct World {
    pub(super) gate: Gate,
    pub(super) now: Moment,
    pub(super) changes: Vec<Change>,
    /// The device of every attempt.
    pub(super) device: Option<Device>,
    /// Where all of its clients are.
    pub(super) country: Located,
    /// Who announces them.
    pub(super) system: Option<u32>,
    /// Passwords that Postfix takes: (user, password).
    right: &'static str,
}

impl World {
    pub(super) fn new(settings: GateSettings) -> Self {
        Self {
            gate: Gate::new(settings, keys(), START),
            now: START,
            changes: Vec::new(),
            device: None,
            country: Located::default(),
            system: None,
            right: "Korrekt-Pferd-Batterie",
        }
    }

    pub(super) fn pass(&mut self, span: Duration) {
        self.now = self.now + span;
        self.gate.tick(self.now, &mut self.changes);
    }

    /// The first answer, before any turn.
    pub(super) fn ask_first(
        &mut self,
        from: ClientKey,
        name: &str,
        password: Option<&str>,
    ) -> First {
        let (gate, now) = (&self.gate, self.now);
        let changes = &mut self.changes;
        with_attempt(
            (from, self.device, (self.country, self.system)),
            name,
            password,
            |try_| gate.judge(try_, now, changes),
        )
    }

    /// The verdict, waiting for a turn where one is needed.
    pub(super) fn judge(&mut self, from: ClientKey, name: &str, password: Option<&str>) -> Verdict {
        match self.ask_first(from, name, password) {
            First::Wait(class) => {
                let (gate, now) = (&self.gate, self.now);
                let changes = &mut self.changes;
                with_attempt(
                    (from, self.device, (self.country, self.system)),
                    name,
                    password,
                    |try_| gate.judge_in_turn(try_, class, now, changes),
                )
            }
            First::Decided(verdict) => verdict,
        }
    }

    /// The verdict on a try that has a turn of this class.
    pub(super) fn judge_in(
        &mut self,
        class: QueueClass,
        from: ClientKey,
        name: &str,
        password: &str,
    ) -> Verdict {
        let (gate, now) = (&self.gate, self.now);
        let changes = &mut self.changes;
        with_attempt(
            (from, self.device, (self.country, self.system)),
            name,
            Some(password),
            |try_| gate.judge_in_turn(try_, class, now, changes),
        )
    }

    /// The turn that a try waited for never came.
    pub(super) fn miss_turn(&mut self, from: ClientKey, name: &str, password: &str) -> Refusal {
        let (gate, now) = (&self.gate, self.now);
        with_attempt(
            (from, self.device, (self.country, self.system)),
            name,
            Some(password),
            |try_| gate.miss_turn(try_, now),
        )
    }

    /// A permit for a try that must be allowed.
    #[track_caller]
    pub(super) fn permit(&mut self, from: &str, name: &str, password: &str) -> Permit {
        match self.judge(client(from), name, Some(password)) {
            Verdict::Allow(permit) => permit,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn settle(&mut self, permit: Permit, outcome: AuthOutcome) -> AuthOutcome {
        let settled = self
            .gate
            .settle(permit, outcome, self.now, &mut self.changes);
        settled.outcome
    }

    /// What the client is told of a try with a wrong password: the reply's code.
    pub(super) fn told(&mut self, from: &str, name: &str, password: &str) -> u16 {
        match self.judge(client(from), name, Some(password)) {
            Verdict::Allow(permit) => {
                let (gate, now) = (&self.gate, self.now);
                let settled = gate.settle(permit, AuthOutcome::Reject, now, &mut self.changes);
                match settled.reply {
                    FailureReply::Outcome => 535,
                    FailureReply::Refusal => 454,
                }
            }
            Verdict::Repeat => 535,
            Verdict::Refuse(_) | Verdict::Crowded(_) => 454,
        }
    }

    /// A try from anywhere; Postfix takes only the right password.
    pub(super) fn attempt(&mut self, from: ClientKey, name: &str, password: Option<&str>) -> Fate {
        match self.judge(from, name, password) {
            Verdict::Allow(permit) => {
                let fate = match permit.would_refuse() {
                    Some(reason) => Fate::Would(reason),
                    None => Fate::Asked(permit.grounds()),
                };
                let outcome = match password == Some(self.right) {
                    true => AuthOutcome::Accept,
                    false => AuthOutcome::Reject,
                };
                self.settle(permit, outcome);
                fate
            }
            Verdict::Repeat => Fate::Repeat,
            Verdict::Refuse(refusal) | Verdict::Crowded(refusal) => Fate::Refused(refusal.reason),
        }
    }

    pub(super) fn guess(&mut self, from: &str, name: &str, password: &str) -> Fate {
        self.attempt(client(from), name, Some(password))
    }

    pub(super) fn hidden(&mut self, from: &str, name: &str) -> Fate {
        self.attempt(client(from), name, None)
    }

    pub(super) fn login(&mut self, from: &str, name: &str) -> Fate {
        self.attempt(client(from), name, Some(self.right))
    }

    /// The user has logged in from there yesterday.
    pub(super) fn befriend(&self, name: &str, from: &str) {
        self.gate.learn(
            &user(name),
            client(from),
            self.now - DAY,
            self.now,
            &mut Vec::new(),
        );
    }
}

pub(super) fn with_attempt<T>(
    (client, device, (country, system)): (ClientKey, Option<Device>, (Located, Option<u32>)),
    name: &str,
    password: Option<&str>,
    ask: impl FnOnce(&AuthAttempt<'_>) -> T,
) -> T {
    let user = user(name);
    let secret = password.map(|password| Secret::new(password.as_bytes().to_vec()));
    ask(&AuthAttempt {
        session: 7,
        client,
        user: &user,
        password: secret.as_ref().map_or(Password::Hidden, Password::Shown),
        door: Door::Own,
        device,
        country,
        system,
    })
}

/// Tokens that a client has in a bucket, as `explain` shows them.
pub(super) fn tokens_of(world: &World, from: &str, bucket: Bucket) -> u32 {
    let explanation = world.gate.explain(client(from), None, world.now);
    let mut buckets = explanation.buckets.iter();
    buckets
        .find(|held| held.bucket == Reason::Bucket(bucket))
        .map_or(0, |held| held.tokens)
}

/// Tokens in a bucket, as `explain` shows them.
pub(super) fn tokens(world: &World, from: &str, name: &str, reason: Reason) -> u32 {
    let explanation = world
        .gate
        .explain(client(from), Some(&user(name)), world.now);
    let mut buckets = explanation.buckets.iter();
    buckets.find(|b| b.bucket == reason).unwrap().tokens
}
