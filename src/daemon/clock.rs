//! clock - the current time; the only place that reads the machine's clocks
//!
//! Two questions, two clocks. [`Clock::now`] makes the moments that the core calculates with: the wall-clock time
//! at the process's start (2026 at the earliest) plus the time since, on a clock that nobody sets and that counts sleep
//! (CLOCK_BOOTTIME). So a wall clock that is set back or forward while we run, or a machine that was suspended,
//! neither shortens nor extends a ban or a debt. [`Clock::wall`] reads the wall clock anew, for everything that
//! has a date of its own: certificates, old logs, and what a person reads.
//! Nothing else reads a clock (`.clippy.toml` bans it).
//! Not here: sleeping and deadlines (tokio's, at the edges); dates in old logs (`logs`).

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

use gatepost_core::moment::Moment;

/// 2026-01-01: no process has run before. A machine without a battery boots in 1970, and what happened before the restart
/// must have a moment too.
pub const EARLIEST: Moment = Moment::from_seconds(1_767_225_600);

/// A wall clock that moves by more than this at once was set.
const LONGEST_DRIFT: Duration = Duration::from_secs(60);

/// The source of moments. Cheap to copy; all copies agree.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    wall: Moment,
    started: Duration,
}

impl Clock {
    /// Reads the machine's clocks once; from then on time goes by steadily.
    pub fn start() -> Self {
        Self::start_at(Self::wall())
    }

    fn start_at(wall: Moment) -> Self {
        Self {
            wall: wall.max(EARLIEST),
            started: since_boot(),
        }
    }

    /// The present moment: for all that is a distance from another one.
    pub fn now(&self) -> Moment {
        self.wall + since_boot().saturating_sub(self.started)
    }

    /// What the wall clock shows, read anew.
    #[expect(clippy::disallowed_methods, reason = "a clock is read here only")]
    pub fn wall() -> Moment {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        Moment::EPOCH + since_epoch.unwrap_or_default()
    }

    /// What the wall clock shows at a moment of this clock: for people to read.
    pub fn on_wall(&self, at: Moment) -> Moment {
        Offset::between(self.now(), Self::wall()).add_to(at)
    }

    /// The moment of this clock at which the wall clock shows `date`.
    pub fn at_date(&self, date: Moment) -> Moment {
        Offset::between(Self::wall(), self.now()).add_to(date)
    }
}

/// The processor time that this process has taken.
pub fn processor_time() -> Duration {
    read(ClockId::ProcessCPUTime)
}

fn since_boot() -> Duration {
    read(ClockId::Boottime)
}

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// How far one clock is from another, in whole seconds: so that a date is shown the same twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Offset {
    Ahead(Duration),
    Behind(Duration),
}

impl Offset {
    fn between(from: Moment, to: Moment) -> Self {
        let half = Duration::from_millis(500);
        let whole = |span: Duration| Duration::from_secs((span + half).as_secs());
        match to >= from {
            true => Self::Ahead(whole(to.since(from))),
            false => Self::Behind(whole(from.since(to))),
        }
    }

    fn add_to(self, at: Moment) -> Moment {
        match self {
            Self::Ahead(by) => at + by,
            Self::Behind(by) => at - by,
        }
    }
}

/// Watches the wall clock for steps.
#[derive(Debug)]
pub struct WallWatch(Offset);

/// The wall clock was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WallStep {
    /// So much forward.
    Forward(Duration),
    /// So much back.
    Back(Duration),
}

impl WallWatch {
    /// Begins, at a moment of our clock at which the wall's shows `wall`.
    pub fn new(now: Moment, wall: Moment) -> Self {
        Self(Offset::between(now, wall))
    }

