//! tests - devices of users: how many, how long, and what takes them back

use super::*;

const NOW: Moment = Moment::from_seconds(1_800_000_000);
const ANNA: UserId = UserId(1 << 32);
const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

fn person(n: u64) -> UserId {
    UserId(n << 32)
}

fn back(n: u64) -> HashedDevice {
    HashedDevice {
        id: DeviceId(n),
        ticket: DeviceTicket::Returned,
    }
}

fn new(n: u64) -> HashedDevice {
    HashedDevice {
        id: DeviceId(n),
        ticket: DeviceTicket::New,
    }
}

fn login(devices: &Devices, user: UserId, device: HashedDevice, at: Moment) -> Option<Change> {
    devices.login(user, (device, DeviceMet::AtHome), Novelty::New, at, at)
}

fn is_familiar(devices: &Devices, user: UserId, device: u64, at: Moment) -> bool {
    devices.trust(user, back(device), 0, at) == DeviceTrust::Familiar
}

#[test]
fn a_device_is_familiar_to_its_user_when_it_comes_back_and_to_nobody_else() {
    let devices = Devices::new(100);
    assert_eq!(login(&devices, ANNA, new(1), NOW), None, "worth no record");
    assert!(is_familiar(&devices, ANNA, 1, NOW));
    assert!(!is_familiar(&devices, person(2), 1, NOW) && !is_familiar(&devices, ANNA, 2, NOW));
    assert_eq!(devices.trust(ANNA, new(1), 0, NOW), DeviceTrust::Unknown);
    assert!(devices.is_known(back(1)) && !devices.is_known(new(1)) && !devices.is_known(back(2)));
    let change = login(&devices, ANNA, back(1), NOW + SECOND);
    assert!(matches!(change.unwrap().fact, Fact::DeviceFamiliar(_)));
}

#[test]
fn it_stays_so_for_90_days_after_its_last_login_and_one_that_never_came_back_for_eight() {
    let devices = Devices::new(100);
    login(&devices, ANNA, back(1), NOW);
    login(&devices, ANNA, new(2), NOW);
    for (days, there) in [(8, (true, true)), (9, (true, false)), (90, (true, false))] {
        let at = NOW + DAY * days - SECOND;
        devices.sweep(at);
        let known = (devices.is_known(back(1)), devices.is_known(back(2)));
        assert_eq!(known, there, "{days}");
        assert!(is_familiar(&devices, ANNA, 1, at));
    }
    assert!(
        !is_familiar(&devices, ANNA, 1, NOW + DAY * 90),
        "not swept yet"
    );
    devices.sweep(NOW + DAY * 90);
    assert_eq!(devices.count(), 0);
    assert!(!devices.is_known(back(1)));
}

#[test]
fn a_user_keeps_eight_and_of_those_that_never_came_back_four() {
    let devices = Devices::new(100);
    let at = |n: u64| NOW + SECOND * n as u32;
    for n in 0..5 {
        login(&devices, ANNA, new(n), at(n));
    }
    let held: Vec<_> = devices.of_user(ANNA).iter().map(|held| held.id.0).collect();
    assert_eq!(held, [4, 3, 2, 1]);
    for n in 10..18 {
        login(&devices, ANNA, back(n), at(n));
    }
    // A program that keeps no ticket, thousands of times: it pushes out nothing that comes back.
    for n in 100..1_100 {
        login(&devices, ANNA, new(n), at(n));
    }
    let held: Vec<_> = devices.of_user(ANNA).iter().map(|held| held.id.0).collect();
    assert_eq!(held, [17, 16, 15, 14, 13, 12, 11, 10]);
    login(&devices, ANNA, back(18), at(2_000));
    assert!(
        !is_familiar(&devices, ANNA, 10, at(2_000)),
        "the oldest went"
    );
    assert!(is_familiar(&devices, ANNA, 11, at(2_000)));
    assert_eq!(devices.count(), 8);
}

#[test]
fn five_wrong_passwords_end_it_and_a_login_between_begins_anew() {
    let devices = Devices::new(100);
    login(&devices, ANNA, back(1), NOW);
    let failed = || devices.failed(ANNA, DeviceId(1), NOW);
    for _ in 0..4 {
        assert_eq!(failed(), None);
    }
    // A moment after the last one, and all the same it counts.
    assert!(
        devices
            .login(
                ANNA,
                (back(1), DeviceMet::AtHome),
                Novelty::Repeat,
                NOW,
                NOW
            )
            .is_some()
    );
    for _ in 0..4 {
        assert_eq!(failed(), None);
    }
    assert!(is_familiar(&devices, ANNA, 1, NOW));
    assert!(matches!(failed().unwrap().fact, Fact::DeviceDropped(_)));
    assert!(!is_familiar(&devices, ANNA, 1, NOW));
    assert_eq!(failed(), None, "it is none any more");
    login(&devices, ANNA, back(1), NOW + SECOND);
    assert!(is_familiar(&devices, ANNA, 1, NOW + SECOND));
}

