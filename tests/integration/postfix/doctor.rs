//! doctor - each thing that `gatepost doctor` looks for, provoked once in the real programs
//!
//! Not here: why a backend cannot be used (`usable`).

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use serde_json::Value;
use tempfile::TempDir;

use crate::kit::machines::SECRET;
use crate::kit::mail::{Entry, Mail};
use crate::kit::program;
use crate::kit::proxy::{Event, Setup};
use crate::kit::redis::Redis;
use crate::kit::wait;

/// A machine to look at: the test's Postfix and Dovecot, and a fail2ban without jails.
struct Patient {
    mail: Mail,
    postfix: PathBuf,
    dovecot: PathBuf,
    fail2ban: PathBuf,
    log: PathBuf,
    folder: TempDir,
}

impl Patient {
    fn new() -> Self {
        Self::of(Mail::start())
    }

    fn of(mail: Mail) -> Self {
        let folder = TempDir::with_prefix("gatepost-doctor-").expect("a folder");
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("fail2ban")).expect("a folder for fail2ban");
        fs::write(path("fail2ban/fail2ban.conf"), "[Definition]\n").expect("configure fail2ban");
        fs::write(path("fail2ban/jail.conf"), "[DEFAULT]\n").expect("configure fail2ban");
        fs::write(path("mail.log"), "").expect("a log");
        Self {
            postfix: mail.postfix_config(),
            dovecot: mail.dovecot_settings(),
            fail2ban: path("fail2ban"),
            log: path("mail.log"),
            mail,
            folder,
        }
    }

    /// A copy of Postfix's configuration with more in it, which no Postfix runs with.
    fn with_postfix(mut self, master: &str, main: &str) -> Self {
        let copy = self.folder.path().join("postfix");
        program::run(Command::new("cp").arg("-r").arg(&self.postfix).arg(&copy));
        for (name, more) in [("master.cf", master), ("main.cf", main)] {
            let old = fs::read_to_string(copy.join(name)).expect("its files");
            fs::write(copy.join(name), format!("{old}{more}\n")).expect("change them");
        }
        self.postfix = copy;
        self
    }

    /// What the doctor says, with the exit code that belongs to it.
    #[track_caller]
    fn examine(&self, setup: &Setup) -> Vec<Value> {
        let path = |path: &Path| path.display().to_string();
        let ran = setup.command(&[
            "doctor",
            "--json",
            "--postfix-config",
            &path(&self.postfix),
            "--dovecot-config",
            &path(&self.dovecot),
            "--fail2ban-config",
            &path(&self.fail2ban),
            "--mail-log",
            &path(&self.log),
        ]);
        let told: Value =
            serde_json::from_str(&ran.text).unwrap_or_else(|fault| panic!("{fault}: {}", ran.text));
        let found = told["findings"].as_array().expect("a list").clone();
        let wrong = found.iter().any(|one| one["state"] == "wrong");
        assert_eq!(ran.code, Some(i32::from(wrong)), "{}", ran.text);
        assert_eq!(told["ok"], !wrong);
        for one in found.iter().filter(|one| one["state"] == "wrong") {
            assert!(one["cure"].is_string(), "no cure: {one}");
        }
        found
    }
}

/// That a topic has a finding of this state, with these words in it.
#[track_caller]
fn has(found: &[Value], topic: &str, state: &str, words: &str) {
    let text = |one: &Value| {
        let part = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
        part("message") + &part("cure")
    };
    let fits =
        |one: &&Value| one["topic"] == topic && one["state"] == state && text(one).contains(words);
    assert!(
        found.iter().any(|one| fits(&one)),
        "{topic} {state} {words}: {found:#?}"
    );
}

#[test]
fn a_sound_machine_has_nothing_wrong_but_that_the_tests_run_as_root() {
    let patient = Patient::new();
    let proxy = Setup::before(&patient.mail)
        .with("hostname", "mail.example.org")
        .with("admission.sessions", 100)
        .start();
    let found = patient.examine(&proxy.setup);
    // What `check` says of the test's own certificate, that no authority has issued it and that it lasts for ever, is as it should be.
    let of_chain = |one: &Value| one["message"].to_string().contains("chain.pem");
    let wrong = found.iter().filter(|one| one["state"] == "wrong");
    let wrong: Vec<_> = wrong.filter(|one| !of_chain(one)).collect();
    assert_eq!(wrong.len(), 1, "{wrong:#?}");
    has(&found, "service", "wrong", "it runs as root");
    for topic in [
        "ways round",
        "backend",
        "backend's port",
        "relaying",
        "client's address",
    ] {
        has(&found, topic, "good", "");
    }
    for topic in ["certificate", "dovecot", "fail2ban", "state", "open files"] {
        has(&found, topic, "good", "");
    }
    has(&found, "mail log", "note", "no login");
}

