//! stolen_password - a thief whose networks have become familiar, after the owner has changed the password
//!
//! What the old password has earned must not give anybody a hundred guesses at the new one; and the owner's
//! other devices must get in at their first try.

use crate::kit::client::{auth_plain, loopback};
use crate::kit::mail::{ANNA, Mail, User};
use crate::kit::proxy::Setup;

const HOME: u8 = 110;
const OFFICE: u8 = 111;
const LAIRS: std::ops::Range<u8> = 112..117;

#[test]
fn a_change_of_password_takes_back_what_the_old_one_has_earned() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).start();
    let try_as = |net: u8, user: User<'_>| {
        let mut client = proxy.client(loopback(net, 1));
        client.greet();
        client.say(&auth_plain(user)).code
    };
    for net in [HOME, OFFICE].into_iter().chain(LAIRS) {
        assert_eq!(try_as(net, ANNA), 235);
    }
    let new = User(ANNA.0, "Pflaume5Zwetschge");
    mail.change_password(new);
    assert_eq!(try_as(HOME, new), 235);
    assert_eq!(try_as(LAIRS.start, ANNA), 535);

    let wrong = || {
        let checks = mail.password_checks().into_iter();
        checks
            .filter(|check| check.user == ANNA.0 && !check.right)
            .count()
    };
    let before = wrong();
    for round in 0..20 {
        for net in LAIRS {
            try_as(net, User(ANNA.0, &format!("Zwiebel{round}kuchen{net}")));
        }
    }
    // Two in each network, and what strangers may try at one account.
    let checked = wrong() - before;
    assert!(
        (1..=5 * 2 + 10).contains(&checked),
        "{checked} of 100 guesses"
    );
    assert_eq!(try_as(OFFICE, new), 235);
    assert_eq!(try_as(HOME, new), 235);
}
