//! verdicts - how many attempts ended how, and on what grounds
//!
//! A number for each pair of verdict and reason that there can be, so nothing grows. Counted where each attempt is
//! told (`events`), so that the log, the counters and the metrics agree.
//! Not here: how they are shown (`server`).

use super::counter::Counter;
use gatepost_core::gate::request::verdict::Reason;

/// How an attempt ended. The log values are public API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AttemptVerdict {
    /// Postfix accepted.
    Accept,
    /// Postfix rejected.
    Reject,
    /// The gate refused.
    Refuse,
    /// The gate answered a known wrong password itself.
    Repeat,
    /// Postfix or Gatepost could not say: the client got 454.
    Defer,
    /// The client cancelled the exchange.
    Cancel,
}

/// Every verdict, in the order of [`AttemptVerdict`].
const VERDICTS: [AttemptVerdict; 6] = [
    AttemptVerdict::Accept,
    AttemptVerdict::Reject,
    AttemptVerdict::Refuse,
    AttemptVerdict::Repeat,
    AttemptVerdict::Defer,
    AttemptVerdict::Cancel,
];

impl AttemptVerdict {
    /// The log value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Reject => "reject",
            Self::Refuse => "refuse",
            Self::Repeat => "repeat",
            Self::Defer => "defer",
            Self::Cancel => "cancel",
        }
    }
}

/// How many attempts ended so, on these grounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerdictCount {
    /// How they ended.
    pub verdict: AttemptVerdict,
    /// On what grounds; `none` where it never came to a judgement.
    pub reason: &'static str,
    /// How many.
    pub count: u64,
}

/// The last row of each verdict is for attempts without a reason.
const ROW: usize = Reason::COUNT + 1;

/// Counts the attempts.
#[derive(Debug)]
pub struct VerdictCounters([[Counter; ROW]; VERDICTS.len()]);

impl Default for VerdictCounters {
    fn default() -> Self {
        Self(std::array::from_fn(|_| {
            std::array::from_fn(|_| Counter::default())
        }))
    }
}

impl VerdictCounters {
    /// One more.
    pub(in crate::report) fn count(&self, verdict: AttemptVerdict, reason: Option<Reason>) {
        let place = reason.map_or(Reason::COUNT, Reason::place);
        let row = self.0.get(verdict as usize);
        if let Some(counter) = row.and_then(|row| row.get(place)) {
            counter.count();
        }
    }

    /// All that have ever happened.
    pub fn counts(&self) -> impl Iterator<Item = VerdictCount> + '_ {
        let rows = VERDICTS.into_iter().zip(&self.0);
        let counts = rows.flat_map(|(verdict, row)| {
            let reasons = Reason::all().map(Reason::as_str).chain(["none"]);
            reasons.zip(row).map(move |(reason, counter)| VerdictCount {
                verdict,
                reason,
                count: counter.get(),
            })
        });
        counts.filter(|one| one.count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verdict_and_reason_has_its_own_count() {
        let counters = VerdictCounters::default();
        let reasons = || Reason::all().map(Some).chain([None]);
        let mut times = 0;
        for verdict in VERDICTS {
            for reason in reasons() {
                times += 1;
                for _ in 0..times {
                    counters.count(verdict, reason);
                }
            }
        }
        let counts: Vec<_> = counters.counts().collect();
        assert_eq!(counts.len(), VERDICTS.len() * (Reason::COUNT + 1));
        for (index, one) in counts.iter().enumerate() {
            assert_eq!(one.count, index as u64 + 1, "{one:?}");
        }
        for (index, verdict) in VERDICTS.into_iter().enumerate() {
            assert_eq!(verdict as usize, index);
        }
        assert_eq!(VerdictCounters::default().counts().count(), 0);
    }
}
