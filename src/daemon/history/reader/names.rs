//! names - the names of known users, as far as the history has had a reason to write them down
//!
//! Not here: the other questions (`reader`).

use std::collections::HashMap;

use rusqlite::params;

use super::HistoryReader;
use crate::history::database::{HistoryFault, limit};

impl HistoryReader {
    /// Names by keyed hash, escaped: of known users whose passwords others guessed at, and of those who logged in from
    /// a new place or were refused at home.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn names(&self, most: usize) -> Result<HashMap<u64, String>, HistoryFault> {
        let question = "SELECT user, max(name) FROM (SELECT user, name FROM users UNION \
                        SELECT user, name FROM decisions WHERE kind = 0 AND user IS NOT NULL AND name IS NOT NULL) \
                        GROUP BY user LIMIT ?1";
        let found = self.ask(question, params![limit(most)], |row| {
            let user: i64 = row.get(0)?;
            Ok((user.cast_unsigned(), row.get(1)?))
        })?;
        Ok(found.into_iter().collect())
    }
}
