//! availability - whether Postfix is there, for those who would be sent to it
//!
//! A session is sent away only when several tries in a row have failed, and one more has too: Postfix may be back.
//! Not here: the tries themselves (`upstream`), what was seen at one address (`health`).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::timeout;

use super::{Endpoint, Upstream, UpstreamAddress, Usability};

impl Upstream {
    /// Whether an address greets as it must, as far as is known.
    pub fn is_up(&self) -> bool {
        let greets = |endpoint: &Arc<Endpoint>| endpoint.health.greets().is_usable();
        self.endpoints.iter().any(greets)
    }

    /// Each address, with whether it can be used.
    pub fn usability(&self) -> impl Iterator<Item = (&UpstreamAddress, Usability)> {
        let each = |endpoint: &Arc<Endpoint>| endpoint.health.usability();
        self.endpoints
            .iter()
            .map(move |endpoint| (&endpoint.address, each(endpoint)))
    }

    /// Whether no address has answered in its last tries, or none could be used since the start.
    fn is_down(&self) -> bool {
        let is_known = self.capabilities.borrow().is_some();
        let mut endpoints = self.endpoints.iter();
        endpoints.all(|endpoint| match is_known {
            true => endpoint.health.is_lastingly_dead(),
            false => endpoint.health.has_failed_lastingly(),
        })
    }

    /// Whether it is down still: asked once more if so, for `patience` at most and by one at a time, for
    /// it may be back since.
    pub async fn is_still_down(&self, patience: Duration) -> bool {
        if !self.is_down() {
            return false;
        }
        let began = self.asked_again.load(Ordering::Relaxed);
        let asked = async {
            let _one = self.asking.lock().await;
            if self.asked_again.load(Ordering::Relaxed) == began {
                // What came of it is kept there.
                let _ = self.probe().await;
                self.asked_again.fetch_add(1, Ordering::Relaxed);
            }
        };
        // On the heap: every session's own future holds it else.
        let _ = timeout(patience, Box::pin(asked)).await;
        self.is_down()
    }
}
