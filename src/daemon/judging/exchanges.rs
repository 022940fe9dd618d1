//! exchanges - places of the exchanges in which Postfix waits for its client
//!
//! Such an exchange (SCRAM, CRAM-MD5) occupies a process of Postfix while the client thinks. Familiar networks have
//! places of their own, so that they never wait for strangers; of the strangers' places a network holds half. One that
//! finds none waits, fair by network and by client, and soon gets the place of the client that has been silent for
//! longest: silence keeps nobody out. That client is not disturbed; when its answer comes, it is refused.
//! Not here: who may try (`gate`), the rounds themselves (`session::login::exchange`), Postfix's processes
//! (`net::upstream`).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::turns::{self, Held, Place, Waiter};
use gatepost_core::gate::queue::{Queue, QueueClass, Share};
use gatepost_core::gate::request::client::{ClientKey, NetworkKey};
use gatepost_core::gate::request::settings::QueueSettings;
use gatepost_core::moment::Moment;

/// A client that has been silent for less keeps its place: a mail program answers sooner, over a slow line too.
const GRACE: Duration = Duration::from_secs(2);
/// The longest that a stranger may take for one round.
const STRANGERS_ROUND: Duration = Duration::from_secs(10);
/// The same in a familiar network: some programs ask their user for the password only then.
pub const FAMILIAR_ROUND: Duration = Duration::from_secs(30);

/// All places.
#[derive(Debug)]
pub(in crate::judging) struct Exchanges {
    strangers: Arc<ExchangePool>,
    familiar: Arc<ExchangePool>,
}

/// Whose places an exchange may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::judging) enum Neighbourhood {
    /// Nobody is familiar in its network.
    Unfamiliar,
    /// Somebody is.
    Familiar,
}

/// Places of one kind.
#[derive(Debug)]
struct ExchangePool {
    queue: Arc<Queue<Waiter>>,
    round: Duration,
    /// Exchanges whose client is silent, the longest first.
    silent: Mutex<Vec<Arc<SilentExchange>>>,
}

#[derive(Debug)]
struct SilentExchange {
    network: NetworkKey,
    since: Moment,
    wanted: Notify,
}

/// The place of one exchange; dropped, it is the next one's.
#[derive(Debug)]
#[must_use]
pub struct ExchangePlace {
    pool: Arc<ExchangePool>,
    network: NetworkKey,
    _held: Held,
}

impl Exchanges {
    /// All free: as many for strangers as may be at Postfix at once, and as many for familiar networks.
    pub(in crate::judging) fn new(settings: QueueSettings) -> Self {
        Self {
            // limit: exchanges
            strangers: ExchangePool::new(settings, Share::Half, STRANGERS_ROUND),
            // limit: exchanges
            familiar: ExchangePool::new(settings, Share::All, FAMILIAR_ROUND),
        }
    }

    /// Takes over new settings.
    pub(in crate::judging) fn reconfigure(&self, settings: QueueSettings) {
        for pool in [&self.strangers, &self.familiar] {
            pool.queue.reconfigure(settings);
            turns::wake(&pool.queue);
        }
    }

    /// Whether any exchange of a network of strangers has a place.
    pub(in crate::judging) fn strangers_hold_any(&self, network: NetworkKey) -> bool {
        self.strangers.queue.holds_any(network)
    }

    /// Waits for a place; none if it did not come before the deadline. Cancel-safe.
    pub(in crate::judging) async fn take(
        &self,
        (client, class): (ClientKey, QueueClass),
        neighbourhood: Neighbourhood,
        now: Moment,
    ) -> Option<ExchangePlace> {
        let pool = match neighbourhood {
            Neighbourhood::Unfamiliar => &self.strangers,
            Neighbourhood::Familiar => &self.familiar,
        };
        let held = pool.take((client, class), now).await?;
        Some(ExchangePlace {
            pool: Arc::clone(pool),
            network: client.network(),
            _held: held,
        })
    }
}

impl ExchangePool {
    fn new(settings: QueueSettings, share: Share, round: Duration) -> Arc<Self> {
        Arc::new(Self {
            queue: Arc::new(Queue::with_share(settings, share)),
            round,
            silent: Mutex::new(Vec::new()),
        })
    }

    async fn take(
        &self,
        (client, class): (ClientKey, QueueClass),
        mut now: Moment,
    ) -> Option<Held> {
        let mut place = Place::enter_as(&self.queue, client, class.in_exchange(), now);
        let deadline = place.deadline();
        loop {
            if let Some(held) = place.fetch() {
                return Some(held);
            }
            if now >= deadline {
                return place.miss();
            }
            let next = self.evict_for(client.network(), now).min(deadline);
            if let Some(held) = place.wait(next.since(now)).await {
                return Some(held);
            }
            now = next;
        }
    }

    /// Evicts the exchange that has been silent for longest of those that keep one of `network` waiting. When the
    /// next one may be.
    fn evict_for(&self, network: NetworkKey, now: Moment) -> Moment {
        let only_own = self.queue.holds_share(network);
        let mut silent = self.silent();
        let in_the_way = |exchange: &Arc<SilentExchange>| !only_own || exchange.network == network;
        let Some(first) = silent.iter().position(in_the_way) else {
            return now + GRACE;
        };
        match silent.get(first).map(|exchange| exchange.since + GRACE) {
            Some(due) if due > now => due,
            _ => {
                silent.remove(first).wanted.notify_one();
                now + GRACE
            }
        }
    }

    fn silent(&self) -> MutexGuard<'_, Vec<Arc<SilentExchange>>> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ExchangePlace {
    /// The longest that its client may take for one round.
    pub fn round(&self) -> Duration {
        self.pool.round
    }

    /// Returns when the place is wanted for another client, while this one has been silent since `now`.
    pub async fn wanted(&self, now: Moment) {
        let silence = Silence::begin(self, now);
        silence.exchange.wanted.notified().await;
    }
}

/// An exchange whose client is waited for, however that ends.
struct Silence<'a> {
    pool: &'a ExchangePool,
    exchange: Arc<SilentExchange>,
}

impl<'a> Silence<'a> {
    fn begin(place: &'a ExchangePlace, since: Moment) -> Self {
        let exchange = Arc::new(SilentExchange {
            network: place.network,
            since,
            wanted: Notify::new(),
        });
        place.pool.silent().push(Arc::clone(&exchange));
        Self {
            pool: &place.pool,
            exchange,
        }
    }
}

impl Drop for Silence<'_> {
    fn drop(&mut self) {
        let mut silent = self.pool.silent();
        silent.retain(|other| !Arc::ptr_eq(other, &self.exchange));
    }
}

#[cfg(test)]
mod tests;