#[test]
fn the_ways_round_are_named_with_the_port() {
    let entries = "\
smtp inet n - n - - smtpd
submission inet n - n - - smtpd
  -o smtpd_sasl_auth_enable=yes
smtps inet n - n - - smtpd
2525 inet n - n - - smtpd
  -o smtpd_sasl_auth_enable=no
smtpd pass - - n - - smtpd";
    let patient = Patient::new().with_postfix(entries, "");
    let found = patient.examine(&Setup::before(&patient.mail));
    has(
        &found,
        "ways round",
        "wrong",
        "postconf -P smtp/inet/smtpd_sasl_auth_enable=no",
    );
    has(
        &found,
        "ways round",
        "wrong",
        "postconf -M# submission/inet",
    );
    has(&found, "ways round", "wrong", "postconf -M# smtps/inet");
    has(
        &found,
        "ways round",
        "wrong",
        "postconf -P smtpd/pass/smtpd_sasl_auth_enable=no",
    );
    let count = found
        .iter()
        .filter(|one| one["topic"] == "ways round")
        .count();
    assert_eq!(count, 4, "{found:#?}");
}

#[test]
fn a_backend_that_others_reach_and_that_relays_is_wrong() {
    let patient = Patient::new();
    let options = [
        "smtpd_upstream_proxy_protocol=haproxy",
        "smtpd_client_restrictions=",
        "smtpd_recipient_restrictions=",
        "smtpd_relay_restrictions=permit_mynetworks,reject",
    ];
    let open = patient.mail.add_entry_at("0.0.0.0", "smtpd", &options);
    let found = patient.examine(&Setup::new(&open.to_string()));
    has(&found, "backend", "good", "can be used");
    has(&found, "backend's port", "wrong", "0.0.0.0");
    has(&found, "relaying", "wrong", "smtpd_relay_restrictions");
    let log = patient.mail.postfix_log();
    assert!(!log.contains("message-id="), "a mail came of it: {log}");
}

#[test]
fn a_backend_that_cannot_be_used_and_a_gatepost_that_does_not_run_are_wrong() {
    let patient = Patient::new();
    let setup = Setup::new(&patient.mail.address(Entry::StartTls).to_string());
    let found = patient.examine(&setup);
    has(&found, "backend", "wrong", "smtpd_tls_security_level=none");
    has(&found, "service", "wrong", "systemctl start gatepost");
}

/// A balancer between Gatepost and Postfix that announces itself in place of the client: where it listens.
fn forgetful_balancer(postfix: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("its address");
    thread::spawn(move || {
        for near in listener.incoming() {
            let mut near = near.expect("a connection");
            let mut begin = [0; 16];
            // Who only looks whether somebody listens sends nothing.
            if near.read_exact(&mut begin).is_err() {
                continue;
            }
            let mut rest = vec![0; usize::from(begin[15])];
            near.read_exact(&mut rest).expect("the rest of the header");
            let mut far = TcpStream::connect(postfix).expect("Postfix");
            far.write_all(b"PROXY TCP4 198.51.100.9 127.0.0.1 1 1\r\n")
                .expect("a header");
            let (mut from, mut to) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            thread::spawn(move || io::copy(&mut from, &mut to).ok());
            thread::spawn(move || io::copy(&mut far, &mut near).ok());
        }
    });
    address
}

#[test]
fn an_address_that_is_lost_on_the_way_is_wrong() {
    let patient = Patient::new();
    let balancer = forgetful_balancer(patient.mail.address(Entry::ProxyProtocol));
    let found = patient.examine(&Setup::new(&balancer.to_string()));
    has(&found, "client's address", "wrong", "sees 198.51.100.9");
}

