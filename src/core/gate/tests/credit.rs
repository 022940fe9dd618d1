//! credit - a crowd's logins let its newcomers in, and what its address may guess for that is bounded

use super::kit::*;
use crate::gate::Gate;
use crate::gate::buckets::credit::Need;
use crate::gate::buckets::spec::Bucket;
use crate::gate::request::attempt::AuthOutcome;
use crate::gate::request::verdict::{Reason, Standing};

const OFFICE: &str = "203.0.113.7";
const HOME: &str = "192.0.2.1";
const PAID: Fate = Fate::Asked(Reason::Bucket(Bucket::Credit));

/// A server with so many users, who have logged in from home, and a botnet that has emptied what strangers share.
fn besieged(users: usize) -> World {
    let mut world = World::new(settings());
    for n in 0..users {
        world.befriend(&format!("user{n}"), HOME);
    }
    for n in 0..1_000 {
        let from = format!("10.{}.{}.1", n / 256, n % 256);
        let name = match n % 2 {
            0 => format!("user{}", n / 2 % users),
            _ => format!("ghost{n}"),
        };
        world.guess(&from, &name, &good(n));
    }
    world
}

fn credit(world: &World, from: &str) -> u32 {
    tokens_of(world, from, Bucket::Credit)
}

#[test]
fn an_office_of_300_behind_a_new_address_gets_in_one_in_ten_mistyped_beside_a_botnet() {
    let mut world = besieged(300);
    let mut refused = 0;
    // Somebody was first: the reserve for newcomers came back in an hour.
    world.pass(HOUR);
    for n in 0..300 {
        let name = format!("user{n}");
        if n % 10 == 0 {
            let mistyped = world.guess(OFFICE, &name, &good(5_000 + n));
            refused += usize::from(matches!(mistyped, Fate::Refused(_)));
        }
        let login = world.login(OFFICE, &name);
        refused += usize::from(matches!(login, Fate::Refused(_)));
    }
    assert!(refused <= 3, "{refused}");
    assert_eq!(world.gate.bans(world.now).len(), 0);
}

#[test]
fn a_wrong_password_costs_the_token_and_a_right_one_does_not() {
    let mut world = besieged(40);
    for n in 0..3 {
        world.befriend(&format!("user{n}"), OFFICE);
        world.login(OFFICE, &format!("user{n}"));
    }
    assert_eq!(credit(&world, OFFICE), 2);
    assert_eq!(world.guess(OFFICE, "user9", &good(9)), PAID);
    assert_eq!(credit(&world, OFFICE), 1);
    let permit = world.permit(OFFICE, "user8", "Korrekt-Pferd-Batterie");
    assert_eq!(credit(&world, OFFICE), 0);
    world.settle(permit, AuthOutcome::Accept);
    assert_eq!(credit(&world, OFFICE), 2, "given back, and earned another");
    // The same wrong password again is no new guess, and when it must pay it does not pay from this.
    for _ in 0..200 {
        world.pass(MINUTE);
        while world.gate.repeats.take(world.now) {}
        world.guess(OFFICE, "user9", &good(9));
    }
    assert_eq!(credit(&world, OFFICE), 2);
}

#[test]
fn names_are_told_alike_where_there_is_credit_and_when_it_is_gone() {
    for empty in ["user", "ghost"] {
        let mut world = World::new(settings());
        for n in 0..40 {
            world.befriend(&format!("user{n}"), HOME);
        }
        for n in 0..10 {
            world.befriend(&format!("user{n}"), OFFICE);
            world.login(OFFICE, &format!("user{n}"));
        }
        for n in 0..400 {
            let from = format!("10.{}.{}.1", n / 256, n % 256);
            let name = format!("{empty}{}", if empty == "user" { n % 40 } else { n });
            world.guess(&from, &name, &good(n));
        }
        for round in 0..10 {
            let before = credit(&world, OFFICE);
            let kinds = ["user", "ghost"].map(|kind| {
                let name = format!("{kind}{}", 20 + round);
                let told = world.told(OFFICE, &name, &good(1_000 + round));
                (told, credit(&world, OFFICE))
            });
            let told = kinds.map(|(told, _)| told);
            let left = kinds.map(|(_, left)| left);
            match before {
                4.. => assert_eq!((told, left), ([535; 2], [before - 1, before - 2])),
                // Whichever comes first.
                3 => assert_eq!((told, left), ([535, 454], [2; 2])),
                // The last two are for names that exist, which are told the same as those that do not.
                _ => assert_eq!((told, left), ([454; 2], [before.saturating_sub(1); 2])),
            }
        }
        assert_eq!(credit(&world, OFFICE), 0, "{empty}");
    }
}

