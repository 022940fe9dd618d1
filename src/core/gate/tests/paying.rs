//! paying - rules 1 and 2, and which buckets a try pays

use std::num::NonZeroU32;

use super::kit::*;
use crate::gate::buckets::quota::{Division, Quota};
use crate::gate::buckets::slice::{Lend, LenderPoint, PARTS, SliceRequest};
use crate::gate::buckets::spec::Bucket;
use crate::gate::permit::Verdict;
use crate::gate::request::attempt::AuthOutcome;
use crate::gate::request::verdict::Reason;

const NEAR: &str = "203.0.9.9";

/// Tries from ever other networks for ever other users.
fn pool(
    world: &mut World,
    tries: usize,
    known: bool,
    password: impl Fn(usize) -> String,
) -> Vec<Fate> {
    (0..tries)
        .map(|n| {
            let from = format!("10.{}.{}.1", n / 256, n % 256);
            let name = format!("user{n}");
            if known {
                world.befriend(&name, HOME);
            }
            world.guess(&from, &name, &password(n))
        })
        .collect()
}

fn asked(fates: &[Fate], reason: Reason) -> usize {
    fates
        .iter()
        .filter(|fate| **fate == Fate::Asked(reason))
        .count()
}

#[test]
fn a_success_gets_back_exactly_what_it_took_and_nothing_else() {
    let mut world = World::new(settings());
    for n in 0..9 {
        world.guess(FAR, &format!("u{n}"), &good(n));
    }
    // One token is left to the client; logging in takes it and gives it back, not the nine.
    assert_eq!(
        world.login(FAR, "anna"),
        Fate::Asked(Reason::Bucket(Bucket::Unknown))
    );
    assert_eq!(tokens_of(&world, FAR, Bucket::Client), 1);
    assert_eq!(tokens_of(&world, FAR, Bucket::Network), 11);
    assert_eq!(tokens_of(&world, FAR, Bucket::Unknown), 11);
}

#[test]
fn a_deferred_try_costs_nothing_and_a_dropped_permit_costs_as_a_failure() {
    let mut world = World::new(settings());
    for n in 0..30 {
        let permit = world.permit(FAR, "anna", &good(n));
        assert_eq!(world.settle(permit, AuthOutcome::Defer), AuthOutcome::Defer);
    }
    for n in 0..10 {
        drop(world.permit(FAR, &format!("u{n}"), &good(n)));
    }
    assert_eq!(
        world.guess(FAR, "v", &good(99)),
        Fate::Refused(Reason::Bucket(Bucket::Client))
    );
}

#[test]
fn tokens_are_taken_when_the_try_is_allowed_so_that_parallel_tries_cannot_overshoot() {
    let mut world = World::new(settings());
    let permits: Vec<_> = (0..10)
        .map(|n| world.permit(FAR, &format!("u{n}"), &good(n)))
        .collect();
    assert_eq!(
        world.guess(FAR, "v", &good(99)),
        Fate::Refused(Reason::Bucket(Bucket::Client))
    );
    for permit in permits {
        world.settle(permit, AuthOutcome::Accept);
    }
    assert_eq!(
        world.guess(FAR, "w", &good(99)),
        Fate::Asked(Reason::Bucket(Bucket::Unknown))
    );
}

#[test]
fn a_familiar_pair_pays_from_its_own_bucket_and_no_other() {
    let mut world = World::new(settings());
    world.befriend("anna", HOME);
    for n in 0..20 {
        assert_eq!(
            world.guess(HOME, "anna", &good(n)),
            Fate::Asked(Reason::Bucket(Bucket::Familiar))
        );
    }
    assert_eq!(
        world.guess(HOME, "anna", &good(20)),
        Fate::Refused(Reason::Bucket(Bucket::Familiar))
    );
    // Client, network, user and the shared ones are untouched.
    for holding in world
        .gate
        .explain(client(HOME), Some(&user("anna")), world.now)
        .buckets
    {
        let full = holding.bucket != Reason::Bucket(Bucket::Familiar);
        assert_eq!(holding.tokens == holding.burst, full, "{}", holding.bucket);
    }
    // And another pair of the same user, or of the same network, is its own.
    world.befriend("bert", HOME);
    world.befriend("anna", FAR);
    assert_eq!(
        world.guess(HOME, "bert", &good(0)),
        Fate::Asked(Reason::Bucket(Bucket::Familiar))
    );
    assert_eq!(
        world.guess(FAR, "anna", &good(50)),
        Fate::Asked(Reason::Bucket(Bucket::Familiar))
    );
}

