//! guesses - one address that guesses passwords, and what Postfix and Dovecot see of it
//!
//! Not here: many addresses (`swarm`), and the rules of the gate under a simulated clock (`gate`).

use std::net::IpAddr;

use crate::kit::client::{Client, auth_plain, loopback};
use crate::kit::mail::{ANNA, BERT, Mail, User};
use crate::kit::proxy::{Proxy, Setup};
use crate::kit::wait;

const GUESSES: usize = 500;
/// The `client` bucket's default.
const BURST: usize = 10;

/// What became of a guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// A reply with this code.
    Code(u16),
    /// The connection was closed, or never came to be.
    TurnedAway,
}

/// Guesses on, in the same session while it lasts.
struct Guesser<'a> {
    proxy: &'a Proxy,
    source: IpAddr,
    session: Option<Client>,
}

impl Guesser<'_> {
    fn guess(&mut self, user: User<'_>) -> Answer {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => match self.proxy.try_client(self.source) {
                Ok(mut fresh) => match fresh.try_reply() {
                    Ok(banner) if banner.code == 220 && fresh.try_say("EHLO User").is_ok() => fresh,
                    Ok(banner) if banner.code == 421 => return Answer::Code(421),
                    _ => return Answer::TurnedAway,
                },
                Err(_) => return Answer::TurnedAway,
            },
        };
        match session.try_say(&auth_plain(user)) {
            Ok(reply) => {
                self.session = (reply.code != 421).then_some(session);
                Answer::Code(reply.code)
            }
            Err(_) => Answer::TurnedAway,
        }
    }
}

fn guesser(proxy: &Proxy) -> Guesser<'_> {
    Guesser {
        proxy,
        source: loopback(15, 1),
        session: None,
    }
}

fn honest_login(proxy: &Proxy) {
    let mut client = proxy.client(loopback(16, 1));
    client.greet();
    client.expect(&auth_plain(BERT), 235);
    client.expect("QUIT", 221);
}

/// The guesses that came as far as Dovecot.
fn guesses_checked(mail: &Mail) -> Vec<String> {
    let checks = mail.password_checks().into_iter().map(|check| check.user);
    checks.filter(|user| user != BERT.0).collect()
}

/// 500 guesses at three names, `root` among them, with an honest login after every hundredth.
fn attack(mail: &Mail, proxy: &Proxy) -> Vec<Answer> {
    let mut guesser = guesser(proxy);
    let names = [ANNA.0, "sales@example.org", "info"];
    let mut answers = Vec::new();
    for number in 0..GUESSES {
        if number % 100 == 0 {
            honest_login(proxy);
        }
        let name = if number == 250 {
            "root"
        } else {
            names[number % 3]
        };
        let password = format!("{number}Abc{}xyz", number * 7919);
        answers.push(guesser.guess(User(name, &password)));
        // One that is just going may still be there.
        wait::until("at most three smtpd processes for one guesser", || {
            mail.smtpd_processes() <= 3
        });
    }
    answers
}

#[test]
fn of_five_hundred_guesses_dovecot_sees_the_burst_and_the_rest_are_told_to_wait() {
    let mail = Mail::start();
    // Without what would end it sooner, so that every guess meets the bucket alone.
    let proxy = Setup::before(&mail)
        .with("bans.strikes", 0)
        .with("traps.users", Vec::<toml::Value>::new())
        .with("admission.connects.burst", 1_000)
        .start();
    let answers = attack(&mail, &proxy);

    let told = |code: u16| {
        answers
            .iter()
            .filter(|answer| **answer == Answer::Code(code))
            .count()
    };
    let rejected = told(535);
    assert!(
        (1..=BURST).contains(&rejected),
        "{rejected} of {BURST}: {answers:?}"
    );
    let full = answers
        .iter()
        .position(|answer| *answer == Answer::Code(454))
        .unwrap();
    assert!(
        !answers[full..].contains(&Answer::Code(535)),
        "535 beyond the burst: {answers:?}"
    );
    assert!(
        told(454) > GUESSES / 4,
        "{} of {GUESSES} were told 454",
        told(454)
    );
    let others = answers
        .iter()
        .filter(|answer| ![535, 454, 421].map(Answer::Code).contains(answer));
    assert!(
        others.clone().all(|answer| *answer == Answer::TurnedAway),
        "{answers:?}"
    );
    assert_eq!(guesses_checked(&mail).len(), rejected);

    // The right password is no way round: without a token it is not checked, so nothing tells that it is right.
    assert_eq!(guesser(&proxy).guess(ANNA), Answer::Code(454));
    assert_eq!(guesses_checked(&mail).len(), rejected);
    honest_login(&proxy);
}

#[test]
fn a_guesser_who_goes_on_is_banned_and_turned_away_before_tls() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).with("bans.strikes", 3).start();
    let answers = attack(&mail, &proxy);

    let rejected = answers
        .iter()
        .filter(|answer| **answer == Answer::Code(535))
        .count();
    assert!(
        (1..=BURST).contains(&rejected),
        "{rejected} of {BURST}: {answers:?}"
    );
    assert_eq!(guesses_checked(&mail).len(), rejected);
    assert!(
        answers[100..]
            .iter()
            .all(|answer| *answer == Answer::TurnedAway)
    );
    let ban = proxy
        .log()
        .find("the ban", |event| event.message() == "ban began");
    assert_eq!(ban.field("subject"), "127.15.0.1");
    assert_eq!(ban.field("cause"), "strikes");
    assert_eq!(guesser(&proxy).guess(ANNA), Answer::TurnedAway);
    honest_login(&proxy);
}

#[test]
fn a_trap_is_unseen_by_dovecot_and_bans_at_once() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).start();
    assert_ne!(
        guesser(&proxy).guess(User("root", "toor")),
        Answer::Code(535)
    );
    let ban = proxy
        .log()
        .find("the ban", |event| event.message() == "ban began");
    assert_eq!(ban.field("cause"), "trap");
    assert_eq!(guesser(&proxy).guess(ANNA), Answer::TurnedAway);
    assert_eq!(mail.password_checks(), []);
}

#[test]
fn two_hundred_idle_strangers_hold_no_process_of_postfix() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).start();
    let mut strangers: Vec<Client> = (0..200)
        .map(|host| proxy.client(loopback(17, host)))
        .collect();
    for stranger in &mut strangers {
        stranger.greet();
    }
    // What asked for Postfix's capabilities has gone when it is idle for a while.
    wait::until("Postfix has no smtpd", || mail.smtpd_processes() == 0);
    assert!(
        !mail.postfix_log().contains("127.17."),
        "{}",
        mail.postfix_log()
    );
    for mut stranger in strangers {
        stranger.expect("QUIT", 221);
    }
}