#[test]
fn made_up_names_leave_the_last_credit_to_those_that_exist() {
    let mut world = World::new(settings());
    for n in 0..40 {
        world.befriend(&format!("user{n}"), HOME);
    }
    for n in 0..8 {
        world.befriend(&format!("user{n}"), OFFICE);
    }
    let drain = |world: &mut World, round: usize| {
        let names = (0..40).map(|n| format!("ghost{round}-{n}"));
        let told = names.map(|name| world.told(OFFICE, &name, &good(round)));
        told.collect::<Vec<u16>>()
    };
    drain(&mut world, 0);
    for n in 0..8 {
        world.login(OFFICE, &format!("user{n}"));
    }
    let earned = credit(&world, OFFICE);
    let told = drain(&mut world, 1);
    let asked = told.iter().filter(|code| **code == 535).count();
    assert_eq!(asked, earned as usize - 2);
    assert_eq!(credit(&world, OFFICE), 2);
    // Whether a name exists is not told: not at first, not when the password is repeated, and not after a minute.
    for minutes in [0, 0, 2] {
        world.pass(MINUTE * minutes);
        let names = ["user30", "ghost30"];
        let told = names.map(|name| world.told(OFFICE, name, &good(77)));
        assert_eq!(told, [454; 2]);
    }
    assert_eq!(credit(&world, OFFICE), 1);
    assert_eq!(world.login(OFFICE, "user20"), PAID);
}

#[test]
fn neither_traps_nor_bans_nor_a_familiar_pairs_own_bucket_are_paid_from_it() {
    let mut world = besieged(40);
    for n in 0..25 {
        world.befriend(&format!("user{n}"), OFFICE);
        world.login(OFFICE, &format!("user{n}"));
    }
    let before = credit(&world, OFFICE);
    assert_eq!(
        world.guess(OFFICE, "root", "x"),
        Fate::Refused(Reason::Trap)
    );
    for n in 0..25 {
        world.guess(OFFICE, "user1", &good(n));
    }
    assert_eq!(
        world.guess(OFFICE, "user1", &good(99)),
        Fate::Refused(Reason::Bucket(Bucket::Familiar))
    );
    assert_eq!(credit(&world, OFFICE), before);
    // No account is worth more than ten guesses from there at once.
    assert!(before > 20, "{before}");
    let paid = (0..40).filter(|n| world.guess(OFFICE, "user30", &good(100 + n)) == PAID);
    assert_eq!(paid.count(), 10);
}

#[test]
fn what_could_be_let_in_is_not_refused_before_a_name_is_known() {
    let mut world = World::new(settings());
    world.befriend("user1", OFFICE);
    assert_eq!(
        world.gate.standing(client(OFFICE), world.now),
        Standing::Familiar
    );
    let far = "198.51.100.1";
    for n in 0..10 {
        let permit = world.permit(far, &format!("nobody{n}"), &good(n));
        world.settle(permit, AuthOutcome::Reject);
    }
    let peek = |world: &World| world.gate.peek(client(far), world.now);
    assert_eq!(peek(&world).unwrap().reason, Reason::Bucket(Bucket::Client));
    let key = client(far);
    let quota = world.gate.rules.load().earning.unwrap();
    let user1 = world.gate.user(&user("user1"));
    let credit = world.gate.buckets.credit();
    assert!(credit.login(key, user1, quota, Need::Short, world.now));
    assert_eq!(peek(&world), None);
}

#[test]
fn credit_and_who_has_earned_it_outlive_a_restart() {
    let mut world = besieged(40);
    for n in 0..5 {
        world.befriend(&format!("user{n}"), OFFICE);
        world.login(OFFICE, &format!("user{n}"));
    }
    assert_eq!(credit(&world, OFFICE), 4);
    let files = world.gate.snapshots(world.now).unwrap();
    let later = world.now + HOUR;
    let (gate, _) = Gate::restore(settings(), keys(), &files, later);
    (world.gate, world.now) = (gate, later);
    assert_eq!(credit(&world, OFFICE), 4);
    for n in 1..5 {
        world.login(OFFICE, &format!("user{n}"));
    }
    assert_eq!(credit(&world, OFFICE), 4, "nobody earns twice a day");
    world.login(OFFICE, "user0");
    assert_eq!(credit(&world, OFFICE), 5, "the first had earned nothing");
}

#[test]
fn without_earning_nothing_is_paid_from_it() {
    let mut settings = settings();
    settings
        .limits
        .change(Bucket::Credit, |quota| quota.daily_per_user = Some(0));
    let mut world = World::new(settings);
    for n in 0..20 {
        world.befriend(&format!("user{n}"), OFFICE);
        world.login(OFFICE, &format!("user{n}"));
    }
    let paid = (0..200).filter(|n| world.guess(OFFICE, &format!("ghost{n}"), &good(*n)) == PAID);
    assert_eq!(paid.count(), 0);
}
