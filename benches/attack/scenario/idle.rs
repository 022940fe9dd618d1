//! idle - what does an idle client cost?
//!
//! Proportional set sizes with all sessions, less without, by their number. The same clients have called once
//! before, so that what a server keeps of an address, session or not, is no part of it. And: are honest clients
//! served while strangers idle in all of Postfix's processes?
//! Worrying: a session that holds a Postfix process before it has logged in.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::honest::log_everybody_in;
use crate::BenchResult;
use crate::bench::{BackendKind, Bench, Measurement};
use crate::client::{BenchClient, Tickets, attacker, source};
use crate::load::run_at_once;
use crate::peer::{ConfigChanges, PeerKind};
use crate::results::Results;

/// Memory of sessions before and after the login.
pub(super) fn memory(bench: &Bench, results: &mut Results) -> BenchResult<()> {
    let everybody = PeerKind::SERVERS;
    let setting = (BackendKind::Wide, &ConfigChanges::default());
    bench.in_turns(results, everybody, setting, |set| {
        let count = bench.extent.count(1000, 300);
        log_everybody_in(set)?;
        let client = BenchClient::new(set.peer.address, Tickets::Ignored)?;
        let call = move |number| {
            let client = client.clone();
            async move { client.call(source(number)).await?.quit().await }
        };
        bench
            .runtime
            .block_on(run_at_once(bench.clock, 4, count, call))
            .all_done()?;
        let (proxy, postfix) = grown(set, count, SessionState::BeforeLogin)?;
        let mut figures = vec![("idle-behind", postfix)];
        figures.extend(set.peer.program.is_some().then_some(("idle", proxy)));
        Ok(figures)
    })?;
    let proxies = PeerKind::PROXIES;
    bench.in_turns(results, proxies, setting, |set| {
        let count = bench.extent.count(500, 100);
        log_everybody_in(set)?;
        let (logged_in, _) = grown(set, count, SessionState::AfterLogin)?;
        Ok(vec![("idle-after", logged_in)])
    })
}

#[derive(Clone, Copy)]
enum SessionState {
    BeforeLogin,
    AfterLogin,
}

/// By how many KiB a session the proxy and Postfix grow while `count` sessions stand still.
fn grown(set: &Measurement<'_>, count: usize, stand: SessionState) -> BenchResult<(f64, f64)> {
    let bench = set.bench;
    // Postfix's processes of the logins before are to be gone.
    std::thread::sleep(Duration::from_secs(3));
    let before = set.memory();
    let client = BenchClient::new(set.peer.address, Tickets::Ignored)?;
    let standing = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let kept = std::sync::Arc::clone(&standing);
    let job = move |number: usize| {
        let (client, kept) = (client.clone(), std::sync::Arc::clone(&kept));
        async move {
            let talk = match stand {
                SessionState::BeforeLogin => client.call(source(number)).await?,
                SessionState::AfterLogin => client.logged_in(number).await?,
            };
            if let Ok(mut kept) = kept.lock() {
                kept.push(talk.into_socket());
            }
            Ok(())
        }
    };
    bench
        .runtime
        .block_on(run_at_once(bench.clock, 16, count, job))
        .all_done()?;
    std::thread::sleep(Duration::from_millis(500));
    let after = set.memory();
    drop(standing);
    let each =
        |after: u64, before: u64| after.saturating_sub(before) as f64 / 1024.0 / count as f64;
    Ok((each(after.0, before.0), each(after.1, before.1)))
}

/// 150 clients that send nothing, then 20 honest ones that wait ten seconds at most.
pub(super) fn strangers(bench: &Bench, results: &mut Results) -> BenchResult<()> {
    const IDLERS: usize = 150;
    let setting = (BackendKind::Sha256, &ConfigChanges::default());
    bench.once(results, PeerKind::SUBMISSION, setting, |set| {
        log_everybody_in(set)?;
        let idlers = bench.runtime.block_on(async {
            let mut idlers: Vec<TcpStream> = Vec::new();
            let client = BenchClient::new(set.peer.address, Tickets::Ignored)?;
            for number in 0..IDLERS {
                let call = timeout(Duration::from_millis(300), client.call(attacker(number)));
                match call.await {
                    Ok(talk) => idlers.push(talk?.into_socket()),
                    // It is kept waiting: the socket alone holds its place.
                    Err(_) => idlers.push(TcpStream::connect(set.peer.address).await?),
                }
            }
            BenchResult::Ok(idlers)
        })?;
        let served = served(set)?;
        drop(idlers);
        std::thread::sleep(Duration::from_secs(2));
        Ok(vec![("served", served as f64)])
    })
}

fn served(set: &Measurement<'_>) -> BenchResult<usize> {
    const HONEST: usize = 20;
    let client = BenchClient::new(set.peer.address, Tickets::Ignored)?;
    let job = move |number| {
        let client = client.clone();
        async move {
            let login = client.logged_in(number);
            timeout(Duration::from_secs(10), login).await?.map(drop)
        }
    };
    let bench = set.bench;
    let tally = bench
        .runtime
        .block_on(run_at_once(bench.clock, HONEST, HONEST, job));
    Ok(HONEST - tally.failed)
}
