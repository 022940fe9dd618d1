//! guesses - what does a dictionary attack cost the whole machine?
//!
//! 1,000 guesses from 200 addresses, 5 each, at users that exist: few enough an address that no limit by
//! address sees them. A guesser that is cut off comes again until its guesses are spent.
//! Worrying: more than half of what the same attack costs behind HAProxy.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::honest::introduce;
use crate::Outcome;
use crate::backend::user;
use crate::client::{Caller, Talk, Tickets, attacker};
use crate::load::crowd;
use crate::peer::{Kind, Wishes};
use crate::results::Results;
use crate::stage::{Behind, Set, Stage, micros_each};

/// What an attack is measured with, and what its figures are called.
pub(super) type Setting = (Behind, [&'static str; 2]);

/// Cheap passwords.
pub(super) const SHA256: Setting = (Behind::Sha256, ["attack", "attack-checked"]);
/// Dear ones.
pub(super) const BCRYPT: Setting = (Behind::Bcrypt, ["bcrypt", "bcrypt-checked"]);

const ADDRESSES: usize = 200;
const EACH: usize = 5;

/// One whole attack.
pub(super) fn attack(
    stage: &Stage<'_>,
    results: &mut Results,
    (behind, [cost_key, checked_key]): Setting,
) -> Outcome<()> {
    let everybody: Vec<Kind> = Kind::ALL
        .into_iter()
        .filter(|kind| kind.asks_dovecot())
        .collect();
    let measure = |set: &Set<'_>| {
        introduce(set)?;
        let before = set.backend.wrong_passwords();
        let (cost, ()) = set.cost(|| guess(set))?;
        let checked = set.backend.wrong_passwords() - before;
        let cost = cost.stack.as_secs_f64() * 1000.0;
        Ok(vec![(cost_key, cost), (checked_key, checked as f64)])
    };
    let wishes = Wishes::default();
    match behind {
        // A minute a peer: those that the goal is about.
        Behind::Bcrypt => {
            let few = [Kind::Gatepost, Kind::Other, Kind::HaProxy];
            stage.once(results, &few, (behind, &wishes), measure)
        }
        _ => stage.in_turns(results, &everybody, (behind, &wishes), measure),
    }
}

fn guess(set: &Set<'_>) -> Outcome<()> {
    let stage = set.stage;
    let caller = Caller::new(set.peer.address, Tickets::Ignored)?;
    let job = move |number| {
        let caller = caller.clone();
        async move {
            let mut spent = 0;
            while spent < EACH {
                spent += session(&caller, number, spent).await.max(1);
            }
            Ok(())
        }
    };
    stage
        .runtime
        .block_on(crowd(stage.clock, 50, ADDRESSES, job))
        .all_done()?;
    Ok(())
}

/// Guesses from `spent` on until all are spent or the server has enough. Gives how many that were.
async fn session(caller: &Caller, number: usize, spent: usize) -> usize {
    let Ok(mut talk) = caller.hello(attacker(number)).await else {
        return 0;
    };
    let mut guesses = 0;
    while spent + guesses < EACH {
        let guess = number * EACH + spent + guesses;
        match talk
            .log_in(&user(guess), &format!("Raten{guess}wieder"))
            .await
        {
            Ok(421) | Err(_) => return guesses,
            Ok(_) => guesses += 1,
        }
    }
    let _ = talk.quit().await;
    guesses
}

/// What a refused guess adds to a session: sessions with one, less sessions without.
pub(super) fn in_a_session(stage: &Stage<'_>, results: &mut Results) -> Outcome<()> {
    // Nobody is banned, so that every session gets as far as its guess.
    let wishes = Wishes {
        tables: "[bans]\nstrikes = 0\n[limits.client]\nburst = 1\nevery = \"10h\"\n".to_owned(),
        ..Wishes::default()
    };
    let kinds = [Kind::Gatepost, Kind::Other];
    stage.in_turns(results, &kinds, (Behind::Sha256, &wishes), |set| {
        let count = stage.arguments.count(3000, 800);
        sessions_with(set, 20, Guesses::One)?;
        let (with, ()) = set.cost(|| sessions_with(set, count, Guesses::One))?;
        let (without, ()) = set.cost(|| sessions_with(set, count, Guesses::None))?;
        let guess = with.proxy.saturating_sub(without.proxy);
        Ok(vec![("guess", micros_each(guess, count))])
    })
}

#[derive(Clone, Copy)]
enum Guesses {
    None,
    One,
}

fn sessions_with(set: &Set<'_>, count: usize, guesses: Guesses) -> Outcome<()> {
    let stage = set.stage;
    let caller = Caller::new(set.peer.address, Tickets::Used)?;
    let asked = Arc::new(AtomicUsize::new(0));
    let job = move |number: usize| {
        let (caller, asked) = (caller.clone(), Arc::clone(&asked));
        async move {
            let mut talk: Talk = caller.hello(attacker(number % 10)).await?;
            if let Guesses::One = guesses {
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
    stage
        .runtime
        .block_on(crowd(stage.clock, 8, count, job))
        .all_done()?;
    Ok(())
}
