//! settling - how much passes while settling in that a bucket would refuse
//!
//! At first everybody is a stranger, and the shared buckets of strangers are too small for a whole server's first
//! logins. So what they refuse is forgiven; but forgiving has buckets of its own, of one user and of all, or a
//! botnet would have a week without any bound. The first botnet empties them, too. What is left of them then is for
//! clients that are more likely honest than a botnet's next address: those from a network where somebody has logged in
//! (an office, a webmail host), and those that bring again the password that was refused, as mail programs do.
//! Not here: what is refused in the first place (`ladder`), the turns (`queue`).

use crate::gate::buckets::key::BucketKey;
use crate::gate::buckets::quota::KeptPart;
use crate::gate::buckets::route::{Due, Route};
use crate::gate::buckets::spec::Bucket;
use crate::gate::case::Case;
use crate::gate::ladder::{Question, Short};
use crate::gate::queue::QueueClass;
use crate::gate::trust::familiar::NetworkTrust;

/// What each of them pays, in this order.
const FORGIVEN: [Bucket; 3] = [Bucket::Client, Bucket::SettlingUser, Bucket::Settling];

/// What speaks for an attempt whose user is not familiar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) enum Prospect {
    /// Nothing.
    None,
    /// It was refused before, and this is the same password.
    Retry,
    /// Somebody has logged in from its network.
    Neighbour,
}

impl Prospect {
    /// What speaks for this attempt; `repeated`: it is one of the client's last tries, and not known to be wrong.
    pub(in crate::gate) const fn of(case: &Case, repeated: bool) -> Self {
        match (case.who.network, repeated) {
            (NetworkTrust::Familiar, _) => Self::Neighbour,
            (NetworkTrust::Near | NetworkTrust::Unknown, true) => Self::Retry,
            (NetworkTrust::Near | NetworkTrust::Unknown, false) => Self::None,
        }
    }

    /// Tokens that it must leave to attempts that are more likely to be honest.
    const fn kept(self) -> KeptPart {
        match self {
            Self::None => KeptPart::Half,
            Self::Retry => KeptPart::Quarter,
            Self::Neighbour => KeptPart::Nothing,
        }
    }

    /// Where it waits for its turn.
    pub(in crate::gate) const fn class(self) -> QueueClass {
        match self {
            Self::None => QueueClass::Forgiven,
            Self::Retry | Self::Neighbour => QueueClass::Ordinary,
        }
    }
}

impl Question<'_> {
    /// What an attempt must pay to be forgiven, if each of these buckets has a token for it; takes nothing.
    pub(in crate::gate) fn forgiveness(
        &self,
        case: &Case,
        prospect: Prospect,
    ) -> Result<Route, Short> {
        let mut route = Route::NONE;
        for bucket in FORGIVEN {
            let Some(key) = BucketKey::of(bucket, self.client, Some(case.payer), &self.gate.keys)
            else {
                continue;
            };
            let limit = self.rules.limit(bucket, case.who.users);
            let kept = match bucket {
                Bucket::Client => KeptPart::Nothing,
                _ => prospect.kept(),
            };
            let held = self.gate.buckets.peek(key, &limit, kept, self.now);
            let key = held.map_err(|wait| Short::of(bucket, wait))?;
            route.push(Due { key, limit });
        }
        Ok(route)
    }
}
