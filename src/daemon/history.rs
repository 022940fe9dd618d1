//! history - what an operator may ask about later, in SQLite beside the state
//!
//! One thread ([`Historian`]) takes what is told through `report::record`, puts what is alike together (`tally`), and
//! writes it (`database`). Nobody waits for it, and nothing is judged by it: a disk that is full, slow or damaged costs
//! what would have been kept, and is told. Readers ([`HistoryReader`]) open the file for themselves.
//! Bounded by age, rows and octets: of a flood there stay its counts.
//! Not here: what is told (`judging`, `server`), the state that is judged by (`store`).

use std::path::PathBuf;
use std::time::Duration;

mod database;
mod detector;
mod historian;
mod listed;
mod place;
mod prune;
mod reader;
mod row;
mod schema;
mod statements;
mod tally;
mod written;

pub use database::HistoryFault;
pub use historian::Historian;
pub use place::is_own_name;
pub use reader::{
    AttackedUser, AttackingNetwork, DecisionsOf, HistoryReader, HourCount, ListedAccount,
    OperatorAct, PastBan, PastDecision, PastOutage, PastProgram,
};
pub use written::{Totals, WrittenTotals};

/// Where the history is, and how long it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistorySettings {
    /// The state directory.
    pub directory: PathBuf,
    /// How long; none: nothing is kept.
    pub keep: Option<Duration>,
}

#[cfg(test)]
mod tests;
