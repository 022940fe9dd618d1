//! watched - what do the history, metrics, the page and notices cost a server that is attacked?
//!
//! The same attack with all of it off and on, in turns, each on a newly started Gatepost. First guesses as fast as eight
//! connections make them, each in a session of its own: CPU of a refused guess, and memory after them. Then 20 honest logins a second
//! beside 150 attackers. On means: the history, `/metrics` read every five seconds, one page that is looked at, and a
//! command for notices. At last eight pages are looked at while nothing goes on.
//! Worrying: more than 1.03 of off; more than a hundredth of a processor for eight pages.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::honest::log_everybody_in;
use super::millis;
use crate::BenchResult;
use crate::backend::user;
use crate::bench::{BackendKind, Bench, Measurement, micros_each};
use crate::client::{BenchClient, Tickets, attacker};
use crate::load::{at_even_times, run_at_once};
use crate::peer::{ConfigChanges, Peer, PeerKind};
use crate::results::Results;
use crate::viewer::Viewer;

/// So many before anything is measured: the shared buckets are empty then.
const FIRST: usize = 1_000;
const ADDRESSES: usize = 10_000;
const ATTACKERS: usize = 150;
/// Pages that are open at once, as many as there may be.
const VIEWERS: usize = 8;
/// Honest logins a second.
const RATE: usize = 20;
/// How long a user waits for a login, from connect to 235.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whether somebody looks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Watching {
    Off,
    On,
}

impl Watching {
    /// No client is banned, nor refused at the banner, so that every session gets as far as its guess; and its answer comes
    /// at once, or eight connections would make four guesses a second.
    fn changes(self) -> ConfigChanges {
        const LIMITS: &str = "[timeouts]\nfailure-delay = \"0s\"\n[bans]\nstrikes = 0\n[limits.client]\nburst = 1\nevery = \"4m\"\n";
        let tables = match self {
            Self::Off => "[history]\nkeep = \"0\"\n",
            Self::On => "[http]\nlisten = \"127.0.0.1:0\"\n[notices]\ncommand = [\"/bin/true\"]\n",
        };
        ConfigChanges {
            tables: format!("{LIMITS}{tables}"),
            ..ConfigChanges::default()
        }
    }

    /// What its figures are filed under.
    const fn keys(self) -> [&'static str; 3] {
        match self {
            Self::Off => ["unwatched-guess", "unwatched-memory", "unwatched-p99"],
            Self::On => ["watched-guess", "watched-memory", "watched-p99"],
        }
    }
}

pub(super) fn play(bench: &Bench, results: &mut Results) -> BenchResult<()> {
    for round in 0..bench.extent.rounds {
        let mut turns = [Watching::Off, Watching::On];
        // Who comes first, meets a colder machine.
        if round % 2 == 1 {
            turns.reverse();
        }
        for watching in turns {
            match play_round(bench, watching) {
                Ok(figures) => results.file(PeerKind::Gatepost, figures),
                Err(fault) => results.note(format!("round {}: {fault}", round + 1)),
            }
        }
        let share = many_viewers(bench)?;
        results.file(PeerKind::Gatepost, vec![("viewers", share)]);
    }
    Ok(())
}

/// The share of one processor that eight open pages take while nothing else goes on, in percent.
fn many_viewers(bench: &Bench) -> BenchResult<f64> {
    let backend = bench.backend(BackendKind::Sha256)?;
    let changes = Watching::On.changes();
    let peer = Peer::start(PeerKind::Gatepost, &bench.files, backend, &changes)?;
    let set = &Measurement {
        bench,
        peer,
        backend,
    };
    guesses(set, FIRST)?;
    let open = |_| Viewer::open(&set.peer.folder.join("admin.sock"));
    let viewers = (0..VIEWERS).map(open).collect::<BenchResult<Vec<_>>>()?;
    // Opening is over.
    std::thread::sleep(Duration::from_secs(2));
    let seconds = bench.extent.count(20, 8);
    let wait = Duration::from_secs(seconds as u64);
    let (cost, ()) = set.cost(|| {
        std::thread::sleep(wait);
        Ok(())
    })?;
    for viewer in viewers {
        viewer.saw_it_all()?;
    }
    Ok(100.0 * cost.proxy.as_secs_f64() / wait.as_secs_f64())
}

