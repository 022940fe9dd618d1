//! listing - whose password is on the owner's list, as the historian comes to know it
//!
//! Not here: what follows from a login (`history::listed`), the list (`known_passwords`).

use tracing::warn;

use super::Historian;
use super::waiting::WAITING;
use crate::history::listed::{ListedAccounts, ListedNews};
use crate::report::limits::ResourceLimit;
use crate::report::record::AttemptRecord;
use gatepost_core::moment::Moment;

impl Historian {
    /// Keeps whose password is on the owner's list. Those that are known already are read when the first is to be kept.
    pub(super) fn look_up_listed(&mut self, attempt: &AttemptRecord, at: Moment) {
        if attempt.listed.is_none() {
            return;
        }
        if self.listed.is_none() {
            self.listed = Some(self.read_listed());
        }
        let Some(listed) = &mut self.listed else {
            return;
        };
        let ListedNews { row, occurrence } = listed.look(attempt, at);
        self.pass_on(occurrence);
        let Some(row) = row.filter(|_| self.settings.keep.is_some()) else {
            return;
        };
        match self.waiting.len() >= WAITING {
            true => self.limits.count(ResourceLimit::History),
            false => self.waiting.push((at, row)),
        }
    }

    /// The accounts that an earlier process knew. Where the file cannot be read, they are told once more.
    fn read_listed(&mut self) -> ListedAccounts {
        if self.settings.keep.is_none() || self.be_open().is_err() {
            return ListedAccounts::default();
        }
        let Some((place, database)) = &self.open else {
            return ListedAccounts::default();
        };
        let read = place.act(|| ListedAccounts::read(&database.connection));
        read.unwrap_or_else(|fault| {
            warn!("which accounts have a listed password cannot be read: {fault}");
            ListedAccounts::default()
        })
    }
}
