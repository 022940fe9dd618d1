//! directory - the state directory, held open and locked; every file in it is reached through it
//!
//! The lock is on the directory itself, so it works on a disk that is full or read-only, leaves no file behind
//! and goes with the process, however that ends. flock(2).
//! No name in it is trusted: nothing is followed, what is made is new and ours alone, a temporary name cannot be
//! foreseen, and what is read is a regular file of a length that its kind may have.
//! Not here: with which user's rights (`owner`), what the names mean (`find`), what is written (`replace`, `journal`).

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{
    AtFlags, Dir, FlockOperation, Mode, OFlags, flock, fstat, linkat, openat, renameat, stat,
    statat, unlinkat,
};
use rustix::io::Errno;

use super::StoreFault;
use super::note::{FileNote, FileStamp, OctetSum, SummedFile};
use super::random::random;
use crate::files;
use crate::owner::{self, Owner};

/// Behind the name of a file that is not whole yet; then comes what nobody can foresee.
pub(in crate::store) const TEMPORARY: &str = ".new-";

/// Octets that are read at once to be summed.
const PIECE: usize = 1 << 16;

/// A state directory, ours as long as this lives.
#[derive(Debug)]
pub(in crate::store) struct Directory {
    path: PathBuf,
    handle: OwnedFd,
    owner: Owner,
    /// Device and number: the same directory, whatever its name.
    identity: (u64, u64),
    /// The files that were found at the start, read or made here, by their names.
    ours: Mutex<HashMap<String, FileNote>>,
}

impl Directory {
    /// Opens and locks the directory, making it for its owner alone where it is missing.
    pub(in crate::store) fn open(path: &Path) -> Result<Self, StoreFault> {
        let io = || StoreFault::io("opening", path);
        let (handle, owner) = owner::open_directory(path, Mode::RWXU).map_err(io())?;
        match flock(&handle, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(StoreFault::Locked(path.to_owned())),
            Err(errno) => return Err(StoreFault::io("locking", path)(errno.into())),
        }
        let stat = fstat(&handle).map_err(|errno| io()(errno.into()))?;
        Ok(Self {
            path: path.to_owned(),
            handle,
            owner,
            identity: (stat.st_dev, stat.st_ino),
            ours: Mutex::default(),
        })
    }

    /// Whether its name still leads to it: it was neither removed nor replaced.
    pub(in crate::store) fn is_in_place(&self) -> bool {
        stat(&self.path).is_ok_and(|stat| (stat.st_dev, stat.st_ino) == self.identity)
    }

    /// Where it is.
    pub(in crate::store) fn path(&self) -> &Path {
        &self.path
    }

    /// The names in it that are UTF-8: all of ours are.
    pub(in crate::store) fn names(&self) -> Result<Vec<String>, StoreFault> {
        let list = || {
            let mut names = Vec::new();
            for entry in Dir::read_from(&self.handle)? {
                let name = entry?.file_name().to_owned();
                names.extend(
                    name.into_string()
                        .ok()
                        .filter(|name| name != "." && name != ".."),
                );
            }
            names.sort();
            Ok(names)
        };
        self.owner
            .act(list)
            .map_err(StoreFault::io("listing", &self.path))
    }

    /// Whether anything has this name.
    pub(in crate::store) fn has(&self, name: &str) -> bool {
        statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// Whether this name leads to the file that is open here.
    pub(in crate::store) fn leads_to(&self, name: &str, file: &File) -> bool {
        let named = statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW);
        let open = fstat(file);
        matches!((named, open), (Ok(named), Ok(open))
            if (named.st_dev, named.st_ino) == (open.st_dev, open.st_ino))
    }

    /// Whether something has this name that is not what was read or written here under it.
    pub(in crate::store) fn is_foreign(&self, name: &str) -> bool {
        self.is_foreign_to(&mut self.lock(), name)
    }

