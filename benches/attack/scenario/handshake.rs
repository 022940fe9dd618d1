//! handshake - TLS, banner, QUIT: what does a client cost that never logs in?
//!
//! ECDSA P-256, TLS 1.3. Full handshakes from thousands of addresses, and shortened ones.
//! Worrying: as much as half of HAProxy's; anything at all behind Gatepost.

use crate::Outcome;
use crate::client::{Caller, Tickets, source};
use crate::load::crowd;
use crate::peer::{Kind, Wishes};
use crate::results::Results;
use crate::stage::{Behind, Set, Stage, micros_each};

pub(super) fn play(stage: &Stage<'_>, results: &mut Results) -> Outcome<()> {
    let everybody = &Kind::ALL[..7];
    let setting = (Behind::Sha256, &Wishes::default());
    stage.in_turns(results, everybody, setting, |set| {
        let (full, behind) = sessions(set, Tickets::Ignored)?;
        let (resumed, _) = sessions(set, Tickets::Used)?;
        Ok(vec![
            ("full", full),
            ("full-behind", behind),
            ("resumed", resumed),
        ])
    })
}

/// Microseconds a session, of the proxy and behind it.
fn sessions(set: &Set<'_>, tickets: Tickets) -> Outcome<(f64, f64)> {
    let stage = set.stage;
    let count = stage.arguments.count(1500, 500);
    let caller = Caller::new(set.peer.address, tickets)?;
    let run = |count| {
        let caller = caller.clone();
        let job = move |number| {
            let caller = caller.clone();
            async move { caller.call(source(number)).await?.quit().await }
        };
        stage
            .runtime
            .block_on(crowd(stage.clock, 16, count, job))
            .all_done()
    };
    run(50)?;
    let (cost, _) = set.cost(|| run(count))?;
    let proxy = micros_each(cost.proxy, count);
    let behind = micros_each(cost.stack.saturating_sub(cost.proxy), count);
    Ok((proxy, behind))
}
