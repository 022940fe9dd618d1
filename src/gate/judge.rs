//! judge - the way of one attempt through the rules: deny, allow, trap, ban, repeat, buckets
//!
//! [`Gate::judge`] looks, and refuses at once what a bucket would refuse anyway; who is not familiar
//! is then told to wait for his turn. [`Gate::judge_in_turn`] takes the tokens. A familiar pair pays
//! from its own bucket and needs no turn, unless its client has just failed.
//! Not here: what an outcome does (`settle`), the turns themselves (`net::turns`).

use std::sync::Arc;
use std::time::Duration;

use arc_swap::Guard;

use crate::clock::Moment;
use crate::gate::attempt::{AuthAttempt, Password, UserName};
use crate::gate::ban::Ban;
use crate::gate::bucket::{Place, Share, Token};
use crate::gate::client::{ClientKey, NetworkKey};
use crate::gate::familiar::{Acquaintance, Bond};
use crate::gate::keys::{Guess, UserId};
use crate::gate::recent::{Answer, Decision};
use crate::gate::rules::Rules;
use crate::gate::settings::{Mode, Part};
use crate::gate::table::{Key, Kind};
use crate::gate::tries::Past;
use crate::gate::verdict::{BanCause, Permit, Reason, Refusal, Verdict};
use crate::gate::words::Word;
use crate::gate::{Events, Gate};

/// How long a wrong password is answered without asking Postfix again.
const KNOWN_WRONG_FAMILIAR: Duration = Duration::from_secs(60);
const KNOWN_WRONG: Duration = Duration::from_secs(600);
/// How long after a client's last new failure its familiar pairs wait in turn too. A guesser who
/// fails less often than this keeps nobody waiting.
const FAILED_LATELY: Duration = Duration::from_secs(60);

/// What a permit stands for.
#[derive(Debug)]
pub(in crate::gate) struct Claim {
    pub(in crate::gate) case: Case,
    pub(in crate::gate) tokens: Tokens,
    pub(in crate::gate) grounds: Reason,
    pub(in crate::gate) basis: Basis,
}

/// Why an attempt is forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) enum Basis {
    /// Its client is on the allow list.
    Listed,
    /// It holds a token of every bucket that it must pay.
    Paid,
    /// Its password is known to be wrong, so it is no new guess.
    Repeat,
    /// It would be refused, but the state settles in; it holds a token of `client`.
    Settling,
    /// It would be refused, but this is a dry run.
    DryRun,
}

/// The tokens that a permit holds: at most one of each bucket on its route.
pub(in crate::gate) type Tokens = [Option<Token>; 4];

const NOTHING: Tokens = [None; 4];

/// An attempt, as the tables know it.
#[derive(Clone, Copy, Debug)]
pub(in crate::gate) struct Case {
    pub(in crate::gate) session: u64,
    pub(in crate::gate) client: ClientKey,
    pub(in crate::gate) network: NetworkKey,
    pub(in crate::gate) user: UserId,
    /// None: the mechanism hides the password.
    pub(in crate::gate) guess: Option<Guess>,
    pub(in crate::gate) word: Word,
    pub(in crate::gate) who: Acquaintance,
}

/// The buckets that an attempt pays, in the order in which they may refuse it.
type Route = [Option<Place>; 4];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing is taken from who must wait for a turn.
    First,
    /// It has its turn, or needs none.
    InTurn,
}

impl Gate {
    /// Judges an attempt. It may have to wait: then take a turn and ask [`Gate::judge_in_turn`].
    pub fn judge(&self, attempt: &AuthAttempt<'_>, now: Moment, events: &mut Events) -> Verdict {
        self.hear(attempt, Stage::First, now, events)
    }

    /// Judges an attempt that has its turn: it is never told to wait.
    pub fn judge_in_turn(
        &self,
        attempt: &AuthAttempt<'_>,
        now: Moment,
        events: &mut Events,
    ) -> Verdict {
        self.hear(attempt, Stage::InTurn, now, events)
    }

