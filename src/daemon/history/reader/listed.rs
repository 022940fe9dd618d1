//! listed - the accounts whose password is on the owner's list, as the file has them
//!
//! Not here: when one is written (`history::listed`).

use rusqlite::params;

use super::{HistoryReader, moment};
use crate::history::database::{HistoryFault, limit};
use gatepost_core::moment::Moment;

/// An account whose password is on the owner's list of known ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedAccount {
    /// The user, as the gate counts.
    pub id: u64,
    /// The name, escaped.
    pub user: String,
    /// Since when it is known.
    pub since: Moment,
}

impl HistoryReader {
    /// The accounts whose password is on the owner's list, the latest first.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn listed(&self, most: usize) -> Result<Vec<ListedAccount>, HistoryFault> {
        // A file of an earlier version, to which nothing was written yet.
        let is_there = "SELECT 1 FROM sqlite_schema WHERE name = 'listed'";
        if self.ask(is_there, [], |_| Ok(()))?.is_empty() {
            return Ok(Vec::new());
        }
        let question = "SELECT user, name, since FROM listed ORDER BY since DESC, id DESC LIMIT ?1";
        self.ask(question, params![limit(most)], |row| {
            let id: i64 = row.get(0)?;
            Ok(ListedAccount {
                id: id.cast_unsigned(),
                user: row.get(1)?,
                since: moment(row, 2)?,
            })
        })
    }
}