#[test]
fn the_client_bucket_stops_the_loud_guesser_and_gives_one_try_each_half_hour() {
    let mut world = World::new(settings());
    let fates: Vec<_> = (0..11)
        .map(|n| world.guess(FAR, &format!("u{n}"), &good(n)))
        .collect();
    assert_eq!(asked(&fates, Reason::Bucket(Bucket::Unknown)), 10);
    assert_eq!(fates[10], Fate::Refused(Reason::Bucket(Bucket::Client)));
    world.pass(MINUTE * 29);
    assert_eq!(
        world.guess(FAR, "v", &good(20)),
        Fate::Refused(Reason::Bucket(Bucket::Client))
    );
    world.pass(MINUTE);
    assert_eq!(
        world.guess(FAR, "w", &good(21)),
        Fate::Asked(Reason::Bucket(Bucket::Unknown))
    );
}

#[test]
fn the_network_bucket_stops_neighbours_that_each_try_a_little() {
    let mut world = World::new(settings());
    let mut settings = settings();
    settings
        .limits
        .change(Bucket::Unknown, |limit| limit.base.burst = 1000);
    world
        .gate
        .reconfigure(settings, world.now, &mut world.changes);
    let fates: Vec<_> = (0..30)
        .map(|n| world.guess(&format!("198.51.100.{n}"), &format!("u{n}"), &good(n)))
        .collect();
    assert_eq!(asked(&fates, Reason::Bucket(Bucket::Unknown)), 20);
    assert_eq!(fates[20], Fate::Refused(Reason::Bucket(Bucket::Network)));
}

#[test]
fn the_user_buckets_count_near_and_far_apart_and_leave_the_owner_alone() {
    let mut world = World::new(settings());
    world.befriend("anna", HOME);
    let far: Vec<_> = (0..12)
        .map(|n| world.guess(&format!("10.{n}.0.1"), "anna", &good(n)))
        .collect();
    assert_eq!(asked(&far, Reason::Bucket(Bucket::Strangers)), 10);
    assert_eq!(far[10], Fate::Refused(Reason::Bucket(Bucket::UserFar)));
    let near: Vec<_> = (0..12)
        .map(|n| world.guess(&format!("203.0.{n}.1"), "anna", &good(100 + n)))
        .collect();
    assert_eq!(asked(&near, Reason::Bucket(Bucket::Near)), 10);
    assert_eq!(near[10], Fate::Refused(Reason::Bucket(Bucket::UserNear)));
    assert_eq!(
        world.login(HOME, "anna"),
        Fate::Asked(Reason::Bucket(Bucket::Familiar))
    );
}

#[test]
fn unknown_names_pay_unknown_and_known_ones_words_before_strangers() {
    let mut world = World::new(settings());
    world.befriend("anna", HOME);
    assert_eq!(
        world.guess(FAR, "anna", &good(1)),
        Fate::Asked(Reason::Bucket(Bucket::Strangers))
    );
    assert_eq!(
        world.guess(FAR, "ghost", &good(2)),
        Fate::Asked(Reason::Bucket(Bucket::Unknown))
    );
    assert_eq!(
        world.guess(FAR, "anna", "Summer2024"),
        Fate::Asked(Reason::Bucket(Bucket::Words))
    );
    assert_eq!(
        world.guess(FAR, "ghost", "Summer2025"),
        Fate::Asked(Reason::Bucket(Bucket::Unknown))
    );
    assert_eq!(
        world.hidden(FAR, "anna"),
        Fate::Asked(Reason::Bucket(Bucket::Words))
    );
    // Near pays near, whatever the password.
    assert_eq!(
        world.guess(NEAR, "anna", "Summer2023"),
        Fate::Asked(Reason::Bucket(Bucket::Near))
    );
}

#[test]
fn each_shared_bucket_stops_a_pool_of_one_try_each() {
    for (known, word, reason, burst) in [
        (true, true, Reason::Bucket(Bucket::Words), 20),
        (false, false, Reason::Bucket(Bucket::Unknown), 20),
        (true, false, Reason::Bucket(Bucket::Strangers), 100),
    ] {
        let mut world = World::new(settings());
        let fates = pool(&mut world, 200, known, |n| match word {
            true => format!("summer{n}"),
            false => good(n),
        });
        let passed = asked(&fates, reason);
        // strangers grows by one for ten known users on the way.
        assert!((burst..=burst + 20).contains(&passed), "{reason}: {passed}");
        assert_eq!(fates[198], Fate::Refused(reason));
    }
}

