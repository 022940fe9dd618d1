//! slow_backend - a Dovecot that answers late, and a familiar user with the right password
//!
//! A try that had no answer in time may cost something until more is known, and nothing when its password
//! turns out right: only failures cost.

use rustix::process::Signal;

use crate::kit::client::{auth_plain, loopback};
use crate::kit::mail::{ANNA, BERT, Mail, User};
use crate::kit::proxy::Setup;

#[test]
fn a_right_password_that_dovecot_was_too_slow_for_costs_nothing_once_it_is_accepted() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).start();
    let home = loopback(32, 1);
    let log_in = |user: User<'_>, code: u16| {
        let mut client = proxy.client(home);
        client.greet();
        client.expect(&auth_plain(user), code);
        client
    };
    // Both at once, so that two processes of Postfix have their connection to Dovecot.
    let sessions = [log_in(ANNA, 235), log_in(BERT, 235)];
    drop(sessions);
    mail.suspend_dovecot(Signal::STOP);
    // Two devices at once, and Postfix's ten seconds for Dovecot.
    std::thread::scope(|scope| {
        scope.spawn(|| log_in(ANNA, 454));
        scope.spawn(|| log_in(ANNA, 454));
    });
    mail.suspend_dovecot(Signal::CONT);
    log_in(ANNA, 235);
    let ran = proxy.setup.command(&["explain", "127.32.0.1", ANNA.0]);
    assert!(ran.text.contains("familiar   20/20"), "{}", ran.text);
}
