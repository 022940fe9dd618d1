//! idle - what does a client hold that does nothing?
//!
//! Proportional set sizes with all sessions, less without, by their number. The same clients have called once
//! before, so that what a server keeps of an address, session or not, is no part of it. And: are honest clients
//! served while strangers idle in all of Postfix's processes?
//! Worrying: a session that holds a Postfix process before it has logged in.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::honest::introduce;
use crate::Outcome;
use crate::client::{Caller, Tickets, attacker, source};
use crate::load::crowd;
use crate::peer::{Kind, Wishes};
use crate::results::Results;
use crate::stage::{Behind, Set, Stage};

/// Memory of sessions before and after the login.
pub(super) fn memory(stage: &Stage, results: &mut Results) -> Outcome<()> {
    let everybody = Kind::SERVERS;
    let setting = (Behind::Wide, &Wishes::default());
    stage.in_turns(results, everybody, setting, |set| {
        let count = stage.extent.count(1000, 300);
        introduce(set)?;
        let caller = Caller::new(set.peer.address, Tickets::Ignored)?;
        let call = move |number| {
            let caller = caller.clone();
            async move { caller.call(source(number)).await?.quit().await }
        };
        stage
            .runtime
            .block_on(crowd(stage.clock, 4, count, call))
            .all_done()?;
        let (proxy, postfix) = grown(set, count, Stand::BeforeLogin)?;
        let mut figures = vec![("idle-behind", postfix)];
        figures.extend(set.peer.program.is_some().then_some(("idle", proxy)));
        Ok(figures)
    })?;
    let proxies = Kind::PROXIES;
    stage.in_turns(results, proxies, setting, |set| {
        let count = stage.extent.count(500, 100);
        introduce(set)?;
        let (logged_in, _) = grown(set, count, Stand::AfterLogin)?;
        Ok(vec![("idle-after", logged_in)])
    })
}

#[derive(Clone, Copy)]
enum Stand {
    BeforeLogin,
    AfterLogin,
}

/// By how many KiB a session the proxy and Postfix grow while `count` sessions stand still.
fn grown(set: &Set<'_>, count: usize, stand: Stand) -> Outcome<(f64, f64)> {
    let stage = set.stage;
    // Postfix's processes of the logins before are to be gone.
    std::thread::sleep(Duration::from_secs(3));
    let before = set.memory();
    let caller = Caller::new(set.peer.address, Tickets::Ignored)?;
    let standing = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let kept = std::sync::Arc::clone(&standing);
    let job = move |number: usize| {
        let (caller, kept) = (caller.clone(), std::sync::Arc::clone(&kept));
        async move {
            let talk = match stand {
                Stand::BeforeLogin => caller.call(source(number)).await?,
                Stand::AfterLogin => caller.logged_in(number).await?,
            };
            if let Ok(mut kept) = kept.lock() {
                kept.push(talk.silence());
            }
            Ok(())
        }
    };
    stage
        .runtime
        .block_on(crowd(stage.clock, 16, count, job))
        .all_done()?;
    std::thread::sleep(Duration::from_millis(500));
    let after = set.memory();
    drop(standing);
    let each =
        |after: u64, before: u64| after.saturating_sub(before) as f64 / 1024.0 / count as f64;
    Ok((each(after.0, before.0), each(after.1, before.1)))
}

/// 150 clients that say nothing, then 20 honest ones with ten seconds of patience.
pub(super) fn strangers(stage: &Stage, results: &mut Results) -> Outcome<()> {
    const IDLERS: usize = 150;
    let setting = (Behind::Sha256, &Wishes::default());
    stage.once(results, &Kind::ALL, setting, |set| {
        introduce(set)?;
        let idlers = stage.runtime.block_on(async {
            let mut idlers: Vec<TcpStream> = Vec::new();
            let caller = Caller::new(set.peer.address, Tickets::Ignored)?;
            for number in 0..IDLERS {
                let call = timeout(Duration::from_millis(300), caller.call(attacker(number)));
                match call.await {
                    Ok(talk) => idlers.push(talk?.silence()),
                    // It is kept waiting: the socket alone holds its place.
                    Err(_) => idlers.push(TcpStream::connect(set.peer.address).await?),
                }
            }
            Outcome::Ok(idlers)
        })?;
        let served = served(set)?;
        drop(idlers);
        std::thread::sleep(Duration::from_secs(2));
        Ok(vec![("served", served as f64)])
    })
}

fn served(set: &Set<'_>) -> Outcome<usize> {
    const HONEST: usize = 20;
    let caller = Caller::new(set.peer.address, Tickets::Ignored)?;
    let job = move |number| {
        let caller = caller.clone();
        async move {
            let login = caller.logged_in(number);
            timeout(Duration::from_secs(10), login).await?.map(drop)
        }
    };
    let stage = set.stage;
    let tally = stage
        .runtime
        .block_on(crowd(stage.clock, HONEST, HONEST, job));
    Ok(HONEST - tally.failed)
}
