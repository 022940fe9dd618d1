//! reply - SMTP replies, rendered and parsed
//!
//! One type for both directions: what we send to a client, and what Postfix sends to us. The text of a
//! reply is always printable ASCII. So nothing that Postfix put there, or a client through Postfix, can
//! end a line or send control sequences to a terminal.
//! Not here: which reply a command gets (`dialogue`), waiting for one (`net::upstream`).
//! RFC 5321 section 4.2, RFC 2034, RFC 3463.

use std::fmt;

use crate::smtp::line::{LineBuffer, LineFault};

/// The longest line of a reply that is parsed, in octets without CRLF.
pub const LINE_OCTETS: usize = 2_048;
/// The most lines of one reply that is parsed.
pub const LINES: usize = 100;
/// The most octets of one reply that is parsed, without its CRLFs.
pub const REPLY_OCTETS: usize = 64 * 1_024;

/// An enhanced status code, such as 5.7.8. RFC 3463.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EnhancedCode {
    class: u16,
    subject: u16,
    detail: u16,
}

/// One reply of one or more lines. The text is printable ASCII.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    enhanced: Option<EnhancedCode>,
    /// At least one.
    lines: Vec<String>,
}

/// Collects what Postfix sends and returns replies, within fixed bounds.
#[derive(Debug, Default)]
pub struct ReplyBuffer {
    octets: LineBuffer,
    begun: Option<PartialReply>,
}

/// A reply whose last line has not arrived.
#[derive(Debug)]
struct PartialReply {
    code: u16,
    lines: Vec<String>,
    octets: usize,
}

/// Why the octets are not a reply. The stream cannot be used after one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyFault {
    /// A line that is invalid.
    #[error("reply with a {0}")]
    Line(#[from] LineFault),
    /// A line that does not begin with a reply code.
    #[error("not an SMTP reply")]
    NotAReply,
    /// The lines of one reply carry different codes.
    #[error("the reply code changes within a reply")]
    CodeChanges,
    /// Over [`LINES`] or [`REPLY_OCTETS`].
    #[error("endless reply")]
    Endless,
}

impl EnhancedCode {
    /// The code `class.subject.detail`.
    pub const fn new(class: u16, subject: u16, detail: u16) -> Self {
        Self {
            class,
            subject,
            detail,
        }
    }

    /// Splits `5.7.8 text` into code and text; `None` unless it starts with a code of class `class`.
    fn split_from(text: &str, class: u16) -> Option<(Self, &str)> {
        let (code, text) = text.split_once(' ')?;
        let mut parts = code.split('.');
        let [a, b, c] = [parts.next()?, parts.next()?, parts.next()?];
        if parts.next().is_some() || number(a)? != class {
            return None;
        }
        Some((Self::new(class, number(b)?, number(c)?), text))
    }
}

/// One to three digits without a leading zero.
fn number(text: &str) -> Option<u16> {
    let canonical = text == "0" || !text.starts_with('0');
    let digits = text.len() <= 3 && text.bytes().all(|octet| octet.is_ascii_digit());
    (canonical && digits).then(|| text.parse().ok()).flatten()
}

impl fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

impl Reply {
    /// A reply of one line. What is not printable ASCII in `text` becomes `?`.
    pub fn new(code: u16, enhanced: Option<EnhancedCode>, text: &str) -> Self {
        Self::multiline(code, enhanced, [text])
    }

    /// A reply of several lines; without any, it has one empty line.
    pub fn multiline<'a>(
        code: u16,
        enhanced: Option<EnhancedCode>,
        lines: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let mut lines: Vec<String> = lines
            .into_iter()
            .map(|line| printable(line.as_bytes()))
            .collect();
        if lines.is_empty() {
            lines.push(String::new());
        }
        Self {
            code,
            enhanced,
            lines,
        }
    }

    /// The reply code, 200 to 599 if it was parsed.
    pub const fn code(&self) -> u16 {
        self.code
    }

    /// The enhanced status code, if every line carries the same.
    pub const fn enhanced(&self) -> Option<EnhancedCode> {
        self.enhanced
    }

    /// 4xx: a temporary failure.
    pub const fn is_transient(&self) -> bool {
        self.code / 100 == 4
    }

    /// 5xx: a permanent failure.
    pub const fn is_permanent(&self) -> bool {
        self.code / 100 == 5
    }

    /// The text of each line, without codes.
    pub fn lines(&self) -> impl ExactSizeIterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    /// The text of the first line: the challenge of a 334, the name in a 220 or 250.
    pub fn first_line(&self) -> &str {
        self.lines.first().map_or("", String::as_str)
    }

    /// Appends the reply in wire format.
    pub fn render(&self, wire: &mut Vec<u8>) {
        let last = self.lines.len().saturating_sub(1);
        for (index, line) in self.lines.iter().enumerate() {
            let separator = if index == last { ' ' } else { '-' };
            let prefix = match self.enhanced {
                Some(enhanced) => format!("{}{separator}{enhanced} ", self.code),
                None => format!("{}{separator}", self.code),
            };
            wire.extend_from_slice(prefix.as_bytes());
            wire.extend_from_slice(line.as_bytes());
            wire.extend_from_slice(b"\r\n");
        }
    }

    fn parsed(code: u16, mut lines: Vec<String>) -> Self {
        let split = |line: &String| {
            EnhancedCode::split_from(line, code / 100).map(|(code, text)| (code, text.to_owned()))
        };
        let enhanced = lines.first().and_then(split).map(|(code, _)| code);
        let texts: Option<Vec<String>> = lines
            .iter()
            .map(|line| split(line).filter(|(code, _)| Some(*code) == enhanced))
            .map(|split| split.map(|(_, text)| text))
            .collect();
        let enhanced = enhanced.filter(|_| texts.is_some());
        if let Some(texts) = texts {
            lines = texts;
        }
        Self {
            code,
            enhanced,
            lines,
        }
    }
}

