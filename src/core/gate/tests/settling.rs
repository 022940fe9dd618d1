//! settling - rule 8: which attempts the first week forgives, and how many
//!
//! Not here: the queue before Postfix (`gate::queue`), months with and without (`integration::simulate`).

use super::kit::*;
use crate::gate::buckets::spec::Bucket;
use crate::gate::permit::{First, Verdict};
use crate::gate::queue::QueueClass;
use crate::gate::request::attempt::AuthOutcome;
use crate::gate::request::change::{Change, Fact};
use crate::gate::request::settings::GateSettings;
use crate::gate::request::verdict::{Reason, Standing};

fn settling() -> World {
    World::new(GateSettings {
        settling: DAY * 7,
        ..settings()
    })
}

fn standing(world: &World, from: &str) -> Standing {
    world.gate.standing(client(from), world.now)
}

/// The `n`th address of a botnet, each in a network of its own.
fn bot(n: usize) -> String {
    format!("{}.{}.{}.1", 100 + n / 62_500, n / 250 % 250, n % 250)
}

fn reached(fate: Fate) -> bool {
    matches!(fate, Fate::Asked(_) | Fate::Would(_))
}

/// A guess by each of so many new addresses, at names of which there are so many; how many reach Postfix.
fn botnet(world: &mut World, bots: std::ops::Range<usize>, names: usize, tries: usize) -> usize {
    let mut count = 0;
    for n in bots {
        // An attacker who has read the source tries the same once more when it was refused.
        let mut tries = (0..tries).map(|_| {
            let name = format!("user{}", n % names);
            reached(world.guess(&bot(n), &name, &good(n)))
        });
        count += usize::from(tries.any(|reached| reached));
    }
    count
}

/// The class in which an attempt waits; none: it is refused at once.
fn class(world: &mut World, from: &str, name: &str, password: &str) -> Option<QueueClass> {
    match world.ask_first(client(from), name, Some(password)) {
        First::Wait(class) => Some(class),
        First::Decided(_) => None,
    }
}

#[test]
fn while_settling_in_only_client_and_traps_refuse_and_the_rest_is_told() {
    let mut world = settling();
    for n in 0..20 {
        world.guess(&format!("10.{n}.0.1"), &format!("u{n}"), &good(n));
    }
    assert_eq!(
        world.guess(FAR, "anna", &good(50)),
        Fate::Would(Reason::Bucket(Bucket::Unknown))
    );
    for n in 0..9 {
        assert_eq!(
            world.guess(FAR, "anna", &good(60 + n)),
            Fate::Would(Reason::Bucket(Bucket::Unknown))
        );
    }
    assert_eq!(
        world.guess(FAR, "anna", &good(70)),
        Fate::Refused(Reason::Bucket(Bucket::Client))
    );
    assert_eq!(
        world.guess("10.99.0.1", "root", "x"),
        Fate::Refused(Reason::Trap)
    );
    assert_eq!(standing(&world, "10.99.0.1"), Standing::Banned);
}

#[test]
fn a_login_that_settling_in_let_through_gets_its_token_back_and_is_familiar() {
    let mut world = settling();
    for n in 0..20 {
        world.guess(&format!("10.{n}.0.1"), &format!("u{n}"), &good(n));
    }
    for n in 0..40 {
        let name = format!("honest{n}");
        assert_eq!(
            world.login(FAR, &name),
            Fate::Would(Reason::Bucket(Bucket::Unknown))
        );
        assert_eq!(
            world.login(FAR, &name),
            Fate::Asked(Reason::Bucket(Bucket::Familiar))
        );
    }
}

#[test]
fn settling_in_ends_after_its_days_or_when_the_operator_has_learnt() {
    for early in [true, false] {
        let mut world = settling();
        let until = world.gate.status(world.now).settling_until;
        assert_eq!(until, Some(START + DAY * 7));
        match early {
            true => world.gate.finish_settling(),
            false => world.pass(DAY * 7),
        }
        assert_eq!(world.gate.status(world.now).settling_until, None);
        for n in 0..20 {
            world.guess(&format!("10.{n}.0.1"), &format!("u{n}"), &good(n));
        }
        assert_eq!(
            world.guess(FAR, "anna", &good(50)),
            Fate::Refused(Reason::Bucket(Bucket::Unknown))
        );
    }
}