#[test]
fn dovecots_delays_and_the_socket_that_stays_behind_are_wrong() {
    let mut patient = Patient::new();
    let socket = patient.folder.path().join("anvil-auth-penalty");
    drop(std::os::unix::net::UnixListener::bind(&socket).expect("a socket that nobody serves"));
    let base = format!(
        "base_dir = {}\nauth_failure_delay = 2 secs\n",
        patient.folder.path().display()
    );
    let off = "service anvil {\n unix_listener anvil-auth-penalty {\n mode = 0\n }\n}\n";
    patient.dovecot = patient.folder.path().join("dovecot.conf");
    fs::write(&patient.dovecot, format!("{base}{off}")).expect("its settings");
    let setup = Setup::before(&patient.mail);
    let found = patient.examine(&setup);
    has(&found, "dovecot", "wrong", "auth_failure_delay = 0");
    has(&found, "dovecot", "wrong", "rm -f");
    fs::write(&patient.dovecot, base).expect("its settings");
    has(
        &patient.examine(&setup),
        "dovecot",
        "wrong",
        "anvil-auth-penalty { mode = 0 }",
    );
}

#[test]
fn a_jail_that_matches_postfixs_failed_logins_is_wrong() {
    let mut patient = Patient::new();
    let copy = patient.folder.path().join("jails");
    program::run(Command::new("cp").args(["-r", "/etc/fail2ban"]).arg(&copy));
    patient.fail2ban = copy;
    let jail = format!(
        "[postfix-sasl]\nenabled = true\nbackend = polling\nlogpath = {}\n",
        patient.log.display()
    );
    let setup = Setup::before(&patient.mail);
    has(&patient.examine(&setup), "fail2ban", "good", "");
    fs::write(patient.fail2ban.join("jail.d/mail.local"), jail).expect("a jail");
    let found = patient.examine(&setup);
    has(&found, "fail2ban", "wrong", "the jail postfix-sasl");
    // The cure as it is typed; no fail2ban runs here that could be told.
    let cure = found.iter().find(|one| one["topic"] == "fail2ban").unwrap()["cure"].clone();
    let typed = cure
        .as_str()
        .unwrap()
        .split_once("; fail2ban-client reload");
    program::run(Command::new("sh").args(["-c", typed.unwrap().0]));
    has(&patient.examine(&setup), "fail2ban", "good", "no jail");
}

#[test]
fn what_check_finds_a_foreign_certificate_and_a_small_size_stand_in_it_too() {
    let patient = Patient::new().with_postfix(
        "",
        "message_size_limit = 10240000\nservice_throttle_time = 60s",
    );
    let setup = Setup::before(&patient.mail)
        .with("hostname", "other.example.org")
        .with("upstream.processes", 1000)
        .with("admin.group", "no-such-group");
    let found = patient.examine(&setup);
    has(
        &found,
        "certificate",
        "wrong",
        "none is for other.example.org",
    );
    has(&found, "config", "wrong", "processes = 100");
    has(&found, "config", "note", "service_throttle_time=2s");
    has(
        &found,
        "backend's entry",
        "note",
        "message_size_limit=52428800",
    );
    has(&found, "admin.group", "wrong", "no-such-group");
    let broken = Setup::before(&patient.mail).with("hostname", 7);
    has(
        &patient.examine(&broken),
        "config",
        "wrong",
        "text in quotes",
    );
}

#[test]
fn a_log_with_logins_is_found() {
    let mut patient = Patient::new();
    patient.log = PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/logs/dovecot-2.3.log"
    ));
    let found = patient.examine(&Setup::before(&patient.mail));
    has(&found, "mail log", "good", "logins in");
}

/// Of a cluster with the machines `mx1` and `mx2`, over this store and with this secret.
fn machine(mail: &Mail, redis: &Redis, name: &str, secret: &str, machines: &[&str]) -> Setup {
    Setup::before(mail)
        .of_machine(name, machines)
        .with_secret(secret)
        .with("cluster.store", redis.address())
}

#[test]
fn of_a_sound_cluster_store_clock_secret_and_machines_are_good() {
    let patient = Patient::new();
    let redis = Redis::start();
    let [first, _second] = ["mx1", "mx2"]
        .map(|name| machine(&patient.mail, &redis, name, SECRET, &["mx1", "mx2"]).start());
    let mut found = Vec::new();
    wait::until("both have told something", || {
        found = patient.examine(&first.setup);
        let good = |one: &Value| one["topic"] == "cluster's secret" && one["state"] == "good";
        found.iter().any(good)
    });
    has(&found, "cluster", "good", "all 2 machines are there");
    has(&found, "cluster's store", "good", "answers within");
    has(
        &found,
        "cluster's store",
        "good",
        "all memory of its machine",
    );
    has(&found, "cluster's clock", "good", "this machine's");
    has(&found, "cluster's secret", "good", "the same at mx2");
}