#[test]
fn where_somebody_has_logged_in_a_word_may_pay_half_of_near() {
    let mut world = World::new(settings());
    for n in 0..300 {
        world.befriend(&format!("user{n}"), HOME);
    }
    world.befriend("anna", FAR);
    let fates = pool(&mut world, 200, true, |n| format!("summer{n}"));
    assert_eq!(fates[198], Fate::Refused(Reason::Bucket(Bucket::Words)));
    let near = |world: &World| tokens(world, HOME, "user0", Reason::Bucket(Bucket::Near));
    let full = near(&world);
    // A wrong one is told as a name that does not exist would be.
    assert_eq!(world.told(FAR, "user1", "Summer2024"), 454);
    assert_eq!(near(&world), full - 1);
    let login = world.attempt(client(FAR), "user2", Some("Summer2025"));
    assert_eq!(login, Fate::Asked(Reason::Bucket(Bucket::Near)));
    // Another network, where nobody has logged in, has no part in it.
    assert_eq!(
        world.guess("192.0.7.9", "user3", "Summer2026"),
        Fate::Refused(Reason::Bucket(Bucket::Words))
    );
    // Half is kept for those who are near, from however many such networks the guesses come.
    for n in 0..200 {
        world.befriend(&format!("user{n}"), &format!("198.51.{n}.1"));
    }
    for n in 0..200 {
        let name = format!("user{}", 200 + n % 100);
        world.guess(&format!("198.51.{n}.9"), &name, &format!("Winter{n}"));
    }
    assert_eq!(near(&world), full.div_ceil(2));
}

#[test]
fn a_password_sprayed_over_users_and_networks_becomes_a_word() {
    let mut world = World::new(settings());
    let fates = pool(&mut world, 60, true, |n| format!("Zwiebelkuchen{n}!"));
    assert_eq!(asked(&fates, Reason::Bucket(Bucket::Strangers)), 2);
    assert_eq!(asked(&fates, Reason::Bucket(Bucket::Words)), 20);
    assert_eq!(fates[59], Fate::Refused(Reason::Bucket(Bucket::Words)));
}

#[test]
fn refused_tries_make_words_too() {
    let mut world = World::new(settings());
    world.befriend("anna", HOME);
    for n in 0..20 {
        world.guess(&format!("10.{n}.0.1"), &format!("u{n}"), &good(n));
    }
    for n in 0..2 {
        let fate = world.guess(&format!("10.9{n}.0.1"), &format!("v{n}"), "Zwiebelkuchen");
        assert_eq!(fate, Fate::Refused(Reason::Bucket(Bucket::Unknown)));
    }
    assert_eq!(
        world.guess(FAR, "anna", "zwiebelkuchen1"),
        Fate::Asked(Reason::Bucket(Bucket::Words))
    );
}

#[test]
fn when_near_is_empty_a_near_try_pays_as_a_far_one() {
    let mut settings = settings();
    settings.limits.change(Bucket::Near, |limit| {
        limit.base = Quota {
            burst: 1,
            every: DAY,
        };
        limit.daily_per_user = Some(0);
    });
    let mut world = World::new(settings);
    world.befriend("anna", HOME);
    assert_eq!(
        world.guess(NEAR, "anna", &good(1)),
        Fate::Asked(Reason::Bucket(Bucket::Near))
    );
    assert_eq!(
        world.guess(NEAR, "anna", &good(2)),
        Fate::Asked(Reason::Bucket(Bucket::Strangers))
    );
    let buckets = world
        .gate
        .explain(client(NEAR), Some(&user("anna")), world.now)
        .buckets;
    let tokens = |reason| buckets.iter().find(|b| b.bucket == reason).unwrap().tokens;
    assert_eq!(
        (
            tokens(Reason::Bucket(Bucket::UserNear)),
            tokens(Reason::Bucket(Bucket::UserFar))
        ),
        (9, 9)
    );
}

#[test]
fn a_refused_try_gives_its_tokens_back_but_the_clients_own_if_it_is_new() {
    let mut world = World::new(settings());
    world.befriend("anna", HOME);
    for n in 0..10 {
        world.guess(&format!("10.{n}.0.1"), "anna", &good(n));
    }
    let tokens = |world: &World, reason| {
        let buckets = world.gate.explain(client(FAR), None, world.now).buckets;
        buckets.iter().find(|b| b.bucket == reason).unwrap().tokens
    };
    let strangers = tokens(&world, Reason::Bucket(Bucket::Strangers));
    // A mail program that retries pays once.
    for _ in 0..20 {
        let fate = world.guess(FAR, "anna", "My0wn-Secret-Sentence");
        assert_eq!(fate, Fate::Refused(Reason::Bucket(Bucket::UserFar)));
    }
    assert_eq!(tokens(&world, Reason::Bucket(Bucket::Client)), 9);
    assert_eq!(tokens(&world, Reason::Bucket(Bucket::Network)), 20);
    assert_eq!(tokens(&world, Reason::Bucket(Bucket::Strangers)), strangers);
    // Other passwords are other tries.
    for n in 0..3 {
        world.guess(FAR, "anna", &good(100 + n));
    }
    assert_eq!(tokens(&world, Reason::Bucket(Bucket::Client)), 6);
}

