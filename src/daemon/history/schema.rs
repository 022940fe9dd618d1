//! schema - the tables of the history, and the bounds of each
//!
//! Times are seconds since the epoch by the wall clock. A client is the 16 octets of its first address, IPv4 as
//! ::ffff:a.b.c.d, so that a network is a range; a user is the keyed hash of the name.
//! Not here: writing (`database`), reading (`reader`).

/// `GPhi`: what the file's header says it is.
pub(super) const APPLICATION: i32 = 0x4750_6869;

/// The version of these tables.
pub(super) const VERSION: i32 = 1;

/// Octets of a page.
pub(super) const PAGE: u64 = 4096;

/// Pages of the file: 64 MiB.
pub(super) const PAGES: u64 = 16_384;

/// The tables.
pub(super) const TABLES: &str = "
CREATE TABLE decisions (
    id INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    at INTEGER NOT NULL,
    last INTEGER NOT NULL,
    count INTEGER NOT NULL,
    door TEXT NOT NULL,
    session INTEGER NOT NULL,
    client BLOB NOT NULL,
    user INTEGER,
    name TEXT,
    trust TEXT,
    verdict TEXT NOT NULL,
    reason TEXT,
    wait INTEGER NOT NULL,
    new_place INTEGER NOT NULL
) STRICT;
CREATE INDEX decisions_kind ON decisions (kind);
CREATE INDEX decisions_user ON decisions (user) WHERE user IS NOT NULL;
CREATE INDEX decisions_client ON decisions (client);
CREATE TABLE hours (
    hour INTEGER NOT NULL,
    name TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (hour, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE users (
    hour INTEGER NOT NULL,
    user INTEGER NOT NULL,
    name TEXT NOT NULL,
    refused INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    PRIMARY KEY (hour, user)
) STRICT, WITHOUT ROWID;
CREATE TABLE networks (
    hour INTEGER NOT NULL,
    network TEXT NOT NULL,
    refused INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    PRIMARY KEY (hour, network)
) STRICT, WITHOUT ROWID;
CREATE TABLE outages (
    id INTEGER PRIMARY KEY,
    backend TEXT,
    why TEXT NOT NULL,
    began INTEGER NOT NULL,
    ended INTEGER
) STRICT;
CREATE TABLE bans (
    id INTEGER PRIMARY KEY,
    subject TEXT NOT NULL,
    began INTEGER NOT NULL,
    until INTEGER NOT NULL,
    ended INTEGER,
    cause TEXT NOT NULL,
    dry_run INTEGER NOT NULL
) STRICT;
CREATE INDEX bans_subject ON bans (subject);
CREATE TABLE acts (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    did TEXT NOT NULL
) STRICT;
";

/// What came later than the others: made where it is missing, and an earlier version takes no notice of it.
pub(super) const LATER_TABLES: &str = "
CREATE TABLE IF NOT EXISTS listed (
    id INTEGER PRIMARY KEY,
    user INTEGER NOT NULL UNIQUE,
    name TEXT NOT NULL,
    since INTEGER NOT NULL,
    last INTEGER NOT NULL
) STRICT;
";

/// Whether the decisions have labels: 1 or 0.
pub(super) const HAS_LABELS: &str =
    "SELECT count(*) FROM pragma_table_info('decisions') WHERE name = 'ja4'";

/// A column that came later: an earlier version names the others, and takes no notice of it.
pub(super) const LABELS: &str = "ALTER TABLE decisions ADD COLUMN ja4 TEXT";

/// A table with rows of its own, and the most of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct TableBound {
    /// Its name.
    pub(super) table: &'static str,
    /// When a row was written.
    pub(super) time: &'static str,
    /// The rows that are bounded together.
    pub(super) rows: &'static str,
    /// How many.
    pub(super) most: u64,
}

const fn bound(
    table: &'static str,
    time: &'static str,
    rows: &'static str,
    most: u64,
) -> TableBound {
    TableBound {
        table,
        time,
        rows,
        most,
    }
}

/// Every bound, that of the least wanted rows first: where the file is full, they go in this order.
/// Bans of single clients are bounded by themselves: a botnet has as many addresses as it likes, and shall not push out the
/// bans of networks, nor those two an operator's.
pub(super) const BOUNDS: [TableBound; 9] = [
    bound("decisions", "last", "kind = 2", 20_000),
    bound(
        "bans",
        "began",
        "cause NOT IN ('neighbours', 'operator')",
        20_000,
    ),
    bound("decisions", "last", "kind = 1", 60_000),
    bound("bans", "began", "cause = 'neighbours'", 10_000),
    bound("decisions", "last", "kind = 0", 100_000),
    bound("bans", "began", "cause = 'operator'", 10_000),
    bound("outages", "began", "TRUE", 10_000),
    bound("acts", "at", "TRUE", 20_000),
    bound("listed", "last", "TRUE", 20_000),
];

/// Tables by the hour, and the most rows of one hour.
pub(super) const HOURLY: [(&str, u64); 3] = [("hours", 200), ("users", 200), ("networks", 100)];