#[test]
fn what_is_wrong_with_a_cluster_is_named_with_the_machine() {
    let patient = Patient::new();
    let redis = Redis::start();
    let (both, three) = (["mx1", "mx2"], ["mx1", "mx2", "mx3"]);
    let machine =
        |name, secret, machines: &[&str]| machine(&patient.mail, &redis, name, secret, machines);
    let first = machine("mx1", SECRET, &both).start();
    let other_secret = SECRET.replace('0', "9");
    let _second = machine("mx2", &other_secret, &three).start();
    let _third = machine("mx3", SECRET, &both).start();
    let mut found = Vec::new();
    let says = |found: &[Value], words| {
        let said = |one: &&Value| one["message"].to_string().contains(words);
        found.iter().filter(said).count()
    };
    wait::until("all have told something", || {
        found = patient.examine(&first.setup);
        says(&found, "mx2 has another") == 2 && says(&found, "mx3 is none") == 1
    });
    has(&found, "cluster", "wrong", "mx2 has another list");
    has(&found, "cluster", "wrong", "mx3 is none of the 2 machines");
    has(&found, "cluster's secret", "wrong", "mx2 has another");
    let told = |event: &Event| {
        let message = event.message();
        message.contains("another list of machines in [cluster] there")
    };
    wait::until("its own log says so too", || {
        !first.log().events(told).is_empty()
    });

    // The config has changed since the start.
    let socket = first.setup.folder().join("admin.sock");
    let socket = socket.display().to_string();
    let later = machine("mx1", SECRET, &three).with("admin.socket", socket);
    let found = patient.examine(&later);
    has(&found, "cluster", "wrong", "or another name");
}

/// Of the machines `mx1` and `mx2`, which are linked directly, the one of this number.
fn linked(mail: &Mail, number: usize, secret: &str) -> Setup {
    let (names, own) = (["mx1", "mx2"], std::process::id() % 250);
    let places = names.map(|name| format!("127.83.{own}.{}:4652", &name[2..]));
    let peers: Vec<toml::Value> = places.iter().map(|one| one.as_str().into()).collect();
    Setup::before(mail)
        .of_machine(names[number], &names)
        .with_secret(secret)
        .with("cluster.listen", places[number].as_str())
        .with("cluster.peers", peers)
}

#[test]
fn of_linked_machines_the_one_that_is_not_linked_is_named_with_the_reason() {
    let patient = Patient::new();
    let first = linked(&patient.mail, 0, SECRET).start();
    let until = |topic: &str, state: &str, words: &str| {
        let fits = |one: &Value| {
            let said = one["message"].to_string().contains(words);
            one["topic"] == topic && one["state"] == state && said
        };
        wait::until(words, || patient.examine(&first.setup).iter().any(fits));
    };
    until("cluster's links", "wrong", "no connection");
    until("cluster", "note", "mx2 is not linked");
    let second = linked(&patient.mail, 1, &SECRET.replace('0', "9")).start();
    until("cluster's links", "wrong", "it has another secret");
    drop(second);
    let _second = linked(&patient.mail, 1, SECRET).start();
    until("cluster", "good", "all 2 machines are linked");
}

#[test]
fn what_is_wrong_with_a_cluster_s_store_is_named_with_the_cure() {
    let patient = Patient::new();
    let mut redis = Redis::start();
    // No Gatepost runs here: the store is asked all the same.
    let setup = machine(&patient.mail, &redis, "mx1", SECRET, &["mx1", "mx2"]);
    let store = |state, words| has(&patient.examine(&setup), "cluster's store", state, words);
    for number in 0..20 {
        redis.command(&["SET", &format!("session:{number}"), "of another program"]);
    }
    store("note", "other programs have");
    redis.command(&["CONFIG", "SET", "maxmemory", "100mb"]);
    redis.command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    store("wrong", "allkeys-lru");
    redis.command(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    store("good", "evicts nothing");
    redis.command(&["CONFIG", "SET", "maxmemory", "1"]);
    store("wrong", "takes nothing");
    redis.command(&["CONFIG", "SET", "maxmemory", "0"]);
    redis.command(&["REPLICAOF", "127.0.0.1", "9"]);
    store("wrong", "it follows another server");
    redis.kill();
    store("wrong", "cannot be asked: no connection");
}