    /// Notes that no turn came before the deadline. The attempt is answered 454 and costs nothing.
    pub fn miss_turn(&self, attempt: &AuthAttempt<'_>, now: Moment) -> Refusal {
        let missed = refusal(Reason::Turn, Duration::ZERO);
        self.counters.refuse(missed.reason);
        let without = self.rules.load().without;
        let case = self.case(attempt, without, now);
        let told = case.decision(Answer::Refuse, missed.reason, missed.wait, now);
        self.recent.push(told);
        missed
    }

    fn hear(
        &self,
        attempt: &AuthAttempt<'_>,
        stage: Stage,
        now: Moment,
        events: &mut Events,
    ) -> Verdict {
        let rules = self.rules.load();
        let case = self.case(attempt, rules.without, now);
        let hearing = Hearing {
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
        hearing.decide(attempt.user)
    }

    /// Hashes an attempt and looks its people up.
    fn case(&self, attempt: &AuthAttempt<'_>, without: Option<Part>, now: Moment) -> Case {
        let user = self.keys.user(attempt.user);
        let network = attempt.client.network();
        let (guess, word) = match attempt.password {
            Password::Hidden => (None, Word::Common),
            Password::Shown(secret) => {
                let secret = secret.expose();
                let word = Word::of(secret, attempt.user, &self.keys, without);
                (Some(self.keys.guess(user, secret)), word)
            }
        };
        Case {
            session: attempt.session,
            client: attempt.client,
            network,
            user,
            guess,
            word,
            who: self.familiar.acquaintance(user, network, now),
        }
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
        let hearing = Hearing {
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
        hearing.outlook(user)
    }
}

/// One attempt before the judge, with all that the judgement needs.
struct Hearing<'a> {
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

impl Hearing<'_> {
    fn decide(mut self, user: &UserName) -> Verdict {
        if let Some(grounds) = self.listed() {
            return match grounds {
                Ok(reason) => self.allow(NOTHING, reason, Basis::Listed),
                Err(refusal) => self.refuse(refusal),
            };
        }
        if let Some(refusal) = self.trapped(user).or_else(|| self.banned()) {
            return self.refuse(refusal);
        }
        if let Some(wrong) = self.known_wrong() {
            return self.repeat(wrong);
        }
        for route in self.routes().into_iter().flatten() {
            return match self.pay(&route) {
                // Near all taken: this one pays as a far one.
                Err(refusal) if refusal.reason == Reason::Near => continue,
                Err(refusal) => self.refuse(refusal),
                Ok(None) => Verdict::Wait,
                Ok(Some(tokens)) => self.allow(tokens, grounds(&route), Basis::Paid),
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
        for route in self.routes().into_iter().flatten() {
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

    fn repeat(self, wrong: Moment) -> Verdict {
        let known = match self.case.who.bond {
            Bond::Familiar => KNOWN_WRONG_FAMILIAR,
            Bond::Near | Bond::Far => KNOWN_WRONG,
        };
        if self.now.since(wrong) < known {
            self.gate.counters.refuse(Reason::Repeat);
            self.tell(Answer::Repeat, Reason::Repeat, Duration::ZERO);
            return Verdict::Repeat;
        }
        match self.stage {
            Stage::First => Verdict::Wait,
            Stage::InTurn => self.allow(NOTHING, Reason::Repeat, Basis::Repeat),
        }
    }

    /// The ways to pay, the first that can be paid counts.
    fn routes(&self) -> [Option<Route>; 2] {
        let Case {
            client,
            network,
            user,
            who,
            ..
        } = self.case;
        let keyed = |key| Some(Place::Keyed(key));
        if who.bond == Bond::Familiar {
            let id = self.gate.keys.pair(user, network);
            let kind = Kind::Pair;
            return [Some([keyed(Key { kind, id }), None, None, None]), None];
        }
        let route = |user, share| {
            [
                keyed(Key::client(client)),
                keyed(Key::network(network)),
                keyed(user),
                Some(Place::Shared(share)),
            ]
        };
        let share = if self.gate.seen.is_word(self.case.word) {
            Share::Words
        } else if !who.known && self.rules.without != Some(Part::Unknown) {
            Share::Unknown
        } else {
            Share::Strangers
        };
        let far = Some(route(Key::far(user), share));
        match who.bond {
            Bond::Near => [Some(route(Key::near(user), Share::Near)), far],
            _ => [far, None],
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
            if let Err(wait) = self.gate.buckets.peek(*place, limit, self.now) {
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

    fn refuse(mut self, mut refusal: Refusal) -> Verdict {
        let meant = self.is_meant(refusal.reason);
        if !meant && self.stage == Stage::First {
            return Verdict::Wait;
        }
        if !meant && self.rules.mode == Mode::Enforce {
            return self.settle_in(refusal.reason);
        }
        self.punish(&mut refusal);
        if meant {
            self.gate.counters.refuse(refusal.reason);
            self.tell(Answer::Refuse, refusal.reason, refusal.wait);
            return Verdict::Refuse(refusal);
        }
        self.allow(NOTHING, refusal.reason, Basis::DryRun)
    }

    /// While settling in, what another bucket would refuse goes through for a token of `client`.
    fn settle_in(mut self, reason: Reason) -> Verdict {
        match self.take(Place::Keyed(Key::client(self.case.client))) {
            Ok(token) => self.allow([Some(token), None, None, None], reason, Basis::Settling),
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
        // A mail program that retries is no guesser. Hidden passwords may each be a new one.
        let new = !self.past.repeated;
        let familiar = self.case.who.network;
        let (gate, now) = (self.gate, self.now);
        match refusal.reason {
            Reason::Trap => {
                refusal.wait = gate.spring(&self.rules, client, familiar, now, self.events);
                return;
            }
            Reason::DenyList | Reason::Ban => return,
            Reason::Familiar => {}
            Reason::Client if new => {
                let cause = BanCause::Strikes;
                let ban = gate.strike(&self.rules, client, familiar, cause, now, self.events);
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
            claim: Claim {
                case: self.case,
                tokens,
                grounds,
                basis,
            },
        })
    }

    fn tell(&self, answer: Answer, reason: Reason, wait: Duration) {
        let decision = self.case.decision(answer, reason, wait, self.now);
        self.gate.recent.push(decision);
    }
}

impl Case {
    pub(in crate::gate) fn decision(
        &self,
        answer: Answer,
        reason: Reason,
        wait: Duration,
        at: Moment,
    ) -> Decision {
        Decision {
            at,
            session: self.session,
            client: self.client,
            answer,
            reason,
            wait,
            user: self.user,
        }
    }
}

impl Permit {
    /// What the attempt is forwarded on: the last bucket it paid, or why it pays none.
    pub fn grounds(&self) -> Reason {
        self.claim.grounds
    }

    /// What would have refused it, but for a dry run or settling in.
    pub fn would_refuse(&self) -> Option<Reason> {
        match self.claim.basis {
            Basis::Settling | Basis::DryRun => Some(self.claim.grounds),
            Basis::Listed | Basis::Paid | Basis::Repeat => None,
        }
    }
}

fn refusal(reason: Reason, wait: Duration) -> Refusal {
    Refusal { reason, wait }
}

/// What a route rests on: its last bucket.
fn grounds(route: &Route) -> Reason {
    let last = route.iter().flatten().next_back();
    last.map_or(Reason::Strangers, |place| reason(*place))
}

pub(in crate::gate) fn reason(place: Place) -> Reason {
    match place {
        Place::Keyed(key) => match key.kind {
            Kind::Pair => Reason::Familiar,
            Kind::ClientV4 | Kind::ClientV6 => Reason::Client,
            Kind::Network => Reason::Network,
            Kind::UserNear => Reason::UserNear,
            Kind::UserFar | Kind::Word => Reason::UserFar,
        },
        Place::Shared(Share::Near) => Reason::Near,
        Place::Shared(Share::Words) => Reason::Words,
        Place::Shared(Share::Unknown) => Reason::Unknown,
        Place::Shared(Share::Strangers) => Reason::Strangers,
    }
}
