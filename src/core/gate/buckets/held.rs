//! held - the tokens of attempts whose outcome is not known yet
//!
//! Postfix has not answered in time, or the client broke an exchange off after it was given a challenge. The
//! tokens stay spent, and are kept here beside the try: asked again with the same password, it goes on with
//! them and pays nothing more; and when that password is accepted, or the client logs in as that user after an
//! exchange that hid it, they go back. So a try is settled once, by what is known of it at the end.
//! A ring of fixed length: beyond it the oldest stay spent. It does not outlive the process.
//! Not here: what an outcome does (`settle`), what a client tried last (`tries`).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::gate::buckets::bucket::Token;
use crate::gate::buckets::key::BucketKey;
use crate::gate::case::{Basis, Case, Tokens};
use crate::gate::request::client::ClientKey;
use crate::gate::request::verdict::Reason;
use crate::moment::Moment;

/// Attempts whose tokens are kept: about a megabyte.
const ATTEMPTS: usize = 4_096;
/// How long a try may go on with tokens that it has paid: as a mail program retries. Kept for longer, they
/// would pay for many tries at once on another day.
const GOES_ON: Duration = Duration::from_secs(600);

/// What an attempt has paid.
#[derive(Clone, Copy, Debug)]
pub(in crate::gate) struct HeldTokens {
    pub(in crate::gate) case: Case,
    pub(in crate::gate) tokens: Tokens,
    pub(in crate::gate) grounds: Reason,
    pub(in crate::gate) basis: Basis,
    pub(in crate::gate) at: Moment,
}

#[derive(Default)]
pub(in crate::gate) struct HeldAttempts {
    ring: Mutex<VecDeque<HeldTokens>>,
    /// How many there are: mostly none, and then no login takes the lock.
    count: AtomicUsize,
    evicted: AtomicU64,
}

impl HeldAttempts {
    /// Keeps what an attempt has paid.
    pub(in crate::gate) fn keep(&self, held: HeldTokens) {
        let mut ring = self.lock();
        if ring.len() == ATTEMPTS {
            ring.pop_front();
            self.evicted.fetch_add(1, Ordering::Relaxed);
        }
        ring.push_back(held);
        self.count.store(ring.len(), Ordering::Relaxed);
    }

    /// Whether this very try has paid a short time ago, and has no answer.
    pub(in crate::gate) fn has(&self, case: &Case, now: Moment) -> bool {
        !self.is_empty() && self.lock().iter().any(|held| held.is_try(case, now))
    }

    /// Whether any try of this client has paid and has no answer.
    pub(in crate::gate) fn are_any_of(&self, client: ClientKey) -> bool {
        !self.is_empty() && self.lock().iter().any(|held| held.case.client == client)
    }

    /// What this very try has paid a short time ago.
    pub(in crate::gate) fn take(&self, case: &Case, now: Moment) -> Option<HeldTokens> {
        if self.is_empty() {
            return None;
        }
        let mut ring = self.lock();
        let at = ring.iter().position(|held| held.is_try(case, now))?;
        let taken = ring.remove(at);
        self.count.store(ring.len(), Ordering::Relaxed);
        taken
    }

    /// All that was paid for a password that turned out right, wherever, and for this client's exchanges as
    /// this user that hid theirs.
    pub(in crate::gate) fn accepted(&self, case: &Case) -> Vec<HeldTokens> {
        if self.is_empty() {
            return Vec::new();
        }
        let mut ring = self.lock();
        let (freed, kept) = ring.drain(..).partition(|held| held.is_freed_by(case));
        let freed: VecDeque<HeldTokens> = freed;
        *ring = kept;
        self.count.store(ring.len(), Ordering::Relaxed);
        freed.into()
    }

    /// When their tokens of this bucket were taken, as far as is known.
    pub(in crate::gate) fn taken_of(&self, key: BucketKey) -> Vec<Moment> {
        if self.is_empty() {
            return Vec::new();
        }
        let ring = self.lock();
        let have = ring.iter().filter(|held| held.tokens.have_of(key));
        have.map(|held| held.at).collect()
    }

    /// How many of them stay spent for want of room.
    pub(in crate::gate) fn evictions(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }

    fn is_empty(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<HeldTokens>> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tokens {
    /// Whether one of them is of this bucket.
    pub(in crate::gate) fn have_of(&self, from: BucketKey) -> bool {
        let is_of = |token: &Token| matches!(token, Token::Own(key, _) if *key == from);
        self.iter().any(is_of)
    }
}

impl HeldTokens {
    fn is_try(&self, case: &Case, now: Moment) -> bool {
        self.case.guess.is_some()
            && self.case.guess == case.guess
            && self.case.client == case.client
            && self.case.user == case.user
            && now.since(self.at) < GOES_ON
    }

    fn is_freed_by(&self, accepted: &Case) -> bool {
        self.case.user == accepted.user
            && match self.case.guess {
                Some(guess) => accepted.guess == Some(guess),
                None => self.case.client == accepted.client,
            }
    }
}
