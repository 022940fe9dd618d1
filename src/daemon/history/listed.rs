//! listed - the accounts whose password is on the owner's list of known ones
//!
//! An account is told once, as long as its password stays on the list; with another password, or another list, it
//! goes. Of a password nothing is kept, only who and when.
//! Not here: the list (`known_passwords`), the rows (`statements`).

use std::collections::HashMap;
use std::time::Duration;

use rusqlite::Connection;

use super::database::HistoryFault;
use crate::report::occurrence::{Occurrence, OccurrenceKind};
use crate::report::record::{AttemptRecord, ListedRecord, RecordedEvent};
use gatepost_core::moment::Moment;

/// Accounts that are remembered.
pub(super) const MOST: usize = 20_000;
/// How often it is written down that an account has logged in with a listed password once more.
const AGAIN: Duration = Duration::from_secs(86_400);

/// The accounts, and when each was written last.
#[derive(Debug, Default)]
pub(super) struct ListedAccounts(HashMap<u64, Moment>);

/// What follows from a login.
#[derive(Debug, Default)]
pub(super) struct ListedNews {
    /// What is written.
    pub(super) row: Option<RecordedEvent>,
    /// What the operator is told.
    pub(super) occurrence: Option<Occurrence>,
}

impl ListedAccounts {
    /// Those that an earlier process knew.
    pub(super) fn read(connection: &Connection) -> Result<Self, HistoryFault> {
        let mut rows = connection.prepare("SELECT user, last FROM listed")?;
        let rows = rows.query_map([], |row| {
            let user: i64 = row.get(0)?;
            let last = Moment::from_seconds(row.get(1)?);
            Ok((user.cast_unsigned(), last))
        })?;
        Ok(Self(rows.collect::<Result<_, _>>()?))
    }

    /// What follows from an attempt, at a moment of the wall's clock.
    pub(super) fn look(&mut self, attempt: &AttemptRecord, now: Moment) -> ListedNews {
        let (Some(listed), Some(user)) = (attempt.listed, &attempt.user) else {
            return ListedNews::default();
        };
        let id = user.id.code();
        let row = || {
            Some(RecordedEvent::Listed(ListedRecord {
                user: user.id,
                name: user.name.clone(),
                listed,
            }))
        };
        match (listed, self.0.get(&id).copied()) {
            (true, None) if self.0.len() < MOST => {
                self.0.insert(id, now);
                ListedNews {
                    row: row(),
                    occurrence: Some(told(&user.name.to_string())),
                }
            }
            (true, Some(last)) if now.since(last) >= AGAIN => {
                self.0.insert(id, now);
                ListedNews {
                    row: row(),
                    occurrence: None,
                }
            }
            (false, Some(_)) => {
                self.0.remove(&id);
                ListedNews {
                    row: row(),
                    occurrence: None,
                }
            }
            (true, _) | (false, None) => ListedNews::default(),
        }
    }

    /// Forgets a user.
    pub(super) fn forget(&mut self, user: u64) {
        self.0.remove(&user);
    }
}

fn told(name: &str) -> Occurrence {
    Occurrence {
        kind: OccurrenceKind::PasswordListed,
        subject: name.to_owned(),
        text: format!(
            "the password of {name} is on the list of known passwords ([passwords] list): have it changed"
        ),
    }
}
