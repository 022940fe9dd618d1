//! turns_had - how often a user was accepted in a turn lately
//!
//! A right password gives its tokens back, so no bucket bounds how many turns the holder of an account takes: from more
//! networks than a user keeps, each attempt is a stranger's, and at home an attempt waits whenever its client has just
//! failed. So the turns in which a user was accepted are counted: a burst, and one more in some minutes. A user who has
//! had more is not refused, but waits in a lower class. Guesses are not counted: guesses at a user say nothing of the
//! account's owner.
//! Not here: the lines (`queue`), who waits (`judge`).

use std::time::Duration;

use crate::gate::Gate;
use crate::gate::buckets::quota::Quota;
use crate::gate::buckets::rate::{ClientRate, RateKey};
use crate::gate::case::{Case, Claim};
use crate::gate::queue::QueueClass;
use crate::gate::request::attempt::{AuthAttempt, Trust};
use crate::gate::request::keys::UserId;
use crate::moment::Moment;

/// Turns of one user: as many as a person needs who sets up several devices.
const FEW: Quota = Quota {
    burst: 10,
    every: Duration::from_secs(300),
};
/// Users whose turns are counted; 24 octets each. Only right passwords add any.
const ROWS: usize = 8_192;

/// The turns of all users, counted apart for at home and elsewhere: a busy user behind an address that fails is no thief
/// abroad.
pub(in crate::gate) struct TurnsHad(ClientRate);

impl TurnsHad {
    /// Nobody has had any. `secret` spreads the rows.
    pub(in crate::gate) fn new(secret: &[u8; 16]) -> Self {
        Self(ClientRate::new(FEW, ROWS, secret))
    }

    /// Whether a user, where it is trusted so, has had more than a few.
    pub(in crate::gate) fn are_many(&self, user: UserId, trust: Trust, now: Moment) -> bool {
        !self.0.has_token(counted_as(trust, user), now)
    }

    /// An attempt was accepted. One that did not wait had no turn, and a probe is wanted.
    pub(in crate::gate) fn accepted(&self, claim: &Claim, now: Moment) {
        if claim.class.is_some_and(|class| class != QueueClass::Probe) {
            // A take that fails needs no answer: the user has had too many already.
            let case = &claim.case;
            let _ = self.0.take(counted_as(case.who.trust, case.user), now);
        }
    }
}

impl Gate {
    /// Whether the user of an attempt has had more than a few, at home or elsewhere as the attempt is.
    pub(in crate::gate) fn has_had_many(&self, case: &Case, now: Moment) -> bool {
        self.turns_had.are_many(case.user, case.who.trust, now)
    }

    /// Whether an attempt is a stranger's in all but its right password, that was accepted so many times lately.
    pub(in crate::gate) fn is_frequent(&self, case: &Case, now: Moment) -> bool {
        !case.who.trust.is_familiar() && self.has_had_many(case, now)
    }

    /// The class in which an attempt goes on waiting whose turn has come in `class`, if its user was accepted so often meanwhile
    /// that it would not have waited there. None: the turn is its own.
    pub fn lowered(
        &self,
        attempt: &AuthAttempt<'_>,
        class: QueueClass,
        now: Moment,
    ) -> Option<QueueClass> {
        let lower = match class {
            QueueClass::Probe | QueueClass::Frequent => return None,
            QueueClass::AtHome => QueueClass::Neighbour,
            QueueClass::Neighbour | QueueClass::Ordinary | QueueClass::Forgiven => {
                QueueClass::Frequent
            }
        };
        let user = self.user(attempt.user);
        let rules = self.rules.load();
        let device = attempt.device.filter(|_| rules.knows_devices());
        let device = device.map(|device| self.keys.device(device));
        let who = self.context_at(user, attempt.client.network(), device, now);
        let is_at_home = who.trust.is_familiar();
        let counted = is_at_home == (class == QueueClass::AtHome);
        let many = counted && self.turns_had.are_many(user, who.trust, now);
        many.then_some(lower)
    }
}

fn counted_as(trust: Trust, user: UserId) -> RateKey {
    match trust.is_familiar() {
        true => RateKey::AtHome(user),
        false => RateKey::Stranger(user),
    }
}
