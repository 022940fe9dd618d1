//! delay - an attempt that pays with tokens which come soon, at a door that can make it wait but not come again
//!
//! Dovecot can hold a password back for some seconds before it checks it; what it is told to refuse it calls a wrong
//! password. So a known user's attempt whose buckets have no token yet takes the next one now, and its password waits
//! until that is there. The tokens are those that another attempt would get then: the bound is the same.
//! Not here: doors (`request::doors`), the buckets (`pay`).

use std::time::Duration;

use super::{Evaluation, JudgementStage, Payment};
use crate::gate::buckets::spec::{Bucket, WhenEmpty};
use crate::gate::case::Case;
use crate::gate::ladder::Short;
use crate::gate::request::attempt::Trust;
use crate::gate::request::verdict::Reason;

/// The longest that a password waits for its tokens at a door that knows no "later". Mail programs wait longer for an
/// answer, and so does Dovecot before it tells them that they wait.
const LONGEST_DELAY: Duration = Duration::from_secs(20);

impl<S: JudgementStage> Evaluation<'_, S> {
    /// Pays; at a door that knows no "later", a known user's attempt with tokens that come within a short time, and its
    /// password waits for them. No more passwords are checked so than the buckets have by then.
    pub(super) fn pay_in_time(&mut self, trust: Trust) -> Result<Payment<S::Answer>, Short> {
        loop {
            let short = match self.pay(trust) {
                Err(short) => short,
                paid => return paid,
            };
            let wait = short.refusal.wait;
            let delay = whole_seconds(self.delay + wait);
            if !self.may_be_delayed(&short) || wait.is_zero() || delay > LONGEST_DELAY {
                self.delay = Duration::ZERO;
                return Err(short);
            }
            self.delay = delay;
        }
    }

    fn may_be_delayed(&self, short: &Short) -> bool {
        let Case { door, who, .. } = self.case;
        let is_strangers = short.refusal.reason != Reason::Bucket(Bucket::Familiar);
        !door.has_later() && who.known && is_strangers && short.when_empty != WhenEmpty::PayAsFar
    }
}

/// Dovecot counts in whole seconds.
fn whole_seconds(span: Duration) -> Duration {
    let begun = span.subsec_nanos() > 0;
    Duration::from_secs(span.as_secs() + u64::from(begun))
}
