//! seen_names - the names of users who have logged in since the start, for lists of users
//!
//! The gate has keyed hashes only, and so has the disk. In memory, bounded, and gone with the process. Only a login
//! brings a name here, so no guesser chooses one.
//! Not here: names that clients try (`lately`), those that the history has (`history`).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use gatepost_core::gate::request::attempt::UserName;
use gatepost_core::gate::request::keys::UserId;

/// Users whose names are remembered.
const MOST: usize = 10_000;

/// Names by the keyed hashes.
#[derive(Debug, Default)]
pub struct SeenNames(Mutex<HashMap<u64, Box<str>>>);

impl SeenNames {
    /// A user has logged in by this name.
    pub fn note(&self, user: UserId, name: &UserName) {
        let mut names = self.lock();
        if names.len() < MOST && !names.contains_key(&user.code()) {
            names.insert(user.code(), name.to_string().into());
        }
    }

    /// An operator wants the name forgotten.
    pub fn forget(&self, user: UserId) {
        self.lock().remove(&user.code());
    }

    /// All of them.
    pub fn all(&self) -> HashMap<u64, Box<str>> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Box<str>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
