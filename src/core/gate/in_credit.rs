//! in_credit - what an attempt pays from the credit of its client, when its buckets are empty
//!
//! Looks, and takes nothing. Not here: how credit is earned (`buckets::credit`), who asks (`ladder`, `judge`).

use crate::gate::buckets::credit::UNTIL_A_LOGIN;
use crate::gate::buckets::key::{BucketKey, Key};
use crate::gate::buckets::quota::KeptPart;
use crate::gate::buckets::route::{Due, Route};
use crate::gate::buckets::spec::Bucket;
use crate::gate::ladder::{Named, Question, Short};

impl Question<'_> {
    /// What an attempt pays from its client's credit, if there is a token of each bucket; takes nothing. A password
    /// that is known to be wrong is not worth it.
    pub(in crate::gate) fn afford_credit(&self) -> Result<Route, Short> {
        let none = Short::of(Bucket::Credit, UNTIL_A_LOGIN);
        let Some(Named { case, past }) = self.attempt else {
            return Err(none);
        };
        if !self.has_credit() || past.wrong_here.is_some() {
            return Err(none);
        }
        let mut route = Route::NONE;
        for bucket in [Bucket::UserCredit, Bucket::Credit] {
            let key = BucketKey::of(bucket, self.client, Some(case.payer), &self.gate.keys);
            let Some(key) = key else { continue };
            let limit = self.rules.limit(bucket, case.who.users);
            let kept = match bucket {
                Bucket::Credit if !case.who.known => self.kept_for_known_names(),
                _ => KeptPart::Nothing,
            };
            let held = self.gate.buckets.peek(key, &limit, kept, self.now);
            let key = held.map_err(|wait| Short::of(bucket, wait))?;
            route.push(Due { key, limit });
        }
        Ok(route)
    }

    /// Credit of this client that is kept for known names: two tokens of thirty, once Postfix has rejected anything from
    /// there. So a guesser whose names are made up leaves its neighbours something.
    pub(in crate::gate) fn kept_for_known_names(&self) -> KeptPart {
        match self.gate.tries.first_failure(self.client) {
            Some(_) => KeptPart::Fifteenth,
            None => KeptPart::Nothing,
        }
    }

    /// Whether there is anything that a client could be let in with though its buckets are empty.
    pub(in crate::gate) fn has_credit(&self) -> bool {
        let key = BucketKey::Earned(Key::client(self.client));
        let limit = self.rules.limit(Bucket::Credit, 0);
        self.rules.earning.is_some() && self.gate.buckets.left(key, limit, self.now) > 0
    }
}
