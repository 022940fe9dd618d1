//! expelled - a thief's networks, familiar by the theft, when the operator takes them back

use super::{is_open, log_in};
use crate::kit::mail::{ANNA, BERT, Mail, User};
use crate::kit::proxy::{Proxy, Setup};

/// Where the thief logged in, and where the owner does.
const THEFT: [u8; 5] = [80, 81, 82, 83, 84];
const HOME: u8 = 85;

fn is_known(proxy: &Proxy) -> bool {
    let told = proxy.setup.command(&["explain", ANNA.0, "--json"]);
    let told: serde_json::Value = serde_json::from_str(&told.text).expect("JSON");
    told["known"] == true
}

fn is_familiar(proxy: &Proxy, net: u8) -> bool {
    proxy
        .ask(&["explain", &format!("127.{net}.0.1"), ANNA.0])
        .contains("known, familiar")
}

#[test]
fn a_thief_who_is_expelled_has_no_session_and_a_strangers_few_guesses() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).start();
    let mut sessions: Vec<_> = THEFT
        .iter()
        .map(|net| log_in(&proxy, (*net, 1), ANNA).unwrap())
        .collect();
    let mut bert = log_in(&proxy, (THEFT[0], 1), BERT).unwrap();
    assert!(THEFT.iter().all(|net| is_familiar(&proxy, *net)));

    let answer = proxy.ask(&["expel", ANNA.0, "--json"]);
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(
        (&answer["sessions"], &answer["networks"]),
        (&5.into(), &5.into())
    );
    assert!(!sessions.iter_mut().any(is_open), "a thief goes on");
    assert!(is_open(&mut bert));

    let before = mail.password_checks().len();
    for net in THEFT {
        for number in 0..22 {
            let guess = format!("Birne{net}im{number}Garten");
            let _ = log_in(&proxy, (net, 1), User(ANNA.0, &guess));
        }
    }
    let checked = mail.password_checks().len() - before;
    // Ten as from far, and what its logins earned for two of its clients.
    assert!(checked <= 10 + 2, "{checked} guesses reached Postfix");
}

#[test]
fn what_was_forgotten_stays_so_over_a_kill_and_old_logs_and_is_earned_anew() {
    let mail = Mail::start();
    let mut proxy = Setup::before(&mail).start();
    let thief = THEFT[0];
    for net in [thief, HOME] {
        let mut session = log_in(&proxy, (net, 1), ANNA).unwrap();
        session.submit(ANNA.0, "Subject: x\r\n\r\nhello\r\n");
    }
    mail.logged(&[&format!("127.{HOME}.0.1"), "sasl_username=anna"]);
    let log = mail.postfix_log_file().display().to_string();

    proxy.ask(&["forget", ANNA.0, &format!("127.{thief}.0.0/24")]);
    proxy.kill_and_start();
    assert!(!is_familiar(&proxy, thief) && is_familiar(&proxy, HOME));
    proxy.ask(&["forget", ANNA.0]);
    for _ in 0..2 {
        proxy.ask(&["learn", &log]);
        assert!(!is_familiar(&proxy, thief) && !is_familiar(&proxy, HOME));
        assert!(!is_known(&proxy));
        proxy.kill_and_start();
        proxy.ask(&["learn", &log]);
        proxy.restart();
    }
    // Not even while nothing runs.
    proxy.terminate();
    proxy.ends_well();
    let setup = proxy.setup;
    let learnt = setup.command(&["learn", &log]);
    assert_eq!(learnt.code, Some(0), "{}", learnt.text);
    let proxy = setup.start();
    assert!(!is_familiar(&proxy, thief) && !is_familiar(&proxy, HOME));
    assert!(!is_known(&proxy));
    assert!(log_in(&proxy, (HOME, 1), ANNA).is_ok());
    assert!(is_known(&proxy));
    proxy.ask(&["learn", &log]);
    assert!(!is_familiar(&proxy, thief) && is_familiar(&proxy, HOME));
}

#[test]
fn an_address_is_expelled_and_may_come_back_and_wrong_words_are_refused() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).start();
    let mut one = log_in(&proxy, (80, 1), ANNA).unwrap();
    let mut other = log_in(&proxy, (80, 2), ANNA).unwrap();
    assert!(
        proxy
            .ask(&["expel", "127.80.0.1"])
            .contains("1 session ended")
    );
    assert!(!is_open(&mut one) && is_open(&mut other));
    assert!(log_in(&proxy, (80, 1), ANNA).is_ok());
    let answer = proxy.ask(&["expel", ANNA.0, "127.80.0.2"]);
    assert!(
        answer.contains("no longer familiar in 127.80.0.0/24"),
        "{answer}"
    );
    assert!(!is_open(&mut other));
    for words in [
        ["expel", "127.80.0.1", "127.80.0.0/24"],
        ["expel", ANNA.0, "office"],
        ["forget", ANNA.0, "office"],
    ] {
        let ran = proxy.setup.command(&words);
        assert_eq!(ran.code, Some(2), "{words:?}: {}", ran.text);
    }
}