#[test]
fn settling_in_that_logins_have_ended_is_told_for_the_journal() {
    let mut world = settling();
    let logins = |world: &mut World, names: std::ops::Range<usize>| {
        for n in names {
            world.login(&format!("10.{n}.0.1"), &format!("user{n}"));
        }
    };
    logins(&mut world, 0..10);
    world.pass(DAY);
    logins(&mut world, 0..10);
    let is_end = |change: &Change| change.fact == Fact::SettlingEnded;
    assert!(!world.changes.iter().any(is_end));
    world.pass(DAY);
    logins(&mut world, 0..2);
    assert!(world.gate.has_settled(world.now));
    let ends = world.changes.iter().filter(|change| is_end(change));
    assert_eq!(ends.count(), 1);
}

#[test]
fn a_machine_with_others_forgives_nothing_before_they_settle_in_and_nothing_after_one_does_not() {
    let mut world = settling();
    for n in 0..20 {
        world.guess(&format!("10.{n}.0.1"), &format!("u{n}"), &good(n));
    }
    let unknown = Reason::Bucket(Bucket::Unknown);
    world.gate.settle_with_others();
    assert!(!world.gate.has_settled(world.now));
    assert_eq!(world.gate.settles_until(world.now), None);
    assert_eq!(world.guess(FAR, "anna", &good(50)), Fate::Refused(unknown));
    world.gate.others_settle();
    assert_eq!(world.guess(FAR, "anna", &good(51)), Fate::Would(unknown));
    world.gate.finish_settling();
    assert!(world.gate.has_settled(world.now));
    assert_eq!(world.guess(FAR, "anna", &good(52)), Fate::Refused(unknown));
}

#[test]
fn while_settling_in_a_guesser_in_the_own_network_is_held_by_the_bucket_of_the_pair() {
    let mut world = settling();
    world.befriend("anna", HOME);
    let fates: Vec<_> = (0..40)
        .map(|n| world.guess(HOME, "anna", &good(n)))
        .collect();
    assert_eq!(fates[19], Fate::Asked(Reason::Bucket(Bucket::Familiar)));
    let refused = Fate::Refused(Reason::Bucket(Bucket::Familiar));
    assert!(fates[20..].iter().all(|fate| *fate == refused));
}

#[test]
fn while_settling_in_a_client_without_a_name_is_refused_by_client_only() {
    let mut world = settling();
    for n in 0..20 {
        world.guess(&format!("198.51.100.{}", n % 5), &format!("u{n}"), &good(n));
    }
    assert_eq!(world.gate.peek(client("198.51.100.9"), world.now), None);
    for n in 20..30 {
        world.guess(FAR, "ghost", &good(n));
    }
    let refusal = world.gate.peek(client(FAR), world.now);
    assert_eq!(
        refusal.map(|refusal| refusal.reason),
        Some(Reason::Bucket(Bucket::Client))
    );
}

#[test]
fn the_day_of_the_install_refuses_no_honest_user_with_one_login_in_ten_mistyped() {
    let mut world = settling();
    let mut logins = 0;
    for minute in 0..24 * 60 {
        world.pass(MINUTE);
        // A spray goes on meanwhile.
        for n in 0..5 {
            let n = minute * 5 + n;
            world.guess(
                &format!("10.{}.{}.1", n / 250 % 250, n % 250),
                &format!("user{}", n % 40),
                &good(n),
            );
        }
        if minute % 3 == 0 {
            let n = minute / 3 % 40;
            // Ten sit in one office, the rest each at home.
            let from = match n {
                0..10 => "192.0.2.9".to_owned(),
                _ => format!("172.16.{n}.5"),
            };
            if logins % 10 == 9 {
                let fate =
                    world.guess(&from, &format!("user{n}"), &format!("Mistyped-{minute}-so"));
                assert!(matches!(fate, Fate::Asked(_) | Fate::Would(_)), "{fate:?}");
            }
            let fate = world.login(&from, &format!("user{n}"));
            assert!(matches!(fate, Fate::Asked(_) | Fate::Would(_)), "{fate:?}");
            logins += 1;
        }
    }
    assert_eq!(logins, 480);
}

