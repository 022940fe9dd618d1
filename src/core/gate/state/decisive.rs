//! decisive - of all changes of one ban the one that holds
//!
//! Not here: the bans that a snapshot has (`restore`), those of a running gate (`trust::ban`).

use std::collections::HashMap;

use crate::gate::request::change::{BanCause, BanStart, Change, Fact, Subject};
use crate::moment::Moment;

/// The change of each ban that holds, of those that no snapshot knows of. In the order of their moments: the last one stays.
pub(in crate::gate::state) fn decisive(
    changes: &[Change],
    covered: Moment,
) -> HashMap<Subject, Change> {
    let mut decisive = HashMap::new();
    for change in changes.iter().filter(|change| change.noted > covered) {
        match change.fact {
            // One by hand of another machine may have begun earlier, and have been noted later.
            Fact::BanBegan(ban) if gives_way(&ban, change.at, decisive.get(&ban.subject)) => {}
            Fact::BanBegan(ban) => drop(decisive.insert(ban.subject, *change)),
            Fact::BanEnded(end) => drop(decisive.insert(end.subject, *change)),
            _ => {}
        }
    }
    decisive
}

/// Whether a ban of the moment `at` changes nothing, because one by hand is in force.
fn gives_way(ban: &BanStart, at: Moment, held: Option<&Change>) -> bool {
    let Some(Fact::BanBegan(held)) = held.map(|change| change.fact) else {
        return false;
    };
    held.cause == BanCause::Operator && ban.cause != BanCause::Operator && held.until > at
}
