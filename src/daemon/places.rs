//! places - where an address is in the world, by databases of the operator's (MMDB)
//!
//! None is shipped, none is fetched: a path is read, and read again when another file stands there. They are held in
//! memory, so that a file which is replaced or cut off under us changes nothing before it was read and checked as a whole.
//! One that cannot be read leaves the one before in use, and is told once. What stands in a database is the work of
//! others: names are shortened and shown as printable ASCII (`row`).
//! Not here: when the files are looked at (`server::places`), what follows from a country (`gate`).

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use arc_swap::ArcSwap;

use gatepost_core::gate::request::client::{ClientKey, NetworkKey};
use gatepost_core::gate::request::place::{Located, SystemLookup};

mod database;
mod row;
#[cfg(test)]
mod tests;

use database::{FileMark, PlaceDatabase};
pub use row::AutonomousSystem;

/// Which databases are read: the key `places.database`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlaceSettings {
    /// Their paths; empty: none.
    pub databases: Vec<PathBuf>,
}

/// Where an address is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whereabouts {
    /// Its country.
    pub country: Located,
    /// Who announces it.
    pub system: Option<AutonomousSystem>,
}

impl Whereabouts {
    /// Whether anything is known.
    pub const fn is_known(&self) -> bool {
        matches!(self.country, Located::In(_)) || self.system.is_some()
    }

    /// For messages: none where nothing is known.
    pub fn shown(&self) -> Option<String> {
        self.is_known().then(|| self.to_string())
    }
}

/// `DE, AS3320 Deutsche Telekom AG`.
impl fmt::Display for Whereabouts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let country = match self.country {
            Located::In(country) => Some(country),
            Located::Unasked | Located::Nowhere => None,
        };
        match (country, &self.system) {
            (Some(country), Some(system)) => write!(f, "{country}, {system}"),
            (Some(country), None) => country.fmt(f),
            (None, Some(system)) => system.fmt(f),
            (None, None) => f.write_str("unknown"),
        }
    }
}

/// The databases in use.
#[derive(Debug, Default)]
pub struct Places {
    inner: ArcSwap<InUse>,
    /// One look at a time.
    looking: Mutex<()>,
}

/// What is asked, and how it stands.
#[derive(Clone, Debug, Default)]
struct InUse {
    files: Vec<DatabaseFile>,
}

/// A path, and what was read there last.
#[derive(Clone, Debug)]
struct DatabaseFile {
    path: PathBuf,
    /// The file that was looked at last, whatever came of it.
    mark: Option<FileMark>,
    /// What is in use.
    held: Option<std::sync::Arc<PlaceDatabase>>,
    /// Why what stands there now is not.
    fault: Option<String>,
}

/// How a database stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseState {
    /// Its path.
    pub path: PathBuf,
    /// What is in use: its kind and the day when it was made; none: nothing.
    pub in_use: Option<String>,
    /// Why the file that stands there is not in use.
    pub fault: Option<String>,
}

/// What is new about a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlaceNews {
    /// This one was read, and is in use.
    Read(DatabaseState),
    /// What stands there cannot be used; told once, until it can be again.
    Damaged(DatabaseState),
}

impl Places {
    /// Nothing is read yet.
    pub fn new(settings: &PlaceSettings) -> Self {
        let places = Self::default();
        places.reconfigure(settings);
        places
    }

    /// Takes over other paths. What is read already stays.
    pub fn reconfigure(&self, settings: &PlaceSettings) {
        let _one = self.lock();
        let old = self.inner.load();
        let kept = |path: &PathBuf| old.files.iter().find(|file| file.path == *path).cloned();
        let file = |path: &PathBuf| {
            kept(path).unwrap_or_else(|| DatabaseFile {
                path: path.clone(),
                mark: None,
                held: None,
                fault: None,
            })
        };
        let files = settings.databases.iter().map(file).collect();
        self.inner.store(InUse { files }.into());
    }

    /// Looks at the files, and reads those that have changed. It may take seconds: not for a session's thread.
    pub fn look(&self) -> Vec<PlaceNews> {
        let _one = self.lock();
        let mut files = self.inner.load().files.clone();
        let news: Vec<PlaceNews> = files.iter_mut().filter_map(DatabaseFile::look).collect();
        // A fault that is told again and again has changed, too: its mark.
        self.inner.store(InUse { files }.into());
        news
    }

    /// Where a client is.
    pub fn find(&self, client: ClientKey) -> Whereabouts {
        let in_use = self.inner.load();
        if in_use.files.is_empty() {
            return Whereabouts::default();
        }
        let address: IpAddr = client.address();
        let mut found = Whereabouts::default();
        for database in in_use.files.iter().filter_map(|file| file.held.as_ref()) {
            let row = database.find(address);
            if database.has_countries() && !matches!(found.country, Located::In(_)) {
                found.country = row.country.map_or(Located::Nowhere, Located::In);
            }
            found.system = found.system.or(row.system);
        }
        found
    }

    /// Its country alone.
    pub fn country(&self, client: ClientKey) -> Located {
        self.find(client).country
    }

    /// Whether countries can be found at all.
    pub fn has_countries(&self) -> bool {
        let in_use = self.inner.load();
        let mut held = in_use.files.iter().filter_map(|file| file.held.as_ref());
        held.any(|database| database.has_countries())
    }

    /// How each stands.
    pub fn states(&self) -> Vec<DatabaseState> {
        let in_use = self.inner.load();
        in_use.files.iter().map(DatabaseFile::state).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ()> {
        self.looking.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SystemLookup for Places {
    /// By its first address: no smaller network is announced, but for a /25 here and there (RFC 7454, section 6.1.3).
    fn system(&self, network: NetworkKey) -> Option<u32> {
        let in_use = self.inner.load();
        let mut held = in_use.files.iter().filter_map(|file| file.held.as_ref());
        held.find_map(|database| database.system(network.address()))
    }
}

impl DatabaseFile {
    /// Reads it if it is another file than at the last look.
    fn look(&mut self) -> Option<PlaceNews> {
        let mark = FileMark::of(&self.path);
        if mark.is_some() && mark == self.mark {
            return None;
        }
        self.mark = mark;
        match PlaceDatabase::read(&self.path) {
            Ok(database) => {
                self.held = Some(database.into());
                self.fault = None;
                Some(PlaceNews::Read(self.state()))
            }
            Err(why) => {
                let is_new = self.fault.is_none();
                self.fault = Some(why);
                is_new.then(|| PlaceNews::Damaged(self.state()))
            }
        }
    }

    fn state(&self) -> DatabaseState {
        DatabaseState {
            path: self.path.clone(),
            in_use: self.held.as_ref().map(|held| held.describe()),
            fault: self.fault.clone(),
        }
    }
}
