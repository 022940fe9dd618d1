//! accept - the refusal that is certain as soon as a client is there, before it has said anything
//!
//! Half of the mail programs show a 454 to AUTH as a wrong password, and all show a 421 in place of the banner as it
//! stands. So a client is refused there if it is sure to be refused whatever it says. That is so if a bucket of its own
//! or of its network has no token for longer than a session lasts, nobody is familiar or near there or has logged in from
//! the device, it has no credit, and none of its passwords may be asked about again. Nobody is refused there while
//! refusals that look alike keep names secret: what Postfix was asked empties a network's bucket, so an answer here would
//! tell of it. Nothing is taken. A client that comes often is let in, so that its AUTH is judged, and a new guess is a
//! strike as ever.
//! Not here: attempts that are under way and may give tokens back (the caller knows), the steps (`ladder`).

use std::time::Duration;

use crate::gate::buckets::quota::Quota;
use crate::gate::buckets::recent::{Answer, Decision};
use crate::gate::judge::KNOWN_WRONG;
use crate::gate::request::client::ClientKey;
use crate::gate::request::doors::Door;
use crate::gate::request::keys::UserId;
use crate::gate::request::verdict::{Reason, Refusal};
use crate::gate::trust::familiar::NetworkTrust;
use crate::gate::{ConnectedClient, Gate};
use crate::moment::Moment;

/// How often a client is refused before its AUTH: as often as a person tries again, or a mail program.
pub(in crate::gate) const REFUSED_AT_ACCEPT: Quota = Quota {
    burst: 4,
    every: Duration::from_secs(120),
};
/// Clients whose refusals are counted; 24 octets each.
pub(in crate::gate) const ROWS: usize = 4_096;

impl Gate {
    /// The refusal of a client in whatever it says within `session`, if that is certain. Counted here, and shown by
    /// `explain` under the session's `number`.
    pub fn refuse_at_accept(
        &self,
        visitor: impl Into<ConnectedClient>,
        number: u64,
        session: Duration,
        now: Moment,
    ) -> Option<Refusal> {
        let ConnectedClient { client, device } = visitor.into();
        if self.may_be_familiar(device) {
            return None;
        }
        let refusal = self.is_sure(client, session, now)?;
        self.refused_at_accept.take(client, now).ok()?;
        self.counters.refuse(refusal.reason);
        self.recent.push(Decision {
            at: now,
            session: number,
            door: Door::Own,
            client,
            answer: Answer::Refuse,
            reason: refusal.reason,
            wait: refusal.wait,
            user: UserId(0),
        });
        Some(refusal)
    }

    fn is_sure(&self, client: ClientKey, session: Duration, now: Moment) -> Option<Refusal> {
        let refusal = self.ask_unnamed(client, now, |question| {
            question.certain().filter(|_| !question.may_hide_failures())
        })?;
        let is_empty_for_long =
            matches!(refusal.reason, Reason::Bucket(_)) && refusal.wait > session;
        let is_unknown = self.familiar.network_trust(client.network()) == NetworkTrust::Unknown;
        let is_sure = is_empty_for_long && is_unknown && !self.may_ask_again(client, now);
        is_sure.then_some(refusal)
    }

    /// Whether a password that this client has tried may be asked about without a token.
    fn may_ask_again(&self, client: ClientKey, now: Moment) -> bool {
        let first = self.tries.first_failure(client);
        first.is_some_and(|first| now.since(first) >= KNOWN_WRONG)
            || self.held.are_any_of(client)
            || !self.doubts.is_empty()
    }
}
