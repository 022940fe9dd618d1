//! guesses - what does a dictionary attack cost the whole machine?
//!
//! 1,000 guesses from 200 addresses, 5 each, at users that exist: few enough an address that no limit by
//! address sees them. A guesser that is cut off comes again until its guesses are spent; a guess that got no
//! answer is spent too, and reported. Postfix and Dovecot
//! are newly started for each peer and round, or the peers would find what those before them left: smtpd processes
//! that wait for more. What the same attack costs a second time is measured too.
//! Worrying: more than half of what the same attack costs behind HAProxy.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::honest::log_everybody_in;
use crate::BenchResult;
use crate::backend::{PasswordHash, user};
use crate::bench::{BackendKind, Bench, Measurement, micros_each};
use crate::client::{BenchClient, BenchConnection, Tickets, attacker};
use crate::load::run_at_once;
use crate::peer::{ConfigChanges, Peer, PeerKind};
use crate::results::Results;

const ADDRESSES: usize = 200;
const EACH: usize = 5;

/// Cheap passwords: one attack, and one more.
pub(super) fn attack(bench: &Bench, results: &mut Results) -> BenchResult<()> {
    for round in 0..bench.extent.rounds {
        for &kind in &bench.extent.kinds {
            if !kind.asks_dovecot() {
                continue;
            }
            match two_attacks(bench, kind, round) {
                Ok(figures) => results.file(kind, figures),
                Err(fault) => {
                    results.note(format!("{}, round {}: {fault}", kind.name(), round + 1));
                }
            }
        }
    }
    Ok(())
}

/// On a Postfix and a Dovecot that are newly started, and on the same ones again.
fn two_attacks(
    bench: &Bench,
    kind: PeerKind,
    round: usize,
) -> BenchResult<Vec<(&'static str, f64)>> {
    let backend = bench.new_backend(&format!("{}-{round}", kind.name()), PasswordHash::Sha256)?;
    let attack = || {
        let peer = Peer::start(kind, &bench.files, &backend, &ConfigChanges::default())?;
        let backend = &backend;
        one_attack(&Measurement {
            bench,
            peer,
            backend,
        })
    };
    let (first, again) = (attack()?, attack()?);
    Ok(vec![
        ("attack", first.stack_ms),
        ("attack-checked", first.checked),
        ("attack-sessions", first.sessions),
        ("attack-lost", first.lost + again.lost),
        ("attack-again", again.stack_ms),
        ("attack-again-proxy", again.proxy_ms),
        ("attack-again-checked", again.checked),
    ])
}

/// Expensive ones: a minute a peer, so once, and those that the goal is about.
pub(super) fn attack_bcrypt(bench: &Bench, results: &mut Results) -> BenchResult<()> {
    let few = [PeerKind::Gatepost, PeerKind::Other, PeerKind::HaProxy];
    let setting = (BackendKind::Bcrypt, &ConfigChanges::default());
    bench.once(results, &few, setting, |set| {
        let toll = one_attack(set)?;
        Ok(vec![
            ("bcrypt", toll.stack_ms),
            ("bcrypt-checked", toll.checked),
            ("bcrypt-lost", toll.lost),
        ])
    })
}

/// What an attack took.
struct AttackCost {
    stack_ms: f64,
    proxy_ms: f64,
    /// How many guesses were checked.
    checked: f64,
    /// Sessions that the guesses took.
    sessions: f64,
    /// Guesses without an answer.
    lost: f64,
}

fn one_attack(set: &Measurement<'_>) -> BenchResult<AttackCost> {
    log_everybody_in(set)?;
    let before = set.backend.wrong_passwords();
    let (cost, guessed) = set.cost(|| guess(set))?;
    let checked = set.backend.wrong_passwords() - before;
    Ok(AttackCost {
        stack_ms: cost.stack.as_secs_f64() * 1000.0,
        proxy_ms: cost.proxy.as_secs_f64() * 1000.0,
        checked: checked as f64,
        sessions: guessed.sessions.load(Ordering::Relaxed) as f64,
        lost: guessed.lost.load(Ordering::Relaxed) as f64,
    })
}

