//! honest - users with a history here, whatever happens around them
//!
//! Not here: the traces of months in offices and on journeys (`gate`, simulated).

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::thread;

use crate::kit::client::{auth_plain, loopback};
use crate::kit::mail::{ANNA, BERT, CARLA, Mail, NUMBERED, Passwords, User, numbered};
use crate::kit::proxy::{Event, Proxy, Setup};

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 41, 0, 1));

fn log_in(proxy: &Proxy, source: IpAddr, user: User<'_>) -> u16 {
    let mut client = proxy.client(source);
    client.greet();
    client.say(&auth_plain(user)).code
}

#[test]
fn a_forgotten_phone_with_an_old_password_bans_nobody_and_dovecot_is_hardly_asked() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).start();
    assert_eq!(log_in(&proxy, HOME, ANNA), 235);
    for _ in 0..50 {
        assert_eq!(log_in(&proxy, HOME, User(ANNA.0, "Old1Password")), 535);
    }
    assert_eq!(log_in(&proxy, HOME, ANNA), 235);
    let wrong = mail
        .password_checks()
        .iter()
        .filter(|check| !check.right)
        .count();
    // Once a minute: for a machine on which this takes five.
    assert!((1..=5).contains(&wrong), "{wrong}");
}

#[test]
fn an_infected_machine_does_not_lock_its_office_out() {
    let mail = Mail::start();
    let setup = Setup::before(&mail);
    let users = setup.write("users", CARLA.0);
    let proxy = setup.with("users", users.display().to_string()).start();
    assert_eq!(log_in(&proxy, HOME, ANNA), 235);
    assert_eq!(log_in(&proxy, HOME, BERT), 235);
    for number in 0..40 {
        let password = format!("Guess{number}of{number}many");
        let code = log_in(&proxy, HOME, User(CARLA.0, &password));
        assert!([535, 454].contains(&code), "guess {number}: {code}");
    }
    // Ten of the client's bucket, and what one of the two logins had earned.
    let checks = mail.password_checks();
    let guessed = checks.iter().filter(|check| !check.right).count();
    assert!(guessed <= 10 + 1, "{guessed} guesses reached Dovecot");
    assert_eq!(log_in(&proxy, HOME, ANNA), 235);
    assert_eq!(log_in(&proxy, HOME, BERT), 235);
    // Those two let a colleague in who had never logged in from there.
    assert_eq!(log_in(&proxy, HOME, CARLA), 235);
    assert!(
        proxy
            .logged(|event| event.message() == "ban began"
                && event.field("subject") == HOME.to_string())
            .is_empty()
    );
}

#[test]
fn a_failing_dovecot_is_no_attack_and_nobody_is_told_that_the_password_is_wrong() {
    let mail = Mail::start();
    let home = |number: usize| loopback(u8::try_from(100 + number).expect("few users"), 1);
    let setup = Setup::before(&mail);
    let names: Vec<String> = (0..NUMBERED).map(|number| numbered(number).0).collect();
    let logins = names.iter().enumerate();
    let logins: Vec<_> = logins.map(|(n, name)| (name.as_str(), home(n))).collect();
    setup.learn_yesterdays(&logins);
    let proxy = setup.start();
    // All at once, each from a network of their own.
    let all_log_in = || -> Vec<u16> {
        let log_in_user = |number: usize| {
            let (name, password) = numbered(number);
            log_in(&proxy, home(number), User(&name, &password))
        };
        thread::scope(|scope| {
            let users: Vec<_> = (0..NUMBERED)
                .map(|number| scope.spawn(move || log_in_user(number)))
                .collect();
            users.into_iter().map(|user| user.join().unwrap()).collect()
        })
    };
    assert!(all_log_in().iter().all(|code| *code == 235));

    mail.break_passwords();
    let codes = all_log_in();
    let told = |code: u16| codes.iter().filter(|told| **told == code).count();
    assert!(told(535) < 8, "it was seen after {}: {codes:?}", told(535));
    assert_eq!(told(454), NUMBERED - told(535), "{codes:?}");
    assert!(
        all_log_in().iter().all(|code| *code == 454),
        "nobody is told 535 any more"
    );
    let outage = |event: &Event| event.message().starts_with("backend outage");
    assert_eq!(proxy.log().find("that it fails", outage).level(), "ERROR");

    mail.mend_passwords();
    assert!(
        all_log_in().iter().all(|code| *code == 235),
        "and nobody is locked out"
    );
    for (name, home) in &logins {
        let ran = proxy
            .setup
            .command(&["explain", &home.to_string(), name, "--json"]);
        let told: serde_json::Value = serde_json::from_str(&ran.text).unwrap();
        let mut buckets = told["buckets"].as_array().unwrap().iter();
        let own = buckets.find(|bucket| bucket["name"] == "familiar");
        assert_eq!(own.unwrap()["tokens"], 20, "what was charged came back");
    }
    assert_eq!(proxy.logged(outage).len(), 1);
}

#[test]
fn with_bcrypt_a_familiar_login_waits_behind_a_handful_of_strangers_and_no_more() {
    const CROWD: u8 = 48;
    let mail = Mail::with_passwords(Passwords::Bcrypt);
    // So that strangers never run out of tokens while the test lasts.
    let mut setup = Setup::before(&mail).with("timeouts.turn", "60s");
    for limit in ["user", "strangers", "unknown", "words"] {
        setup.set(&format!("limits.{limit}.burst"), 10_000);
        setup.set(&format!("limits.{limit}.every"), "1m");
    }
    let proxy = setup.start();
    assert_eq!(log_in(&proxy, HOME, ANNA), 235);

    let over = AtomicBool::new(false);
    let guesses = AtomicU8::new(0);
    thread::scope(|scope| {
        for number in 0..CROWD {
            let (proxy, over, guesses) = (&proxy, &over, &guesses);
            scope.spawn(move || {
                let source = Ipv4Addr::new(127, 43, number, 1).into();
                while !over.load(Ordering::Relaxed) {
                    let round = guesses.fetch_add(1, Ordering::Relaxed);
                    let password = format!("Guess{number}of{round}many");
                    log_in(proxy, source, User(BERT.0, &password));
                }
            });
        }
        crate::kit::wait::until("the strangers are at it", || wrong(&mail) > 8);
        let mut overtaken = [(); 11].map(|()| {
            let mut client = proxy.client(HOME);
            client.greet();
            let before = wrong(&mail);
            client.expect(&auth_plain(ANNA), 235);
            wrong(&mail) - before
        });
        over.store(true, Ordering::Relaxed);
        overtaken.sort_unstable();
        // Four at once, for each of the times that Postfix and Dovecot speak with each other. On a busy machine
        // some come between a login and the look.
        assert!(
            overtaken[5] <= 16,
            "so many strangers were served first: {overtaken:?}"
        );
    });
}

fn wrong(mail: &Mail) -> usize {
    mail.password_checks_so_far()
        .iter()
        .filter(|check| !check.right)
        .count()
}
