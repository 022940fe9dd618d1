//! note - what a file of ours was when it was read or written last: one that differs now is another's
//!
//! The inode alone does not tell: `cp` writes into the file that is there, and where `tar` removes a file and makes it anew,
//! the file system may give it the number of before. So length and time of change count too, one stat(2). Owner and mode do not: an
//! administrator may set them. Where the length is the same and something else is not, the octets decide, by
//! their SHA-256: `touch` makes no file another's, nor does a file system that keeps times less exactly than it first says.
//! What stays untold is as many other octets written within one tick of the kernel's clock (4 ms) of our own write.
//! Not here: which files are looked at (`foreign`).

use std::fmt;
use std::fs::File;
use std::io::{self, Write};

use aws_lc_rs::digest::{Context, SHA256};
use rustix::fs::Stat;

/// A file of ours, as it was last.
#[derive(Debug)]
pub(in crate::store) struct FileNote {
    pub(in crate::store) stamp: FileStamp,
    /// None: it was not read.
    pub(in crate::store) sum: Option<OctetSum>,
}

/// Which file it is, how long, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct FileStamp {
    device: u64,
    inode: u64,
    pub(in crate::store) length: u64,
    changed: (i128, i128),
}

impl FileStamp {
    pub(in crate::store) fn of(stat: &Stat) -> Self {
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            length: u64::try_from(stat.st_size).unwrap_or_default(),
            changed: (i128::from(stat.st_mtime), i128::from(stat.st_mtime_nsec)),
        }
    }
}

/// The sum over octets, to which more can be added.
#[derive(Clone)]
pub(in crate::store) struct OctetSum(Context);

impl OctetSum {
    pub(in crate::store) fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    pub(in crate::store) fn of(octets: &[u8]) -> Self {
        let mut sum = Self::new();
        sum.add(octets);
        sum
    }

    pub(in crate::store) fn add(&mut self, octets: &[u8]) {
        self.0.update(octets);
    }

    pub(in crate::store) fn is_same(&self, other: &Self) -> bool {
        let [ours, theirs] = [self, other].map(|sum| sum.0.clone().finish());
        ours.as_ref() == theirs.as_ref()
    }
}

/// Tells nothing: keys are summed too.
impl fmt::Debug for OctetSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OctetSum(..)")
    }
}

/// A file that is being written, and the sum of what it has taken.
#[derive(Debug)]
pub(in crate::store) struct SummedFile {
    pub(in crate::store) file: File,
    pub(in crate::store) sum: OctetSum,
}

impl SummedFile {
    pub(in crate::store) fn new(file: File) -> Self {
        let sum = OctetSum::new();
        Self { file, sum }
    }
}

impl Write for SummedFile {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let taken = self.file.write(octets)?;
        self.sum.add(octets.get(..taken).unwrap_or_default());
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
