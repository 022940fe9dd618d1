//! tests - no excerpt shows a secret, whatever is wrong with the file around it

use std::path::Path;

use proptest::prelude::*;

use super::is_secret;
use crate::config::Config;
use crate::config::read::is_malformed;

/// Everything that is said of a file, in every form.
fn said(text: &str) -> String {
    let (faults, warnings) = match Config::parse(Path::new("f"), text) {
        Ok((_, warnings)) => (Vec::new(), warnings),
        Err(faults) => (faults.faults().to_vec(), faults.warnings().to_vec()),
    };
    let forms = |one: &crate::config::Finding| format!("{one}\n{one:?}\n{}\n", one.summary());
    faults.iter().chain(&warnings).map(forms).collect()
}

#[track_caller]
fn hides(text: &str) -> String {
    let said = said(text);
    assert!(said.contains("f:"), "nothing is said of {text}");
    for part in ["S3CRET", "PW9X"] {
        assert!(!said.contains(part), "{text}\n{said}");
    }
    said
}

#[test]
fn a_value_that_is_a_secret_is_hidden_however_its_key_is_written() {
    for line in [
        "[auth-policy]\nlisten = '127.0.0.1:4001'\nsecret = \"Very S3CRET\"",
        "[auth-policy]\nlisten = '127.0.0.1:4001'\nnonce = 'Very S3CRET' # was PW9X",
        "auth-policy = { listen = '127.0.0.1:4001', secret = \"Very S3CRET\", nonce = 'S3CRET PW9X' }",
        "auth-policy.listen = '127.0.0.1:4001'\nauth-policy.\"secret\" = \"Very S3CRET\"",
        "auth-policy.listen = '127.0.0.1:4001'\nauth-policy.\"s\\u0065cret\" = \"Very S3CRET\"",
        "[auth-policy]\nlisten = '127.0.0.1:4001'\nsecret = \"\"\"\nS3CRET\nPW9X\"\"\"",
        "[auth-policy]\nsercet = \"S3CRETPW9X\"",
        "[crowdsec]\npassword = \"S3CRETPW9X\"",
        "[crowdsec]\nlogin = \"S3CRETPW9X\"",
        "[crowdsec]\nlogin.x = \"S3CRETPW9X\"",
        "[crowdsec]\n'login' = {x = \"S3CRETPW9X\"}",
        "crowdsec = { login = \"S3CRETPW9X\", x = [\"PW9X\"] }",
        "auth-policy.secret = [\"S3CRETPW9X\"]",
        "auth-policy.listen = '127.0.0.1:4001'\nauth-policy.secret.x = \"S3CRETPW9X\"",
        "[notices]\nwebhook = \"https://hooks.example.org/S3CRET PW9X\"",
        "[notices]\nwebhook = \"ftp://hooks.example.org/S3CRETPW9X\"",
        "[notices]\ncommand = [\"tell\", \"S3CRETPW9X\"]",
    ] {
        hides(line);
    }
    let said = hides("auth-policy.secret = 7333337\nauth-policy.nonce = 0x6fe5d9");
    assert!(!said.contains("7333337"), "{said}");
}

#[test]
fn the_user_and_the_password_of_a_url_are_hidden_in_every_line() {
    for line in [
        "[cluster]\nmachines = ['a', 'b']\nstore = \"redis://:S3CRETPW@h\"",
        "[cluster]\nmachines = ['a', 'b']\nstore = \"redis://:S3CRET/PW9X@h\"",
        "[cluster]\nmachines = ['a', 'b']\nstore = \"redis://:S3CRETPW9X\"",
        "[cluster]\nmachines = ['a', 'b']\nstore = \"u:S3CRETPW9X@h\"",
        "[cluster]\nmachines = ['a', 'b']\nstore = \"redis://S3CRETPW9X@h\"",
        "[crowdsec]\nurl = \"http://u:S3CRETPW@h\"",
        "[crowdsec]\nurl = \"http://h?key=S3CRETPW9X\"",
        "[crowdsec]\nurl = \"http://u:S3CRETPW9X]h:8080\"",
        "[crowdsec]\nurl = \"http://[::1]S3CRETPW9X:8080\"",
        "users = 7 # http://u:S3CRETPW@h",
        "[http]\nlisten = \"http://u:S3CRETPW@h\"",
        "upstream.addresses = [\"smtp://S3CRET:PW9X@h\", 'u:PW9X@h']",
    ] {
        hides(line);
    }
}

