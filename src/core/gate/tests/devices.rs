//! devices - a user's mail program is familiar wherever it is, and no more than its bounds allow

use super::kit::*;
use crate::gate::buckets::spec::Bucket;
use crate::gate::processes::ProcessLine;
use crate::gate::request::attempt::Trust;
use crate::gate::request::device::{Device, DeviceTicket};
use crate::gate::request::verdict::Reason;
use crate::gate::{ConnectedClient, Gate};
use crate::moment::Moment;

const HOTEL: &str = "198.51.100.7";
const BY_DEVICE: Fate = Fate::Asked(Reason::Bucket(Bucket::Device));

fn returned(n: u8) -> Option<Device> {
    Some(Device::new([n; 16], DeviceTicket::Returned))
}

fn fresh(n: u8) -> Option<Device> {
    Some(Device::new([n; 16], DeviceTicket::New))
}

/// Anna has logged in at home with her laptop, which is device 1.
fn with_laptop() -> World {
    let mut world = World::new(settings());
    world.device = fresh(1);
    world.login(HOME, "anna");
    world.pass(MINUTE);
    world.device = None;
    world
}

/// A botnet uses up what strangers may take.
fn spray(world: &mut World) {
    let before = world.device.take();
    for n in 0..150 {
        let from = format!("100.{}.{}.9", 64 + n / 200, n % 200);
        world.guess(&from, "bert", &format!("Zwiebel{n}kuchen"));
    }
    world.device = before;
}

fn known(world: &World, names: &[&str]) {
    for name in names {
        world.befriend(name, "192.0.2.200");
    }
}

/// Strangers have no token left, without exception.
fn sprayed() -> World {
    let mut world = with_laptop();
    known(&world, &["bert", "carl"]);
    for n in 0..150 {
        let name = format!("user{n}");
        known(&world, &[&name]);
        let from = format!("100.64.{n}.9");
        world.guess(&from, &name, &format!("Zwiebel{n}kuchen"));
    }
    let refused = Fate::Refused(Reason::Bucket(Bucket::Strangers));
    assert_eq!(world.guess("100.99.9.9", "carl", "Quitten-Gelee"), refused);
    world
}

#[test]
fn a_laptop_logs_in_far_away_while_strangers_are_refused() {
    let mut world = sprayed();
    let refused = Fate::Refused(Reason::Bucket(Bucket::Strangers));
    assert_eq!(world.login(HOTEL, "anna"), refused, "without its ticket");
    world.device = returned(2);
    assert_eq!(world.login(HOTEL, "anna"), refused, "another device");
    world.device = fresh(1);
    assert_eq!(
        world.login(HOTEL, "anna"),
        refused,
        "nobody has brought it back"
    );
    world.device = returned(1);
    assert_eq!(world.login(HOTEL, "anna"), BY_DEVICE);
    world.device = None;
    let familiar = Fate::Asked(Reason::Bucket(Bucket::Familiar));
    assert_eq!(world.login(HOTEL, "anna"), familiar, "as after any login");
}

#[test]
fn it_waits_for_no_turn_and_is_in_its_owners_line() {
    let mut world = with_laptop();
    let home = ProcessLine::of(&world.permit(HOME, "anna", "Birne-Apfel"));
    let strangers = ProcessLine::of(&world.permit(HOTEL, "anna", "Birne-Apfel"));
    assert_ne!(home, strangers);
    world.pass(HOUR);
    world.device = returned(1);
    assert!(matches!(
        world.ask_first(client("192.0.2.77"), "anna", Some("Birne-Apfel")),
        crate::gate::permit::First::Decided(_)
    ));
    let permit = world.permit("192.0.2.77", "anna", "Birne-Quitte");
    assert_eq!(ProcessLine::of(&permit), home);
    assert_eq!(permit.acquaintance().trust, Trust::Device);
}

#[test]
fn it_is_no_pass_for_another_user() {
    let mut world = sprayed();
    world.device = returned(1);
    let refused = Fate::Refused(Reason::Bucket(Bucket::Strangers));
    assert_eq!(world.guess(HOTEL, "carl", "Zwetschgen-Knoedel"), refused);
}

#[test]
fn five_wrong_passwords_and_a_thief_with_the_laptop_is_a_stranger() {
    let mut world = sprayed();
    world.device = returned(1);
    for n in 0..5 {
        // Elsewhere each time, for it is the device that is counted.
        let from = format!("198.51.{n}.7");
        assert_eq!(
            world.guess(&from, "anna", &format!("Hut{n}schnur")),
            BY_DEVICE
        );
    }
    let refused = Fate::Refused(Reason::Bucket(Bucket::Strangers));
    assert_eq!(world.guess(HOTEL, "anna", "Hut-und-Schnur"), refused);
    world.pass(DAY * 3);
    spray(&mut world);
    assert_ne!(
        world.guess(HOTEL, "anna", "Hut-ohne-Schnur"),
        BY_DEVICE,
        "time gives nothing back"
    );
    world.login(HOME, "anna");
    world.pass(HOUR);
    assert_eq!(
        world.login("198.51.9.9", "anna"),
        BY_DEVICE,
        "its owner does"
    );
}

