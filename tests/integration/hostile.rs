//! hostile - what somebody who means ill may try from the network, against the running program
//!
//! Not here: guessing (`postfix::guesses`), a broken Postfix (`robust`).

use std::io::Write;
use std::net::TcpStream;

use crate::kit::client::{auth_plain, loopback};
use crate::kit::impostor::{Conduct, Fault, Impostor};
use crate::kit::mail::ANNA;
use crate::kit::program;
use crate::kit::proxy::{Setup, gatepost};
use crate::kit::wait;

#[test]
fn an_attempt_that_nobody_answers_does_not_keep_a_stop_from_saving() {
    let impostor = Impostor::start(Conduct::Honest);
    let mut proxy = Setup::new(&impostor.address().to_string())
        .with("upstream.announce", "none")
        .with("timeouts.drain", "1s")
        .start();
    let mut client = proxy.client(loopback(1, 1));
    client.greet();
    impostor.conduct(Conduct::AtAuth(Fault::Silence));
    client.send(format!("{}\r\n", auth_plain(ANNA)).as_bytes());
    wait::until("the attempt is under way", || {
        let status = proxy.setup.command(&["status", "--json"]);
        status.text.contains("\"attempts\": 1")
    });
    proxy.terminate();
    proxy.ends_well();
    proxy.log().find("who was cut off", |event| {
        event.message().contains("cut off")
    });
    for file in ["known", "debts"] {
        assert!(proxy.setup.folder().join("state").join(file).exists());
    }
}

#[test]
fn a_reload_that_waits_for_a_silent_postfix_does_not_hold_up_a_stop() {
    let honest = Impostor::start(Conduct::Honest);
    let silent = Impostor::start(Conduct::AtConnect(Fault::Silence));
    let mut proxy = Setup::new(&honest.address().to_string())
        .with("upstream.announce", "none")
        .start();
    let addresses: Vec<toml::Value> = vec![silent.address().to_string().into()];
    proxy.setup.set("upstream.addresses", addresses);
    proxy.setup.set("limits.words.burst", 7);
    proxy.reload();
    // Not by `Setup::command`, which would write the config anew while it is being read.
    let mut status = gatepost();
    status.args(["status", "--json", "--config"]);
    status.arg(proxy.setup.folder().join("gatepost.toml"));
    wait::until("the reload has come to Postfix", || {
        let said = program::with_input(&mut status, b"").text;
        said.contains("\"burst\": 7,")
    });
    proxy.terminate();
    proxy.ends_well();
}

#[test]
fn a_client_hello_without_end_is_cut_off() {
    let impostor = Impostor::start(Conduct::Honest);
    let proxy = Setup::new(&impostor.address().to_string())
        .with("upstream.announce", "none")
        .start();
    let mut stream = TcpStream::connect(proxy.implicit()).unwrap();
    // The beginning of 64 KiB, in one record of 16 KiB after the other.
    let mut record = vec![22, 3, 1, 0x40, 0];
    record.resize(5 + 0x4000, 0);
    record[5..11].copy_from_slice(&[1, 0, 0xff, 0xff, 3, 3]);
    stream.write_all(&record).unwrap();
    proxy.log().find("the end of the session", |event| {
        event.field("ending") == "handshake" && event.field("fault").contains("longer than")
    });
}

#[test]
fn a_name_that_is_taken_in_the_state_directory_costs_no_record() {
    let impostor = Impostor::start(Conduct::Honest);
    let mut proxy = Setup::new(&impostor.address().to_string())
        .with("upstream.announce", "none")
        .start();
    // Where the next journal would be.
    std::fs::create_dir(proxy.setup.folder().join("state/changes.1")).unwrap();
    for address in ["198.51.100.1", "198.51.100.2"] {
        let ran = proxy.setup.command(&["bans", "add", address]);
        assert_eq!(ran.code, Some(0), "{}", ran.text);
    }
    proxy.kill_and_start();
    let bans = proxy.setup.command(&["bans"]).text;
    for address in ["198.51.100.1", "198.51.100.2"] {
        assert!(bans.contains(address), "{bans}");
    }
}
