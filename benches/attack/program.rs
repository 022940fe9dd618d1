//! program - a server that the bench starts, and ends by its process id
//!
//! Each in a group of its own; its output goes to a file in the scratch folder.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::BenchResult;
use crate::group::Group;

/// A running server. Dropped, it is ended, and whatever it had started.
#[derive(Debug)]
pub(crate) struct Program {
    group: Group,
    child: Child,
    name: String,
    output: PathBuf,
}

impl Program {
    /// Starts `program`; its output is appended to `NAME.out` in `folder`.
    pub(crate) fn start(
        name: &str,
        program: &Path,
        arguments: &[&str],
        folder: &Path,
    ) -> BenchResult<Self> {
        let group = Group::new(name);
        let path = folder.join(format!("{name}.out"));
        let output = File::options().create(true).append(true).open(&path)?;
        let child = group
            .command(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .map_err(|fault| format!("{}: {fault}", program.display()))?;
        group.began(child.id());
        Ok(Self {
            group,
            child,
            name: name.to_owned(),
            output: path,
        })
    }

    /// What it costs.
    pub(crate) const fn group(&self) -> &Group {
        &self.group
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it listens.
    pub(crate) fn listens(&mut self, address: SocketAddr) -> BenchResult<()> {
        for _ in 0..1000 {
            if TcpStream::connect(address).is_ok() {
                return Ok(());
            }
            self.still_runs()?;
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(format!(
            "{} does not listen at {address}: see {}",
            self.name,
            self.said()
        )
        .into())
    }

    /// Waits until `ready` is true.
    pub(crate) fn until(&mut self, what: &str, ready: impl Fn() -> bool) -> BenchResult<()> {
        for _ in 0..1000 {
            if ready() {
                return Ok(());
            }
            self.still_runs()?;
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(format!("{}: {what} took too long: {}", self.name, self.said()).into())
    }

    fn still_runs(&mut self) -> BenchResult<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(format!("{} ended, {status}: {}", self.name, self.said()).into()),
        }
    }

    /// The end of its output.
    fn said(&self) -> String {
        let text = std::fs::read_to_string(&self.output).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(12).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        // A program that does not end when it is asked to is killed with all of its group.
        let _ = id.map(|id| kill_process(id, Signal::TERM));
        for _ in 0..150 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.group.clear();
        let _ = self.child.wait();
    }
}

/// Runs a program that must end well; gives what it printed.
pub(crate) fn run(command: &mut Command) -> BenchResult<String> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?} ended with {}: {said}", output.status).into())
}

/// A free port, below those that the kernel gives to outgoing connections.
pub(crate) fn free_port() -> BenchResult<u16> {
    static NEXT: std::sync::atomic::AtomicU16 = std::sync::atomic::AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 9_000)?;
    for _ in 0..5_000 {
        let taken = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let port = 20_000 + (start + taken) % 10_000;
        if TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            return Ok(port);
        }
    }
    Err("no free port between 20,000 and 30,000".into())
}