#[test]
fn a_file_that_is_no_toml_shows_no_secret() {
    for text in [
        "secret = \"S3CRET\nPW9X\"\n",
        "secret = 'S3CRETPW9X\n",
        "secret = S3CRETPW9X, PW9X\n",
        "secret = \"S3CRET\"PW9X\"\n",
        "secret = \"S3CRET\\\" PW9X\n",
        "secret = \"\"\"S3CRET\nPW9X\n",
        "secret = [ 'S3CRET',\nPW9X\n",
        "secret S3CRETPW9X\n",
        "secret: \"S3CRETPW9X\"\n",
        "secret =\n\"S3CRETPW9X\"\n",
        "\"secret\" == \"S3CRETPW9X\"\n",
        "auth-policy.'secret'.x = S3CRETPW9X\n",
        "auth-policy = { secret = \"S3CRETPW9X\" listen = 7\n",
        "auth-policy = { secret = S3CRETPW9X, nonce = PW9X }\n",
        "hostname = \"\"\"a\nsecret = \"S3CRETPW9X\"\n",
        "hostname = 'a\nwebhok = https://h/S3CRETPW9X\n",
        "store = redis://:S3CRET PW9X@h\n",
        "store = \"redis://:S3CRET\"PW9X@h\"\n",
        "webhook = \"https://h/S3CRETPW9X\nx = \"\n",
    ] {
        hides(text);
    }
}

#[test]
fn the_caret_stands_under_what_is_meant_and_the_column_is_the_files() {
    let said = said("auth-policy = { secret = \"Very S3CRET\", busrt = '7', listen = '1' }");
    let line = "1 | auth-policy = { secret = \"…\", busrt = '…', listen = '1' }";
    assert!(said.contains(line), "{said}");
    let caret = format!("\n  | {}^^^^^", " ".repeat(30));
    assert!(said.contains(&caret), "{said}");
    assert!(said.contains("--> f:1:41\n"), "{said}");
}

#[test]
fn a_list_of_users_that_is_a_password_file_shows_names_only() {
    let folder = tempfile::tempdir().unwrap();
    let (path, users) = (folder.path().join("f.toml"), folder.path().join("users"));
    std::fs::write(&users, "ann:{PLAIN}S3CRET\nbob PW9X\n").unwrap();
    std::fs::write(&path, "users = 'users'").unwrap();
    let said = Config::rules(&path).unwrap_err().to_string();
    assert!(said.contains("ann:…") && said.contains("bob …"), "{said}");
    assert!(!said.contains("S3CRET") && !said.contains("PW9X"), "{said}");
}

#[test]
fn of_the_keys_that_there_are_only_those_with_secrets_are_hidden() {
    let manual = include_str!("../../../../config/gatepost.toml");
    let keys = |line: &str| {
        Some(
            line.split_once(" = ")?
                .0
                .trim_start_matches(['#', ' '])
                .to_owned(),
        )
    };
    let mut hidden: Vec<String> = manual.lines().filter_map(keys).collect();
    hidden.retain(|key| is_secret(key));
    assert_eq!(hidden, ["secret", "nonce", "command", "webhook"]);
}

