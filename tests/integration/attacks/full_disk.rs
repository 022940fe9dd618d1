//! full_disk - "banned", said, on a disk that takes nothing
//!
//! Somebody fills the disk (mail to a user without a quota is enough), or it becomes read-only. The promise: nothing
//! is said to be kept that is not, an operator sees since when, and all is kept again soon after there is room.
//! The state is on a small disk of the test's own, in a mount namespace that ends with Gatepost.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::kit::impostor::{Conduct, Impostor};
use crate::kit::proxy::{Proxy, Setup};
use crate::kit::{program, wait};

/// Mounts a disk of 256 KiB at its first argument, then becomes the rest.
const SMALL_DISK: &str = "mount -t tmpfs -o size=256k,mode=700 none \"$0\" && exec \"$@\"";

fn on_a_small_disk() -> (Proxy, PathBuf) {
    let impostor = Impostor::start(Conduct::Honest);
    let setup = Setup::new(&impostor.address().to_string());
    let state = setup.folder().join("state");
    fs::create_dir(&state).unwrap();
    let at = state.display().to_string();
    let proxy = setup
        .under(&["unshare", "--mount", "sh", "-c", SMALL_DISK, &at])
        .start();
    // As the process sees it.
    let seen = format!("/proc/{}/root{at}", proxy.id());
    (proxy, seen.into())
}

fn fill(state: &Path) -> PathBuf {
    let filler = state.join("mail");
    let full = fs::write(&filler, vec![0; 1 << 20]).unwrap_err();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    filler
}

fn remount(proxy: &Proxy, how: &str) {
    let state = proxy.setup.folder().join("state");
    let mut command = Command::new("nsenter");
    command.args(["--mount", "--target", &proxy.id().to_string()]);
    command
        .args(["mount", "-o", &format!("remount,{how}")])
        .arg(state);
    program::run(&mut command);
}

/// Bans until the disk has refused one: a page that is begun takes some more records. How many it took, and what
/// was said in the end.
#[track_caller]
fn ban_until_refused(proxy: &Proxy) -> (usize, String) {
    for number in 1..250 {
        let address = format!("192.0.2.{number}");
        let ran = proxy.setup.command(&["bans", "add", &address]);
        match ran.code {
            Some(0) => {}
            Some(1) => return (number - 1, ran.text),
            _ => panic!("{}", ran.text),
        }
    }
    panic!("250 bans are said to be kept on a disk that takes none");
}

#[track_caller]
fn status(proxy: &Proxy) -> (String, Value) {
    let text = proxy.setup.command(&["status"]).text;
    let json = proxy.setup.command(&["status", "--json"]).text;
    (text, serde_json::from_str(&json).unwrap())
}

#[track_caller]
fn bans_in_a_copy_of(state: &Path) -> String {
    let impostor = Impostor::start(Conduct::Honest);
    let setup = Setup::new(&impostor.address().to_string());
    let copy = setup.folder().join("state");
    fs::create_dir(&copy).unwrap();
    for entry in fs::read_dir(state).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
    }
    setup.start().setup.command(&["bans"]).text
}

#[test]
fn a_ban_that_a_full_disk_did_not_take_is_not_said_to_be_kept_and_is_kept_when_there_is_room() {
    let (proxy, state) = on_a_small_disk();
    let filler = fill(&state);
    let (taken, said) = ban_until_refused(&proxy);
    assert!(said.contains("is banned until"), "{said}");
    assert!(
        said.contains("not on disk: No space left on device"),
        "{said}"
    );
    let (text, json) = status(&proxy);
    assert!(text.contains("NOT KEPT since 20"), "{text}");
    let why = json["state_not_kept"]["why"].as_str().unwrap();
    assert!(why.contains("No space left"), "{json}");
    assert!(
        json["state_not_kept"]["since"]
            .as_str()
            .unwrap()
            .ends_with('Z')
    );
    let json = proxy
        .setup
        .command(&["bans", "add", "198.51.100.1", "--json"]);
    assert_eq!(json.code, Some(1), "{}", json.text);
    assert!(json.text.contains("\"not-kept\""), "{}", json.text);
    fs::remove_file(filler).unwrap();
    proxy.log().wait_for_text("state is being saved again");
    let (text, json) = status(&proxy);
    assert!(text.contains("state       kept"), "{text}");
    assert_eq!(json["state_not_kept"], Value::Null);
    let ran = proxy.setup.command(&["bans", "add", "198.51.100.2"]);
    assert_eq!(ran.code, Some(0), "{}", ran.text);
    let told = proxy.logged(|event| event.message().contains("cannot be saved"));
    assert_eq!(told.len(), 1, "{told:?}");
    let bans = bans_in_a_copy_of(&state);
    let refused = format!("192.0.2.{}", taken + 1);
    for address in [refused.as_str(), "198.51.100.1", "198.51.100.2"] {
        assert!(bans.contains(address), "{address} is missing:\n{bans}");
    }
}

#[test]
fn a_disk_that_became_read_only_is_told_too() {
    let (proxy, state) = on_a_small_disk();
    // Nothing may be open for writing: the first snapshots are whole, and no journal is begun.
    wait::until("the first snapshots", || {
        let names = fs::read_dir(&state).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| !name.contains(".new")).count() == 4
    });
    remount(&proxy, "ro");
    let ran = proxy.setup.command(&["bans", "add", "192.0.2.1"]);
    assert_eq!(ran.code, Some(1), "{}", ran.text);
    let text = &ran.text;
    assert!(
        text.contains("not on disk: Read-only file system"),
        "{text}"
    );
    // The second time there is nothing left to do, and the disk still has nothing.
    for command in [
        ["introduce", "anna@example.org", "203.0.113.0/24"].as_slice(),
        &["bans", "remove", "192.0.2.9"],
        &["forget", "nobody@example.org"],
    ] {
        for _ in 0..2 {
            let ran = proxy.setup.command(command);
            assert_eq!(ran.code, Some(1), "{}", ran.text);
            assert!(ran.text.contains("not on disk"), "{}", ran.text);
        }
    }
    remount(&proxy, "rw");
    proxy.log().wait_for_text("state is being saved again");
    assert!(bans_in_a_copy_of(&state).contains("192.0.2.1"));
    let ran = proxy
        .setup
        .command(&["introduce", "anna@example.org", "203.0.113.0/24"]);
    assert_eq!(ran.code, Some(0), "{}", ran.text);
}
