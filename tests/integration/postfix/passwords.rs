//! passwords - accounts whose password is on the owner's list: told once, and gone with the password
//!
//! Not here: lists of every form (`daemon::known_passwords`), when one is read anew (`daemon::server::passwords`).

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
use toml::Value as Setting;

use crate::kit::client::loopback;
use crate::kit::mail::{ANNA, BERT, Mail, User};
use crate::kit::proxy::{Proxy, Setup};
use crate::kit::wait;

/// A program that keeps what it was told, one notice a line.
fn with_notices(setup: Setup) -> Setup {
    let kept = setup.folder().join("told");
    let script = format!(
        "#!/bin/sh\necho \"$GATEPOST_EVENT $GATEPOST_SUBJECT $GATEPOST_TEXT\" >> {}\n",
        kept.display()
    );
    let path = setup.write("tell", &script);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("its mode");
    setup.with(
        "notices.command",
        vec![Setting::from(path.display().to_string())],
    )
}

fn report(proxy: &Proxy) -> Value {
    let ran = proxy.setup.command(&["report", "--json"]);
    serde_json::from_str(&ran.text).expect("JSON")
}

fn listed(proxy: &Proxy) -> Vec<String> {
    let report = report(proxy);
    let all = report["listed"].as_array().expect("a list");
    let names = all.iter().map(|one| one["user"].as_str().expect("a name"));
    names.map(str::to_owned).collect()
}

fn wait_for_list(proxy: &Proxy, passwords: u64) {
    wait::until("the list is read", || {
        report(proxy)["known_passwords"] == passwords
    });
}

/// Whether any file in the state holds this text.
fn state_holds(proxy: &Proxy, text: &str) -> bool {
    let mut folders = vec![proxy.setup.folder().join("state")];
    let mut found = false;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let octets = std::fs::read(&path).unwrap_or_default();
            let mut windows = octets.windows(text.len());
            found |= windows.any(|window| window == text.as_bytes());
        }
    }
    found
}

#[test]
fn an_account_with_a_listed_password_is_told_once_and_gone_when_it_is_changed() {
    let mail = Mail::start();
    let setup = with_notices(Setup::before(&mail));
    let list = setup.write("list", &format!("hunter2\n{}\n", ANNA.1));
    let kept = setup.folder().join("told");
    let mut proxy = setup
        .with("passwords.list", list.display().to_string())
        .start();
    let told = || std::fs::read_to_string(&kept).unwrap_or_default();
    wait_for_list(&proxy, 2);
    assert_eq!(proxy.log_in(loopback(66, 1), BERT), Some(235));
    // A guess with a listed password tells nothing of the account.
    let guess = User(BERT.0, "hunter2");
    assert_eq!(proxy.log_in(loopback(66, 1), guess), Some(535));
    assert_eq!(proxy.log_in(loopback(65, 1), ANNA), Some(235));
    wait::until("it is reported", || listed(&proxy) == [ANNA.0]);
    wait::until("it is told", || told().contains("password-listed"));
    assert!(
        !told().contains(ANNA.1) && told().contains(ANNA.0),
        "{}",
        told()
    );
    let users = proxy.setup.command(&["users"]).text;
    let of = |name: &str| {
        users
            .lines()
            .find(|line| line.starts_with(name))
            .map(str::to_owned)
    };
    assert!(
        of(ANNA.0).is_some_and(|line| line.ends_with("its password is on the list")),
        "{users}"
    );
    assert!(
        of(BERT.0).is_some_and(|line| !line.contains("on the list")),
        "{users}"
    );

    proxy.restart();
    wait_for_list(&proxy, 2);
    assert_eq!(listed(&proxy), [ANNA.0]);
    assert_eq!(proxy.log_in(loopback(65, 1), ANNA), Some(235));
    assert_eq!(proxy.log_in(loopback(66, 1), BERT), Some(235));
    assert!(!state_holds(&proxy, ANNA.1), "the state holds the password");
    mail.change_password(User(ANNA.0, "Neuland-Zitrone-77"));
    let new = User(ANNA.0, "Neuland-Zitrone-77");
    wait::until("the new password holds", || {
        proxy.log_in(loopback(65, 1), new) == Some(235)
    });
    wait::until("it is no more reported", || listed(&proxy).is_empty());
    assert_eq!(told().matches("password-listed").count(), 1, "{}", told());
}

#[test]
fn a_list_that_cannot_be_used_stops_no_login_and_a_new_one_is_taken_at_a_reload() {
    let mail = Mail::start();
    let setup = Setup::before(&mail);
    let path = setup.folder().join("list");
    let proxy = setup
        .with("passwords.list", path.display().to_string())
        .start();
    assert_eq!(proxy.log_in(loopback(65, 1), ANNA), Some(235));
    assert_eq!(report(&proxy)["known_passwords"], Value::Null);
    std::fs::write(&path, "\0").expect("a damaged list");
    proxy.reload();
    assert_eq!(proxy.log_in(loopback(65, 1), ANNA), Some(235));
    std::fs::write(&path, format!("{}\n", ANNA.1)).expect("a list");
    proxy.reload();
    wait_for_list(&proxy, 1);
    assert_eq!(proxy.log_in(loopback(65, 1), ANNA), Some(235));
    wait::until("it is reported", || listed(&proxy) == [ANNA.0]);
}
