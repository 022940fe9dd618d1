//! journal - changes that must not wait for the next snapshot, appended as they come
//!
//! Files `changes.N`. A snapshot switches to the next N, and the older ones are removed once it is on
//! disk; a start reads all that are there, and goes on in a new one. A change that is read twice does
//! no harm.
//! Not here: what a change is in octets (`gate::state::journal`).

use std::fs::File;
use std::io::{self, Write};

use rustix::fs::OFlags;

use gatepost_core::gate::request::change::Change;
use gatepost_core::gate::state::file::JOURNAL_LINE;
use gatepost_core::gate::state::journal;

use super::StoreFault;
use super::directory::Directory;
use super::find::{CHANGES, Elder};

/// How many names are passed over that are taken.
const NAMES_TRIED: usize = 16;

/// The journal being written.
#[derive(Debug)]
pub(in crate::store) struct Journal {
    number: u64,
    /// Opened by the first record: a start on a read-only disk must not fail.
    file: Option<File>,
    /// Octets of whole records in `file`: where a failed write is cut off.
    length: u64,
}

/// What is appended to: a file, which can be cut.
trait Tail: Write {
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

impl Tail for File {
    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}

impl Journal {
    /// The journal behind the one with this number.
    pub(in crate::store) fn after(last: u64) -> Self {
        Self {
            number: last.saturating_add(1),
            file: None,
            length: 0,
        }
    }

    /// Appends changes with one write.
    pub(in crate::store) fn append(
        &mut self,
        directory: &Directory,
        changes: &[Change],
    ) -> Result<(), StoreFault> {
        let mut octets = Vec::new();
        journal::write(changes, &mut octets);
        if octets.is_empty() {
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            vacant => vacant.insert(begin(directory, &mut self.number)?),
        };
        if self.length == 0 {
            octets.splice(..0, JOURNAL_LINE.bytes());
        }
        let name = name(self.number);
        let appended = append_whole(file, self.length, &octets);
        match &appended {
            Ok(()) => {
                directory.own_appended(&name, file, &octets);
                self.length += octets.len() as u64;
            }
            Err(_) => directory.own_as_it_is(&name, file),
        }
        appended.map_err(StoreFault::io("appending to", &directory.path().join(name)))
    }

    /// Brings what was appended to the disk.
    pub(in crate::store) fn sync(&mut self, directory: &Directory) -> Result<(), StoreFault> {
        let path = directory.path().join(name(self.number));
        match &self.file {
            Some(file) => file.sync_data().map_err(StoreFault::io("syncing", &path)),
            None => Ok(()),
        }
    }

    /// Goes on in the next file; the one that the coming snapshot covers, if there is one.
    pub(in crate::store) fn switch(
        &mut self,
        directory: &Directory,
    ) -> Result<Option<Elder>, StoreFault> {
        self.sync(directory)?;
        Ok(self.end())
    }

    /// Ends the file, and goes on in the next one.
    pub(in crate::store) fn end(&mut self) -> Option<Elder> {
        if self.length == 0 {
            // None yet, or one that the disk has taken nothing into: the next record goes there.
            return None;
        }
        self.file = None;
        let elder = Elder {
            number: self.number,
            name: name(self.number),
            rename_to: None,
        };
        self.number = self.number.saturating_add(1);
        self.length = 0;
        Some(elder)
    }

    /// Whether what is appended to still has its name: it was neither removed nor replaced.
    pub(in crate::store) fn is_in_place(&self, directory: &Directory) -> bool {
        let file = self.file.as_ref();
        file.is_none_or(|file| directory.leads_to(&name(self.number), file))
    }

    /// Goes on behind all journals that a directory holds.
    pub(in crate::store) fn move_behind(&mut self, last: u64) {
        *self = Self::after(last.max(self.number));
    }

    /// The number of the journal that the next change goes to.
    pub(in crate::store) fn number(&self) -> u64 {
        self.number
    }
}

/// Makes a file. Where a file of its name came after we looked, it is not ours, and the next number is tried.
fn begin(directory: &Directory, number: &mut u64) -> Result<File, StoreFault> {
    for _ in 0..NAMES_TRIED {
        if !directory.has(&name(*number)) {
            break;
        }
        *number = number.saturating_add(1);
    }
    directory.create(&name(*number), OFlags::APPEND)
}

fn name(number: u64) -> String {
    format!("{CHANGES}{number}")
}

/// Appends all of `octets` behind `length`, or nothing: half a record would be damage to every reader.
fn append_whole(file: &mut impl Tail, length: u64, octets: &[u8]) -> io::Result<()> {
    file.write_all(octets).inspect_err(|_| {
        // That the disk refuses this too is no worse: a reader finds the next whole record.
        let _ = file.cut(length);
    })
}

#[cfg(test)]
mod tests {
    use gatepost_core::gate::request::change::{BanEnd, BanEnding, Fact, Subject};
    use gatepost_core::gate::request::client::ClientKey;
    use gatepost_core::moment::Moment;

    use super::*;

    /// A disk that is full after so many octets.
    struct Full {
        octets: Vec<u8>,
        room: usize,
    }

    impl Write for Full {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            let room = self.room - self.octets.len();
            if room == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let taken = octets.len().min(room);
            self.octets.extend_from_slice(&octets[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Tail for Full {
        fn cut(&mut self, length: u64) -> io::Result<()> {
            self.octets.truncate(length as usize);
            Ok(())
        }
    }

    #[test]
    fn half_a_record_that_cannot_be_cut_off_makes_the_file_nobody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::open(folder.path()).unwrap();
        let mut file = directory.create("changes.1", OFlags::APPEND).unwrap();
        file.write_all(b"half").unwrap();
        // Opened for reading, it takes nothing and cannot be cut.
        let mut journal = Journal {
            number: 1,
            file: File::open(folder.path().join("changes.1")).ok(),
            length: 0,
        };
        assert!(directory.is_foreign("changes.1"));
        let subject = Subject::Client(ClientKey::V4(1));
        let why = BanEnding::Lifted;
        let lifted = Fact::BanEnded(BanEnd { subject, why });
        let changes = [Change::here(Moment::from_seconds(1), lifted)];
        assert!(journal.append(&directory, &changes).is_err());
        assert!(!directory.is_foreign("changes.1"));
    }

    #[test]
    fn a_write_that_fails_halfway_leaves_no_half_record() {
        let mut disk = Full {
            octets: Vec::new(),
            room: 10,
        };
        append_whole(&mut disk, 0, b"whole").unwrap();
        assert!(append_whole(&mut disk, 5, b"too long").is_err());
        assert_eq!(disk.octets, b"whole");
        append_whole(&mut disk, 5, b"fits").unwrap();
        assert_eq!(disk.octets, b"wholefits");
    }
}
