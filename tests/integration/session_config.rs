//! session_config - an operator's config with a mistake in it
//!
//! `check` points at the mistake, and `run` starts with nothing that `check` refuses.
//! Not here: every key and every value (beside `config`).

use std::net::TcpListener;

use toml::toml;

use crate::kit::authority::Authority;
use crate::kit::proxy::Setup;

const UPSTREAM: &str = "127.0.0.1:10465";

/// Both commands refuse, with exit code 2, and print all of `parts`.
#[track_caller]
fn refused(setup: &Setup, parts: &[&str]) {
    for command in ["check", "run"] {
        let ran = setup.command(&[command]);
        assert_eq!(ran.code, Some(2), "{command}: {}", ran.text);
        for part in parts {
            assert!(
                ran.text.contains(part),
                "{command} does not say {part}: {}",
                ran.text
            );
        }
    }
}

#[test]
fn a_good_config_passes() {
    let ran = Setup::new(UPSTREAM).command(&["check"]);
    assert_eq!(ran.code, Some(0), "{}", ran.text);
}

#[test]
fn an_unknown_key_is_pointed_at() {
    let setup = Setup::new(UPSTREAM).with("limits.client.brust", 7);
    refused(&setup, &["brust", "gatepost.toml", "^", "burst"]);
}

#[test]
fn a_wrong_type_is_pointed_at() {
    let setup = Setup::new(UPSTREAM).with("limits.client.burst", "many");
    refused(&setup, &["many", "gatepost.toml", "^"]);
}

#[test]
fn a_value_out_of_range_is_pointed_at() {
    let setup = Setup::new(UPSTREAM).with("limits.client.every", "0s");
    refused(&setup, &["0s", "gatepost.toml", "^"]);
}

#[test]
fn a_key_that_does_not_fit_its_certificate_is_named() {
    let setup = Setup::new(UPSTREAM);
    setup.write("key.pem", &Authority::new().sign(&["mail.example.org"]).key);
    refused(&setup, &["key.pem", "^"]);
}

#[test]
fn a_certificate_that_has_expired_is_named_and_served() {
    let setup = Setup::new(UPSTREAM);
    let expired = setup.authority().sign_expired(&["mail.example.org"]);
    setup.write("chain.pem", &expired.chain);
    setup.write("key.pem", &expired.key);
    let ran = setup.command(&["check"]);
    assert_eq!(ran.code, Some(0), "{}", ran.text);
    for part in ["chain.pem", "expired", "^"] {
        assert!(ran.text.contains(part), "{part} is missing: {}", ran.text);
    }
}

#[test]
fn a_missing_certificate_is_named() {
    let setup = Setup::new(UPSTREAM).with("tls.certificate", toml::Value::Array(Vec::new()));
    refused(&setup, &["certificate"]);
}

#[test]
fn two_listeners_on_one_address_are_refused() {
    let mut setup = Setup::new(UPSTREAM);
    for _ in 0..2 {
        setup.listen(toml! {
            address = "127.0.0.1:4651"
            tls = "implicit"
        });
    }
    refused(&setup, &["127.0.0.1:4651", "^"]);
}

#[test]
fn a_port_that_is_taken_stops_the_start_and_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut setup = Setup::new(UPSTREAM);
    setup.listen(toml! {
        address = (address.clone())
        tls = "implicit"
    });
    let ran = setup.command(&["run"]);
    assert_eq!(ran.code, Some(2), "{}", ran.text);
    assert!(ran.text.contains(&address), "{}", ran.text);
}
