//! program - other programs, run to their end or beside the test
//!
//! Nothing that is started here outlives the test: a program has a deadline, and a daemon is ended
//! by its id, or by the kernel when the thread that started it is gone (`setpriv --pdeathsig`).

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// Seconds that a program may take: far more than any needs, so that a hang fails.
const DEADLINE: &str = "180";

/// What a program did.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Whether it ended well.
    pub(crate) success: bool,
    /// Its exit code, if no signal ended it.
    pub(crate) code: Option<i32>,
    /// What it printed, both ways.
    pub(crate) text: String,
}

/// Runs a program with `input` and gives what it did, good or bad.
#[track_caller]
pub(crate) fn with_input(command: &mut Command, input: &[u8]) -> Ran {
    let output = outcome(command, input);
    let text = [output.stdout, output.stderr].concat();
    Ran {
        success: output.status.success(),
        code: output.status.code(),
        text: String::from_utf8_lossy(&text).into_owned(),
    }
}

/// Runs a program that must end well; gives what it printed.
#[track_caller]
pub(crate) fn output(command: &mut Command) -> Vec<u8> {
    let output = outcome(command, b"");
    assert!(
        output.status.success(),
        "{command:?} ended with {}: {}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    output.stdout
}

/// As [`output`], as text.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> String {
    String::from_utf8_lossy(&output(command)).into_owned()
}

#[track_caller]
fn outcome(command: &Command, input: &[u8]) -> Output {
    let mut bounded = under(&["timeout", "--kill-after=5", DEADLINE], command);
    bounded
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = match bounded.spawn() {
        Ok(child) => child,
        Err(error) => panic!("{command:?} does not start ({error}): tests/run installs it"),
    };
    let mut stdin = child.stdin.take().expect("it was asked for");
    thread::scope(|scope| {
        // The program may end without reading all: that is its right.
        scope.spawn(move || stdin.write_all(input).ok());
        child.wait_with_output().expect("wait for a program")
    })
}

/// `command`, started by another program that takes a command line.
fn under(starter: &[&str], command: &Command) -> Command {
    let mut started = Command::new(starter[0]);
    started.args(&starter[1..]);
    started.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        started.env(name, value.expect("no test takes a variable away"));
    }
    started
}

/// A program that runs beside the test.
pub(crate) struct Daemon(Child);

impl Daemon {
    /// Starts it in a process group of its own, as Postfix's master needs it, without input.
    ///
    /// It ends with the thread that started it, whatever happens to that thread.
    #[track_caller]
    pub(crate) fn spawn(command: Command) -> Self {
        Self(Self::prepare(&command).spawn().expect("setpriv starts"))
    }

    /// As [`Daemon::spawn`], with its two outputs to read.
    #[track_caller]
    pub(crate) fn spawn_with_output(
        command: &Command,
    ) -> (Self, [Box<dyn std::io::Read + Send>; 2]) {
        let mut prepared = Self::prepare(command);
        prepared.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = prepared.spawn().expect("setpriv starts");
        let stdout = child.stdout.take().expect("it was asked for");
        let stderr = child.stderr.take().expect("it was asked for");
        (Self(child), [Box::new(stdout), Box::new(stderr)])
    }

    fn prepare(command: &Command) -> Command {
        let mut prepared = under(&["setpriv", "--pdeathsig", "TERM"], command);
        prepared.process_group(0).stdin(Stdio::null());
        prepared
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("signal our own daemon");
    }

    /// Sends a signal to it and to all its children.
    pub(crate) fn signal_group(&self, signal: Signal) {
        kill_process_group(self.pid(), signal).expect("signal our own daemon");
    }

    /// Sends a signal that ends it, and waits for the end.
    pub(crate) fn end(mut self, signal: Signal) -> ExitStatus {
        self.signal(signal);
        self.wait()
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.0.wait().expect("wait for our own daemon")
    }

    /// Whether it has ended by itself.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().expect("look at our own daemon")
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    fn pid(&self) -> Pid {
        let id = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        id.expect("a process id")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.ended().is_none() {
            // With all its children, which are in its group: nothing of it is asked any more.
            kill_process_group(self.pid(), Signal::KILL).expect("kill our own daemon");
            self.wait();
        }
    }
}
