//! find - which files of a state directory are read, which wait for another version, and their names
//!
//! A file that a build could not read was kept as `FILE.version-N`; a build that reads version N finds
//! it here, and it is merged with what there is.
//! Not here: reading the keys (`key`), what the octets mean (`gate::state`).

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use gatepost_core::gate::state::file::{Form, StateFile};

use super::StoreFault;

/// The snapshot of users, pairs and bans.
pub(in crate::store) const KNOWN: &str = "known";
/// The snapshot of buckets and strikes.
pub(in crate::store) const DEBTS: &str = "debts";
/// What the name of a journal begins with.
pub(in crate::store) const CHANGES: &str = "changes.";

/// What the first format left.
const FIRST_SNAPSHOT: &str = "snapshot";
const FIRST_JOURNAL: &str = "journal.";

/// The version of the format that this build writes, and reads beside the first.
const VERSION: &str = "2";

/// A file to be read.
#[derive(Debug)]
pub struct FoundFile {
    /// Where it is.
    pub path: PathBuf,
    /// Whether it should say who is known.
    pub content: Content,
    /// What stands in it.
    pub file: StateFile,
}

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Who is known; in the first format everything.
    Known,
    /// What is owed.
    Debts,
    /// What changed.
    Changes,
}

/// Whether an earlier process saved anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PastState {
    /// Nothing: this is the first start. Keys alone are nothing, for they come before the first save.
    None,
    /// Something, readable or not.
    Some,
}

/// A file that goes when a snapshot covers it.
#[derive(Debug)]
pub(in crate::store) struct Elder {
    /// Covered by every snapshot whose first uncovered journal has a higher number.
    pub(in crate::store) number: u64,
    pub(in crate::store) path: PathBuf,
    /// None: it is removed.
    pub(in crate::store) rename_to: Option<PathBuf>,
}

/// What a state directory holds.
#[derive(Debug)]
pub(in crate::store) struct FoundState {
    pub(in crate::store) files: Vec<FoundFile>,
    pub(in crate::store) elders: Vec<Elder>,
    pub(in crate::store) waiting: Vec<PathBuf>,
    pub(in crate::store) past: PastState,
    /// The highest number of a journal; 0: there is none.
    pub(in crate::store) last_journal: u64,
}

/// Reads the directory.
pub(in crate::store) fn find(directory: &Path) -> Result<FoundState, StoreFault> {
    let mut found = FoundState {
        files: Vec::new(),
        elders: Vec::new(),
        waiting: Vec::new(),
        past: PastState::None,
        last_journal: 0,
    };
    let mut names = list(directory)?;
    names.sort();
    for name in names {
        let path = directory.join(&name);
        match Name::of(&name) {
            Name::Other => continue,
            Name::Damaged => {}
            Name::Waiting => found.waiting.push(path),
            Name::Snapshot(content) => found.read(path, content, Form::Snapshot)?,
            Name::Journal(number) => {
                found.last_journal = found.last_journal.max(number);
                found.elders.push(elder(number, &path, None));
                found.read(path, Content::Changes, Form::Journal)?;
            }
            Name::FirstSnapshot => {
                // An older build that is put back finds it under this name.
                let kept = with_suffix(&path, "version-1");
                found.elders.push(elder(0, &path, Some(kept)));
                found.read(path, Content::Known, Form::FirstSnapshot)?;
            }
            Name::FirstJournal => {
                found.elders.push(elder(0, &path, None));
                found.read(path, Content::Changes, Form::FirstJournal)?;
            }
            Name::Kept(content, form) => {
                found.elders.push(elder(0, &path, None));
                found.read(path, content, form)?;
            }
        }
        found.past = PastState::Some;
    }
    Ok(found)
}

impl FoundState {
    fn read(&mut self, path: PathBuf, content: Content, form: Form) -> Result<(), StoreFault> {
        let octets = std::fs::read(&path).map_err(StoreFault::io("reading", &path))?;
        let file = StateFile { form, octets };
        self.files.push(FoundFile {
            path,
            content,
            file,
        });
        Ok(())
    }
}

/// What a name says.
enum Name {
    Snapshot(Content),
    Journal(u64),
    FirstSnapshot,
    FirstJournal,
    /// Kept by a build that could not read it; this one can.
    Kept(Content, Form),
    /// Kept for a version that this build is not.
    Waiting,
    Damaged,
    Other,
}

impl Name {
    fn of(name: &str) -> Self {
        if let Some((file, version)) = name.split_once(".version-") {
            return match (Self::of(file), version) {
                (Self::Other, _) => Self::Other,
                // What the first format left was merged before it got this name.
                (Self::FirstSnapshot | Self::FirstJournal, "1") => Self::Damaged,
                (Self::Snapshot(content), VERSION) => Self::Kept(content, Form::Snapshot),
                (Self::Journal(_), VERSION) => Self::Kept(Content::Changes, Form::Journal),
                _ => Self::Waiting,
            };
        }
        if let Some((file, _)) = name.split_once(".damaged-") {
            return match Self::of(file) {
                Self::Other => Self::Other,
                _ => Self::Damaged,
            };
        }
        let number = |prefix| name.strip_prefix(prefix)?.parse::<u64>().ok();
        match name {
            KNOWN => Self::Snapshot(Content::Known),
            DEBTS => Self::Snapshot(Content::Debts),
            FIRST_SNAPSHOT => Self::FirstSnapshot,
            _ if number(FIRST_JOURNAL).is_some() => Self::FirstJournal,
            _ => number(CHANGES).map_or(Self::Other, Self::Journal),
        }
    }
}

/// `path` with `.suffix` behind it.
pub(in crate::store) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

/// The first free `path.damaged-N`. When a hundred are there, the last one is overwritten: the disk has
/// an end.
pub(in crate::store) fn free_name(path: &Path) -> PathBuf {
    const MOST: u32 = 100;
    let candidate = |n: u32| with_suffix(path, &format!("damaged-{n}"));
    let free = (1..MOST).map(candidate).find(|to| !to.exists());
    free.unwrap_or_else(|| candidate(MOST))
}

/// Renames a file; its new name.
pub(in crate::store) fn rename(path: &Path, to: &Path) -> Result<PathBuf, StoreFault> {
    std::fs::rename(path, to).map_err(StoreFault::io("renaming", path))?;
    Ok(to.to_owned())
}

fn elder(number: u64, path: &Path, rename_to: Option<PathBuf>) -> Elder {
    Elder {
        number,
        path: path.to_owned(),
        rename_to,
    }
}

fn list(directory: &Path) -> Result<Vec<String>, StoreFault> {
    let fault = || StoreFault::io("listing", directory);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(fault())? {
        match entry {
            Ok(entry) => found.extend(entry.file_name().into_string().ok()),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(fault()(error)),
        }
    }
    Ok(found)
}
