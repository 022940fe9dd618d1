//! source - a file as it was read, and what of it is shown: secrets stand as `…`
//!
//! A place in the file has its true line and column; in the excerpt the caret stands where the place is shown.
//! Not here: which parts are secrets (`secrets`), what is found in the file (`finding`).

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::secrets;

/// What stands in the place of a secret.
const HIDDEN: &str = "…";

/// Shorter secrets are hidden in excerpts and where a message quotes a value, but not in all words of messages.
const LEAST_OF_WORD: usize = 8;

/// A file as it was read: the name that findings show, and the text that they quote. `Debug` shows the name alone.
#[derive(Clone)]
pub(super) struct Source {
    name: String,
    text: String,
    /// In order, and apart from each other.
    hidden: Vec<Range<usize>>,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({})", self.name)
    }
}

impl Source {
    /// A config file.
    pub(super) fn new(path: &Path, text: String) -> Arc<Self> {
        let hidden = secrets::spans(&text);
        Arc::new(Self::with(path.display().to_string(), text, hidden))
    }

    /// A list with one name a line.
    pub(super) fn of_names(path: &Path, text: String) -> Arc<Self> {
        let hidden = secrets::spans_beside_names(&text);
        Arc::new(Self::with(path.display().to_string(), text, hidden))
    }

    /// The same file; `more` of it is hidden.
    pub(super) fn hiding(&self, more: &[Range<usize>]) -> Arc<Self> {
        let more = more.iter().map(|span| self.clamp(span));
        let hidden = self.hidden.iter().cloned().chain(more).collect();
        Arc::new(Self::with(self.name.clone(), self.text.clone(), hidden))
    }

    fn with(name: String, text: String, mut hidden: Vec<Range<usize>>) -> Self {
        hidden.retain(|span| !span.is_empty());
        hidden.sort_by_key(|span| span.start);
        let mut apart: Vec<Range<usize>> = Vec::new();
        for span in hidden {
            match apart.last_mut().filter(|last| span.start <= last.end) {
                Some(last) => last.end = last.end.max(span.end),
                None => apart.push(span),
            }
        }
        Self {
            name,
            text,
            hidden: apart,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Line and column of an offset, counted from 1, the column in characters.
    pub(super) fn position(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..self.boundary(offset)).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.matches('\n').count() + 1;
        let column = before.get(line_start..).unwrap_or(before).chars().count() + 1;
        (line, column)
    }

    /// Whether a part of the text is hidden that `span` is or touches.
    fn is_hidden(&self, span: &Range<usize>) -> bool {
        let mut hidden = self.hidden.iter();
        hidden.any(|one| one.start < span.end && span.start < one.end)
    }

    /// What is said of the place `span`, without the secrets of the file that it quotes.
    pub(super) fn without_secrets(&self, said: &str, span: Option<&Range<usize>>) -> String {
        let mut said = said.to_owned();
        for span in &self.hidden {
            let words = self.text.get(span.clone()).unwrap_or_default();
            let word = words.trim_matches(|one: char| !one.is_alphanumeric());
            if word.len() >= LEAST_OF_WORD {
                said = said.replace(word, HIDDEN);
            }
        }
        if span.is_some_and(|span| self.is_hidden(span)) {
            for quote in ['"', '`'] {
                said = without_quoted(&said, quote);
            }
        }
        said
    }

    /// `span`, cut to the text.
    fn clamp(&self, span: &Range<usize>) -> Range<usize> {
        let start = self.boundary(span.start);
        start..self.boundary(span.end).max(start)
    }

    /// The last start of a character at or before `offset`.
    fn boundary(&self, offset: usize) -> usize {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    }
}

/// What stands between the first and the last quote is hidden, if it is more than signs.
fn without_quoted(said: &str, quote: char) -> String {
    let ends = said.find(quote).zip(said.rfind(quote));
    let parts = ends.and_then(|(first, last)| {
        let value = said.get(first + 1..last)?;
        Some((said.get(..=first)?, value, said.get(last..)?))
    });
    match parts {
        Some((before, value, behind)) if value.contains(char::is_alphanumeric) => {
            format!("{before}{HIDDEN}{behind}")
        }
        _ => said.to_owned(),
    }
}

/// The text of a file as it is shown.
pub(super) struct ShownText {
    /// It has the lines of the file.
    text: String,
    /// What was hidden, where it was and where it is now.
    parts: Vec<(Range<usize>, Range<usize>)>,
}

impl ShownText {
    pub(super) fn of(source: &Source) -> Self {
        let mut shown = Self {
            text: String::new(),
            parts: Vec::new(),
        };
        let mut done = 0;
        for span in &source.hidden {
            let mut start = span.start;
            let hidden = source.text.get(span.clone()).unwrap_or_default();
            for line in hidden.split_inclusive('\n') {
                let end = start + line.trim_end_matches(['\n', '\r']).len();
                shown.text += source.text.get(done..start).unwrap_or_default();
                done = start;
                if end > start {
                    let at = shown.text.len();
                    shown.text += HIDDEN;
                    shown.parts.push((start..end, at..shown.text.len()));
                    done = end;
                }
                start += line.len();
            }
        }
        shown.text += source.text.get(done..).unwrap_or_default();
        shown
    }

    /// Where `span` of the file is shown: of what is hidden, the whole sign for it.
    pub(super) fn span(&self, source: &Source, span: &Range<usize>) -> Range<usize> {
        let span = source.clamp(span);
        let start = self.place(
            span.start,
            |hidden| hidden.start <= span.start,
            |now| now.start,
        );
        let end = self.place(span.end, |hidden| hidden.start < span.end, |now| now.end);
        start..end.max(start)
    }

    fn place(
        &self,
        offset: usize,
        is_before: impl Fn(&Range<usize>) -> bool,
        inside: impl Fn(&Range<usize>) -> usize,
    ) -> usize {
        match self.parts.iter().rfind(|(hidden, _)| is_before(hidden)) {
            None => offset,
            Some((hidden, now)) if offset < hidden.end => inside(now),
            Some((hidden, now)) => now.end + (offset - hidden.end),
        }
    }

    /// The column, counted from 1 in characters, at which `span` of the file is shown.
    pub(super) fn column(&self, source: &Source, span: &Range<usize>) -> usize {
        let before = self.text.get(..self.span(source, span).start);
        let line = before.and_then(|before| before.rsplit('\n').next());
        line.map_or(0, |line| line.chars().count()) + 1
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_behind_a_secret_is_shown_where_it_is() {
        let text = "a = {nonce = \"äöü\", b = 1}\n".to_owned();
        let b = text.find("b =").unwrap();
        let source = Source::new(Path::new("f"), text);
        let shown = ShownText::of(&source);
        assert_eq!(shown.text, "a = {nonce = \"…\", b = 1}\n");
        let place = shown.span(&source, &(b..b + 1));
        assert_eq!(shown.text.get(place.clone()), Some("b"));
        let whole = shown.span(&source, &(13..21));
        assert_eq!(shown.text.get(whole), Some("\"…\""));
        let inside = shown.span(&source, &(16..17));
        assert_eq!(shown.text.get(inside), Some("…"));
        assert_eq!(source.position(b), (1, 21));
    }
}
