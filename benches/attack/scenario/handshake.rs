//! handshake - TLS, banner, QUIT: what does a client cost that never logs in?
//!
//! ECDSA P-256, TLS 1.3. Full handshakes from thousands of addresses, 16 at once, and shortened ones, 4 at
//! once: a client keeps eight tickets and uses each once, so that more at once would run out of them.
//! Worrying: as much as half of HAProxy's; anything at all behind Gatepost.

use crate::Outcome;
use crate::client::{Caller, Tickets, source};
use crate::load::crowd;
use crate::peer::{Kind, Wishes};
use crate::results::Results;
use crate::stage::{Behind, Set, Stage, micros_each};

pub(super) fn play(stage: &Stage, results: &mut Results) -> Outcome<()> {
    let everybody = Kind::SERVERS;
    let setting = (Behind::Sha256, &Wishes::default());
    stage.in_turns(results, everybody, setting, |set| {
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
struct Cost {
    proxy_us: f64,
    behind_us: f64,
    /// The part of the handshakes that were shortened indeed.
    share_resumed: f64,
}

fn sessions(set: &Set<'_>, tickets: Tickets) -> Outcome<Cost> {
    let stage = set.stage;
    let count = stage.extent.count(1500, 500);
    let at_once = if tickets == Tickets::Used { 4 } else { 16 };
    let caller = Caller::new(set.peer.address, tickets)?;
    let run = |count| {
        let caller = caller.clone();
        let job = move |number| {
            let caller = caller.clone();
            async move { caller.call(source(number)).await?.quit().await }
        };
        stage
            .runtime
            .block_on(crowd(stage.clock, at_once, count, job))
            .all_done()
    };
    run(50)?;
    let before = caller.resumed();
    let (cost, _) = set.cost(|| run(count))?;
    Ok(Cost {
        proxy_us: micros_each(cost.proxy, count),
        behind_us: micros_each(cost.stack.saturating_sub(cost.proxy), count),
        share_resumed: (caller.resumed() - before) as f64 / count as f64,
    })
}
