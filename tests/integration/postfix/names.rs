//! names - the user that is counted is the user whose password Dovecot checks, whatever a client sends
//!
//! A seeded generator writes thousands of odd AUTH exchanges. A Dovecot with certain settings for names logs the name that it
//! looks up, and a Gatepost with the same settings in `[names]` logs the user that it counts. Each name that Dovecot looks up must
//! have been counted, and as that name; what is refused before Dovecot is refused well. Every client has an
//! address of its own, by which the two logs are laid side by side.
//! Not here: how many guesses several names of one mailbox allow (`attacks::many_names`).

mod generated;

use std::collections::HashMap;
use std::env;
use std::fs::{self, Permissions};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt;
use std::thread;

use gatepost_core::gate::request::attempt::UserName;
use gatepost_core::gate::request::names::NameFolding;
use gatepost_daemon::config::Config;
use toml::Value;

use crate::kit::client::{auth_plain, loopback};
use crate::kit::mail::{ANNA, Mail};
use crate::kit::program;
use crate::kit::proxy::{Proxy, Setup, gatepost};
use crate::kit::wait;

use generated::{Exchange, Generator};

/// Exchanges for each of the settings, by so many clients at a time.
const EXCHANGES: usize = 700;
const CLIENTS: usize = 32;

/// Every password is right, since Dovecot delays its answer to a wrong one.
const EVERYBODY: &str = "
passdb {
  driver = static
  args = nopassword=y
}
";

const MASTERS: &str = "
passdb {
  driver = static
  master = yes
  args = nopassword=y
}
";

/// What a Dovecot and a Gatepost with the same settings made of all exchanges.
struct Observed {
    names: NameFolding,
    exchanges: Vec<Exchange>,
    /// The name that Gatepost has counted, as its log shows it, by address.
    counted: HashMap<IpAddr, String>,
    /// The name whose password Dovecot has looked up first, as its log shows it, by address.
    looked_up: HashMap<IpAddr, String>,
}

fn address(number: usize) -> IpAddr {
    let octet = |number| u8::try_from(number).expect("an octet");
    Ipv4Addr::new(127, 60, octet(number / 200), octet(1 + number % 200)).into()
}

fn observe(seed: u64, dovecot: &str, names: &[(&str, &str)]) -> Observed {
    let mail = Mail::with_dovecot(&format!("{EVERYBODY}{dovecot}"));
    let mut setup = Setup::before(&mail)
        .with("networks.allow", vec![Value::from("127.0.0.0/8")])
        .with(
            "mechanisms",
            ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"]
                .map(Value::from)
                .to_vec(),
        );
    for (key, value) in names {
        setup.set(&format!("names.{key}"), *value);
    }
    let (config, _) = Config::rules(&setup.write_config()).expect("a good config");
    let proxy = setup.start();
    let mut generator = Generator::new(seed);
    let exchanges: Vec<Exchange> = (0..EXCHANGES).map(|_| generator.exchange()).collect();
    thread::scope(|scope| {
        for first in 0..CLIENTS {
            let (proxy, exchanges) = (&proxy, &exchanges);
            scope.spawn(move || {
                for number in (first..EXCHANGES).step_by(CLIENTS) {
                    exchanges[number].play(proxy.client(address(number)));
                }
            });
        }
    });
    // What Dovecot has answered is in its log then.
    mail.password_checks();
    let looked_up = looked_up(&mail.dovecot_log());
    wait::until("Gatepost logs every session", || {
        let ended = proxy.log().events(|event| event.message() == "session");
        ended.len() >= EXCHANGES
    });
    Observed {
        names: NameFolding::new(&config.gate.names),
        exchanges,
        counted: counted(&proxy),
        looked_up,
    }
}

fn counted(proxy: &Proxy) -> HashMap<IpAddr, String> {
    let attempts = proxy.logged(|event| event.message() == "attempt");
    let attempts = attempts.iter().map(|event| {
        let client = event.field("client");
        let (address, _) = client.rsplit_once(':').expect("an address and a port");
        (address.parse().expect("an address"), event.field("user"))
    });
    attempts.collect()
}

