//! hold - logins that are held where the operator wants it: which, and for how long

use super::*;

fn anna_is_held(world: &World) -> Option<FarLogins> {
    let told = world.gate.explain_user(&user("anna"), nowhere, world.now);
    told.suspicion.map(|suspicion| suspicion.far_logins)
}

#[test]
fn who_guesses_in_a_hotel_shuts_no_guest_out() {
    let mut world = hotel(holding());
    assert_eq!(anna_is_held(&world), Some(FarLogins::Tell));
    let snapshots = world.gate.snapshots(world.now).unwrap();
    let (gate, _) = Gate::restore(holding(), keys(), &snapshots, world.now);
    for gate in [None, Some(gate)] {
        world.gate = gate.unwrap_or(world.gate);
        for n in [0, 1, 2] {
            assert!(
                matches!(world.login(&far(n), "anna"), Fate::Asked(_)),
                "{n}"
            );
        }
    }
    world.pass(DAY * 7 + HOUR);
    assert_eq!(anna_is_held(&world), None, "over");
}

#[test]
fn a_thief_who_was_told_of_for_guesses_is_held_for_too_many_places() {
    let mut world = hotel(holding());
    for n in 1..14 {
        let cause = far_login(&mut world, n);
        assert_eq!(cause, (n == 13).then_some(SuspicionCause::Networks), "{n}");
    }
    assert_eq!(anna_is_held(&world), Some(FarLogins::Hold));
    for n in [0, 5, 99] {
        assert_eq!(world.login(&far(n), "anna"), HELD, "{n}");
    }
    let journal = [journal::file(&world.changes)];
    let (gate, _) = Gate::restore(holding(), keys(), &journal, world.now);
    world.gate = gate;
    assert_eq!(world.login(&far(99), "anna"), HELD);
}

#[test]
fn a_held_user_is_let_in_at_home_near_it_and_with_a_known_device_and_nowhere_else() {
    let mut world = world_of(holding());
    world.device = Some(Device::new([1; 16], DeviceTicket::New));
    world.login(HOME, "anna");
    world.device = None;
    far_logins(&mut world, 0..14);
    for from in [far(99), far(3), far(3).replace(".7.9", ".8.1")] {
        assert_eq!(world.login(&from, "anna"), HELD, "{from}");
        assert_eq!(world.guess(&from, "anna", "Zwiebelkuchen"), HELD, "{from}");
    }
    assert!(matches!(world.login(HOME, "anna"), Fate::Asked(_)));
    assert!(matches!(world.login("203.0.7.7", "anna"), Fate::Asked(_)));
    assert!(matches!(world.login(&far(99), "bert"), Fate::Asked(_)));
    world.device = Some(Device::new([1; 16], DeviceTicket::Returned));
    assert!(matches!(world.login(&far(50), "anna"), Fate::Asked(_)));
}

#[test]
fn the_devices_and_networks_of_the_thief_are_held() {
    let mut world = world_of(holding());
    world.device = Some(Device::new([7; 16], DeviceTicket::New));
    far_login(&mut world, 0);
    world.device = Some(Device::new([7; 16], DeviceTicket::Returned));
    far_logins(&mut world, 1..14);
    for n in [0, 5, 99] {
        assert_eq!(world.login(&far(n), "anna"), HELD, "{n}");
    }
}

#[test]
fn the_owners_word_and_the_lists_come_before_a_hold() {
    let mut settings = holding();
    settings.allow = vec!["198.200.0.0/16".parse().unwrap()];
    settings.stolen.except = vec!["Team".to_owned()];
    let mut world = world_of(settings.clone());
    world.befriend("team", HOME);
    far_logins(&mut world, 0..14);
    assert_eq!(
        world.login("198.200.7.9", "anna"),
        Fate::Asked(Reason::AllowList)
    );
    for n in 0..40 {
        assert!(
            matches!(world.login(&far(n), "team"), Fate::Asked(_)),
            "{n}"
        );
    }
    // What the webmail host sends is counted nowhere.
    let mut webmail = world_of(settings);
    for n in 0..20 {
        webmail.login(&format!("198.200.{n}.9"), "anna");
    }
    assert!(
        !webmail
            .changes
            .iter()
            .any(|change| matches!(change.fact, Fact::PlaceNew(_)))
    );
}

