//! screen - a block of lines that is redrawn in place
//!
//! On a terminal the block is overwritten a few times a second; elsewhere (a pipe, a log) one plain
//! line is written every few seconds instead. Not here: what stands in the block (`board`), whether there are
//! colours (the daemon's `cli::paint`).

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use gatepost_daemon::cli::paint::Paint;

/// What a colour means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// A heading.
    Strong,
    /// Of little importance.
    Quiet,
    /// As it should be.
    Good,
    /// As it should not be.
    Bad,
    /// Neither, but worth attention.
    Notable,
}

impl Tone {
    /// How it looks.
    const fn style(self) -> Style {
        match self {
            Self::Strong => Style::new().bold(),
            Self::Quiet => Style::new().dimmed(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
            Self::Notable => AnsiColor::Yellow.on_default(),
        }
    }

    /// `text` in this tone. Pad it first: the codes have a width, too.
    pub(crate) fn of(self, text: &str, paint: Paint) -> String {
        paint.styled(self.style(), text)
    }
}

/// Standard output, where a block is drawn again and again.
#[derive(Debug)]
pub(crate) struct Screen {
    terminal: bool,
    paint: Paint,
    drawn: usize,
}

impl Screen {
    /// Standard output, whatever it is.
    pub(crate) fn new() -> Self {
        Self {
            terminal: io::stdout().is_terminal(),
            paint: Paint::for_stream(&io::stdout()),
            drawn: 0,
        }
    }

    /// Whether a person watches.
    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Whether there are colours.
    pub(crate) fn paint(&self) -> Paint {
        self.paint
    }

    /// How often to draw: a person watches, or a log fills.
    pub(crate) fn pause(&self) -> Duration {
        match self.terminal {
            true => Duration::from_millis(250),
            false => Duration::from_secs(5),
        }
    }

    /// Draws `block` over the one before; on no terminal, writes `line` instead.
    pub(crate) fn draw(&mut self, block: &[String], line: &str) {
        if self.terminal {
            self.block(block);
        } else {
            print_line(line);
        }
    }

    /// Draws `block` over the one before for the last time, on no terminal too.
    pub(crate) fn finish(&mut self, block: &[String]) {
        self.block(block);
        self.drawn = 0;
    }

    fn block(&mut self, block: &[String]) {
        let mut text = match self.drawn {
            0 => String::new(),
            lines => format!("\x1b[{lines}A\x1b[J"),
        };
        for line in block {
            text.push_str(line);
            text.push('\n');
        }
        self.drawn = block.len();
        write(&text);
    }
}

/// Writes one line, or several.
pub(crate) fn print_line(text: &str) {
    write(&format!("{text}\n"));
}

fn write(text: &str) {
    let mut out = io::stdout().lock();
    // A reader that has closed the pipe wants no more.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