/// Lines like `static(anna@example.org,127.60.0.9,master): Performing passdb lookup`.
fn looked_up(log: &str) -> HashMap<IpAddr, String> {
    let mut first = HashMap::new();
    for line in log.lines() {
        let Some(line) = line.strip_suffix(": Performing passdb lookup") else {
            continue;
        };
        let Some((name, rest)) = line.rsplit_once(",127.60.") else {
            continue;
        };
        let address = format!(
            "127.60.{}",
            rest.trim_end_matches(')').trim_end_matches(",master")
        );
        let (_, name) = name
            .split_once(" auth: Debug: ")
            .expect("a line of Dovecot's");
        let (_, name) = name.split_once('(').expect("a database and a name");
        let address = address.parse().expect("an address");
        first.entry(address).or_insert_with(|| name.to_owned());
    }
    first
}

/// The name behind what Gatepost's log shows; none if that was cut.
fn unescaped(logged: &str) -> Option<Vec<u8>> {
    if logged.ends_with(" octets)") {
        return None;
    }
    let (mut name, mut rest) = (Vec::new(), logged);
    while let Some((plain, escape)) = rest.split_once('\\') {
        name.extend(plain.bytes());
        rest = match escape.strip_prefix('x') {
            Some(hex) => {
                name.push(u8::from_str_radix(hex.get(..2)?, 16).ok()?);
                hex.get(2..)?
            }
            None => {
                name.push(b'\\');
                escape.get(1..)?
            }
        };
    }
    name.extend(rest.bytes());
    Some(name)
}

/// What of a name both logs show: runs of what one of them does not print are one sign.
fn visible(octets: &[u8]) -> String {
    let mut text = String::new();
    for octet in octets.to_ascii_lowercase() {
        match octet {
            b'!'..=b'~' if octet != b'?' => text.push(char::from(octet)),
            _ if text.ends_with('?') => {}
            _ => text.push('?'),
        }
    }
    text
}

impl Observed {
    /// How many names Dovecot has looked up that were sent in this many forms; all of them were counted as they are.
    #[track_caller]
    fn agree(&self) -> usize {
        for (address, looked_up) in &self.looked_up {
            let number = (0..EXCHANGES).find(|number| self::address(*number) == *address);
            let exchange = &self.exchanges[number.expect("one of the clients")];
            let Some(logged) = self.counted.get(address) else {
                panic!("{looked_up:?} was not counted: {exchange:?}");
            };
            let name = UserName::new(unescaped(logged).unwrap_or(exchange.user().to_vec()));
            assert_eq!(*logged, name.to_string(), "{exchange:?}");
            let counted = visible(self.names.fold(&name).to_name().as_bytes());
            let looked_up = visible(looked_up.as_bytes());
            let agree = match looked_up.strip_suffix("...") {
                Some(cut) => counted.starts_with(cut),
                None => counted == looked_up,
            };
            assert!(
                agree,
                "counted {counted:?}, looked up {looked_up:?}: {exchange:?}"
            );
        }
        self.looked_up.len()
    }
}

#[track_caller]
fn check(seed: u64, dovecot: &str, names: &[(&str, &str)]) {
    let checked = observe(seed, dovecot, names).agree();
    assert!(
        checked > EXCHANGES / 4,
        "only {checked} names came as far as Dovecot"
    );
}

#[test]
fn the_user_that_is_counted_is_dovecots_with_its_defaults() {
    check(1, "auth_username_chars =", &[]);
}

#[test]
fn the_user_that_is_counted_is_dovecots_where_it_drops_domains() {
    check(
        2,
        "auth_username_format = %Ln\nauth_username_chars =",
        &[("domain", "strip")],
    );
}

#[test]
fn the_user_that_is_counted_is_dovecots_where_it_adds_a_realm_and_translates() {
    check(
        3,
        "auth_default_realm = Example.org\nauth_username_translation = %@+-\nauth_username_chars =",
        &[("default-realm", "Example.org"), ("translate", "%@+-")],
    );
}

