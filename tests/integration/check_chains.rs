//! check_chains - `gatepost check` says of a certificate chain what mail programs will say
//!
//! Not here: each problem alone (`net::tls::chain`), files that cannot be used (`config::files`).

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::kit::program;
use crate::kit::proxy::{NAME, Setup, gatepost};

/// What `check` warns of in a chain, where the roots of this machine are those in `roots`.
fn warnings(setup: &Setup, roots: &Path) -> Vec<String> {
    let mut command = gatepost();
    command.env("SSL_CERT_FILE", roots);
    command
        .args(["check", "--json", "--config"])
        .arg(setup.write_config());
    let ran = program::with_input(&mut command, b"");
    assert_eq!(ran.code, Some(0), "{}", ran.text);
    let checked: Value = serde_json::from_str(&ran.text).expect("an object");
    let told = checked["warnings"].as_array().expect("a list");
    told.iter()
        .map(|one| format!("{} / {}", one["message"], one["help"]))
        .filter(|told| told.contains("chain.pem"))
        .collect()
}

#[test]
fn a_chain_that_this_machine_trusts_has_no_warning_and_another_one_has_its_cure() {
    let setup = Setup::new("127.0.0.1:9");
    let root = setup.authority().write_root(setup.folder());
    // rcgen's certificates are valid for very long.
    let told = warnings(&setup, &root);
    assert!(
        told.iter().all(|told| told.contains("is valid for")),
        "{told:?}"
    );
    let told = warnings(&setup, Path::new("/nonexistent"));
    assert!(
        told.iter()
            .any(|told| told.contains("only the server's own certificate")),
        "{told:?}"
    );
    assert!(
        told.iter().any(|told| told.contains("fullchain.pem")),
        "{told:?}"
    );
}

#[test]
fn a_certificate_for_another_name_than_hostname_is_told() {
    let mut setup = Setup::new("127.0.0.1:9");
    setup.set("hostname", "smtp.example.org");
    let root = setup.authority().write_root(setup.folder());
    let told = warnings(&setup, &root);
    let other = told
        .iter()
        .find(|told| told.contains("not for hostname, smtp.example.org"));
    assert!(other.is_some_and(|told| told.contains(NAME)), "{told:?}");
}

/// Runs openssl in the folder of `setup`.
fn openssl(setup: &Setup, arguments: &str) {
    let mut command = Command::new("env");
    command.arg("-C").arg(setup.folder()).arg("openssl");
    command.args(arguments.split_whitespace());
    program::run(&mut command);
}

#[test]
fn a_sha_1_signature_and_a_short_rsa_key_of_the_real_openssl_are_told() {
    let setup = Setup::new("127.0.0.1:9");
    let names = "-subj /CN=mail.example.org -addext subjectAltName=DNS:mail.example.org";
    let sign = |what: &str, by: &str| {
        let signed = format!("-CA {by}.pem -CAkey {by}.key -CAcreateserial -copy_extensions copy");
        openssl(&setup, &format!("x509 -req -days 90 {what} {signed}"));
    };
    let request = "req -nodes -newkey";
    openssl(
        &setup,
        &format!("{request} rsa:2048 -x509 -subj /CN=root -keyout root.key -out root.pem"),
    );
    openssl(
        &setup,
        &format!("{request} rsa:2048 {names} -keyout key.pem -out leaf.csr"),
    );
    let ca = "-addext basicConstraints=critical,CA:TRUE";
    openssl(
        &setup,
        &format!("{request} rsa:1024 -subj /CN=middle {ca} -keyout middle.key -out middle.csr"),
    );
    let root = setup.folder().join("root.pem");
    let is_told = |what: &str| {
        let told = warnings(&setup, &root);
        assert!(told.iter().any(|told| told.contains(what)), "{told:?}");
    };

    sign("-sha1 -in leaf.csr -out chain.pem", "root");
    is_told("position 1 a signature with SHA-1");

    sign("-in middle.csr -out middle.pem", "root");
    sign("-in leaf.csr -out leaf.pem", "middle");
    let file = |name: &str| fs::read_to_string(setup.folder().join(name)).unwrap();
    setup.write(
        "chain.pem",
        &[file("leaf.pem"), file("middle.pem")].concat(),
    );
    is_told("position 2 an RSA key of 1024 bits");
}

#[test]
fn a_certificate_for_tests_is_told_of_in_one_line() {
    let setup = Setup::new("127.0.0.1:9");
    openssl(
        &setup,
        "req -nodes -newkey rsa:2048 -x509 -subj /CN=localhost -keyout key.pem -out chain.pem",
    );
    let told = warnings(&setup, Path::new("/nonexistent"));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("is signed by itself"), "{told:?}");
}
