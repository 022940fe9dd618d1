//! handshake - TLS, banner, QUIT: what does a client cost that never logs in?
//!
//! ECDSA P-256, TLS 1.3. Full handshakes from thousands of addresses, 16 at once, and shortened ones, 4 at
//! once: a client keeps eight tickets and uses each once, so that more at once would run out of them.
//! Worrying: as much as half of HAProxy's; anything at all behind Gatepost.

use crate::BenchResult;
use crate::bench::{BackendKind, Bench, Measurement, micros_each};
use crate::client::{BenchClient, Tickets, source};
use crate::load::run_at_once;
use crate::peer::{ConfigChanges, PeerKind};
use crate::results::Results;

pub(super) fn play(bench: &Bench, results: &mut Results) -> BenchResult<()> {
    let everybody = PeerKind::SERVERS;
    let setting = (BackendKind::Sha256, &ConfigChanges::default());
    bench.in_turns(results, everybody, setting, |set| {
        let full = sessions(set, Tickets::Ignored)?;
        let resumed = sessions(set, Tickets::Used)?;
        Ok(vec![
            ("full", full.proxy_us),
            ("full-behind", full.behind_us),
            ("resumed", resumed.proxy_us),
            ("resumed-share", resumed.share_resumed * 100.0),
        ])
    })
}

/// What a session takes.
struct SessionCost {
    proxy_us: f64,
    behind_us: f64,
    /// The part of the handshakes that were shortened indeed.
    share_resumed: f64,
}

fn sessions(set: &Measurement<'_>, tickets: Tickets) -> BenchResult<SessionCost> {
    let bench = set.bench;
    let count = bench.extent.count(1500, 500);
    let at_once = if tickets == Tickets::Used { 4 } else { 16 };
    let client = BenchClient::new(set.peer.address, tickets)?;
    let run = |count| {
        let client = client.clone();
        let job = move |number| {
            let client = client.clone();
            async move { client.call(source(number)).await?.quit().await }
        };
        bench
            .runtime
            .block_on(run_at_once(bench.clock, at_once, count, job))
            .all_done()
    };
    run(50)?;
    let before = client.resumed();
    let (cost, _) = set.cost(|| run(count))?;
    Ok(SessionCost {
        proxy_us: micros_each(cost.proxy, count),
        behind_us: micros_each(cost.stack.saturating_sub(cost.proxy), count),
        share_resumed: (client.resumed() - before) as f64 / count as f64,
    })
}
