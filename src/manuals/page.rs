//! page - a manual page out of Markdown
//!
//! The first heading is `NAME(SECTION): what it is about`; the others are sections. What stands before the first of them is the
//! description. man(7), tbl(1). Not here: which pages there are (`manuals`).

use clap_mangen::roff::{Inline, Roff, bold, italic, roman};
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// What tells man(1) that there are tables.
pub(super) const WITH_TABLES: &str = "'\\\" t\n";

/// The date of a page, which the version stands for.
pub(super) const NO_DATE: &str = "\"\"";

/// A page that is being written.
#[derive(Default)]
pub(super) struct Page {
    roff: Roff,
    name: String,
    section: String,
    /// The text that is not written yet: of a paragraph, a heading, a list's point, or a cell.
    inlines: Vec<Inline>,
    style: FontStyle,
    /// Where the next text goes.
    place: TextPlace,
    /// The cells of a table's row.
    row: Vec<Vec<Inline>>,
}

#[derive(Clone, Copy, Default)]
enum FontStyle {
    #[default]
    Plain,
    Bold,
    Italic,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum TextPlace {
    #[default]
    Paragraph,
    /// The first paragraph of a list's point, which has its mark already.
    Point,
    Verbatim,
    Table,
}

impl Page {
    /// Reads Markdown; what it does not know is an error of the page, found by its test.
    pub(super) fn new(markdown: &str) -> Self {
        let mut page = Self::default();
        let mut number = 0;
        for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
            page.take(event, &mut number);
        }
        page
    }

    /// The file's name.
    pub(super) fn file(&self) -> String {
        format!("{}.{}", self.name, self.section)
    }

    /// The page by itself.
    pub(super) fn whole(self) -> String {
        format!("{WITH_TABLES}{}", self.roff.render())
    }

    /// Its description and its other sections, to stand among those of another page.
    pub(super) fn parts(self) -> (String, String) {
        let text = self.roff.to_roff();
        let starts: Vec<usize> = text.match_indices("\n.SH ").map(|(at, _)| at + 1).collect();
        let [_, description, first, ..] = starts.as_slice() else {
            return (text, String::new());
        };
        let (before, sections) = text.split_at(*first);
        (
            before.split_at(*description).1.to_owned(),
            sections.to_owned(),
        )
    }

    fn take(&mut self, event: Event<'_>, number: &mut u64) {
        match event {
            Event::Start(tag) => self.begin(&tag, number),
            Event::End(tag) => self.end(tag),
            Event::Text(text) if self.place == TextPlace::Verbatim => {
                for line in text.lines() {
                    self.roff.text([roman(line)]);
                }
            }
            Event::Text(text) => self.inlines.push(match self.style {
                FontStyle::Plain => roman(&*text),
                FontStyle::Bold => bold(&*text),
                FontStyle::Italic => italic(&*text),
            }),
            Event::Code(text) => self.inlines.push(bold(&*text)),
            Event::SoftBreak => self.inlines.push(roman(" ")),
            Event::HardBreak => self.inlines.push(Inline::LineBreak),
            _ => {}
        }
    }

    fn begin(&mut self, tag: &Tag<'_>, number: &mut u64) {
        match tag {
            Tag::CodeBlock(_) => {
                self.flush();
                self.place = TextPlace::Verbatim;
                self.roff.control("PP", []);
                self.roff.control("RS", ["4"]);
                self.roff.control("nf", []);
            }
            Tag::List(first) => *number = first.unwrap_or_default(),
            Tag::Item => {
                let mark = match *number {
                    0 => "\\(bu".to_owned(),
                    number => format!("{number}."),
                };
                *number += u64::from(*number > 0);
                self.roff.control("IP", [mark.as_str(), "4"]);
                self.place = TextPlace::Point;
            }
            Tag::Table(columns) => {
                self.place = TextPlace::Table;
                // A narrow cell cannot be filled to both sides.
                self.roff.control("na", []);
                self.roff.control("TS", []);
                self.roff.text([roman("allbox;")]);
                let format = |letters: &str| vec![letters; columns.len()].join(" ");
                self.roff.text([roman(format("lb"))]);
                self.roff.text([roman(format("lx") + ".")]);
            }
            Tag::Strong => self.style = FontStyle::Bold,
            Tag::Emphasis => self.style = FontStyle::Italic,
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(level) => self.heading(level),
            TagEnd::Paragraph | TagEnd::Item => self.flush(),
            TagEnd::CodeBlock => {
                self.place = TextPlace::Paragraph;
                self.roff.control("fi", []);
                self.roff.control("RE", []);
            }
            TagEnd::TableCell => self.row.push(std::mem::take(&mut self.inlines)),
            TagEnd::TableHead | TagEnd::TableRow => self.write_row(),
            TagEnd::Table => {
                self.place = TextPlace::Paragraph;
                self.roff.control("TE", []);
                self.roff.control("ad", []);
            }
            TagEnd::Strong | TagEnd::Emphasis => self.style = FontStyle::Plain,
            _ => {}
        }
    }

