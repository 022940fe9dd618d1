//! attacks - at whose passwords others guessed most, and from where
//!
//! Not here: the other questions (`reader`), how tries are counted (`tally`).

use rusqlite::params;

use super::{HistoryReader, latest};
use crate::history::database::{HistoryFault, limit, seconds};
use gatepost_core::moment::Moment;

/// A known user whose passwords others guessed at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttackedUser {
    /// The name, escaped.
    pub user: String,
    /// Tries that were refused.
    pub refused: u64,
    /// Guesses that the backend rejected.
    pub rejected: u64,
}

/// A network from which somebody guessed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttackingNetwork {
    /// The network.
    pub network: String,
    /// Tries that were refused.
    pub refused: u64,
    /// Guesses that the backend rejected.
    pub rejected: u64,
}

impl HistoryReader {
    /// The known users whose passwords others guessed at most since the hour of `since`.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn attacked(&self, since: Moment, most: usize) -> Result<Vec<AttackedUser>, HistoryFault> {
        let question = "SELECT max(name), sum(refused) AS a, sum(rejected) AS b FROM users \
                        WHERE hour > ?1 - 3600 AND hour <= ?3 GROUP BY user ORDER BY a + b DESC, user LIMIT ?2";
        self.guesses(question, since, most, |(user, refused, rejected)| {
            AttackedUser {
                user,
                refused,
                rejected,
            }
        })
    }

    /// The networks from which most guesses came since the hour of `since`.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn attackers(
        &self,
        since: Moment,
        most: usize,
    ) -> Result<Vec<AttackingNetwork>, HistoryFault> {
        let question = "SELECT network, sum(refused) AS a, sum(rejected) AS b FROM networks \
                        WHERE hour > ?1 - 3600 AND hour <= ?3 GROUP BY network ORDER BY a + b DESC, network LIMIT ?2";
        self.guesses(question, since, most, |(network, refused, rejected)| {
            AttackingNetwork {
                network,
                refused,
                rejected,
            }
        })
    }

    /// What a question finds: a name, and how many guesses were refused and rejected.
    fn guesses<T>(
        &self,
        question: &str,
        since: Moment,
        most: usize,
        of: impl Fn((String, u64, u64)) -> T,
    ) -> Result<Vec<T>, HistoryFault> {
        let values = params![seconds(since), limit(most), latest()];
        self.ask(question, values, |row| {
            Ok(of((row.get(0)?, row.get(1)?, row.get(2)?)))
        })
    }
}
