//! kept - the bans of a book by their subjects, counted by cause
//!
//! The counts change with each ban that comes or goes, so that nobody has to look at all bans to know how many there are.
//! Not here: when they end, and which goes for another (`ban`).

use std::collections::BTreeMap;
use std::ops::Deref;

use super::HeldBan;
use crate::gate::request::change::{BanCause, Subject};

/// Bans by subject. What only reads them is the tree's own.
#[derive(Default)]
pub(super) struct KeptBans {
    bans: BTreeMap<Subject, HeldBan>,
    /// In the order of [`BanCause::ALL`].
    by_cause: [usize; BanCause::ALL.len()],
}

impl KeptBans {
    /// How many there are of each cause, in the order of [`BanCause::ALL`].
    pub(super) const fn by_cause(&self) -> [usize; BanCause::ALL.len()] {
        self.by_cause
    }

    /// Keeps a ban; the one that it replaces.
    pub(super) fn insert(&mut self, subject: Subject, held: HeldBan) -> Option<HeldBan> {
        let old = self.bans.insert(subject, held);
        if let Some(count) = self.count(held) {
            *count += 1;
        }
        old.inspect(|old| self.gone(*old))
    }

    /// Lets a ban go.
    pub(super) fn remove(&mut self, subject: &Subject) -> Option<HeldBan> {
        let held = self.bans.remove(subject)?;
        self.gone(held);
        Some(held)
    }

    fn gone(&mut self, held: HeldBan) {
        if let Some(count) = self.count(held) {
            *count -= 1;
        }
    }

    fn count(&mut self, held: HeldBan) -> Option<&mut usize> {
        let mut counts = BanCause::ALL.iter().zip(&mut self.by_cause);
        counts
            .find(|(cause, _)| **cause == held.ban.cause)
            .map(|(_, count)| count)
    }
}

impl Deref for KeptBans {
    type Target = BTreeMap<Subject, HeldBan>;

    fn deref(&self) -> &Self::Target {
        &self.bans
    }
}

/// All at once, as they are read from a file.
impl FromIterator<(Subject, HeldBan)> for KeptBans {
    fn from_iter<T: IntoIterator<Item = (Subject, HeldBan)>>(bans: T) -> Self {
        let mut kept = Self {
            bans: bans.into_iter().collect(),
            ..Self::default()
        };
        let bans = kept.bans.values().map(|held| held.ban.cause);
        for cause in bans {
            for (one, count) in BanCause::ALL.iter().zip(&mut kept.by_cause) {
                *count += usize::from(*one == cause);
            }
        }
        kept
    }
}
