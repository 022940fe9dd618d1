//! outage - whether rejections mean a failing backend or an attack
//!
//! Postfix turns Dovecot's temporary failures into 535. Users who have logged in before, several of
//! them, from several networks, all rejected within seconds and none accepted in between: that is a
//! backend that fails. An infected PC guesses for many users too, but from one network.
//! Not here: what follows (`settle`).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::gate::case::Case;
use crate::gate::request::change::{Change, Fact};
use crate::moment::Moment;

/// Rejections this close together are looked at together.
const WINDOW: Duration = Duration::from_secs(10);
/// Different users that must be among them.
const USERS: usize = 5;
/// Different networks that must be among them.
const NETWORKS: usize = 3;
/// Rejections that are remembered.
const REMEMBERED: usize = 32;
/// How long after the last rejection the backend is no longer taken for failing.
const FORGOTTEN: Duration = Duration::from_secs(600);

#[derive(Default)]
pub(in crate::gate) struct OutageDetector(Mutex<Signs>);

#[derive(Default)]
struct Signs {
    rejected: Vec<(Moment, Case)>,
    /// The last rejection while the backend is taken for failing.
    since: Option<Moment>,
}

impl OutageDetector {
    /// A familiar pair was rejected with a password that is not known to be wrong. None: for all we
    /// know it is wrong. Else the backend fails, and what it rejected shortly before is no more
    /// wrong than this is.
    pub(in crate::gate) fn rejected(
        &self,
        case: &Case,
        now: Moment,
        changes: &mut Vec<Change>,
    ) -> Option<Vec<Case>> {
        let mut signs = self.lock();
        signs.rejected.retain(|(at, _)| now.since(*at) < WINDOW);
        let mut refunded = Vec::new();
        if signs.since.is_none() {
            if signs.rejected.len() == REMEMBERED {
                signs.rejected.remove(0);
            }
            signs.rejected.push((now, *case));
            let users = distinct(signs.rejected.iter().map(|(_, case)| case.user));
            let networks = distinct(signs.rejected.iter().map(|(_, case)| case.network));
            if users < USERS || networks < NETWORKS {
                return None;
            }
            refunded.extend(signs.rejected.drain(..).map(|(_, case)| case));
            changes.push(Change::here(now, Fact::BackendFailing));
        }
        signs.since = Some(now);
        Some(refunded)
    }

    /// Somebody was accepted.
    pub(in crate::gate) fn accepted(&self, now: Moment, changes: &mut Vec<Change>) {
        let mut signs = self.lock();
        signs.rejected.clear();
        if signs.since.take().is_some() {
            changes.push(Change::here(now, Fact::BackendRecovered));
        }
    }

    /// Ends what nobody has confirmed for long.
    pub(in crate::gate) fn tick(&self, now: Moment, changes: &mut Vec<Change>) {
        let mut signs = self.lock();
        if signs.since.is_some_and(|at| now.since(at) >= FORGOTTEN) {
            signs.since = None;
            signs.rejected.clear();
            changes.push(Change::here(now, Fact::BackendRecovered));
        }
    }

    /// Whether the backend is taken for failing.
    pub(in crate::gate) fn is_on(&self) -> bool {
        self.lock().since.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Signs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn distinct<T: Ord>(all: impl Iterator<Item = T>) -> usize {
    let mut all: Vec<T> = all.collect();
    all.sort_unstable();
    all.dedup();
    all.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::buckets::words::Word;
    use crate::gate::case::SecretKind;
    use crate::gate::request::attempt::Trust;
    use crate::gate::request::client::ClientKey;
    use crate::gate::request::keys::UserId;
    use crate::gate::trust::familiar::{Context, NetworkTrust};

    #[test]
    fn a_flood_of_rejections_makes_nothing_grow_and_one_network_is_no_backend() {
        let outage = OutageDetector::default();
        let mut changes = Vec::new();
        let client = ClientKey::V4(1);
        for n in 0..1000 {
            let case = Case {
                session: n,
                client,
                network: client.network(),
                user: UserId(n),
                guess: None,
                secret: SecretKind::Passing,
                word: Word::Common,
                who: Context {
                    trust: Trust::Familiar,
                    known: true,
                    network: NetworkTrust::Familiar,
                    users: 1000,
                },
            };
            let now = Moment::from_nanos(n);
            assert!(outage.rejected(&case, now, &mut changes).is_none());
        }
        assert_eq!(outage.lock().rejected.len(), REMEMBERED);
        assert!(changes.is_empty());
    }
}
