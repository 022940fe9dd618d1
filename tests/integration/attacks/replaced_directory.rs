//! replaced_directory - the state directory is removed, or another put in its place, while Gatepost runs
//!
//! An administrator cleans up, or puts a backup back. The promise: what is said to be kept is kept where it is
//! looked for at the next start, nothing from before is lost, and no second Gatepost gets the same directory.

use std::fs;
use std::path::Path;

use crate::kit::impostor::{Conduct, Impostor};
use crate::kit::proxy::{Proxy, Setup, gatepost};
use crate::kit::{program, wait};

#[track_caller]
fn ban(proxy: &Proxy, address: &str) {
    let ran = proxy.setup.command(&["bans", "add", address]);
    assert_eq!(ran.code, Some(0), "{}", ran.text);
}

#[track_caller]
fn banned(proxy: &Proxy, addresses: &[&str]) {
    let bans = proxy.setup.command(&["bans"]).text;
    for address in addresses {
        assert!(bans.contains(address), "{address} is missing:\n{bans}");
    }
}

/// Starts a second one with a socket and listeners of its own; what it says.
fn second(state: &Path) -> program::Ran {
    let setup = Setup::new("127.0.0.1:1").with("state.directory", state.display().to_string());
    let mut command = gatepost();
    command.arg("run").arg("--config").arg(setup.write_config());
    program::with_input(
        program::under(&["timeout", "20"], &command).stdin(std::process::Stdio::null()),
        b"",
    )
}

fn attack(replace: impl Fn(&Path)) {
    let impostor = Impostor::start(Conduct::Honest);
    let mut proxy = Setup::new(&impostor.address().to_string()).start();
    let state = proxy.setup.folder().join("state");
    ban(&proxy, "198.51.100.1");
    replace(&state);
    ban(&proxy, "198.51.100.2");
    wait::until("the state is in the new directory", || {
        state.join("known").exists() && state.join("keys").exists()
    });
    let refused = second(&state);
    assert_eq!(refused.code, Some(2), "{}", refused.text);
    assert!(
        refused.text.contains("in use by another"),
        "{}",
        refused.text
    );
    ban(&proxy, "198.51.100.3");
    proxy.kill_and_start();
    banned(&proxy, &["198.51.100.1", "198.51.100.2", "198.51.100.3"]);
}

#[test]
fn a_directory_that_was_removed_is_made_again_and_no_ban_is_lost() {
    attack(|state| fs::remove_dir_all(state).unwrap());
}

#[test]
fn a_directory_that_was_replaced_is_locked_and_no_ban_is_lost() {
    attack(|state| {
        fs::rename(state, state.with_file_name("old")).unwrap();
        fs::create_dir(state).unwrap();
    });
}

#[test]
fn a_directory_that_was_emptied_gets_its_files_again_and_no_ban_is_lost() {
    attack(|state| {
        for entry in fs::read_dir(state).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
    });
}

#[test]
fn a_folder_in_the_place_of_every_file_does_not_stop_the_next_start() {
    let impostor = Impostor::start(Conduct::Honest);
    let mut proxy = Setup::new(&impostor.address().to_string()).start();
    let state = proxy.setup.folder().join("state");
    ban(&proxy, "198.51.100.1");
    proxy.terminate();
    proxy.ends_well();
    for name in ["debts", "changes.1", "changes.9", "snapshot", "journal.7"] {
        let _ = fs::remove_file(state.join(name));
        fs::create_dir_all(state.join(name).join("inside")).unwrap();
    }
    let proxy = proxy.setup.start();
    banned(&proxy, &["198.51.100.1"]);
    for name in ["debts", "changes.9", "snapshot", "journal.7"] {
        let aside = state.join(format!("{name}.damaged-1/inside"));
        assert!(aside.is_dir(), "{name}");
    }
}

#[test]
fn keys_that_are_missing_beside_a_state_are_told() {
    let impostor = Impostor::start(Conduct::Honest);
    let mut proxy = Setup::new(&impostor.address().to_string()).start();
    ban(&proxy, "198.51.100.1");
    proxy.terminate();
    proxy.ends_well();
    fs::remove_file(proxy.setup.folder().join("state/keys")).unwrap();
    let proxy = proxy.setup.start();
    let told = proxy.log().find("the keys", |event| {
        event.message().contains("its keys are missing")
    });
    assert_eq!(told.level(), "WARN");
    banned(&proxy, &["198.51.100.1"]);
}
