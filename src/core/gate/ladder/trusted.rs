//! trusted - what follows from how far an attempt is trusted: whether a ban holds, and which buckets it may pay
//!
//! Not here: the steps and the tokens (`ladder`).

use super::{Question, Short};
use crate::gate::buckets::spec::{Bucket, WhenEmpty};
use crate::gate::case::Case;
use crate::gate::request::attempt::Trust;
use crate::gate::request::device::DeviceTrust;
use crate::gate::trust::familiar::NetworkTrust;

impl Question<'_> {
    /// Whether an automatic ban does not hold: behind the address may be an office, or a carrier's subscribers.
    pub(super) fn is_spared(&self) -> bool {
        match self.attempt {
            _ if self.network == NetworkTrust::Familiar => true,
            Some(named) => matches!(named.case.who.trust, Trust::Near | Trust::Device),
            None => self.network == NetworkTrust::Near,
        }
    }

    /// Whether an attempt that cannot pay as one with this trust does may pay as another one. Where a user's network is
    /// familiar, the device comes after it, and is the last.
    pub(in crate::gate) fn goes_on(&self, trust: Trust, short: &Short) -> bool {
        let who = self.attempt.map(|named| &named.case.who);
        match trust {
            Trust::Familiar => who.is_some_and(|who| who.device == DeviceTrust::Familiar),
            Trust::Device => who.is_some_and(|who| who.in_network != Trust::Familiar),
            Trust::Unproven | Trust::Near | Trust::Far => short.when_empty == WhenEmpty::PayAsFar,
        }
    }

    /// Whether this attempt pays as one with this trust does.
    #[inline(always)]
    pub(super) fn pays_as(&self, trust: Trust) -> bool {
        let who = self.attempt.map(|named| &named.case.who);
        match who.map(|who| who.in_network) {
            _ if trust == Trust::Device => {
                who.is_some_and(|who| who.device == DeviceTrust::Familiar)
            }
            Some(Trust::Near) => matches!(trust, Trust::Near | Trust::Far),
            Some(Trust::Unproven) => matches!(trust, Trust::Unproven | Trust::Far),
            Some(own) => own == trust,
            // The user is not named yet: what can be known now of what it may pay, whatever the name.
            None => match trust {
                Trust::Near => self.network == NetworkTrust::Near,
                Trust::Far => self.network != NetworkTrust::Familiar,
                Trust::Familiar | Trust::Device | Trust::Unproven => false,
            },
        }
    }

    /// Whether an attempt is one of those that a shared bucket is for.
    pub(super) fn fits(&self, bucket: Bucket, case: &Case) -> bool {
        match bucket {
            Bucket::Words => case.who.known && self.gate.seen.is_word(case.word),
            Bucket::Unknown => !case.who.known,
            _ => true,
        }
    }
}
