//! find - which files of a state directory are read, which wait for another version, and their names
//!
//! A file that a build could not read was kept as `FILE.version-N`; a build that reads version N finds
//! it here, and it is merged with what there is.
//! Not here: reading the keys (`key`), what the octets mean (`gate::state`).

use std::io;
use std::path::PathBuf;

use rustix::io::Errno;

use gatepost_core::gate::state::file::{Form, StateFile};

use super::directory::{Directory, TEMPORARY};
use super::{SetAside, StoreFault};

/// The snapshot of users, pairs and bans.
pub(in crate::store) const KNOWN: &str = "known";
/// The snapshot of who was known when names had another key.
pub(in crate::store) const KNOWN_BEFORE: &str = "known.before";
/// The snapshot of buckets and strikes.
pub(in crate::store) const DEBTS: &str = "debts";
/// The keys.
pub(in crate::store) const KEYS: &str = "keys";
/// The keys of TLS tickets.
pub(in crate::store) const TICKETS: &str = "tickets";
/// The keys of before names got another one.
pub(in crate::store) const KEYS_BEFORE: &str = "keys.before";
/// What the name of a journal begins with.
pub(in crate::store) const CHANGES: &str = "changes.";

/// What the names of the sockets begin with of processes that leave; then comes the process.
pub const LEAVING: &str = "leaving-";
/// What the names of published lists begin with; then comes their source.
pub const LIST: &str = "list-";
/// The published list that is being written.
pub const NEW_LIST: &str = "new-list";

/// Behind the name of a file that makes no sense.
pub(in crate::store) const DAMAGED: &str = ".damaged-";
/// Behind the name of a file of a state that is not ours.
pub(in crate::store) const FOUND: &str = ".found-";

/// What the first format left.
const FIRST_SNAPSHOT: &str = "snapshot";
const FIRST_JOURNAL: &str = "journal.";

/// Journals have lower numbers than this: one a minute takes a million million years to get there.
const LAST_NUMBER: u64 = u64::MAX / 2;

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

/// Whether Gatepost itself uses this name in a state directory, now or while a file waits or is put aside. The history has names
/// of its own.
pub fn is_own_name(name: &str) -> bool {
    let base = name.split(TEMPORARY).next().unwrap_or_default();
    let base = base.split('.').next().unwrap_or_default();
    let journals = [CHANGES, FIRST_JOURNAL].map(|name| name.trim_end_matches('.'));
    [KNOWN, DEBTS, KEYS, TICKETS, FIRST_SNAPSHOT, NEW_LIST].contains(&base)
        || journals.contains(&base)
        || [LEAVING, LIST].iter().any(|begin| name.starts_with(begin))
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PastState {
    /// Nothing: this is the first start. Keys alone are nothing, for they come before the first save.
    #[default]
    None,
    /// Something, readable or not.
    Some,
}

/// A file that goes when a snapshot covers it.
#[derive(Debug)]
pub(in crate::store) struct Elder {
    /// Covered by every snapshot whose first uncovered journal has a higher number.
    pub(in crate::store) number: u64,
    pub(in crate::store) name: String,
    /// None: it is removed.
    pub(in crate::store) rename_to: Option<String>,
}

/// What a state directory holds.
#[derive(Debug, Default)]
pub(in crate::store) struct FoundState {
    pub(in crate::store) files: Vec<FoundFile>,
    pub(in crate::store) elders: Vec<Elder>,
    pub(in crate::store) waiting: Vec<PathBuf>,
    /// What could not be read at all.
    pub(in crate::store) unreadable: Vec<SetAside>,
    pub(in crate::store) past: PastState,
    /// The highest number of a journal; 0: there is none.
    pub(in crate::store) last_journal: u64,
}

/// Reads the directory: at most `longest` octets of a file, and twice as many of all.
///
/// What is no file, is too long or cannot be read is set aside.
///
/// # Errors
///
/// The directory cannot be read, or a file in it may not be read now.
pub(in crate::store) fn find(
    directory: &Directory,
    longest: u64,
) -> Result<FoundState, StoreFault> {
    let mut search = DirectorySearch {
        directory,
        longest,
        left: longest.saturating_mul(2),
        found: FoundState::default(),
    };
    for name in directory.names()? {
        if is_of_a_state(&name) {
            directory.own(&name);
        }
        search.take(&name)?;
    }
    Ok(search.found)
}

/// The number of the last journal, whichever build wrote it.
pub(in crate::store) fn last_journal(directory: &Directory) -> Result<u64, StoreFault> {
    let numbers = directory
        .names()?
        .into_iter()
        .map(|name| match Name::of(&name) {
            Name::Journal(number) => number,
            _ => 0,
        });
    Ok(numbers.max().unwrap_or_default())
}

/// What was found so far, and how much more may be read.
struct DirectorySearch<'a> {
    directory: &'a Directory,
    longest: u64,
    left: u64,
    found: FoundState,
}

