//! outage - whether rejections mean a failing backend or an attack
//!
//! Postfix turns Dovecot's temporary failures into 535. Users who have logged in before, several of
//! them, from several networks, all rejected within seconds and none accepted in between: that is a
//! backend that fails. An infected PC guesses for many users too, but from one network.
//!
//! Five accounts of an attacker's own look the same. So a suspicion changes what is told and in which order
//! is tried, never what a bucket bounds: see `doubts`. A pair that has become familiar just now gives no sign.
//! Not here: what follows (`settle`), which attempts wait meanwhile (`judge`).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::gate::case::{Case, Tokens};
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
pub(in crate::gate) struct OutageDetector {
    signs: Mutex<Signs>,
    /// Whether `signs` has a suspicion: what every attempt asks, without the lock.
    suspected: AtomicBool,
}

/// A rejection of a familiar pair, and the tokens that it spent.
pub(in crate::gate) type Rejection = (Case, Tokens);

#[derive(Default)]
struct Signs {
    rejected: Vec<(Moment, Rejection)>,
    /// The last rejection while the backend is taken for failing.
    since: Option<Moment>,
}

impl OutageDetector {
    /// A familiar pair was rejected with a password that is not known to be wrong. If that makes a suspicion,
    /// those that were rejected shortly before, whose passwords are no more wrong than this one.
    pub(in crate::gate) fn rejected(
        &self,
        rejection: Rejection,
        now: Moment,
        changes: &mut Vec<Change>,
    ) -> Vec<Rejection> {
        let mut signs = self.lock();
        if signs.since.is_some() {
            signs.since = Some(now);
            return Vec::new();
        }
        signs.rejected.retain(|(at, _)| now.since(*at) < WINDOW);
        if signs.rejected.len() == REMEMBERED {
            signs.rejected.remove(0);
        }
        signs.rejected.push((now, rejection));
        let cases = || signs.rejected.iter().map(|(_, (case, _))| case);
        let users = distinct(cases().map(|case| case.user));
        let networks = distinct(cases().map(|case| case.network));
        if users < USERS || networks < NETWORKS {
            return Vec::new();
        }
        // The last is this one, which its caller has.
        signs.rejected.pop();
        let before = signs.rejected.drain(..);
        let before = before.map(|(_, rejection)| rejection).collect();
        self.suspect(&mut signs, Some(now));
        changes.push(Change::here(now, Fact::BackendFailing));
        before
    }

    /// Somebody was accepted: it works.
    pub(in crate::gate) fn accepted(&self, now: Moment, changes: &mut Vec<Change>) {
        let mut signs = self.lock();
        self.end(&mut signs, now, changes);
    }

    /// Ends what nobody has confirmed for long.
    pub(in crate::gate) fn tick(&self, now: Moment, changes: &mut Vec<Change>) {
        let mut signs = self.lock();
        if signs.since.is_some_and(|at| now.since(at) >= FORGOTTEN) {
            self.end(&mut signs, now, changes);
        }
    }

    /// Whether the backend is taken for failing.
    pub(in crate::gate) fn is_suspected(&self) -> bool {
        self.suspected.load(Ordering::Relaxed)
    }

    fn end(&self, signs: &mut Signs, now: Moment, changes: &mut Vec<Change>) {
        signs.rejected.clear();
        if signs.since.is_some() {
            self.suspect(signs, None);
            changes.push(Change::here(now, Fact::BackendRecovered));
        }
    }

    fn suspect(&self, signs: &mut Signs, since: Option<Moment>) {
        signs.since = since;
        self.suspected.store(since.is_some(), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Signs> {
        self.signs.lock().unwrap_or_else(PoisonError::into_inner)
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
    use crate::gate::request::device::DeviceTrust;
    use crate::gate::request::doors::Door;
    use crate::gate::request::keys::UserId;
    use crate::gate::request::place::Located;
    use crate::gate::trust::familiar::{Context, NetworkTrust, PairAge};

    #[test]
    fn a_flood_of_rejections_makes_nothing_grow_and_one_network_is_no_backend() {
        let outage = OutageDetector::default();
        let mut changes = Vec::new();
        let client = ClientKey::V4(1);
        for n in 0..1000 {
            let case = Case {
                at: Moment::from_nanos(n),
                session: n,
                door: Door::Own,
                client,
                country: Located::Unasked,
                system: None,
                network: client.network(),
                user: UserId(n),
                payer: UserId(n),
                payer_if_unknown: UserId(n),
                guess: None,
                secret: SecretKind::Passing,
                word: Word::Common,
                device: None,
                who: Context {
                    trust: Trust::Familiar,
                    in_network: Trust::Familiar,
                    by_system: false,
                    device: DeviceTrust::Unknown,
                    age: PairAge::Old,
                    known: true,
                    network: NetworkTrust::Familiar,
                    users: 1000,
                },
            };
            let now = Moment::from_nanos(n);
            let before = outage.rejected((case, Tokens::NONE), now, &mut changes);
            assert!(before.is_empty());
        }
        assert_eq!(outage.lock().rejected.len(), REMEMBERED);
        assert!(changes.is_empty() && !outage.is_suspected());
    }
}