    fn heading(&mut self, level: HeadingLevel) {
        let inlines = std::mem::take(&mut self.inlines);
        if level != HeadingLevel::H1 {
            let kind = if level == HeadingLevel::H2 {
                "SH"
            } else {
                "SS"
            };
            let title: String = inlines.iter().map(text_of).collect();
            self.roff.control(kind, [title.to_uppercase().as_str()]);
            return;
        }
        let title: String = inlines.iter().map(text_of).collect();
        let parts = title.split_once("): ");
        let (place, about) = parts.unwrap_or((title.as_str(), ""));
        let (name, section) = place.split_once('(').unwrap_or((place, "7"));
        (self.name, self.section) = (name.to_owned(), section.to_owned());
        self.roff
            .control("TH", [name, section, NO_DATE, "Gatepost", "Gatepost"]);
        self.roff.control("SH", ["NAME"]);
        self.roff.text([roman(format!("{name} - {about}"))]);
        self.roff.control("SH", ["DESCRIPTION"]);
    }

    /// Writes the text that there is as a paragraph.
    fn flush(&mut self) {
        let inlines = std::mem::take(&mut self.inlines);
        if inlines.is_empty() {
            return;
        }
        if self.place == TextPlace::Paragraph {
            self.roff.control("PP", []);
        }
        self.roff.text(inlines);
        self.place = TextPlace::Paragraph;
    }

    /// Each cell as a block of its own, which is broken into lines.
    fn write_row(&mut self) {
        let row = std::mem::take(&mut self.row);
        let last = row.len();
        for (place, cell) in row.into_iter().enumerate() {
            if place == 0 {
                self.roff.text([roman("T{")]);
            }
            self.roff.text(cell);
            let end = if place + 1 == last { "T}" } else { "T}\tT{" };
            self.roff.text([roman(end)]);
        }
    }
}

fn text_of(inline: &Inline) -> &str {
    match inline {
        Inline::Roman(text) | Inline::Bold(text) | Inline::Italic(text) => text,
        Inline::LineBreak => " ",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_lists_tables_and_code_become_their_macros() {
        let text = "\
# gatepost-x(7): what it is

Text with `code` and [a link](to.md), .not a macro.

## One part

- first
- second

1. one
2. two

| a | b |
|---|---|
| 1 | 2 |

```text
.verbatim
```
";
        let page = Page::new(text);
        assert_eq!(page.file(), "gatepost-x.7");
        let roff = page.whole();
        for line in [
            "'\\\" t",
            ".TH gatepost-x 7 \"\" Gatepost Gatepost",
            "gatepost\\-x \\- what it is",
            "Text with \\fBcode\\fR and a link, .not a macro.",
            ".SH \"ONE PART\"",
            ".IP \\(bu 4\nfirst\n.IP \\(bu 4\nsecond",
            ".IP 1. 4\none\n.IP 2. 4\ntwo",
            ".TS\nallbox;\nlb lb\nlx lx.\nT{\na\nT}\tT{\nb\nT}\nT{\n1",
            "\\&.verbatim",
        ] {
            assert!(roff.contains(line), "{line}\n{roff}");
        }
    }

    #[test]
    fn the_sections_of_a_page_can_stand_behind_another() {
        let page = Page::new("# a(1): b\n\nIntroduction.\n\n## Log\n\nLines.\n");
        let (description, sections) = page.parts();
        assert_eq!(description, ".SH DESCRIPTION\n.PP\nIntroduction.\n");
        assert_eq!(sections, ".SH LOG\n.PP\nLines.\n");
    }
}
