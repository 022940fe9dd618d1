//! store - what we keep over a restart: the gate's snapshot, its journal, and the key of user names
//!
//! [`Store`] owns one state directory: nobody else may, a lock sees to that. It frames, checks and
//! syncs octets; what they mean is the gate's business (`gate::image`).
//! Not here: when to save (`server`). No database: the table is soft, and bans have a journal.
//!
//! A damaged file never stops the start: it is set aside under another name, and told.

use std::io;
use std::path::{Path, PathBuf};

pub mod frame;
pub mod journal;
pub mod key;
pub mod lock;
mod private;
pub mod snapshot;

use journal::Journal;
use key::{KeyFile, StateKeys};
use lock::Lock;

/// Where the state is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The state directory, ours alone.
    pub directory: PathBuf,
}

/// Why the state cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreFault {
    /// Another process holds the directory.
    #[error("{0} is in use by another gatepost: one process a state directory")]
    Locked(PathBuf),
    /// The file system refused.
    #[error("{doing} {path}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl StoreFault {
    pub(in crate::store) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            doing,
            path,
            source,
        }
    }
}

/// A file that made no sense, and the name under which it waits for its reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// Where it lies now.
    pub path: PathBuf,
    /// What was wrong with it.
    pub why: String,
}

/// A record of the journal: the gate's octets.
pub type Record = Box<[u8]>;

/// What an earlier process left.
#[derive(Debug)]
pub struct Kept {
    /// The secrets that the state was made with.
    pub keys: StateKeys,
    /// The gate's last image.
    pub image: Option<Vec<u8>>,
    /// The records of the journal since then, oldest first.
    pub journal: Vec<Record>,
    /// Files that made no sense.
    pub set_aside: Vec<SetAside>,
}

/// One state directory, locked.
#[derive(Debug)]
pub struct Store {
    directory: PathBuf,
    journal: Journal,
    key_file: KeyFile,
    _lock: Lock,
}

impl Store {
    /// Locks the directory, making it (mode 0700) where it is missing, and reads what it holds.
    ///
    /// # Errors
    ///
    /// [`StoreFault::Locked`] when another process has it; [`StoreFault::Io`] when it cannot be
    /// made or read. A read-only or full disk is no error here but in [`Store::append`] and [`Store::save`].
    pub fn open(settings: &Settings) -> Result<(Self, Kept), StoreFault> {
        let directory = settings.directory.clone();
        lock::make_directory(&directory)?;
        let lock = Lock::take(&directory)?;
        let mut set_aside = Vec::new();
        let key_file = KeyFile::load_or_make(&directory, &mut set_aside)?;
        let image = snapshot::read(&directory, &mut set_aside)?;
        let (journal, records) = Journal::open(&directory, &mut set_aside)?;
        let kept = Kept {
            keys: key_file.keys,
            image,
            journal: records,
            set_aside,
        };
        Ok((
            Self {
                directory,
                journal,
                key_file,
                _lock: lock,
            },
            kept,
        ))
    }

    /// Writes records to the journal. They survive the process at once, the machine after
    /// [`Store::sync`].
    ///
    /// # Errors
    ///
    /// When the file system refuses; nothing half written is ever read back.
    pub fn append<'a>(
        &mut self,
        records: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<(), StoreFault> {
        self.journal.append(records)
    }

    /// Brings the journal to the disk.
    ///
    /// # Errors
    ///
    /// When the file system refuses.
    pub fn sync(&mut self) -> Result<(), StoreFault> {
        self.journal.sync()
    }

    /// Saves an image of the gate, all in one: for a start and a stop, when nobody waits for the journal.
    ///
    /// # Errors
    ///
    /// When the file system refuses; the earlier image and all journals then stay.
    pub fn save(&mut self, image: impl FnOnce() -> Vec<u8>) -> Result<(), StoreFault> {
        let saved = self.begin_save()?.write(&image())?;
        self.finish_save(saved);
        Ok(())
    }

    /// Switches the journal. An image made after this call, given to [`Saving::write`] on any thread, covers
    /// all that was appended before it; the journal goes on meanwhile.
    ///
    /// # Errors
    ///
    /// When the file system refuses to sync the journal, or the key that could not be written at the start.
    pub fn begin_save(&mut self) -> Result<Saving, StoreFault> {
        self.key_file.keep(&self.directory)?;
        self.journal.switch()?;
        Ok(Saving {
            directory: self.directory.clone(),
            covers: self.journal.number(),
        })
    }

    /// Removes the journals that a written image covers.
    pub fn finish_save(&mut self, saved: Saved) {
        self.journal.remove_before(saved.0);
    }

    /// Sets the snapshot aside after all: its frame was whole, its contents made no sense to the gate.
    ///
    /// # Errors
    ///
    /// When the file system refuses.
    pub fn set_snapshot_aside(&self, why: &str) -> Result<SetAside, StoreFault> {
        set_aside(&snapshot::path(&self.directory), why)
    }
}

/// A snapshot to be written.
#[derive(Debug)]
#[must_use]
pub struct Saving {
    directory: PathBuf,
    covers: u64,
}

/// A snapshot that is on disk, and the number of the first journal that it does not cover.
#[derive(Debug)]
#[must_use]
pub struct Saved(u64);

impl Saving {
    /// Replaces the snapshot by `image`, synced.
    ///
    /// # Errors
    ///
    /// When the file system refuses; the earlier snapshot then stays.
    pub fn write(self, image: &[u8]) -> Result<Saved, StoreFault> {
        snapshot::write(&self.directory, image)?;
        Ok(Saved(self.covers))
    }
}

/// Renames `path` to the first free `path.damaged-N`.
pub(in crate::store) fn set_aside(path: &Path, why: &str) -> Result<SetAside, StoreFault> {
    const KEPT: u32 = 100;
    let candidate = |n: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".damaged-{n}"));
        PathBuf::from(name)
    };
    // When a hundred are there already, the last one is overwritten: the disk has an end.
    let target = (1..KEPT)
        .map(candidate)
        .find(|to| !to.exists())
        .unwrap_or_else(|| candidate(KEPT));
    std::fs::rename(path, &target).map_err(StoreFault::io("setting aside", path))?;
    Ok(SetAside {
        path: target,
        why: why.to_owned(),
    })
}

#[cfg(test)]
mod tests;