/// The reply on one line, for a log.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(enhanced) = self.enhanced {
            write!(f, " {enhanced}")?;
        }
        for (index, line) in self.lines.iter().enumerate() {
            let separator = if index == 0 { " " } else { " / " };
            write!(f, "{separator}{line}")?;
        }
        Ok(())
    }
}

impl ReplyBuffer {
    /// An empty buffer.
    pub const fn new() -> Self {
        Self {
            octets: LineBuffer::new(),
            begun: None,
        }
    }

    /// Appends what was read.
    pub fn push(&mut self, octets: &[u8]) {
        self.octets.push(octets);
    }

    /// The next whole reply, or `None` until more is pushed.
    ///
    /// # Errors
    /// As soon as the octets cannot be a reply, or exceed a bound. The buffer is unusable after that.
    #[expect(clippy::should_implement_trait, reason = "an iterator ends")]
    pub fn next(&mut self) -> Result<Option<Reply>, ReplyFault> {
        while let Some(line) = self.octets.next_line(LINE_OCTETS)? {
            if let Some(reply) = self.take_line(&line)? {
                return Ok(Some(reply));
            }
        }
        if self.octets.is_overlong() {
            return Err(LineFault::TooLong.into());
        }
        Ok(None)
    }

    /// What follows the reply that was returned last, for the hand-over.
    pub fn into_rest(self) -> Vec<u8> {
        self.octets.into_rest()
    }

    /// Whether nothing is held: Postfix sent no more than one reply a command.
    pub const fn is_empty(&self) -> bool {
        self.begun.is_none() && self.octets.is_empty()
    }

    fn take_line(&mut self, line: &[u8]) -> Result<Option<Reply>, ReplyFault> {
        let (code, more, text) = split_line(line).ok_or(ReplyFault::NotAReply)?;
        let mut begun = self.begun.take().unwrap_or(PartialReply {
            code,
            lines: Vec::new(),
            octets: 0,
        });
        if begun.code != code {
            return Err(ReplyFault::CodeChanges);
        }
        begun.octets += line.len();
        begun.lines.push(printable(text));
        if begun.lines.len() > LINES || begun.octets > REPLY_OCTETS {
            return Err(ReplyFault::Endless);
        }
        match more {
            More::Follows => {
                self.begun = Some(begun);
                Ok(None)
            }
            More::Ends => Ok(Some(Reply::parsed(code, begun.lines))),
        }
    }
}

enum More {
    Follows,
    Ends,
}

/// Code, whether more lines follow, and text of one line.
fn split_line(line: &[u8]) -> Option<(u16, More, &[u8])> {
    let (code, rest) = line.split_at_checked(3)?;
    if !matches!(code, [b'2'..=b'5', b'0'..=b'9', b'0'..=b'9']) {
        return None;
    }
    let code = std::str::from_utf8(code).ok()?.parse().ok()?;
    match rest.split_first() {
        None => Some((code, More::Ends, rest)),
        Some((b' ', text)) => Some((code, More::Ends, text)),
        Some((b'-', text)) => Some((code, More::Follows, text)),
        Some(_) => None,
    }
}

/// The octets as text, with `?` for what is not printable ASCII.
fn printable(octets: &[u8]) -> String {
    octets
        .iter()
        .map(|&octet| match octet {
            b' '..=b'~' => char::from(octet),
            _ => '?',
        })
        .collect()
}

#[cfg(test)]
mod tests;
