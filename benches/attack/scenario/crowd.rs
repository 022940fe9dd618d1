//! crowd - does the hundred-thousandth session cost what the first did?
//!
//! Idle sessions that have not logged in, from thousands of addresses: memory, the CPU of a handshake and a
//! newcomer's wait, at 1, 1,000, 5,000, 10,000, 30,000 and 100,000 of them. Peers do not play: behind HAProxy
//! and stunnel each session holds a Postfix process, and what one takes of nginx and Dovecot stands in `idle`.
//! Worrying: a line that bends upwards.

use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::honest::introduce;
use crate::Outcome;
use crate::client::{Caller, Tickets, attacker, source};
use crate::load::crowd;
use crate::peer::{Kind, Wishes};
use crate::results::Results;
use crate::stage::{Behind, Set, Stage, micros_each};

/// What was measured when so many stood there.
#[derive(Clone, Copy, Debug)]
struct Look {
    sessions: usize,
    octets: u64,
    handshake_us: f64,
    newcomer_ms: f64,
}

pub(super) fn play(stage: &Stage, results: &mut Results) -> Outcome<()> {
    let wishes = Wishes {
        tables: "[timeouts]\nline = \"30m\"\nlogin = \"1h\"\n".to_owned(),
        ..Wishes::default()
    };
    let looks = Mutex::new(Vec::new());
    let most = steps_end(stage);
    let mut steps = vec![1, 1_000, 5_000, 10_000, 30_000, 100_000];
    steps.retain(|step| *step < most);
    steps.push(most);
    let steps = steps.as_slice();
    let kinds = [Kind::Gatepost, Kind::Other];
    stage.once(results, &kinds, (Behind::Sha256, &wishes), |set| {
        introduce(set)?;
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
fn first_ones(seen: &[Look]) -> f64 {
    let most = seen.last().map_or(0, |last| last.sessions);
    let (mut total_us, mut standing) = (0.0, 0);
    for look in seen.iter().filter(|look| look.sessions <= most / 5) {
        total_us += look.handshake_us * (look.sessions - standing) as f64;
        standing = look.sessions;
    }
    total_us / standing as f64
}

/// The largest crowd: a session is a descriptor here, and one in the server.
fn steps_end(stage: &Stage) -> usize {
    let room = usize::try_from(stage.ground.open_files).unwrap_or(usize::MAX);
    let most = stage.extent.count(100_000, 5_000);
    most.min(room.saturating_sub(1_000))
}

fn grow(set: &Set<'_>, steps: &[usize]) -> Outcome<Vec<Look>> {
    let stage = set.stage;
    let crowd_of = Arc::new(Mutex::new(Vec::<TcpStream>::new()));
    let mut looks = Vec::new();
    let mut standing = 0;
    newcomers(set)?;
    for &step in steps {
        let caller = Caller::new(set.peer.address, Tickets::Ignored)?;
        let (kept, first) = (Arc::clone(&crowd_of), standing);
        let job = move |number: usize| {
            let (caller, kept) = (caller.clone(), Arc::clone(&kept));
            async move {
                // A new address for every third session.
                let talk = caller.call(source((first + number) / 3)).await?;
                let socket = talk.silence().into_std()?;
                if let Ok(mut kept) = kept.lock() {
                    kept.push(socket);
                }
                Ok(())
            }
        };
        let more = step - standing;
        let (cost, _) = set.cost(|| {
            stage
                .runtime
                .block_on(crowd(stage.clock, 16, more, job))
                .all_done()
        })?;
        standing = step;
        looks.push(Look {
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
fn newcomers(set: &Set<'_>) -> Outcome<f64> {
    let stage = set.stage;
    let caller = Caller::new(set.peer.address, Tickets::Ignored)?;
    let job = move |number| {
        let caller = caller.clone();
        async move { caller.call(attacker(number)).await?.quit().await }
    };
    let tally = stage
        .runtime
        .block_on(crowd(stage.clock, 2, 400, job))
        .all_done()?;
    Ok(tally.percentiles().p50_us as f64 / 1000.0)
}
