//! robust - whatever happens behind Gatepost, clients get a clear answer and nobody is charged
//!
//! A Postfix that is stopped, a Dovecot that is stopped, and things that are no Postfix at all.
//! A bucket of one token shows that nothing was taken: the next login would be refused.

use std::collections::HashSet;
use std::io::ErrorKind;

use crate::kit::client::{Client, Reply, auth_plain, loopback};
use crate::kit::impostor::{Conduct, Fault, Impostor};
use crate::kit::mail::{ANNA, Mail};
use crate::kit::proxy::{Proxy, Setup};
use crate::kit::wait;

const TRIES: usize = 3;

/// One failure, and there is no second try.
fn one_token(setup: Setup) -> Setup {
    setup.with("limits.client.burst", 1)
}

fn client(proxy: &Proxy) -> Client {
    let mut client = proxy.client(loopback(18, 1));
    client.greet();
    client
}

/// The reply to a login, or to the connection alone where it is known that there is no Postfix.
fn log_in(proxy: &Proxy) -> Reply {
    let mut client = proxy.client(loopback(18, 1));
    let reply = client.try_log_in(ANNA).expect("a reply");
    let is_banner = reply.code == 421;
    assert!(
        !is_banner || reply.lines[0].starts_with("4.3.0 "),
        "{reply:?}"
    );
    reply
}

/// Several logins in sessions of their own, all of them told to come again.
#[track_caller]
fn all_told_to_come_again(proxy: &Proxy) {
    for _ in 0..TRIES {
        let reply = log_in(proxy);
        assert!([421, 454].contains(&reply.code), "{reply:?}");
    }
}

#[test]
fn a_stopped_postfix_costs_nobody_anything_and_is_told_once() {
    let mut mail = Mail::start();
    let proxy = one_token(Setup::before(&mail)).start();
    client(&proxy).expect(&auth_plain(ANNA), 235);
    mail.stop_postfix();
    all_told_to_come_again(&proxy);
    // It is known by now, and said before anybody sends a password.
    let last = log_in(&proxy);
    assert_eq!(last.code, 421, "{last:?}");
    let line = proxy.log().find("the line about it", |event| {
        event.message() == "attempt" && last.lines[0].contains(&event.field("session"))
    });
    let told = (line.field("mechanism"), line.field("verdict"));
    assert_eq!(told, ("none".to_owned(), "defer".to_owned()));
    // A greeting that is cut off by the stop is another fault than a port where nobody listens, and each is told once.
    let told = proxy.logged(|event| event.message() == "upstream fails");
    let faults: HashSet<String> = told.iter().map(|event| event.field("fault")).collect();
    assert_eq!(told.len(), faults.len(), "{told:?}");
    assert!(told.iter().all(|event| event.level() == "WARN") && !told.is_empty());
    mail.start_postfix();
    client(&proxy).expect(&auth_plain(ANNA), 235);
}

#[test]
fn before_postfix_was_ever_seen_clients_are_told_so_in_place_of_the_banner() {
    let mut mail = Mail::start();
    mail.stop_postfix();
    let proxy = one_token(Setup::before(&mail)).start();
    wait::until("Gatepost has asked twice", || {
        log_in(&proxy).lines[0].contains("(GA")
    });
    let mut early = proxy.client(loopback(18, 1));
    assert_eq!(early.reply().code, 421);
    assert_eq!(
        early.try_reply().unwrap_err().kind(),
        ErrorKind::UnexpectedEof
    );
    mail.start_postfix();
    // The next client asks once more.
    client(&proxy).expect(&auth_plain(ANNA), 235);
}

#[test]
fn a_postfix_that_is_stopped_under_a_session_ends_that_session() {
    let mut mail = Mail::start();
    let proxy = Setup::before(&mail).start();
    let mut session = client(&proxy);
    session.expect(&auth_plain(ANNA), 235);
    mail.stop_postfix();
    // Postfix may say 421 before it goes; the end comes either way.
    session.rest().expect("an orderly end");
}

#[test]
fn a_stopped_dovecot_costs_nobody_anything() {
    let mut mail = Mail::start();
    let proxy = one_token(Setup::before(&mail)).start();
    client(&proxy).expect(&auth_plain(ANNA), 235);
    mail.stop_dovecot();
    all_told_to_come_again(&proxy);
    mail.start_dovecot();
    // Postfix waits a little before it starts an smtpd again after one that died.
    wait::until("logins are accepted again", || match log_in(&proxy).code {
        235 => true,
        421 | 454 => false,
        other => panic!("{other}"),
    });
}

/// In front of an impostor that was honest when Gatepost asked it.
fn before_an_impostor() -> (Impostor, Proxy) {
    let impostor = Impostor::start(Conduct::Honest);
    let setup = Setup::new(&impostor.address().to_string());
    let proxy = one_token(setup).with("upstream.announce", "none").start();
    client(&proxy).expect("QUIT", 221);
    (impostor, proxy)
}

/// Whatever comes instead of a reply of Postfix, the client is told to come again.
#[track_caller]
fn survives(stage: fn(Fault) -> Conduct, fault: Fault) {
    let (impostor, proxy) = before_an_impostor();
    impostor.conduct(stage(fault));
    all_told_to_come_again(&proxy);
    impostor.conduct(Conduct::Honest);
    client(&proxy).expect(&auth_plain(ANNA), 235);
}

#[test]
fn an_upstream_that_talks_nonsense_is_no_answer() {
    for stage in [Conduct::AtConnect, Conduct::AtEhlo, Conduct::AtAuth] {
        survives(stage, Fault::Garbage);
    }
}

#[test]
fn an_upstream_that_talks_without_end_is_no_answer() {
    for stage in [Conduct::AtConnect, Conduct::AtEhlo, Conduct::AtAuth] {
        survives(stage, Fault::Flood);
    }
}

#[test]
fn an_upstream_that_hangs_up_is_no_answer() {
    for stage in [Conduct::AtConnect, Conduct::AtEhlo, Conduct::AtAuth] {
        survives(stage, Fault::HangUp);
        survives(stage, Fault::HalfReply);
    }
}

/// One login: each takes as long as a deadline.
#[track_caller]
fn given_up(stage: fn(Fault) -> Conduct) {
    let (impostor, proxy) = before_an_impostor();
    impostor.conduct(stage(Fault::Silence));
    let reply = client(&proxy).say(&auth_plain(ANNA));
    assert_eq!(reply.code, 454, "{reply:?}");
    impostor.conduct(Conduct::Honest);
    client(&proxy).expect(&auth_plain(ANNA), 235);
}

#[test]
fn an_upstream_that_never_greets_is_given_up() {
    given_up(Conduct::AtConnect);
}

#[test]
fn an_upstream_that_never_answers_a_login_is_given_up() {
    given_up(Conduct::AtAuth);
}

#[test]
fn the_second_address_serves_when_the_first_is_dead() {
    let mail = Mail::start();
    let good = mail
        .address(crate::kit::mail::Entry::ProxyProtocol)
        .to_string();
    let dead = format!("127.0.0.1:{}", crate::kit::ports::free());
    let addresses: Vec<toml::Value> = vec![dead.into(), good.into()];
    let proxy = Setup::before(&mail)
        .with("upstream.addresses", addresses)
        .start();
    client(&proxy).expect(&auth_plain(ANNA), 235);
}
