//! frame - records in frames that are found again behind damage, for snapshots and journals
//!
//! A file is a line that names it and its version, then frames. A frame is a head of 16 octets
//! (mark, kind of record, 0 in version 2 and the version in later ones, octets of one record, octets of all, CRC-32 of what stands
//! before and behind it) and whole records of one kind, one after the other. Numbers are
//! little-endian. A section of any length is as many frames as it needs, so that no table is too
//! large for the format, nothing is held in memory twice, and damage costs one frame of one section.
//! Not here: what a record says (`record`), files (the daemon's `store`).

use std::io::{self, Write};

use bytes::{Buf, BufMut};

/// What every frame begins with. The first octet occurs in no text.
const MARK: [u8; 4] = [0xf7, b'g', b'p', b'\n'];

/// The octets before the records.
const HEAD: usize = 16;

/// Octets of records in a frame that we write: what damage to one octet costs at most, and no more than the
/// smallest damage of a disk, which is a block.
pub(in crate::gate) const LONGEST: usize = 4096 - HEAD;

/// Octets of records in a frame that we read: room for a version that writes longer ones.
const LONGEST_READ: usize = 1 << 20;

/// The last frame of a snapshot: the number of records before it, as a `u64`.
const END: u8 = 0xff;

/// A kind of record: its number in the files, and how many octets one has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) struct Section {
    pub(in crate::gate) number: u8,
    pub(in crate::gate) size: u16,
}

/// A sound frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) struct Frame<'a> {
    pub(in crate::gate) section: Section,
    octets: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Its records, each as long as the writer made them: at least as long as this version's.
    pub(in crate::gate) fn records(self) -> impl Iterator<Item = &'a [u8]> {
        self.octets.chunks_exact(usize::from(self.section.size))
    }

    pub(in crate::gate) fn len(self) -> usize {
        self.octets.len() / usize::from(self.section.size)
    }
}

/// What stands next in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) enum Item<'a> {
    Frame(Frame<'a>),
    /// So many octets that are no sound frame; a sound one follows, or the end.
    Damage(usize),
    /// The beginning of a frame at the end of the file: its writer was killed or failed.
    Torn,
    /// The last frame of a snapshot is sound, and says that there were so many records.
    End(u64),
}

/// Goes through the frames in `octets`, over damaged ones to the next that is sound.
pub(in crate::gate) struct Frames<'a>(pub(in crate::gate) &'a [u8]);

impl<'a> Iterator for Frames<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        if self.0.is_empty() {
            return None;
        }
        if let Some((frame, rest)) = sound(self.0) {
            self.0 = rest;
            return Some(match frame.section.number {
                END => Item::End(count(frame.octets)),
                _ => Item::Frame(frame),
            });
        }
        match next_sound(self.0) {
            Some(rest) => {
                let damaged = self.0.len() - rest.len();
                self.0 = rest;
                Some(Item::Damage(damaged))
            }
            None => {
                let last = std::mem::take(&mut self.0);
                Some(match is_torn(last) {
                    true => Item::Torn,
                    false => Item::Damage(last.len()),
                })
            }
        }
    }
}

/// Writes a snapshot: records section by section, each into a frame that is as full as can be.
pub(in crate::gate) struct Sections<W: Write> {
    out: W,
    section: Section,
    records: Vec<u8>,
    written: u64,
}

impl<W: Write> Sections<W> {
    /// A snapshot that begins with this line.
    pub(in crate::gate) fn begin(mut out: W, line: &str) -> io::Result<Self> {
        out.write_all(line.as_bytes())?;
        Ok(Self {
            out,
            section: Section { number: 0, size: 1 },
            records: Vec::with_capacity(LONGEST),
            written: 0,
        })
    }

    /// Adds one record, which `write` must make exactly as long as the section says.
    pub(in crate::gate) fn add(
        &mut self,
        section: Section,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> io::Result<()> {
        let size = usize::from(section.size);
        if self.section != section || self.records.len() + size > LONGEST {
            self.flush()?;
            self.section = section;
        }
        let before = self.records.len();
        write(&mut self.records);
        if self.records.len() != before + size {
            self.records.truncate(before);
            let why = format!(
                "a record of kind {} is not {size} octets long",
                section.number
            );
            return Err(io::Error::other(why));
        }
        self.written += 1;
        Ok(())
    }

    /// Writes what is left, and the end, by which a reader knows that nothing is missing.
    pub(in crate::gate) fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        let end = Section {
            number: END,
            size: 8,
        };
        self.records.put_u64_le(self.written);
        self.out.write_all(&head(end, &self.records))?;
        self.out.write_all(&self.records)?;
        self.out.flush()
    }

