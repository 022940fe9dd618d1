//! typing_errors - what a wrong password has paid, until the right one follows from the same client
//!
//! On the first morning an office logs in from one address, and one of ten mistypes: what these pay would empty
//! the address's bucket. When a client's user is accepted, the last two wrong passwords of just that user and
//! client were typing errors, and are given back. A guesser gains nothing: only who knows the password gets
//! back what guesses at this one account cost, never what those at another did.
//!
//! Bounded; the oldest goes, and stays paid. Not here: when it is kept (`settle`).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::gate::case::{Case, Tokens};
use crate::gate::request::client::ClientKey;
use crate::gate::request::keys::UserId;
use crate::moment::Moment;

/// Pairs of client and user that are remembered, of some 500 octets each.
const KEPT: usize = 1024;
/// How soon the right password must follow.
const FOLLOWS: Duration = Duration::from_secs(600);

#[derive(Default)]
pub(in crate::gate) struct TypingErrors(Mutex<HashMap<(ClientKey, UserId), LastTwo>>);

/// The tokens of the last two wrong passwords, and when the later one was rejected.
#[derive(Clone, Copy)]
struct LastTwo {
    at: Moment,
    spent: [Tokens; 2],
}

impl TypingErrors {
    /// Keeps what a rejected attempt has spent.
    pub(in crate::gate) fn keep(&self, case: &Case, tokens: Tokens, now: Moment) {
        let key = (case.client, case.user);
        let mut kept = self.lock();
        let before = kept.get(&key).filter(|last| is_recent(last, now));
        let before = before.map_or(Tokens::NONE, |last| last.spent[0]);
        if kept.len() >= KEPT && !kept.contains_key(&key) {
            let oldest = kept.iter().min_by_key(|(_, last)| last.at);
            if let Some(oldest) = oldest.map(|(key, _)| *key) {
                kept.remove(&oldest);
            }
        }
        let spent = [tokens, before];
        kept.insert(key, LastTwo { at: now, spent });
    }

    /// Takes out what a client has spent on this user just before it was accepted.
    pub(in crate::gate) fn take(&self, case: &Case, now: Moment) -> [Tokens; 2] {
        let last = self.lock().remove(&(case.client, case.user));
        let last = last.filter(|last| is_recent(last, now));
        last.map_or([Tokens::NONE; 2], |last| last.spent)
    }

    /// Forgets all: settling in is over.
    pub(in crate::gate) fn clear(&self) {
        *self.lock() = HashMap::new();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(ClientKey, UserId), LastTwo>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_recent(last: &LastTwo, now: Moment) -> bool {
    now.since(last.at) < FOLLOWS
}
