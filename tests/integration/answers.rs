//! answers - what an operator reads after a command, right or wrong
//!
//! Without a Postfix: nothing here logs in. Not here: what comes of the commands (`postfix::operator`).

use crate::kit::proxy::{Proxy, Setup, gatepost};

fn proxy() -> Proxy {
    Setup::new("127.0.0.1:1").start()
}

/// Runs a command: its exit code, and what it printed must hold all of `parts`.
#[track_caller]
fn answered(proxy: &Proxy, words: &[&str], code: i32, parts: &[&str]) {
    let ran = proxy.setup.command(words);
    assert_eq!(ran.code, Some(code), "{words:?}: {}", ran.text);
    for part in parts {
        assert!(ran.text.contains(part), "{words:?}: {}", ran.text);
    }
}

#[test]
fn the_help_says_what_each_command_does() {
    let help = gatepost().arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let commands = help.split("Commands:\n").nth(1).unwrap();
    let commands: Vec<(&str, &str)> = commands
        .lines()
        .map_while(|line| line.strip_prefix("  ")?.split_once(' '))
        .collect();
    assert!(commands.len() > 12, "{help}");
    for (name, about) in commands {
        let words = about.split_whitespace().count();
        assert!(words > 2 && !about.contains('['), "{name}: {about}");
    }
}

#[test]
fn an_address_is_not_called_free_while_its_network_is_banned() {
    let proxy = proxy();
    let (client, network) = ("203.0.113.7", "203.0.113.0/24");
    answered(&proxy, &["bans", "add", network], 0, &[]);
    answered(&proxy, &["bans", "add", client, "--for", "1h"], 0, &[]);
    let remove = ["bans", "remove", client];
    answered(&proxy, &remove, 0, &["no longer banned itself", network]);
    answered(
        &proxy,
        &remove,
        1,
        &["`gatepost bans remove 203.0.113.0/24`"],
    );
    answered(
        &proxy,
        &["forgive", client],
        0,
        &["stays banned by hand: `gatepost bans remove 203.0.113.0/24`"],
    );
    answered(&proxy, &["bans", "remove", network], 0, &[]);
    answered(
        &proxy,
        &["forgive", client],
        0,
        &["cleared bans, strikes and buckets"],
    );
    answered(&proxy, &["bans"], 0, &["no bans"]);
    answered(&proxy, &remove, 1, &["`gatepost bans` lists all bans"]);
}

#[test]
fn a_banned_client_is_explained_with_the_time_that_is_left() {
    let proxy = proxy();
    answered(
        &proxy,
        &["bans", "add", "203.0.113.7", "--for", "2h"],
        0,
        &[],
    );
    let parts = ["refuse (ban), for 1h 59m", "(operator)"];
    answered(&proxy, &["explain", "203.0.113.7"], 0, &parts);
}

#[test]
fn what_is_no_address_is_told_with_what_would_be_one() {
    let proxy = proxy();
    for wrong in ["10.0.0.0/8", "2001:db8::/32", "mail.example.org"] {
        answered(
            &proxy,
            &["bans", "add", wrong],
            2,
            &[wrong, "203.0.113.0/24", "[networks]"],
        );
    }
    answered(
        &proxy,
        &["explain", "G0000000"],
        1,
        &["203.0.113.7", "session", "nobody knows a user G0000000"],
    );
    for slip in [
        "203.0.113",
        "203.0.113.300",
        "203.0.113.0/23",
        "0.0.0.0/0",
        "2001:db8::/12",
    ] {
        answered(&proxy, &["forgive", slip], 2, &[slip, "203.0.113.0/24"]);
    }
    answered(
        &proxy,
        &["forgive", "alicce"],
        1,
        &["nobody knows a user alicce"],
    );
    answered(&proxy, &["introduce", "10.20"], 0, &[]);
    answered(&proxy, &["forgive", "10.20"], 0, &["the user 10.20"]);
    answered(&proxy, &["bans", "add", "127.0.0.1"], 2, &["own address"]);
}

#[test]
fn what_stands_in_the_log_can_be_explained_as_it_is() {
    let proxy = proxy();
    for copied in ["203.0.113.7:4711", "[203.0.113.7]", "203.0.113.7"] {
        answered(
            &proxy,
            &["explain", copied],
            0,
            &["203.0.113.7 in 203.0.113.0/24"],
        );
    }
    for copied in ["[2001:db8::7]:4711", "[2001:db8::7]", "2001:db8::7"] {
        answered(
            &proxy,
            &["explain", copied],
            0,
            &["2001:db8::/64 in 2001:db8::/48"],
        );
    }
    answered(&proxy, &["bans", "add", "203.0.113.0/24"], 0, &[]);
    answered(&proxy, &["explain", "203.0.113.0/24"], 0, &["refuse (ban)"]);
}

