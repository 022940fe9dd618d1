//! replies - what a stranger's failure is told as: what Postfix said, or as the refusal that another name would get
//!
//! Not here: refusing (`ladder`), the words (`smtp::reply`).

use crate::gate::buckets::key::BucketKey;
use crate::gate::buckets::quota::KeptPart;
use crate::gate::buckets::spec::Bucket;
use crate::gate::buckets::tries::History;
use crate::gate::ladder::{Named, Question};
use crate::gate::request::attempt::Trust;
use crate::gate::request::settings::Mode;
use crate::gate::request::verdict::FailureReply;
use crate::gate::rules::Payable;

impl Question<'_> {
    /// What a failure of this attempt is told as.
    ///
    /// A stranger's attempt pays from one shared bucket if the name is known and from another if not; an unknown name
    /// pays from the bucket of names like it, too. If any of these is empty, attempts at one kind of names are refused
    /// without a check. So failures of the other kind look the same then, and only a right password gets another answer.
    /// What is kept for retries counts as gone: a client that was refused may take it, and one that was rejected
    /// meanwhile is no retry.
    pub(in crate::gate) fn failure_reply(&self) -> FailureReply {
        let Some(Named { case, past }) = self.attempt else {
            return FailureReply::Outcome;
        };
        if case.who.trust != Trust::Far {
            return FailureReply::Outcome;
        }
        let of_known = match self.gate.seen.is_word(case.word) {
            true => Bucket::Words,
            false => Bucket::Strangers,
        };
        let shared = [Bucket::UserFar, Bucket::Unknown, of_known];
        let own = [Bucket::Client, Bucket::Network, Bucket::Region];
        // Near by the system it has paid from buckets of its own, when a name that is not known is refused for these.
        let has_paid_elsewhere = case.who.by_system || self.is_credit_kept();
        let is_short = self.is_short_of(&shared, past.others)
            || has_paid_elsewhere && self.is_short_of(&own, past.others);
        match is_short {
            true => FailureReply::Refusal,
            false => FailureReply::Outcome,
        }
    }

    /// Whether the failures of any stranger may look like refusals now: then how much the buckets of a client and of a
    /// network hold tells which names were checked.
    pub(in crate::gate) fn may_hide_failures(&self) -> bool {
        let shared = [Bucket::Unknown, Bucket::Words, Bucket::Strangers];
        self.is_short_of(&shared, History::Repeat)
    }

    /// Whether this client's credit has no more than what is kept for known names.
    fn is_credit_kept(&self) -> bool {
        let limit = self.rules.limit(Bucket::Credit, 0);
        let credit = self.gate.buckets.credit().held(self.client, self.now);
        let kept = |tokens: u32| tokens <= limit.kept(self.kept_for_known_names());
        self.rules.earning.is_some() && credit.is_some_and(kept)
    }

    /// What a failure is told as that is paid with credit: both kinds of names pay so, each as the user it is taken
    /// for, but for what is kept for known names.
    pub(in crate::gate) fn reply_in_credit(&self) -> FailureReply {
        let named = self
            .attempt
            .filter(|named| named.case.who.trust == Trust::Far);
        let Some(Named { case, .. }) = named.filter(|_| self.is_enforced()) else {
            return FailureReply::Outcome;
        };
        let user = Some(case.payer_if_unknown);
        let key = BucketKey::of(Bucket::UserCredit, self.client, user, &self.gate.keys);
        let limit = self.rules.limit(Bucket::UserCredit, case.who.users);
        let is_empty = key.is_some_and(|key| {
            self.gate
                .buckets
                .peek(key, &limit, KeptPart::Nothing, self.now)
                .is_err()
        });
        match is_empty || self.is_credit_kept() {
            true => FailureReply::Refusal,
            false => FailureReply::Outcome,
        }
    }

    /// Whether what a bucket of strangers refuses is refused.
    fn is_enforced(&self) -> bool {
        self.rules.mode == Mode::Enforce && !self.settling
    }

    /// Whether one of these buckets refuses strangers with this history who name an unknown user, and means it.
    fn is_short_of(&self, buckets: &[Bucket], history: History) -> bool {
        let user = self.attempt.map(|named| named.case.payer_if_unknown);
        let is_short = |payable: &Payable| {
            let key = BucketKey::of(payable.bucket, self.client, user, &self.gate.keys);
            key.is_some_and(|key| self.due(payable, key, history).is_err())
        };
        let mut route = self.rules.route(Trust::Far).iter();
        self.is_enforced()
            && route.any(|payable| buckets.contains(&payable.bucket) && is_short(payable))
    }
}
