//! crowd - does the hundred-thousandth session cost what the first did?
//!
//! Idle sessions that have not logged in, from thousands of addresses: memory, the CPU of a handshake and a
//! newcomer's wait, at 1, 1,000, 5,000, 10,000, 30,000 and 100,000 of them. Peers do not play: behind HAProxy
//! and stunnel each session holds a Postfix process, and what one takes of nginx and Dovecot stands in `idle`.
//! Worrying: a line that bends upwards.

use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::honest::log_everybody_in;
use crate::BenchResult;
use crate::bench::{BackendKind, Bench, Measurement, micros_each};
use crate::client::{BenchClient, Tickets, attacker, source};
use crate::load::run_at_once;
use crate::peer::{ConfigChanges, PeerKind};
use crate::results::Results;

/// What was measured when so many stood there.
#[derive(Clone, Copy, Debug)]
struct CrowdSample {
    sessions: usize,
    octets: u64,
    handshake_us: f64,
    newcomer_ms: f64,
}

pub(super) fn play(bench: &Bench, results: &mut Results) -> BenchResult<()> {
    let changes = ConfigChanges {
        tables: "[timeouts]\nline = \"30m\"\nlogin = \"1h\"\n".to_owned(),
        ..ConfigChanges::default()
    };
    let looks = Mutex::new(Vec::new());
    let most = steps_end(bench);
    let mut steps = vec![1, 1_000, 5_000, 10_000, 30_000, 100_000];
    steps.retain(|step| *step < most);
    steps.push(most);
    let steps = steps.as_slice();
    let kinds = [PeerKind::Gatepost, PeerKind::Other];
    bench.once(results, &kinds, (BackendKind::Sha256, &changes), |set| {
        log_everybody_in(set)?;
        let seen = grow(set, steps)?;
        let (Some(empty), Some(last)) = (seen.first().copied(), seen.last().copied()) else {
            return Err("no crowd".into());
        };
        if let Ok(mut looks) = looks.lock() {
            looks.extend(seen.iter().map(|look| (set.peer.kind, *look)));
        }
        Ok(vec![
            ("crowd", last.octets as f64 / (1u64 << 30) as f64),
            ("crowd-size", last.sessions as f64),
            ("crowd-accept", last.handshake_us / first_ones(&seen)),
            ("crowd-p50", last.newcomer_ms / empty.newcomer_ms),
        ])
    })?;
    for (kind, look) in looks.into_inner().unwrap_or_default() {
        let at = look.sessions as f64;
        results.point(
            "crowd-memory",
            kind.name(),
            (at, look.octets as f64 / 1048576.0),
        );
        results.point("crowd-handshake", kind.name(), (at, look.handshake_us));
        results.point("crowd-newcomer", kind.name(), (at, look.newcomer_ms));
    }
    Ok(())
}

/// Microseconds of a handshake while the crowd had at most a fifth of its size: of several thousand, for
/// where CPU time is counted in ticks.
fn first_ones(seen: &[CrowdSample]) -> f64 {
    let most = seen.last().map_or(0, |last| last.sessions);
    let (mut total_us, mut standing) = (0.0, 0);
    for look in seen.iter().filter(|look| look.sessions <= most / 5) {
        total_us += look.handshake_us * (look.sessions - standing) as f64;
        standing = look.sessions;
    }
    total_us / standing as f64
}

/// The largest crowd: a session is a descriptor here, and one in the server.
fn steps_end(bench: &Bench) -> usize {
    let room = usize::try_from(bench.files.open_files).unwrap_or(usize::MAX);
    let most = bench.extent.count(100_000, 5_000);
    most.min(room.saturating_sub(1_000))
}

fn grow(set: &Measurement<'_>, steps: &[usize]) -> BenchResult<Vec<CrowdSample>> {
    let bench = set.bench;
    let crowd_of = Arc::new(Mutex::new(Vec::<TcpStream>::new()));
    let mut looks = Vec::new();
    let mut standing = 0;
    newcomers(set)?;
    for &step in steps {
        let client = BenchClient::new(set.peer.address, Tickets::Ignored)?;
        let (kept, first) = (Arc::clone(&crowd_of), standing);
        let job = move |number: usize| {
            let (client, kept) = (client.clone(), Arc::clone(&kept));
            async move {
                // A new address for every third session.
                let talk = client.call(source((first + number) / 3)).await?;
                let socket = talk.into_socket().into_std()?;
                if let Ok(mut kept) = kept.lock() {
                    kept.push(socket);
                }
                Ok(())
            }
        };
        let more = step - standing;
        let (cost, _) = set.cost(|| {
            bench
                .runtime
                .block_on(run_at_once(bench.clock, 16, more, job))
                .all_done()
        })?;
        standing = step;
        looks.push(CrowdSample {
            sessions: step,
            octets: set.memory().0,
            handshake_us: micros_each(cost.proxy, more),
            newcomer_ms: newcomers(set)?,
        });
    }
    drop(crowd_of);
    std::thread::sleep(Duration::from_secs(1));
    Ok(looks)
}

/// How long a newcomer takes to the answer to QUIT, in milliseconds, p50.
fn newcomers(set: &Measurement<'_>) -> BenchResult<f64> {
    let bench = set.bench;
    let client = BenchClient::new(set.peer.address, Tickets::Ignored)?;
    let job = move |number| {
        let client = client.clone();
        async move { client.call(attacker(number)).await?.quit().await }
    };
    let tally = bench
        .runtime
        .block_on(run_at_once(bench.clock, 2, 400, job))
        .all_done()?;
    Ok(tally.percentiles().p50_us as f64 / 1000.0)
}
