//! supervise - `run --supervised`: a small process that systemd watches, and the one that serves, its child
//!
//! systemd starts the next process when the main one has ended, and sessions that have logged in may need minutes. So
//! the main process ends as soon as its child has released the state, and leaves the child behind, with its sessions
//! (`KillMode=process`, as sshd does it). The two share a UNIX socket, which is the child's standard input: the child
//! writes one octet when it has released the state, and takes its end, ours, for a signal to stop.
//! Not here: what the child does (`run`).

use std::env;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{self, Child, Command, ExitCode, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::signal::unix::{SignalKind, signal};

use super::{RunArgs, signals};
use crate::cli::exit;

/// Says that the state is released.
const RELEASED: u8 = b'R';

/// Starts the process that serves, passes signals on to it, and ends when it has released the state, or with it.
pub(super) fn run(args: &RunArgs) -> ExitCode {
    match supervise(args) {
        Ok(code) => code,
        Err(fault) => exit::fail(&fault),
    }
}

fn supervise(args: &RunArgs) -> io::Result<ExitCode> {
    // One thread, and next to no memory.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let (mut hang_up, mut terminate, mut interrupt) = signals()?;
        let mut abort = signal(SignalKind::from_raw(Signal::ABORT.as_raw()))?;
        let (ours, theirs) = UnixStream::pair()?;
        let mut child = spawn(args, theirs)?;
        ours.set_nonblocking(true)?;
        let mut ours = tokio::net::UnixStream::from_std(ours)?;
        loop {
            tokio::select! {
                _ = hang_up.recv() => pass_on(&child, Signal::HUP),
                _ = terminate.recv() => pass_on(&child, Signal::TERM),
                _ = interrupt.recv() => pass_on(&child, Signal::TERM),
                // systemd's watchdog: a child that hangs would keep state and ports from the next one.
                _ = abort.recv() => pass_on(&child, Signal::KILL),
                read = ours.read_u8() => return match read {
                    Ok(RELEASED) => Ok(ExitCode::SUCCESS),
                    _ => end_with(&mut child),
                },
            }
        }
    })
}

fn spawn(args: &RunArgs, theirs: UnixStream) -> io::Result<Child> {
    let mut command = Command::new(env::current_exe()?);
    command.arg("run").arg("--config").arg(&args.config);
    command.arg("--child");
    // They are about us, and the child is who answers and listens.
    command.env_remove("WATCHDOG_PID");
    if env::var("LISTEN_PID").is_ok_and(|owner| owner == process::id().to_string()) {
        command.env_remove("LISTEN_PID");
    }
    command.stdin(Stdio::from(OwnedFd::from(theirs)));
    command.spawn()
}

fn pass_on(child: &Child, signal: Signal) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // One that has ended just now is noticed by its socket.
        let _ = kill_process(pid, signal);
    }
}

/// The exit code of a child that has ended, or is about to.
fn end_with(child: &mut Child) -> io::Result<ExitCode> {
    let status = child.wait()?;
    let code = status.code().or(status.signal().map(|signal| 128 + signal));
    let code = code.and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(exit::FAILURE)))
}

/// What the child knows of the process that has started it; nothing where it runs alone.
#[derive(Debug, Default)]
pub(super) struct Supervisor {
    end: Option<OwnedReadHalf>,
    word: Option<OwnedWriteHalf>,
}

impl Supervisor {
    /// The one at standard input.
    pub(super) fn of_child() -> io::Result<Self> {
        let stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
        stream.set_nonblocking(true)?;
        let (end, word) = tokio::net::UnixStream::from_std(stream)?.into_split();
        Ok(Self {
            end: Some(end),
            word: Some(word),
        })
    }

    /// Its end, in whatever way it comes: another one may be starting.
    pub(super) fn end(&mut self) -> impl Future<Output = ()> + use<> {
        let end = self.end.take();
        async {
            match end {
                // It never writes.
                Some(mut end) => drop(end.read_u8().await),
                None => std::future::pending().await,
            }
        }
    }

    /// Says that the state is released.
    pub(super) async fn released(mut self) {
        if let Some(word) = &mut self.word {
            // One that is gone needs no word.
            let _ = word.write_u8(RELEASED).await;
        }
    }
}
