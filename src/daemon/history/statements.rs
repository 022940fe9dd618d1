//! statements - what is written to the tables of the history
//!
//! Not here: transactions (`database`), when (`historian`), what goes again (`prune`).

use rusqlite::{Connection, Transaction, params};

use super::database::{number, octets, seconds};
use super::row::TallyRow;
use super::tally::{HistoryTally, HourTally};
use crate::clock::Clock;
use crate::report::ja4::Ja4;
use crate::report::record::{BanRecord, ListedRecord, OutageRecord, RecordedEvent};
use gatepost_core::gate::request::settings::Mode;
use gatepost_core::moment::Moment;

/// Writes a decision, new or with its new count, and notes its number.
pub(super) fn put_decision(
    transaction: &Transaction<'_>,
    row: &mut TallyRow,
) -> Result<(), rusqlite::Error> {
    let (last, count) = (seconds(row.last), number(row.count));
    let wait = number(row.wait.as_secs());
    let label = row.ja4.as_ref().map(Ja4::as_str);
    if let Some(id) = row.id {
        let mut update = transaction.prepare_cached(
            "UPDATE decisions SET last = ?2, count = ?3, session = ?4, wait = ?5, ja4 = ?6 WHERE id = ?1",
        )?;
        let session = row.session.cast_signed();
        update.execute(params![id, last, count, session, wait, label])?;
        row.write_as(id);
        return Ok(());
    }
    let mut insert = transaction.prepare_cached(
        "INSERT INTO decisions (kind, at, last, count, door, session, client, user, name, trust, verdict, \
         reason, wait, new_place, ja4) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    let id = insert.insert(params![
        row.kind as u8,
        seconds(row.at),
        last,
        count,
        row.door,
        row.session.cast_signed(),
        octets(row.client),
        row.user.map(u64::cast_signed),
        row.name,
        row.trust,
        row.verdict,
        row.reason,
        wait,
        row.is_new_place,
        label,
    ])?;
    row.write_as(id);
    Ok(())
}

/// Adds to the counters of an hour.
fn add_count(
    transaction: &Transaction<'_>,
    hour: u64,
    name: &str,
    count: u64,
) -> Result<(), rusqlite::Error> {
    let mut add = transaction.prepare_cached(
        "INSERT INTO hours (hour, name, count) VALUES (?1, ?2, ?3) \
         ON CONFLICT DO UPDATE SET count = count + ?3",
    )?;
    add.execute(params![number(hour), name, number(count)])?;
    Ok(())
}

/// Writes what came at a user in an hour.
fn put_user(
    transaction: &Transaction<'_>,
    hour: u64,
    user: u64,
    tally: &HourTally,
) -> Result<(), rusqlite::Error> {
    let mut put = transaction.prepare_cached(
        "INSERT INTO users (hour, user, name, refused, rejected) VALUES (?1, ?2, ?3, ?4, ?5) \
         ON CONFLICT DO UPDATE SET refused = refused + ?4, rejected = rejected + ?5",
    )?;
    let (refused, rejected) = (number(tally.refused), number(tally.rejected));
    put.execute(params![
        number(hour),
        user.cast_signed(),
        tally.name,
        refused,
        rejected
    ])?;
    Ok(())
}

/// Writes what came from a network in an hour.
fn put_network(
    transaction: &Transaction<'_>,
    hour: u64,
    network: &str,
    tally: &HourTally,
) -> Result<(), rusqlite::Error> {
    let mut put = transaction.prepare_cached(
        "INSERT INTO networks (hour, network, refused, rejected) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT DO UPDATE SET refused = refused + ?3, rejected = rejected + ?4",
    )?;
    let (refused, rejected) = (number(tally.refused), number(tally.rejected));
    put.execute(params![number(hour), network, refused, rejected])?;
    Ok(())
}

/// Writes what the counters have grown by, and what came at users and from networks.
pub(super) fn put_counts(
    transaction: &Transaction<'_>,
    tally: &mut HistoryTally,
    hour: u64,
    grown: &[(String, u64)],
) -> Result<(), rusqlite::Error> {
    for (name, by) in grown {
        add_count(transaction, hour, name, *by)?;
    }
    let hour = tally.hour();
    for (user, counts) in tally.users() {
        put_user(transaction, hour, user, counts)?;
    }
    for (network, counts) in tally.networks() {
        put_network(transaction, hour, &network.to_string(), counts)?;
    }
    Ok(())
}

