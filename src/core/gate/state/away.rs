//! away - moments of the processes that wrote the state, as distances from the present
//!
//! The time away counts as 0 to 7 days, whatever the two clocks say; for a machine of a cluster as up to 90. If its clock
//! was wrong, the other machines tell it again which users are known and banned. But if what it tells itself seemed
//! younger than it is, what was forgotten or lifted elsewhere meanwhile would come back. The time from a record to the
//! last one has a bound of its own, as long. Were they bounded together, records of different moments would seem to be of
//! one moment after a long time away, and a login from before a change of password would come after it.
//! Not here: what the moments belong to (`restore`).

use std::time::Duration;

use crate::gate::buckets::table::seconds;
use crate::gate::request::change::Change;
use crate::gate::state::file::Snapshot;
use crate::gate::state::revocations::Written;
use crate::gate::trust::ban::{Ban, HeldBan};
use crate::moment::Moment;

/// The time away counts for no more than this, and so does the time from a record to the last one.
const LONGEST_AWAY: Duration = Duration::from_secs(7 * 86_400);
/// The same of one of several machines: for as long as logins count.
const LONGEST_AWAY_OF_SEVERAL: Duration = Duration::from_secs(90 * 86_400);

/// How far the present is from moments on the clock of the process that wrote them.
#[derive(Clone, Copy, Debug)]
pub(in crate::gate::state) struct Away {
    /// The last moment that was written: nothing later is known of that clock.
    pub(in crate::gate::state) newest: Moment,
    /// What the clock on the wall showed then.
    wall: Moment,
    pub(in crate::gate::state) now: Moment,
    longest: Duration,
}

impl Away {
    pub(in crate::gate::state) fn new(
        snapshots: &[Snapshot],
        changes: &[Change],
        (now, machines): (Moment, u32),
    ) -> Self {
        let heads = snapshots.iter().filter_map(|snapshot| snapshot.head);
        let head = heads.max_by_key(|head| head.at);
        let written = head.iter().map(|head| head.at);
        let newest = written.chain(changes.iter().map(|change| change.at)).max();
        let newest = newest.unwrap_or(now);
        let wall = head.map_or(newest, |head| {
            let (ahead, behind) = (head.wall.since(head.at), head.at.since(head.wall));
            newest + ahead - behind
        });
        let longest = match machines {
            0..=1 => LONGEST_AWAY,
            _ => LONGEST_AWAY_OF_SEVERAL,
        };
        Self {
            newest,
            wall,
            now,
            longest,
        }
    }

    /// The time that has gone by since `at`, within bounds.
    pub(in crate::gate::state) fn since(self, at: Moment) -> Duration {
        let before = self.newest.since(at).min(self.longest);
        let away = self.now.since(self.wall).min(self.longest);
        before + away
    }

    /// What is left of a debt until `arrival`, as it was at `at`, in nanoseconds.
    pub(in crate::gate::state) fn remaining(self, arrival: u64, at: Moment) -> u64 {
        let debt = arrival.saturating_sub(at.as_nanos());
        debt.saturating_sub(nanos(self.since(at)))
    }

    /// When a bucket that owes this many nanoseconds is full; nothing is owed: 0.
    pub(in crate::gate::state) fn arrival(self, debt: u64) -> u64 {
        match debt {
            0 => 0,
            debt => self.now.as_nanos().saturating_add(debt),
        }
    }

    /// A second of the past, as it was written at `at`, by the clock of now. A login may be a second ahead: in the second in
    /// which something was taken back, and yet after it.
    pub(in crate::gate::state) fn login(self, second: u32, at: Moment) -> u32 {
        let now = seconds(self.now).saturating_sub(self.seconds_since(at));
        let (ahead, age) = (
            second.saturating_sub(seconds(at)),
            seconds(at).saturating_sub(second),
        );
        now.saturating_add(ahead.min(1)).saturating_sub(age)
    }

    /// A moment of the past by the clock of now: in the second in which a login of its second is laid, so that of the two the
    /// later one stays the later one.
    pub(in crate::gate::state) fn moment(self, past: Written) -> Moment {
        let second = self.login(seconds(past.at.min(past.written)), past.written);
        let within = past.at.since(Moment::from_seconds(past.at.as_seconds()));
        (Moment::from_seconds(second.into()) + within).min(self.now)
    }

    /// [`Away::since`] in whole seconds, as far from one moment to another as these are apart.
    fn seconds_since(self, at: Moment) -> u32 {
        let before = seconds(self.newest).saturating_sub(seconds(at));
        let away = seconds(self.now).saturating_sub(seconds(self.wall));
        let longest = u32::try_from(self.longest.as_secs()).unwrap_or(u32::MAX);
        before.min(longest).saturating_add(away.min(longest))
    }

    /// A ban as it was at `at`; none if it is over.
    pub(in crate::gate::state) fn ban(self, held: HeldBan, at: Moment) -> Option<HeldBan> {
        let left = held.ban.until.since(at).checked_sub(self.since(at))?;
        let until = self.now + left;
        let ban = Ban { until, ..held.ban };
        // That clock may have been ahead. What changes from now on comes after it all the same.
        let changed = held.changed.min(self.now);
        (!left.is_zero()).then_some(HeldBan { ban, changed })
    }
}

impl Snapshot {
    /// The moment that its times count from. Without a head: the last one that is known.
    pub(in crate::gate::state) fn at(&self, away: Away) -> Moment {
        self.head.map_or(away.newest, |head| head.at)
    }
}

pub(in crate::gate::state) fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::from_seconds(1_800_000_000);

    #[test]
    fn a_login_after_a_revocation_stays_after_it_at_any_part_of_a_second() {
        let millis = Duration::from_millis;
        for part in (0..1000).step_by(90) {
            let newest = NOW + millis(part);
            for (away, written) in [(0, 0), (370, 80), (86_400_950, 999)] {
                let written = newest - millis(written);
                let away = Away {
                    newest,
                    wall: newest + millis(part / 2),
                    now: newest + millis(away),
                    longest: LONGEST_AWAY,
                };
                for taken_back in [written, written - millis(5_500)] {
                    let found = Written {
                        at: taken_back,
                        written,
                    };
                    // In the second of the one, and yet after it: seconds are all that is kept of the other.
                    let login = away.login(seconds(taken_back) + 1, written);
                    let moment = away.moment(found);
                    assert!(login > seconds(moment), "{part} {away:?} {found:?}");
                    assert!(moment <= away.now);
                }
            }
        }
    }
}
