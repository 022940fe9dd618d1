//! turns_had - how often a user was accepted in a turn lately
//!
//! A right password gives its tokens back, so no bucket bounds how many turns the holder of an account takes: from more
//! networks than a user keeps it is a stranger's each time, and at home it waits whenever its client has just
//! failed. So the turns in which a user was accepted are counted: a burst, and one more in some minutes. Who has had more
//! is refused nothing, and waits in a lower class. Guesses are not counted: those at a user say nothing of who owns it.
//! Not here: the lines (`queue`), who waits (`judge`).

use std::time::Duration;

use crate::gate::buckets::quota::Quota;
use crate::gate::buckets::rate::{ClientRate, RateKey};
use crate::gate::case::{Case, Claim};
use crate::gate::queue::QueueClass;
use crate::moment::Moment;

/// Turns of one user: as many as a person needs who sets up several devices.
const FEW: Quota = Quota {
    burst: 10,
    every: Duration::from_secs(300),
};
/// Users that were accepted so lately; 24 octets each. Only right passwords add any.
const ROWS: usize = 8_192;

/// What was counted of all users, at home and elsewhere apart: a busy one behind an address that fails is no thief abroad.
pub(in crate::gate) struct TurnsHad(ClientRate);

impl TurnsHad {
    /// Nobody has had any. `secret` spreads the rows.
    pub(in crate::gate) fn new(secret: &[u8; 16]) -> Self {
        Self(ClientRate::new(FEW, ROWS, secret))
    }

    /// Whether the user of an attempt has had as many as are few.
    pub(in crate::gate) fn are_many(&self, case: &Case, now: Moment) -> bool {
        !self.0.has_token(counted_as(case), now)
    }

    /// An attempt was accepted. Without an end of the wait there was no turn, and a probe is wanted.
    pub(in crate::gate) fn accepted(&self, claim: &Claim, now: Moment) {
        if claim.class.is_some_and(|class| class != QueueClass::Probe) {
            // More than are few are as many.
            let _ = self.0.take(counted_as(&claim.case), now);
        }
    }
}

fn counted_as(case: &Case) -> RateKey {
    match case.who.trust.is_familiar() {
        true => RateKey::AtHome(case.user),
        false => RateKey::Stranger(case.user),
    }
}
