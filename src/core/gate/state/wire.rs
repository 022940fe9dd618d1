//! wire - numbers to octets and back, for the snapshot and the journal
//!
//! Little-endian, nothing aligned, nothing assumed: a reader at the end of its octets says none.
//! Not here: what the numbers mean (`image`, `journal`).

use crate::moment::Moment;

pub(in crate::gate) struct Writer(Vec<u8>);

impl Writer {
    pub(in crate::gate) fn with_capacity(octets: usize) -> Self {
        Self(Vec::with_capacity(octets))
    }

    pub(in crate::gate) fn u8(&mut self, number: u8) {
        self.0.push(number);
    }

    pub(in crate::gate) fn u32(&mut self, number: u32) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    pub(in crate::gate) fn u64(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    pub(in crate::gate) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(in crate::gate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(in crate::gate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

pub(in crate::gate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(in crate::gate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(in crate::gate) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(in crate::gate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(in crate::gate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(in crate::gate) fn moment(&mut self) -> Option<Moment> {
        self.u64().map(Moment::from_nanos)
    }

    /// The next `octets` octets.
    pub(in crate::gate) fn bytes(&mut self, octets: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(octets)?;
        self.0 = rest;
        Some(head)
    }

    pub(in crate::gate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }
}
