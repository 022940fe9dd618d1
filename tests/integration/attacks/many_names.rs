//! many_names - guesses at one mailbox, each under another name that Dovecot leads to it
//!
//! Dovecot drops domains, translates characters, and logs in master users; so one password may be guessed at under as
//! many names as an attacker likes. Promised is a bound for the mailbox, without settings too.
//! Not here: that each name is counted as Dovecot reads it (`postfix::names`).

use crate::kit::client::{auth_plain, loopback};
use crate::kit::mail::{ANNA, Mail, User};
use crate::kit::proxy::{Proxy, Setup};

/// The `user` bucket's default, but for what it keeps for retries.
const BURST: usize = 9;
const GUESSES: usize = 40;

/// Master users: one, with a password that nobody guesses.
const MASTERS: &str = "
auth_master_user_separator = *
passdb {
  driver = static
  master = yes
  args = password=Vogelbeere8Hagebutte
}
";

/// Guesses, each at another name and from another network, before a gate that has only just begun to count.
fn guess(proxy: &Proxy, name: impl Fn(usize) -> String) {
    for number in 0..GUESSES {
        let source = loopback(20 + u8::try_from(number).unwrap(), 1);
        let mut client = proxy.client(source);
        client.greet();
        let (name, password) = (name(number), format!("{number}Hasel{number}maus"));
        let reply = client.say(&auth_plain(User(&name, &password)));
        assert!([454, 535].contains(&reply.code), "{name}: {reply:?}");
    }
}

/// How many passwords Dovecot has checked for this user.
fn checks_of(mail: &Mail, user: &str) -> usize {
    let checks = mail.password_checks().into_iter();
    checks.filter(|check| check.user == user).count()
}

fn known(proxy: &Proxy, name: &str) {
    let ran = proxy.setup.command(&["introduce", name]);
    assert!(ran.success, "{}", ran.text);
}

#[test]
fn the_domains_that_dovecot_drops_gain_an_attacker_one_burst() {
    let mail = Mail::with_dovecot("auth_username_format = %Ln");
    let proxy = Setup::before(&mail).start();
    known(&proxy, ANNA.0);
    guess(&proxy, |_| ANNA.0.to_owned());
    assert_eq!(checks_of(&mail, "anna"), BURST);
    guess(&proxy, |number| format!("anna@domain{number}.example"));
    assert!(checks_of(&mail, "anna") <= 2 * BURST);
}

#[test]
fn where_the_config_says_that_domains_are_dropped_they_gain_nothing() {
    let mail = Mail::with_dovecot("auth_username_format = %Ln");
    let proxy = Setup::before(&mail).with("names.domain", "strip").start();
    known(&proxy, ANNA.0);
    guess(&proxy, |number| match number % 3 {
        0 => ANNA.0.to_owned(),
        1 => "Anna".to_owned(),
        _ => format!("ANNA@domain{number}.example"),
    });
    assert_eq!(checks_of(&mail, "anna"), BURST);
}

#[test]
fn characters_that_dovecot_translates_gain_an_attacker_one_burst() {
    let mail = Mail::with_dovecot(
        "auth_username_format = %Ln\nauth_username_translation = %@\nauth_username_chars =",
    );
    let proxy = Setup::before(&mail).start();
    guess(&proxy, |number| format!("anna%domain{number}.example"));
    assert!(checks_of(&mail, "anna") <= BURST);
}

#[test]
fn a_master_users_password_is_not_guessed_through_other_mailboxes() {
    let mail = Mail::with_dovecot(MASTERS);
    for (separator, allowed) in [("", 2 * BURST), ("*", BURST)] {
        let before = checks_of(&mail, "admin");
        let setup = Setup::before(&mail);
        let proxy = setup.with("names.master-separator", separator);
        let proxy = match separator {
            // A build without this key knows the rest.
            "" => Setup::before(&mail).start(),
            _ => proxy.start(),
        };
        known(&proxy, "admin");
        guess(&proxy, |number| match number % 2 {
            0 => "admin".to_owned(),
            _ => format!("mailbox{number}*admin"),
        });
        let checked = checks_of(&mail, "admin") - before;
        assert!(checked <= allowed, "{separator:?}: {checked}");
        assert!(checked >= BURST, "the guesses reach Dovecot: {checked}");
    }
}
