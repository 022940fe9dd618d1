//! follow - learning that goes on: logs as they grow, or standard input as it comes
//!
//! Not here: a growing file (`tail`), telling the gate (`teach`).
//!
//! What the logs hold already is learnt like without `--follow`, running or stopped. From then on the running
//! gatepost is told, at most once a second. While it does not answer, the lesson waits here: one entry
//! a pair, bounded, so a restart of gatepost loses nothing.

use std::io::{self, BufRead, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::tail::{Cutter, Heard, Tail};
use super::teach::{self, TeachFault};
use super::{Args, Lesson, logs, tell};
use crate::admin::message::Taught;
use crate::clock::Clock;
use crate::config::Config;
use gatepost_core::logs::collector::each_line;
use gatepost_core::logs::parser::LogParser;

/// How often a log is looked at, and the gate told.
const EVERY: Duration = Duration::from_secs(1);

/// A growing log, and the parser of its lines.
type Followed = (Tail, LogParser);

/// Learns until it is ended, or standard input ends.
pub(super) fn follow(
    args: &Args,
    config: &Config,
    out: &mut dyn Write,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut student = Student::new(args, config, out);
    if args.logs.iter().any(|log| log == Path::new(logs::STDIN)) {
        if args.logs.len() > 1 {
            return Err("- stands alone: one standard input, and no log beside it".into());
        }
        return student.follow_stdin(&mut io::stdin().lock());
    }
    let mut tails = student.open(&args.logs)?;
    student.look(&mut tails)?;
    student.teach_first()?;
    loop {
        std::thread::sleep(EVERY);
        student.look(&mut tails)?;
        student.teach();
    }
}

/// One who reads on, and tells the gate.
pub(super) struct Student<'a> {
    args: &'a Args,
    config: &'a Config,
    out: &'a mut dyn Write,
    lesson: Lesson,
    /// Whether the last try to teach failed: told once.
    failing: bool,
}

impl<'a> Student<'a> {
    /// Nothing is read yet.
    pub(super) fn new(args: &'a Args, config: &'a Config, out: &'a mut dyn Write) -> Self {
        Self {
            args,
            config,
            out,
            lesson: Lesson::default(),
            failing: false,
        }
    }

    /// The logs to follow; those that are packed are read at once.
    pub(super) fn open(&mut self, paths: &[PathBuf]) -> Result<Vec<Followed>, logs::LogFault> {
        let mut followed = Vec::new();
        for path in paths {
            if !self.is_packed(path)? {
                followed.push((Tail::new(path), LogParser::new(logs::zone())));
            }
        }
        Ok(followed)
    }

    /// A gzipped log does not grow: it is read now, and not followed.
    fn is_packed(&mut self, log: &Path) -> Result<bool, logs::LogFault> {
        let fault = || logs::LogFault::of(log);
        let mut file = std::fs::File::open(log).map_err(fault())?;
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
        each_line(packed, |line| self.lesson.hear(&mut parser, &line)).map_err(fault())?;
        Ok(true)
    }

    /// Takes what the logs have got.
    pub(super) fn look(&mut self, tails: &mut [Followed]) -> Result<(), logs::LogFault> {
        for (tail, parser) in tails {
            let lesson = &mut self.lesson;
            let looked = tail.poll(&mut |heard| match heard {
                Heard::Begins(newest) => parser.begin(newest),
                Heard::Cut(line) => lesson.hear(parser, &line),
            });
            looked.map_err(logs::LogFault::of(tail.path()))?;
        }
        Ok(())
    }

    /// Lines as they come; the gate is told of all that came at once.
    pub(super) fn follow_stdin(
        &mut self,
        input: &mut dyn BufRead,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let mut parser = LogParser::new(logs::zone());
        parser.begin(Clock::start().now());
        let mut cutter = Cutter::default();
        loop {
            let octets = input.fill_buf()?;
            let read = octets.len();
            if read == 0 {
                self.teach_first()?;
                return Ok(());
            }
            cutter.cut(octets, &mut |line| self.lesson.hear(&mut parser, &line));
            input.consume(read);
            self.teach();
        }
    }

    /// What the logs held at the beginning, to whoever is there: the running gatepost or its state.
    fn teach_first(&mut self) -> Result<(), TeachFault> {
        let logins = self.lesson.take();
        let taught = match logins.as_slice() {
            [] => Taught::default(),
            logins => teach::teach(self.config, logins)?,
        };
        self.tell(taught);
        Ok(())
    }

    /// What came since, to the running gatepost; it waits while there is none.
    pub(super) fn teach(&mut self) {
        let logins = self.lesson.take();
        if logins.is_empty() {
            return;
        }
        match teach::running(self.config, &logins) {
            Ok(taught) => {
                self.failing = false;
                if taught != Taught::default() {
                    self.tell(taught);
                }
            }
            Err(fault) => {
                self.lesson.give_back(logins);
                if !self.failing {
                    // Without standard error there is nobody to tell.
                    let _ = writeln!(io::stderr(), "gatepost: {fault}; what is learnt waits");
                }
                self.failing = true;
            }
        }
    }

    fn tell(&mut self, taught: Taught) {
        let learnt = self.lesson.learnt(taught);
        // Following goes on though nobody reads what is told.
        let _ = tell(&learnt, self.args, self.out).and_then(|()| self.out.flush());
    }
}