#[test]
fn nor_does_a_feigned_outage_give_the_thief_more() {
    let mut world = World::new(settings());
    for n in 0..8 {
        world.befriend(&format!("own{n}"), &format!("10.{n}.0.1"));
    }
    world.device = fresh(1);
    world.login(HOME, "anna");
    world.pass(MINUTE);
    world.device = None;
    spray(&mut world);
    for n in 0..8 {
        world.guess(&format!("10.{n}.0.1"), &format!("own{n}"), "Wellen-bad");
    }
    assert!(world.gate.status(world.now).backend_outage);
    world.device = returned(1);
    let guesses = (0..20).filter(|n| {
        let fate = world.guess(&format!("198.51.{n}.7"), "anna", &format!("Hut{n}schnur"));
        fate == BY_DEVICE
    });
    assert_eq!(guesses.count(), 5);
    // Nor what its bucket gets back.
    for round in 0..24 {
        world.pass(MINUTE * 5);
        let n = round % 8;
        world.device = None;
        world.guess(
            &format!("10.{n}.0.1"),
            &format!("own{n}"),
            &format!("Wellen{round}bad"),
        );
    }
    assert!(world.gate.status(world.now).backend_outage);
    world.device = returned(1);
    assert_ne!(world.guess(HOTEL, "anna", "Hut-ohne-Schnur"), BY_DEVICE);
}

#[test]
fn parallel_attempts_of_a_device_are_no_more_than_five() {
    let mut world = sprayed();
    world.device = returned(1);
    let permits = (0..20).filter(|n| {
        let verdict = world.judge(client(HOTEL), "anna", Some(&format!("Hut{n}schnur")));
        matches!(verdict, crate::gate::permit::Verdict::Allow(_))
    });
    assert_eq!(permits.count(), 5);
}

#[test]
fn an_old_device_with_an_old_password_is_not_counted_and_a_typing_error_only_once() {
    let mut world = with_laptop();
    world.device = returned(1);
    for _ in 0..30 {
        world.guess(HOTEL, "anna", "Tippfehler");
        world.pass(MINUTE * 2);
    }
    assert_eq!(world.login(HOTEL, "anna"), BY_DEVICE);
}

#[test]
fn where_guesses_have_emptied_the_users_own_network_the_device_gets_in() {
    let mut world = with_laptop();
    for n in 0..25 {
        world.guess("203.0.113.66", "anna", &format!("Hut{n}schnur"));
    }
    let refused = Fate::Refused(Reason::Bucket(Bucket::Familiar));
    assert_eq!(world.login(HOME, "anna"), refused);
    world.device = returned(1);
    for n in 0..5 {
        assert_eq!(
            world.guess(HOME, "anna", &format!("Schnur{n}hut")),
            BY_DEVICE
        );
    }
    assert_eq!(
        world.login(HOME, "anna"),
        refused,
        "and no more than its own tries"
    );
}

#[test]
fn at_home_it_pays_what_its_network_pays() {
    let mut world = with_laptop();
    world.device = returned(1);
    let familiar = Fate::Asked(Reason::Bucket(Bucket::Familiar));
    for n in 0..20 {
        assert_eq!(
            world.guess(HOME, "anna", &format!("Hut{n}schnur")),
            familiar
        );
    }
    assert_eq!(
        world.login(HOTEL, "anna"),
        BY_DEVICE,
        "that was not its own account"
    );
}

#[test]
fn a_change_of_password_takes_trust_back_from_devices() {
    let mut world = World::new(settings());
    let mut login = |from: &str, device, password| {
        world.device = device;
        let permit = world.permit(from, "anna", password);
        world.settle(permit, crate::gate::request::attempt::AuthOutcome::Accept);
        world.pass(MINUTE);
    };
    login(HOME, fresh(1), "Altes-Kennwort");
    login(HOTEL, fresh(9), "Altes-Kennwort");
    login(HOTEL, returned(9), "Altes-Kennwort");
    login(HOME, returned(1), "Neues-Kennwort");
    // The thief tries the old one, wherever: so it is seen that it was changed.
    world.device = returned(9);
    world.guess(HOTEL, "anna", "Altes-Kennwort");
    let trust = |world: &World, device| {
        let visitor = ConnectedClient {
            client: client("192.0.2.77"),
            device,
        };
        let (gate, now): (&Gate, Moment) = (&world.gate, world.now);
        gate.acquaintance(&user("anna"), visitor, now).trust
    };
    assert_eq!(trust(&world, returned(9)), Trust::Far);
    assert_eq!(trust(&world, returned(1)), Trust::Device);
}

