//! crowd - an attempt that is refused only for what others behind its address hold just now, where no "later" can be told
//!
//! When an office comes from a new address, its right logins hold the tokens of that address until they are settled. At
//! our own door the next clients are told to come later; at Dovecot's a refusal reads as a wrong password. So attempts
//! that only lack these tokens are told apart from those that a guesser has shut out: they may wait until one of the
//! others is settled, and ask again. Nothing is lent: an attempt is let through when it has its tokens, and a guesser
//! gets what the buckets have.
//! Not here: how much is held (`buckets::unsettled`), the waiting (the daemon's `judging::at_door`).

use std::time::Duration;

use super::{Evaluation, JudgementStage};
use crate::gate::Gate;
use crate::gate::buckets::key::Key;
use crate::gate::buckets::spec::Bucket;
use crate::gate::case::Case;
use crate::gate::request::client::ClientKey;
use crate::gate::request::verdict::{Reason, Refusal};

impl<S: JudgementStage> Evaluation<'_, S> {
    /// Whether its bucket has a token for it if those that are not settled come back.
    pub(super) fn is_in_crowd(&self, refusal: Refusal) -> bool {
        let Case { door, client, .. } = self.case;
        if door.has_later() {
            return false;
        }
        let (bucket, key) = match refusal.reason {
            Reason::Bucket(Bucket::Client) => (Bucket::Client, Key::client(client)),
            Reason::Bucket(Bucket::ClientNear) => (Bucket::ClientNear, Key::client_near(client)),
            Reason::Bucket(Bucket::Network) => (Bucket::Network, Key::network(self.case.network)),
            _ => return false,
        };
        let unsettled = &self.gate.unsettled;
        let every = self.rules.limit(bucket, self.case.who.users).every();
        let held = Duration::from_nanos(every).saturating_mul(unsettled.of(bucket, key));
        refusal.wait <= held || unsettled.of(Bucket::Credit, Key::client(client)) > 0
    }
}

impl Gate {
    /// Whether an attempt of this client waits for its outcome, and may give back what it has paid.
    pub fn has_unsettled(&self, client: ClientKey) -> bool {
        [
            (Bucket::Client, Key::client(client)),
            (Bucket::ClientNear, Key::client_near(client)),
            (Bucket::Credit, Key::client(client)),
        ]
        .into_iter()
        .any(|(bucket, key)| self.unsettled.of(bucket, key) > 0)
    }
}
