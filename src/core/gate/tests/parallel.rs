//! parallel - many sessions ask at once: no token is spent twice, and none is lost

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use super::kit::*;
use crate::gate::buckets::spec::Bucket;
use crate::gate::permit::Verdict;
use crate::gate::queue::QueueClass;
use crate::gate::request::attempt::{AuthAttempt, AuthOutcome, Password, Secret, UserName};
use crate::gate::request::client::ClientKey;
use crate::gate::request::doors::Door;
use crate::gate::request::place::Located;
use crate::gate::request::verdict::Reason;

fn attempt<'a>(client: ClientKey, user: &'a UserName, secret: &'a Secret) -> AuthAttempt<'a> {
    AuthAttempt {
        session: 1,
        client,
        user,
        password: Password::Shown(secret),
        door: Door::Own,
        device: None,
        country: Located::default(),
        system: None,
    }
}

#[test]
fn of_64_parallel_tries_with_one_token_left_exactly_one_passes() {
    for known in [true, false] {
        let mut world = World::new(settings());
        world.befriend("anna", HOME);
        let (from, name) = if known { (HOME, "anna") } else { (FAR, "bert") };
        let left = if known { 19 } else { 9 };
        for n in 0..left {
            // Each at another user: no bucket but the client's is to be the narrow one.
            let name = if known { name } else { &format!("user{n}") };
            world.guess(from, name, &good(n));
        }
        let passed = AtomicU32::new(0);
        let (gate, now) = (&world.gate, world.now);
        thread::scope(|threads| {
            for n in 0..64 {
                let passed = &passed;
                threads.spawn(move || {
                    let user = user(name);
                    let secret = Secret::new(good(1000 + n).into_bytes());
                    let attempt = attempt(client(from), &user, &secret);
                    let verdict =
                        gate.judge_in_turn(&attempt, QueueClass::Ordinary, now, &mut Vec::new());
                    let allowed = matches!(verdict, Verdict::Allow(_));
                    passed.fetch_add(u32::from(allowed), Ordering::Relaxed);
                });
            }
        });
        assert_eq!(passed.into_inner(), 1, "known: {known}");
    }
}

#[test]
fn who_loses_the_race_for_the_last_shared_token_gets_the_others_back() {
    let mut world = World::new(settings());
    for n in 0..19 {
        world.guess(&format!("10.{n}.0.1"), &format!("u{n}"), &good(n));
    }
    let passed = AtomicU32::new(0);
    let (gate, now) = (&world.gate, world.now);
    let names: Vec<_> = (0..64).map(|n| user(&format!("racer{n}"))).collect();
    let from = |n: usize| client(&format!("10.100.{n}.1"));
    thread::scope(|threads| {
        for (n, user) in names.iter().enumerate() {
            let passed = &passed;
            threads.spawn(move || {
                let secret = Secret::new(good(1000 + n).into_bytes());
                let attempt = attempt(from(n), user, &secret);
                let verdict =
                    gate.judge_in_turn(&attempt, QueueClass::Ordinary, now, &mut Vec::new());
                let allowed = matches!(verdict, Verdict::Allow(_));
                passed.fetch_add(u32::from(allowed), Ordering::Relaxed);
            });
        }
    });
    assert_eq!(passed.into_inner(), 1);
    let charged = names.iter().enumerate().filter(|(n, user)| {
        let seen = gate.explain(from(*n), Some(user), now);
        let full = |reason| {
            let mut buckets = seen.buckets.iter();
            buckets.any(|b| b.bucket == reason && b.tokens == b.burst)
        };
        !full(Reason::Bucket(Bucket::UserFar)) || !full(Reason::Bucket(Bucket::Network))
    });
    assert_eq!(charged.count(), 1);
}

#[test]
fn sessions_operators_snapshots_and_ticks_side_by_side_neither_lock_up_nor_lose_a_token() {
    let world = World::new(settings());
    for n in 0..8 {
        world.befriend(&format!("user{n}"), HOME);
    }
    let (gate, now) = (&world.gate, world.now);
    thread::scope(|threads| {
        for n in 0..8 {
            threads.spawn(move || {
                let (user, mut changes) = (user(&format!("user{n}")), Vec::new());
                let secret = Secret::new(good(n).into_bytes());
                for from in (0..400).map(|n| match n % 2 {
                    0 => client(HOME),
                    _ => client(FAR),
                }) {
                    let attempt = attempt(from, &user, &secret);
                    if let Verdict::Allow(permit) =
                        gate.judge_in_turn(&attempt, QueueClass::Ordinary, now, &mut changes)
                    {
                        let _ = gate.settle(permit, AuthOutcome::Defer, now, &mut changes);
                    }
                }
            });
        }
        threads.spawn(move || {
            for _ in 0..20 {
                let mut changes = Vec::new();
                gate.write_known(now, std::io::sink()).unwrap();
                gate.write_debts(now, std::io::sink()).unwrap();
                gate.tick(now, &mut changes);
                gate.explain(client(FAR), Some(&user("user1")), now);
                gate.status(now);
                gate.reconfigure(settings(), now, &mut changes);
            }
        });
    });
    for n in 0..8 {
        let user = user(&format!("user{n}"));
        for from in [HOME, FAR] {
            for held in gate.explain(client(from), Some(&user), now).buckets {
                // A client that lost a race for its last token may have been charged for it.
                if held.bucket != Reason::Bucket(Bucket::Client) {
                    assert_eq!(held.tokens, held.burst, "{from} {}", held.bucket);
                }
            }
        }
    }
}
