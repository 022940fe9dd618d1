//! demo - `gatepost demo` and `gatepost attack` as the programs that they are
//!
//! Not here: the botnet and the backend against each other (`lab`'s own tests).

use std::process::Command;
use std::thread;

use serde_json::Value;

use crate::kit::program;

fn gatepost(words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatepost"));
    command.args(words.split(' '));
    command
}

fn demo() -> Value {
    let printed = program::run(&mut gatepost("demo --seconds 15 --json"));
    serde_json::from_str(&printed).unwrap()
}

#[track_caller]
fn number(object: &Value, path: &str) -> u64 {
    let value = object.pointer(path);
    value
        .and_then(Value::as_u64)
        .unwrap_or_else(|| panic!("{path} in {object}"))
}

/// Two at once, so that at least one does not get the usual port.
#[test]
fn in_the_demo_people_get_in_and_the_botnet_does_not() {
    let demos = [thread::spawn(demo), thread::spawn(demo)];
    let demos = demos.map(|demo| demo.join().unwrap());
    for told in &demos {
        assert!(number(told, "/honest/mails") >= 5, "{told}");
        assert_eq!(number(told, "/honest/locked_out"), 0, "{told}");
        let logins = number(told, "/honest/tries/accepted");
        assert_eq!(number(told, "/backend/logins"), logins, "{told}");
        assert_eq!(number(told, "/botnet/accepted"), 0, "{told}");
        // The dictionary is words and unknown names: at most the bursts of these two reach it.
        assert!(number(told, "/botnet/tries") >= 100, "{told}");
        assert!(number(told, "/botnet_reached/checks") <= 40, "{told}");
        assert!(number(told, "/bound_per_day") > 1_000, "{told}");
    }
    assert_ne!(demos[0]["gatepost"], demos[1]["gatepost"]);
}

#[test]
fn an_attack_on_another_machine_is_refused() {
    let ran = program::with_input(&mut gatepost("attack 192.0.2.1:465"), b"");
    assert_eq!(ran.code, Some(2), "{}", ran.text);
    assert!(
        ran.text.contains("attacks stay on this machine"),
        "{}",
        ran.text
    );
}

#[test]
fn an_attack_on_an_empty_port_says_so() {
    // Nobody listens on port 1 of this address; a bind for it would need root.
    let ran = program::with_input(&mut gatepost("attack 127.81.1.1:1 --guesses 3 --json"), b"");
    assert_eq!(ran.code, Some(2), "{}", ran.text);
    assert!(
        ran.text.contains("127.81.1.1:1: nobody listens there"),
        "{}",
        ran.text
    );
}
