//! honest - what does Gatepost cost the users it is for?
//!
//! Familiar users, from their own network: handshake, EHLO, AUTH, one mail, QUIT.
//! Worrying: more than HAProxy, which does nothing but TLS and a splice.

use std::sync::Arc;

use crate::Outcome;
use crate::backend::{USERS, user};
use crate::client::{Caller, Tickets, letter};
use crate::load::{Tally, crowd};
use crate::peer::{Kind, Wishes};
use crate::results::Results;
use crate::stage::{Behind, Set, Stage, micros_each};

/// Sessions that go on at the same time.
const AT_ONCE: usize = 8;

pub(super) fn mails(stage: &Stage, results: &mut Results) -> Outcome<()> {
    let everybody = Kind::SERVERS;
    let setting = (Behind::Sha256, &Wishes::default());
    stage.in_turns(results, everybody, setting, |set| {
        let count = stage.extent.count(600, 160);
        sessions(set, USERS * 2, 4 * 1024)?;
        let (cost, tally) = set.cost(|| sessions(set, count, 4 * 1024))?;
        let p50 = tally.percentiles().p50_us as f64 / 1000.0;
        Ok(vec![
            ("mail", micros_each(cost.proxy, count)),
            ("mail-stack", micros_each(cost.stack, count)),
            ("mail-p50", p50),
        ])
    })
}

pub(super) fn bulk(stage: &Stage, results: &mut Results) -> Outcome<()> {
    const MEGABYTES: usize = 25;
    let proxies = Kind::PROXIES;
    let setting = (Behind::Sha256, &Wishes::default());
    stage.in_turns(results, proxies, setting, |set| {
        let count = stage.extent.count(8, 3);
        sessions(set, USERS, 1024)?;
        let (cost, _) = set.cost(|| sessions(set, count, MEGABYTES * 1_000_000))?;
        Ok(vec![("bulk", micros_each(cost.proxy, count * MEGABYTES))])
    })
}

/// Sessions with a mail of so many octets each; every one must succeed.
fn sessions(set: &Set<'_>, count: usize, octets: usize) -> Outcome<Tally> {
    let stage = set.stage;
    let caller = Caller::new(set.peer.address, Tickets::Ignored)?;
    let text = Arc::new(letter(octets));
    let at_once = if octets > 1_000_000 { 2 } else { AT_ONCE };
    let job = move |number| {
        let (caller, text) = (caller.clone(), Arc::clone(&text));
        async move {
            let mut talk = caller.logged_in(number).await?;
            talk.mail(&user(number), &text).await?;
            talk.quit().await
        }
    };
    stage
        .runtime
        .block_on(crowd(stage.clock, at_once, count, job))
        .all_done()
}

/// Logs every user in once from home, so that all are familiar there.
pub(super) fn introduce(set: &Set<'_>) -> Outcome<()> {
    let stage = set.stage;
    let caller = Caller::new(set.peer.address, Tickets::Ignored)?;
    let job = move |number| {
        let caller = caller.clone();
        async move { caller.logged_in(number).await?.quit().await }
    };
    stage
        .runtime
        .block_on(crowd(stage.clock, 4, USERS, job))
        .all_done()?;
    Ok(())
}