fn play_round(bench: &Bench, watching: Watching) -> BenchResult<Vec<(&'static str, f64)>> {
    let backend = bench.backend(BackendKind::Sha256)?;
    let changes = watching.changes();
    let peer = Peer::start(PeerKind::Gatepost, &bench.files, backend, &changes)?;
    let set = &Measurement {
        bench,
        peer,
        backend,
    };
    let viewer = match watching {
        Watching::Off => None,
        Watching::On => Some(Viewer::open(&set.peer.folder.join("admin.sock"))?),
    };
    log_everybody_in(set)?;
    guesses(set, FIRST)?;
    let count = bench.extent.count(20_000, 5_000);
    let (cost, ()) = set.cost(|| guesses(set, count))?;
    let (memory, _) = set.memory();
    let p99 = bench.runtime.block_on(beside_attackers(set))?;
    if let Some(viewer) = viewer {
        viewer.saw_it_all()?;
    }
    let [guess, of_memory, of_p99] = watching.keys();
    Ok(vec![
        (guess, micros_each(cost.proxy, count)),
        (of_memory, memory as f64 / 1_048_576.0),
        (of_p99, p99),
    ])
}

/// A session for each, of which the password is asked about only while there are tokens.
fn guesses(set: &Measurement<'_>, count: usize) -> BenchResult<()> {
    let bench = set.bench;
    let client = BenchClient::new(set.peer.address, Tickets::Used)?;
    let job = move |number: usize| {
        let client = client.clone();
        async move {
            let mut talk = client.hello(attacker(number % ADDRESSES)).await?;
            let guess = format!("Raten{number}noch{number}");
            match talk.log_in(&user(number), &guess).await? {
                454 | 535 => talk.quit().await,
                code => Err(io::Error::other(format!("{code} to a guess"))),
            }
        }
    };
    bench
        .runtime
        .block_on(run_at_once(bench.clock, 8, count, job))
        .all_done()?;
    Ok(())
}

/// The 99th percentile of honest logins beside attackers, in milliseconds.
async fn beside_attackers(set: &Measurement<'_>) -> BenchResult<f64> {
    let count = RATE * set.bench.extent.count(20, 8);
    let client = BenchClient::new(set.peer.address, Tickets::Ignored)?;
    let _attackers = start_attackers(set, &client);
    let more = |number: usize| number < count;
    let logins = at_even_times(set.bench.clock, RATE as f64, more, |number| {
        let client = client.clone();
        async move { timeout(PATIENCE, client.logged_in(number)).await?.map(drop) }
    });
    let tally = logins.await.all_done()?;
    Ok(millis(tally.percentiles().p99_us))
}

/// Attackers that guess, a session a second each, until they are dropped.
fn start_attackers(set: &Measurement<'_>, client: &BenchClient) -> JoinSet<()> {
    let mut attackers = JoinSet::new();
    let numbers = Arc::new(AtomicUsize::new(0));
    for _ in 0..ATTACKERS {
        let (client, numbers) = (client.clone(), Arc::clone(&numbers));
        let attack = async move {
            loop {
                let number = numbers.fetch_add(1, Ordering::Relaxed);
                if let Ok(mut talk) = client.hello(attacker(number % ADDRESSES)).await {
                    let guess = format!("Raten{number}wieder");
                    let _ = talk.log_in(&user(number), &guess).await;
                    let _ = talk.quit().await;
                }
                sleep(Duration::from_secs(1)).await;
            }
        };
        attackers.spawn_on(attack, set.bench.attackers.handle());
    }
    attackers
}
