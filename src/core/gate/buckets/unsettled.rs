//! unsettled - what attempts without an outcome hold of the buckets of one address or network, and may give back
//!
//! Many right logins at once from one address hold all of its tokens until they are known to be right. A client that
//! comes meanwhile meets an empty bucket, as behind a guesser; how much of it may come back in a moment is counted here.
//! There is a number for each bucket of which a permit holds something, so there are no more than permits.
//! Not here: the tokens (`bucket`), what follows for the next attempt (`judge::crowd`), and that they are no guesses (`settle::watch`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::gate::buckets::bucket::Token;
use crate::gate::buckets::key::{BucketKey, Key};
use crate::gate::buckets::route::Few;
use crate::gate::buckets::spec::Bucket;

/// All of it.
#[derive(Clone, Debug, Default)]
pub(in crate::gate) struct Unsettled(Arc<Mutex<HashMap<(Bucket, Key), u32>>>);

/// What one attempt holds; dropped, it is settled.
#[derive(Debug)]
pub(in crate::gate) struct UnsettledTokens {
    all: Unsettled,
    held: Few<(Bucket, Key)>,
}

impl Unsettled {
    /// These tokens are held. None: there is none of an address among them.
    pub(in crate::gate) fn hold(&self, tokens: &Few<Token>) -> Option<UnsettledTokens> {
        let mut held = Few::NONE;
        for token in tokens.iter() {
            if let Token::Own(key, _) = *token
                && let Some(row) = row(key)
            {
                held.push(row);
            }
        }
        held.iter().next()?;
        let mut all = self.lock();
        for bucket in held.iter() {
            *all.entry(*bucket).or_default() += 1;
        }
        let all = self.clone();
        Some(UnsettledTokens { all, held })
    }

    /// How many tokens of a bucket are held.
    pub(in crate::gate) fn of(&self, bucket: Bucket, key: Key) -> u32 {
        self.lock().get(&(bucket, key)).copied().unwrap_or_default()
    }

    /// The same, where the bucket's row is known.
    pub(in crate::gate) fn of_key(&self, key: BucketKey) -> u32 {
        row(key).map_or(0, |(bucket, key)| self.of(bucket, key))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Bucket, Key), u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UnsettledTokens {
    /// How many of a bucket.
    pub(in crate::gate) fn of(&self, key: BucketKey) -> u32 {
        u32::from(self.held.iter().any(|held| Some(*held) == row(key)))
    }
}

/// What is counted of a bucket, if it is one of an address or network.
const fn row(key: BucketKey) -> Option<(Bucket, Key)> {
    match key {
        BucketKey::Keyed(bucket @ (Bucket::Client | Bucket::ClientNear | Bucket::Network), key) => {
            Some((bucket, key))
        }
        BucketKey::Earned(key) => Some((Bucket::Credit, key)),
        BucketKey::Keyed(..) | BucketKey::Shared(_) | BucketKey::Lent(_) => None,
    }
}

impl Drop for UnsettledTokens {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        for bucket in self.held.iter() {
            if let Some(held) = all.get_mut(bucket) {
                *held -= 1;
                if *held == 0 {
                    all.remove(bucket);
                }
            }
        }
    }
}
