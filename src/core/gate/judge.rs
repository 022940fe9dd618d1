//! judge - the way of one attempt through the rules: deny, allow, trap, ban, repeat, buckets
//!
//! [`Gate::judge`] looks, and refuses at once what a bucket would refuse anyway; who is not familiar
//! is then told to wait for his turn. [`Gate::judge_in_turn`] takes the tokens. A familiar pair pays
//! from its own bucket and needs no turn, unless its client has just failed.
//! Not here: what an outcome does (`settle`), the turns themselves (`queue`).

use std::sync::Arc;
use std::time::Duration;

use arc_swap::Guard;

use crate::gate::buckets::bucket::{Place, Token};
use crate::gate::buckets::recent::Answer;
use crate::gate::buckets::route::{Route, grounds, kept_from, reason};
use crate::gate::buckets::table::Key;
use crate::gate::buckets::tries::Past;
use crate::gate::buckets::words::Word;
use crate::gate::case::{Basis, Case, Claim, NOTHING, Tokens};
use crate::gate::permit::{First, Permit, Verdict};
use crate::gate::request::attempt::{AuthAttempt, UserName};
use crate::gate::request::client::ClientKey;
use crate::gate::request::settings::{Mode, Part};
use crate::gate::request::verdict::{BanCause, Reason, Refusal};
use crate::gate::rules::Rules;
use crate::gate::trust::ban::Ban;
use crate::gate::trust::familiar::Bond;
use crate::gate::trust::strikes::Culprit;
use crate::gate::{Events, Gate};
use crate::moment::Moment;

/// How long a wrong password is answered without asking Postfix again.
const KNOWN_WRONG_FAMILIAR: Duration = Duration::from_secs(60);
const KNOWN_WRONG: Duration = Duration::from_secs(600);
/// How long after a client's last new failure its familiar pairs wait in turn too. A guesser who
/// fails less often than this keeps nobody waiting.
const FAILED_LATELY: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing is taken from who must wait for a turn.
    First,
    /// It has its turn, or needs none.
    InTurn,
}

impl Gate {
    /// Judges an attempt. It may have to wait: then take a turn and ask [`Gate::judge_in_turn`].
    pub fn judge(&self, attempt: &AuthAttempt<'_>, now: Moment, events: &mut Events) -> First {
        self.evaluate(attempt, Stage::First, now, events)
    }

    /// Judges an attempt that has its turn: it is never told to wait.
    pub fn judge_in_turn(
        &self,
        attempt: &AuthAttempt<'_>,
        now: Moment,
        events: &mut Events,
    ) -> Verdict {
        match self.evaluate(attempt, Stage::InTurn, now, events) {
            First::Decided(verdict) => verdict,
            // Nothing waits in its turn; if it did, 454 harms nobody.
            First::Wait => Verdict::Refuse(refusal(Reason::Turn, Duration::ZERO)),
        }
    }

    /// Notes that no turn came before the deadline. The attempt is answered 454 and costs nothing.
    pub fn miss_turn(&self, attempt: &AuthAttempt<'_>, now: Moment) -> Refusal {
        let missed = refusal(Reason::Turn, Duration::ZERO);
        self.counters.refuse(missed.reason);
        let case = self.case(attempt, now);
        let told = case.decision(Answer::Refuse, missed.reason, missed.wait, now);
        self.recent.push(told);
        missed
    }

    fn evaluate(
        &self,
        attempt: &AuthAttempt<'_>,
        stage: Stage,
        now: Moment,
        events: &mut Events,
    ) -> First {
        let rules = self.rules.load();
        let case = self.case(attempt, now);
        let evaluation = Evaluation {
            gate: self,
            past: self.tries.past(case.client, case.user, case.guess),
            ban: self.bans.of(case.client, now),
            settling: self.is_settling(&rules, now),
            rules,
            case,
            stage,
            now,
            events,
        };
        evaluation.decide(attempt.user)
    }

    /// What would be answered to a new try, but for its password: for `explain`.
    pub(in crate::gate) fn outlook(
        &self,
        client: ClientKey,
        user: &UserName,
        now: Moment,
    ) -> Result<Reason, Refusal> {
        let rules = self.rules.load();
        let user_id = self.keys.user(user);
        let network = client.network();
        let evaluation = Evaluation {
            gate: self,
            past: self.tries.past(client, user_id, None),
            ban: self.bans.of(client, now),
            settling: self.is_settling(&rules, now),
            rules,
            case: Case {
                session: 0,
                client,
                network,
                user: user_id,
                guess: None,
                word: Word::Rare(0),
                who: self.familiar.acquaintance(user_id, network, now),
            },
            stage: Stage::First,
            now,
            events: &mut Vec::new(),
        };
        evaluation.outlook(user)
    }
}

