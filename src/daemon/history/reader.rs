//! reader - what the history says: decisions of a user, a client or a network, counters by the hour, outages, bans
//!
//! Each question opens the file for itself, reads, and closes it; it blocks, so it belongs where blocking is allowed.
//! An answer is bounded by `most`, the newest first. What a clock that was ahead has dated later than now does not count
//! to a time that ends now; it is among all decisions (`Moment::EPOCH`). Without a file, or where nothing is kept, everything is empty.
//! Not here: how it is written (`database`), shown (`cli`) or sent (`server`).

use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, Params, Row, params, params_from_iter};

use super::HistorySettings;
use super::database::{BUSY_READER, HistoryFault, limit, map_nothing, octets, seconds};
use super::place::HistoryPlace;
use super::prune::range;
use super::written::WrittenTotals;
use crate::clock::Clock;
use gatepost_core::gate::request::client::{ClientKey, NetworkKey};
use gatepost_core::gate::request::keys::UserId;
use gatepost_core::moment::Moment;

mod attacks;
mod hours;
mod listed;
mod names;
mod programs;

pub use attacks::{AttackedUser, AttackingNetwork};
pub use listed::ListedAccount;
pub use programs::PastProgram;

/// Whose decisions are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecisionsOf {
    /// Everybody's.
    Everybody,
    /// One user's.
    User(UserId),
    /// One client's.
    Client(ClientKey),
    /// One user's at one client.
    UserAt(UserId, ClientKey),
    /// Those of all clients of a network.
    Network(NetworkKey),
    /// One session's, as far as it was the last of its row.
    Session(u64),
    /// Logins of users who were not at home there before.
    NewPlaces,
    /// Refusals of users who were at home there, by no wish of the operator's.
    HonestRefused,
}

/// Decisions that were alike within ten minutes. Moments are by the wall clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastDecision {
    /// Its number: later ones have higher numbers.
    pub id: i64,
    /// The first.
    pub at: Moment,
    /// The last.
    pub last: Moment,
    /// How many.
    pub count: u64,
    /// Which service was asked.
    pub door: String,
    /// The session of the last.
    pub session: u64,
    /// The client.
    pub client: ClientKey,
    /// The user's name, escaped; none if the client did not come to it.
    pub user: Option<String>,
    /// How far the user was trusted there: `familiar`, `unproven`, `near`, `far`.
    pub trust: Option<String>,
    /// `accept`, `reject`, `refuse`, `repeat`, `defer` or `cancel`.
    pub verdict: String,
    /// What that rests on.
    pub reason: Option<String>,
    /// Seconds that the client should have waited, the last time.
    pub wait_s: u64,
    /// Whether a user logged in where they were not at home before.
    pub is_new_place: bool,
}

/// A counter of one hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HourCount {
    /// When the hour began.
    pub hour: Moment,
    /// The counter's name.
    pub name: String,
    /// What it counted.
    pub count: u64,
}

/// A time without logins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastOutage {
    /// The backend's address; none: users who had logged in before were rejected one after the other.
    pub backend: Option<String>,
    /// Why.
    pub why: String,
    /// Since when.
    pub began: Moment,
    /// Until when; none: it goes on, or the process ended.
    pub ended: Option<Moment>,
}

/// A ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastBan {
    /// The client or network.
    pub subject: String,
    /// Since when.
    pub began: Moment,
    /// Until when, as it was set last.
    pub until: Moment,
    /// When it ended; none: it holds, or the process ended.
    pub ended: Option<Moment>,
    /// What it was for.
    pub cause: String,
    /// Whether it was only logged.
    pub is_dry_run: bool,
}

/// What an operator did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorAct {
    /// When.
    pub at: Moment,
    /// In the words that they got.
    pub did: String,
}

/// Asks the history of one state directory.
#[derive(Clone, Debug)]
pub struct HistoryReader {
    directory: PathBuf,
    is_kept: bool,
    written: WrittenTotals,
}

impl HistoryReader {
    /// One of the history that is kept as `settings` say.
    pub fn new(settings: &HistorySettings) -> Self {
        Self {
            directory: settings.directory.clone(),
            is_kept: settings.keep.is_some(),
            written: WrittenTotals::default(),
        }
    }

