//! clock - the current time; the only place that reads the machine's clock
//!
//! [`Clock`] makes the moments that the core calculates with. Nothing else reads a clock
//! (`.clippy.toml` bans it).
//! Not here: sleeping and deadlines (tokio's, at the edges); dates in old logs (`logs`).
//!
//! A moment is the wall-clock time at the process's start plus the monotonic time since: a clock that is
//! set back or forward while we run neither shortens nor extends a ban or a debt.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use gatepost_core::moment::Moment;

/// The source of moments. Cheap to copy; all copies agree.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    wall: Moment,
    started: Instant,
}

impl Clock {
    /// Reads the machine's clock once; from then on time is monotonic.
    #[expect(clippy::disallowed_methods, reason = "a clock is read here only")]
    pub fn start() -> Self {
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            wall: Moment::EPOCH + wall,
            started: Instant::now(),
        }
    }

    /// The present moment.
    #[expect(clippy::disallowed_methods, reason = "a clock is read here only")]
    pub fn now(&self) -> Moment {
        self.wall + self.started.elapsed()
    }
}