#[test]
fn what_the_operator_takes_back_anywhere_takes_the_devices_with_it() {
    let everywhere: fn(&mut World) = |world| {
        let (user, now) = (user("anna"), world.now);
        world.gate.revoke(&user, None, now, &mut world.changes);
    };
    let somewhere: fn(&mut World) = |world| {
        let (user, now) = (user("anna"), world.now);
        let network = Some(client("198.18.0.1").network());
        world.gate.revoke(&user, network, now, &mut world.changes);
    };
    let forgotten: fn(&mut World) = |world| {
        let (user, now) = (user("anna"), world.now);
        world.gate.forget(&user, now, &mut world.changes);
    };
    for take_back in [everywhere, somewhere, forgotten] {
        let mut world = sprayed();
        take_back(&mut world);
        world.device = returned(1);
        assert_ne!(world.login(HOTEL, "anna"), BY_DEVICE);
    }
}

#[test]
fn what_five_users_log_in_with_speaks_for_none_of_them() {
    let mut world = with_laptop();
    world.device = returned(1);
    for name in ["bert", "carl", "dora", "emil"] {
        world.login(HOME, name);
    }
    world.device = None;
    spray(&mut world);
    world.device = returned(1);
    assert_ne!(world.login(HOTEL, "anna"), BY_DEVICE);
}

#[test]
fn no_automatic_ban_refuses_it_and_the_operators_does() {
    let mut world = with_laptop();
    // A guesser behind the hotel's address earns a ban.
    for n in 0..40 {
        world.guess(HOTEL, "bert", &format!("Zwiebel{n}kuchen"));
    }
    assert_eq!(world.login(HOTEL, "carl"), Fate::Refused(Reason::Ban));
    world.device = returned(1);
    assert_eq!(world.login(HOTEL, "anna"), BY_DEVICE);
    let mut world = with_laptop();
    let subject = crate::gate::request::change::Subject::Client(client(HOTEL));
    world
        .gate
        .ban(subject, world.now + DAY, world.now, &mut world.changes);
    world.device = returned(1);
    assert_eq!(world.login(HOTEL, "anna"), Fate::Refused(Reason::Ban));
}

#[test]
fn it_gets_its_banner_where_its_address_has_no_token_left() {
    let mut world = with_laptop();
    for n in 0..11 {
        world.guess(HOTEL, "bert", &format!("Zwiebel{n}kuchen"));
    }
    let session = MINUTE * 5;
    let refused = |world: &World, device| {
        let visitor = ConnectedClient {
            client: client(HOTEL),
            device,
        };
        let (gate, now) = (&world.gate, world.now);
        let peeked = gate.peek(visitor, now).is_some();
        (
            peeked,
            gate.refuse_at_accept(visitor, 9, session, now).is_some(),
        )
    };
    assert_eq!(refused(&world, None), (true, true));
    assert_eq!(refused(&world, returned(2)), (true, true));
    assert_eq!(refused(&world, returned(1)), (false, false));
}

#[test]
fn logins_from_the_allow_list_make_no_device() {
    let mut settings = settings();
    settings.allow = vec!["192.0.2.0/24".parse().unwrap()];
    let mut world = World::new(settings);
    world.device = fresh(1);
    world.login("192.0.2.9", "anna");
    world.device = returned(1);
    assert_ne!(world.login(HOTEL, "anna"), BY_DEVICE);
}

#[test]
fn names_beyond_those_that_are_known_have_no_devices() {
    let mut settings = settings();
    settings.capacity.pairs = 512;
    let mut world = World::new(settings);
    for n in 0..200_u8 {
        world.device = fresh(n);
        world.login(HOME, &format!("anna@{n}.example"));
    }
    assert!(world.gate.status(world.now).devices <= 64);
}

#[test]
fn forgiving_a_user_fills_the_devices_bucket() {
    let mut world = with_laptop();
    world.device = returned(1);
    for n in 0..4 {
        world.guess(HOTEL, "anna", &format!("Hut{n}schnur"));
    }
    world.login(HOME, "anna");
    world
        .gate
        .forgive_user(&user("anna"), world.now, &mut world.changes);
    for n in 4..8 {
        assert_eq!(
            world.guess("198.51.9.9", "anna", &format!("Hut{n}schnur")),
            BY_DEVICE
        );
    }
}
