//! scan - reading bytes from the left, each step anchored
//!
//! Not here: what the bytes mean (the parsers). A step that fails leaves the rest where it was.

use std::net::IpAddr;

/// What is left to read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scan<'a>(&'a [u8]);

impl<'a> Scan<'a> {
    /// Reads `text` from its first byte.
    pub(super) const fn new(text: &'a [u8]) -> Self {
        Self(text)
    }

    /// All that was not read.
    pub(super) const fn rest(self) -> &'a [u8] {
        self.0
    }

    /// Steps over `literal`, which must stand here.
    pub(super) fn literal(&mut self, literal: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(literal)?;
        Some(())
    }

    /// Steps over `literal` if it stands here.
    pub(super) fn skip(&mut self, literal: &[u8]) -> bool {
        self.literal(literal).is_some()
    }

    /// The bytes before the next `end`, which is stepped over.
    pub(super) fn until(&mut self, end: u8) -> Option<&'a [u8]> {
        let at = self.0.iter().position(|&byte| byte == end)?;
        let (taken, rest) = self.0.split_at_checked(at)?;
        self.0 = rest.get(1..)?;
        Some(taken)
    }

    /// The bytes before the next `end`, which is stepped over, if there are at most `most` of them.
    pub(super) fn until_within(&mut self, end: u8, most: usize) -> Option<&'a [u8]> {
        let ahead = self.0.get(..=most).unwrap_or(self.0);
        let taken = Scan::new(ahead).until(end)?;
        self.0 = self.0.get(taken.len() + 1..)?;
        Some(taken)
    }

    /// The longest run of bytes that `allowed` holds for; at least one.
    pub(super) fn run(&mut self, allowed: impl Fn(u8) -> bool) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|&byte| !allowed(byte));
        let (taken, rest) = self.0.split_at_checked(end.unwrap_or(self.0.len()))?;
        if taken.is_empty() {
            return None;
        }
        self.0 = rest;
        Some(taken)
    }

    /// Steps over one byte.
    pub(super) fn run_one(&mut self) -> Option<()> {
        self.0 = self.0.get(1..)?;
        Some(())
    }

    /// A decimal number of at most nine digits.
    pub(super) fn number(&mut self) -> Option<u32> {
        let mut ahead = *self;
        let digits = ahead.run(|byte| byte.is_ascii_digit())?;
        let value = decimal(digits)?;
        *self = ahead;
        Some(value)
    }

    /// Exactly `count` digits.
    pub(super) fn digits(&mut self, count: usize) -> Option<u32> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        let value = decimal(digits)?;
        self.0 = rest;
        Some(value)
    }

    /// An IPv4 or IPv6 address: the longest run of bytes that may stand in one.
    pub(super) fn address(&mut self) -> Option<IpAddr> {
        let mut ahead = *self;
        let text = ahead.run(|byte| byte.is_ascii_hexdigit() || byte == b'.' || byte == b':')?;
        let address = parse_address(text)?;
        *self = ahead;
        Some(address)
    }
}

/// The address that is written in `text` and nothing else.
pub(super) fn parse_address(text: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Where `needle` first stands in `hay`.
pub(super) fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    let first = *needle.first()?;
    let mut from = 0;
    loop {
        let ahead = hay.get(from..)?;
        let at = from + ahead.iter().position(|&byte| byte == first)?;
        if hay.get(at..)?.starts_with(needle) {
            return Some(at);
        }
        from = at + 1;
    }
}

/// Where `needle` last stands in `hay`.
pub(super) fn find_last(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len())
        .rposition(|window| window == needle)
}

fn decimal(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 9 {
        return None;
    }
    digits.iter().try_fold(0, |value, byte| {
        byte.is_ascii_digit()
            .then(|| value * 10 + u32::from(byte - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_fails_leaves_the_rest_where_it_was() {
        let mut scan = Scan::new(b"12ab");
        assert_eq!(scan.digits(3), None);
        assert_eq!(scan.literal(b"13"), None);
        assert_eq!(scan.until(b'!'), None);
        assert_eq!(scan.rest(), b"12ab");
        assert_eq!(scan.number(), Some(12));
        assert_eq!(scan.number(), None);
        assert_eq!(scan.run(|byte| byte == b'a'), Some(&b"a"[..]));
        assert_eq!(scan.rest(), b"b");
    }

    #[test]
    fn numbers_have_nine_digits_at_most() {
        assert_eq!(Scan::new(b"999999999").number(), Some(999_999_999));
        assert_eq!(Scan::new(b"1000000000").number(), None);
    }

    #[test]
    fn needles_are_found_at_the_first_and_the_last_place() {
        assert_eq!(find(b"aab aab", b"ab"), Some(1));
        assert_eq!(find_last(b"aab aab", b"ab"), Some(5));
        assert_eq!(find(b"aa", b"ab"), None);
        assert_eq!(find_last(b"a", b"ab"), None);
    }
}
