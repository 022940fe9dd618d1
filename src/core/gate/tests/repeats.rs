//! repeats - rule 3: the same wrong password again is no new guess

use std::time::Duration;

use super::kit::*;
use crate::gate::buckets::spec::Bucket;
use crate::gate::permit::First;
use crate::gate::request::attempt::AuthOutcome;
use crate::gate::request::verdict::Reason;

const DESK: &str = "203.0.113.8";
const NEAR: &str = "203.0.9.9";
const SECOND: Duration = Duration::from_secs(1);
const OLD: &str = "Altes-Geheimnis-Satz";

#[test]
fn a_familiar_pair_is_answered_for_a_minute_then_asked_about_free_of_charge() {
    let mut world = World::new(settings());
    world.befriend("anna", HOME);
    assert_eq!(
        world.guess(HOME, "anna", OLD),
        Fate::Asked(Reason::Bucket(Bucket::Familiar))
    );
    assert_eq!(world.guess(HOME, "anna", OLD), Fate::Repeat);
    world.pass(SECOND * 58);
    assert_eq!(world.guess(HOME, "anna", OLD), Fate::Repeat);
    world.pass(SECOND * 2);
    assert_eq!(world.guess(HOME, "anna", OLD), Fate::Asked(Reason::Repeat));
    assert_eq!(world.guess(HOME, "anna", OLD), Fate::Repeat);
    assert_eq!(
        tokens(&world, HOME, "anna", Reason::Bucket(Bucket::Familiar)),
        19
    );
}

#[test]
fn so_is_a_stranger() {
    let mut world = World::new(settings());
    assert_eq!(
        world.guess(FAR, "anna", OLD),
        Fate::Asked(Reason::Bucket(Bucket::Unknown))
    );
    world.pass(SECOND * 58);
    assert_eq!(world.guess(FAR, "anna", OLD), Fate::Repeat);
    world.pass(SECOND * 2);
    assert_eq!(world.guess(FAR, "anna", OLD), Fate::Asked(Reason::Repeat));
    assert_eq!(
        tokens(&world, FAR, "anna", Reason::Bucket(Bucket::Unknown)),
        19
    );
    assert_eq!(
        tokens(&world, FAR, "anna", Reason::Bucket(Bucket::UserFar)),
        9
    );
}

#[test]
fn no_password_is_told_wrong_that_postfix_rejected_a_minute_ago_or_from_another_client() {
    let mut world = World::new(settings());
    world.befriend("anna", HOME);
    for (from, ages) in [(HOME, 2), (FAR, 2), (NEAR, 2)] {
        for millis in (0..ages * 60_000).step_by(100) {
            let mut world = World::new(settings());
            world.befriend("anna", HOME);
            world.pass(Duration::from_millis(millis % 997));
            world.guess(from, "anna", OLD);
            world.pass(Duration::from_millis(millis));
            let fate = world.guess(from, "anna", OLD);
            assert!(fate != Fate::Repeat || millis < 60_000, "{from} {millis}");
            assert!(fate == Fate::Repeat || millis > 58_999, "{from} {millis}");
        }
    }
    world.guess(HOME, "anna", OLD);
    for from in [DESK, NEAR] {
        assert_eq!(world.guess(from, "anna", OLD), Fate::Asked(Reason::Repeat));
    }
    world.guess(HOME, "anna", "Noch-Ein-Satz");
    while world.gate.repeats.take(world.now) {}
    for from in [DESK, NEAR] {
        let fate = world.guess(from, "anna", "Noch-Ein-Satz");
        assert_eq!(fate, Fate::Refused(Reason::Repeat));
    }
    world.pass(MINUTE);
    for from in [DESK, NEAR] {
        assert_eq!(world.guess(from, "anna", OLD), Fate::Asked(Reason::Repeat));
        world.pass(MINUTE);
    }
}

#[test]
fn a_repetition_that_postfix_must_hear_again_waits_for_its_turn() {
    let mut world = World::new(settings());
    world.befriend("anna", HOME);
    world.guess(HOME, "anna", OLD);
    world.pass(HOUR);
    assert!(matches!(
        first(&mut world, HOME, "anna", OLD),
        First::Wait(_)
    ));
}