/// What the guesses met, besides answers.
#[derive(Default)]
struct GuessTotals {
    sessions: AtomicUsize,
    lost: AtomicUsize,
}

fn guess(set: &Measurement<'_>) -> BenchResult<Arc<GuessTotals>> {
    let bench = set.bench;
    let client = BenchClient::new(set.peer.address, Tickets::Ignored)?;
    let guessed = Arc::new(GuessTotals::default());
    let met = Arc::clone(&guessed);
    let job = move |number| {
        let (client, met) = (client.clone(), Arc::clone(&met));
        async move {
            let mut spent = 0;
            while spent < EACH {
                met.sessions.fetch_add(1, Ordering::Relaxed);
                spent += match session(&client, number, spent).await {
                    Ok(guesses) => guesses,
                    Err(guesses) => {
                        met.lost.fetch_add(1, Ordering::Relaxed);
                        guesses + 1
                    }
                }
            }
            Ok(())
        }
    };
    bench
        .runtime
        .block_on(run_at_once(bench.clock, 50, ADDRESSES, job))
        .all_done()?;
    Ok(guessed)
}

/// Guesses from number `spent` on until all are spent or the server has enough. Gives how many were answered, one
/// with 421 too; as an error, when the next one was not.
async fn session(client: &BenchClient, number: usize, spent: usize) -> Result<usize, usize> {
    let Ok(mut talk) = client.hello(attacker(number)).await else {
        return Err(0);
    };
    let mut guesses = 0;
    while spent + guesses < EACH {
        let guess = number * EACH + spent + guesses;
        match talk
            .log_in(&user(guess), &format!("Raten{guess}wieder"))
            .await
        {
            Ok(421) => return Ok(guesses + 1),
            Err(_) => return Err(guesses),
            Ok(_) => guesses += 1,
        }
    }
    let _ = talk.quit().await;
    Ok(guesses)
}

/// What a refused guess adds to a session: sessions with one, less sessions without.
pub(super) fn in_a_session(bench: &Bench, results: &mut Results) -> BenchResult<()> {
    // No client is banned, nor refused at the banner for a bucket that is empty for long, so that every session gets
    // as far as its guess.
    let changes = ConfigChanges {
        tables: "[bans]\nstrikes = 0\n[limits.client]\nburst = 1\nevery = \"4m\"\n".to_owned(),
        ..ConfigChanges::default()
    };
    let kinds = [PeerKind::Gatepost, PeerKind::Other];
    bench.in_turns(results, &kinds, (BackendKind::Sha256, &changes), |set| {
        let count = bench.extent.count(3000, 800);
        sessions_with(set, 20, GuessCount::One)?;
        let (with, ()) = set.cost(|| sessions_with(set, count, GuessCount::One))?;
        let (without, ()) = set.cost(|| sessions_with(set, count, GuessCount::None))?;
        let guess = with.proxy.saturating_sub(without.proxy);
        Ok(vec![("guess", micros_each(guess, count))])
    })
}

#[derive(Clone, Copy)]
enum GuessCount {
    None,
    One,
}

fn sessions_with(set: &Measurement<'_>, count: usize, guesses: GuessCount) -> BenchResult<()> {
    let bench = set.bench;
    let client = BenchClient::new(set.peer.address, Tickets::Used)?;
    let asked = Arc::new(AtomicUsize::new(0));
    let job = move |number: usize| {
        let (client, asked) = (client.clone(), Arc::clone(&asked));
        async move {
            let mut talk: BenchConnection = client.hello(attacker(number % 10)).await?;
            if let GuessCount::One = guesses {
                let number = asked.fetch_add(1, Ordering::Relaxed);
                let guess = format!("Raten{number}noch{number}");
                match talk.log_in(&user(number), &guess).await? {
                    // The first of an address is checked.
                    454 | 535 => {}
                    code => return Err(io::Error::other(format!("{code} to a guess"))),
                }
            }
            talk.quit().await
        }
    };
    bench
        .runtime
        .block_on(run_at_once(bench.clock, 8, count, job))
        .all_done()?;
    Ok(())
}