/// Writes what is neither a decision nor a count.
pub(super) fn put_event(
    transaction: &Transaction<'_>,
    at: Moment,
    event: &RecordedEvent,
    clock: Clock,
) -> Result<(), rusqlite::Error> {
    match event {
        RecordedEvent::Ban(ban) => put_ban(transaction, at, ban, clock),
        RecordedEvent::BanEnded(subject) => {
            let end = "UPDATE bans SET ended = ?2 WHERE subject = ?1 AND ended IS NULL";
            transaction
                .prepare_cached(end)?
                .execute(params![subject.to_string(), seconds(at)])?;
            Ok(())
        }
        RecordedEvent::Outage(outage) => put_outage(transaction, at, outage),
        RecordedEvent::BackendGone(backend) => {
            let end = "UPDATE outages SET ended = ?2 WHERE backend = ?1 AND ended IS NULL";
            transaction
                .prepare_cached(end)?
                .execute(params![backend, seconds(at)])?;
            Ok(())
        }
        RecordedEvent::Act(did) => {
            let act = "INSERT INTO acts (at, did) VALUES (?, ?)";
            transaction
                .prepare_cached(act)?
                .execute(params![seconds(at), did])?;
            Ok(())
        }
        RecordedEvent::Listed(listed) => put_listed(transaction, at, listed),
        RecordedEvent::Attempt(_)
        | RecordedEvent::Occurred(_)
        | RecordedEvent::Forget(..)
        | RecordedEvent::Stop => Ok(()),
    }
}

/// An account whose password is on the list, or is no more.
fn put_listed(
    transaction: &Transaction<'_>,
    at: Moment,
    record: &ListedRecord,
) -> Result<(), rusqlite::Error> {
    let user = record.user.code().cast_signed();
    if !record.listed {
        let remove = "DELETE FROM listed WHERE user = ?";
        transaction.prepare_cached(remove)?.execute([user])?;
        return Ok(());
    }
    let put = "INSERT INTO listed (user, name, since, last) VALUES (?1, ?2, ?3, ?3) \
               ON CONFLICT (user) DO UPDATE SET last = ?3";
    let values = params![user, record.name.to_string(), seconds(at)];
    transaction.prepare_cached(put)?.execute(values)?;
    Ok(())
}

/// A ban, or a longer end of one that holds.
fn put_ban(
    transaction: &Transaction<'_>,
    at: Moment,
    ban: &BanRecord,
    clock: Clock,
) -> Result<(), rusqlite::Error> {
    let subject = ban.subject.to_string();
    let until = seconds(clock.on_wall(ban.until));
    let cause = ban.cause.to_string();
    let longer = "UPDATE bans SET until = ?2 WHERE subject = ?1 AND ended IS NULL AND until >= ?3 AND cause = ?4";
    let changed =
        transaction
            .prepare_cached(longer)?
            .execute(params![subject, until, seconds(at), cause])?;
    if changed == 0 {
        let new = "INSERT INTO bans (subject, began, until, cause, dry_run) VALUES (?, ?, ?, ?, ?)";
        let is_dry_run = ban.mode == Mode::DryRun;
        transaction.prepare_cached(new)?.execute(params![
            subject,
            seconds(at),
            until,
            cause,
            is_dry_run
        ])?;
    }
    Ok(())
}

fn put_outage(
    transaction: &Transaction<'_>,
    at: Moment,
    outage: &OutageRecord,
) -> Result<(), rusqlite::Error> {
    let end = "UPDATE outages SET ended = ?2 WHERE backend IS ?1 AND ended IS NULL";
    let backend = &outage.backend;
    transaction
        .prepare_cached(end)?
        .execute(params![backend, seconds(at)])?;
    if let Some(why) = &outage.why {
        let new = "INSERT INTO outages (backend, why, began) VALUES (?, ?, ?)";
        transaction
            .prepare_cached(new)?
            .execute(params![backend, why, seconds(at)])?;
    }
    Ok(())
}

/// Ends the outages that go on: nobody looks any more.
///
/// # Errors
///
/// What SQLite says.
pub(super) fn end_outages(connection: &Connection, at: Moment) -> Result<(), rusqlite::Error> {
    let end = "UPDATE outages SET ended = max(began, ?1) WHERE ended IS NULL";
    connection.execute(end, [seconds(at)])?;
    Ok(())
}

/// Ends the outages that an earlier process left: when the last thing was that is known of it.
///
/// # Errors
///
/// What SQLite says.
pub(super) fn end_left_outages(
    connection: &Connection,
    now: Moment,
) -> Result<(), rusqlite::Error> {
    // What a clock that was ahead has dated says nothing.
    let end = "UPDATE outages SET ended = max(began, coalesce((SELECT max(at) FROM (\
               SELECT last AS at FROM decisions UNION ALL SELECT at FROM acts UNION ALL SELECT hour FROM hours \
               UNION ALL SELECT began FROM bans UNION ALL SELECT began FROM outages \
               UNION ALL SELECT ended FROM outages) WHERE at <= ?1), began)) WHERE ended IS NULL";
    connection.execute(end, [seconds(now)])?;
    Ok(())
}
