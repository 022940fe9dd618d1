//! honest - what does Gatepost cost the users it is for?
//!
//! Familiar users, from their own network: handshake, EHLO, AUTH, one mail, QUIT.
//! Worrying: more than HAProxy, which does nothing but TLS and a splice.

use std::io;
use std::sync::Arc;

use crate::BenchResult;
use crate::backend::{USERS, user};
use crate::bench::{BackendKind, Bench, Measurement, micros_each};
use crate::client::{BenchClient, Tickets, letter};
use crate::load::{JobTally, run_at_once};
use crate::peer::{ConfigChanges, PeerKind};
use crate::results::Results;

/// Sessions that go on at the same time.
const AT_ONCE: usize = 8;

pub(super) fn mails(bench: &Bench, results: &mut Results) -> BenchResult<()> {
    let everybody = PeerKind::SERVERS;
    let setting = (BackendKind::Sha256, &ConfigChanges::default());
    bench.in_turns(results, everybody, setting, |set| {
        let count = bench.extent.count(600, 160);
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

pub(super) fn bulk(bench: &Bench, results: &mut Results) -> BenchResult<()> {
    const MEGABYTES: usize = 25;
    let proxies = PeerKind::PROXIES;
    let setting = (BackendKind::Sha256, &ConfigChanges::default());
    bench.in_turns(results, proxies, setting, |set| {
        let count = bench.extent.count(8, 3);
        sessions(set, USERS, 1024)?;
        let (cost, _) = set.cost(|| sessions(set, count, MEGABYTES * 1_000_000))?;
        Ok(vec![("bulk", micros_each(cost.proxy, count * MEGABYTES))])
    })
}

/// Sessions with a mail of so many octets each; every one must succeed.
pub(super) fn sessions(
    set: &Measurement<'_>,
    count: usize,
    octets: usize,
) -> BenchResult<JobTally> {
    let bench = set.bench;
    let client = BenchClient::new(set.peer.address, Tickets::Ignored)?;
    let text = Arc::new(letter(octets));
    let at_once = if octets > 1_000_000 { 2 } else { AT_ONCE };
    let job = move |number| session(client.clone(), Arc::clone(&text), number);
    bench
        .runtime
        .block_on(run_at_once(bench.clock, at_once, count, job))
        .all_done()
}

/// One session of the user with this number, with a mail.
pub(super) async fn session(
    client: BenchClient,
    text: Arc<String>,
    number: usize,
) -> io::Result<()> {
    let mut talk = client.logged_in(number).await?;
    talk.mail(&user(number), &text).await?;
    talk.quit().await
}

/// Logs every user in once from home, so that all are familiar there.
pub(super) fn log_everybody_in(set: &Measurement<'_>) -> BenchResult<()> {
    let bench = set.bench;
    let client = BenchClient::new(set.peer.address, Tickets::Ignored)?;
    let job = move |number| {
        let client = client.clone();
        async move { client.logged_in(number).await?.quit().await }
    };
    bench
        .runtime
        .block_on(run_at_once(bench.clock, 4, USERS, job))
        .all_done()?;
    Ok(())
}