#[test]
fn the_user_that_is_counted_is_dovecots_master_user() {
    check(
        4,
        &format!(
            "{MASTERS}auth_master_user_separator = *\nauth_default_realm = example.net\nauth_username_chars ="
        ),
        &[("master-separator", "*"), ("default-realm", "example.net")],
    );
}

#[test]
fn the_user_that_is_counted_is_dovecots_with_every_setting_at_once() {
    check(
        5,
        &format!(
            "{MASTERS}auth_master_user_separator = +\nauth_username_translation = /@%@\n\
             auth_default_realm = example.net\nauth_username_format = %n\nauth_username_chars ="
        ),
        &[
            ("domain", "strip"),
            ("master-separator", "+"),
            ("translate", "/@%@"),
            ("default-realm", "example.net"),
        ],
    );
}

#[test]
fn users_stay_known_when_domains_are_dropped_and_a_change_that_loses_them_is_told() {
    let mail = Mail::with_dovecot("auth_username_format = %Ln");
    let mut proxy = Setup::before(&mail).start();
    let mut client = proxy.client(loopback(20, 1));
    client.greet();
    client.expect(&auth_plain(ANNA), 235);
    let familiar = |proxy: &Proxy, name: &str| {
        let seen = proxy.setup.command(&["explain", "127.20.0.1", name]);
        seen.text.contains(", familiar")
    };
    assert!(familiar(&proxy, ANNA.0));

    proxy.setup.set("names.domain", "strip");
    proxy.reload();
    proxy.log().find("names.domain needs a restart", |event| {
        event.text().contains("names.domain")
    });
    proxy.restart();
    assert!(familiar(&proxy, "anna@example.net"));

    proxy.setup.set("names.domain", "keep");
    proxy.restart();
    proxy.log().find("what was lost, and the cure", |event| {
        event.level() == "ERROR" && event.text().contains("gatepost learn")
    });
    assert!(!familiar(&proxy, "anna@example.net"));
    wait::until("the state is saved under the new names", || {
        proxy.restart();
        proxy
            .logged(|event| event.text().contains("[names]"))
            .is_empty()
    });
}

/// `gatepost check`, where doveconf(1) is this shell command.
#[track_caller]
fn check_beside(setup: &Setup, doveconf: &str) -> String {
    let folder = setup.folder().join("bin");
    fs::create_dir_all(&folder).expect("a folder for programs");
    let program = folder.join("doveconf");
    fs::write(&program, format!("#!/bin/sh\n{doveconf}\n")).expect("write a program");
    fs::set_permissions(&program, Permissions::from_mode(0o755)).expect("make it a program");
    let path = env::var("PATH").expect("a search path");
    let mut command = gatepost();
    command.env("PATH", format!("{}:{path}", folder.display()));
    command
        .arg("check")
        .arg("--config")
        .arg(setup.write_config());
    let ran = program::with_input(&mut command, b"");
    assert!(ran.success, "{}", ran.text);
    ran.text
}

#[test]
fn check_prints_the_lines_that_dovecots_settings_ask_for() {
    let mail = Mail::with_dovecot(&format!(
        "{MASTERS}auth_master_user_separator = *\nauth_username_translation = %@\nauth_username_format = %Ln"
    ));
    let doveconf = format!(
        "exec /usr/bin/doveconf -c {} \"$@\"",
        mail.dovecot_settings().display()
    );
    let mut setup = Setup::before(&mail);
    let printed = check_beside(&setup, &doveconf);
    let lines = [
        ("domain", "strip"),
        ("translate", "%@"),
        ("master-separator", "*"),
    ];
    for (key, value) in lines {
        assert!(
            printed.contains(&format!("{key} = \"{value}\"")),
            "{printed}"
        );
        setup.set(&format!("names.{key}"), value);
    }
    let printed = check_beside(&setup, &doveconf);
    assert!(!printed.contains("[names]"), "{printed}");
}

#[test]
fn check_needs_no_dovecot_and_waits_for_none() {
    let setup = Setup::new("127.0.0.1:10465");
    for doveconf in [
        "exec sleep 600",
        "exit 1",
        "exec yes auth_username_format = %n",
    ] {
        let printed = check_beside(&setup, doveconf);
        assert!(!printed.contains("[names]"), "{printed}");
    }
}
