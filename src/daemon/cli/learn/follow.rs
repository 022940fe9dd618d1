//! follow - `learn --follow`: reads logs as they grow, or standard input as it arrives
//!
//! Not here: a growing file (`tail`), the import into the gate (`import`).
//!
//! The present content of the logs is imported as without `--follow`, into the running gatepost or its state. After
//! that, new logins are sent to the running gatepost, at most once a second. While it does not answer, they
//! wait here, one entry a pair, bounded. So a restart of gatepost loses nothing.

use std::io::{self, BufRead, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::import::{self, ImportFault};
use super::tail::{LineSplitter, LogTail, TailEvent};
use super::{ImportBatch, LearnArgs, logs, report};
use crate::admin::message::ImportStats;
use crate::clock::Clock;
use crate::config::Config;
use gatepost_core::logs::collector::each_line;
use gatepost_core::logs::parser::LogParser;

/// How often the logs are polled, and the gate updated.
const EVERY: Duration = Duration::from_secs(1);

/// A growing log, and its parser.
type Followed = (LogTail, LogParser);

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
        return follower.follow_stdin(&mut io::stdin().lock());
    }
    let mut tails = follower.open(&args.logs)?;
    follower.poll(&mut tails)?;
    follower.import_first()?;
    loop {
        std::thread::sleep(EVERY);
        follower.poll(&mut tails)?;
        follower.import_new();
    }
}

/// Reads on and updates the gate.
pub(super) struct Follower<'a> {
    args: &'a LearnArgs,
    config: &'a Config,
    out: &'a mut dyn Write,
    batch: ImportBatch,
    /// Whether the last import failed: reported once.
    failing: bool,
}

impl<'a> Follower<'a> {
    /// Before anything is read.
    pub(super) fn new(args: &'a LearnArgs, config: &'a Config, out: &'a mut dyn Write) -> Self {
        Self {
            args,
            config,
            out,
            batch: ImportBatch::default(),
            failing: false,
        }
    }

    /// The logs to follow; gzipped ones are read at once.
    pub(super) fn open(&mut self, paths: &[PathBuf]) -> Result<Vec<Followed>, logs::LogFault> {
        let mut followed = Vec::new();
        for path in paths {
            if !self.is_packed(path)? {
                followed.push((LogTail::new(path), LogParser::new(logs::zone())));
            }
        }
        Ok(followed)
    }

    /// A gzipped log does not grow: it is read now, and not followed.
    fn is_packed(&mut self, log: &Path) -> Result<bool, logs::LogFault> {
        let fault = || logs::LogFault::of(log);
        let mut file = logs::open(log).map_err(fault())?;
        let mut magic = Vec::new();
        Read::by_ref(&mut file)
            .take(2)
            .read_to_end(&mut magic)
            .map_err(fault())?;
        if magic != [0x1f, 0x8b] {
            return Ok(false);
        }
        let mut parser = LogParser::new(logs::zone());
        parser.begin(logs::changed(&file).map_err(fault())?);
        let packed = magic.as_slice().chain(file);
        each_line(packed, |line| self.batch.add_line(&mut parser, &line)).map_err(fault())?;
        Ok(true)
    }

    /// Reads what was added to the logs.
    pub(super) fn poll(&mut self, tails: &mut [Followed]) -> Result<(), logs::LogFault> {
        for (tail, parser) in tails {
            let batch = &mut self.batch;
            let polled = tail.poll(&mut |event| match event {
                TailEvent::NewFile(newest) => parser.begin(newest),
                TailEvent::Line(line) => batch.add_line(parser, &line),
            });
            polled.map_err(logs::LogFault::of(tail.path()))?;
        }
        Ok(())
    }

    /// Reads lines as they arrive; the gate is updated once for all that arrived together.
    pub(super) fn follow_stdin(
        &mut self,
        input: &mut dyn BufRead,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let mut parser = LogParser::new(logs::zone());
        parser.begin(Clock::wall());
        let mut splitter = LineSplitter::default();
        loop {
            let octets = input.fill_buf()?;
            let read = octets.len();
            if read == 0 {
                self.import_first()?;
                return Ok(());
            }
            splitter.split(octets, &mut |line| self.batch.add_line(&mut parser, &line));
            input.consume(read);
            self.import_new();
        }
    }

    /// Imports the present content of the logs, into the running gatepost or its state.
    fn import_first(&mut self) -> Result<(), ImportFault> {
        let logins = self.batch.take();
        let imported = match logins.as_slice() {
            [] => ImportStats::default(),
            logins => import::import(self.config, logins)?,
        };
        self.report(imported);
        Ok(())
    }

    /// Imports new logins into the running gatepost; they wait while it does not answer.
    pub(super) fn import_new(&mut self) {
        let logins = self.batch.take();
        if logins.is_empty() {
            return;
        }
        match import::running(self.config, &logins) {
            Ok(imported) => {
                self.failing = false;
                if imported != ImportStats::default() {
                    self.report(imported);
                }
            }
            Err(fault) => {
                self.batch.give_back(logins);
                if !self.failing {
                    // Without standard error the message is lost.
                    let _ = writeln!(
                        io::stderr(),
                        "gatepost: {fault}; new logins wait and are sent later"
                    );
                }
                self.failing = true;
            }
        }
    }

    fn report(&mut self, imported: ImportStats) {
        let summary = self.batch.summary(imported);
        // Following continues even if the output cannot be written.
        let _ = report(&summary, self.args, self.out).and_then(|()| self.out.flush());
    }
}
