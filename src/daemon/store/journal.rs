//! journal - records that must not wait for the next snapshot, appended one by one
//!
//! Files `journal.N`, one frame a record. A snapshot switches to the next N and removes the older
//! ones once it is on disk; a start reads all that are there, in order, and goes on in a new one. Replaying a
//! record twice must be harmless: the gate's records are absolute (`gate::image`).
//! A process killed in the middle of a write leaves half a frame at the end: dropped, no damage.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::frame::{self, Frame};
use super::{Record, SetAside, StoreFault, private, set_aside};

/// The journal being written, and its elders that no snapshot covers yet.
#[derive(Debug)]
pub(in crate::store) struct Journal {
    directory: PathBuf,
    number: u64,
    /// Opened by the first record: a start on a read-only disk must not fail.
    file: Option<File>,
    /// Octets of whole records in `file`: where a failed write is cut off.
    length: u64,
    elders: Vec<(u64, PathBuf)>,
}

impl Journal {
    /// Reads every journal in the directory, oldest first.
    pub(in crate::store) fn open(
        directory: &Path,
        aside: &mut Vec<SetAside>,
    ) -> Result<(Self, Vec<Record>), StoreFault> {
        let mut found = list(directory)?;
        found.sort_unstable();
        let number = found.last().map_or(1, |(number, _)| number + 1);
        let mut records = Vec::new();
        let mut elders = Vec::new();
        for (elder, path) in found {
            let octets = std::fs::read(&path).map_err(StoreFault::io("reading", &path))?;
            if read_records(&octets, &mut records) {
                elders.push((elder, path));
            } else {
                aside.push(set_aside(
                    &path,
                    "its first record is damaged: it is no journal",
                )?);
            }
        }
        let directory = directory.to_owned();
        Ok((
            Self {
                directory,
                number,
                file: None,
                length: 0,
                elders,
            },
            records,
        ))
    }

    /// Appends records with one write.
    pub(in crate::store) fn append<'a>(
        &mut self,
        records: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<(), StoreFault> {
        let mut octets = Vec::new();
        for record in records {
            frame::push(&mut octets, record);
        }
        if octets.is_empty() {
            return Ok(());
        }
        let path = self.path();
        let file = match &mut self.file {
            Some(file) => file,
            vacant => vacant.insert(create(&path)?),
        };
        if let Err(error) = file.write_all(&octets) {
            // Half a record in the middle would hide all that come after it.
            let _ = file.set_len(self.length);
            return Err(StoreFault::io("appending to", &path)(error));
        }
        self.length += octets.len() as u64;
        Ok(())
    }

    /// Brings what was appended to the disk.
    pub(in crate::store) fn sync(&mut self) -> Result<(), StoreFault> {
        let path = self.path();
        match &self.file {
            Some(file) => file.sync_data().map_err(StoreFault::io("syncing", &path)),
            None => Ok(()),
        }
    }

    /// Goes on in the next file: the coming snapshot covers all older ones.
    pub(in crate::store) fn switch(&mut self) -> Result<(), StoreFault> {
        self.sync()?;
        if self.file.take().is_some() {
            self.elders.push((self.number, self.path()));
            self.number += 1;
            self.length = 0;
        }
        Ok(())
    }

    /// The number of the journal that the next record goes to.
    pub(in crate::store) fn number(&self) -> u64 {
        self.number
    }

    /// Removes the files before `number`: a snapshot on disk covers them. One that stays is read again
    /// at the next start: harmless.
    pub(in crate::store) fn remove_before(&mut self, number: u64) {
        self.elders.retain(|(elder, path)| {
            let covered = *elder < number;
            if covered {
                let _ = std::fs::remove_file(path);
            }
            !covered
        });
    }

    fn path(&self) -> PathBuf {
        self.directory.join(format!("journal.{}", self.number))
    }
}

fn create(path: &Path) -> Result<File, StoreFault> {
    private::open(OpenOptions::new().append(true), path)
}

fn list(directory: &Path) -> Result<Vec<(u64, PathBuf)>, StoreFault> {
    let fault = || StoreFault::io("listing", directory);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(fault())? {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(fault()(error)),
        };
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("journal."));
        if let Some(number) = number.and_then(|digits| digits.parse().ok()) {
            found.push((number, entry.path()));
        }
    }
    Ok(found)
}

/// Takes the whole records from the beginning; says whether this was a journal at all.
fn read_records(mut octets: &[u8], records: &mut Vec<Record>) -> bool {
    let all = octets;
    loop {
        match frame::first(octets) {
            Frame::Whole(payload, rest) => {
                records.push(payload.into());
                octets = rest;
            }
            Frame::End => return true,
            Frame::Damaged => return octets.len() < all.len() || all.len() < 64,
        }
    }
}
