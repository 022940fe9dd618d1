//! cores - which processors this process runs on, and so the servers that it starts
//!
//! For scenarios in which servers and load must not take each other's time: servers inherit what the thread
//! that starts them has. On a machine with one processor, nothing changes.

use std::fs;

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// One part of the processors that this process had at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cores {
    /// The first, for the servers.
    First,
    /// All others, for the load.
    Others,
}

/// While it lives, every thread of this process is bound; dropped, all are as before.
#[derive(Debug)]
pub(crate) struct Bound {
    before: CpuSet,
}

impl Bound {
    /// Binds every thread to `cores`; a process that is started later is bound too.
    pub(crate) fn to(cores: Cores) -> Option<Self> {
        let bound = Self {
            before: sched_getaffinity(None).ok()?,
        };
        bound.move_to(cores);
        Some(bound)
    }

    /// Moves every thread to others of the processors.
    pub(crate) fn move_to(&self, cores: Cores) {
        let all: Vec<usize> = (0..CpuSet::MAX_CPU)
            .filter(|cpu| self.before.is_set(*cpu))
            .collect();
        let Some((first, others)) = all.split_first() else {
            return;
        };
        if others.is_empty() {
            return;
        }
        let mut set = CpuSet::new();
        match cores {
            Cores::First => set.set(*first),
            Cores::Others => others.iter().for_each(|cpu| set.set(*cpu)),
        }
        bind_all(&set);
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        bind_all(&self.before);
    }
}

fn bind_all(set: &CpuSet) {
    for entry in fs::read_dir("/proc/self/task").into_iter().flatten() {
        let name = entry.ok().map(|entry| entry.file_name());
        let id = name.and_then(|name| name.to_str()?.parse::<i32>().ok());
        // A thread may have ended meanwhile.
        let _ = id
            .and_then(Pid::from_raw)
            .map(|id| sched_setaffinity(Some(id), set));
    }
}
