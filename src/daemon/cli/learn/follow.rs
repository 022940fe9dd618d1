//! follow - `learn --follow`: reads logs as they grow, or standard input as it arrives
//!
//! Not here: a growing file (`tail`), the import into the gate (`import`).
//!
//! The present content of the logs is imported as without `--follow`, into the running gatepost or its state. After
//! that, new logins are sent to the running gatepost, at most once a second. While it does not answer, they
//! wait here, one entry a pair, bounded. So a restart of gatepost loses nothing.
//!
//! What passes ends nothing: a log that is not there, that may not be read for a moment after a rotation, or a gatepost that
//! does not answer is told once, and tried again every second.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::import;
use super::tail::{LineSplitter, LogTail, TailEvent};
use super::{ImportBatch, LearnArgs, logs, report};
use crate::admin::message::{ImportStats, SettlingAfter};
use crate::clock::Clock;
use crate::config::Config;
use crate::files;
use gatepost_core::logs::collector::each_line;
use gatepost_core::logs::packed;
use gatepost_core::logs::parser::LogParser;

/// How often the logs are polled, and the gate updated.
const EVERY: Duration = Duration::from_secs(1);
const PIECE_OCTETS: usize = 64 * 1024;

/// A growing log, and its parser.
pub(super) struct FollowedLog {
    tail: LogTail,
    parser: LogParser,
    health: Health,
}

/// Whether a log could be read, or the gate reached, the last time. A change for the worse is told once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Well,
    Failing,
}

/// Imports until the process is ended, or standard input ends.
pub(super) fn follow(
    args: &LearnArgs,
    config: &Config,
    out: &mut dyn Write,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut follower = Follower::new(args, config, out);
    if args.logs.iter().any(|log| log == Path::new(logs::STDIN)) {
        if args.logs.len() > 1 {
            return Err(
                "- must be the only log: standard input cannot be followed beside files".into(),
            );
        }
        return follower.follow_input(&mut standard_input()?);
    }
    let mut followed = follower.open(&args.logs)?;
    follower.poll(&mut followed);
    follower.import_first();
    loop {
        std::thread::sleep(EVERY);
        follower.poll(&mut followed);
        follower.import_new();
    }
}

/// Standard input, read without a buffer of its own.
fn standard_input() -> io::Result<File> {
    Ok(io::stdin().as_fd().try_clone_to_owned()?.into())
}

/// Waits until `input` has something to read or has ended, or the gate must be tried again.
fn wait(input: &File) -> io::Result<InputState> {
    let every = Timespec {
        tv_sec: 1,
        tv_nsec: 0,
    };
    match poll(&mut [PollFd::new(input, PollFlags::IN)], Some(&every)) {
        Ok(0) | Err(Errno::INTR) => Ok(InputState::Nothing),
        Ok(_) => Ok(InputState::Something),
        Err(fault) => Err(fault.into()),
    }
}

/// What a second of waiting has brought.
enum InputState {
    Something,
    Nothing,
}

/// Reads on and updates the gate.
pub(super) struct Follower<'a> {
    args: &'a LearnArgs,
    config: &'a Config,
    out: &'a mut dyn Write,
    batch: ImportBatch,
    gate: Health,
}

impl<'a> Follower<'a> {
    /// Before anything is read.
    pub(super) fn new(args: &'a LearnArgs, config: &'a Config, out: &'a mut dyn Write) -> Self {
        Self {
            args,
            config,
            out,
            batch: ImportBatch::default(),
            gate: Health::Well,
        }
    }

    /// The logs to follow; packed ones are read at once.
    ///
    /// # Errors
    ///
    /// When one of them is no file, and so will never be.
    pub(super) fn open(&mut self, paths: &[PathBuf]) -> Result<Vec<FollowedLog>, logs::LogFault> {
        let mut followed = Vec::new();
        for path in paths {
            let mut health = Health::Well;
            match self.is_packed(path) {
                Ok(true) => continue,
                Ok(false) => {}
                Err(fault) => {
                    let kind = fault.kind();
                    let fault = logs::LogFault::of(path)(fault);
                    if matches!(kind, ErrorKind::InvalidInput | ErrorKind::IsADirectory) {
                        return Err(fault);
                    }
                    tell(&format!("{fault}; trying again until it can be read"));
                    health = Health::Failing;
                }
            }
            followed.push(FollowedLog {
                tail: LogTail::new(path),
                parser: LogParser::new(logs::zone()),
                health,
            });
        }
        Ok(followed)
    }

