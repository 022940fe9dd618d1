//! save - the snapshot that is being written, and whether another one must follow it
//!
//! One is written at a time. What is asked for meanwhile waits for the next minute, but not after the machine's clock was
//! set: a start takes the time away from what was written last.
//! Not here: what is in it (`gate::state`), its files (`store`).

use tokio::task::JoinHandle;

use crate::store::{Saved, StoreFault};

type SaveTask = JoinHandle<Result<Saved, StoreFault>>;

/// Why a snapshot is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SaveReason {
    /// It is time.
    Due,
    /// The machine's clock was set.
    ClockSet,
}

/// The snapshot that is being written.
#[derive(Debug, Default)]
pub(super) struct RunningSave {
    task: Option<SaveTask>,
    again: bool,
}

impl RunningSave {
    /// Whether one may begin. If not, it is remembered where it may not wait.
    pub(super) fn is_free(&mut self, why: SaveReason) -> bool {
        let is_free = self.task.is_none();
        self.again |= !is_free && why == SaveReason::ClockSet;
        is_free
    }

    pub(super) fn begin(&mut self, task: SaveTask) {
        self.task = Some(task);
    }

    /// Whether it is written, or has failed.
    pub(super) fn is_over(&self) -> bool {
        self.task.as_ref().is_some_and(JoinHandle::is_finished)
    }

    /// What is being written, and whether another one must follow.
    pub(super) fn take(&mut self) -> Option<(SaveTask, bool)> {
        let again = std::mem::take(&mut self.again);
        self.task.take().map(|task| (task, again))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_snapshot_that_begins_before_the_clock_is_set_is_followed_by_another() {
        let mut save = RunningSave::default();
        let begin = |save: &mut RunningSave| save.begin(tokio::spawn(std::future::pending()));
        let must_follow = |save: &mut RunningSave| save.take().map(|(_, again)| again);
        assert!(save.is_free(SaveReason::ClockSet));
        begin(&mut save);
        assert!(!save.is_free(SaveReason::Due));
        assert_eq!(must_follow(&mut save), Some(false));
        begin(&mut save);
        assert!(!save.is_free(SaveReason::ClockSet));
        assert!(!save.is_free(SaveReason::Due));
        assert_eq!(must_follow(&mut save), Some(true));
        begin(&mut save);
        assert_eq!(must_follow(&mut save), Some(false), "once");
        assert_eq!(must_follow(&mut save), None);
    }
}
