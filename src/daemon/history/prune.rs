//! prune - what goes from the history: what is too old, too much, or forgotten
//!
//! Not here: the bounds (`schema`).

use rusqlite::{Connection, params};

use super::database::{HistoryFault, octets, seconds};
use super::schema::{BOUNDS, HOURLY, TableBound};
use crate::report::record::Forgotten;
use gatepost_core::gate::request::client::{ClientKey, NetworkKey};
use gatepost_core::moment::Moment;

/// Rows that go at once, so that no transaction is long.
const AT_ONCE: u64 = 2_000;

/// Removes what is older than `oldest`.
///
/// # Errors
///
/// What SQLite says.
pub(super) fn remove_old(connection: &Connection, oldest: Moment) -> Result<(), HistoryFault> {
    let oldest = seconds(oldest);
    for TableBound { table, time, .. } in BOUNDS {
        // The oldest have the lowest numbers, but for a clock that was set: what is beyond its age goes all the same.
        let old = format!(
            "DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE {time} < ?1 LIMIT {AT_ONCE})"
        );
        while connection.execute(&old, [oldest])? as u64 == AT_ONCE {}
    }
    for (table, _) in HOURLY {
        let old = format!("DELETE FROM {table} WHERE hour < ?1");
        connection.execute(&old, [oldest])?;
    }
    Ok(())
}

/// Removes the oldest of what is more than its table may hold.
///
/// # Errors
///
/// What SQLite says.
pub(super) fn remove_excess(connection: &Connection) -> Result<(), HistoryFault> {
    for TableBound {
        table, rows, most, ..
    } in BOUNDS
    {
        let counted = format!("SELECT count(*) FROM {table} WHERE {rows}");
        let count: u64 = connection.query_row(&counted, [], |row| row.get(0))?;
        remove_oldest(connection, table, rows, count.saturating_sub(most))?;
    }
    Ok(())
}

/// Leaves of an hour that is over what came most.
///
/// # Errors
///
/// What SQLite says.
pub(super) fn close_hour(connection: &Connection, now: Moment) -> Result<(), HistoryFault> {
    const HOUR: i64 = 3600;
    let over = seconds(now) / HOUR * HOUR;
    for (table, most) in HOURLY.into_iter().filter(|(table, _)| *table != "hours") {
        let key = match table {
            "users" => "user",
            _ => "network",
        };
        let rest = format!(
            "DELETE FROM {table} WHERE (hour, {key}) IN (SELECT hour, {key} FROM (SELECT hour, {key}, \
             row_number() OVER (PARTITION BY hour ORDER BY refused + rejected DESC) AS place FROM {table} \
             WHERE hour >= ?1 AND hour < ?2) WHERE place > {most})"
        );
        connection.execute(&rest, params![over - 48 * HOUR, over])?;
    }
    Ok(())
}

/// Makes room where the file may not grow: a twentieth of what is least wanted.
///
/// # Errors
///
/// What SQLite says.
pub(super) fn make_room(connection: &Connection) -> Result<(), HistoryFault> {
    for TableBound { table, rows, .. } in BOUNDS {
        let counted = format!("SELECT count(*) FROM {table} WHERE {rows}");
        let count: u64 = connection.query_row(&counted, [], |row| row.get(0))?;
        if count > 0 {
            return remove_oldest(connection, table, rows, count.div_ceil(20));
        }
    }
    Ok(())
}

fn remove_oldest(
    connection: &Connection,
    table: &str,
    rows: &str,
    count: u64,
) -> Result<(), HistoryFault> {
    let mut left = count;
    while left > 0 {
        let now = left.min(AT_ONCE);
        let remove = format!(
            "DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE {rows} ORDER BY id LIMIT {now})"
        );
        if connection.execute(&remove, [])? == 0 {
            break;
        }
        left -= now;
    }
    Ok(())
}

/// The first and the last client of a network, as the table has them.
pub(super) fn range(network: NetworkKey) -> ([u8; 16], [u8; 16]) {
    let first = octets(ClientKey::new(network.address()));
    let mut last = first;
    let fixed = match network.address().is_ipv4() {
        true => 15,
        false => 6,
    };
    for octet in last.iter_mut().skip(fixed) {
        *octet = u8::MAX;
    }
    (first, last)
}

/// Forgets a user: every row, or those of one network. The octets are overwritten (`secure_delete`), and the journal is emptied.
///
/// # Errors
///
/// What SQLite says.
pub(super) fn forget(connection: &Connection, forgotten: Forgotten) -> Result<u64, HistoryFault> {
    let user = forgotten.user.code().cast_signed();
    let rows = match forgotten.network {
        Some(network) => {
            let (first, last) = range(network);
            let of_network = "DELETE FROM decisions WHERE user = ?1 AND client BETWEEN ?2 AND ?3";
            connection.execute(of_network, params![user, first, last])?
        }
        None => {
            let decisions = connection.execute("DELETE FROM decisions WHERE user = ?1", [user])?;
            let listed = connection.execute("DELETE FROM listed WHERE user = ?1", [user])?;
            let users = connection.execute("DELETE FROM users WHERE user = ?1", [user])?;
            decisions + users + listed
        }
    };
    Ok(rows as u64)
}
