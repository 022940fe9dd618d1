//! unread - the octets of a ClientHello, taken from the front
//!
//! A length that goes beyond what is there is no panic and no guess: nothing is taken.
//! Not here: what they mean (`offer`, `ja4`).
//! RFC 8446 section 3.

/// Octets that are taken from the front.
pub(super) struct Unread<'a>(pub(super) &'a [u8]);

impl<'a> Unread<'a> {
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// A number of so many octets.
    pub(super) fn number(&mut self, octets: usize) -> Option<usize> {
        let digits = self.take(octets)?;
        Some(
            digits
                .iter()
                .fold(0, |number, digit| number << 8 | usize::from(*digit)),
        )
    }

    /// What is behind a length of so many octets.
    pub(super) fn counted(&mut self, octets: usize) -> Option<&'a [u8]> {
        let length = self.number(octets)?;
        self.take(length)
    }
}

/// The numbers of two octets in a list.
pub(super) fn numbers(list: &[u8]) -> impl Iterator<Item = u16> {
    let pairs = list.chunks_exact(2);
    pairs.filter_map(|pair| Some(u16::from_be_bytes(pair.try_into().ok()?)))
}
