//! credit - when an attempt pays from what its client's users have earned (`buckets::credit`)
//!
//! What the buckets of a single address, of the user or of all strangers refuse may be paid so. It pays a token of
//! the credit and one of `user-credit`, and nothing else, so that an empty bucket of strangers does not matter.
//! A password that is known to be wrong, or a familiar pair that has used up its own bucket, has no part in it.
//! Not here: how credit is earned (`settle`).

use super::{Evaluation, JudgementStage, Payment};
use crate::gate::buckets::spec::Bucket;
use crate::gate::ladder::Short;
use crate::gate::request::verdict::{FailureReply, Reason};

impl<S: JudgementStage> Evaluation<'_, S> {
    /// Pays from the credit where the names that exist and those that do not would be told apart otherwise: one
    /// of the two buckets has no token. Both kinds pay so, and both are told what Postfix says.
    pub(super) fn pay_alike(&mut self, reply: FailureReply) -> Option<Payment<S::Answer>> {
        match reply {
            FailureReply::Refusal => self.pay_from_credit().ok(),
            FailureReply::Outcome => None,
        }
    }

    /// Pays from the credit instead of a bucket that has refused.
    pub(super) fn pay_instead(&mut self, reason: Reason) -> Option<Payment<S::Answer>> {
        let may = matches!(reason, Reason::Bucket(bucket) if bucket != Bucket::Familiar);
        may.then(|| self.pay_from_credit().ok()).flatten()
    }

    fn pay_from_credit(&mut self) -> Result<Payment<S::Answer>, Short> {
        let route = self.question().afford_credit()?;
        if let Some(wait) = self.stage.wait(self.class()) {
            return Ok(Payment::Waits(wait));
        }
        let reply = self.question().reply_in_credit();
        let tokens = self.take_all(&route)?;
        self.reply = reply;
        Ok(Payment::Paid(Box::new(tokens), route.grounds()))
    }
}