#[test]
fn a_user_is_explained_by_name_alone_and_a_mistyped_one_is_not_found() {
    let proxy = proxy();
    answered(&proxy, &["introduce", "ann", "203.0.113.7"], 0, &[]);
    let parts = [
        "ann: known, last login 20",
        "203.0.113.0/24 familiar, since 20",
        "allow (familiar)",
        "user-far   10/10",
    ];
    answered(&proxy, &["explain", "ann"], 0, &parts);
    answered(&proxy, &["explain", "ANN"], 0, &parts[1..]);
    answered(
        &proxy,
        &["explain", "ann", "203.0.113.7"],
        0,
        &["as ann: known, familiar"],
    );
    let slip = ["explain", "alicce"];
    answered(&proxy, &slip, 1, &["nobody knows a user alicce"]);
    answered(&proxy, &["explain", "203.0.113.300"], 2, &["203.0.113.300"]);
    answered(
        &proxy,
        &["explain", "ann", "bert"],
        2,
        &["nor is it the id of a session"],
    );
    for words in [["forget", "alicce"], ["expel", "alicce"]] {
        answered(&proxy, &words, 1, &["nobody knows a user alicce"]);
    }
}

#[test]
fn a_trap_is_introduced_only_by_those_who_mean_it() {
    let proxy = proxy();
    let parts = ["root is a trap", "introduce --trap root"];
    answered(&proxy, &["introduce", "root"], 2, &parts);
    answered(&proxy, &["users"], 0, &["0 known users"]);
    answered(
        &proxy,
        &["introduce", "root", "--trap"],
        0,
        &["added as a known user"],
    );
    answered(&proxy, &["introduce", "root"], 0, &[]);
    answered(&proxy, &["users"], 0, &["1 known users"]);
}

#[test]
fn users_are_listed_with_the_names_that_the_operator_gives_and_else_by_their_hash() {
    let proxy = proxy();
    answered(&proxy, &["introduce", "ann", "203.0.113.7"], 0, &[]);
    answered(&proxy, &["introduce", "bert"], 0, &[]);
    let all = proxy.setup.command(&["users"]).text;
    assert!(
        all.contains("203.0.113.0/24")
            && all.contains("2 known users; of 2 there is only the hash"),
        "{all}"
    );
    assert!(!all.contains("ann") && !all.contains("bert"), "{all}");
    let names = proxy
        .setup
        .write("names", "Ann\nbert\n\ncarol\n")
        .display()
        .to_string();
    let named = proxy.setup.command(&["users", &names]).text;
    let of_ann = named.lines().find(|line| line.starts_with("Ann ")).unwrap();
    assert!(of_ann.contains("203.0.113.0/24"), "{named}");
    assert!(
        named.contains("bert ") && named.ends_with("2 known users\n"),
        "{named}"
    );
    assert!(
        named.contains("carol                    not known"),
        "{named}"
    );
    let json = proxy.setup.command(&["users", &names, "--json"]).text;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["unknown"][0], "carol", "{json}");
    assert_eq!(json["users"].as_array().unwrap().len(), 2);
}

#[test]
fn a_blocklist_is_banned_as_it_is_and_what_was_refused_is_named_by_its_line() {
    let proxy = proxy();
    let list = "; a list\n198.51.100.0/24 ; SBL1\n203.0.113.7\n203.0.114.0/23 # two\nmail.example.org\n127.0.0.0/24\n0.0.0.0/1\n";
    let list = proxy.setup.write("drop.txt", list).display().to_string();
    let add = ["bans", "add", "--file", &list, "--for", "2h"];
    let parts = [
        "line 5: ",
        "line 6: 127.0.0.0/24 is or holds this machine's own address 127.0.0.1",
        "line 7: 0.0.0.0/1 is wider",
        "6 lines: 4 bans, 3 refused; 0 sessions ended",
    ];
    answered(&proxy, &add, 1, &parts);
    let listed = [
        "198.51.100.0/24",
        "203.0.113.7",
        "203.0.114.0/24",
        "203.0.115.0/24",
    ];
    answered(&proxy, &["bans"], 0, &listed);
    answered(
        &proxy,
        &["explain", "203.0.115.9"],
        0,
        &["refuse (ban), for 1h 59m"],
    );
    answered(
        &proxy,
        &["bans", "add", "127.0.0.0/24"],
        2,
        &["own address 127.0.0.1"],
    );

    let whole = proxy
        .setup
        .write("whole.txt", "192.0.3.7\n")
        .display()
        .to_string();
    answered(
        &proxy,
        &["bans", "add", "--file", &whole],
        0,
        &["1 lines: 1 bans, 0 refused"],
    );
    let missing = ["bans", "add", "--file", "/nonexistent/list"];
    answered(&proxy, &missing, 2, &["/nonexistent/list: No such file"]);
}