    /// Whether anything is kept.
    pub const fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// The decisions of `of` whose last was at `since` or later; all of them where that is 1970.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn decisions(
        &self,
        of: DecisionsOf,
        since: Moment,
        most: usize,
    ) -> Result<Vec<PastDecision>, HistoryFault> {
        let (whose, values) = whose(of, since, most);
        let question = format!(
            "SELECT id, at, last, count, door, session, client, name, trust, verdict, reason, wait, new_place \
             FROM decisions WHERE {whose} AND last BETWEEN ?1 AND ?3 ORDER BY id DESC LIMIT ?2"
        );
        self.ask(&question, params_from_iter(values), decision)
    }

    /// The counters of each hour that ended after `since`, the oldest first, as they are in the file.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub(super) fn hours(&self, since: Moment) -> Result<Vec<HourCount>, HistoryFault> {
        let question = "SELECT hour, name, count FROM hours WHERE hour > ?1 - 3600 AND hour <= ?2 ORDER BY hour, name";
        self.ask(question, params![seconds(since), latest()], |row| {
            Ok(HourCount {
                hour: moment(row, 0)?,
                name: row.get(1)?,
                count: row.get(2)?,
            })
        })
    }

    /// The outages that ended after `since`, or go on.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn outages(&self, since: Moment, most: usize) -> Result<Vec<PastOutage>, HistoryFault> {
        let question = "SELECT backend, why, began, ended FROM outages \
                        WHERE coalesce(ended, began) >= ?1 AND began <= ?3 ORDER BY id DESC LIMIT ?2";
        let values = params![seconds(since), limit(most), latest()];
        self.ask(question, values, |row| {
            Ok(PastOutage {
                backend: row.get(0)?,
                why: row.get(1)?,
                began: moment(row, 2)?,
                ended: maybe_moment(row, 3)?,
            })
        })
    }

    /// The bans of networks, and those that operators made, that began at `since` or later. Of single clients there are
    /// too many: the present ones are in the gate.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn bans(&self, since: Moment, most: usize) -> Result<Vec<PastBan>, HistoryFault> {
        let question = "SELECT subject, began, until, ended, cause, dry_run FROM bans \
                        WHERE began BETWEEN ?1 AND ?3 AND cause IN ('neighbours', 'operator') ORDER BY id DESC LIMIT ?2";
        let values = params![seconds(since), limit(most), latest()];
        self.ask(question, values, |row| {
            Ok(PastBan {
                subject: row.get(0)?,
                began: moment(row, 1)?,
                until: moment(row, 2)?,
                ended: maybe_moment(row, 3)?,
                cause: row.get(4)?,
                is_dry_run: row.get(5)?,
            })
        })
    }

    /// What operators did at `since` or later.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn acts(&self, since: Moment, most: usize) -> Result<Vec<OperatorAct>, HistoryFault> {
        let question =
            "SELECT at, did FROM acts WHERE at BETWEEN ?1 AND ?3 ORDER BY id DESC LIMIT ?2";
        let values = params![seconds(since), limit(most), latest()];
        self.ask(question, values, |row| {
            Ok(OperatorAct {
                at: moment(row, 0)?,
                did: row.get(1)?,
            })
        })
    }

    pub(super) fn ask<T>(
        &self,
        question: &str,
        values: impl Params,
        read: impl FnMut(&Row<'_>) -> Result<T, rusqlite::Error>,
    ) -> Result<Vec<T>, HistoryFault> {
        if !self.is_kept {
            return Ok(Vec::new());
        }
        let place = HistoryPlace::open(&self.directory)?;
        if place.identity().is_none() {
            return Ok(Vec::new());
        }
        place.check()?;
        // For writing: what a killed process has begun is rolled back by who comes first.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NOFOLLOW
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        place.act(|| {
            let connection = Connection::open_with_flags(place.file(), flags)?;
            connection.busy_timeout(BUSY_READER)?;
            map_nothing(&connection)?;
            connection.execute_batch("PRAGMA query_only = 1")?;
            let is_empty = "SELECT count(*) = 0 FROM sqlite_schema";
            if connection.query_row(is_empty, [], |row| row.get(0))? {
                return Ok(Vec::new());
            }
            let mut statement = connection.prepare(question)?;
            let rows = statement.query_map(values, read)?;
            Ok(rows.collect::<Result<Vec<T>, _>>()?)
        })
    }
}

/// The latest date that counts to a time that ends now: of a clock that is slowed down, too.
fn latest() -> i64 {
    seconds(Clock::wall() + Duration::from_secs(60))
}

/// The rows of `of` as a condition, and the values of its question: the first three are when the last decision of a row was
/// at the earliest, how many rows are wanted, and when that decision was at the latest.
fn whose(of: DecisionsOf, since: Moment, most: usize) -> (&'static str, Vec<Value>) {
    let latest = match since == Moment::EPOCH {
        true => i64::MAX,
        false => latest(),
    };
    let mut values = [seconds(since), limit(most), latest]
        .map(Value::Integer)
        .to_vec();
    let blob = |octets: [u8; 16]| Value::Blob(octets.to_vec());
    let whose = match of {
        DecisionsOf::Everybody => "TRUE",
        DecisionsOf::User(user) => {
            values.push(Value::Integer(user.code().cast_signed()));
            "user = ?4"
        }
        DecisionsOf::Client(client) => {
            values.push(blob(octets(client)));
            "client = ?4"
        }
        DecisionsOf::UserAt(user, client) => {
            values.push(Value::Integer(user.code().cast_signed()));
            values.push(blob(octets(client)));
            "user = ?4 AND client = ?5"
        }
        DecisionsOf::Session(number) => {
            values.push(Value::Integer(number.cast_signed()));
            "session = ?4"
        }
        DecisionsOf::NewPlaces => "new_place",
        DecisionsOf::HonestRefused => {
            "kind = 0 AND verdict = 'refuse' AND reason NOT IN ('ban', 'deny-list', 'country', 'user-rule', 'decoy', 'stolen')"
        }
        DecisionsOf::Network(network) => {
            let (first, last) = range(network);
            values.extend([blob(first), blob(last)]);
            "client BETWEEN ?4 AND ?5"
        }
    };
    (whose, values)
}

fn decision(row: &Row<'_>) -> Result<PastDecision, rusqlite::Error> {
    let client: [u8; 16] = row.get(6)?;
    let session: i64 = row.get(5)?;
    Ok(PastDecision {
        id: row.get(0)?,
        at: moment(row, 1)?,
        last: moment(row, 2)?,
        count: row.get(3)?,
        door: row.get(4)?,
        session: session.cast_unsigned(),
        client: ClientKey::new(Ipv6Addr::from(client).into()),
        user: row.get(7)?,
        trust: row.get(8)?,
        verdict: row.get(9)?,
        reason: row.get(10)?,
        wait_s: row.get(11)?,
        is_new_place: row.get(12)?,
    })
}

fn moment(row: &Row<'_>, column: usize) -> Result<Moment, rusqlite::Error> {
    Ok(Moment::from_seconds(row.get(column)?))
}

fn maybe_moment(row: &Row<'_>, column: usize) -> Result<Option<Moment>, rusqlite::Error> {
    let seconds: Option<u64> = row.get(column)?;
    Ok(seconds.map(Moment::from_seconds))
}