#[test]
fn while_settling_in_guesses_at_one_user_are_bounded_whatever_the_botnet() {
    for tries in [1, 2, 3] {
        let mut world = settling();
        // Ten of `user`, and twenty that are forgiven.
        let first = botnet(&mut world, 0..5_000, 1, tries);
        assert!(first <= 10 + 20, "{first}");
        let mut day = 0;
        for hour in 0..24 {
            world.pass(HOUR);
            day += botnet(&mut world, 5_000 + hour * 500..5_500 + hour * 500, 1, tries);
        }
        // One an hour of `user`, one in 15 minutes that is forgiven.
        assert!((24..=24 + 96).contains(&day), "{day}");
    }
}

#[test]
fn while_settling_in_the_names_of_one_mailbox_are_one_user() {
    let mut world = settling();
    let guesses = (0..1_000).filter(|n| {
        let name = format!("anna@d{n}.example");
        reached(world.guess(&bot(*n), &name, &good(*n)))
    });
    let first = guesses.count();
    assert!(first <= 10 + 20, "{first}");
}

#[test]
fn while_settling_in_all_guesses_together_are_bounded_from_the_first_minute() {
    for tries in [1, 2, 3] {
        let mut world = settling();
        let first = botnet(&mut world, 0..20_000, 10_000, tries);
        // The bursts of `unknown` and of what is forgiven.
        assert!((100..=20 + 200).contains(&first), "{first}");
        let mut hour = 0;
        for minute in 0..60 {
            world.pass(MINUTE);
            let bots = 20_000 + minute * 100..20_100 + minute * 100;
            hour += botnet(&mut world, bots, 10_000, tries);
        }
        assert!(hour <= 6 + 360, "{hour}");
    }
}

#[test]
fn after_a_botnet_a_first_login_is_let_in_when_its_mail_program_retries() {
    let mut world = settling();
    botnet(&mut world, 0..5_000, 40, 1);
    // Every tenth known user is a token more for anybody.
    for n in 0..9 {
        let (from, name) = (format!("20.0.{n}.1"), format!("user{n}"));
        let password = format!("Linsen{n}suppe{n}satt");
        assert_eq!(class(&mut world, &from, &name, &password), None);
        let permit = world.permit(&from, &name, &password);
        world.settle(permit, AuthOutcome::Accept);
    }
}

#[test]
fn a_turn_that_did_not_come_counts_as_a_try_that_is_retried() {
    let mut world = settling();
    botnet(&mut world, 0..30, 40, 1);
    let password = "Kartoffel-salat";
    let waits = |world: &mut World| class(world, FAR, "anna", password);
    assert_eq!(waits(&mut world), Some(QueueClass::Forgiven));
    world.miss_turn(client(FAR), "anna", password);
    assert_eq!(waits(&mut world), Some(QueueClass::Ordinary));
    assert_eq!(
        class(&mut world, FAR, "anna", "Linsen-suppe"),
        Some(QueueClass::Forgiven)
    );
}

#[test]
fn who_is_not_refused_waits_before_those_who_are_only_forgiven() {
    let mut world = World::new(GateSettings {
        settling: DAY * 7,
        users: vec!["anna".into()],
        ..settings()
    });
    botnet(&mut world, 0..30, 40, 1);
    // Known, and so not one of the names that used up the bucket of unknown ones.
    assert_eq!(
        class(&mut world, FAR, "anna", "Kartoffel-salat"),
        Some(QueueClass::Ordinary)
    );
    assert_eq!(
        class(&mut world, FAR, "bert", "Kartoffel-salat"),
        Some(QueueClass::Forgiven)
    );
}

#[test]
fn who_was_let_in_often_keeps_out_nobody_who_is_only_forgiven() {
    let mut world = settling();
    for n in 0..10 {
        world.login(&format!("198.{n}.7.9"), "anna");
    }
    for n in 0..12 {
        world.guess(&bot(n), "anna", &good(n));
    }
    let waits = class(&mut world, FAR, "anna", "Kartoffel-salat");
    assert_eq!(waits, Some(QueueClass::Frequent));
    botnet(&mut world, 0..30, 40, 1);
    let waits = class(&mut world, FAR, "bert", "Kartoffel-salat");
    assert_eq!(waits, Some(QueueClass::Forgiven));
}

