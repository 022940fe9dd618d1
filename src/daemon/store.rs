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
//! | `tickets` | the keys of TLS tickets |
//! | `keys.before`, `known.before` | those of before the secret of a cluster was taken, and who is still known under them |
//! | `snapshot`, `journal.N` | what the first format left; read, and replaced by the next save |
//! | `FILE.version-N` | a file that another version wrote: kept until one comes that reads it |
//! | `FILE.damaged-N` | a file that makes no sense, for a person to look at |
//! | `FILE.found-N` | a file of another state that came into the directory while we ran; what came together has one N |
//!
//! Nothing that is found in the directory stops the start, but for a file that we may not read, which may be sound; and a directory that is removed or replaced while
//! we run is made and locked anew. Where it is another user's, root acts in it as that user (`crate::owner`).

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;
use zeroize::Zeroizing;

use gatepost_core::gate::Gate;
use gatepost_core::gate::request::change::Change;
use gatepost_core::gate::state::file::Soundness;
use gatepost_core::moment::Moment;

pub mod key;

mod directory;
mod fault;
mod find;
mod foreign;
mod former_names;
mod health;
mod journal;
mod note;
mod random;
mod replace;
mod saving;
mod tickets;

pub use fault::StoreFault;
pub use find::{Content, FoundFile, LEAVING, LIST, NEW_LIST, PastState, is_own_name};
pub use health::{NotKept, StateHealth};
pub use saving::{Saved, Saving};

use directory::Directory;
use find::Elder;
use journal::Journal;
use key::{FoundKeys, KeyFile, StateKeys};
use tickets::TicketFile;

/// Octets of a file of the state that are read, where nobody says how long one may be.
pub const LONGEST_FILE: u64 = 1 << 30;

/// Journals that wait for a snapshot. While a disk takes records and no snapshot, the last one goes on.
const MOST_ELDERS: usize = 16;

/// How often one save is tried while files of another state come.
const MOST_SAVES: usize = 4;

/// Where the state is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSettings {
    /// The state directory, ours alone.
    pub directory: PathBuf,
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
    /// Whether those are new: then no user is known by name any more.
    pub found_keys: FoundKeys,
    /// What has the name of a file of ours and could not be read at all.
    pub unreadable: Vec<SetAside>,
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
    directory: Arc<Directory>,
    journal: Journal,
    key_file: KeyFile,
    tickets: TicketFile,
    /// What earlier processes left, until a snapshot holds it.
    elders: Vec<Elder>,
    /// Where the directory, or files in it, are new to us, and what is ours is not in it yet: the first journal since. A snapshot that
    /// covers those before it has all.
    moved: Option<u64>,
    /// What had the names of our files and is not ours, under the names that it has now.
    aside: Vec<PathBuf>,
}

impl Store {
    /// Locks the directory, making it (mode 0700) where it is missing, and reads what it holds.
    ///
    /// # Errors
    ///
    /// [`StoreFault::Locked`] when another process has it; [`StoreFault::Io`] when it cannot be
    /// made or listed. A read-only or full disk is no error here but in [`Store::append`] and [`Store::save`].
    pub fn open(settings: &StoreSettings) -> Result<(Self, EarlierState), StoreFault> {
        Self::open_within(settings, LONGEST_FILE)
    }

