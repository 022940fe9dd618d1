//! top - `gatepost top` on a real terminal, in front of a running Gatepost
//!
//! Not here: what it shows and what its keys mean (`cli::top`).

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::Command;
use std::thread;

use crate::kit::client::auth_plain;
use crate::kit::impostor::{Conduct, Impostor};
use crate::kit::mail::User;
use crate::kit::program::{self, Ran};
use crate::kit::proxy::{Proxy, Setup, gatepost};
use crate::kit::wait;

const TERMINAL: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/integration/kit/terminal.py"
);

const GUESSER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 5));

fn top(config: &Path, steps: &[&str]) -> Ran {
    let mut command = Command::new("python3");
    command.args([TERMINAL, "120", "30"]).args(steps).arg("--");
    command.arg(gatepost().get_program()).arg("top");
    command.arg("--config").arg(config);
    program::with_input(&mut command, b"")
}

fn guessed_at() -> (Impostor, Proxy) {
    let impostor = Impostor::start(Conduct::Rejecting);
    let setup = Setup::new(&impostor.address().to_string()).with("upstream.announce", "none");
    let proxy = setup.start();
    for password in ["one", "two", "three"] {
        let mut client = proxy.client(GUESSER);
        client.greet();
        client.expect(&auth_plain(User("anna", password)), 535);
    }
    (impostor, proxy)
}

#[test]
fn a_guesser_is_seen_explained_and_banned_by_key() {
    let (_impostor, proxy) = guessed_at();
    let ran = top(
        &proxy.setup.folder().join("gatepost.toml"),
        &[
            "see:All is well",
            "see:reject 3",
            "see:anna",
            "see:127.0.0.5",
            "type:e",
            "see:127.0.0.5 in 127.0.0.0/24",
            "type:q",
            "type:b",
            "see:Ban 127.0.0.5 for a day",
            "type:n",
            "see:nothing was done",
            "type:b",
            "see:Ban 127.0.0.5 for a day",
            "type:y",
            "see:127.0.0.5 is banned until",
            "see:bans 1",
            "type:q",
        ],
    );
    assert_eq!(ran.code, Some(0), "{}", ran.text);
    let bans = proxy.setup.command(&["bans", "list"]);
    assert!(
        bans.text.contains("127.0.0.5") && bans.text.contains("operator"),
        "{}",
        bans.text
    );
}

#[test]
fn a_gatepost_that_goes_away_is_told_and_one_that_comes_back_is_shown() {
    let (_impostor, mut proxy) = guessed_at();
    let marks = ["watched", "lost"].map(|name| proxy.setup.folder().join(name));
    let (watched, lost) = (marks[0].clone(), marks[1].clone());
    thread::scope(|scope| {
        let watching = scope.spawn({
            let [watched, lost] = marks.map(|mark| format!("mark:{}", mark.display()));
            let config = proxy.setup.folder().join("gatepost.toml");
            move || {
                let steps = [
                    "see:reject 3",
                    &watched,
                    "see:NO ANSWER",
                    &lost,
                    "see:reject 0",
                    "type:q",
                ];
                top(&config, &steps)
            }
        });
        wait::until("top shows the state", || watched.exists());
        proxy.terminate();
        proxy.ends_well();
        wait::until("top is without an answer", || lost.exists());
        let _again = proxy.setup.start();
        let ran = watching.join().unwrap();
        assert_eq!(ran.code, Some(0), "{}", ran.text);
        assert!(ran.text.contains("All is well"), "{}", ran.text);
    });
}

#[test]
fn without_a_terminal_or_a_gatepost_it_says_so() {
    let setup = Setup::new("127.0.0.1:1");
    let ran = setup.command(&["top"]);
    assert_eq!(ran.code, Some(2), "{}", ran.text);
    assert!(ran.text.contains("needs a terminal"), "{}", ran.text);
    let ran = top(&setup.write_config(), &[]);
    assert_eq!(ran.code, Some(2), "{}", ran.text);
    assert!(ran.text.contains("admin.sock"), "{}", ran.text);
}
