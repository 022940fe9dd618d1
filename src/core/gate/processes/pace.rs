//! pace - how many logins at once a backend answers in good time
//!
//! Postfix waits 10 s for Dovecot, and Dovecot checks one bcrypt after the other: how many may be before it follows
//! from how long a check takes, which nobody tells us. So it is found as a sender finds a network's capacity: one more
//! for each answer that came soon while all places were taken, half as many after one that came late.
//! Additive increase, multiplicative decrease: Chiu and Jain, 1989. Not here: what else bounds logins (`processes`).

use std::time::Duration;

/// How many at first: right where a check takes half a second at most. Connections that get no greeting hold places, too, so
/// that with few of them a Postfix that is late for some would be late for all.
const FIRST: usize = 16;
/// Never fewer: with so many Dovecot has something to do, and a check may take 2 s.
const FEWEST: usize = 4;
/// An answer within this came soon.
const SOON: Duration = Duration::from_millis(1_500);
/// An answer after this came late. Postfix gives up at 10 s, and its processes that start meanwhile wait as well.
const LATE: Duration = Duration::from_secs(3);

/// How many at once, as far as is known.
#[derive(Debug)]
pub(super) struct Pace {
    at_once: usize,
    /// Answers that are to those who were there before the last cut: they say nothing of what it has brought.
    outdated: usize,
}

/// Whether all places were taken when an answer came: without that it says nothing of one place more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occupancy {
    /// All were.
    Full,
    /// Some were free.
    Free,
}

impl Pace {
    pub(super) const fn new() -> Self {
        Self {
            at_once: FIRST,
            outdated: 0,
        }
    }

    pub(super) const fn at_once(&self) -> usize {
        self.at_once
    }

    /// An answer came after so long.
    pub(super) fn answered(&mut self, took: Duration, occupancy: Occupancy, most: usize) {
        let is_outdated = self.outdated > 0;
        self.outdated = self.outdated.saturating_sub(1);
        if took >= LATE && !is_outdated {
            self.outdated = self.at_once;
            self.at_once = (self.at_once / 2).max(FEWEST);
        } else if took < SOON && occupancy == Occupancy::Full {
            self.at_once = (self.at_once + 1).min(most.max(FEWEST));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 32;

    fn answers(pace: &mut Pace, count: usize, took: Duration) {
        for _ in 0..count {
            pace.answered(took, Occupancy::Full, MOST);
        }
    }

    #[test]
    fn answers_that_come_soon_make_it_more_up_to_the_most() {
        let mut pace = Pace::new();
        answers(&mut pace, 1, SOON - Duration::from_nanos(1));
        assert_eq!(pace.at_once(), FIRST + 1);
        answers(&mut pace, 1, SOON);
        assert_eq!(pace.at_once(), FIRST + 1);
        answers(&mut pace, 100, Duration::ZERO);
        assert_eq!(pace.at_once(), MOST);
        let mut calm = Pace::new();
        calm.answered(Duration::ZERO, Occupancy::Free, MOST);
        assert_eq!(calm.at_once(), FIRST, "nobody else was there");
    }

    #[test]
    fn late_answers_halve_it_once_for_all_who_were_there() {
        let mut pace = Pace::new();
        answers(&mut pace, 100, Duration::ZERO);
        answers(&mut pace, 1, LATE - Duration::from_nanos(1));
        assert_eq!(pace.at_once(), MOST);
        answers(&mut pace, MOST, LATE);
        assert_eq!(pace.at_once(), MOST / 2);
        answers(&mut pace, 1_000, LATE);
        assert_eq!(pace.at_once(), FEWEST);
        answers(&mut pace, 1, Duration::ZERO);
        assert_eq!(pace.at_once(), FEWEST + 1);
    }

    /// One Dovecot, one check after the other, and always somebody waiting: no login may wait 10 s for it.
    #[test]
    fn a_slow_backend_is_never_kept_so_busy_that_postfix_gives_up() {
        for millis in [5, 45, 180, 500] {
            let check = Duration::from_millis(millis);
            let mut pace = Pace::new();
            let mut before = std::collections::VecDeque::new();
            let mut now = Duration::ZERO;
            for _ in 0..1_000 {
                while before.len() < pace.at_once() {
                    before.push_back(now);
                }
                now += check;
                let took = now - before.pop_front().unwrap();
                assert!(took < Duration::from_secs(10), "{check:?}: {took:?}");
                pace.answered(took, Occupancy::Full, MOST);
            }
        }
    }

    #[test]
    fn a_very_slow_backend_is_kept_less_busy_after_its_first_answers() {
        let mut pace = Pace::new();
        answers(&mut pace, 2 * FIRST, Duration::from_secs(9));
        assert_eq!(pace.at_once(), FEWEST);
    }
}