    /// Ends the frame: what comes next does not share its fate.
    pub(in crate::gate) fn flush(&mut self) -> io::Result<()> {
        if !self.records.is_empty() {
            self.out.write_all(&head(self.section, &self.records))?;
            self.out.write_all(&self.records)?;
            self.records.clear();
        }
        Ok(())
    }
}

/// Appends a frame of one record to `out`: for a journal.
pub fn push(out: &mut Vec<u8>, number: u8, record: &[u8]) {
    let size = u16::try_from(record.len()).unwrap_or_default();
    // No record of ours is empty or comes near 64 KiB; a reader would pass such a frame over.
    out.extend_from_slice(&head(Section { number, size }, record));
    out.extend_from_slice(record);
}

fn head(section: Section, records: &[u8]) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    let mut to = head.as_mut_slice();
    to.put_slice(&MARK);
    to.put_u8(section.number);
    to.put_u8(0);
    to.put_u16_le(section.size);
    to.put_u32_le(u32::try_from(records.len()).unwrap_or_default());
    let checksum = checksum(&head, records);
    if let Some(end) = head.last_chunk_mut() {
        *end = checksum.to_le_bytes();
    }
    head
}

/// Of all of the head but the checksum itself, and of the records.
fn checksum(head: &[u8; HEAD], records: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(head.first_chunk::<12>().map_or(&[], <[u8; 12]>::as_slice));
    crc.update(records);
    crc.finalize()
}

/// The frame at the beginning of `octets` if it is sound, and what follows it.
fn sound(octets: &[u8]) -> Option<(Frame<'_>, &[u8])> {
    let (head, rest) = octets.split_first_chunk::<HEAD>()?;
    let (section, length, sum) = read_head(head)?;
    let (records, rest) = rest.split_at_checked(length)?;
    let frame = Frame {
        section,
        octets: records,
    };
    (checksum(head, records) == sum).then_some((frame, rest))
}

/// Section, octets and checksum, if this can be a head at all.
fn read_head(head: &[u8; HEAD]) -> Option<(Section, usize, u32)> {
    let mut from = head.as_slice().strip_prefix(&MARK)?;
    let number = from.try_get_u8().ok()?;
    let version = from.try_get_u8().ok()?;
    let size = from.try_get_u16_le().ok()?;
    let length = from.try_get_u32_le().ok()? as usize;
    let sum = from.try_get_u32_le().ok()?;
    let whole = version == 0 && size > 0 && length > 0 && length.is_multiple_of(usize::from(size));
    (whole && length <= LONGEST_READ).then_some((Section { number, size }, length, sum))
}

/// The frames behind a line that is not the one they should have: what is left of a file of this version whose
/// first octets are damaged. None: it is another version's, or nobody's.
pub(in crate::gate) fn behind_damage(octets: &[u8]) -> Option<&[u8]> {
    next_sound(octets)
}

/// What begins with the next sound frame, if there is one behind the first octet.
fn next_sound(octets: &[u8]) -> Option<&[u8]> {
    let mut rest = octets;
    loop {
        rest = rest.split_first()?.1;
        let at = rest.windows(MARK.len()).position(|four| four == MARK)?;
        rest = rest.get(at..)?;
        if sound(rest).is_some() {
            return Some(rest);
        }
    }
}

/// Whether a writer that stopped halfway could have left this.
fn is_torn(octets: &[u8]) -> bool {
    match octets.split_first_chunk::<HEAD>() {
        None => MARK.starts_with(octets) || octets.starts_with(&MARK),
        Some((head, rest)) => read_head(head).is_some_and(|(_, length, _)| rest.len() < length),
    }
}

fn count(mut octets: &[u8]) -> u64 {
    octets.try_get_u64_le().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
