//! frame - octets with a length and a checksum in front, so that half a write is seen as such
//!
//! `length: u32 LE, CRC-32 of the payload: u32 LE, payload`. Not here: what the payload means.

/// The octets before the payload.
const HEAD: usize = 8;

/// The longest payload: 1 GiB, far above an image of the largest tables that the config allows.
const LONGEST: usize = 1 << 30;

/// What stands at the beginning of some octets.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::store) enum Frame<'a> {
    /// A whole frame, and what follows it.
    Whole(&'a [u8], &'a [u8]),
    /// Nothing.
    End,
    /// Half a frame, or one whose checksum is wrong.
    Damaged,
}

/// Appends `payload` and its head to `out`.
pub(in crate::store) fn push(out: &mut Vec<u8>, payload: &[u8]) {
    debug_assert!(payload.len() <= LONGEST);
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
    out.extend_from_slice(payload);
}

/// Reads the frame at the beginning of `octets`.
pub(in crate::store) fn first(octets: &[u8]) -> Frame<'_> {
    if octets.is_empty() {
        return Frame::End;
    }
    let Some((head, rest)) = octets.split_first_chunk::<HEAD>() else {
        return Frame::Damaged;
    };
    let [a, b, c, d, e, f, g, h] = *head;
    let length = u32::from_le_bytes([a, b, c, d]) as usize;
    let checksum = u32::from_le_bytes([e, f, g, h]);
    match rest.split_at_checked(length) {
        Some((payload, rest)) if length <= LONGEST && crc32fast::hash(payload) == checksum => {
            Frame::Whole(payload, rest)
        }
        _ => Frame::Damaged,
    }
}