/// One attempt in one stage, with all that its evaluation needs.
struct Evaluation<'a> {
    gate: &'a Gate,
    rules: Guard<Arc<Rules>>,
    case: Case,
    past: Past,
    ban: Option<Ban>,
    settling: bool,
    stage: Stage,
    now: Moment,
    events: &'a mut Events,
}

impl Evaluation<'_> {
    fn decide(mut self, user: &UserName) -> First {
        if let Some(grounds) = self.listed() {
            return match grounds {
                Ok(reason) => self.allow(NOTHING, reason, Basis::Listed).into(),
                Err(refusal) => self.refuse(refusal),
            };
        }
        if let Some(refusal) = self.trapped(user).or_else(|| self.banned()) {
            return self.refuse(refusal);
        }
        if let Some(wrong) = self.known_wrong() {
            return self.repeat(wrong);
        }
        for route in self.gate.routes(&self.case).into_iter().flatten() {
            return match self.pay(&route) {
                // Near all taken: this one pays as a far one.
                Err(refusal) if refusal.reason == Reason::Near => continue,
                Err(refusal) => self.refuse(refusal),
                Ok(None) => First::Wait,
                Ok(Some(tokens)) => self.allow(tokens, grounds(&route), Basis::Paid).into(),
            };
        }
        // The last route has no near bucket, so this is not reached; it refuses all the same.
        self.refuse(refusal(Reason::Strangers, Duration::ZERO))
    }

    /// The verdict's grounds, taking nothing and telling nobody.
    fn outlook(self, user: &UserName) -> Result<Reason, Refusal> {
        if let Some(grounds) = self.listed() {
            return grounds;
        }
        if let Some(refusal) = self.trapped(user).or_else(|| self.banned()) {
            return Err(refusal);
        }
        for route in self.gate.routes(&self.case).into_iter().flatten() {
            match self.afford(&route) {
                Err(refusal) if refusal.reason == Reason::Near => continue,
                Err(refusal) => return Err(refusal),
                Ok(()) => return Ok(grounds(&route)),
            }
        }
        Err(refusal(Reason::Strangers, Duration::ZERO))
    }

    fn listed(&self) -> Option<Result<Reason, Refusal>> {
        if self.rules.denies(self.case.client) {
            return Some(Err(refusal(Reason::DenyList, Duration::ZERO)));
        }
        self.rules
            .allows(self.case.client)
            .then_some(Ok(Reason::AllowList))
    }

    /// A name that no honest user has; whoever is known has one.
    fn trapped(&self, user: &UserName) -> Option<Refusal> {
        let trapped = !self.case.who.known && self.rules.is_trap(user);
        trapped.then(|| refusal(Reason::Trap, Duration::ZERO))
    }

    /// A ban never refuses a familiar pair.
    fn banned(&self) -> Option<Refusal> {
        let ban = self.ban.filter(|_| self.case.who.bond != Bond::Familiar)?;
        Some(refusal(Reason::Ban, ban.until.since(self.now)))
    }

    /// When this very password was last found wrong, by this client or near the user's home.
    fn known_wrong(&self) -> Option<Moment> {
        let at_home = self
            .past
            .wrong_for_user
            .filter(|_| self.case.who.bond != Bond::Far);
        self.past.wrong_here.max(at_home)
    }

    fn repeat(self, wrong: Moment) -> First {
        let known = match self.case.who.bond {
            Bond::Familiar => KNOWN_WRONG_FAMILIAR,
            Bond::Near | Bond::Far => KNOWN_WRONG,
        };
        let stranger = self.case.who.bond != Bond::Familiar;
        let in_turn = self.stage == Stage::InTurn;
        let fresh = self.now.since(wrong) < known
            || (in_turn && stranger && !self.gate.again.take(self.now));
        if fresh && self.rules.mode == Mode::Enforce {
            self.gate.counters.refuse(Reason::Repeat);
            self.tell(Answer::Repeat, Reason::Repeat, Duration::ZERO);
            return Verdict::Repeat.into();
        }
        match (in_turn, fresh) {
            (false, _) => First::Wait,
            (true, false) => self.allow(NOTHING, Reason::Repeat, Basis::Repeat).into(),
            (true, true) => self.allow(NOTHING, Reason::Repeat, Basis::DryRun).into(),
        }
    }

    /// Looks first, so that a try which is refused anyway never shuts another one out; then takes,
    /// unless the try must wait for its turn.
    fn pay(&mut self, route: &Route) -> Result<Option<Tokens>, Refusal> {
        self.afford(route)?;
        let failed_lately = self
            .past
            .failed
            .is_some_and(|at| self.now.since(at) < FAILED_LATELY);
        let in_turn = self.case.who.bond != Bond::Familiar || failed_lately;
        if in_turn && self.stage == Stage::First {
            return Ok(None);
        }
        let mut tokens = NOTHING;
        for (place, token) in route.iter().zip(&mut tokens) {
            let Some(place) = *place else { continue };
            match self.take(place) {
                Ok(taken) => *token = Some(taken),
                Err(refusal) => {
                    self.gate.give_back(&tokens, self.now, self.events);
                    return Err(refusal);
                }
            }
        }
        Ok(Some(tokens))
    }

    fn afford(&self, route: &Route) -> Result<(), Refusal> {
        for place in route.iter().flatten() {
            let limit = self.rules.limit(*place, self.case.who.users);
            let kept = match self.rules.without {
                Some(Part::Newcomers) => 0,
                _ => kept_from(self.past.newness, *place, limit),
            };
            if let Err(wait) = self.gate.buckets.peek(*place, limit, kept, self.now) {
                return Err(refusal(reason(*place), wait));
            }
        }
        Ok(())
    }

    fn take(&mut self, place: Place) -> Result<Token, Refusal> {
        let limit = self.rules.limit(place, self.case.who.users);
        let taken = self.gate.buckets.take(place, limit, self.now, self.events);
        taken.map_err(|wait| refusal(reason(place), wait))
    }

    fn refuse(mut self, mut refusal: Refusal) -> First {
        let meant = self.is_meant(refusal.reason);
        if !meant && self.stage == Stage::First {
            return First::Wait;
        }
        if !meant && self.rules.mode == Mode::Enforce {
            return self.settle_in(refusal.reason);
        }
        self.punish(&mut refusal);
        if meant {
            self.gate.counters.refuse(refusal.reason);
            self.tell(Answer::Refuse, refusal.reason, refusal.wait);
            return Verdict::Refuse(refusal).into();
        }
        self.allow(NOTHING, refusal.reason, Basis::DryRun).into()
    }

    /// While settling in, what another bucket would refuse goes through for a token of `client`.
    fn settle_in(mut self, reason: Reason) -> First {
        match self.take(Place::Keyed(Key::client(self.case.client))) {
            Ok(token) => self
                .allow([Some(token), None, None, None], reason, Basis::Settling)
                .into(),
            Err(refusal) => self.refuse(refusal),
        }
    }

    /// Whether a refusal for this reason is answered as one.
    fn is_meant(&self, reason: Reason) -> bool {
        match reason {
            Reason::DenyList => true,
            Reason::Ban => self.ban.is_some_and(|ban| ban.holds(self.rules.mode)),
            _ if self.rules.mode == Mode::DryRun => false,
            Reason::Trap | Reason::Client => true,
            _ => !self.settling,
        }
    }

    /// What a refusal costs the client.
    fn punish(&mut self, refusal: &mut Refusal) {
        let client = self.case.client;
        let home = self.case.who.home;
        let culprit = Culprit { client, home };
        // A mail program that retries is no guesser. Hidden passwords may each be a new one.
        let new = !self.past.repeated;
        let (gate, now) = (self.gate, self.now);
        match refusal.reason {
            Reason::Trap => {
                refusal.wait = gate.spring(&self.rules, culprit, now, self.events);
                return;
            }
            Reason::DenyList | Reason::Ban => return,
            Reason::Familiar => {}
            Reason::Client if new => {
                let cause = BanCause::Strikes;
                let ban = gate.strike(&self.rules, culprit, cause, now, self.events);
                refusal.wait = refusal.wait.max(ban);
            }
            // The client's own token stays spent: so hammering while all is empty earns strikes.
            _ if new => drop(self.take(Place::Keyed(Key::client(client)))),
            _ => {}
        }
        gate.tries.refused(client, self.case.guess, now);
        let Case { user, network, .. } = self.case;
        gate.seen.note(self.case.word, user, network, now);
    }

    fn allow(self, tokens: Tokens, grounds: Reason, basis: Basis) -> Verdict {
        match basis {
            Basis::Settling | Basis::DryRun => {
                self.gate.counters.would_refuse(grounds);
                self.tell(Answer::WouldRefuse, grounds, Duration::ZERO);
            }
            Basis::Listed | Basis::Paid | Basis::Repeat => {
                self.gate.counters.allow(grounds);
                self.tell(Answer::Allow, grounds, Duration::ZERO);
            }
        }
        Verdict::Allow(Permit {
            claim: Box::new(Claim {
                case: self.case,
                tokens,
                grounds,
                basis,
            }),
        })
    }

    fn tell(&self, answer: Answer, reason: Reason, wait: Duration) {
        let decision = self.case.decision(answer, reason, wait, self.now);
        self.gate.recent.push(decision);
    }
}

fn refusal(reason: Reason, wait: Duration) -> Refusal {
    Refusal { reason, wait }
}
