//! database - the file of the history, opened, written to and put aside
//!
//! A rollback journal, not WAL. With WAL, SQLite maps `history.db-shm`, and a process that touches a hole of a mapped
//! file on a full disk gets SIGBUS, which ends all sessions. So readers and the writer wait for each other, each with a
//! bound, and what is written is synced: a crash of the machine or the process costs what was not committed. A file in
//! WAL is taken over.
//! Not here: what goes when there is too much (`prune`), reading (`reader`), what is written when (`historian`).

use std::io;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction};

use super::place::{DAMAGED, HistoryPlace, NAME, OF_VERSION};
use super::schema::{APPLICATION, HAS_LABELS, LABELS, LATER_TABLES, PAGE, PAGES, TABLES, VERSION};
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::moment::Moment;

/// How long the writer waits for readers. Those wait longer: while it waits none begins to read, and a reader that has waited
/// that long shall have its turn.
const BUSY: Duration = Duration::from_secs(2);
pub(super) const BUSY_READER: Duration = Duration::from_secs(5);

/// Why something is not kept, or cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum HistoryFault {
    /// The file system.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// SQLite.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// It is damaged, or no history at all.
    #[error("{0}")]
    Damaged(String),
    /// A later build wrote it.
    #[error("a later version of gatepost wrote it (version {0})")]
    Newer(i32),
}

impl HistoryFault {
    /// Whether the file will not get better by itself.
    fn is_damage(&self) -> bool {
        match self {
            Self::Damaged(_) => true,
            Self::Sqlite(fault) => matches!(
                fault.sqlite_error_code(),
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
            ),
            Self::Io(fault) => fault.kind() == io::ErrorKind::InvalidInput,
            Self::Newer(_) => false,
        }
    }

    /// Under which name the file is put aside, if it will not get better by itself.
    pub(super) fn name_aside(&self) -> Option<String> {
        match self {
            Self::Newer(version) => Some(format!("{NAME}{OF_VERSION}{version}")),
            fault if fault.is_damage() => Some(format!("{NAME}{DAMAGED}")),
            _ => None,
        }
    }

    /// Whether there is no room: in the file, or on the disk.
    pub(super) fn is_full(&self) -> bool {
        let Self::Sqlite(fault) = self else {
            return false;
        };
        fault.sqlite_error_code() == Some(ErrorCode::DiskFull)
    }

    /// Whether somebody reads, or writes, for longer than was waited.
    pub(super) fn is_busy(&self) -> bool {
        let Self::Sqlite(fault) = self else {
            return false;
        };
        fault.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
    }
}

/// The file, open for writing. Every use is with its owner's rights (`HistoryPlace::act`).
#[derive(Debug)]
pub(super) struct Database {
    pub(super) connection: Connection,
    /// Which file it is.
    identity: Option<(u64, u64)>,
}

impl Database {
    /// Opens it, made and checked.
    ///
    /// # Errors
    ///
    /// When it is damaged, of a later version, or not to be had.
    pub(super) fn open(place: &HistoryPlace) -> Result<Self, HistoryFault> {
        place.prepare()?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NOFOLLOW
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        place.act(|| {
            let connection = Connection::open_with_flags(place.file(), flags)?;
            connection.busy_timeout(BUSY)?;
            map_nothing(&connection)?;
            check(&connection)?;
            settle(&connection)?;
            place.remove_index();
            Ok(Self {
                connection,
                identity: place.identity(),
            })
        })
    }

    /// Whether its name still leads to it.
    pub(super) fn is_in_place(&self, place: &HistoryPlace) -> bool {
        self.identity.is_some() && self.identity == place.identity()
    }

    /// Does some writes in one transaction.
    ///
    /// # Errors
    ///
    /// When one fails; then nothing of it is written.
    pub(super) fn write(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<(), rusqlite::Error>,
    ) -> Result<(), HistoryFault> {
        let transaction = self.connection.transaction()?;
        work(&transaction)?;
        transaction.commit()?;
        Ok(())
    }
}

/// Keeps a connection from mapping a file, one in WAL too: with its lock held, SQLite has the index of WAL in its own memory.
///
/// # Errors
///
/// What SQLite says.
pub(super) fn map_nothing(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.query_row("PRAGMA locking_mode = EXCLUSIVE", [], |_| Ok(()))?;
    connection.execute_batch("PRAGMA mmap_size = 0")
}

/// Leaves WAL where an earlier version wrote it, and lets go of the lock.
fn leave_wal(connection: &Connection) -> Result<(), HistoryFault> {
    let answer = |pragma: &str| connection.query_row(pragma, [], |row| row.get::<_, String>(0));
    if answer("PRAGMA journal_mode = TRUNCATE")? != "truncate" {
        return Err(io::Error::other("it is in WAL, and stays so").into());
    }
    answer("PRAGMA locking_mode = NORMAL")?;
    Ok(())
}

/// Whether it is a history of this version, and whole; or empty.
fn check(connection: &Connection) -> Result<(), HistoryFault> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let (application, version) = (number("application_id")?, number("user_version")?);
    let tables: u32 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        return Ok(());
    }
    if application != APPLICATION {
        return Err(HistoryFault::Damaged(format!("{NAME} is no history")));
    }
    if version > VERSION {
        return Err(HistoryFault::Newer(version));
    }
    let sound: String = connection.pragma_query_value(None, "quick_check", |row| row.get(0))?;
    match sound == "ok" {
        true => Ok(()),
        false => Err(HistoryFault::Damaged(sound)),
    }
}

/// Makes what is missing, and sets its bounds.
fn settle(connection: &Connection) -> Result<(), HistoryFault> {
    let set = |name, value: i64| connection.pragma_update(None, name, value);
    set("page_size", PAGE.cast_signed())?;
    leave_wal(connection)?;
    set("synchronous", 1)?;
    set("cache_size", -128)?;
    set("secure_delete", 1)?;
    connection.query_row(&format!("PRAGMA max_page_count = {PAGES}"), [], |_| Ok(()))?;
    let is_new = "SELECT count(*) = 0 FROM sqlite_schema";
    if connection.query_row(is_new, [], |row| row.get::<_, bool>(0))? {
        connection.execute_batch(&format!("BEGIN; {TABLES} COMMIT;"))?;
        set("application_id", i64::from(APPLICATION))?;
        set("user_version", i64::from(VERSION))?;
    }
    connection.execute_batch(LATER_TABLES)?;
    if connection.query_row(HAS_LABELS, [], |row| row.get::<_, i64>(0))? == 0 {
        connection.execute_batch(LABELS)?;
    }
    Ok(())
}

/// The octets that stand for a client.
pub(super) fn octets(client: ClientKey) -> [u8; 16] {
    match client.address() {
        std::net::IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        std::net::IpAddr::V6(v6) => v6.octets(),
    }
}

pub(super) fn seconds(at: Moment) -> i64 {
    i64::try_from(at.as_seconds()).unwrap_or(i64::MAX)
}

pub(super) fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(super) fn limit(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}
