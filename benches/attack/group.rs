//! group - what a program and all its children cost: CPU time and memory, by control group
//!
//! A group of its own for every program (cgroup v1 `cpuacct`, or v2), so that children that have
//! ended count too. Where there is none, user and system time of the process tree.
//! Memory is the proportional set size (PSS): pages that processes share count once.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::BenchResult;

const V1: &str = "/sys/fs/cgroup/cpuacct";
const V2: &str = "/sys/fs/cgroup";

/// The folders of all groups there are: for the end that comes early.
static FOLDERS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Kills whatever this bench has started, when it is interrupted.
pub(crate) fn clear_all() {
    let folders = FOLDERS.lock().map(|folders| folders.clone());
    for folder in folders.unwrap_or_default() {
        // Dropped, it is cleared and removed.
        drop(Group {
            kind: GroupKind::V1(folder),
            root: AtomicU32::new(0),
        });
    }
}

/// One program with all that it starts.
#[derive(Debug)]
pub(crate) struct Group {
    kind: GroupKind,
    /// The first process; 0: none yet.
    root: AtomicU32,
}

#[derive(Debug)]
enum GroupKind {
    /// `cpuacct.usage`, in nanoseconds.
    V1(PathBuf),
    /// `cpu.stat`, in microseconds.
    V2(PathBuf),
    /// No control groups for us: /proc.
    Tree,
}

impl Group {
    /// An empty group.
    pub(crate) fn new(name: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("gatepost-bench-{}-{number}-{name}", process::id());
        let (v1, v2) = (Path::new(V1).join(&name), Path::new(V2).join(&name));
        let kind = if Path::new(V1).is_dir() && fs::create_dir(&v1).is_ok() {
            GroupKind::V1(v1)
        } else if Path::new(V2).join("cgroup.controllers").exists() && fs::create_dir(&v2).is_ok() {
            GroupKind::V2(v2)
        } else {
            GroupKind::Tree
        };
        if let (GroupKind::V1(folder) | GroupKind::V2(folder), Ok(mut folders)) =
            (&kind, FOLDERS.lock())
        {
            folders.push(folder.clone());
        }
        Self {
            kind,
            root: AtomicU32::new(0),
        }
    }

    /// How the figures come about, for the report.
    pub(crate) const fn method(&self) -> &'static str {
        match self.kind {
            GroupKind::V1(_) => "control groups, cpuacct",
            GroupKind::V2(_) => "control groups, version 2",
            GroupKind::Tree => "user and system time of the processes, in ticks",
        }
    }

    /// `program` as it is to be started: inside the group, and killed when the bench dies.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "sh", "-c"]);
        match &self.kind {
            GroupKind::V1(folder) | GroupKind::V2(folder) => {
                command.arg(r#"echo $$ >"$0" && exec "$@""#);
                command.arg(folder.join("cgroup.procs"));
            }
            GroupKind::Tree => {
                command.arg(r#"exec "$@""#).arg("sh");
            }
        }
        command.arg(program);
        command
    }

    /// Sets which process is the first of the group.
    pub(crate) fn began(&self, process: u32) {
        self.root.store(process, Ordering::Relaxed);
    }

    /// CPU time of the group since it was made.
    pub(crate) fn cpu(&self) -> BenchResult<Duration> {
        match &self.kind {
            GroupKind::V1(folder) => {
                let text = fs::read_to_string(folder.join("cpuacct.usage"))?;
                Ok(Duration::from_nanos(text.trim().parse()?))
            }
            GroupKind::V2(folder) => {
                let text = fs::read_to_string(folder.join("cpu.stat"))?;
                let usage = text
                    .lines()
                    .find_map(|line| line.strip_prefix("usage_usec "));
                let micros = usage.ok_or("cpu.stat has no usage_usec")?;
                Ok(Duration::from_micros(micros.trim().parse()?))
            }
            GroupKind::Tree => Ok(self.processes().iter().map(|id| ticks(*id)).sum()),
        }
    }

    /// The ids of its processes.
    pub(crate) fn processes(&self) -> Vec<u32> {
        match &self.kind {
            GroupKind::V1(folder) | GroupKind::V2(folder) => {
                let text = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
                text.lines().filter_map(|line| line.parse().ok()).collect()
            }
            GroupKind::Tree => descendants(self.root.load(Ordering::Relaxed)),
        }
    }

    /// Proportional set size of all its processes, in octets.
    pub(crate) fn memory(&self) -> u64 {
        self.processes().into_iter().map(pss).sum()
    }

    /// Kills whatever is left in it, by process id.
    pub(crate) fn clear(&self) {
        for _ in 0..100 {
            let left = self.processes();
            if left.is_empty() {
                break;
            }
            for id in left {
                let id = i32::try_from(id).ok().and_then(Pid::from_raw);
                // It may have ended by itself in between.
                let _ = id.map(|id| kill_process(id, Signal::KILL));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.clear();
        if let GroupKind::V1(folder) | GroupKind::V2(folder) = &self.kind {
            // Busy for a moment after the last process has gone.
            for _ in 0..50 {
                match fs::remove_dir(folder) {
                    Err(fault) if fault.kind() == io::ErrorKind::ResourceBusy => {}
                    _ => break,
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            if let Ok(mut folders) = FOLDERS.lock() {
                folders.retain(|other| other != folder);
            }
        }
    }
}

/// `Pss:` of a process, in octets; 0 where it has ended.
fn pss(process: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next());
    kibibytes
        .and_then(|text| text.parse::<u64>().ok())
        .unwrap_or(0)
        * 1024
}

/// User and system time of a process and of its children that have ended. 100 ticks a second.
fn ticks(process: u32) -> Duration {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields = text.rsplit(") ").next().unwrap_or_default();
    let times = fields.split_whitespace().skip(11).take(4);
    let ticks: u64 = times.filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// A process and all that descend from it.
fn descendants(root: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let id: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
            let parent = text.rsplit(") ").next()?.split_whitespace().nth(1)?;
            Some((id, parent.parse().ok()?))
        })
        .collect();
    let mut family = vec![root];
    let mut looked_at = 0;
    while let Some(parent) = family.get(looked_at).copied() {
        let children = parents.iter().filter(|(_, of)| *of == parent);
        family.extend(children.map(|(id, _)| *id));
        looked_at += 1;
    }
    family
}
