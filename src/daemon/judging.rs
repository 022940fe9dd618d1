//! judging - the one way to judge a login: gate, queue, clock, and what is told of it
//!
//! [`Judging::begin`] begins an attempt and [`Unjudged::judge`] judges it, in turn where the gate says so;
//! [`Granted::settle`] tells the gate how it came out. Between the first two an exchange may still have to
//! learn the user's name (CRAM-MD5). Counters, log lines and the gate's changes are seen to here, so an
//! [`Asker`] says only who it is. What is granted is settled or cancelled; dropped, its turn is free at least.
//! Not here: the rules (`gate`), the sequence itself (`gate::sequence`), Postfix and the replies (`session`).

use std::fmt::Display;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use gatepost_core::gate::queue::{QueueClass, Turn};
use gatepost_core::gate::request::attempt::AuthAttempt;
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::device::Device;
use gatepost_core::gate::request::doors::Door;
use gatepost_core::gate::request::settings::QueueSettings;
use gatepost_core::gate::request::verdict::{Refusal, Standing};
use gatepost_core::gate::sequence;
use gatepost_core::gate::{ConnectedClient, Gate};
use gatepost_core::moment::Moment;

use crate::clock::Clock;
use crate::drain::Drain;
use crate::known_passwords::KnownPasswords;
use crate::places::{Places, Whereabouts};
use crate::report::counters::Counters;
use crate::report::events::{self, Reporter};
use crate::report::limits::LimitCounters;
use crate::report::record::Recorder;
use crate::report::verdicts::AttemptVerdict;

mod asked;
mod at_door;
mod attempt;
mod checks;
mod exchanges;
mod notice;
mod own;
mod told;
mod turns;

pub use attempt::{Granted, Unjudged};
pub use exchanges::{ExchangePlace, FAMILIAR_ROUND};
pub use notice::{Acknowledge, Notice, Notices, WriteOutcome};
pub use own::{AskedHash, OwnAttempts, OwnQuestion};

use at_door::DoorWaits;
use checks::Checks;
use exchanges::{Exchanges, Neighbourhood};
use told::Told;
use turns::{Held, Waiter};

/// Who asks about attempts: a session, or anything else that lets clients try passwords.
pub trait Asker {
    /// The client that tries.
    fn client(&self) -> ClientKey;
    /// The session's number, for `explain`.
    fn session(&self) -> u64;
    /// What the log tells of it.
    fn seen(&self) -> events::Session<'_>;
    /// When it gives up waiting.
    fn drain(&self) -> Drain;
    /// Returns when its client's connection is wanted for another, and it must not wait any longer. Cancel-safe.
    fn evicted(&self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }
    /// Its device, where the door can tell one.
    fn device(&self) -> Option<Device> {
        None
    }
    /// The door at which it tries.
    fn door(&self) -> Door {
        Door::Own
    }
}

/// Who asks, before a user is named.
fn visitor(asker: &impl Asker) -> ConnectedClient {
    ConnectedClient {
        client: asker.client(),
        device: asker.device(),
    }
}

/// The gate with all that a judgement needs, for the life of the process.
#[derive(Debug)]
pub struct Judging {
    sequence: sequence::JudgingSequence<Waiter>,
    exchanges: Exchanges,
    checks: Checks,
    door_waits: DoorWaits,
    /// The attempts of our own door that are at Postfix.
    pub own: OwnAttempts,
    /// Where clients are.
    pub places: Arc<Places>,
    /// The source of moments.
    pub clock: Clock,
    /// Where the gate's changes go.
    pub notices: Notices,
    /// The log.
    pub reporter: Reporter,
    /// The history.
    pub recorder: Recorder,
    /// The owner's list of passwords that are known elsewhere.
    pub known_passwords: KnownPasswords,
    /// The numbers.
    pub counters: Counters,
}

