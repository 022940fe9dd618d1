//! strike_count - how near a client is to a ban, or how many bans it has had, in one octet
//!
//! Strikes come one by one, and each is forgiven after a short time without another: a ban is for clients that cost
//! handshakes, and a slow guesser is limited by the buckets. The strikes that are needed for a ban become the first of
//! the client's bans; from then on each strike is one more ban, and one is forgiven a day.
//! Not here: what is a strike (`judge`), how long a ban lasts (`rules`), which bans there are (`trust::ban`).

/// A strike without another one for so long is forgiven, in seconds.
const PAUSE: u64 = 20;
/// One of a client's bans is forgiven in a day.
const DAY: u64 = 86_400;
/// From here on it is bans that are counted.
const BANS: u8 = 128;
/// In a file the number of the first ban is one more than this.
const IN_FILE: u8 = 2;
/// The most strikes that a ban may need.
pub(in crate::gate) const MOST_NEEDED: u8 = BANS - 1;

/// Strikes, or bans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::gate) struct Strikes(u8);

/// What a strike does.
#[derive(Clone, Copy, Debug)]
pub(in crate::gate) struct StrikeRule {
    /// Strikes until the first ban, 1 to [`MOST_NEEDED`]; for a trap one is enough.
    pub(in crate::gate) needed: u8,
    /// Bans beyond which no more are counted.
    pub(in crate::gate) most: u8,
}

impl Strikes {
    pub(in crate::gate) const NONE: Self = Self(0);

    /// From the number in a snapshot or a journal. Three strikes were a ban once: so 3 is the first ban there.
    pub(in crate::gate) const fn from_file(number: u8) -> Self {
        match number {
            0..=IN_FILE => Self(0),
            number => Self(BANS.saturating_add(number - IN_FILE)),
        }
    }

    /// The number that a snapshot or a journal holds. Strikes that are no ban yet are not kept.
    pub(in crate::gate) const fn in_file(self) -> u8 {
        match self.bans() {
            0 => 0,
            bans => bans.saturating_add(IN_FILE),
        }
    }

    /// As an octet of a row.
    pub(super) const fn octet(self) -> u8 {
        self.0
    }

    pub(super) const fn from_octet(octet: u8) -> Self {
        Self(octet)
    }

    /// How many bans there were, as far as they are not forgiven.
    pub(in crate::gate) const fn bans(self) -> u8 {
        self.0.saturating_sub(BANS)
    }

    /// All strikes, where a ban needs so many.
    pub(in crate::gate) fn count(self, needed: u8) -> u8 {
        match self.bans() {
            0 => self.0.min(MOST_NEEDED),
            bans => needed.saturating_add(bans - 1),
        }
    }

    /// What is left after so many seconds.
    pub(super) fn after(self, seconds: u64) -> Self {
        let gone = |period| u8::try_from(seconds / period).unwrap_or(u8::MAX);
        match self.bans() {
            0 => Self(self.0.saturating_sub(gone(PAUSE))),
            bans if bans > gone(DAY) => Self(self.0 - gone(DAY)),
            _ => Self::NONE,
        }
    }

    /// In how many seconds nothing is left.
    pub(super) fn forgiven_after(self) -> u64 {
        match self.bans() {
            0 => u64::from(self.0) * PAUSE,
            bans => u64::from(bans) * DAY,
        }
    }

    /// With one strike more.
    pub(super) fn and_one(self, rule: StrikeRule) -> Self {
        match self.bans() {
            0 if self.0.saturating_add(1) < rule.needed => Self(self.0 + 1),
            bans => Self(BANS + bans.saturating_add(1).min(rule.most.clamp(1, MOST_NEEDED))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREE: StrikeRule = StrikeRule { needed: 3, most: 4 };

    fn struck(times: u32) -> Strikes {
        (0..times).fold(Strikes::NONE, |strikes, _| strikes.and_one(THREE))
    }

    #[test]
    fn as_many_strikes_as_are_needed_are_a_ban_and_each_further_one_is_another() {
        let bans = |times| struck(times).bans();
        assert_eq!([0, 2, 3, 4, 6, 7].map(bans), [0, 0, 1, 2, 4, 4]);
        let counts = |times| struck(times).count(3);
        assert_eq!([0, 2, 3, 4, 6, 7].map(counts), [0, 2, 3, 4, 6, 6]);
    }

    #[test]
    fn a_trap_is_a_ban_at_once() {
        let trap = StrikeRule { needed: 1, ..THREE };
        assert_eq!(Strikes::NONE.and_one(trap).bans(), 1);
        assert_eq!(struck(2).and_one(trap).bans(), 1);
        assert_eq!(struck(3).and_one(trap).bans(), 2);
    }

    #[test]
    fn a_strike_goes_after_a_pause_and_a_ban_after_a_day() {
        let left = |times, seconds| struck(times).after(seconds).count(3);
        assert_eq!(
            [0, PAUSE - 1, PAUSE, 2 * PAUSE].map(|s| left(2, s)),
            [2, 2, 1, 0]
        );
        assert_eq!([0, DAY - 1, DAY, 2 * DAY].map(|s| left(4, s)), [4, 4, 3, 0]);
        assert_eq!(struck(2).forgiven_after(), 2 * PAUSE);
        assert_eq!(struck(4).forgiven_after(), 2 * DAY);
        assert_eq!(struck(4).after(struck(4).forgiven_after()), Strikes::NONE);
    }

    #[test]
    fn bans_are_kept_in_a_file_and_every_octet_of_a_row_means_something() {
        for times in 0..9 {
            let kept = Strikes::from_file(struck(times).in_file());
            assert_eq!(kept.bans(), struck(times).bans());
        }
        assert_eq!(
            [3, 4, 6].map(|held| Strikes::from_file(held).bans()),
            [1, 2, 4]
        );
        for number in 0..=u8::MAX {
            assert!(
                Strikes::from_file(number).and_one(THREE).bans() <= 4,
                "{number}"
            );
            let strikes = Strikes::from_octet(number);
            assert_eq!(strikes.octet(), number);
            assert_eq!(
                strikes.after(strikes.forgiven_after()),
                Strikes::NONE,
                "{number}"
            );
            assert!(strikes.and_one(THREE).bans() <= 4, "{number}");
        }
    }
}
