//! repeated_password - a wrong password that is repeated until it is right
//!
//! Whichever client tried it before, and whatever others use up, no client is told that a right password is wrong.
//! The times and the shared allowance have their tests in the gate (`gate::tests::repeats`).

use crate::kit::client::{auth_plain, loopback};
use crate::kit::mail::{ANNA, BERT, Mail, User};
use crate::kit::proxy::Setup;

#[test]
fn a_password_that_has_become_right_is_never_told_wrong_to_a_client_that_has_not_tried_it() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).start();
    let try_as = |host: u8, user: User<'_>| {
        let mut client = proxy.client(loopback(30, host));
        client.greet();
        client.say(&auth_plain(user)).code
    };
    assert_eq!(try_as(1, ANNA), 235);
    let new = User(ANNA.0, "Pflaume5Zwetschge");
    assert_eq!(try_as(2, new), 535);
    let checked = mail.password_checks().len();
    mail.change_password(new);
    let codes: Vec<u16> = (3..13).map(|host| try_as(host, new)).collect();
    assert!(
        codes.iter().all(|code| [235, 454].contains(code)),
        "a right password: {codes:?}"
    );
    assert!(mail.password_checks().len() > checked);
}

#[test]
fn an_offices_old_phone_is_told_535_by_postfix_first_and_costs_nobody_else_anything() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).start();
    let office = loopback(31, 1);
    let try_as = |user: User<'_>| {
        let mut client = proxy.client(office);
        client.greet();
        client.say(&auth_plain(user)).code
    };
    assert_eq!((try_as(ANNA), try_as(BERT)), (235, 235));
    let old = User(ANNA.0, "Pflaume5Zwetschge");
    let told: Vec<u16> = (0..40).map(|_| try_as(old)).collect();
    assert!(told.iter().all(|code| *code == 535), "{told:?}");
    let checks = mail.password_checks();
    let wrong = checks.iter().filter(|check| !check.right).count();
    assert_eq!(wrong, 1, "{checks:?}");
    assert_eq!((try_as(ANNA), try_as(BERT)), (235, 235));
}