#[test]
fn a_client_repeats_its_own_last_four_tries_only() {
    let mut world = World::new(settings());
    for n in 0..5 {
        world.guess(FAR, "anna", &format!("{OLD}{n}x"));
    }
    for n in 1..5 {
        assert_eq!(
            world.guess(FAR, "anna", &format!("{OLD}{n}x")),
            Fate::Repeat
        );
    }
    assert_eq!(
        world.guess(FAR, "anna", &format!("{OLD}0x")),
        Fate::Asked(Reason::Bucket(Bucket::Unknown))
    );
}

#[test]
fn from_familiar_and_near_networks_the_users_last_eight_wrong_ones_count() {
    let mut world = World::new(settings());
    world.befriend("anna", HOME);
    for n in 0..8 {
        world.guess(HOME, "anna", &format!("{OLD}{n}x"));
    }
    for n in 0..8 {
        let password = format!("{OLD}{n}x");
        for from in [DESK, NEAR] {
            let fate = world.guess(from, "anna", &password);
            assert_eq!(fate, Fate::Asked(Reason::Repeat));
        }
    }
    // A stranger learns nothing of what was tried elsewhere.
    assert_eq!(
        world.guess(FAR, "anna", &format!("{OLD}0x")),
        Fate::Asked(Reason::Bucket(Bucket::Strangers))
    );
}

#[test]
fn one_users_wrong_password_is_a_new_guess_at_another() {
    let mut world = World::new(settings());
    world.guess(FAR, "anna", OLD);
    assert_eq!(
        world.guess(FAR, "bert", OLD),
        Fate::Asked(Reason::Bucket(Bucket::Unknown))
    );
}

#[test]
fn a_hidden_password_counts_as_a_word_and_repeats_nothing() {
    let mut world = World::new(settings());
    world.befriend("anna", HOME);
    for _ in 0..3 {
        assert_eq!(
            world.hidden(FAR, "anna"),
            Fate::Asked(Reason::Bucket(Bucket::Words))
        );
    }
    assert_eq!(
        tokens(&world, FAR, "anna", Reason::Bucket(Bucket::Client)),
        7
    );
    assert_eq!(
        tokens(&world, FAR, "anna", Reason::Bucket(Bucket::Words)),
        17
    );
}

#[test]
fn a_password_that_became_right_is_no_repetition() {
    let mut world = World::new(settings());
    world.befriend("anna", HOME);
    world.guess(HOME, "anna", OLD);
    world.pass(MINUTE);
    let permit = world.permit(HOME, "anna", OLD);
    world.settle(permit, AuthOutcome::Accept);
    let permit = world.permit(HOME, "anna", OLD);
    assert_eq!(permit.grounds(), Reason::Bucket(Bucket::Familiar));
}

#[test]
fn an_offices_forgotten_phone_bans_nobody_and_is_asked_about_once_a_minute_at_most() {
    let mut world = World::new(settings());
    for n in 0..50 {
        world.befriend(&format!("user{n}"), HOME);
    }
    let (mut asked, mut honest) = (0, 0);
    for minute in 0..7 * 24 * 60 {
        world.pass(MINUTE);
        match world.guess(HOME, "user0", OLD) {
            Fate::Asked(_) => asked += 1,
            Fate::Repeat => {}
            fate => panic!("minute {minute}: {fate:?}"),
        }
        if minute % 30 == 0 {
            // The phone's owner and their colleagues go on working behind the same address.
            for name in ["user0".into(), format!("user{}", minute / 30 % 50)] {
                assert_eq!(
                    world.login(HOME, &name),
                    Fate::Asked(Reason::Bucket(Bucket::Familiar))
                );
                honest += 1;
            }
        }
    }
    assert!(asked <= 7 * 24 * 60 && honest > 600, "{asked} {honest}");
    assert_eq!(world.gate.bans(world.now), []);
    assert_eq!(
        tokens(&world, HOME, "user0", Reason::Bucket(Bucket::Familiar)),
        20
    );
}