#[test]
fn it_is_held_until_the_operator_forgives() {
    let mut world = stolen(holding());
    world.pass(DAY * 60);
    world.befriend("anna", HOME);
    assert_eq!(world.login(&far(99), "anna"), HELD);
    world
        .gate
        .forgive_user(&user("anna"), world.now, &mut world.changes);
    assert!(matches!(world.login(&far(99), "anna"), Fate::Asked(_)));
    // The thief, who still has the password, is found anew.
    let first = (20..40).find(|n| world.login(&far(*n), "anna") == HELD);
    assert_eq!(first, Some(33));
}

#[test]
fn a_login_at_home_speaks_for_another_password_and_for_no_other() {
    let new = "Sanddorn-Holunder-Neu";
    let mut world = stolen(holding());
    world.login(HOME, "anna");
    assert_eq!(
        world.login(&far(99), "anna"),
        HELD,
        "the thief has the same"
    );
    let permit = world.permit(HOME, "anna", new);
    world.settle(permit, AuthOutcome::Accept);
    let permit = world.permit(&far(99), "anna", new);
    world.settle(permit, AuthOutcome::Accept);
    assert_eq!(world.login(&far(98), "anna"), HELD, "still the stolen one");
    assert_eq!(world.guess(&far(98), "anna", "Zwiebelkuchen"), HELD);
}

#[test]
fn a_hold_outlives_a_restart_and_the_password_that_was_new_is_not_known_any_more() {
    let world = stolen(holding());
    let snapshots = world.gate.snapshots(world.now).unwrap();
    let journal = [journal::file(&world.changes)];
    for files in [snapshots.as_slice(), &journal] {
        let (gate, _) = Gate::restore(holding(), keys(), files, world.now + MINUTE);
        let mut again = World::new(holding());
        again.gate = gate;
        again.now = world.now + MINUTE;
        again.befriend("anna", HOME);
        for n in [0, 13, 99] {
            assert_eq!(again.login(&far(n), "anna"), HELD, "{n}");
        }
        assert!(matches!(again.login(HOME, "anna"), Fate::Asked(_)));
        let permit = again.permit(HOME, "anna", "Sanddorn-Holunder-Neu");
        again.settle(permit, AuthOutcome::Accept);
        assert_eq!(again.guess(&far(99), "anna", "Sanddorn-Holunder-Neu"), HELD);
    }
}

#[test]
fn what_was_forgiven_stays_so_after_a_restart() {
    let mut world = stolen(holding());
    let snapshots = world.gate.snapshots(world.now).unwrap();
    let before = world.changes.len();
    world.pass(MINUTE);
    world
        .gate
        .forgive_user(&user("anna"), world.now, &mut world.changes);
    let mut files = snapshots.to_vec();
    files.push(journal::file(&world.changes[before..]));
    let (gate, _) = Gate::restore(holding(), keys(), &files, world.now + MINUTE);
    assert_eq!(gate.status(world.now + MINUTE).suspected, 0);
}

#[test]
fn while_settling_in_and_in_a_dry_run_nobody_is_held_and_settling_in_counts_nothing() {
    let mut settings = holding();
    settings.settling = DAY * 7;
    let mut settling = World::new(settings);
    for n in 0..30 {
        assert!(matches!(
            settling.login(&far(n), "anna"),
            Fate::Asked(_) | Fate::Would(_)
        ));
    }
    assert_eq!(settling.gate.status(settling.now).suspected, 0);
    let mut settings = holding();
    settings.mode = Mode::DryRun;
    let mut dry = world_of(settings);
    far_logins(&mut dry, 0..14);
    assert_eq!(dry.login(&far(99), "anna"), Fate::Would(Reason::Stolen));
}

#[test]
fn a_held_attempt_reads_as_any_that_is_refused_and_asks_nobody() {
    let mut world = stolen(holding());
    let before = tokens(
        &world,
        HOME,
        "anna",
        Reason::Bucket(crate::gate::buckets::spec::Bucket::Strangers),
    );
    for password in ["Korrekt-Pferd-Batterie", "Zwiebelkuchen"] {
        assert_eq!(world.told("198.99.7.9", "anna", password), 454);
    }
    let after = tokens(
        &world,
        HOME,
        "anna",
        Reason::Bucket(crate::gate::buckets::spec::Bucket::Strangers),
    );
    assert_eq!(before, after);
}

#[test]
fn nobody_without_a_right_password_holds_anybody() {
    let mut world = world_of(holding());
    for n in 0..60 {
        world.guess(&far(n), "anna", &format!("Zwiebel{n}kuchen"));
        world.pass(Duration::from_secs(7200));
    }
    assert!(matches!(world.login(&far(99), "anna"), Fate::Asked(_)));
    assert_eq!(world.gate.status(world.now).suspected, 0);
}