/// Why an attempt may not be tried. It is counted and told already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Refused {
    /// 454.
    Refuse(Refusal),
    /// 535 without asking Postfix.
    Repeat,
    /// 454: Gatepost is stopping.
    Draining,
}

impl Judging {
    /// Judges by `gate`, with both queues as `settings` say.
    /// Bounds that act are counted in `limits`.
    pub fn new(
        gate: Gate,
        settings: QueueSettings,
        clock: Clock,
        (notices, recorder): (Notices, Recorder),
        limits: &Arc<LimitCounters>,
    ) -> Self {
        let places = Arc::new(Places::default());
        gate.ask_systems(places.clone());
        Self {
            sequence: sequence::JudgingSequence::new(gate, settings),
            exchanges: Exchanges::new(settings),
            checks: Checks::default(),
            door_waits: DoorWaits::default(),
            own: OwnAttempts::default(),
            places,
            clock,
            notices,
            reporter: Reporter::new(Arc::clone(limits)),
            recorder,
            known_passwords: KnownPasswords::default(),
            counters: Counters {
                limits: Arc::clone(limits),
                ..Counters::default()
            },
        }
    }

    /// The gate, for all that is no attempt.
    pub const fn gate(&self) -> &Gate {
        self.sequence.gate()
    }

    /// Whether the operator wants nothing of this client: denied, or banned by hand.
    pub fn bars(&self, client: ClientKey) -> bool {
        self.gate().bars(client, self.clock.now())
    }

    /// Takes over new settings of the queues.
    pub fn reconfigure(&self, settings: QueueSettings) {
        self.sequence.queue().reconfigure(settings);
        turns::wake(self.sequence.queue());
        self.exchanges.reconfigure(settings);
    }

    /// Checks a HELO name. The refusal, if the client is to be sent away.
    pub async fn helo(&self, client: ClientKey, name: &[u8]) -> Option<Refusal> {
        let mut changes = Vec::new();
        let refusal = self
            .gate()
            .helo(client, name, self.clock.now(), &mut changes);
        self.notices.pass(changes).await;
        refusal
    }

    /// The refusal of a client that has said nothing yet, if it would be refused whatever it says within `session`.
    /// It is counted and told here. What its network tries just now may be right, and give tokens back.
    pub fn refuse_at_accept(&self, asker: &impl Asker, session: Duration) -> Option<Refusal> {
        let (client, now) = (asker.client(), self.clock.now());
        let network = client.network();
        let is_trying =
            self.sequence.queue().holds_any(network) || self.exchanges.strangers_hold_any(network);
        if is_trying {
            return None;
        }
        let number = asker.session();
        let visitor = visitor(asker);
        let refusal = self
            .gate()
            .refuse_at_accept(visitor, number, session, now)?;
        self.counters.attempts.count();
        self.counters.refused.count();
        let told = events::Attempt {
            verdict: AttemptVerdict::Refuse,
            reason: Some(refusal.reason),
            wait: refusal.wait,
            ..events::Attempt::at_accept(asker.seen(), &"none")
        };
        self.reporter.attempt(&told, now);
        let told = Told::refused(refusal);
        self.record(asker, (None, &Whereabouts::default()), &told, now);
        Some(refusal)
    }

    /// Counts and tells that a client is sent away because there is no backend, as `fault` says.
    pub fn defer_at_accept(&self, asker: &impl Asker, fault: &dyn Display) {
        self.counters.attempts.count();
        self.counters.deferred.count();
        let now = self.clock.now();
        let told = events::Attempt::at_accept(asker.seen(), fault);
        self.reporter.attempt(&told, now);
        let told = Told::of(AttemptVerdict::Defer);
        self.record(asker, (None, &Whereabouts::default()), &told, now);
    }

    /// An attempt begins: it is counted, and its time runs.
    pub fn begin(self: &Arc<Self>, mechanism: &'static str) -> Unjudged {
        self.counters.attempts.count();
        Unjudged {
            began: self.clock.now(),
            judging: Arc::clone(self),
            mechanism,
            place: OnceLock::new(),
        }
    }