#[test]
fn bans_are_listed_by_network_and_reason_and_counted() {
    let proxy = proxy();
    for subject in ["198.51.100.0/24", "203.0.113.7", "203.0.114.0/24"] {
        answered(&proxy, &["bans", "add", subject], 0, &[]);
    }
    let count = |words: &[&str]| {
        let ran = proxy
            .setup
            .command(&[&["bans", "list", "--json"], words].concat());
        let bans: serde_json::Value = serde_json::from_str(&ran.text).unwrap();
        bans.as_array().unwrap().len()
    };
    assert_eq!(count(&[]), 3);
    assert_eq!(count(&["203.0.0.0/16"]), 2);
    assert_eq!(count(&["--limit", "1"]), 1);
    assert_eq!(count(&["--reason", "strikes"]), 0);
    assert_eq!(count(&["--reason", "operator"]), 3);
    let counted = ["bans", "list", "--count"];
    answered(
        &proxy,
        &counted,
        0,
        &["operator                 3", "all                      3"],
    );
    answered(
        &proxy,
        &["bans", "list", "--count", "--json"],
        0,
        &["\"operator\": 3"],
    );
}

#[test]
fn a_torn_config_keeps_nobody_from_a_gatepost_whose_socket_is_named() {
    let proxy = proxy();
    let socket = proxy
        .setup
        .folder()
        .join("admin.sock")
        .display()
        .to_string();
    let torn = proxy
        .setup
        .write("torn.toml", "[admin\n")
        .display()
        .to_string();
    let ask = |words: &[&str]| gatepost().args(words).output().unwrap().status.code();
    assert_eq!(ask(&["bans", "--config", &torn]), Some(2));
    assert_eq!(
        ask(&["bans", "--config", &torn, "--socket", &socket]),
        Some(0)
    );
}

#[test]
fn a_full_disk_keeps_no_result() {
    let proxy = proxy();
    let config = proxy.setup.write_config();
    for words in [&["bans", "--json"][..], &["status"], &["check"]] {
        let full = std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let mut command = gatepost();
        let command = command
            .args(words)
            .arg("--config")
            .arg(&config)
            .stdout(full);
        let ended = command
            .stderr(std::process::Stdio::null())
            .status()
            .unwrap();
        assert_eq!(ended.code(), Some(2), "{words:?}");
    }
}

#[test]
fn what_the_operator_did_stands_in_the_log() {
    let proxy = proxy();
    answered(
        &proxy,
        &["introduce", "ann", "203.0.113.7"],
        0,
        &["203.0.113.0/24"],
    );
    let told = proxy
        .log()
        .find("the introduction", |event| event.message() == "operator");
    assert_eq!(
        told.field("did"),
        "ann is familiar in 203.0.113.0/24 for 90 days; the name was not known before"
    );
    assert_eq!(told.field("by"), "root");
}

#[test]
fn a_config_that_a_reload_refused_hides_no_running_gatepost() {
    let mut proxy = proxy();
    proxy.setup.set("limits.client.brust", 7);
    proxy.reload();
    proxy.log().wait_for_text("not reloaded");
    // Nothing listens behind it.
    answered(&proxy, &["status"], 1, &["enforce", "NOT USABLE"]);
}

/// A log with one login a day, of the last so many days but those that were left out at its end.
fn log_of(days: std::ops::Range<u32>) -> String {
    days.map(|ago| {
        let mut date = std::process::Command::new("date");
        date.args(["--utc", &format!("--date={ago} days ago"), "+%FT%T+00:00"]);
        let at = crate::kit::program::run(&mut date);
        format!(
            "{} mx dovecot: imap-login: Login: user=<ann>, method=PLAIN, rip=203.0.113.7, lip=192.0.2.1, mpid=1, TLS, \
             session=<x>\n",
            at.trim()
        )
    })
    .collect()
}

#[test]
fn settling_in_ends_by_logs_that_cover_it_or_when_it_is_asked_for() {
    let settles = |days: std::ops::Range<u32>, more: &[&str]| {
        let proxy = Setup::new("127.0.0.1:1").with("settling", "7d").start();
        let log = proxy
            .setup
            .write("mail.log", &log_of(days))
            .display()
            .to_string();
        let ran = proxy.setup.command(&[&["learn", &log][..], more].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.text);
        let goes_on = ran.text.contains("settling in goes on");
        assert_ne!(
            goes_on,
            ran.text.contains("settling in has ended"),
            "{}",
            ran.text
        );
        let status = proxy.setup.command(&["status"]).text;
        assert_eq!(status.contains("settling in until"), goes_on, "{status}");
        goes_on
    };
    assert!(!settles(0..8, &[]), "a week of logins");
    assert!(settles(0..3, &[]), "three days");
    assert!(settles(98..99, &[]), "one login, long ago");
    assert!(settles(20..40, &[]), "the last weeks are missing");
    assert!(!settles(0..1, &["--now"]), "the operator knows better");
}