    /// As [`Store::open`], where no file is longer than `longest` octets.
    ///
    /// # Errors
    ///
    /// As [`Store::open`].
    pub fn open_within(
        settings: &StoreSettings,
        longest: u64,
    ) -> Result<(Self, EarlierState), StoreFault> {
        let directory = Directory::open(&settings.directory)?;
        let found = find::find(&directory, longest)?;
        let (key_file, found_keys) = KeyFile::load_or_make(&directory)?;
        let (tickets, lost_tickets) = TicketFile::load(&directory)?;
        let mut unreadable = found.unreadable;
        unreadable.extend(lost_tickets);
        let left = EarlierState {
            keys: key_file.keys,
            found_keys,
            unreadable,
            files: found.files,
            past: found.past,
            waiting: found.waiting,
        };
        let store = Self {
            directory: Arc::new(directory),
            journal: Journal::after(found.last_journal),
            key_file,
            tickets,
            elders: found.elders,
            moved: None,
            aside: Vec::new(),
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
        let name = name(file);
        let kept = match soundness {
            Soundness::Version(number) => {
                self.elders.retain(|elder| elder.name != name);
                let to = format!("{name}.version-{number}");
                self.directory.rename(name, &to).map(|()| to)?
            }
            Soundness::Foreign => {
                self.elders.retain(|elder| elder.name != name);
                let to = find::free_name(&self.directory, name, find::DAMAGED);
                self.directory.rename(name, &to).map(|()| to)?
            }
            // What could be read of it is needed again should this process be killed before it saves.
            _ => self.keep_damaged(name)?,
        };
        let path = self.directory.path().join(kept);
        Ok(Some(SetAside { path, why }))
    }

    fn keep_damaged(&mut self, name: &str) -> Result<String, StoreFault> {
        let to = find::free_name(&self.directory, name, find::DAMAGED);
        if let Some(elder) = self.elders.iter_mut().find(|elder| elder.name == name) {
            elder.rename_to = Some(to.clone());
            return Ok(to);
        }
        // A snapshot is replaced under its name; the second name stays with the damaged file.
        self.directory
            .link(name, &to)
            .or_else(|_| self.copy(name, &to))?;
        Ok(to)
    }

    fn copy(&self, name: &str, to: &str) -> Result<(), StoreFault> {
        let path = self.directory.path().join(name);
        let copying = || StoreFault::io("keeping a copy of", &path);
        let octets = self.directory.read(name, LONGEST_FILE).map_err(copying())?;
        let mut copy = self.directory.create(to, OFlags::empty())?;
        copy.write_all(&octets).map_err(copying())
    }

    /// Whether the next snapshot should not wait: there is none, the directory is another, or what earlier
    /// processes left is in several files.
    pub fn is_behind(&self) -> bool {
        self.moved.is_some() || !self.elders.is_empty() || !self.directory.has(find::KNOWN)
    }

    /// Whether the directory is new to us, and no snapshot in it is ours yet.
    pub fn has_moved(&self) -> bool {
        self.moved.is_some()
    }

    /// Sees whether the directory was removed, replaced, emptied or written into, and then goes on in what has its name now, made and
    /// locked. What was kept in the old one is in none until the next snapshot, so that should not wait. A file of a state
    /// that is not ours, an earlier one or another's, is not overwritten: it gets another name.
    ///
    /// # Errors
    ///
    /// As [`Store::open`]. Then nothing is kept until it succeeds; what has got another name by then is told all the same.
    pub fn stay_in_place(&mut self) -> Result<DirectoryPlace, StoreFault> {
        let is_in_place = self.directory.is_in_place();
        let has_files = self.key_file.is_in_place(&self.directory)
            && self.journal.is_in_place(&self.directory)
            && !foreign::has_some(&self.directory);
        if is_in_place && has_files {
            return Ok(DirectoryPlace::Same);
        }
        let directory = match is_in_place {
            true => Arc::clone(&self.directory),
            false => Arc::new(Directory::open(self.directory.path())?),
        };
        let last = find::last_journal(&directory)?;
        if is_in_place {
            // What is ours in it goes with the next snapshot. Unsynced it is no worse than before.
            let _ = self.journal.sync(&directory);
            self.elders.extend(self.journal.end());
        } else {
            self.elders.clear();
        }
        self.directory = directory;
        self.journal.move_behind(last);
        self.key_file.moved();
        self.tickets.moved();
        self.moved = Some(self.journal.number());
        foreign::set_aside(&self.directory, &mut self.aside)?;
        Ok(DirectoryPlace::New)
    }

    /// Files of a state that is not ours which got other names since the last call.
    pub fn take_aside(&mut self) -> Vec<PathBuf> {
        std::mem::take(&mut self.aside)
    }

    /// The keys of TLS tickets that an earlier process has kept, or that were set; none: there are none.
    pub fn ticket_keys(&self) -> &[u8] {
        self.tickets.keys()
    }

    /// Keeps these keys of TLS tickets with the next snapshot.
    pub fn set_ticket_keys(&mut self, keys: Zeroizing<Vec<u8>>) {
        self.tickets.set(keys);
    }

    /// Appends changes to the journal. They survive the process at once, the machine after
    /// [`Store::sync`].
    ///
    /// # Errors
    ///
    /// When the file system refuses; half a record is cut off, or passed over by the next reader.
    pub fn append(&mut self, changes: &[Change]) -> Result<(), StoreFault> {
        self.stay_in_place()?;
        self.journal.append(&self.directory, changes)
    }

    /// Brings the journal to the disk.
    ///
    /// # Errors
    ///
    /// When the file system refuses.
    pub fn sync(&mut self) -> Result<(), StoreFault> {
        self.journal.sync(&self.directory)
    }

    /// Saves the gate, all in one: for a start and a stop, when nobody waits for the journal. Nothing may look at the directory after it, so it
    /// looks itself whether files of another state came meanwhile, and then saves again.
    ///
    /// # Errors
    ///
    /// When the file system refuses; the earlier snapshots and all journals then stay.
    pub fn save(&mut self, gate: &Gate, now: Moment) -> Result<(), StoreFault> {
        self.save_by(|saving| saving.write(gate, now))
    }

    fn save_by(
        &mut self,
        mut write: impl FnMut(Saving) -> Result<Saved, StoreFault>,
    ) -> Result<(), StoreFault> {
        for _ in 1..MOST_SAVES {
            match self.save_once(&mut write) {
                Err(StoreFault::Foreign(_)) => {}
                Err(fault) => return Err(fault),
                Ok(()) if self.stay_in_place()? == DirectoryPlace::Same => return Ok(()),
                Ok(()) => {}
            }
        }
        self.save_once(write)
    }

    fn save_once(
        &mut self,
        write: impl FnOnce(Saving) -> Result<Saved, StoreFault>,
    ) -> Result<(), StoreFault> {
        let saved = write(self.begin_save()?)?;
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
        self.stay_in_place()?;
        self.key_file.keep(&self.directory)?;
        // Without them a restart costs full handshakes, and no state.
        let _ = self.tickets.keep(&self.directory);
        if self.elders.len() < MOST_ELDERS {
            self.elders.extend(self.journal.switch(&self.directory)?);
        }
        Ok(Saving {
            directory: Arc::clone(&self.directory),
            covers: self.journal.number(),
        })
    }

    /// Removes the files that the written snapshots cover. One that stays is read again at the next
    /// start: harmless.
    pub fn finish_save(&mut self, saved: Saved) {
        if !Arc::ptr_eq(&saved.directory, &self.directory) {
            // It went to a directory that is no longer ours.
            return;
        }
        // One that began before the move has not written the keys.
        self.moved = self.moved.filter(|first| saved.covers < *first);
        self.elders.retain(|elder| {
            let covered = elder.number < saved.covers;
            // Another state's stays, to be set aside.
            if covered && !self.directory.is_foreign(&elder.name) {
                let _ = match &elder.rename_to {
                    Some(to) => self.directory.rename(&elder.name, to),
                    None => self.directory.remove(&elder.name),
                };
            }
            !covered
        });
    }
}

/// The name of a file that [`find`] has found, in its directory.
fn name(file: &Path) -> &str {
    let name = file.file_name().and_then(|name| name.to_str());
    name.unwrap_or_default()
}

/// Where the state directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirectoryPlace {
    /// Where it was.
    Same,
    /// The old one is gone; this one is new to us.
    New,
}

#[cfg(test)]
mod tests;
