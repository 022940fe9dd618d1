//! ban_lists - published lists into a running Gatepost, and its bans out to fail2ban and nftables
//!
//! fail2ban is Debian's, and nft works in a network namespace of its own.
//! Not here: each form of a list (`daemon::cli::bans`), files of lists (`daemon::server::lists`), who is spared (the gate's tests).

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::kit::proxy::{Proxy, Setup};
use crate::kit::wait;

/// A port on which nobody listens.
const NOWHERE: &str = "127.0.0.1:9";

fn in_tree(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[track_caller]
fn import(proxy: &Proxy, file: &Path, success: bool) -> String {
    let file = file.display().to_string();
    let words = [
        "bans", "import", "--file", &file, "--source", "drop", "--expire", "2h",
    ];
    let ran = proxy.setup.command(&words);
    assert_eq!(ran.success, success, "{}", ran.text);
    ran.text
}

fn is_listed(proxy: &Proxy, address: &str) -> bool {
    let ran = proxy.setup.command(&["explain", address]);
    ran.text.contains("banned") && ran.text.contains("list")
}

#[test]
fn a_published_list_is_in_force_until_it_is_replaced_or_removed_also_after_a_restart() {
    let mut proxy = Setup::new(NOWHERE).start();
    let told = import(&proxy, &in_tree("tests/lists/drop.json"), true);
    assert!(
        told.contains("the list drop is in force until") && told.contains("3 networks"),
        "{told}"
    );
    assert!(is_listed(&proxy, "203.0.113.77") && is_listed(&proxy, "2001:db8:5::9"));
    assert!(!is_listed(&proxy, "198.51.100.10"));
    let all = proxy.setup.command(&["bans", "lists"]).text;
    assert!(
        all.lines()
            .any(|line| line.starts_with("drop ") && line.ends_with(" 3")),
        "{all}"
    );

    // A damaged one, one with everybody on it and one that did not come leave it as it is.
    for text in ["203.0.113.0/24\n<html>\n", "0.0.0.0/0\n", ""] {
        let path = proxy.setup.write("next", text);
        let told = import(&proxy, &path, false);
        assert!(told.contains("what drop had before stays"), "{told}");
    }
    assert!(is_listed(&proxy, "203.0.113.77"));
    proxy.restart();
    assert!(is_listed(&proxy, "203.0.113.77"), "after a restart");

    import(&proxy, &in_tree("tests/lists/blocklist.de.txt"), true);
    assert!(is_listed(&proxy, "198.51.100.9") && !is_listed(&proxy, "203.0.113.77"));
    let removed = proxy.setup.command(&["bans", "remove", "--source", "drop"]);
    assert!(
        removed.success && !is_listed(&proxy, "198.51.100.9"),
        "{}",
        removed.text
    );
    let again = proxy.setup.command(&["bans", "remove", "--source", "drop"]);
    assert!(
        !again.success && again.text.contains("there is no list drop"),
        "{}",
        again.text
    );
    proxy.restart();
    assert!(!is_listed(&proxy, "198.51.100.9"), "after a restart");
}

#[test]
fn a_list_that_seems_to_be_over_by_a_wrong_clock_is_in_force_when_the_clock_is_put_right() {
    let day = 24 * 3600;
    let (setup, clock) = Setup::new(NOWHERE).with_other_clock(0);
    let mut proxy = setup.start();
    import(&proxy, &in_tree("tests/lists/drop.json"), true);
    // For the next process the date in its file is all that there is.
    proxy.restart();
    clock.set(40 * day);
    wait::until("over", || !is_listed(&proxy, "203.0.113.77"));
    proxy.restart();
    assert!(!is_listed(&proxy, "203.0.113.77"));
    clock.set(0);
    wait::until("in force", || is_listed(&proxy, "203.0.113.77"));
    clock.set(3 * 3600);
    wait::until("over", || !is_listed(&proxy, "203.0.113.77"));
}

#[test]
fn a_list_that_is_imported_by_a_wrong_clock_lasts_as_long_as_it_should_also_after_a_restart() {
    let day = 24 * 3600;
    let (setup, clock) = Setup::new(NOWHERE).with_other_clock(0);
    let mut proxy = setup.start();
    let file = proxy.setup.folder().join("state/list-drop");
    for days in [-40, 40] {
        clock.set(days * day);
        proxy.restart();
        import(&proxy, &in_tree("tests/lists/drop.json"), true);
        let by_wrong_clock = std::fs::read(&file).expect("the list");
        clock.set(0);
        wait::until("dated anew", || {
            std::fs::read(&file).expect("the list") != by_wrong_clock
        });
        assert!(is_listed(&proxy, "203.0.113.77"), "{days} days");
        proxy.restart();
        assert!(is_listed(&proxy, "203.0.113.77"), "{days} days, a restart");
        proxy.restart();
        clock.set(3 * 3600);
        wait::until("over", || !is_listed(&proxy, "203.0.113.77"));
    }
}

#[test]
fn a_list_of_many_parts_is_taken_whole() {
    let proxy = Setup::new(NOWHERE).start();
    let lines =
        (0..50_000u32).map(|n| format!("{}\n", std::net::Ipv4Addr::from_bits(1 << 28 | n << 1)));
    let path = proxy.setup.write("long", &lines.collect::<String>());
    let told = import(&proxy, &path, true);
    assert!(told.contains("50000 networks"), "{told}");
    assert!(is_listed(&proxy, "16.0.0.2") && !is_listed(&proxy, "16.0.0.3"));
}

/// Two bans of a real Gatepost's, in its log.
fn log_with_bans(format: &str) -> (Proxy, PathBuf) {
    let proxy = Setup::new(NOWHERE).with("log.format", format).start();
    for subject in ["198.51.100.7", "2001:db8:5::/48"] {
        let ran = proxy.setup.command(&["bans", "add", subject]);
        assert!(ran.success, "{}", ran.text);
    }
    wait::until("the bans are logged", || {
        proxy.log().text().matches("ban began").count() == 2
    });
    let path = proxy.setup.write("log", &(proxy.log().text() + "\n"));
    (proxy, path)
}

#[test]
fn fail2ban_finds_each_ban_in_either_form_of_the_log_and_nothing_else() {
    for format in ["text", "json"] {
        let (_proxy, log) = log_with_bans(format);
        let mut text = std::fs::read_to_string(&log).expect("the log");
        text += "2026-11-27T20:09:18.925389Z  INFO attempt user=\"x\\x20ban\\x20began\" client=192.0.2.1:1\n\
                 2026-11-27T20:09:18.925389Z  INFO attempt user=\"ban began subject=192.0.2.9 until=x cause=y\"\n\
                 2026-11-27T20:09:18.925389Z  INFO would ban subject=192.0.2.8 until=x cause=strikes\n";
        std::fs::write(&log, text).expect("the log");
        let ran = Command::new("fail2ban-regex")
            .args(["--out", "id"])
            .arg(&log)
            .arg(in_tree("config/fail2ban/filter.conf"))
            .output()
            .expect("fail2ban-regex runs");
        let found = String::from_utf8_lossy(&ran.stdout);
        let mut found: Vec<&str> = found.split_whitespace().collect();
        found.sort_unstable();
        assert_eq!(found, ["198.51.100.7", "2001:db8:5::/48"], "{format}");
    }
}

#[test]
fn nftables_drops_at_other_ports_whom_gatepost_has_banned() {
    let (proxy, _) = log_with_bans("json");
    let bans = proxy.setup.command(&["bans", "list", "--json"]).text;
    let script = in_tree("tests/nftables-bans.sh");
    let mut ran = Command::new("unshare")
        .args(["-n", "sh"])
        .arg(script)
        .arg(in_tree("config/nftables-bans"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a namespace");
    let mut input = ran.stdin.take().expect("its input");
    input.write_all(bans.as_bytes()).expect("the bans");
    drop(input);
    let ran = ran.wait_with_output().expect("its end");
    let told = String::from_utf8_lossy(&ran.stdout);
    let fault = String::from_utf8_lossy(&ran.stderr);
    let expected = "198.51.100.7 143 shut\n198.51.100.7 465 open\n198.51.100.8 143 open\n\
                    2001:db8:5::9 143 shut\n2001:db8:6::9 143 open\nwithout a list: unchanged\n";
    assert_eq!(told, expected, "{fault}");
}
