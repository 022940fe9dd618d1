//! flood - can honest users log in while others connect as fast as they can?
//!
//! Ten logins a second of familiar users at even times, bcrypt, latency from the time each was due: ten
//! seconds calm, then thirty beside 150 attackers from 200 addresses that connect again as soon as they are
//! reset, and guess where they are served. Gatepost has its default limits, and once its listener filter
//! too. Servers on one processor, load on the others; Postfix and Dovecot are newly started for each peer.
//! And: 300 familiar devices that log in at once.
//! Worrying: a familiar user who is refused, or waits for strangers.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::honest::log_everybody_in;
use super::millis;
use crate::BenchResult;
use crate::backend::{PasswordHash, user};
use crate::bench::{Bench, Measurement};
use crate::client::{BenchClient, Tickets, attacker};
use crate::load::{JobTally, at_even_times, run_at_once};
use crate::peer::{ConfigChanges, PeerKind};
use crate::results::Results;

/// Honest logins a second.
const RATE: usize = 10;
const CALM_SECONDS: usize = 10;
const FIRST_SECONDS: usize = 10;
const NEXT_SECONDS: usize = 20;
const ATTACKERS: usize = 150;
const ADDRESSES: usize = 200;
/// Who is not reset so soon is served, or waits: then comes the ClientHello.
const RESET_WITHIN: Duration = Duration::from_millis(5);
/// How long a user waits for a login, from connect to 235.
const PATIENCE: Duration = Duration::from_secs(30);
/// Devices that log in at once.
const HERD: usize = 300;

const KINDS: [PeerKind; 4] = [
    PeerKind::Gatepost,
    PeerKind::Other,
    PeerKind::HaProxy,
    PeerKind::Native,
];

pub(super) fn play(bench: &Bench, results: &mut Results) -> BenchResult<()> {
    let admission = |text: &str| ConfigChanges {
        admission: Some(text.to_owned()),
        ..ConfigChanges::default()
    };
    let defaults = (PasswordHash::Bcrypt, &admission(""));
    bench.apart(results, &KINDS, defaults, |set| {
        let flood = flood(set)?;
        Ok(vec![
            ("flood-calm-p50", flood.calm.0),
            ("flood-calm-p99", flood.calm.1),
            ("flood-first-p50", flood.first.0),
            ("flood-first-p99", flood.first.1),
            ("flood-next-p50", flood.next.0),
            ("flood-next-p99", flood.next.1),
            ("flood-failed", flood.failed),
            ("flood-resets", flood.resets),
        ])
    })?;
    let filter = (PasswordHash::Bcrypt, &admission("filter = true\n"));
    bench.apart(results, &KINDS[..2], filter, |set| {
        let flood = flood(set)?;
        Ok(vec![
            ("flood-filter-first-p99", flood.first.1),
            ("flood-filter-next-p99", flood.next.1),
            ("flood-filter-failed", flood.failed),
            ("flood-filter-resets", flood.resets),
        ])
    })
}

/// 300 logins at once.
pub(super) fn herd(bench: &Bench, results: &mut Results) -> BenchResult<()> {
    let setting = (PasswordHash::Bcrypt, &ConfigChanges::default());
    bench.apart(results, &KINDS, setting, |set| {
        log_everybody_in(set)?;
        let client = BenchClient::new(set.peer.address, Tickets::Ignored)?;
        let job = move |number| {
            let client = client.clone();
            async move { timeout(PATIENCE, client.logged_in(number)).await?.map(drop) }
        };
        let jobs = run_at_once(bench.clock, HERD, HERD, job);
        let tally = bench.runtime.block_on(jobs);
        let taken = tally.percentiles();
        Ok(vec![
            ("herd-failed", tally.failed as f64),
            ("herd-p50", millis(taken.p50_us)),
            ("herd-worst", millis(taken.max_us)),
        ])
    })
}

/// What was measured; milliseconds at the median and at 99 in 100.
struct FloodFigures {
    calm: (f64, f64),
    first: (f64, f64),
    next: (f64, f64),
    /// Logins in the flood that failed.
    failed: f64,
    /// Connections that were reset, a second.
    resets: f64,
}

fn flood(set: &Measurement<'_>) -> BenchResult<FloodFigures> {
    log_everybody_in(set)?;
    let calm = logins(set, CALM_SECONDS)?;
    let resets = Arc::new(AtomicUsize::new(0));
    let mut attackers = start_attackers(set, &resets)?;
    let first = logins(set, FIRST_SECONDS)?;
    let next = logins(set, NEXT_SECONDS)?;
    let resets = resets.load(Ordering::Relaxed);
    attackers.abort_all();
    let pair = |tally: &JobTally| {
        let percentiles = tally.percentiles();
        (millis(percentiles.p50_us), millis(percentiles.p99_us))
    };
    Ok(FloodFigures {
        calm: pair(&calm),
        first: pair(&first),
        next: pair(&next),
        failed: (first.failed + next.failed) as f64,
        resets: resets as f64 / (FIRST_SECONDS + NEXT_SECONDS) as f64,
    })
}

/// Honest logins at even times; those under way at the end are waited for.
fn logins(set: &Measurement<'_>, seconds: usize) -> BenchResult<JobTally> {
    let client = BenchClient::new(set.peer.address, Tickets::Ignored)?;
    let more = move |number| number < seconds * RATE;
    let job = move |number| {
        let client = client.clone();
        async move { timeout(PATIENCE, client.logged_in(number)).await?.map(drop) }
    };
    let jobs = at_even_times(set.bench.clock, RATE as f64, more, job);
    let mut tally = set.bench.runtime.block_on(jobs);
    tally.count_failures_as(PATIENCE);
    Ok(tally)
}

fn start_attackers(set: &Measurement<'_>, resets: &Arc<AtomicUsize>) -> BenchResult<JoinSet<()>> {
    let client = BenchClient::new(set.peer.address, Tickets::Ignored)?;
    let guesses = Arc::new(AtomicUsize::new(0));
    let mut attackers = JoinSet::new();
    for number in 0..ATTACKERS {
        let (client, guesses) = (client.clone(), Arc::clone(&guesses));
        let resets = Arc::clone(resets);
        let attack = async move {
            let mut address = number;
            loop {
                if call(&client, attacker(address % ADDRESSES), &guesses)
                    .await
                    .is_err()
                {
                    resets.fetch_add(1, Ordering::Relaxed);
                }
                address += ATTACKERS;
                tokio::task::yield_now().await;
            }
        };
        attackers.spawn_on(attack, set.bench.attackers.handle());
    }
    Ok(attackers)
}

/// One connection of an attacker: reset, or up to five guesses as fast as they are answered.
async fn call(client: &BenchClient, from: Ipv4Addr, guesses: &AtomicUsize) -> io::Result<()> {
    let stream = client.connect(from).await?;
    stays(&stream).await?;
    let mut talk = client.greeted(stream).await?;
    talk.ask("EHLO laptop.example.org").await?;
    for _ in 0..5 {
        let guess = guesses.fetch_add(1, Ordering::Relaxed);
        let password = format!("Raten{guess}wieder");
        if talk.log_in(&user(guess), &password).await? == 421 {
            break;
        }
    }
    Ok(())
}

/// An error when the connection is reset or closed at once.
async fn stays(stream: &TcpStream) -> io::Result<()> {
    match timeout(RESET_WITHIN, stream.peek(&mut [0])).await {
        Ok(Ok(0)) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(outcome) => outcome.map(drop),
        Err(_) => Ok(()),
    }
}
