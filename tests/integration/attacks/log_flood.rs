//! log_flood - a line for each of thousands of addresses, until the disk or the journal's own limit is full
//!
//! Identities are free for a botnet, so a limit for each is none. The promise: whatever strangers do, and by however
//! many addresses, the log grows by a bounded number of lines, says how many it left out, and goes on to tell what
//! users do; and one user who logs in without end hides no other. The level is `info`, the default.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use gatepost_daemon::clock::Clock;
use toml::toml;

use crate::kit::client::{Client, auth_plain, loopback};
use crate::kit::impostor::{Conduct, Impostor};
use crate::kit::mail::User;
use crate::kit::ports;
use crate::kit::proxy::{Proxy, Setup};
use crate::kit::wait;

/// What may be written while a test runs, however long that takes.
struct LineBound {
    at_once: usize,
    every: Duration,
}

/// The lines of one kind that strangers may write.
const STRANGERS: LineBound = LineBound {
    at_once: 200,
    every: Duration::from_millis(500),
};

/// The lines of one user's.
const ONE_USER: LineBound = LineBound {
    at_once: 60,
    every: Duration::from_secs(5),
};

impl LineBound {
    /// The most lines by now.
    fn most(&self, passed: Duration) -> usize {
        let later = passed.as_millis() / self.every.as_millis();
        self.at_once + usize::try_from(later).unwrap() + 1
    }
}

/// Tells how much time has passed since.
fn stopwatch() -> impl Fn() -> Duration {
    let clock = Clock::start();
    let began = clock.now();
    move || clock.now().since(began)
}

fn setup(impostor: &Impostor) -> Setup {
    Setup::new(&impostor.address().to_string())
        .with("log.level", "info")
        .with("upstream.announce", "none")
}

fn left_out(proxy: &Proxy) -> usize {
    let counted = proxy.status()["limits"]["log-lines"].as_u64();
    usize::try_from(counted.unwrap()).unwrap()
}

/// Of so many lines no more are written than may be, and the others are counted.
#[track_caller]
fn assert_bounded(proxy: &Proxy, message: &str, all: usize, passed: impl Fn() -> Duration) {
    let counted = left_out(proxy);
    let lines = proxy.log().events(|event| event.message() == message).len();
    let most = STRANGERS.most(passed());
    assert!(lines <= most, "{lines} lines of at most {most}");
    let least = all.saturating_sub(most).max(1);
    assert!(counted >= least, "{counted} of {least} are counted");
}

#[test]
fn a_thousand_addresses_that_spring_a_trap_write_a_bounded_number_of_lines() {
    let impostor = Impostor::start(Conduct::Honest);
    let mut setup = setup(&impostor);
    let port = ports::free();
    setup.listen(toml! {
        address = (format!("127.0.0.1:{port}"))
        tls = "starttls"
        proxy-protocol-from = ["127.31.0.3/32"]
    });
    let passed = stopwatch();
    let proxy = setup.start();
    let server = (Ipv4Addr::LOCALHOST, port).into();
    for number in 0..1000 {
        let (high, low) = (number / 250, number % 250);
        let mut bot = Client::connect(loopback(31, 3), server).unwrap();
        let hello = format!("PROXY TCP4 11.{high}.{low}.7 192.0.2.1 4567 587\r\nEHLO ylmf-pc\r\n");
        bot.send(hello.as_bytes());
        assert_eq!(bot.reply().code, 554, "{number}");
    }
    let bans = proxy.setup.command(&["bans"]);
    assert!(bans.text.lines().count() > 900, "all are banned");
    assert_bounded(&proxy, "ban began", 900, passed);
    // What an operator does is told all the same.
    proxy.setup.command(&["bans", "add", "192.0.2.9"]);
    proxy.log().find("the operator's ban", |event| {
        event.message() == "ban began" && event.field("subject") == "192.0.2.9"
    });
}

#[test]
fn hundreds_of_rejected_guesses_write_a_bounded_number_of_lines_and_a_login_its_own() {
    let impostor = Impostor::start(Conduct::Rejecting);
    // Behind a webmail that everybody may use: the gate holds up nothing.
    let setup = setup(&impostor).with("networks.allow", vec![toml::Value::from("127.0.0.0/8")]);
    let passed = stopwatch();
    let mut proxy = setup.start();
    for number in 0..600_u16 {
        let [high, low] = number.to_be_bytes();
        let source = IpAddr::V4(Ipv4Addr::new(127, 40, high, low | 1));
        let mut bot = proxy.client(source);
        bot.greet();
        let password = format!("Zwiebel{number}kuchen");
        bot.expect(&auth_plain(User("anna", &password)), 535);
    }
    assert_bounded(&proxy, "attempt", 600, passed);
    let honest = Impostor::start(Conduct::Honest);
    proxy.setup.set(
        "upstream.addresses",
        vec![toml::Value::from(honest.address().to_string())],
    );
    proxy.reload();
    proxy.log().wait_for_text("\"reloaded\"");
    let mut anna = proxy.client(loopback(40, 200));
    anna.greet();
    anna.expect(&auth_plain(User("anna", "Birnbaum7Kirsche")), 235);
    proxy.log().find("the login", |event| {
        event.message() == "attempt" && event.field("verdict") == "accept"
    });
    // At the end, if not before, what was left out is summed up.
    drop(anna);
    proxy.terminate();
    proxy.ends_well();
    proxy.log().find("the sum", |event| {
        event.message() == "lines suppressed" && event.field("reasons").contains("reject=")
    });
}

#[test]
fn an_account_that_logs_in_without_end_writes_a_bounded_number_of_lines_and_another_all_of_its_own()
{
    let impostor = Impostor::start(Conduct::Honest);
    let passed = stopwatch();
    let proxy = setup(&impostor)
        .with("networks.allow", vec![toml::Value::from("127.0.0.0/8")])
        .start();
    let log_in = |name| {
        let mut client = proxy.client(loopback(41, 1));
        client.greet();
        client.expect(&auth_plain(User(name, "Birnbaum7Kirsche")), 235);
        client.expect("QUIT", 221);
    };
    let of = |name| {
        proxy
            .log()
            .events(|event| event.field("user") == name)
            .len()
    };
    for number in 0..120 {
        log_in("busy");
        if number % 20 == 0 {
            log_in("anna");
        }
    }
    wait::until("all that anna did is told", || of("anna") == 12);
    let assert_bounded = || {
        let lines = of("busy");
        let most = ONE_USER.most(passed());
        assert!(
            (60..=most).contains(&lines),
            "{lines} lines of at most {most}"
        );
    };
    assert_bounded();
    // Each login is two lines.
    wait::until("what was left out is counted", || {
        let least = 240_usize.saturating_sub(ONE_USER.most(passed()));
        left_out(&proxy) >= least.max(1)
    });
    assert_bounded();
}
