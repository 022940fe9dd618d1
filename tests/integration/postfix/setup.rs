//! setup - what `gatepost setup` makes of a real Postfix's files, and that all of it can be taken back
//!
//! Once on the files of a Postfix that runs, and then serves behind Gatepost; once on a copy with the entries that a machine has.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;
use toml::toml;

use crate::kit::client::{auth_plain, loopback};
use crate::kit::mail::{ANNA, Mail};
use crate::kit::ports;
use crate::kit::program::{self, Ran};
use crate::kit::proxy::Setup;

/// All files below a folder.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => drop(found.insert(path.clone(), fs::read(path).expect("a file"))),
        }
    }
    found
}

struct Machine {
    postfix: PathBuf,
    dovecot: PathBuf,
    folder: TempDir,
}

impl Machine {
    fn new(postfix: PathBuf) -> Self {
        let folder = TempDir::with_prefix("gatepost-setup-test-").expect("a folder");
        let dovecot = folder.path().join("dovecot");
        fs::create_dir(&dovecot).expect("a folder for Dovecot");
        fs::write(dovecot.join("dovecot.conf"), "!include_try conf.d/*.conf\n").expect("settings");
        Self {
            postfix,
            dovecot,
            folder,
        }
    }

    fn setup(&self, setup: &Setup, option: &[&str]) -> Ran {
        let postfix = self.postfix.display().to_string();
        let dovecot = self.dovecot.join("dovecot.conf").display().to_string();
        let backup = self.folder.path().join("backup").display().to_string();
        let words = [
            "setup",
            "--postfix-config",
            &postfix,
            "--dovecot-config",
            &dovecot,
            "--backup",
            &backup,
        ];
        setup.command(&[&words[..], option].concat())
    }

    fn postconf(&self, arguments: &[&str]) -> String {
        program::run(
            Command::new("postconf")
                .arg("-c")
                .arg(&self.postfix)
                .args(arguments),
        )
    }
}

#[test]
fn a_postfix_that_was_set_up_serves_and_is_as_before_once_it_is_undone() {
    let mail = Mail::start();
    let machine = Machine::new(mail.postfix_config());
    let upstream = format!("127.0.0.1:{}", ports::free());
    let setup = Setup::new(&upstream);
    let before = files(&machine.postfix);

    let told = machine.setup(&setup, &[]);
    assert_eq!(told.code, Some(0), "{}", told.text);
    assert!(
        told.text.contains("smtpd_upstream_proxy_protocol=haproxy"),
        "{}",
        told.text
    );
    assert_eq!(files(&machine.postfix), before, "printing changes nothing");

    let applied = machine.setup(&setup, &["--apply"]);
    assert_eq!(applied.code, Some(0), "{}", applied.text);
    assert!(
        applied.text.contains("+service_throttle_time = 2s"),
        "{}",
        applied.text
    );
    mail.reload_until_it_listens(upstream.parse().unwrap());
    let proxy = setup.start();
    let mut client = proxy.client(loopback(31, 1));
    client.greet();
    client.expect(&auth_plain(ANNA), 235);
    client.submit(ANNA.0, "Subject: x\r\n\r\nhello\r\n");
    let line = mail.logged(&[
        "postfix/submission",
        ": client=",
        "sasl_username=anna@example.org",
    ]);
    assert!(line.contains("[127.31.0.1]"), "{line}");
    let settings = machine.dovecot.join("conf.d/99-gatepost.conf");
    assert!(
        fs::read_to_string(&settings)
            .unwrap()
            .contains("auth_failure_delay = 0")
    );

    let again = machine.setup(&proxy.setup, &["--apply"]);
    assert!(
        again.text.contains("nothing is to be changed"),
        "{}",
        again.text
    );
    let undone = machine.setup(&proxy.setup, &["--undo"]);
    assert_eq!(undone.code, Some(0), "{}", undone.text);
    assert_eq!(files(&machine.postfix), before);
    assert!(!settings.exists());
}

const ENTRIES: &str = "\
smtp inet n - y - - smtpd
submission inet n - y - - smtpd
  -o smtpd_sasl_auth_enable=yes
submissions inet n - y - - smtpd
  -o smtpd_tls_wrappermode=yes
  -o smtpd_sasl_path=private/other
  -o smtpd_sender_restrictions=reject_sender_login_mismatch
  -o smtpd_sender_login_maps=inline:{anna@example.org=anna}
  -o smtpd_recipient_restrictions=check_policy_service,unix:private/limit,permit_sasl_authenticated,reject
2525 inet n - y - - smtpd
smtpd pass - - y - - smtpd
";

fn copy_with_entries(mail: &Mail) -> Machine {
    let mut machine = Machine::new(mail.postfix_config());
    let copy = machine.folder.path().join("postfix");
    program::run(
        Command::new("cp")
            .arg("-r")
            .arg(&machine.postfix)
            .arg(&copy),
    );
    let master = copy.join("master.cf");
    let old = fs::read_to_string(&master).unwrap();
    fs::write(&master, format!("{old}{ENTRIES}")).unwrap();
    machine.postfix = copy;
    machine
}

