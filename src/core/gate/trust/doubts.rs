//! doubts - guesses that were rejected while the backend was suspected to fail, and what they have paid
//!
//! Such a rejection tells nothing of the password, so the client is told 454; but it may have been a guess, so
//! its tokens stay spent. The same password of the same user and network again is no new guess, and is asked
//! about once more, for nothing. Accepted, it was no guess at all: only then do the tokens go back. So whatever
//! is feigned, a guess is paid like any other, and an honest user gets the tokens back as soon as the backend works.
//!
//! Bounded: where there are too many, the guess that was asked about longest ago is dropped, and loses its tokens. It does not outlive the process.
//! Not here: when the backend is suspected (`outage`), what is done about it (`judge`, `settle`).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::gate::buckets::key::BucketKey;
use crate::gate::case::{Case, Tokens};
use crate::gate::request::client::NetworkKey;
use crate::gate::request::keys::UserId;
use crate::moment::Moment;

/// Doubts that are kept, of some 250 octets each.
const KEPT: usize = 4096;
/// How long one is kept after Postfix was last asked: long enough for a user who sends mail once a day.
const FORGOTTEN: Duration = Duration::from_secs(86_400);

/// While the backend is suspected to fail, Postfix is asked about a doubt twice in a row, and then no more often than this.
const ASKED_AGAIN: Duration = Duration::from_secs(60);
/// The same where the mechanism hides the password, so that each time is paid.
const HIDDEN_ASKED_AGAIN: Duration = Duration::from_secs(600);

#[derive(Default)]
pub(in crate::gate) struct Doubts {
    kept: Mutex<BTreeMap<DoubtKey, Doubt>>,
    /// How many there are: what every attempt asks, without the lock.
    count: AtomicUsize,
}

/// A password of a user in one network. None: the mechanism hides the password.
type DoubtKey = (UserId, NetworkKey, Option<u64>);

#[derive(Clone, Copy)]
struct Doubt {
    /// When Postfix was last asked.
    asked: Moment,
    /// When it may be asked about twice in a row again.
    rested: Moment,
    tokens: Tokens,
}

impl Doubts {
    /// Keeps a guess with the tokens that it has spent. Where it is kept already, as when two sessions tried the
    /// same at once, the first tokens stay: what is given back is never more than one guess has paid.
    pub(in crate::gate) fn keep(&self, case: &Case, tokens: Tokens, now: Moment) {
        // Hidden passwords may each be another one.
        let tokens = case.guess.map_or(Tokens::NONE, |_| tokens);
        let mut kept = self.lock();
        if let Some(doubt) = kept.get_mut(&key(case)) {
            doubt.asked = now;
            doubt.rested = doubt.rested.max(now) + ASKED_AGAIN;
            return;
        }
        if kept.len() >= KEPT {
            let oldest = kept.iter().min_by_key(|(_, doubt)| doubt.asked);
            if let Some(oldest) = oldest.map(|(key, _)| *key) {
                kept.remove(&oldest);
            }
        }
        let doubt = Doubt {
            asked: now,
            rested: now,
            tokens,
        };
        kept.insert(key(case), doubt);
        self.count.store(kept.len(), Ordering::Relaxed);
    }

    /// Whether no guess is in doubt.
    pub(in crate::gate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    /// How long Postfix is not asked about this guess while the backend is suspected to fail. None: it is not in doubt.
    #[inline]
    pub(in crate::gate) fn rest(&self, case: &Case, now: Moment) -> Option<Duration> {
        if self.is_empty() {
            return None;
        }
        let kept = self.lock();
        let doubt = kept.get(&key(case))?;
        Some(match case.guess {
            Some(_) => doubt.rested.since(now).saturating_sub(ASKED_AGAIN),
            None => HIDDEN_ASKED_AGAIN.saturating_sub(now.since(doubt.asked)),
        })
    }

    /// Whether any guess of this user in this network is in doubt.
    pub(in crate::gate) fn has_of_pair(&self, case: &Case) -> bool {
        if self.is_empty() {
            return false;
        }
        let (user, network, _) = key(case);
        let of_pair = (user, network, None)..=(user, network, Some(u64::MAX));
        self.lock().range(of_pair).next().is_some()
    }

    /// Takes a guess out, which is in doubt no more, with the tokens that it had spent.
    #[inline]
    pub(in crate::gate) fn resolve(&self, case: &Case) -> Option<Tokens> {
        if self.is_empty() {
            return None;
        }
        let mut kept = self.lock();
        let doubt = kept.remove(&key(case));
        self.count.store(kept.len(), Ordering::Relaxed);
        doubt.map(|doubt| doubt.tokens)
    }

    /// When what is in doubt has spent a token of this bucket, as far as is known.
    pub(in crate::gate) fn taken_of(&self, key: BucketKey) -> Vec<Moment> {
        if self.is_empty() {
            return Vec::new();
        }
        let kept = self.lock();
        let have = kept.values().filter(|doubt| doubt.tokens.have_of(key));
        have.map(|doubt| doubt.asked).collect()
    }

    /// Forgets all, with what it has spent: what a dry run did is cleared.
    pub(in crate::gate) fn clear(&self) {
        let mut kept = self.lock();
        kept.clear();
        self.count.store(0, Ordering::Relaxed);
    }

    /// Forgets what nobody has tried again for long.
    pub(in crate::gate) fn tick(&self, now: Moment) {
        if self.is_empty() {
            return;
        }
        let mut kept = self.lock();
        kept.retain(|_, doubt| now.since(doubt.asked) < FORGOTTEN);
        self.count.store(kept.len(), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<DoubtKey, Doubt>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(case: &Case) -> DoubtKey {
    (case.user, case.network, case.guess.map(|guess| guess.0))
}
