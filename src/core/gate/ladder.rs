//! ladder - the steps that an attempt climbs, in their order, and what each says
//!
//! Deny, the operator's bans, the user's own rule, allow, countries, stolen passwords, trap, ban, repeat, then the
//! buckets. The first step that does not pass decides. Three callers ask here: the judgement (`judge`), the explanation
//! of what a new password would meet (`explain`), and the look before a client has named its user (`Gate::peek`), for
//! which the steps that depend on the user pass.
//!
//! A familiar pair pays from its own bucket, then from that of a familiar device, and from no other. A familiar device
//! elsewhere pays from its own bucket, and then as the network says. An unproven pair pays from a smaller bucket of its
//! own, and as one from far when that is empty. Everyone else pays from all keyed buckets for near or far attempts, and
//! from the first shared one that fits. Nothing is taken here, and nothing is told.
//! Not here: taking tokens and what a refusal costs (`judge`), the buckets (`spec`), their keys (`key`).

use std::time::Duration;

use crate::gate::Gate;
use crate::gate::buckets::key::BucketKey;
use crate::gate::buckets::quota::KeptPart;
use crate::gate::buckets::route::{Due, Route};
use crate::gate::buckets::spec::{Bucket, BucketStore, Reserve, WhenEmpty};
use crate::gate::buckets::tries::{Fate, History, Past, WrongTry};
use crate::gate::case::Case;
use crate::gate::request::attempt::Trust;
use crate::gate::request::client::ClientKey;
use crate::gate::request::keys::UserId;
use crate::gate::request::settings::Mode;
use crate::gate::request::verdict::{Reason, Refusal};
use crate::gate::rules::{Payable, Rules};
use crate::gate::trust::ban::Ban;
use crate::gate::trust::familiar::NetworkTrust;
use crate::moment::Moment;

mod trusted;

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) enum Step {
    Deny,
    /// A ban by the operator, which refuses the familiar too.
    BanByHand,
    /// What the owner has set for this user.
    UserRule,
    Allow,
    /// Countries that may log in.
    Country,
    /// Where a user's password seems to be stolen, and the place is not familiar.
    Stolen,
    Trap,
    /// An automatic ban, which refuses nobody where somebody is familiar, nobody who is near, and no familiar device.
    Ban,
    Repeat,
    /// The buckets of attempts with this trust. Where a near bucket is empty the attempt may pay as a far one.
    Buckets(Trust),
}

/// All steps in their order.
pub(in crate::gate) const STEPS: [Step; 14] = [
    Step::Deny,
    Step::BanByHand,
    Step::UserRule,
    Step::Allow,
    Step::Country,
    Step::Stolen,
    Step::Trap,
    Step::Ban,
    Step::Repeat,
    Step::Buckets(Trust::Familiar),
    Step::Buckets(Trust::Device),
    Step::Buckets(Trust::Unproven),
    Step::Buckets(Trust::Near),
    Step::Buckets(Trust::Far),
];

/// What a step says.
pub(in crate::gate) enum StepFinding {
    Pass,
    Allow(Reason),
    Refuse(Refusal),
    /// The same password was tried before, and is no new guess.
    Repeat(Repetition),
    /// It must pay from the buckets of attempts with this trust.
    Pay(Trust),
}

/// What is known of a password that was tried before.
#[derive(Clone, Copy)]
pub(in crate::gate) enum Repetition {
    /// Postfix has not answered it in time, and nothing is known of it.
    Stalled,
    /// Postfix rejected it, from this client.
    WrongHere(WrongTry),
    /// Postfix rejected it then for this user, who is familiar or near here, from another client.
    WrongElsewhere(Moment),
}

/// The client that asks, and what it asks for.
pub(in crate::gate) struct Question<'a> {
    pub(in crate::gate) gate: &'a Gate,
    pub(in crate::gate) rules: &'a Rules,
    pub(in crate::gate) client: ClientKey,
    /// None while the client has not named its user.
    pub(in crate::gate) attempt: Option<Named<'a>>,
    pub(in crate::gate) network: NetworkTrust,
    pub(in crate::gate) ban: Option<&'a Ban>,
    pub(in crate::gate) settling: bool,
    pub(in crate::gate) now: Moment,
}

/// An attempt whose user is named.
#[derive(Clone, Copy)]
pub(in crate::gate) struct Named<'a> {
    pub(in crate::gate) case: &'a Case,
    pub(in crate::gate) past: &'a Past,
}

/// What keeps an attempt from paying a route.
pub(in crate::gate) struct Short {
    pub(in crate::gate) refusal: Refusal,
    pub(in crate::gate) when_empty: WhenEmpty,
}

