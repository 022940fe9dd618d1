//! lists - published lists of hostile networks, by their source
//!
//! Each source has one set of networks, which ends by itself and is replaced whole. A client in one of them stands as
//! one with an automatic ban: refused where nobody is familiar, and never in a dry run. Others make these lists, so one may
//! be wrong: a user who has logged in from a network is not refused there, and nothing wide is taken at all.
//! Not here: reading lists and keeping them (the daemon), the deny list of the operator (`rules`), bans of clients (`ban`).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use ipnet::IpNet;

use crate::gate::request::client::ClientKey;
use crate::gate::request::lists::{ListEntry, ListRefusal, MOST_NETWORKS, MOST_SOURCES, is_narrow};
use crate::gate::rules::Networks;
use crate::moment::Moment;

#[derive(Default)]
pub(in crate::gate) struct ImportedLists {
    lists: RwLock<Vec<ImportedList>>,
    /// Whether there is any: mostly none, and then nobody takes the lock.
    any: AtomicBool,
}

struct ImportedList {
    entry: ListEntry,
    networks: Networks,
}

impl ImportedLists {
    /// Takes a list over in place of its source's old one, whole or not at all.
    pub(in crate::gate) fn replace(
        &self,
        source: &str,
        networks: &[IpNet],
        until: Moment,
    ) -> Result<(), ListRefusal> {
        if let Some(wide) = networks.iter().find(|network| !is_narrow(**network)) {
            return Err(ListRefusal::Wide(*wide));
        }
        if networks.len() > MOST_NETWORKS {
            return Err(ListRefusal::Long);
        }
        // Built before the lock is taken, for it takes its time.
        let list = ImportedList {
            networks: Networks::new(networks),
            entry: ListEntry {
                source: source.to_owned(),
                networks: networks.len(),
                until,
            },
        };
        let mut lists = self.write();
        let others = lists.iter().filter(|held| held.entry.source != source);
        if others.count() >= MOST_SOURCES {
            return Err(ListRefusal::Sources);
        }
        lists.retain(|held| held.entry.source != source);
        lists.push(list);
        self.any.store(true, Ordering::Release);
        Ok(())
    }

    /// Removes a source's list; whether there was one.
    pub(in crate::gate) fn remove(&self, source: &str) -> bool {
        let mut lists = self.write();
        let before = lists.len();
        lists.retain(|held| held.entry.source != source);
        self.any.store(!lists.is_empty(), Ordering::Release);
        lists.len() < before
    }

    /// Removes the lists whose time is over.
    pub(in crate::gate) fn expire(&self, now: Moment) {
        if self.is_empty() || self.read().iter().all(|held| held.entry.until > now) {
            return;
        }
        let mut lists = self.write();
        lists.retain(|held| held.entry.until > now);
        self.any.store(!lists.is_empty(), Ordering::Release);
    }

    /// Until when a client is on a list.
    pub(in crate::gate) fn until(&self, client: ClientKey, now: Moment) -> Option<Moment> {
        if self.is_empty() {
            return None;
        }
        let lists = self.read();
        let on = lists
            .iter()
            .filter(|held| held.entry.until > now && held.networks.contains(client));
        on.map(|held| held.entry.until).max()
    }

    /// All of them, in the order in which they came.
    pub(in crate::gate) fn all(&self) -> Vec<ListEntry> {
        self.read().iter().map(|held| held.entry.clone()).collect()
    }

    /// The networks of a source's list; none: it has no list.
    pub(in crate::gate) fn networks(&self, source: &str) -> Option<Vec<IpNet>> {
        let lists = self.read();
        let held = lists.iter().find(|held| held.entry.source == source)?;
        Some(held.networks.all())
    }

    fn is_empty(&self) -> bool {
        !self.any.load(Ordering::Acquire)
    }

    fn read(&self) -> RwLockReadGuard<'_, Vec<ImportedList>> {
        self.lists.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Vec<ImportedList>> {
        self.lists.write().unwrap_or_else(PoisonError::into_inner)
    }
}