#[test]
fn login_goes_from_port_25_and_to_the_tls_port_only() {
    let mail = Mail::start();
    let machine = copy_with_entries(&mail);
    let before = files(&machine.postfix);
    let listen = toml! {
        listen = [{ address = "127.0.0.1:465" }]
    };
    let setup = Setup::new("127.0.0.1:10465").with("listen", listen["listen"].clone());
    let applied = machine.setup(&setup, &["--apply"]);
    assert_eq!(applied.code, Some(0), "{}", applied.text);
    // A port that users may use was left alone, and is named.
    assert!(
        applied
            .text
            .contains("port 587 (submission/inet) offers login"),
        "{}",
        applied.text
    );
    assert!(applied.text.contains("port 2525"), "{}", applied.text);
    let dropped = "submissions/inet had smtpd_recipient_restrictions=check_policy_service";
    assert!(applied.text.contains(dropped), "{}", applied.text);
    let options = machine.postconf(&["-P"]);
    for expected in [
        "smtp/inet/smtpd_sasl_auth_enable = no",
        "smtpd/pass/smtpd_sasl_auth_enable = no",
        "127.0.0.1:10465/inet/smtpd_sasl_auth_enable = yes",
        "127.0.0.1:10465/inet/smtpd_tls_wrappermode = no",
        "127.0.0.1:10465/inet/smtpd_sasl_path = private/other",
        "127.0.0.1:10465/inet/smtpd_sender_restrictions = reject_sender_login_mismatch",
        "127.0.0.1:10465/inet/smtpd_sender_login_maps = inline:{anna@example.org=anna}",
        "127.0.0.1:10465/inet/smtpd_relay_restrictions = permit_sasl_authenticated,reject",
    ] {
        assert!(options.contains(expected), "{expected}: {options}");
    }
    assert!(!options.contains("submissions/"), "{options}");
    assert_eq!(machine.setup(&setup, &["--undo"]).code, Some(0));
    assert_eq!(files(&machine.postfix), before);
}

#[test]
fn with_both_ports_the_doctor_finds_no_way_round() {
    let mail = Mail::start();
    let machine = copy_with_entries(&mail);
    let listen = toml! {
        listen = [{ address = "127.0.0.1:465" }, { address = "127.0.0.1:587", tls = "starttls" }]
    };
    let setup = Setup::new("127.0.0.1:10465").with("listen", listen["listen"].clone());
    let postfix = machine.postfix.display().to_string();
    let ways_round = || {
        let ran = setup.command(&["doctor", "--json", "--postfix-config", &postfix]);
        let told: Value = serde_json::from_str(&ran.text).expect("JSON");
        let found = told["findings"].as_array().unwrap().clone();
        let round = found.into_iter().filter(|one| one["topic"] == "ways round");
        round.filter(|one| one["state"] == "wrong").count()
    };
    assert_eq!(ways_round(), 5);
    let applied = machine.setup(&setup, &["--apply"]);
    assert_eq!(applied.code, Some(0), "{}", applied.text);
    assert_eq!(
        ways_round(),
        1,
        "2525 was left, and named: {}",
        applied.text
    );
}

#[test]
fn what_was_changed_since_stays_and_what_is_missing_is_made_again() {
    let mail = Mail::start();
    let machine = copy_with_entries(&mail);
    let main = machine.postfix.join("main.cf");
    let before = fs::read_to_string(&main).unwrap();
    let setup = Setup::new("127.0.0.1:10465");
    assert_eq!(machine.setup(&setup, &["--apply"]).code, Some(0));
    // The administrator goes on: by hand, behind what was added, and with something taken away.
    machine.postconf(&["-e", "biff=no"]);
    machine.postconf(&["-P", "smtp/inet/smtpd_sasl_auth_enable=yes"]);
    let settings = machine.dovecot.join("conf.d/99-gatepost.conf");
    fs::remove_file(&settings).unwrap();
    let again = machine.setup(&setup, &["--apply"]);
    assert_eq!(again.code, Some(0), "{}", again.text);
    assert!(settings.exists());
    let options = machine.postconf(&["-P"]);
    let off = "smtp/inet/smtpd_sasl_auth_enable = no";
    assert!(options.contains(off), "{options}");

    let undone = machine.setup(&setup, &["--undo"]);
    assert_eq!(undone.code, Some(0), "{}", undone.text);
    let after = fs::read_to_string(&main).unwrap();
    assert_eq!(after, format!("{before}biff = no\n"));
    assert!(!settings.exists());
    let entries = machine.postconf(&["-M"]);
    assert!(!entries.contains("10465"), "{entries}");
}

#[test]
fn without_a_certificate_nothing_is_changed() {
    let mail = Mail::start();
    let machine = copy_with_entries(&mail);
    let before = files(&machine.postfix);
    let setup = Setup::new("127.0.0.1:10465");
    fs::remove_file(setup.folder().join("chain.pem")).unwrap();
    let refused = machine.setup(&setup, &["--apply"]);
    assert_eq!(refused.code, Some(2));
    for part in ["nothing was changed", "chain.pem does not exist"] {
        assert!(refused.text.contains(part), "{}", refused.text);
    }
    assert_eq!(files(&machine.postfix), before);
}

#[test]
fn a_place_that_was_changed_since_is_not_overwritten() {
    let mail = Mail::start();
    let machine = copy_with_entries(&mail);
    let setup = Setup::new("127.0.0.1:10465");
    assert_eq!(machine.setup(&setup, &["--apply"]).code, Some(0));
    machine.postconf(&["-e", "service_throttle_time=7s"]);
    let changed = files(&machine.postfix);
    let refused = machine.setup(&setup, &["--undo"]);
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.text.contains("main.cf was changed since"),
        "{}",
        refused.text
    );
    assert_eq!(files(&machine.postfix), changed, "all or nothing");
}
