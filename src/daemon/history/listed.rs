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

    /// What follows from an attempt, at a moment of the wall clock.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::record::NamedUser;
    use crate::report::verdicts::AttemptVerdict;
    use gatepost_core::gate::request::attempt::{Trust, UserName};
    use gatepost_core::gate::request::settings::GateSettings;
    use gatepost_core::gate::{Gate, Keys};

    const NOW: Moment = Moment::from_seconds(1_800_000_000);

    fn login(gate: &Gate, name: &str, listed: bool) -> AttemptRecord {
        let name = UserName::new(name.as_bytes());
        AttemptRecord {
            ja4: None,
            door: "smtp",
            session: 1,
            client: "198.51.100.7".parse().unwrap(),
            user: Some(NamedUser {
                id: gate.user_id(&name),
                name,
                known: true,
                trust: Trust::Familiar,
            }),
            verdict: AttemptVerdict::Accept,
            reason: None,
            wait: Duration::ZERO,
            listed: Some(listed),
            place: crate::places::Whereabouts::default(),
        }
    }

    fn gate() -> Gate {
        let keys = Keys {
            users: [1; 16],
            passwords: [2; 16],
            table: [3; 16],
        };
        Gate::new(GateSettings::default(), keys, NOW)
    }

    #[test]
    fn an_account_is_told_once_and_written_once_a_day() {
        let (gate, mut accounts) = (gate(), ListedAccounts::default());
        let mut look = |listed, after| {
            let news = accounts.look(&login(&gate, "ann", listed), NOW + after);
            (news.occurrence.is_some(), news.row.is_some())
        };
        let second = Duration::from_secs(1);
        assert_eq!(look(false, Duration::ZERO), (false, false));
        assert_eq!(look(true, Duration::ZERO), (true, true));
        assert_eq!(look(true, AGAIN - second), (false, false));
        assert_eq!(look(true, AGAIN), (false, true));
        assert_eq!(look(false, AGAIN), (false, true));
        assert_eq!(look(true, AGAIN), (true, true), "it is back on the list");
    }

    #[test]
    fn no_more_accounts_than_a_fixed_number_are_remembered() {
        let (gate, mut accounts) = (gate(), ListedAccounts::default());
        for n in 0..=MOST {
            let news = accounts.look(&login(&gate, &format!("user{n}"), true), NOW);
            assert_eq!(news.row.is_some(), n < MOST, "{n}");
        }
    }
}