/// A config with a secret in every place that may have one.
const WHOLE: &str = r#"hostname = "mx.example.org"
dry-run = true
[[tls.certificate]]
chain = "chain.pem"
key = "key.pem"
[upstream]
addresses = ["127.0.0.1:10465"]
[auth-policy]
listen = "127.0.0.1:4001"
secret = "Q7S3CRETQ7-of-thirty-two-letters"
nonce = 'Q7S3CRETQ7ofLetters'
[cluster]
machines = ["mx.example.org", "mx2.example.org"]
store = "redis://:Q7S3CRETQ7@10.0.0.1:6379"
[crowdsec]
url = "http://gate:Q7S3CRETQ7@127.0.0.1:8080"
[notices]
webhook = "https://hooks.example.org/Q7S3CRETQ7"
command = [
    "/usr/bin/tell",
    "Q7S3CRETQ7"]
[timeouts]
login = "2m"
"#;

/// Every place of one sign that is no secret's, and of no sign before any: where it is, and how long.
fn places() -> Vec<(usize, usize)> {
    let secrets = || WHOLE.match_indices("Q7S3CRETQ7").map(|(at, _)| at);
    let replaced = (0..WHOLE.len()).filter(|at| !secrets().any(|one| (one..one + 10).contains(at)));
    let inserted =
        (0..WHOLE.len()).filter(|at| !secrets().any(|one| (one + 1..one + 10).contains(at)));
    replaced
        .map(|at| (at, 1))
        .chain(inserted.map(|at| (at, 0)))
        .collect()
}

#[test]
fn a_stray_sign_in_a_key_shows_no_secret() {
    for line in [
        "[auth-policy]\nnon\"ce = \"S3CRETPW9X\"",
        "[auth-policy]\nsec[ret = \"S3CRETPW9X\"",
        "[auth-policy]\nsec ret = \"S3CRETPW9X\"",
        "[notices]\nweb\u{feff}hook = \"https://h/S3CRETPW9X\"",
        "[notices\nweb\u{feff}hook \"https://h/S3CRETPW9X\"",
        "dry-run = truexcommand = [\"S3CRETPW9X\"]",
        "store = \"redis://:\nS3CRETPW9X@h\"",
        "pass-phrase = \"S3CRETPW9X\"\npass-phrase = \"S3CRETPW9X\"",
    ] {
        hides(line);
    }
    assert!(!is_malformed(WHOLE));
    let said = hides("[auth-policy]\nnon\"ce = \"S3CRETPW9X\"");
    assert!(said.contains("2 | non\"ce = …"), "{said}");
    let said = hides("[upstream\naddresses = ['S3CRET'");
    assert!(said.contains("1 | [upstream\n"), "{said}");
    assert!(said.contains("2 | addresses = …\n"), "{said}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Lines of a config, some torn, with the secret at any key that holds one.
    #[test]
    fn no_config_with_a_secret_shows_it(
        before in prop::collection::vec("[ -~]{0,20}", 0..3),
        key in "(secret|nonce|webhook|\"secret\"|auth-policy\\.nonce|notices . webhook|a = \\{ secret)",
        sign in " ?= ?",
        open in "(\"|'|\"\"\"|'''|)",
        inside in "[ -~]{0,6}",
        close in "(\"|'|\"\"\"|'''|)",
        behind in "[ -~]{0,12}",
        after in prop::collection::vec("[ -~]{0,20}", 0..3),
    ) {
        let mut lines = before;
        lines.push(format!("{key}{sign}{open}Q7S3CRETQ7{inside}{close}{behind}"));
        lines.extend(after);
        let said = said(&lines.join("\n"));
        prop_assert!(!said.contains("S3CRET"), "{}\n{said}", lines.join("\n"));
    }

    /// A sign too many, too few or another one, anywhere but in a secret.
    #[test]
    fn no_damaged_config_shows_a_secret(
        (at, width) in prop::sample::select(places()),
        sign in "|[\"'\\[\\]{}=:.#,@/\\\\ \n\u{feff}-]|\\PC",
    ) {
        let text = format!("{}{sign}{}", &WHOLE[..at], &WHOLE[at + width..]);
        let said = said(&text);
        prop_assert!(!said.contains("S3CRET"), "{text}\n{said}");
    }
}
