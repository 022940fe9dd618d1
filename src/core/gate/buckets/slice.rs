//! slice - tokens of a shared bucket that were lent to this machine, beside those that it owns
//!
//! They are asked for ahead of need: when half of the machine's own is gone. What is lent may be spent for
//! [`SLICE_LIFE`] from the moment when it was asked for, by this machine's own clock; in half of that time what is left
//! goes back, and a new slice comes for it. While it is on its way nothing of it can be spent. An answer that never
//! comes loses tokens, and never doubles one.
//! A token that is given back after its slice has ended goes back to the lender, as far as it has not come
//! back there by itself.
//! The lender needs no clock: each machine that asks claims how much has come back since the lender's last answer, by a
//! clock of its own that nobody sets, and the largest claim holds. An answer is older than the moment when it comes, so
//! no claim is too large. A machine takes from a lender what a bucket of the lent part's size and speed would have, and
//! no more: somebody who writes into the store can lend it that, and not without end.
//! Not here: how much is lent at all (`division`), asking (the daemon's `cluster`), what a machine takes (`accepted`).

mod accepted;

use std::time::Duration;

use crate::gate::buckets::division::LentLimit;
use crate::gate::buckets::limit::Limit;
use crate::gate::buckets::quota::{KeptPart, SLICE_LIFE};
use crate::gate::buckets::slice::accepted::AcceptedLoans;
use crate::gate::buckets::spec::Bucket;
use crate::moment::Moment;

/// In this time what is left of a slice is exchanged.
const FRESH: Duration = Duration::from_secs(5);
/// How long nothing is asked for after a lender had less than was asked for, or has not answered.
const PAUSE: Duration = Duration::from_secs(1);
/// The lender is asked this often in any case, so that its bucket is not forgotten.
const SILENCE: Duration = Duration::from_secs(60);
/// A lender counts in such parts of a token.
pub const PARTS: u64 = 1_000_000;

/// A point in the life of a lender's bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LenderPoint {
    /// Which bucket: one that was lost is another one when it begins anew.
    pub epoch: u64,
    /// Parts of tokens that have come back since then.
    pub back: u64,
}

/// Tokens that go back to the lender.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Returned {
    /// How many.
    pub tokens: u32,
    /// When the last of them comes back by itself.
    pub until: LenderPoint,
}

/// What this machine asks the lender of one bucket for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SliceRequest {
    /// The bucket.
    pub bucket: Bucket,
    /// What the lender has to lend.
    pub limit: LentLimit,
    /// What is left of the last slice.
    pub unspent: Returned,
    /// What was spent and given back when its slice had ended.
    pub refunded: Returned,
    /// Where the lender's bucket must have come to, if it is the one that was asked before.
    pub claim: LenderPoint,
    /// Tokens to lend, at most.
    pub wanted: u32,
}

/// What was lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lend {
    /// Tokens.
    pub tokens: u32,
    /// Tokens that the lender has left.
    pub left: u32,
    /// Where the lender's bucket has come to.
    pub point: LenderPoint,
    /// Parts of tokens that will have come back when the last of these has.
    pub until: u64,
}

/// What was last known of the lender's bucket, and since when.
#[derive(Clone, Copy, Debug, Default)]
struct Reference {
    point: LenderPoint,
    at: Moment,
    /// Microseconds in which a token comes back.
    every: u64,
}

/// Which slice a token was of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::gate) struct SliceId {
    number: u32,
    /// The second until which this machine's own count of loans remembers its tokens.
    counted: u32,
    until: LenderPoint,
}

/// What this machine was lent of one bucket.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::gate) struct Slice {
    id: SliceId,
    tokens: u32,
    /// What the lender had left then, and what it has at most.
    left: u32,
    burst: u32,
    asked: Moment,
    /// When the lender was asked last, whether it has answered or not.
    sent: Moment,
    /// Nothing more is asked for before.
    again: Moment,
    refunded: Returned,
    reference: Reference,
    accepted: AcceptedLoans,
}

impl Slice {
    /// Whether there is a token for an attempt that must leave this much of what the lender has.
    pub(in crate::gate) fn has_token(&self, kept: KeptPart, now: Moment) -> bool {
        let free = match kept.divisor() {
            None => true,
            Some(divisor) => u64::from(self.left) * u64::from(divisor) >= u64::from(self.burst),
        };
        self.tokens > 0 && free && self.is_alive(now)
    }

    /// Tokens that can be spent.
    pub(in crate::gate) fn tokens(&self, now: Moment) -> u32 {
        match self.is_alive(now) {
            true => self.tokens,
            false => 0,
        }
    }

