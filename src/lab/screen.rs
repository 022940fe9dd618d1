//! screen - a block of lines that is redrawn in place
//!
//! On a terminal the block is overwritten a few times a second; elsewhere (a pipe, a log) one plain
//! line is written every few seconds instead. Colours only on a terminal, and not where `NO_COLOR` is set
//! (no-color.org). Not here: what stands in the block (`board`).

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

/// Colours, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    /// ANSI's.
    Colours,
    /// None.
    Plain,
}

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

impl Paint {
    /// `text` in this tone. Pad it first: the codes have a width, too.
    pub(crate) fn tone(self, tone: Tone, text: &str) -> String {
        let code = match (self, tone) {
            (Self::Plain, _) => return text.to_owned(),
            (_, Tone::Strong) => "1",
            (_, Tone::Quiet) => "2",
            (_, Tone::Good) => "32",
            (_, Tone::Bad) => "1;31",
            (_, Tone::Notable) => "33",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
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
        let terminal = io::stdout().is_terminal();
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            terminal,
            paint: match terminal && wanted {
                true => Paint::Colours,
                false => Paint::Plain,
            },
            drawn: 0,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_paint_leaves_a_text_alone_and_colours_end_where_they_should() {
        assert_eq!(Paint::Plain.tone(Tone::Bad, "535"), "535");
        let red = Paint::Colours.tone(Tone::Bad, "535");
        assert_eq!(red, "\x1b[1;31m535\x1b[0m");
    }
}
