//! store - the files that outlive the process: snapshots, journals, and the keys of user names
//!
//! [`Store`] owns one state directory: nobody else may, a lock sees to that. It finds, replaces,
//! appends and syncs files; what stands in them is the gate's business (`gate::state`).
//! Not here: when to save (`server`). No database: the table is soft, and bans have a journal.
//!
//! | file | what |
//! |---|---|
//! | `known` | a snapshot of users, pairs and bans: hard-won, so apart from the rest |
//! | `debts` | a snapshot of buckets and strikes: soft |
//! | `changes.N` | journals: what changed since the snapshots |
//! | `keys` | the secrets under which names are hashed |
//! | `snapshot`, `journal.N` | what the first format left; read, and replaced by the next save |
//! | `FILE.version-N` | a file that another version wrote: kept until one comes that reads it |
//! | `FILE.damaged-N` | a file that makes no sense, for a person to look at |
//!
//! Nothing that is found in the directory stops the start.

use std::io;
use std::path::{Path, PathBuf};

use gatepost_core::gate::Gate;
use gatepost_core::gate::request::change::Change;
use gatepost_core::gate::state::file::Soundness;
use gatepost_core::moment::Moment;

pub mod key;

mod find;
mod journal;
mod lock;
mod private;
mod replace;

pub use find::{Content, FoundFile, PastState};

use find::Elder;
use journal::Journal;
use key::{KeyFile, StateKeys};
use lock::Lock;

/// Where the state is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSettings {
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

/// A file that could not be read, and the name under which it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// Where it is now.
    pub path: PathBuf,
    /// What was wrong with it.
    pub why: String,
}

/// What an earlier process left.
#[derive(Debug)]
pub struct EarlierState {
    /// The secrets that the state was made with.
    pub keys: StateKeys,
    /// The keys, if they could not be read: then no user is known by name any more.
    pub keys_set_aside: Option<SetAside>,
    /// Snapshots and journals.
    pub files: Vec<FoundFile>,
    /// Whether an earlier process saved anything at all, readable or not.
    pub past: PastState,
    /// Files that another version wrote, and that wait for it.
    pub waiting: Vec<PathBuf>,
}

/// One state directory, locked.
#[derive(Debug)]
pub struct Store {
    directory: PathBuf,
    journal: Journal,
    key_file: KeyFile,
    /// What earlier processes left, until a snapshot holds it.
    elders: Vec<Elder>,
    _lock: Lock,
}

impl Store {
    /// Locks the directory, making it (mode 0700) where it is missing, and reads what it holds.
    ///
    /// # Errors
    ///
    /// [`StoreFault::Locked`] when another process has it; [`StoreFault::Io`] when it cannot be
    /// made or read. A read-only or full disk is no error here but in [`Store::append`] and [`Store::save`].
    pub fn open(settings: &StoreSettings) -> Result<(Self, EarlierState), StoreFault> {
        let directory = settings.directory.clone();
        lock::make_directory(&directory)?;
        let lock = Lock::take(&directory)?;
        let (key_file, keys_set_aside) = KeyFile::load_or_make(&directory)?;
        let found = find::find(&directory)?;
        let left = EarlierState {
            keys: key_file.keys,
            keys_set_aside,
            files: found.files,
            past: found.past,
            waiting: found.waiting,
        };
        let store = Self {
            journal: Journal::after(&directory, found.last_journal),
            directory,
            key_file,
            elders: found.elders,
            _lock: lock,
        };
        Ok((store, left))
    }

    /// Does with a file that was read what its soundness asks for: a damaged one is kept for a person
    /// to look at, one of another version for that version. Where it is kept, if it is.
    ///
    /// # Errors
    ///
    /// When the file system refuses.
    pub fn keep(
        &mut self,
        file: &Path,
        soundness: Soundness,
    ) -> Result<Option<SetAside>, StoreFault> {
        let why = match soundness {
            Soundness::Whole => return Ok(None),
            Soundness::Damaged(places) => format!("damaged places: {places}"),
            Soundness::Version(number) => {
                format!("it was written by version {number} of the format")
            }
            Soundness::Foreign => "its beginning is damaged".to_owned(),
        };
        let path = match soundness {
            Soundness::Version(number) => {
                self.elders.retain(|elder| elder.path != file);
                find::rename(file, &find::with_suffix(file, &format!("version-{number}")))?
            }
            Soundness::Foreign => {
                self.elders.retain(|elder| elder.path != file);
                find::rename(file, &find::free_name(file))?
            }
            // What could be read of it is needed again should this process be killed before it saves.
            _ => self.keep_damaged(file)?,
        };
        Ok(Some(SetAside { path, why }))
    }

