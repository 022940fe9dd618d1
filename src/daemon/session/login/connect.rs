//! connect - a process of Postfix, and a connection to it, within a client's time for its login
//!
//! Nothing of the client's is sent here but its address and its HELO name, so nothing is charged for what comes of it.
//! Not here: who is next (`gate::processes`), and how Postfix is greeted (`net::upstream`).

use std::pin::pin;
use std::time::Duration;

use tokio::time::timeout;

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
    let process = upstream.process(request).await?;
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
