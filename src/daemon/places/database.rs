//! database - one MMDB file: read as a whole, checked as a whole, asked
//!
//! The reader is the crate `maxminddb`, without its memory map: the file may be replaced or cut off at any time, and what
//! was mapped would be gone under us. A row that cannot be decoded refuses the file; once it is in use a fault would
//! only mean that nothing is known of an address.
//! Not here: what a row says (`row`), which file is in use (`places`). MaxMind DB format, version 2.

use std::fmt;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

use maxminddb::{Reader, WithinOptions};

use super::row::{FoundPlace, Row};
use crate::files;

/// The largest file that is read, in octets: the largest free one, of cities, has 130 MB.
const LONGEST: u64 = 256 << 20;

/// Rows that are looked at before a file is used. The free ones have 1 to 4 millions; a tree that is made to have no end
/// would keep us.
const CHECKED: usize = 8_000_000;

/// Which file stands at a path, so that another one is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileMark {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

impl FileMark {
    pub(super) fn of(path: &Path) -> Option<Self> {
        let found = path.metadata().ok()?;
        Some(Self {
            device: found.dev(),
            inode: found.ino(),
            length: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
        })
    }
}

/// A database that was checked.
pub(super) struct PlaceDatabase {
    reader: Reader<Vec<u8>>,
    countries: usize,
    systems: usize,
}

impl fmt::Debug for PlaceDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PlaceDatabase({})", self.describe())
    }
}

impl PlaceDatabase {
    /// Reads and checks it.
    ///
    /// # Errors
    ///
    /// Why it cannot be used, in words.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let octets = files::read(path, LONGEST).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
            std::io::ErrorKind::FileTooLarge => format!("it is longer than {} MiB", LONGEST >> 20),
            _ => error.to_string(),
        })?;
        let reader = Reader::from_source(octets).map_err(damaged)?;
        let (countries, systems) = check(&reader)?;
        if countries + systems == 0 {
            return Err("it has neither countries nor autonomous systems".to_owned());
        }
        Ok(Self {
            reader,
            countries,
            systems,
        })
    }

    /// What it says of an address; what cannot be decoded says nothing.
    pub(super) fn find(&self, address: IpAddr) -> FoundPlace {
        self.row(address).map(Row::place).unwrap_or_default()
    }

    /// The number of the autonomous system that announces it.
    pub(super) fn system(&self, address: IpAddr) -> Option<u32> {
        match self.systems {
            0 => None,
            _ => self.row(address)?.number,
        }
    }

    fn row(&self, address: IpAddr) -> Option<Row<'_>> {
        let found = self.reader.lookup(address).ok()?;
        found.decode().ok()?
    }

    /// Whether it has countries at all.
    pub(super) const fn has_countries(&self) -> bool {
        self.countries > 0
    }

    /// Its kind, its day, and what is in it. The kind is a text of others.
    pub(super) fn describe(&self) -> String {
        let metadata = self.reader.metadata();
        let age = SystemTime::UNIX_EPOCH
            + std::time::Duration::from_secs(metadata.build_epoch.min(1 << 40));
        let day = humantime::format_rfc3339_seconds(age).to_string();
        let day = day.split('T').next().unwrap_or_default();
        let holds = match (self.countries > 0, self.systems > 0) {
            (true, true) => "countries and systems",
            (true, false) => "countries",
            _ => "systems",
        };
        let kind = super::row::shown(&metadata.database_type);
        format!("{kind} of {day}, {holds}")
    }
}

/// Decodes every row, and counts those with a country and those with a system.
fn check(reader: &Reader<Vec<u8>>) -> Result<(usize, usize), String> {
    let (mut countries, mut systems) = (0, 0);
    let networks = reader.networks(WithinOptions::default()).map_err(damaged)?;
    for network in networks.take(CHECKED) {
        let row = network.and_then(|found| found.decode::<Row<'_>>());
        if let Some(row) = row.map_err(damaged)? {
            countries += usize::from(row.country().is_some());
            systems += usize::from(row.number.is_some());
        }
    }
    Ok((countries, systems))
}

fn damaged(fault: maxminddb::MaxMindDbError) -> String {
    format!("it is damaged, or no MMDB file: {fault}")
}
