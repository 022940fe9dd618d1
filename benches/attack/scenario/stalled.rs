//! stalled - does a familiar client's handshake wait for those of strangers?
//!
//! Twenty handshakes a second of familiar clients at even times, latency from the time each was due: calm;
//! then while 400 addresses send a ClientHello and nothing more, 1,740 a second, and stay; then while 400
//! strangers at once make whole handshakes as fast as they can. Servers on one processor, load on the
//! others; Postfix and Dovecot are newly started for each peer.
//! Worrying: a familiar client that waits for a stranger.

use std::collections::VecDeque;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gatepost_lab::load::Schedule;
use tokio::io::AsyncWriteExt as _;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::honest::log_everybody_in;
use super::millis;
use crate::BenchResult;
use crate::backend::PasswordHash;
use crate::bench::{Bench, Measurement};
use crate::client::{BenchClient, Tickets, attacker, home, source};
use crate::load::{JobTally, at_even_times};
use crate::peer::{ConfigChanges, PeerKind};
use crate::results::Results;

/// Honest handshakes a second.
const RATE: f64 = 20.0;
/// Stalled ClientHellos a second, and from how many addresses: each stays below 60 new connections
/// beyond one a second, the default rate.
const STALLED_RATE: f64 = 1_740.0;
const ADDRESSES: usize = 400;
/// Stalled connections that stay; the oldest is closed for the next. As many as open files allow.
const STAY: usize = 6_000;
/// Strangers that make whole handshakes.
const AT_ONCE: usize = 400;
/// How long a mail program waits for a handshake.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn play(bench: &Bench, results: &mut Results) -> BenchResult<()> {
    let kinds = [
        PeerKind::Gatepost,
        PeerKind::Other,
        PeerKind::HaProxy,
        PeerKind::Native,
    ];
    let defaults = ConfigChanges {
        admission: Some(String::new()),
        ..ConfigChanges::default()
    };
    let setting = (PasswordHash::Sha256, &defaults);
    bench.apart(results, &kinds, setting, |set| {
        log_everybody_in(set)?;
        let seconds = bench.extent.count(12, 5);
        let calm = handshakes(set, seconds)?;
        let mut attack = start(set, stall)?;
        let stalled = handshakes(set, seconds)?;
        attack.abort_all();
        std::thread::sleep(Duration::from_secs(3));
        let mut attack = start(set, shake_hands)?;
        let whole = handshakes(set, seconds)?;
        attack.abort_all();
        let (failed, whole_failed) = (stalled.failed, whole.failed);
        let [calm, stalled, whole] = [calm, stalled, whole].map(|tally| tally.percentiles());
        Ok(vec![
            ("hello-calm-p50", millis(calm.p50_us)),
            ("hello-calm-p99", millis(calm.p99_us)),
            ("hello-stalled-p50", millis(stalled.p50_us)),
            ("hello-stalled-p99", millis(stalled.p99_us)),
            ("hello-stalled-failed", failed as f64),
            ("hello-whole-p50", millis(whole.p50_us)),
            ("hello-whole-p99", millis(whole.p99_us)),
            ("hello-whole-failed", whole_failed as f64),
        ])
    })
}

/// Honest handshakes at even times.
fn handshakes(set: &Measurement<'_>, seconds: usize) -> BenchResult<JobTally> {
    let client = BenchClient::new(set.peer.address, Tickets::Ignored)?;
    let more = move |number| number < seconds * RATE as usize;
    let job = move |number| {
        let client = client.clone();
        async move {
            timeout(PATIENCE, client.secure(home(number)))
                .await?
                .map(drop)
        }
    };
    let jobs = at_even_times(set.bench.clock, RATE, more, job);
    let mut tally = set.bench.runtime.block_on(jobs);
    tally.count_failures_as(PATIENCE);
    Ok(tally)
}

/// Starts an attack beside the honest clients, in a runtime of its own: they must not wait for it in the bench.
fn start(
    set: &Measurement<'_>,
    attack: impl FnOnce(&Measurement<'_>, BenchClient, &mut JoinSet<()>),
) -> BenchResult<JoinSet<()>> {
    let client = BenchClient::new(set.peer.address, Tickets::Ignored)?;
    let mut tasks = JoinSet::new();
    attack(set, client, &mut tasks);
    Ok(tasks)
}

fn stall(set: &Measurement<'_>, client: BenchClient, tasks: &mut JoinSet<()>) {
    let clock = set.bench.clock;
    let stalling = async move {
        let Ok(hello) = client.client_hello() else {
            return;
        };
        let hello: Arc<[u8]> = hello.into();
        let schedule = Schedule::start(clock, STALLED_RATE);
        let mut calls = JoinSet::new();
        let mut standing = VecDeque::new();
        for number in 0.. {
            schedule.wait_for(number).await;
            let (client, hello) = (client.clone(), Arc::clone(&hello));
            let from = attacker(usize::try_from(number).unwrap_or(0) % ADDRESSES);
            calls.spawn(async move { stalled(&client, from, &hello).await });
            while let Some(stream) = calls.try_join_next() {
                standing.extend(stream.ok().and_then(Result::ok));
            }
            while standing.len() > STAY {
                standing.pop_front();
            }
        }
    };
    tasks.spawn_on(stalling, set.bench.attackers.handle());
}

/// A connection that has sent its ClientHello.
async fn stalled(
    client: &BenchClient,
    from: Ipv4Addr,
    hello: &[u8],
) -> io::Result<tokio::net::TcpStream> {
    let mut stream = timeout(PATIENCE, client.connect(from)).await??;
    stream.write_all(hello).await?;
    Ok(stream)
}

fn shake_hands(set: &Measurement<'_>, client: BenchClient, tasks: &mut JoinSet<()>) {
    let next = Arc::new(AtomicUsize::new(0));
    for _ in 0..AT_ONCE {
        let (client, next) = (client.clone(), Arc::clone(&next));
        let stranger = async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                // Whatever becomes of it: the next one.
                let _ = client.secure(source(number)).await;
                tokio::task::yield_now().await;
            }
        };
        tasks.spawn_on(stranger, set.bench.attackers.handle());
    }
}