#[test]
fn a_repetition_of_a_refused_try_is_judged_anew() {
    let mut world = World::new(settings());
    for n in 0..10 {
        world.guess(FAR, &format!("u{n}"), &good(n));
    }
    assert_eq!(
        world.login(FAR, "anna"),
        Fate::Refused(Reason::Bucket(Bucket::Client))
    );
    assert_eq!(
        world.login(FAR, "anna"),
        Fate::Refused(Reason::Bucket(Bucket::Client))
    );
    world.pass(MINUTE * 30);
    assert_eq!(
        world.login(FAR, "anna"),
        Fate::Asked(Reason::Bucket(Bucket::Unknown))
    );
}

#[test]
fn a_refusal_tells_how_long_to_wait() {
    let mut world = World::new(settings());
    for n in 0..10 {
        world.guess(FAR, &format!("u{n}"), &good(n));
    }
    world.pass(MINUTE * 10);
    let Verdict::Refuse(refusal) = world.judge(client(FAR), "v", Some(&good(11))) else {
        panic!("allowed");
    };
    assert_eq!(
        (refusal.reason, refusal.wait),
        (Reason::Bucket(Bucket::Client), MINUTE * 20)
    );
}

#[test]
fn one_account_under_many_domains_makes_no_room_for_more_guesses() {
    let mut world = World::new(settings());
    for n in 0..200 {
        let fate = world.login("203.0.113.7", &format!("anna@{n}.example"));
        assert!(matches!(fate, Fate::Asked(_)), "{n}: {fate:?}");
    }
    // A Dovecot that ignores the domain takes them all: 200 names, and still one user's worth.
    assert_eq!(world.gate.status(world.now).known_users, 200);
    assert_eq!(world.gate.familiar.users(), 1);
}

#[test]
fn of_two_machines_each_has_half_of_what_all_share_and_all_of_what_is_a_client_s() {
    let mut settings = settings();
    settings.division = Division::Split(NonZeroU32::new(2).unwrap());
    let mut world = World::new(settings);
    let fates = pool(&mut world, 20, false, good);
    assert_eq!(asked(&fates, Reason::Bucket(Bucket::Unknown)), 10);
    assert_eq!(tokens_of(&world, FAR, Bucket::Client), 10);
    world.pass(MINUTE * 19);
    let fate = world.guess(FAR, "zoe", &good(99));
    assert_eq!(fate, Fate::Refused(Reason::Bucket(Bucket::Unknown)));
    world.pass(MINUTE);
    let fate = world.guess(FAR, "zoe", &good(98));
    assert_eq!(fate, Fate::Asked(Reason::Bucket(Bucket::Unknown)));
}

#[test]
fn what_is_lent_is_paid_with_first_and_a_success_gives_it_back() {
    let mut settings = settings();
    settings.division = Division::Guest(NonZeroU32::new(2).unwrap());
    let mut world = World::new(settings);
    let unknown = Reason::Bucket(Bucket::Unknown);
    assert_eq!(world.guess(FAR, "u", &good(0)), Fate::Refused(unknown));
    let requests = world.gate.slice_requests(world.now);
    let of_unknown = |request: &&SliceRequest| request.bucket == Bucket::Unknown;
    let request = requests.iter().find(of_unknown).unwrap();
    let lend = Lend {
        tokens: 1,
        left: 9,
        point: LenderPoint { epoch: 1, back: 0 },
        until: PARTS,
    };
    world.gate.lend(request, lend, world.now, world.now);
    let permit = world.permit(FAR, "v", &good(1));
    assert_eq!(world.guess(HOME, "w", &good(2)), Fate::Refused(unknown));
    world.settle(permit, AuthOutcome::Accept);
    assert_eq!(world.guess(HOME, "x", &good(3)), Fate::Asked(unknown));
    // And what is left when the machine stops goes back.
    world.gate.lend(request, lend, world.now, world.now);
    let back = world.gate.return_slices(world.now);
    assert_eq!(back.iter().find(of_unknown).unwrap().unspent.tokens, 1);
    assert_eq!(world.guess(HOME, "y", &good(4)), Fate::Refused(unknown));
}