    fn keep_damaged(&mut self, file: &Path) -> Result<PathBuf, StoreFault> {
        let to = find::free_name(file);
        if let Some(elder) = self.elders.iter_mut().find(|elder| elder.path == file) {
            elder.rename_to = Some(to.clone());
            return Ok(to);
        }
        // A snapshot is replaced under its name; the second name stays with the damaged file.
        std::fs::hard_link(file, &to)
            .or_else(|_| std::fs::copy(file, &to).map(drop))
            .map_err(StoreFault::io("keeping a copy of", file))?;
        Ok(to)
    }

    /// Whether the next snapshot should not wait: there is none, or what earlier processes left is in
    /// several files.
    pub fn is_behind(&self) -> bool {
        !self.elders.is_empty() || !self.directory.join(find::KNOWN).exists()
    }

    /// Appends changes to the journal. They survive the process at once, the machine after
    /// [`Store::sync`].
    ///
    /// # Errors
    ///
    /// When the file system refuses; half a record is cut off, or passed over by the next reader.
    pub fn append(&mut self, changes: &[Change]) -> Result<(), StoreFault> {
        self.journal.append(changes)
    }

    /// Brings the journal to the disk.
    ///
    /// # Errors
    ///
    /// When the file system refuses.
    pub fn sync(&mut self) -> Result<(), StoreFault> {
        self.journal.sync()
    }

    /// Saves the gate, all in one: for a start and a stop, when nobody waits for the journal.
    ///
    /// # Errors
    ///
    /// When the file system refuses; the earlier snapshots and all journals then stay.
    pub fn save(&mut self, gate: &Gate, now: Moment) -> Result<(), StoreFault> {
        let saved = self.begin_save()?.write(gate, now)?;
        self.finish_save(saved);
        Ok(())
    }

    /// Switches the journal. What [`Saving::write`] then saves, on any thread, covers all that was appended
    /// before this call; the journal goes on meanwhile.
    ///
    /// # Errors
    ///
    /// When the file system refuses to sync the journal, or the key that could not be written at the start.
    pub fn begin_save(&mut self) -> Result<Saving, StoreFault> {
        self.key_file.keep(&self.directory)?;
        self.elders.extend(self.journal.switch()?);
        Ok(Saving {
            directory: self.directory.clone(),
            covers: self.journal.number(),
        })
    }

    /// Removes the files that the written snapshots cover. One that stays is read again at the next
    /// start: harmless.
    pub fn finish_save(&mut self, saved: Saved) {
        self.elders.retain(|elder| {
            let covered = elder.number < saved.0;
            if covered {
                let _ = match &elder.rename_to {
                    Some(to) => std::fs::rename(&elder.path, to),
                    None => std::fs::remove_file(&elder.path),
                };
            }
            !covered
        });
    }
}

/// Snapshots to be written.
#[derive(Debug)]
#[must_use]
pub struct Saving {
    directory: PathBuf,
    covers: u64,
}

/// Snapshots that are on disk, and the number of the first journal that they do not cover.
#[derive(Debug)]
#[must_use]
pub struct Saved(u64);

impl Saving {
    /// Replaces the snapshots by the gate's state, synced.
    ///
    /// # Errors
    ///
    /// When the file system refuses; what was not replaced then stays.
    pub fn write(self, gate: &Gate, now: Moment) -> Result<Saved, StoreFault> {
        let known = self.directory.join(find::KNOWN);
        replace::replace(&known, |out| gate.write_known(now, out))?;
        let debts = self.directory.join(find::DEBTS);
        replace::replace(&debts, |out| gate.write_debts(now, out))?;
        Ok(Saved(self.covers))
    }
}

#[cfg(test)]
mod tests;
