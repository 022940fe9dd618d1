//! line - cuts a stream of octets into lines, independent of segment boundaries
//!
//! LF ends a line, and every CR before it is cut off, as Postfix reads commands; a CR elsewhere is an octet like
//! others. Two servers that disagree about the end of a line can be made to read two different mails
//! (CVE-2023-51764): nothing read here goes to Postfix but rendered anew, and after a login nothing is read here.
//! Not here: reading a socket (`session`), what a line means (`command`, `reply`, `sasl`).
//! A session has one buffer. While it is empty it holds no heap memory. A line may be a password, so
//! octets are wiped once they have been returned.
//! RFC 5321 sections 2.3.8 and 4.5.3.1.

use std::fmt;
use std::ops::Deref;

use zeroize::{Zeroize, Zeroizing};

/// Collects octets and gives lines.
/// It holds at most one unfinished line within the limit, plus what was pushed since `next_line` last
/// returned `None`. A caller that reads only then, a bounded piece at a time, bounds the buffer.
#[derive(Default)]
pub struct LineBuffer {
    octets: Vec<u8>,
    /// Octets before this one belong to lines already returned, and are wiped.
    taken: usize,
    /// Octets before this one are known to hold no LF.
    scanned: usize,
    /// The line now arriving is too long: its octets are not stored.
    overlong: bool,
}

/// One line without its end. It may hold a password: it wipes itself, and its `Debug` shows only
/// the length.
#[derive(PartialEq, Eq)]
pub struct Line(Zeroizing<Vec<u8>>);

/// Whether octets follow the line that was returned last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Following {
    /// None yet.
    Nothing,
    /// At least one: the peer did not wait for the reply.
    Octets,
}

/// Why no line is returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// The line exceeded the limit. It was read up to its end; the next line is intact.
    #[error("line too long")]
    TooLong,
}

/// The longest ordinary end of a line, in octets: a CR more than CRLF, as some mail programs send it.
const END: usize = 3;

impl LineBuffer {
    /// An empty buffer, without heap memory.
    pub const fn new() -> Self {
        Self {
            octets: Vec::new(),
            taken: 0,
            scanned: 0,
            overlong: false,
        }
    }

    /// Appends what was read.
    pub fn push(&mut self, octets: &[u8]) {
        let spare = self.octets.capacity() - self.octets.len();
        if spare < octets.len() {
            // By hand, for `Vec` would leave the old octets behind unwiped.
            let needed = self.len() + octets.len();
            let mut grown = Vec::with_capacity(needed.next_power_of_two());
            grown.extend_from_slice(self.held());
            self.octets.zeroize();
            self.octets = grown;
            self.scanned -= self.taken;
            self.taken = 0;
        }
        self.octets.extend_from_slice(octets);
    }

    /// The next line of at most `limit` octets (its end not counted), or `None` until more is pushed.
    ///
    /// # Errors
    /// [`LineFault::TooLong`] once per line, when its end has arrived.
    pub fn next_line(&mut self, limit: usize) -> Result<Option<Line>, LineFault> {
        let unread = self.octets.get(self.scanned..).unwrap_or_default();
        let Some(offset) = unread.iter().position(|&octet| octet == b'\n') else {
            self.scanned = self.octets.len();
            // The same for every split of the octets: what is too long before its LF is too long with it.
            self.overlong |= self.len() >= limit + END;
            if self.overlong {
                self.release(self.scanned);
            }
            return Ok(None);
        };
        let end = self.scanned + offset;
        let octets = self.octets.get(self.taken..end).unwrap_or_default();
        let overlong = std::mem::take(&mut self.overlong) || octets.len() >= limit + END;
        let line = Line::new(without_returns(octets));
        self.release(end + 1);
        if overlong || line.len() > limit {
            return Err(LineFault::TooLong);
        }
        Ok(Some(line))
    }

    /// Whether the line now arriving already exceeds the limit, before its end.
    pub const fn is_overlong(&self) -> bool {
        self.overlong
    }

    /// Whether octets follow the line that was returned last.
    pub const fn following(&self) -> Following {
        if self.is_empty() {
            Following::Nothing
        } else {
            Following::Octets
        }
    }

    /// The octets held and not yet returned as a line.
    pub const fn len(&self) -> usize {
        self.octets.len() - self.taken
    }

    /// Whether no octets are held.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is held and was not returned as a line: what the client sent ahead, for the hand-over.
    pub fn into_rest(mut self) -> Vec<u8> {
        let mut octets = std::mem::take(&mut self.octets);
        octets.drain(..self.taken);
        octets
    }

    fn held(&self) -> &[u8] {
        self.octets.get(self.taken..).unwrap_or_default()
    }

    /// Wipes everything before `position`, and frees the heap memory when nothing is left.
    fn release(&mut self, position: usize) {
        if position >= self.octets.len() {
            self.octets.zeroize();
            self.octets = Vec::new();
            self.taken = 0;
            self.scanned = 0;
            return;
        }
        if let Some(octets) = self.octets.get_mut(self.taken..position) {
            octets.zeroize();
        }
        self.taken = position;
        self.scanned = position;
    }
}

/// A line without the CRs at its end.
fn without_returns(octets: &[u8]) -> &[u8] {
    let end = octets.iter().rposition(|&octet| octet != b'\r');
    octets
        .get(..end.map_or(0, |last| last + 1))
        .unwrap_or_default()
}

impl Drop for LineBuffer {
    fn drop(&mut self) {
        self.octets.zeroize();
    }
}

/// Shows how much is held, never what.
impl fmt::Debug for LineBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LineBuffer({} octets)", self.len())
    }
}

impl Line {
    fn new(octets: &[u8]) -> Self {
        Self(Zeroizing::new(octets.to_vec()))
    }
}

impl Deref for Line {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Line({} octets)", self.len())
    }
}

#[cfg(test)]
mod tests;