#[test]
fn strangers_repetitions_reach_postfix_a_bounded_number_of_times_a_day() {
    let mut world = World::new(settings());
    let bots: Vec<String> = (0..200).map(|n| format!("100.0.{n}.1")).collect();
    for (n, bot) in bots.iter().enumerate() {
        // So many first guesses that the buckets allow them.
        world.pass(HOUR);
        world.guess(bot, &format!("ghost{n}"), OLD);
    }
    let mut asked = 0;
    for _ in 0..24 * 60 {
        world.pass(MINUTE);
        for (n, bot) in bots.iter().enumerate() {
            match world.guess(bot, &format!("ghost{n}"), OLD) {
                Fate::Asked(Reason::Repeat) => asked += 1,
                // Its first guess was refused, or it pays for this one.
                Fate::Asked(_) | Fate::Repeat | Fate::Refused(_) => {}
                fate @ Fate::Would(_) => panic!("{fate:?}"),
            }
        }
    }
    // All together 8,640, and each a dozen of its own, once more after it has paid again from `unknown`.
    let paid = 20 + 24 * 6;
    assert!(
        (8_000..=8_660 + (200 + paid) * 12).contains(&asked),
        "{asked}"
    );
}

#[test]
fn a_client_that_empties_what_strangers_share_takes_nothing_from_a_password_that_became_right() {
    let mut world = World::new(settings());
    world.befriend("anna", HOME);
    let right = "Korrekt-Pferd-Batterie";
    let permit = world.permit(FAR, "anna", right);
    world.settle(permit, AuthOutcome::Reject);
    for minutes in [1, 2, 4, 8] {
        world.pass(MINUTE * minutes);
        while world.gate.repeats.take(world.now) {}
        assert!(matches!(
            first(&mut world, FAR, "anna", right),
            First::Wait(_)
        ));
        let permit = world.permit(FAR, "anna", right);
        assert_eq!(permit.grounds(), Reason::Repeat);
        world.settle(permit, AuthOutcome::Reject);
        // Meanwhile it pays as a new guess does, and gets that back.
        world.pass(MINUTE);
        while world.gate.repeats.take(world.now) {}
        let permit = world.permit(FAR, "anna", right);
        assert_eq!(permit.grounds(), Reason::Bucket(Bucket::Strangers));
        world.settle(permit, AuthOutcome::Defer);
    }
    assert_eq!(
        world.login(FAR, "anna"),
        Fate::Asked(Reason::Bucket(Bucket::Strangers))
    );
    assert_eq!(
        tokens(&world, FAR, "anna", Reason::Bucket(Bucket::Client)),
        9
    );
}

#[test]
fn a_repetition_that_must_pay_and_cannot_is_told_to_wait_and_is_no_strike() {
    let mut world = World::new(settings());
    world.befriend("anna", HOME);
    // The last third of what the user may be guessed at is for newcomers.
    for n in 0..7 {
        world.guess(FAR, "anna", &format!("{OLD}{n}x"));
    }
    let last = format!("{OLD}6x");
    for hours in 1..40 {
        world.pass(MINUTE);
        while world.gate.repeats.take(world.now) {}
        let fate = world.guess(FAR, "anna", &last);
        let fine = matches!(fate, Fate::Refused(_) | Fate::Asked(Reason::Repeat));
        assert!(fine, "{hours}: {fate:?}");
    }
    assert_eq!(world.gate.bans(world.now), []);
}

#[test]
fn the_strangers_repetitions_do_not_keep_a_familiar_one_from_being_asked() {
    let mut world = World::new(settings());
    world.befriend("anna", HOME);
    world.guess(HOME, "anna", OLD);
    while world.gate.repeats.take(world.now) {}
    world.pass(MINUTE);
    while world.gate.repeats.take(world.now) {}
    assert_eq!(world.guess(HOME, "anna", OLD), Fate::Asked(Reason::Repeat));
}

#[test]
fn a_repetition_that_stalls_makes_no_password_wrong_again() {
    let mut world = World::new(settings());
    world.befriend("anna", HOME);
    world.guess(HOME, "anna", OLD);
    world.pass(MINUTE);
    world.login(HOME, "anna");
    let permit = world.permit(HOME, "anna", OLD);
    assert_eq!(
        world.settle(permit, AuthOutcome::Stalled),
        AuthOutcome::Defer
    );
    assert_eq!(world.guess(HOME, "anna", OLD), Fate::Asked(Reason::Repeat));
}

/// The verdict of the first question, before any turn.
fn first(world: &mut World, from: &str, name: &str, password: &str) -> First {
    world.ask_first(client(from), name, Some(password))
}
