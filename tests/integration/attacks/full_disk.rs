//! full_disk - "banned", said, on a disk that takes nothing
//!
//! Somebody fills the disk (mail to a user without a quota is enough), or it becomes read-only. The promise: nothing
//! is said to be kept that is not, an operator sees since when, and all is kept again soon after there is room.
//! The state is on a small disk of the test's own, in a mount namespace that ends with Gatepost.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::kit::client::{auth_plain, loopback};
use crate::kit::impostor::{Conduct, Impostor};
use crate::kit::mail::ANNA;
use crate::kit::proxy::{Proxy, Setup};
use crate::kit::{program, wait};

/// Mounts a disk of 256 KiB at its first argument, then becomes the rest.
const SMALL_DISK: &str = "mount -t tmpfs -o size=256k,mode=700 none \"$0\" && exec \"$@\"";

/// The same with one of 4 MB in a file beside it: of a file that was lengthened, ext4 with blocks of 1 KiB has given room to
/// a quarter at most, and who writes to the rest through a map of it needs room.
const SMALL_BLOCKS: &str = "test -e \"$0.ext4\" || mkfs.ext4 -q -b 1024 \"$0.ext4\" 4M && \
                            mount -o loop \"$0.ext4\" \"$0\" && chmod 700 \"$0\" && exec \"$@\"";

fn on_a_small_disk() -> (Proxy, PathBuf) {
    on_a_disk(SMALL_DISK, &Impostor::start(Conduct::Honest))
}

fn on_a_disk(mounted: &str, impostor: &Impostor) -> (Proxy, PathBuf) {
    let setup = Setup::new(&impostor.address().to_string()).with("upstream.announce", "none");
    let state = setup.folder().join("state");
    fs::create_dir(&state).unwrap();
    let at = state.display().to_string();
    let proxy = setup
        .under(&["unshare", "--mount", "sh", "-c", mounted, &at])
        .start();
    let seen = seen_by(&proxy);
    (proxy, seen)
}

/// The state directory, as the process sees it.
fn seen_by(proxy: &Proxy) -> PathBuf {
    let state = proxy.setup.folder().join("state");
    format!("/proc/{}/root{}", proxy.id(), state.display()).into()
}

fn fill(state: &Path) -> PathBuf {
    let filler = state.join("mail");
    let full = fs::write(&filler, vec![0; 1 << 23]).unwrap_err();
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

/// Names of files that it has mapped.
#[track_caller]
fn mapped(proxy: &Proxy) -> String {
    fs::read_to_string(format!("/proc/{}/maps", proxy.id())).unwrap()
}

#[test]
fn a_full_disk_ends_no_session_for_no_file_of_the_state_is_mapped() {
    let impostor = Impostor::start(Conduct::Honest);
    let (mut proxy, state) = on_a_disk(SMALL_BLOCKS, &impostor);
    let ran = proxy.setup.command(&["bans", "add", "192.0.2.1"]);
    assert_eq!(ran.code, Some(0), "{}", ran.text);
    wait::until("the history is begun", || {
        state.join("history.db").exists() && proxy.ask(&["report"]).contains("192.0.2.1")
    });
    let maps = mapped(&proxy);
    fill(&state);
    proxy.restart();
    let mut held = proxy.client(loopback(96, 1));
    held.greet();
    held.expect(&auth_plain(ANNA), 235);
    fill(&seen_by(&proxy));
    for number in 2..12 {
        let address = format!("192.0.2.{number}");
        for words in [
            &["bans", "add", &address][..],
            &["explain", &address],
            &["report"],
        ] {
            proxy.setup.command(words);
        }
        proxy.log_in(loopback(97, number), ANNA);
        held.expect("NOOP", 250);
    }
    held.expect("QUIT", 221);
    proxy.terminate();
    proxy.ends_well();
    assert!(!maps.contains("/history.db"), "{maps}");
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
