//! revoked - familiarity that was taken back does not come back with a file

use super::*;
use crate::gate::buckets::table::seconds;
use crate::gate::request::change::{DeviceLogin, Fact, PasswordChange, Revocation};
use crate::gate::request::device::{DeviceId, DeviceMet};
use crate::gate::request::keys::UserId;

/// Changes in which Anna's and Bert's home is taken back, and Bert comes from elsewhere in the same second, with
/// snapshots of before and after.
fn revoked(elsewhere: &str) -> (Vec<Change>, [StateFile; 2], [StateFile; 2]) {
    let mut changes = Vec::new();
    let gate = Gate::new(settings(), keys(2), NOW);
    let at = |millis| NOW + Duration::from_millis(millis);
    let learn = |name, from, at, changes: &mut Vec<Change>| {
        gate.learn(&user(name), client(from), at, at, changes);
    };
    for (name, from) in [("anna", HOME), ("anna", elsewhere), ("bert", HOME)] {
        learn(name, from, at(300), &mut changes);
    }
    let before = image(&gate, at(350));
    let home = Some(client(HOME).network());
    gate.revoke(&user("anna"), home, at(400), &mut changes);
    gate.revoke(&user("bert"), None, at(500), &mut changes);
    learn("bert", elsewhere, at(600), &mut changes);
    let after = image(&gate, at(5_200));
    (changes, before, after)
}

#[track_caller]
fn only_elsewhere_is_familiar(gate: &Gate, elsewhere: &str, now: Moment) {
    for name in ["anna", "bert"] {
        for (from, trust) in [(HOME, Trust::Far), (elsewhere, Trust::Familiar)] {
            let told = gate.explain(client(from), Some(&user(name)), now);
            assert_eq!(told.user.unwrap().trust, trust, "{name} {from}");
        }
    }
}

#[test]
fn what_was_revoked_stays_so_in_whatever_order_the_files_are_read_and_however_long_it_was_away() {
    let elsewhere = "10.0.0.1";
    let (changes, before, after) = revoked(elsewhere);
    for files in orders(&changes, &before, &after) {
        for away in [Duration::ZERO, MINUTE, DAY * 30] {
            let now = NOW + Duration::from_millis(5_200) + away;
            let mut again = restore(&files, now);
            for _ in 0..2 {
                only_elsewhere_is_familiar(&again, elsewhere, now);
                // Not by an old log either.
                let then = now - away - MINUTE;
                again.learn(&user("anna"), client(HOME), then, now, &mut Vec::new());
                only_elsewhere_is_familiar(&again, elsewhere, now);
                again = restore(&image(&again, now), now);
            }
        }
    }
}

#[test]
fn a_device_that_came_back_after_its_users_trust_was_revoked_stays_through_two_restarts_after_ten_days()
 {
    let anna = UserId(1);
    let login = DeviceLogin {
        user: anna,
        device: DeviceId(1),
        last: seconds(NOW + MINUTE),
        met: DeviceMet::AtHome,
    };
    let revoked = Revocation {
        user: anna,
        network: None,
    };
    let changes = [
        Change::here(NOW, Fact::TrustRevoked(revoked)),
        Change::here(NOW + MINUTE, Fact::DeviceFamiliar(login)),
    ];
    let now = NOW + DAY * 10;
    let mut gate = restore(&[journal(&changes)], now);
    for _ in 0..3 {
        assert_eq!(gate.devices.of_user(anna).len(), 1);
        gate = restore(&image(&gate, now), now);
    }
}

#[test]
fn a_login_before_a_change_of_password_comes_before_it_after_ten_days_too() {
    let mut changes = Vec::new();
    let gate = Gate::new(settings(), keys(2), NOW);
    gate.learn(&user("anna"), client(HOME), NOW, NOW, &mut changes);
    let anna = gate.familiar.ids()[0];
    let changed = PasswordChange {
        user: anna,
        since: seconds(NOW) + 1,
    };
    changes.push(Change::here(NOW + MINUTE, Fact::PasswordChanged(changed)));
    for away in [MINUTE, DAY * 6, DAY * 7, DAY * 10] {
        let now = NOW + MINUTE + away;
        let again = restore(&[journal(&changes)], now);
        let told = again.explain(client(HOME), Some(&user("anna")), now);
        assert_eq!(told.user.unwrap().trust, Trust::Unproven, "{away:?}");
    }
}
