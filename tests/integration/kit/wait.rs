//! wait - until something has come true, however slow the machine is
//!
//! For what tells nobody when it happens: a line in another program's log, a port that opens.
//! Not here: what tells us, as our own log does (`proxy`). No clock is read: the bound is a count.

use std::thread;
use std::time::Duration;

const PAUSE: Duration = Duration::from_millis(10);
const ROUNDS: u32 = 6_000;

/// Looks every 10 ms, for at least a minute, until `look` finds something.
///
/// # Panics
/// Naming `what`, when it was not found.
#[track_caller]
pub(crate) fn find<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..ROUNDS {
        if let Some(found) = look() {
            return found;
        }
        thread::park_timeout(PAUSE);
    }
    panic!("waited a minute in vain for this: {what}");
}

/// As [`find`], for a condition.
#[track_caller]
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    find(what, || holds().then_some(()));
}

/// Lets so many seconds go by, for tests that somebody asks to take long.
pub(crate) fn pass(seconds: u32) {
    for _ in 0..seconds * 100 {
        thread::park_timeout(PAUSE);
    }
}
