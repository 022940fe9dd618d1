//! progress - how far the reading of logs is, as a bar on standard error if that is a terminal
//!
//! Not here: the reading (`logs`).

use std::cell::Cell;
use std::io::{self, Read};

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The progress of reading logs.
pub(in super::super) struct Progress {
    bar: ProgressBar,
    /// Octets read from all logs, packed ones as they are on the disk.
    octets: Cell<u64>,
}

impl Progress {
    /// Of logs of so many octets together; `None` if that is not known, as of a pipe.
    pub(super) fn of(octets: Option<u64>) -> Self {
        let (bar, template) = match octets {
            Some(octets) => (
                ProgressBar::new(octets),
                "{bar:30} {percent:>3} % of {total_bytes}, {msg}, {eta} left",
            ),
            None => (ProgressBar::no_length(), "{spinner} {bytes}, {msg}"),
        };
        Self::styled(bar, template)
    }

    /// Of a stage whose end is not known.
    pub(in super::super) fn stage(name: String) -> Self {
        let stage = Self::styled(ProgressBar::no_length(), "{msg}");
        stage.bar.set_message(name);
        stage.bar.tick();
        stage
    }

    fn styled(bar: ProgressBar, template: &str) -> Self {
        bar.set_draw_target(ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self {
            bar,
            octets: Cell::new(0),
        }
    }

    /// `log`, whose octets count.
    pub(super) fn counted<R: Read>(&self, log: R) -> impl Read + use<'_, R> {
        CountedLog {
            log,
            octets: &self.octets,
        }
    }

    /// Shows that so many lines were read.
    pub(super) fn show(&self, lines: u64) {
        if self.bar.is_hidden() {
            return;
        }
        let seconds = self.bar.elapsed().as_secs_f64().max(0.001);
        let speed = (lines as f64 / seconds) as u64;
        self.bar.set_message(format!(
            "{} lines, {} a second",
            HumanCount(lines),
            HumanCount(speed)
        ));
        self.bar.set_position(self.octets.get());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

struct CountedLog<'a, R> {
    log: R,
    octets: &'a Cell<u64>,
}

impl<R: Read> Read for CountedLog<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.log.read(buffer)?;
        self.octets.set(self.octets.get() + read as u64);
        Ok(read)
    }
}