    /// The step since the last look, if there was one. Each is told once.
    pub fn look(&mut self, now: Moment, wall: Moment) -> Option<WallStep> {
        let before = std::mem::replace(&mut self.0, Offset::between(now, wall));
        // What the wall clock would show, had nobody set it.
        let expected = before.add_to(now);
        let (forward, back) = (wall.since(expected), expected.since(wall));
        match (forward > LONGEST_DRIFT, back > LONGEST_DRIFT) {
            (true, _) => Some(WallStep::Forward(forward)),
            (_, true) => Some(WallStep::Back(back)),
            _ => None,
        }
    }
}

/// How long nobody has set the wall clock. One that was wrong at boot is put right within minutes: what cannot be undone
/// and goes by the date waits for longer.
#[derive(Debug)]
pub struct WallSteadiness {
    watch: WallWatch,
    since: Moment,
}

impl WallSteadiness {
    /// Begins, at a moment of our clock at which the wall's shows `wall`.
    pub fn new(now: Moment, wall: Moment) -> Self {
        Self {
            watch: WallWatch::new(now, wall),
            since: now,
        }
    }

    /// The time since the start, or since the last step: of those that two looks lie on both sides of.
    pub fn look(&mut self, now: Moment, wall: Moment) -> Duration {
        if self.watch.look(now, wall).is_some() {
            self.since = now;
        }
        now.since(self.since)
    }
}

impl fmt::Display for WallStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (span, way) = match self {
            Self::Forward(span) => (span, "forward"),
            Self::Back(span) => (span, "back"),
        };
        let span = Duration::from_secs(span.as_secs());
        write!(f, "{} {way}", humantime::format_duration(span))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::from_seconds(1_800_000_000);
    const SECOND: Duration = Duration::from_secs(1);
    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn a_clock_agrees_with_the_wall_until_somebody_sets_that() {
        let clock = Clock::start();
        assert_eq!(clock.on_wall(NOW), NOW);
        assert_eq!(clock.at_date(NOW), NOW);
        let behind = Clock {
            wall: clock.wall - DAY * 40,
            ..clock
        };
        assert_eq!(behind.on_wall(NOW), NOW + DAY * 40);
        assert_eq!(behind.at_date(NOW), NOW - DAY * 40);
        let ahead = Clock {
            wall: clock.wall + DAY,
            ..clock
        };
        assert_eq!(ahead.on_wall(NOW), NOW - DAY);
    }

    #[test]
    fn a_machine_that_boots_in_1970_has_moments_for_what_was_before() {
        let clock = Clock::start_at(Moment::EPOCH + SECOND);
        assert!(clock.now() - DAY * 365 > Moment::EPOCH + DAY * 365 * 50);
        assert_eq!(Clock::start_at(NOW).wall, NOW);
    }

    #[test]
    fn a_step_of_more_than_a_minute_is_told_once_and_a_drift_never() {
        let mut watch = WallWatch::new(NOW, NOW);
        let (mut now, mut wall) = (NOW, NOW);
        let mut look = |by: Duration, back: Duration| {
            now = now + SECOND;
            wall = wall + SECOND + by - back;
            watch.look(now, wall)
        };
        let none = Duration::ZERO;
        assert_eq!(look(none, none), None);
        assert_eq!(look(SECOND * 60, none), None);
        let forward = look(SECOND * 61, none).unwrap();
        assert_eq!(forward, WallStep::Forward(SECOND * 61));
        assert_eq!(look(none, none), None, "once");
        assert_eq!(look(none, DAY), Some(WallStep::Back(DAY)));
        for _ in 0..1000 {
            assert_eq!(look(Duration::from_millis(400), none), None);
        }
        assert_eq!(forward.to_string(), "1m 1s forward");
    }

    #[test]
    fn a_wall_clock_is_steady_from_the_last_step_on() {
        let mut steadiness = WallSteadiness::new(NOW, NOW + DAY);
        assert_eq!(steadiness.look(NOW + SECOND, NOW + DAY + SECOND), SECOND);
        let later = NOW + SECOND * 70;
        assert_eq!(steadiness.look(later, NOW + DAY), Duration::ZERO);
        assert_eq!(steadiness.look(later + DAY, NOW + DAY * 2), DAY);
    }
}