    /// A packed log does not grow: it is read now, and not followed.
    fn is_packed(&mut self, log: &Path) -> io::Result<bool> {
        let mut file = files::open_regular(log)?;
        let mut magic = Vec::new();
        Read::by_ref(&mut file)
            .take(packed::MAGIC_OCTETS as u64)
            .read_to_end(&mut magic)?;
        if !packed::is_packed(&magic) {
            return Ok(false);
        }
        let mut parser = LogParser::new(logs::zone());
        parser.begin(logs::changed(&file)?);
        let whole = magic.as_slice().chain(file);
        if let Err(fault) = each_line(whole, |line| self.batch.add_line(&mut parser, &line)) {
            logs::show_damaged(&[logs::LogFault::of(log)(fault)]);
        }
        Ok(true)
    }

    /// Reads what was added to the logs.
    pub(super) fn poll(&mut self, followed: &mut [FollowedLog]) {
        for log in followed {
            let FollowedLog {
                tail,
                parser,
                health,
            } = log;
            let batch = &mut self.batch;
            let polled = tail.poll(&mut |event| match event {
                TailEvent::NewFile(newest) => parser.begin(newest),
                TailEvent::Line(line) => batch.add_line(parser, &line),
            });
            let Err(fault) = polled else {
                *health = Health::Well;
                continue;
            };
            if *health == Health::Well {
                let fault = logs::LogFault::of(tail.path())(fault);
                tell(&format!("{fault}; trying again until it can be read"));
            }
            *health = Health::Failing;
        }
    }

    /// Reads lines as they arrive; the gate is updated once for all that arrived together, and tried again every second.
    pub(super) fn follow_input(
        &mut self,
        input: &mut File,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let mut parser = LogParser::new(logs::zone());
        parser.begin(Clock::wall());
        let mut splitter = LineSplitter::default();
        let mut buffer = vec![0; PIECE_OCTETS];
        loop {
            if let InputState::Something = wait(input)? {
                let read = input.read(&mut buffer)?;
                if read == 0 {
                    return self.import_last();
                }
                let octets = buffer.get(..read).unwrap_or_default();
                splitter.split(octets, &mut |line| self.batch.add_line(&mut parser, &line));
            }
            self.import_new();
        }
    }

    /// Imports what is left when there is no more, into the running gatepost or its state.
    fn import_last(&mut self) -> Result<(), Box<dyn std::error::Error>> {
        let logins = self.batch.take();
        let imported = match logins.as_slice() {
            [] => ImportStats::default(),
            logins => import::import(self.config, logins, SettlingAfter::GoesOn)?,
        };
        self.report(imported);
        Ok(())
    }

    /// Imports the present content of the logs, into the running gatepost or its state. They wait if neither can be used.
    fn import_first(&mut self) {
        let logins = self.batch.take();
        if logins.is_empty() {
            return self.report(ImportStats::default());
        }
        match import::import(self.config, &logins, SettlingAfter::GoesOn) {
            Ok(imported) => self.report(imported),
            Err(fault) => {
                self.batch.give_back(logins);
                self.gate_fails(&fault);
            }
        }
    }

    /// Imports new logins into the running gatepost; they wait while it does not answer.
    pub(super) fn import_new(&mut self) {
        let logins = self.batch.take();
        if logins.is_empty() {
            return;
        }
        match import::running(self.config, &logins) {
            Ok(imported) => {
                self.gate = Health::Well;
                if imported.changed() {
                    self.report(imported);
                }
            }
            Err(fault) => {
                self.batch.give_back(logins);
                self.gate_fails(&fault);
            }
        }
    }

    fn gate_fails(&mut self, fault: &dyn std::fmt::Display) {
        if self.gate == Health::Well {
            tell(&format!("{fault}; new logins wait and are sent later"));
        }
        self.gate = Health::Failing;
    }

    fn report(&mut self, imported: ImportStats) {
        let summary = self.batch.summary(imported);
        // Following continues even if the output cannot be written.
        let _ = report(&summary, self.args, self.out).and_then(|()| self.out.flush());
    }
}

fn tell(text: &str) {
    // Without standard error the message is lost.
    let _ = writeln!(io::stderr(), "gatepost: {text}");
}
