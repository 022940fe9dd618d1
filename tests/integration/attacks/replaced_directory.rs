//! replaced_directory - the state directory is removed, or another put in its place, while Gatepost runs
//!
//! An administrator cleans up, or puts a backup back, in the place of the files or into them. The promise: what is said to be kept is kept where it is
//! looked for at the next start, nothing from before is lost, and no second Gatepost gets the same directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

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
    let list = proxy.setup.write("list.txt", "203.0.113.0/24\n");
    let list = list.display().to_string();
    let ran = proxy
        .setup
        .command(&["bans", "import", "--file", &list, "--source", "drop"]);
    assert_eq!(ran.code, Some(0), "{}", ran.text);
    replace(&state);
    ban(&proxy, "198.51.100.2");
    wait::until("the state is in the new directory", || {
        ["known", "keys", "list-drop"]
            .iter()
            .all(|name| state.join(name).exists())
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
    let lists = proxy.setup.command(&["bans", "lists"]).text;
    assert!(lists.contains("drop"), "{lists}");
}

#[test]
fn a_directory_that_was_removed_is_made_again_and_no_ban_is_lost() {
    // Gatepost may write into it meanwhile.
    attack(|state| wait::until("it is removed", || fs::remove_dir_all(state).is_ok()));
}

#[test]
fn a_directory_that_was_replaced_is_locked_and_no_ban_is_lost() {
    attack(|state| {
        fs::rename(state, state.with_file_name("old")).unwrap();
        fs::create_dir(state).unwrap();
    });
}

#[test]
fn a_state_that_comes_into_the_directory_keeps_its_files_and_is_named() {
    attack(|state| {
        // As a file system that is mounted late.
        let impostor = Impostor::start(Conduct::Honest);
        let mut other = Setup::new(&impostor.address().to_string()).start();
        ban(&other, "198.51.100.7");
        other.terminate();
        other.ends_well();
        fs::rename(state, state.with_file_name("old")).unwrap();
        let from = other.setup.folder().join("state");
        fs::create_dir(state).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), state.join(entry.file_name())).unwrap();
        }
        let keys = fs::read(state.join("keys")).unwrap();
        wait::until("the keys have another name", || {
            fs::read(state.join("keys.found-1")).is_ok_and(|found| found == keys)
        });
        assert!(state.join("known.found-1").exists());
    });
}

/// A state in which eve is known and one address is banned, left by a gatepost that has ended.
fn backup(impostor: &Impostor) -> Proxy {
    let setup = Setup::new(&impostor.address().to_string());
    setup.learn_yesterdays(&[("eve", "203.0.113.5".parse().unwrap())]);
    let mut other = setup.start();
    ban(&other, "198.51.100.7");
    other.terminate();
    other.ends_well();
    other
}

#[track_caller]
fn known(proxy: &Proxy, user: &str, is_known: bool) {
    let names = proxy.setup.write("names.txt", &format!("{user}\n"));
    let users = proxy
        .setup
        .command(&["users", &names.display().to_string()]);
    let is_unknown = users.text.contains("not known");
    assert_eq!(is_unknown, !is_known, "{}", users.text);
}

/// Puts a backup into the directory of a running gatepost, the way that `put` does, and restarts that. Then follows what the log says.
fn put_back_while_it_runs(put: impl Fn(&Path, &Path)) {
    let impostor = Impostor::start(Conduct::Honest);
    let other = backup(&impostor);
    let from = other.setup.folder().join("state");
    let setup = Setup::new(&impostor.address().to_string());
    setup.learn_yesterdays(&[("ivan", "203.0.113.6".parse().unwrap())]);
    let mut proxy = setup.start();
    let state = proxy.setup.folder().join("state");
    ban(&proxy, "198.51.100.1");
    put(&from, &state);
    let names = ["known", "debts", "keys"];
    let found = |name: &str| state.join(format!("{name}.found-1"));
    wait::until("the backup has other names", || {
        names.iter().all(|name| found(name).exists())
    });
    for name in names {
        assert_eq!(
            fs::read(found(name)).unwrap(),
            fs::read(from.join(name)).unwrap()
        );
        let told = proxy.log().find("the new name", |event| {
            event.field("path") == found(name).display().to_string()
        });
        assert_eq!(told.level(), "ERROR");
    }
    proxy.restart();
    banned(&proxy, &["198.51.100.1"]);
    known(&proxy, "ivan", true);
    known(&proxy, "eve", false);
    proxy.terminate();
    proxy.ends_well();
    let files = fs::read_dir(&state).unwrap();
    let files: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).collect();
    let named = |path: &&PathBuf| path.to_str().is_some_and(|path| path.ends_with(".found-1"));
    for path in files.iter().filter(named) {
        fs::rename(path, path.with_extension("")).unwrap();
    }
    proxy.start_again();
    banned(&proxy, &["198.51.100.7"]);
    known(&proxy, "eve", true);
    known(&proxy, "ivan", false);
}

#[test]
fn a_backup_that_is_copied_into_the_files_of_a_running_gatepost_overwrites_none_and_neither_is_lost()
 {
    put_back_while_it_runs(|from, state| {
        let mut copy = Command::new("cp");
        copy.arg("-a").arg(from.join(".")).arg(state);
        assert_eq!(program::run(&mut copy), "");
    });
}

#[test]
fn a_backup_that_is_unpacked_over_the_files_of_a_running_gatepost_overwrites_none_and_neither_is_lost()
 {
    put_back_while_it_runs(|from, state| {
        let packed = state.with_file_name("backup.tar");
        for (option, at) in [("-c", from), ("-x", state)] {
            let mut tar = Command::new("tar");
            tar.arg(option).arg("-f").arg(&packed).arg("-C").arg(at);
            tar.args((option == "-c").then_some("."));
            assert_eq!(program::run(&mut tar), "");
        }
    });
}

#[test]
fn what_was_set_aside_is_told_also_where_another_file_cannot_be() {
    let impostor = Impostor::start(Conduct::Honest);
    let proxy = Setup::new(&impostor.address().to_string()).start();
    let state = proxy.setup.folder().join("state");
    ban(&proxy, "198.51.100.1");
    // With more behind it, its name would be longer than a name may be.
    let long = state.join(format!("changes.{}9", "0".repeat(245)));
    fs::write(&long, "").unwrap();
    fs::write(state.join("changes.0"), "").unwrap();
    fs::write(state.join("keys"), "of another state").unwrap();
    let aside = state.join("changes.0.found-1").display().to_string();
    proxy
        .log()
        .find("the new name", |event| event.field("path") == aside);
    fs::remove_file(long).unwrap();
    wait::until("the keys are there again", || {
        state.join("keys.found-1").exists() && state.join("keys").exists()
    });
}

#[test]
fn a_directory_that_was_emptied_gets_its_files_again_and_no_ban_is_lost() {
    attack(|state| {
        for entry in fs::read_dir(state).unwrap() {
            // What is being written has another name a moment later.
            let _ = fs::remove_file(entry.unwrap().path());
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
