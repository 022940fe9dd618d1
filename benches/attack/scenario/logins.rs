//! logins - can honest users log in while others guess?
//!
//! Ten logins a second of familiar users at even times, bcrypt, latency from the time each was due; first
//! calm, in turns, for a percentile of few logins needs rounds; then under 150 attackers from 200 addresses,
//! each with a new password a second at the most, for the same 70 seconds for each peer. A user waits
//! 30 seconds at most, and a login that fails counts as one that took them.
//! Worrying: a familiar user who feels the attack.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::honest::log_everybody_in;
use super::millis;
use crate::BenchResult;
use crate::backend::user;
use crate::bench::{BackendKind, Bench, Measurement};
use crate::client::{BenchClient, Tickets, attacker};
use crate::load::{JobTally, at_even_times};
use crate::peer::{ConfigChanges, PeerKind};
use crate::results::Results;

/// Honest logins a second.
const RATE: f64 = 10.0;
const ATTACKERS: usize = 150;
const ADDRESSES: usize = 200;
/// As long as that the attackers meet full buckets, or what a peer has in their place.
const BURST_SECONDS: usize = 30;
/// Then so long.
const STEADY_SECONDS: usize = 40;
/// How long Postfix and Dovecot need to be done with what an attack has left behind.
const RECOVERY: Duration = Duration::from_secs(10);
/// How long a user waits for a login, from connect to 235.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn play(bench: &Bench, results: &mut Results) -> BenchResult<()> {
    let mut kinds: Vec<PeerKind> = PeerKind::ALL.to_vec();
    kinds.retain(|kind| kind.asks_dovecot());
    // Calm, the limit does nothing, but it counts honest logins too.
    let in_calm: Vec<PeerKind> = kinds
        .iter()
        .copied()
        .filter(|kind| *kind != PeerKind::RateLimited)
        .collect();
    let setting = (BackendKind::Bcrypt, &ConfigChanges::default());
    bench.in_turns(results, &in_calm, setting, |set| {
        log_everybody_in(set)?;
        let calm = logins(set, seconds(bench.extent.count(20, 8)));
        let calm = bench.runtime.block_on(calm).percentiles();
        Ok(vec![
            ("calm-p50", millis(calm.p50_us)),
            ("calm-p99", millis(calm.p99_us)),
        ])
    })?;
    bench.once(results, &kinds, setting, |set| {
        log_everybody_in(set)?;
        let (burst, steady, reached) = bench.runtime.block_on(under_attack(set));
        let denied = burst.failed + steady.failed;
        let (burst, steady) = (burst.percentiles(), steady.percentiles());
        Ok(vec![
            ("burst-p50", millis(burst.p50_us)),
            ("burst-p99", millis(burst.p99_us)),
            ("steady-p50", millis(steady.p50_us)),
            ("steady-p99", millis(steady.p99_us)),
            ("denied", denied as f64),
            ("reached", reached as f64),
        ])
    })
}

/// Honest logins in the first seconds of ever larger attacks, each on a newly started peer, when what the
/// one before has left behind is over.
pub(super) fn growing(bench: &Bench, results: &mut Results) -> BenchResult<()> {
    let kinds = [PeerKind::Gatepost, PeerKind::HaProxy, PeerKind::Native];
    let setting = (BackendKind::Bcrypt, &ConfigChanges::default());
    for attackers in [0, 25, 50, 100, 150] {
        let points = Mutex::new(Vec::new());
        bench.once(results, &kinds, setting, |set| {
            log_everybody_in(set)?;
            let tally = bench.runtime.block_on(async {
                let _siege = start_attackers(set, attackers);
                logins(set, seconds(bench.extent.count(6, 4))).await
            });
            std::thread::sleep(RECOVERY);
            if let Ok(mut points) = points.lock() {
                points.push((set.peer.kind, millis(tally.percentiles().p90_us)));
            }
            Ok(Vec::new())
        })?;
        for (kind, p90) in points.into_inner().unwrap_or_default() {
            results.point("latency", kind.name(), (attackers as f64, p90));
        }
    }
    Ok(())
}

/// Logins in the first seconds of the attack, those after them, and how many guesses reached Dovecot until
/// the last of them was due: there the attack ends; logins under way are waited for.
async fn under_attack(set: &Measurement<'_>) -> (JobTally, JobTally, usize) {
    let before = set.backend.wrong_passwords();
    let mut reached = 0;
    let mut attackers = start_attackers(set, ATTACKERS);
    let until_the_end = |number: usize| {
        let goes_on = number < STEADY_SECONDS * RATE as usize;
        if !goes_on {
            attackers.abort_all();
            reached = set.backend.wrong_passwords() - before;
        }
        goes_on
    };
    let steady = async {
        sleep(Duration::from_secs(BURST_SECONDS as u64)).await;
        logins(set, until_the_end).await
    };
    let (burst, steady) = tokio::join!(logins(set, seconds(BURST_SECONDS)), steady);
    (burst, steady, reached)
}

/// So long.
fn seconds(count: usize) -> impl FnMut(usize) -> bool {
    move |number| number < count * RATE as usize
}

/// Honest logins, ten a second.
async fn logins(set: &Measurement<'_>, more: impl FnMut(usize) -> bool) -> JobTally {
    let Ok(client) = BenchClient::new(set.peer.address, Tickets::Ignored) else {
        return JobTally::default();
    };
    let mut tally = at_even_times(set.bench.clock, RATE, more, |number| {
        let client = client.clone();
        async move { timeout(PATIENCE, client.logged_in(number)).await?.map(drop) }
    })
    .await;
    tally.count_failures_as(PATIENCE);
    tally
}

/// Sends attackers that guess until they are dropped.
fn start_attackers(set: &Measurement<'_>, count: usize) -> JoinSet<()> {
    let mut attackers = JoinSet::new();
    let guesses = Arc::new(AtomicUsize::new(0));
    for number in 0..count {
        let Ok(client) = BenchClient::new(set.peer.address, Tickets::Ignored) else {
            continue;
        };
        let guesses = Arc::clone(&guesses);
        let attack = async move {
            let mut address = number;
            loop {
                session(&client, address % ADDRESSES, &guesses).await;
                address += count;
                sleep(Duration::from_secs(1)).await;
            }
        };
        attackers.spawn_on(attack, set.bench.runtime.handle());
    }
    attackers
}

/// Up to five guesses, a second apart.
async fn session(client: &BenchClient, address: usize, guesses: &AtomicUsize) {
    let Ok(mut talk) = client.hello(attacker(address)).await else {
        return;
    };
    for _ in 0..5 {
        let guess = guesses.fetch_add(1, Ordering::Relaxed);
        match talk
            .log_in(&user(guess), &format!("Raten{guess}wieder"))
            .await
        {
            Ok(421) | Err(_) => return,
            Ok(_) => sleep(Duration::from_secs(1)).await,
        }
    }
    let _ = talk.quit().await;
}