impl Question<'_> {
    /// What one step says. Always inlined, as what it calls is: a walk over the steps becomes straight code.
    #[inline(always)]
    pub(in crate::gate) fn ask(&self, step: Step) -> StepFinding {
        match step {
            Step::Deny if self.rules.denies(self.client) => {
                StepFinding::Refuse(refusal(Reason::DenyList, Duration::ZERO))
            }
            Step::Allow if self.rules.allows(self.client) => StepFinding::Allow(Reason::AllowList),
            Step::UserRule if self.is_against_user_rule() => {
                StepFinding::Refuse(refusal(Reason::UserRule, Duration::ZERO))
            }
            Step::Country if self.is_from_elsewhere() => {
                StepFinding::Refuse(refusal(Reason::Country, Duration::ZERO))
            }
            Step::Stolen if self.is_held() => {
                StepFinding::Refuse(refusal(Reason::Stolen, Duration::ZERO))
            }
            Step::Trap if self.is_hidden_decoy() => {
                StepFinding::Refuse(refusal(Reason::Decoy, Duration::ZERO))
            }
            Step::Trap if self.is_trap() => {
                StepFinding::Refuse(refusal(Reason::Trap, Duration::ZERO))
            }
            Step::BanByHand => self.banned(self.ban.filter(|ban| ban.is_by_hand())),
            Step::Ban => self.banned(self.ban.filter(|_| !self.is_spared())),
            Step::Repeat => self
                .repetition()
                .map_or(StepFinding::Pass, StepFinding::Repeat),
            Step::Buckets(trust) if self.pays_as(trust) => StepFinding::Pay(trust),
            Step::Deny
            | Step::UserRule
            | Step::Allow
            | Step::Country
            | Step::Stolen
            | Step::Trap
            | Step::Buckets(_) => StepFinding::Pass,
        }
    }

    #[inline(always)]
    fn banned(&self, ban: Option<&Ban>) -> StepFinding {
        ban.map_or(StepFinding::Pass, |ban| {
            StepFinding::Refuse(refusal(Reason::Ban, ban.until.since(self.now)))
        })
    }

    /// The buckets that this attempt must pay with this trust, if each has a token for it; takes nothing.
    pub(in crate::gate) fn afford(&self, trust: Trust) -> Result<Route, Short> {
        let mut route = Route::NONE;
        self.look(trust, |due| route.push(due))?;
        Ok(route)
    }

    /// Looks into the buckets of a route, one after another, up to the first that has no token.
    #[inline(always)]
    fn look(&self, trust: Trust, mut see: impl FnMut(Due)) -> Result<(), Short> {
        let user = self.attempt.map(|named| named.case.payer);
        // Before the user is named, whatever may be: it may be a retry.
        let history = self
            .attempt
            .map_or(History::Retry, |named| named.past.history);
        let mut shared = self.attempt;
        for payable in self.rules.route(trust) {
            if matches!(payable.store, BucketStore::Shared(_)) {
                // One shared bucket is enough, the first that fits. Which one fits depends on the user.
                let Some(named) = shared else { continue };
                if !self.fits(payable.bucket, named.case) {
                    continue;
                }
                shared = None;
            }
            if let Some(key) = self.key(payable.bucket, user) {
                let due = self.due(payable, key, history);
                see(due.or_else(|short| self.due_from_near(short))?);
            }
        }
        Ok(())
    }

    /// The row of a bucket that this attempt pays from.
    #[inline(always)]
    fn key(&self, bucket: Bucket, user: Option<UserId>) -> Option<BucketKey> {
        let keys = &self.gate.keys;
        match bucket {
            Bucket::Device => {
                let device = self.attempt?.case.device?;
                Some(BucketKey::at_device(user?, device.id, keys))
            }
            bucket => BucketKey::of(bucket, self.client, user, keys),
        }
    }

    #[inline(always)]
    pub(in crate::gate) fn due(
        &self,
        payable: &Payable,
        key: BucketKey,
        history: History,
    ) -> Result<Due, Short> {
        payable.with_limit(self.known_users(), |limit| {
            let kept = kept(payable.reserve, history);
            match self.gate.buckets.peek(key, limit, kept, self.now) {
                Ok(key) => Ok(Due { key, limit: *limit }),
                Err(wait) => Err(Short::of(payable.bucket, wait)),
            }
        })
    }

    /// What is paid instead of a bucket that has no token and allows it: a token of `near`, of which half is kept
    /// for those who are near.
    fn due_from_near(&self, short: Short) -> Result<Due, Short> {
        let may =
            short.when_empty == WhenEmpty::PayFromNear && self.network == NetworkTrust::Familiar;
        if !may {
            return Err(short);
        }
        let mut route = self.rules.route(Trust::Near).iter();
        let near = route.find(|payable| payable.bucket == Bucket::Near);
        let key = BucketKey::of(Bucket::Near, self.client, None, &self.gate.keys);
        let (Some(near), Some(key)) = (near, key) else {
            return Err(short);
        };
        near.with_limit(self.known_users(), |limit| {
            let held = self.gate.buckets.peek(key, limit, KeptPart::Half, self.now);
            held.map(|key| Due { key, limit: *limit })
                .map_err(|_| short)
        })
    }

    /// How many users are known, by which some buckets grow.
    #[inline(always)]
    fn known_users(&self) -> usize {
        self.attempt.map_or(0, |named| named.case.who.users)
    }

    /// What a new attempt would be answered: the grounds, or the refusal.
    pub(in crate::gate) fn outlook(&self) -> Result<Reason, Refusal> {
        for step in STEPS {
            match self.ask(step) {
                StepFinding::Pass | StepFinding::Repeat(_) => {}
                StepFinding::Allow(reason) => return Ok(reason),
                StepFinding::Refuse(refusal) => return Err(refusal),
                StepFinding::Pay(trust) => match self.afford(trust) {
                    Ok(route) => return Ok(route.grounds()),
                    Err(short) if self.goes_on(trust, &short) => {}
                    Err(short) => {
                        let credit = self.afford_credit();
                        let grounds = Reason::Bucket(Bucket::Credit);
                        return credit.map(|_| grounds).map_err(|_| short.refusal);
                    }
                },
            }
        }
        Err(NO_STEP)
    }

    /// The refusal that is certain whatever user is named, and meant; none if that depends on the user.
    pub(in crate::gate) fn certain(&self) -> Option<Refusal> {
        for step in STEPS {
            let refusal = match self.ask(step) {
                StepFinding::Allow(_) => return None,
                StepFinding::Refuse(refusal) => Some(refusal),
                StepFinding::Pay(trust) => match self.look(trust, |_| {}) {
                    Ok(()) => return None,
                    Err(short) if self.goes_on(trust, &short) => None,
                    Err(short) => Some(short.refusal).filter(|_| !self.has_credit()),
                },
                StepFinding::Pass | StepFinding::Repeat(_) => None,
            };
            let meant = refusal.filter(|refusal| self.is_meant(refusal.reason));
            if meant.is_some() {
                return meant;
            }
        }
        None
    }

    /// Whether a refusal for this reason is answered as one.
    pub(in crate::gate) fn is_meant(&self, reason: Reason) -> bool {
        match reason {
            Reason::DenyList => true,
            Reason::Ban => self.ban.is_some_and(|ban| ban.holds(self.rules.mode)),
            _ if self.rules.mode == Mode::DryRun => false,
            // A familiar pair is no stranger; and what forgives is bounded itself.
            Reason::Trap
            | Reason::Country
            | Reason::UserRule
            | Reason::Decoy
            | Reason::Stolen
            | Reason::Repeat
            | Reason::Turn
            | Reason::Outage
            | Reason::Bucket(
                Bucket::Client | Bucket::Familiar | Bucket::SettlingUser | Bucket::Settling,
            ) => true,
            _ => !self.settling,
        }
    }

    /// A name that no honest user has; the user of an account has one that is known.
    fn is_trap(&self) -> bool {
        let named = self.attempt.filter(|named| !named.case.who.known);
        named.is_some_and(|named| self.rules.is_trap(named.case.user))
    }

    /// What is known of this very password: from this client, or where the user is familiar or near.
    fn repetition(&self) -> Option<Repetition> {
        let Named { case, past, .. } = self.attempt?;
        if let Some(wrong) = past.wrong_here {
            return Some(Repetition::WrongHere(wrong));
        }
        if past.fate_here == Fate::Stalled {
            return Some(Repetition::Stalled);
        }
        let trusted = past.wrong_for_user.filter(|_| case.who.trust != Trust::Far);
        trusted.map(Repetition::WrongElsewhere)
    }
}

/// The part of a bucket that an attempt with this history must leave to others.
pub(in crate::gate) fn kept(reserve: Reserve, history: History) -> KeptPart {
    match (reserve, history) {
        (_, History::Retry) | (Reserve::Nothing, _) | (Reserve::Newcomers, History::First) => {
            KeptPart::Nothing
        }
        (Reserve::Retries, _) | (Reserve::Both, History::First) => KeptPart::Sixth,
        (Reserve::Newcomers | Reserve::Both, History::Repeat) => KeptPart::Third,
    }
}

/// What refuses an attempt that no step has decided. The last step decides, so it is never given.
pub(in crate::gate) const NO_STEP: Refusal =
    refusal(Reason::Bucket(Bucket::Strangers), Duration::ZERO);

pub(in crate::gate) const fn refusal(reason: Reason, wait: Duration) -> Refusal {
    Refusal { reason, wait }
}

impl Short {
    /// An empty bucket, and when it has a token.
    pub(in crate::gate) fn of(bucket: Bucket, wait: Duration) -> Self {
        Self {
            refusal: refusal(Reason::Bucket(bucket), wait),
            when_empty: bucket.spec().when_empty,
        }
    }
}
