//! probe - asks Postfix from time to time whether it can be used
//!
//! Not here: what makes it usable (`net::upstream`), what is told of an outage (`outages`).

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::outages::OutageWatch;
use crate::drain::Drain;
use crate::session::Services;

/// A Postfix that does not answer is probed each round, one that does each 30th: once a minute.
const PROBE_ROUND: Duration = Duration::from_secs(2);
const PROBE_ROUNDS: u32 = 30;

/// Asks Postfix regularly what it offers and whether it is there: often, as long as it is not. Health tells
/// the log itself.
pub(in crate::server) async fn probe(services: Arc<Services>, mut drain: Drain) {
    let mut rounds_to_rest = 0;
    let mut outages = OutageWatch::default();
    loop {
        let upstream = Arc::clone(&services.config.load().upstream);
        if rounds_to_rest == 0 || !upstream.is_up() {
            tokio::select! {
                // What came of it is kept there.
                _ = upstream.probe() => {}
                () = drain.begun() => return,
            }
            rounds_to_rest = PROBE_ROUNDS;
        }
        outages.look(&upstream, &services.judging);
        rounds_to_rest -= 1;
        tokio::select! {
            () = sleep(PROBE_ROUND) => {}
            () = drain.begun() => return,
        }
    }
}
