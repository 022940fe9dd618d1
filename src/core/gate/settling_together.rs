//! settling_together - the machines of a cluster settle in together, or none of them does
//!
//! A machine that is added, or has lost its state, knows nobody, and would forgive for a week what a botnet tries there, while
//! the others keep to the bound of all. So it forgives nothing before every other machine has said that it settles in too, and
//! nothing any more as soon as one says that it does not. What cannot be known is not forgiven: a cluster that is new
//! settles in when all its machines are there.
//! Not here: how they say it (the daemon's `server::sharing`), how much is forgiven (`settling`).

use std::sync::atomic::Ordering;

use crate::gate::Gate;
use crate::gate::rules::Rules;
use crate::moment::Moment;

impl Gate {
    /// There are other machines: from now on nothing is forgiven before [`Self::others_settle`].
    pub fn settle_with_others(&self) {
        self.waits_to_settle.store(true, Ordering::Relaxed);
    }

    /// All other machines settle in, too.
    pub fn others_settle(&self) {
        self.waits_to_settle.store(false, Ordering::Relaxed);
    }

    /// Whether the time in which this machine may settle in is over, whatever others do.
    pub fn has_settled(&self, now: Moment) -> bool {
        !self.is_new(&self.rules.load(), now)
    }

    pub(in crate::gate) fn is_new(&self, rules: &Rules, now: Moment) -> bool {
        let since = self.settling.load(Ordering::Relaxed);
        since != 0 && now < Moment::from_nanos(since) + rules.settling
    }
}
