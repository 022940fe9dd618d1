//! content - the text of a mail as it comes in: dots unstuffed, counted, its subject noted
//!
//! Pure. The text itself is not kept: a 30 MB mail costs what a small one costs.
//! Only CRLF . CRLF ends it; a bare LF is text (the smuggling of CVE-2023-51764 ends nowhere here).
//! RFC 5321 section 4.5.2.

const HEAD: usize = 4096;

/// The text so far.
#[derive(Debug, Default)]
pub(super) struct MailContent {
    octets: u64,
    checksum: crc32fast::Hasher,
    head: Vec<u8>,
}

impl MailContent {
    /// Adds octets as they are.
    pub(super) fn push(&mut self, octets: &[u8]) {
        self.octets += octets.len() as u64;
        self.checksum.update(octets);
        let room = HEAD.saturating_sub(self.head.len());
        self.head.extend(octets.iter().take(room));
    }

    pub(super) fn octets(&self) -> u64 {
        self.octets
    }

    pub(super) fn crc32(&self) -> u32 {
        self.checksum.clone().finalize()
    }

    /// The `Subject:` of the header's first 4 KiB, in printable ASCII.
    pub(super) fn subject(&self) -> String {
        let header = self.head.split(|octet| *octet == b'\n');
        let mut lines = header.take_while(|line| !line.trim_ascii().is_empty());
        let subject = lines.find_map(|line| {
            let (name, value) = line.split_at_checked("Subject:".len())?;
            name.eq_ignore_ascii_case(b"Subject:").then_some(value)
        });
        let printable = |octet: &u8| match octet {
            0x20..=0x7e => char::from(*octet),
            _ => '?',
        };
        let value = subject.unwrap_or_default().trim_ascii();
        value.iter().map(printable).collect()
    }
}

/// Takes the octets behind DATA until the line with the single dot.
#[derive(Debug, Default)]
pub(super) struct Unstuffer(TextPosition);

#[derive(Clone, Copy, Debug, Default)]
enum TextPosition {
    #[default]
    LineStart,
    /// Behind a dot that began a line; it is not text.
    Dot,
    /// Behind such a dot and a CR.
    DotReturn,
    Text,
    /// Behind a CR in the text.
    Return,
}

/// How far [`Unstuffer::feed`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fed {
    /// All octets were text; more is to come.
    All,
    /// The text ended with so many octets.
    EndedAfter(usize),
}

impl Unstuffer {
    /// Takes the next octets, however they are cut.
    pub(super) fn feed(&mut self, octets: &[u8], content: &mut MailContent) -> Fed {
        let mut rest = octets;
        while let Some((&octet, behind)) = rest.split_first() {
            if let TextPosition::Text = self.0 {
                // The long way of a mail's body in one step.
                let run = rest.iter().position(|o| *o == b'\r').unwrap_or(rest.len());
                let (text, return_on) = rest.split_at(run);
                content.push(text);
                rest = return_on;
                if let Some((cr, behind)) = return_on.split_at_checked(1) {
                    content.push(cr);
                    rest = behind;
                    self.0 = TextPosition::Return;
                }
                continue;
            }
            rest = behind;
            self.0 = match (self.0, octet) {
                (TextPosition::LineStart, b'.') => TextPosition::Dot,
                (TextPosition::Dot, b'\r') => TextPosition::DotReturn,
                (TextPosition::DotReturn, b'\n') => {
                    return Fed::EndedAfter(octets.len() - rest.len());
                }
                (before, _) => {
                    if let TextPosition::DotReturn = before {
                        content.push(b"\r");
                    }
                    content.push(&[octet]);
                    match (before, octet) {
                        (_, b'\r') => TextPosition::Return,
                        (TextPosition::Return, b'\n') => TextPosition::LineStart,
                        _ => TextPosition::Text,
                    }
                }
            };
        }
        Fed::All
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `octets` in pieces of `size` and gives the text's start, its octets and what was left.
    fn feed(octets: &[u8], size: usize) -> (Vec<u8>, Option<usize>) {
        let (mut unstuffer, mut content) = (Unstuffer::default(), MailContent::default());
        let mut taken = 0;
        for piece in octets.chunks(size) {
            match unstuffer.feed(piece, &mut content) {
                Fed::All => taken += piece.len(),
                Fed::EndedAfter(used) => return (content.head, Some(taken + used)),
            }
        }
        (content.head, None)
    }

    #[track_caller]
    fn check(sent: &str, text: &str, left: &str) {
        for size in 1..=sent.len() {
            let (head, end) = feed(sent.as_bytes(), size);
            assert_eq!(head, text.as_bytes(), "in pieces of {size}");
            assert_eq!(&sent[end.unwrap()..], left, "in pieces of {size}");
        }
    }

    #[test]
    fn dots_are_unstuffed_and_the_text_ends_at_its_dot_however_it_is_cut() {
        check(
            "a\r\n..b\r\n...\r\nc..d\r\n.\r\nQUIT",
            "a\r\n.b\r\n..\r\nc..d\r\n",
            "QUIT",
        );
        check(".\r\n", "", "");
        check("..\r\n.\r\n", ".\r\n", "");
        check("\r\r\n.\r\n", "\r\r\n", "");
    }

    #[test]
    fn a_bare_line_feed_or_return_ends_nothing() {
        check("a\n.\nb\n.\r\nc\r\n.\r\n", "a\n.\nb\n.\r\nc\r\n", "");
        check("a\r\n.\rb\r\n.\r\n", "a\r\n\rb\r\n", "");
        check("a\r.\r\n.\r\n", "a\r.\r\n", "");
        assert_eq!(feed(b"a\r\n.", 1).1, None);
    }

    #[test]
    fn the_subject_is_found_in_the_header_only() {
        let subject = |text: &str| {
            let mut content = MailContent::default();
            content.push(text.as_bytes());
            content.subject()
        };
        assert_eq!(subject("From: a\r\nSUBJECT:  hi\x1b \r\n\r\nx"), "hi?");
        assert_eq!(subject("From: a\r\n\r\nSubject: no\r\n"), "");
        assert_eq!(subject(""), "");
    }
}