    /// Takes a token.
    pub(in crate::gate) fn take(&mut self, now: Moment) -> Option<SliceId> {
        self.tokens = self.tokens(now).checked_sub(1)?;
        Some(self.id)
    }

    /// Gives a token back.
    pub(in crate::gate) fn give_back(&mut self, id: SliceId, now: Moment) {
        if id == self.id && self.is_alive(now) {
            self.tokens = self.tokens.saturating_add(1);
            return;
        }
        self.accepted.give_back(1, id.counted, now);
        self.return_later(1, id.until);
    }

    /// Tokens go back to the lender with the next request.
    fn return_later(&mut self, tokens: u32, until: LenderPoint) {
        let held = self.refunded;
        self.refunded = match held.tokens > 0 && held.until.epoch == until.epoch {
            true => Returned {
                tokens: held.tokens.saturating_add(tokens),
                until: LenderPoint {
                    // Of several the one that would have come back first: so none is given twice.
                    back: held.until.back.min(until.back),
                    ..until
                },
            },
            false => Returned { tokens, until },
        };
    }

    /// What to ask for now; none if nothing. What is left is not here any more then.
    pub(in crate::gate) fn request(
        &mut self,
        bucket: Bucket,
        limit: LentLimit,
        needed: bool,
        now: Moment,
    ) -> Option<SliceRequest> {
        let is_low = self.tokens(now).saturating_mul(2) <= limit.slice;
        let is_old = self.tokens > 0 && now.since(self.asked) >= FRESH;
        let is_silent = now.since(self.sent) >= SILENCE;
        let is_due = needed && is_low || is_old || is_silent || self.refunded.tokens > 0;
        if !is_due || now < self.again {
            return None;
        }
        self.sent = now;
        self.again = now + PAUSE;
        Some(SliceRequest {
            wanted: if needed { limit.slice } else { 0 },
            claim: self.reference.claim(limit.every, now),
            ..self.give_all_back(bucket, limit, now)
        })
    }

    /// Asks for nothing, and gives back what there is.
    pub(in crate::gate) fn give_all_back(
        &mut self,
        bucket: Bucket,
        limit: LentLimit,
        now: Moment,
    ) -> SliceRequest {
        self.accepted.give_back(self.tokens, self.id.counted, now);
        SliceRequest {
            bucket,
            limit,
            unspent: Returned {
                tokens: std::mem::take(&mut self.tokens),
                until: self.id.until,
            },
            refunded: std::mem::take(&mut self.refunded),
            claim: self.reference.point,
            wanted: 0,
        }
    }

    /// Takes what was lent upon a request of the moment `asked`. What is older than what is here is lost.
    pub(in crate::gate) fn lend(
        &mut self,
        lend: Lend,
        request: &SliceRequest,
        asked: Moment,
        now: Moment,
    ) {
        if asked < self.asked {
            return;
        }
        let until = LenderPoint {
            back: lend.until,
            ..lend.point
        };
        let lent = lend.tokens.min(request.wanted);
        let (tokens, counted) = self.accepted.take(lent, request.limit, now);
        if tokens < lent {
            self.return_later(lent - tokens, until);
        }
        *self = Self {
            id: SliceId {
                number: self.id.number.wrapping_add(1),
                counted,
                until,
            },
            tokens,
            left: lend.left,
            burst: request.limit.burst,
            asked,
            sent: self.sent,
            again: match tokens < request.wanted {
                true => asked + PAUSE,
                false => asked,
            },
            refunded: self.refunded,
            reference: Reference {
                point: lend.point,
                at: now,
                every: request.limit.every,
            },
            accepted: self.accepted,
        };
    }

    fn is_alive(&self, now: Moment) -> bool {
        now < self.asked + SLICE_LIFE
    }
}

impl Reference {
    /// Where the lender's bucket must have come to by now. Where its speed has changed, by the slower one.
    fn claim(&self, every: u64, now: Moment) -> LenderPoint {
        let micros = now.since(self.at).as_micros();
        let back = micros * u128::from(PARTS) / u128::from(every.max(self.every).max(1));
        LenderPoint {
            back: self
                .point
                .back
                .saturating_add(u64::try_from(back).unwrap_or(u64::MAX)),
            ..self.point
        }
    }
}

/// Whether so much of what a machine owns is gone that it should ask for more.
pub(in crate::gate) fn is_needed(left: u32, own: &Limit) -> bool {
    own.is_nothing() || left.saturating_mul(2) <= own.burst()
}
