//! paint - whether printed text has colours
//!
//! Decided by `anstream`: a terminal that is not dumb, `NO_COLOR`, `CLICOLOR`, `CLICOLOR_FORCE`
//! (no-color.org, bixense.com/clicolors). Not here: which text has which colour.

use anstream::stream::RawStream;
use anstream::{AutoStream, ColorChoice};
use anstyle::Style;

/// Colours, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// ANSI escape codes.
    Colours,
    /// None.
    Plain,
}

impl Paint {
    /// What suits standard output or standard error, as it is now.
    pub fn for_stream(stream: &impl RawStream) -> Self {
        match AutoStream::choice(stream) {
            ColorChoice::Never => Self::Plain,
            _ => Self::Colours,
        }
    }

    /// `text` in a style. Pad it first: the codes have a width, too.
    pub fn styled(self, style: Style, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Colours => format!("{style}{text}{style:#}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_paint_leaves_a_text_alone_and_a_style_ends_where_its_text_does() {
        let bold = Style::new().bold();
        assert_eq!(Paint::Plain.styled(bold, "535"), "535");
        assert_eq!(Paint::Colours.styled(bold, "535"), "\x1b[1m535\x1b[0m");
    }
}
