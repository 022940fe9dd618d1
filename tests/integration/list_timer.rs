//! list_timer - the example units that fetch a published list: what they run, against a real web server
//!
//! Each command of `gatepost-list@.service` is run as systemd would run it, up to the first that fails. Debian's nginx and curl.
//! Not here: what an import makes of a list (`ban_lists`, the daemon's `cli::bans`).

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::kit::nginx::Nginx;
use crate::kit::ports;
use crate::kit::program::{self, Ran};
use crate::kit::proxy::{Proxy, Setup, gatepost};

const UNIT: &str = include_str!("../../config/lists/gatepost-list@.service");

/// Runs what the unit runs, for the list `drop` at this URL. What its last command did.
#[track_caller]
fn run_unit(proxy: &Proxy, url: &str) -> Ran {
    // As RuntimeDirectory= has it: new each time.
    let folder = TempDir::with_prefix("gatepost-list-").expect("a folder");
    let place = folder.path().display().to_string();
    let commands = UNIT
        .lines()
        .filter_map(|line| line.strip_prefix("ExecStart="));
    let mut last = None;
    for line in commands {
        let line = line.replace("%i", "drop").replace("${URL}", url);
        let line = line.replace("/run/gatepost-list-drop", &place);
        let mut words = line.split(' ');
        let program = words.next().expect("a program");
        let mut command = match program {
            "/usr/bin/gatepost" => gatepost(),
            program => Command::new(program),
        };
        command.args(words);
        if program == "/usr/bin/gatepost" {
            let config = proxy.setup.folder().join("gatepost.toml");
            command.arg("--config").arg(config);
        }
        let ran = program::with_input(&mut command, b"");
        if !ran.success {
            return ran;
        }
        last = Some(ran);
    }
    last.expect("the unit runs something")
}

fn is_listed(proxy: &Proxy, address: &str) -> bool {
    let ran = proxy.setup.command(&["explain", address]);
    ran.text.contains("banned") && ran.text.contains("list")
}

#[test]
fn a_list_that_is_fetched_is_in_force_and_one_that_is_not_leaves_the_old_one_and_says_why() {
    let drop = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lists/drop.json");
    let good = fs::read_to_string(drop).expect("the fixture");
    let damaged = good.replacen("203.0.113", "203.0.x", 1);
    let published = Nginx::publishing(&[
        ("good.json", &good),
        ("empty.json", ""),
        ("damaged.json", &damaged),
        ("error.html", "<html><body>Try again later</body></html>\n"),
        ("other.txt", "198.51.100.9\n"),
    ]);
    let url = |name: &str| format!("http://127.0.0.1:{}/{name}", published.port);
    let proxy = Setup::new("127.0.0.1:9").start();
    let ran = run_unit(&proxy, &url("good.json"));
    assert!(
        ran.success && ran.text.contains("3 networks"),
        "{}",
        ran.text
    );
    assert!(is_listed(&proxy, "203.0.113.77"));

    let nowhere = format!("http://127.0.0.1:{}/good.json", ports::free());
    for (url, why) in [
        (url("missing.json"), "404"),
        (url("empty.json"), ""),
        (url("damaged.json"), "what drop had before stays"),
        (url("error.html"), "what drop had before stays"),
        (nowhere, "connect"),
    ] {
        let ran = run_unit(&proxy, &url);
        assert!(!ran.success, "{url}: {}", ran.text);
        assert!(
            !ran.text.is_empty() && ran.text.contains(why),
            "{url}: {}",
            ran.text
        );
        assert!(is_listed(&proxy, "203.0.113.77"), "{url}");
    }
    let ran = run_unit(&proxy, &url("other.txt"));
    assert!(ran.success, "{}", ran.text);
    assert!(is_listed(&proxy, "198.51.100.9") && !is_listed(&proxy, "203.0.113.77"));
}

#[test]
fn the_unit_gets_a_new_folder_and_a_bound_on_what_it_fetches() {
    let has = |text: &str| UNIT.lines().any(|line| line == text);
    assert!(has("RuntimeDirectory=gatepost-list-%i") && has("Type=oneshot"));
    let fetch = UNIT
        .lines()
        .find(|line| line.contains("curl"))
        .expect("curl");
    for option in ["--fail", "--max-time", "--max-filesize", "--show-error"] {
        assert!(fetch.contains(option), "{option}");
    }
}

#[test]
fn every_unit_that_uses_the_operators_socket_runs_as_the_user_whose_it_is() {
    // Root without capabilities may not use a socket of mode 0600 that is another's.
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let service = fs::read_to_string(config.join("gatepost.service")).expect("the unit");
    let value = |unit: &str, key: &str| {
        let mut lines = unit.lines();
        lines.find_map(|line| line.strip_prefix(key).map(str::to_owned))
    };
    let user = value(&service, "User=");
    assert!(user.is_some());
    let others = ["gatepost-learn.service", "lists/gatepost-list@.service"];
    for unit in others.map(|name| fs::read_to_string(config.join(name)).expect("the unit")) {
        assert!(unit.contains("/usr/bin/gatepost "));
        assert_eq!(value(&unit, "User="), user, "{unit}");
        assert_eq!(value(&unit, "Group="), value(&service, "Group="), "{unit}");
    }
}