impl DirectorySearch<'_> {
    fn take(&mut self, name: &str) -> Result<(), StoreFault> {
        match Name::of(name) {
            Name::Other => return Ok(()),
            Name::Temporary => {
                // Nobody writes it any more: the directory is ours.
                let _ = self.directory.remove(name);
                return Ok(());
            }
            Name::Damaged => {}
            Name::Waiting => self.found.waiting.push(self.directory.path().join(name)),
            Name::Snapshot(content) => self.read(name, content, Form::Snapshot, None)?,
            Name::Journal(number) => {
                self.found.last_journal = self.found.last_journal.max(number);
                let elder = elder(number, name, None);
                self.read(name, Content::Changes, Form::Journal, Some(elder))?;
            }
            Name::FirstSnapshot => {
                // An older build that is put back finds it under this name.
                let elder = elder(0, name, Some(format!("{name}.version-1")));
                self.read(name, Content::Known, Form::FirstSnapshot, Some(elder))?;
            }
            Name::FirstJournal => {
                let elder = elder(0, name, None);
                self.read(name, Content::Changes, Form::FirstJournal, Some(elder))?;
            }
            Name::Kept(content, form) => {
                self.read(name, content, form, Some(elder(0, name, None)))?;
            }
        }
        self.found.past = PastState::Some;
        Ok(())
    }

    fn read(
        &mut self,
        name: &str,
        content: Content,
        form: Form,
        elder: Option<Elder>,
    ) -> Result<(), StoreFault> {
        match self.directory.read(name, self.longest.min(self.left)) {
            Ok(octets) => {
                self.left = self.left.saturating_sub(octets.len() as u64);
                self.found.elders.extend(elder);
                self.found.files.push(FoundFile {
                    path: self.directory.path().join(name),
                    content,
                    file: StateFile { form, octets },
                });
            }
            Err(fault) => {
                let aside = set_aside_unread(self.directory, name, fault)?;
                self.found.unreadable.push(aside);
            }
        }
        Ok(())
    }
}

/// As [`set_aside`], for what could not be read.
///
/// # Errors
///
/// It may not be read now, and may be sound: it keeps its name.
pub(in crate::store) fn set_aside_unread(
    directory: &Directory,
    name: &str,
    fault: io::Error,
) -> Result<SetAside, StoreFault> {
    const NOT_NOW: [Errno; 5] = [
        Errno::ACCESS,
        Errno::PERM,
        Errno::MFILE,
        Errno::NFILE,
        Errno::NOMEM,
    ];
    match Errno::from_io_error(&fault) {
        Some(errno) if NOT_NOW.contains(&errno) && !directory.is_further_name(name) => Err(
            StoreFault::io("reading", &directory.path().join(name))(fault),
        ),
        _ => Ok(set_aside(directory, name, &fault.to_string())),
    }
}

/// Renames what cannot be used, whatever it is; where it is now. Where it may not be renamed it stays.
pub(in crate::store) fn set_aside(directory: &Directory, name: &str, why: &str) -> SetAside {
    let to = free_name(directory, name, DAMAGED);
    let name = match directory.rename(name, &to) {
        Ok(()) => &to,
        Err(_) => name,
    };
    SetAside {
        path: directory.path().join(name),
        why: why.to_owned(),
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
    /// Half a file of a process that was killed.
    Temporary,
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
        let kept = name.split_once(DAMAGED).or_else(|| name.split_once(FOUND));
        if let Some((file, _)) = kept {
            return match Self::of(file) {
                Self::Other => Self::Other,
                _ => Self::Damaged,
            };
        }
        let is_temporary = |(file, _): (&str, &str)| {
            matches!(
                file,
                KNOWN | DEBTS | KEYS | TICKETS | KEYS_BEFORE | KNOWN_BEFORE
            )
        };
        if name.split_once(TEMPORARY).is_some_and(is_temporary) {
            return Self::Temporary;
        }
        let number = |prefix| {
            let number = name.strip_prefix(prefix)?.parse::<u64>().ok()?;
            // A number near the last one was never counted to, and leaves none for ours.
            (number < LAST_NUMBER).then_some(number)
        };
        match name {
            KNOWN => Self::Snapshot(Content::Known),
            DEBTS => Self::Snapshot(Content::Debts),
            FIRST_SNAPSHOT => Self::FirstSnapshot,
            _ if number(FIRST_JOURNAL).is_some() => Self::FirstJournal,
            _ => number(CHANGES).map_or(Self::Other, Self::Journal),
        }
    }
}

/// Whether this is the name of a file from which a state, or its keys, is read at a start.
pub(in crate::store) fn is_of_a_state(name: &str) -> bool {
    match Name::of(name) {
        Name::Snapshot(_)
        | Name::Journal(_)
        | Name::FirstSnapshot
        | Name::FirstJournal
        | Name::Kept(..) => true,
        Name::Waiting | Name::Damaged | Name::Temporary => false,
        Name::Other => matches!(name, KEYS | TICKETS | KEYS_BEFORE | KNOWN_BEFORE),
    }
}

/// The first free `NAME.damaged-N`, or what else it is kept as.
pub(in crate::store) fn free_name(directory: &Directory, name: &str, kept_as: &str) -> String {
    let number = free_number(directory, &[name], kept_as);
    format!("{name}{kept_as}{number}")
}

/// The first number under which none of these names is kept. When a hundred are there, the last one is overwritten: the
/// disk has an end.
pub(in crate::store) fn free_number(
    directory: &Directory,
    names: &[impl AsRef<str>],
    kept_as: &str,
) -> u32 {
    const MOST: u32 = 100;
    let is_free = |number: &u32| {
        let to = |name: &str| format!("{name}{kept_as}{number}");
        names.iter().all(|name| !directory.has(&to(name.as_ref())))
    };
    (1..MOST).find(is_free).unwrap_or(MOST)
}

fn elder(number: u64, name: &str, rename_to: Option<String>) -> Elder {
    Elder {
        number,
        name: name.to_owned(),
        rename_to,
    }
}