    /// A place among the exchanges in which Postfix waits for the client. None: none was free in time, or before its
    /// client's connection was wanted for another.
    async fn place(
        &self,
        asker: &(impl Asker + Sync),
        class: QueueClass,
    ) -> Result<Option<ExchangePlace>, Refused> {
        let (client, mut drain) = (asker.client(), asker.drain());
        let now = self.clock.now();
        let neighbourhood = match self.gate().standing(client, now) {
            Standing::Familiar | Standing::Allow => Neighbourhood::Familiar,
            _ => Neighbourhood::Unfamiliar,
        };
        tokio::select! {
            place = self.exchanges.take((client, class), neighbourhood, now) => Ok(place),
            () = drain.begun() => Err(Refused::Draining),
            () = asker.evicted() => Ok(None),
        }
    }

    /// The second stage, when the turn has come. It has waited `since` then. An attempt that is evicted meanwhile is
    /// refused as one whose turn did not come, so that its connection is closed now and not at the end of its wait.
    async fn in_turn(
        &self,
        attempt: &AuthAttempt<'_>,
        class: QueueClass,
        asker: &(impl Asker + Sync),
        since: Moment,
    ) -> Result<(sequence::GrantedAttempt, Option<Held>), Refused> {
        let mut drain = asker.drain();
        let held = tokio::select! {
            biased;
            () = drain.begun() => return Err(Refused::Draining),
            held = self.take_turn(attempt, class, since) => held,
            () = asker.evicted() => None,
        };
        match self.when_idle(held).await {
            Some(turn) => Ok(self.with_turn(turn, attempt).await?),
            None => Err(self.sequence.missed(attempt, self.clock.now()).into()),
        }
    }

    /// Waits for a turn, in a lower class where its user was accepted so often meanwhile that the turn is not its own: those of
    /// one account that came together do not all keep the place that the first of them had.
    async fn take_turn(
        &self,
        attempt: &AuthAttempt<'_>,
        mut class: QueueClass,
        since: Moment,
    ) -> Option<Held> {
        let (queue, network) = (self.sequence.queue(), attempt.client.network());
        loop {
            let held = turns::take(queue, network, class, since, self.clock.now()).await?;
            match self.gate().lowered(attempt, class, self.clock.now()) {
                None => return Some(held),
                Some(lower) => class = lower,
            }
        }
    }

    /// The turn, once no password is being checked as far as is known.
    async fn when_idle(&self, held: Option<Held>) -> Option<Turn> {
        let held = held?;
        if held.class() != Some(QueueClass::Probe) {
            self.checks.begin_when_idle(self.clock.now()).await;
        }
        held.into_turn()
    }

    async fn with_turn(
        &self,
        turn: Turn,
        attempt: &AuthAttempt<'_>,
    ) -> Result<(sequence::GrantedAttempt, Option<Held>), sequence::RefusedAttempt> {
        let (queue, now) = (self.sequence.queue(), self.clock.now());
        let mut changes = Vec::new();
        let judged = self
            .sequence
            .in_turn(turn, attempt, now, &mut changes)
            .map(|mut granted| {
                let turn = granted.take_turn().map(|turn| Held::new(queue, turn));
                (granted, turn)
            });
        if judged.is_err() {
            turns::wake(queue);
        }
        self.notices.pass(changes).await;
        judged
    }
}

impl From<sequence::RefusedAttempt> for Refused {
    fn from(refused: sequence::RefusedAttempt) -> Self {
        match refused {
            sequence::RefusedAttempt::Refuse(refusal)
            | sequence::RefusedAttempt::Crowded(refusal) => Self::Refuse(refusal),
            sequence::RefusedAttempt::Repeat => Self::Repeat,
        }
    }
}

#[cfg(test)]
mod tests;
