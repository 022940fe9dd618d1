//! health - whether the disk keeps what it is given, and since when not
//!
//! Written where the state is written, read by `status`. Not here: what is told of it in the log (`server`).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gatepost_core::moment::Moment;

/// Whether the state is kept. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct StateHealth(Arc<Mutex<Option<NotKept>>>);

/// The disk has refused something that no snapshot holds yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotKept {
    /// Since when.
    pub since: Moment,
    /// What the disk said last.
    pub why: Arc<str>,
}

impl StateHealth {
    /// What is wrong; none: everything is kept.
    pub fn not_kept(&self) -> Option<NotKept> {
        self.lock().clone()
    }

    /// The disk has refused something. Whether that is new.
    pub fn refused(&self, why: &Arc<str>, now: Moment) -> bool {
        let mut state = self.lock();
        let since = state.as_ref().map_or(now, |before| before.since);
        let why = Arc::clone(why);
        state.replace(NotKept { since, why }).is_none()
    }

    /// Everything is kept again. Whether it was not before.
    pub fn recovered(&self) -> bool {
        self.lock().take().is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Option<NotKept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_refusal_counts_and_the_last_reason_is_shown() {
        let health = StateHealth::default();
        let (first, second) = (Moment::from_seconds(10), Moment::from_seconds(20));
        assert!(health.refused(&"full".into(), first));
        assert!(!health.refused(&"read-only".into(), second));
        let not_kept = health.not_kept().unwrap();
        assert_eq!((not_kept.since, &*not_kept.why), (first, "read-only"));
        assert!(health.recovered());
        assert_eq!(health.not_kept(), None);
        assert!(!health.recovered());
    }
}
