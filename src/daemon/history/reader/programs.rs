//! programs - the labels of the programs that came with past decisions
//!
//! Of decisions that were alike within ten minutes it is the label of the last.
//! Not here: how a label is made (`net::tls::ja4`).

use rusqlite::params_from_iter;

use super::{DecisionsOf, HistoryReader, moment, whose};
use crate::history::database::HistoryFault;
use crate::history::schema::HAS_LABELS;
use gatepost_core::moment::Moment;

/// A program, by the label of its ClientHello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastProgram {
    /// The label: JA4.
    pub label: String,
    /// The last decision that it came with.
    pub last: Moment,
}

impl HistoryReader {
    /// The programs with which the decisions of `of` came, the latest first.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn programs(&self, of: DecisionsOf, most: usize) -> Result<Vec<PastProgram>, HistoryFault> {
        let has_labels = self.ask(HAS_LABELS, [], |row| row.get::<_, i64>(0))?;
        // A file of an earlier version, to which nothing was written yet; or none.
        if has_labels != [1] {
            return Ok(Vec::new());
        }
        let (whose, values) = whose(of, Moment::EPOCH, most);
        let question = format!(
            "SELECT ja4, max(last) AS at FROM decisions \
             WHERE {whose} AND last BETWEEN ?1 AND ?3 AND ja4 IS NOT NULL GROUP BY ja4 ORDER BY at DESC, ja4 LIMIT ?2"
        );
        self.ask(&question, params_from_iter(values), |row| {
            Ok(PastProgram {
                label: row.get(0)?,
                last: moment(row, 1)?,
            })
        })
    }
}
