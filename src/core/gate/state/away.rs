//! away - how far the present is from moments on the clock of the process that wrote them
//!
//! Not here: what is taken over (`restore`).

use std::time::Duration;

use crate::gate::buckets::bucket::seconds;
use crate::gate::request::change::Change;
use crate::gate::state::file::Snapshot;
use crate::gate::state::revocations::Written;
use crate::gate::trust::ban::{Ban, HeldBan};
use crate::moment::Moment;

/// The time away counts for no more than this.
const LONGEST_AWAY: Duration = Duration::from_secs(7 * 86_400);

/// How far the present is from moments on the clock of the process that wrote them.
#[derive(Clone, Copy)]
pub(in crate::gate) struct Away {
    /// The last moment that was written: nothing later is known of that clock.
    pub(in crate::gate) newest: Moment,
    pub(in crate::gate) now: Moment,
}

impl Away {
    pub(in crate::gate) fn new(snapshots: &[Snapshot], changes: &[Change], now: Moment) -> Self {
        let heads = snapshots.iter().filter_map(|snapshot| snapshot.head);
        let written = heads.map(|head| head.at);
        let newest = written.chain(changes.iter().map(|change| change.at)).max();
        Self {
            newest: newest.unwrap_or(now),
            now,
        }
    }

    /// The time that has gone by since `at`, 7 days at most.
    pub(in crate::gate) fn since(self, at: Moment) -> Duration {
        let before = self.newest.since(at);
        let away = self.now.since(self.newest);
        (before + away).min(LONGEST_AWAY)
    }

    /// What is left of a debt until `arrival`, as it was at `at`, in nanoseconds.
    pub(in crate::gate) fn remaining(self, arrival: u64, at: Moment) -> u64 {
        let debt = arrival.saturating_sub(at.as_nanos());
        debt.saturating_sub(nanos(self.since(at)))
    }

    /// When a bucket that owes this many nanoseconds is full; nothing is owed: 0.
    pub(in crate::gate) fn arrival(self, debt: u64) -> u64 {
        match debt {
            0 => 0,
            debt => self.now.as_nanos().saturating_add(debt),
        }
    }

    /// A second of the past, as it was written at `at`, by the clock of now.
    pub(in crate::gate) fn login(self, second: u32, at: Moment) -> u32 {
        let age = seconds(at).saturating_sub(second);
        seconds(self.now - self.since(at)).saturating_sub(age)
    }

    /// A moment of the past by the clock of now.
    pub(in crate::gate) fn moment(self, past: Written) -> Moment {
        self.now - self.since(past.written) - past.written.since(past.at)
    }

    /// A ban as it was at `at`; none if it is over.
    pub(in crate::gate) fn ban(self, held: HeldBan, at: Moment) -> Option<HeldBan> {
        let left = held.ban.until.since(at).checked_sub(self.since(at))?;
        let ban = Ban {
            until: self.now + left,
            ..held.ban
        };
        (!left.is_zero()).then_some(HeldBan { ban, ..held })
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