#[test]
fn who_waited_for_a_token_that_is_gone_has_no_turn_of_those_who_are_not_refused() {
    let mut world = settling();
    // Twenty more than `unknown` has tokens look at it, and then have their turns.
    let waiting = (0..40).map(|n| (bot(n), format!("user{n}"), good(n)));
    let waiting: Vec<_> = waiting.collect();
    for (from, name, guess) in &waiting {
        let first = class(&mut world, from, name, guess);
        assert_eq!(first, Some(QueueClass::Ordinary));
    }
    let fates = waiting.iter().map(|(from, name, guess)| {
        match world.judge_in(QueueClass::Ordinary, client(from), name, guess) {
            Verdict::Allow(permit) => {
                world.settle(permit, AuthOutcome::Reject);
                None
            }
            Verdict::Refuse(refusal) | Verdict::Crowded(refusal) => Some(refusal.reason),
            Verdict::Repeat => panic!("nobody has tried it before"),
        }
    });
    let fates: Vec<_> = fates.collect();
    assert!(fates[..20].iter().all(Option::is_none), "{fates:?}");
    assert!(fates[20..].iter().all(|fate| *fate == Some(Reason::Turn)));
    // It cost nothing, and the same again is a retry.
    let (from, name, guess) = &waiting[39];
    assert_eq!(
        tokens(&world, from, name, Reason::Bucket(Bucket::Client)),
        10
    );
    let again = class(&mut world, from, name, guess);
    assert_eq!(again, Some(QueueClass::Ordinary));
}

/// 300 first logins from one address in an hour, one in ten mistyped first; nobody may be refused.
#[track_caller]
fn first_morning(world: &mut World, from: &str) {
    for n in 0..300 {
        world.pass(MINUTE / 5);
        let name = format!("employee{n}");
        if n % 10 == 9 {
            let fate = world.guess(from, &name, &format!("Mistyped{n}so"));
            assert!(reached(fate), "{n} mistyped: {fate:?}");
            world.pass(MINUTE / 3);
        }
        let fate = world.login(from, &name);
        assert!(reached(fate), "{n}: {fate:?}");
    }
}

#[test]
fn three_hundred_employees_behind_one_address_log_in_on_the_first_morning() {
    let mut world = settling();
    first_morning(&mut world, HOME);
}

#[test]
fn nor_does_a_botnet_keep_them_out_that_came_before() {
    let mut world = settling();
    // Somebody was there before it.
    world.login(HOME, "janitor");
    botnet(&mut world, 0..5_000, 400, 3);
    first_morning(&mut world, HOME);
}

#[test]
fn what_a_typing_error_cost_is_given_back_to_its_user_and_client_alone() {
    let mut world = settling();
    let left = |world: &World| tokens(world, FAR, "anna", Reason::Bucket(Bucket::Client));
    for (n, name) in ["anna", "anna", "anna", "bert"].into_iter().enumerate() {
        world.guess(FAR, name, &good(n));
    }
    assert_eq!(left(&world), 6);
    world.login("192.0.2.1", "anna");
    assert_eq!(left(&world), 6, "from another address");
    world.login(FAR, "carl");
    assert_eq!(left(&world), 6, "another user");
    world.login(FAR, "anna");
    assert_eq!(
        left(&world),
        8,
        "two of three, and not what was tried at Bert"
    );
    world.login(FAR, "anna");
    assert_eq!(left(&world), 8, "once");
}

#[test]
fn later_than_ten_minutes_or_without_settling_in_a_typing_error_stays_paid() {
    let mut world = settling();
    world.guess(FAR, "anna", &good(1));
    world.pass(MINUTE * 10);
    world.login(FAR, "anna");
    assert_eq!(
        tokens(&world, FAR, "anna", Reason::Bucket(Bucket::Client)),
        9
    );
    let mut world = World::new(settings());
    world.guess(FAR, "anna", &good(1));
    world.login(FAR, "anna");
    assert_eq!(
        tokens(&world, FAR, "anna", Reason::Bucket(Bucket::Client)),
        9
    );
}