#[test]
fn what_five_users_log_in_with_is_no_device_of_any_and_stays_so() {
    let devices = Devices::new(100);
    for n in 0..4 {
        login(&devices, person(n), back(1), NOW);
        login(&devices, person(n), back(2), NOW);
    }
    assert!((0..4).all(|n| is_familiar(&devices, person(n), 1, NOW)));
    // Once more is no fifth.
    login(&devices, person(3), back(1), NOW + SECOND);
    assert!(is_familiar(&devices, person(0), 1, NOW));
    let change = login(&devices, person(4), back(1), NOW);
    assert_eq!(change.unwrap().fact, Fact::DeviceShared(DeviceId(1)));
    for n in 0..5 {
        assert_eq!(login(&devices, person(n), back(1), NOW + DAY), None);
        assert!(!is_familiar(&devices, person(n), 1, NOW + DAY));
    }
    assert!(!devices.is_known(back(1)) && is_familiar(&devices, person(0), 2, NOW));
    // As long as it is used; then it may begin anew.
    devices.sweep(NOW + DAY * 90);
    assert_eq!(devices.shared().len(), 1);
    devices.sweep(NOW + DAY * 91);
    assert_eq!(devices.shared().len(), 0);
}

#[test]
fn a_login_of_before_the_password_was_changed_proves_nothing() {
    let devices = Devices::new(100);
    login(&devices, ANNA, back(1), NOW);
    let since = |since| devices.trust(ANNA, back(1), since, NOW);
    assert_eq!(since(seconds(NOW)), DeviceTrust::Familiar);
    assert_eq!(since(seconds(NOW) + 1), DeviceTrust::Unknown);
}

#[test]
fn what_is_taken_back_does_not_come_back_with_an_attempt_that_was_judged_before() {
    let devices = Devices::new(100);
    login(&devices, ANNA, back(1), NOW);
    login(&devices, ANNA, back(2), NOW + DAY);
    login(&devices, person(2), back(1), NOW);
    let taken = NOW + SECOND * 5;
    devices.take_back(ANNA, taken);
    assert!(!is_familiar(&devices, ANNA, 1, taken) && is_familiar(&devices, person(2), 1, taken));
    assert!(
        is_familiar(&devices, ANNA, 2, NOW + DAY),
        "it logged in after that"
    );
    let under_way = |judged| {
        devices.login(
            ANNA,
            (back(1), DeviceMet::AtHome),
            Novelty::New,
            judged,
            taken + SECOND,
        )
    };
    assert_eq!(under_way(taken), None);
    assert!(!is_familiar(&devices, ANNA, 1, taken));
    assert!(under_way(taken + SECOND).is_some());
    assert!(is_familiar(&devices, ANNA, 1, taken + SECOND));
}

#[test]
fn the_capacity_is_never_exceeded_and_those_that_never_came_back_make_room_first() {
    let devices = Devices::new(1_000);
    for n in 0..5_000_u32 {
        let at = NOW + SECOND * n;
        let device = match n < 500 {
            true => back(u64::from(n)),
            false => new(u64::from(n)),
        };
        login(&devices, person(u64::from(n)), device, at);
        assert!(devices.count() <= 1_000);
    }
    assert!((0..500).all(|n| is_familiar(&devices, person(n), n, NOW + SECOND * 5_000)));
    assert!(is_familiar(
        &devices,
        person(4_999),
        4_999,
        NOW + SECOND * 5_000
    ));
    assert!(devices.evictions() >= 4_000);
}

#[test]
fn devices_that_are_none_are_bounded_too() {
    let devices = Devices::new(100);
    for n in 0..2_000_u32 {
        devices.restore_shared(DeviceId(u64::from(n)), n);
    }
    let shared = devices.shared();
    assert_eq!(shared.len(), 512);
    assert!(shared.iter().all(|(_, last)| *last >= 2_000 - 512));
}

#[test]
fn a_device_that_has_logged_in_at_home_once_is_known_from_there() {
    let devices = Devices::new(100);
    let meet = |met, at| devices.login(ANNA, (back(1), met), Novelty::Repeat, at, at);
    let is_met = || devices.is_met_at_home(ANNA, DeviceId(1));
    meet(DeviceMet::Elsewhere, NOW);
    assert!(!is_met() && !devices.is_met_at_home(person(2), DeviceId(1)));
    meet(DeviceMet::AtHome, NOW + SECOND);
    assert!(is_met(), "however short ago the last login was");
    meet(DeviceMet::Elsewhere, NOW + DAY);
    assert!(is_met());
}