    fn is_foreign_to(&self, ours: &mut HashMap<String, FileNote>, name: &str) -> bool {
        let Ok(stat) = statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW) else {
            return false;
        };
        let stamp = FileStamp::of(&stat);
        let Some(note) = ours.get_mut(name) else {
            return true;
        };
        if note.stamp == stamp {
            return false;
        }
        let sum = note
            .sum
            .as_ref()
            .filter(|_| note.stamp.length == stamp.length);
        let is_same = sum.is_some_and(|ours| self.sum(name).is_ok_and(|sum| ours.is_same(&sum)));
        if is_same {
            note.stamp = stamp;
        }
        !is_same
    }

    /// The sum over the octets of a file.
    fn sum(&self, name: &str) -> io::Result<OctetSum> {
        self.owner.act(|| {
            let mut file = self.open_file(name)?;
            let (mut sum, mut piece) = (OctetSum::new(), vec![0; PIECE]);
            loop {
                match file.read(&mut piece)? {
                    0 => return Ok(sum),
                    length => sum.add(piece.get(..length).unwrap_or_default()),
                }
            }
        })
    }

    /// The names under which files of ours were last.
    pub(in crate::store) fn own_names(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    /// Takes what has this name for ours: nobody else wrote here before us, and it need not be read.
    pub(in crate::store) fn own(&self, name: &str) {
        if let Ok(stat) = statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW) {
            self.note(name, FileStamp::of(&stat), None);
        }
    }

    /// Notes that octets were appended to a file of ours, whose sum they have joined. Where it has become longer than by them,
    /// somebody else has written into it.
    pub(in crate::store) fn own_appended(&self, name: &str, file: &File, octets: &[u8]) {
        let mut ours = self.lock();
        let (Ok(stat), Some(note)) = (fstat(file), ours.get_mut(name)) else {
            return;
        };
        let stamp = FileStamp::of(&stat);
        let expected = note.stamp.length.saturating_add(octets.len() as u64);
        if stamp.length == expected {
            note.stamp = stamp;
            if let Some(sum) = &mut note.sum {
                sum.add(octets);
            }
        }
    }

    /// Notes what has become of a file of ours that did not take what was appended.
    pub(in crate::store) fn own_as_it_is(&self, name: &str, file: &File) {
        if let Ok(stat) = fstat(file) {
            self.note(name, FileStamp::of(&stat), None);
        }
    }

    fn note(&self, name: &str, stamp: FileStamp, sum: Option<OctetSum>) {
        self.lock().insert(name.to_owned(), FileNote { stamp, sum });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, FileNote>> {
        self.ours.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this is a further name of somebody's file, which we neither made nor were given a copy of.
    pub(in crate::store) fn is_further_name(&self, name: &str) -> bool {
        let stat = statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW);
        stat.is_ok_and(|stat| stat.st_nlink > 1)
    }

    /// Reads a regular file of at most `longest` octets.
    pub(in crate::store) fn read(&self, name: &str, longest: u64) -> io::Result<Vec<u8>> {
        self.owner.act(|| {
            let file = self.open_file(name)?;
            // Looked at before it is read: what is written into it meanwhile is not ours.
            let stamp = FileStamp::of(&fstat(&file)?);
            let octets = files::read_all(file, longest)?;
            self.note(name, stamp, Some(OctetSum::of(&octets)));
            Ok(octets)
        })
    }

    /// Opens a regular file for reading.
    fn open_file(&self, name: &str) -> io::Result<File> {
        let flags = files::READING | OFlags::NOFOLLOW;
        match openat(&self.handle, name, flags, Mode::empty()) {
            Err(Errno::LOOP) => Err(not_a_file("a symbolic link")),
            Err(Errno::NXIO) => Err(not_a_file("a socket or a device")),
            opened => files::regular(opened?),
        }
    }

    /// Makes a file (mode 0600) that was not there before.
    pub(in crate::store) fn create(&self, name: &str, flags: OFlags) -> Result<File, StoreFault> {
        let new =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = self.owner.act(|| {
            let mode = Mode::RUSR | Mode::WUSR;
            Ok(openat(&self.handle, name, new | flags, mode)?)
        });
        let file = made
            .map(File::from)
            .map_err(StoreFault::io("making", &self.path.join(name)))?;
        if let Ok(stat) = fstat(&file) {
            self.note(name, FileStamp::of(&stat), Some(OctetSum::new()));
        }
        Ok(file)
    }

    /// A new file under a name that nobody can foresee, and the name.
    pub(in crate::store) fn create_temporary(
        &self,
        name: &str,
    ) -> Result<(File, String), StoreFault> {
        let name = format!("{name}{TEMPORARY}{:032x}", u128::from_ne_bytes(random()));
        Ok((self.create(&name, OFlags::empty())?, name))
    }

    /// Puts what is called `from` in the place of `to`, whatever either is.
    pub(in crate::store) fn rename(&self, from: &str, to: &str) -> Result<(), StoreFault> {
        self.rename_among(&mut self.lock(), from, to)
    }

    fn rename_among(
        &self,
        ours: &mut HashMap<String, FileNote>,
        from: &str,
        to: &str,
    ) -> Result<(), StoreFault> {
        let renamed = self
            .owner
            .act(|| Ok(renameat(&self.handle, from, &self.handle, to)?));
        if renamed.is_ok() {
            match ours.remove(from) {
                Some(note) => ours.insert(to.to_owned(), note),
                None => ours.remove(to),
            };
        }
        renamed.map_err(StoreFault::io("renaming", &self.path.join(from)))
    }

    /// Puts a file that was written under the name `from` in the place of a file of ours, or where there is none.
    ///
    /// # Errors
    ///
    /// [`StoreFault::Foreign`] where a file of another state stands there.
    pub(in crate::store) fn put(
        &self,
        written: SummedFile,
        from: &str,
        to: &str,
    ) -> Result<(), StoreFault> {
        // Held until name and note agree: a snapshot is replaced beside those who look whether it is ours.
        let mut ours = self.lock();
        if self.is_foreign_to(&mut ours, to) {
            return Err(StoreFault::Foreign(self.path.join(to)));
        }
        self.rename_among(&mut ours, from, to)?;
        let SummedFile { file, sum } = written;
        if let Ok(stat) = fstat(file) {
            let stamp = FileStamp::of(&stat);
            let sum = Some(sum);
            ours.insert(to.to_owned(), FileNote { stamp, sum });
        }
        Ok(())
    }

    /// Gives a file a second name.
    pub(in crate::store) fn link(&self, from: &str, to: &str) -> Result<(), StoreFault> {
        let linked = self.owner.act(|| {
            Ok(linkat(
                &self.handle,
                from,
                &self.handle,
                to,
                AtFlags::empty(),
            )?)
        });
        linked.map_err(StoreFault::io("keeping a copy of", &self.path.join(from)))
    }

    /// Removes a file.
    pub(in crate::store) fn remove(&self, name: &str) -> Result<(), StoreFault> {
        let removed = self
            .owner
            .act(|| Ok(unlinkat(&self.handle, name, AtFlags::empty())?));
        self.lock().remove(name);
        removed.map_err(StoreFault::io("removing", &self.path.join(name)))
    }

    /// Brings the names in it to the disk.
    pub(in crate::store) fn sync(&self) -> Result<(), StoreFault> {
        let synced = rustix::fs::fsync(&self.handle).map_err(io::Error::from);
        synced.map_err(StoreFault::io("syncing", &self.path))
    }
}

fn not_a_file(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, format!("it is {what}, not a file"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_was_not_there_before() {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::open(folder.path()).unwrap();
        let (_, first) = directory.create_temporary("known").unwrap();
        let (_, second) = directory.create_temporary("known").unwrap();
        assert_ne!(first, second, "nobody can foresee it");
        assert!(directory.create("changes.1", OFlags::APPEND).is_ok());
        assert!(directory.create("changes.1", OFlags::APPEND).is_err());
        std::os::unix::fs::symlink("elsewhere", folder.path().join("changes.2")).unwrap();
        assert!(directory.create("changes.2", OFlags::APPEND).is_err());
        assert!(!folder.path().join("elsewhere").exists());
    }
}
