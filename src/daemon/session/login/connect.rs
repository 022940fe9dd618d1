//! connect - a process of Postfix, and a connection to it, within a client's time for its login
//!
//! Nothing of the client's is sent here but its address and its HELO name, so nothing is charged for what comes of it.
//! Not here: who is next (`gate::processes`), and how Postfix is greeted (`net::upstream`).

use std::pin::pin;
use std::time::Duration;

use tokio::time::timeout;

use crate::net::admission::Slot;
use crate::net::upstream::{
    ClientOrigin, Connected, ProcessLine, ProcessRequest, Purpose, UpstreamFault,
};
use crate::session::Visit;

/// How long a Postfix that is only busy is waited for when Gatepost is stopping.
const DRAINING: Duration = Duration::from_secs(10);

/// The longest wait for a process of Postfix. Mail programs wait no longer for an answer.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits for a process of Postfix, and connects to it. Both end with the client's time for its login, at the latest.
pub(super) async fn connect(
    visit: &Visit,
    origin: &ClientOrigin,
    line: ProcessLine,
    purpose: Purpose,
) -> Result<Connected, UpstreamFault> {
    let upstream = &visit.config.upstream;
    let request = ProcessRequest {
        line,
        purpose,
        patience: visit.time_left().min(PATIENCE),
        drain: visit.drain.clone(),
    };
    let process = while_it_stays(&visit.slot, upstream.process(request)).await?;
    let mut connecting = pin!(upstream.connect(origin, process, visit.time_left()));
    let mut drain = visit.drain.clone();
    tokio::select! {
        connected = connecting.as_mut() => return connected,
        () = drain.begun() => {}
    }
    // Nothing is charged as yet. It is not cut off later, with the sessions that do not end.
    let connected = timeout(DRAINING, connecting).await;
    connected.unwrap_or(Err(UpstreamFault::NoProcess))
}

/// What is waited for, unless the connection of the client that waits is wanted for another first.
async fn while_it_stays<T>(
    slot: &Slot,
    waited: impl Future<Output = Result<T, UpstreamFault>>,
) -> Result<T, UpstreamFault> {
    tokio::select! {
        biased;
        waited = waited => waited,
        () = slot.evicted() => Err(UpstreamFault::NoProcess),
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;
    use crate::net::admission::testing::full_of_one;

    #[tokio::test(start_paused = true)]
    async fn who_is_evicted_waits_for_no_process_and_takes_one_that_is_free() {
        let (evicted, stays) = full_of_one();
        let waits = timeout(PATIENCE, while_it_stays::<()>(&evicted, pending()));
        let waited = waits.await.expect("it does not wait");
        assert!(matches!(waited, Err(UpstreamFault::NoProcess)));
        assert!(while_it_stays(&evicted, ready(Ok(()))).await.is_ok());
        let waits = while_it_stays::<()>(&stays, pending());
        assert!(timeout(PATIENCE, waits).await.is_err(), "it may stay");
    }
}
