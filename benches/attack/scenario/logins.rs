//! logins - can honest users log in while others guess?
//!
//! Ten honest logins a second at even times, bcrypt, latency from the time each was due; first calm, in
//! turns, for a percentile of few logins needs rounds; then under 150 attackers from 200 addresses, each
//! with a new password a second at the most.
//! Worrying: a familiar user who feels the attack.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::honest::introduce;
use crate::Outcome;
use crate::backend::{password, user};
use crate::client::{Caller, Tickets, attacker, home};
use crate::load::{Tally, at_even_times};
use crate::peer::{Kind, Peer, Wishes};
use crate::results::Results;
use crate::stage::{Behind, Set, Stage};

/// Honest logins a second.
const RATE: f64 = 10.0;
const ATTACKERS: usize = 150;
const ADDRESSES: usize = 200;
/// The longest that the attackers' burst is waited for.
const BURST_SECONDS: usize = 30;

pub(super) fn play(stage: &Stage<'_>, results: &mut Results) -> Outcome<()> {
    let kinds: Vec<Kind> = Kind::ALL
        .into_iter()
        .filter(|kind| kind.asks_dovecot())
        .collect();
    let setting = (Behind::Bcrypt, &Wishes::default());
    stage.in_turns(results, &kinds, setting, |set| {
        introduce(set)?;
        let calm = logins(set, seconds(stage.arguments.count(20, 8)));
        let calm = stage.runtime.block_on(calm).percentiles();
        Ok(vec![
            ("calm-p50", millis(calm.p50_us)),
            ("calm-p99", millis(calm.p99_us)),
        ])
    })?;
    stage.once(results, &kinds, setting, |set| {
        introduce(set)?;
        let before = set.backend.wrong_passwords();
        let (burst, steady) = stage.runtime.block_on(under_attack(set));
        // What was sent in the last seconds is still to be answered.
        std::thread::sleep(Duration::from_secs(3));
        let reached = set.backend.wrong_passwords() - before;
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

/// Honest logins while the attackers become more and more.
pub(super) fn growing(stage: &Stage<'_>, results: &mut Results) -> Outcome<()> {
    let backend = stage.backend(Behind::Bcrypt)?;
    for kind in stage.arguments.kinds() {
        if !matches!(kind, Kind::Gatepost | Kind::HaProxy | Kind::Native) {
            continue;
        }
        let peer = Peer::start(kind, &stage.ground, backend, &Wishes::default())?;
        let set = Set {
            stage,
            peer,
            backend,
        };
        introduce(&set)?;
        for attackers in [0, 25, 50, 100, 150] {
            let over = Arc::new(AtomicBool::new(false));
            let tally = stage.runtime.block_on(async {
                let mut siege = besiege(&set, attackers, &over);
                let tally = logins(&set, seconds(stage.arguments.count(6, 4))).await;
                siege.abort_all();
                while siege.join_next().await.is_some() {}
                tally
            });
            let latencies = tally.percentiles();
            if latencies.count == 0 {
                results.note(format!(
                    "{}: nobody gets in beside {attackers}",
                    kind.name()
                ));
                break;
            }
            let p90 = latencies.p90_us as f64 / 1000.0;
            results.point("latency", kind.name(), (attackers as f64, p90));
        }
    }
    Ok(())
}

/// Logins while the attackers' burst lasts, and after it: when no guess has reached Dovecot for three
/// seconds, or after the longest burst there is.
async fn under_attack(set: &Set<'_>) -> (Tally, Tally) {
    let over = Arc::new(AtomicBool::new(false));
    let mut attackers = besiege(set, ATTACKERS, &over);
    let mut reached = 0;
    let lasts = |number: usize| {
        if number == 0 || !number.is_multiple_of(3 * RATE as usize) {
            return true;
        }
        let before = std::mem::replace(&mut reached, set.backend.wrong_passwords());
        before != reached && number < BURST_SECONDS * RATE as usize
    };
    let burst = logins(set, lasts).await;
    let steady = logins(set, seconds(set.stage.arguments.count(40, 10))).await;
    over.store(true, Ordering::Relaxed);
    attackers.abort_all();
    while attackers.join_next().await.is_some() {}
    (burst, steady)
}

fn millis(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

/// So long.
fn seconds(count: usize) -> impl FnMut(usize) -> bool {
    move |number| number < count * RATE as usize
}

/// Honest logins, ten a second.
async fn logins(set: &Set<'_>, more: impl FnMut(usize) -> bool) -> Tally {
    let Ok(caller) = Caller::new(set.peer.address, Tickets::Ignored) else {
        return Tally::default();
    };
    at_even_times(set.stage.clock, RATE, more, |number| {
        let caller = caller.clone();
        async move {
            let mut talk = caller.hello(home(number)).await?;
            match talk.log_in(&user(number), &password(number)).await? {
                235 => Ok(()),
                code => Err(std::io::Error::other(format!("{code}"))),
            }
        }
    })
    .await
}

/// Sends attackers that guess until it is over.
fn besiege(set: &Set<'_>, count: usize, over: &Arc<AtomicBool>) -> JoinSet<()> {
    let mut attackers = JoinSet::new();
    let guesses = Arc::new(AtomicUsize::new(0));
    for number in 0..count {
        let Ok(caller) = Caller::new(set.peer.address, Tickets::Ignored) else {
            continue;
        };
        let (over, guesses) = (Arc::clone(over), Arc::clone(&guesses));
        let attack = async move {
            let mut address = number;
            while !over.load(Ordering::Relaxed) {
                session(&caller, address % ADDRESSES, &guesses).await;
                address += count;
                sleep(Duration::from_secs(1)).await;
            }
        };
        attackers.spawn_on(attack, set.stage.runtime.handle());
    }
    attackers
}

/// Up to five guesses, a second apart.
async fn session(caller: &Caller, address: usize, guesses: &AtomicUsize) {
    let Ok(mut talk) = caller.hello(attacker(address)).await else {
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
