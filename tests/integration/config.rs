//! config - the config file: the manual, good files, and what is said of bad ones
//!
//! `tests/config/valid` holds files that are taken, `tests/config/invalid` files that are refused,
//! each with all that is said of it in a `.txt` beside it. After a change of the wording, run the
//! tests with GATEPOST_WRITE_EXPECTED=1 and read the difference.

mod files;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gatepost_core::gate;
use gatepost_core::gate::buckets::spec::Bucket;
use gatepost_core::gate::request::names::{Domain, NameSettings};
use gatepost_core::smtp::sasl::Mechanism;
use gatepost_daemon::config::{Config, ConfigFaults, Finding};
use gatepost_daemon::net::http::HttpAddress;
use gatepost_daemon::net::upstream::{Announce, UpstreamAddress};
use gatepost_daemon::web::PageActions;

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(project().join(folder)).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "toml")
    });
    files.sort();
    assert!(!files.is_empty(), "{folder} is empty");
    files
}

fn parse(path: &Path) -> Result<(Config, Vec<Finding>), ConfigFaults> {
    let name = path.file_name().unwrap();
    Config::parse(Path::new(name), &fs::read_to_string(path).unwrap())
}

#[track_caller]
fn valid(name: &str) -> Config {
    let path = project().join("tests/config/valid").join(name);
    parse(&path).unwrap_or_else(|faults| panic!("{faults}")).0
}

#[test]
fn every_valid_file_is_accepted() {
    for path in files("tests/config/valid") {
        if let Err(faults) = parse(&path) {
            panic!("{}:\n{faults}", path.display());
        }
    }
}

/// Warnings and hints, where a `.txt` says what is expected of them.
#[test]
fn the_warnings_of_a_valid_file_are_the_expected_ones() {
    let path = project().join("tests/config/valid/warned");
    let (_, warnings) = parse(&path.with_extension("toml")).unwrap();
    let said: Vec<String> = warnings
        .iter()
        .map(|warning| format!("{warning}\n"))
        .collect();
    expect(&path.with_extension("txt"), &said.join("\n"));
}

#[test]
fn every_invalid_file_is_refused_with_the_expected_text() {
    for path in files("tests/config/invalid") {
        let Err(faults) = parse(&path) else {
            panic!("{} is taken", path.display());
        };
        expect(&path.with_extension("txt"), &format!("{faults}\n"));
    }
}

/// What stood there may be what could not be read.
#[test]
fn nothing_is_reported_missing_in_a_partly_read_file() {
    for name in ["torn", "unknown-keys", "twice"] {
        let path = project().join("tests/config/invalid").join(name);
        let faults = parse(&path.with_extension("toml")).unwrap_err();
        let all = faults.faults().iter().chain(faults.warnings());
        for finding in all {
            assert!(finding.position().is_some(), "{}", finding.summary());
        }
    }
}

#[track_caller]
fn expect(path: &Path, said: &str) {
    if std::env::var_os("GATEPOST_WRITE_EXPECTED").is_some() {
        fs::write(path, said).unwrap();
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    assert_eq!(said, expected, "{}:\n{said}", path.display());
}

#[test]
fn the_manual_gives_the_defaults() {
    let manual = project().join("config/gatepost.toml");
    let (manual, _) = parse(&manual).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(manual, valid("minimal.toml"));
    assert_eq!(
        manual.gate,
        gate::request::settings::GateSettings::default()
    );
}

/// The keys that may stand in a table are learnt from what is said of an unknown one.
#[test]
fn the_manual_holds_every_key() {
    let text = fs::read_to_string(project().join("config/gatepost.toml")).unwrap();
    let mut manual: toml::Table = text.parse().unwrap();
    manual.extend(example_of_user(&text));
    let mut checked = 0;
    holds_every_key(&manual, &mut Vec::new(), &manual, &mut checked);
    assert!(checked > 70, "{checked}");
}

/// What is no default, and stands in a comment: the first `[[user]]`.
fn example_of_user(text: &str) -> toml::Table {
    let lines = text.lines().skip_while(|line| *line != "#   [[user]]");
    let lines = lines.map_while(|line| line.strip_prefix("#   "));
    lines.collect::<Vec<_>>().join("\n").parse().unwrap()
}

fn holds_every_key(
    root: &toml::Table,
    way: &mut Vec<String>,
    table: &toml::Table,
    checked: &mut usize,
) {
    let mut changed = toml::Value::Table(root.clone());
    let mut place = &mut changed;
    for step in way.iter() {
        place = match place.get_mut(step).unwrap() {
            toml::Value::Array(array) => array.first_mut().unwrap(),
            other => other,
        };
    }
    let place = place.as_table_mut().unwrap();
    place.insert("no-key-at-all".to_owned(), true.into());
    let faults = Config::parse(Path::new("f"), &toml::to_string(&changed).unwrap()).unwrap_err();
    let unknown = |fault: &&Finding| fault.message().contains("no-key-at-all");
    let help = faults
        .faults()
        .iter()
        .find(unknown)
        .unwrap()
        .help()
        .unwrap();
    let valid: Vec<&str> = help.split('`').skip(1).step_by(2).collect();
    let given: Vec<&str> = table.keys().map(String::as_str).collect();
    for key in &valid {
        assert!(given.contains(key), "{key} is not in the manual's {way:?}");
    }
    *checked += valid.len();
    for (key, value) in table {
        let inner = match value {
            toml::Value::Table(inner) => inner,
            toml::Value::Array(array) => match array.first().and_then(toml::Value::as_table) {
                Some(inner) => inner,
                None => continue,
            },
            _ => continue,
        };
        way.push(key.clone());
        holds_every_key(root, way, inner, checked);
        way.pop();
    }
}

#[test]
fn the_demo_config_is_valid() {
    let (demo, _) = parse(&project().join("config/demo.toml")).unwrap();
    assert_eq!(demo.listeners[0].address, "127.0.0.1:4650".parse().unwrap());
    assert!(demo.listeners[0].address.ip().is_loopback());
}

#[test]
fn every_value_reaches_its_setting() {
    let bounds = valid("at-the-bounds.toml");
    assert_eq!(bounds.gate.mode, gate::request::settings::Mode::DryRun);
    assert_eq!(bounds.gate.settling, Duration::ZERO);
    assert_eq!(bounds.gate.bans.strikes, 0);
    let limits = &bounds.gate.limits;
    assert_eq!(limits.of(Bucket::Strangers).daily_per_user, Some(0));
    assert_eq!(limits.of(Bucket::Client).base.burst, 10);
    assert!(bounds.gate.traps.users.is_empty());
    assert_eq!(bounds.dialogue.hostname, "mx.example.org");
    assert_eq!(
        bounds.dialogue.mechanisms,
        [
            Mechanism::ScramSha1,
            Mechanism::ScramSha256,
            Mechanism::CramMd5
        ]
    );
    assert_eq!(bounds.upstream.announce, Announce::Nothing);
    assert_eq!(bounds.upstream.hostname, "mx.example.org");
    assert_eq!(bounds.turns.at_once, 1);
    assert_eq!(bounds.admission.sessions, 1);
    assert_eq!(
        bounds.admission.filter,
        gatepost_daemon::net::filter::FilterMode::On
    );
    assert_eq!(bounds.timeouts.login, Duration::from_millis(100));
    assert_eq!(bounds.admin.group.as_deref(), Some("mail"));
    let names = valid("names.toml").gate.names;
    assert_eq!(
        names,
        NameSettings {
            domain: Domain::Strip,
            default_realm: "Example.org".to_owned(),
            translate: vec![(b'%', b'@'), (b'#', b'-')],
            master_separator: Some(b'*'),
            subaddress: Some(b'+'),
        }
    );
    let families = valid("every-family.toml");
    assert_eq!(families.listeners.len(), 3);
    assert_eq!(
        families.listeners[2].proxy_from[2],
        "198.51.100.0/24".parse().unwrap()
    );
    let unix = PathBuf::from("/var/spool/postfix/gatepost");
    assert_eq!(families.upstream.addresses[0], UpstreamAddress::Unix(unix));
    assert_eq!(families.tls.certificates[1].key, Path::new("b/key.pem"));
}

#[test]
fn metrics_have_their_address_and_names() {
    let web = valid("every-family.toml").web.unwrap();
    let socket = HttpAddress::Unix {
        path: PathBuf::from("/run/gatepost/http.sock"),
        group: Some("mail".to_owned()),
    };
    assert_eq!(web.address, socket);
    assert_eq!(web.hosts, ["status.example.org"]);
    assert_eq!(web.actions, PageActions::Allowed);
    assert_eq!(
        valid("lists.toml").web.unwrap().actions,
        PageActions::Forbidden
    );
    let loopback = HttpAddress::Tcp("[::1]:9465".parse().unwrap());
    assert_eq!(valid("lists.toml").web.unwrap().address, loopback);
}

#[test]
fn paths_start_at_the_config_files_own_folder() {
    let text = fs::read_to_string(project().join("config/demo.toml")).unwrap();
    let (demo, _) = Config::parse(Path::new("/etc/gatepost/demo.toml"), &text).unwrap();
    let chain = Path::new("/etc/gatepost/demo/chain.pem");
    assert_eq!(demo.tls.certificates[0].chain, chain);
    assert_eq!(demo.store.directory, Path::new("/etc/gatepost/demo/state"));
    assert_eq!(
        demo.admin.socket,
        Path::new("/etc/gatepost/demo/admin.sock")
    );
}

#[test]
fn a_reload_names_the_keys_that_it_cannot_change() {
    let old = valid("minimal.toml");
    assert_eq!(old.fixed_changes(&old), [""; 0]);
    let mut new = old.clone();
    new.drain = Duration::from_secs(1);
    new.listeners[0].proxy_from = vec!["192.0.2.1/32".parse().unwrap()];
    assert_eq!(old.fixed_changes(&new), [""; 0]);
    new.listeners[0].address = "[::]:4650".parse().unwrap();
    new.gate.capacity.pairs += 1;
    new.gate.capacity.clients += 1;
    new.gate.names = NameSettings {
        domain: Domain::Strip,
        default_realm: "example.org".to_owned(),
        translate: vec![(b'%', b'@')],
        master_separator: Some(b'*'),
        subaddress: Some(b'+'),
    };
    new.store.directory = PathBuf::from("/elsewhere");
    new.admin.socket = PathBuf::from("/elsewhere.sock");
    new.admin.group = Some("mail".to_owned());
    new.web = valid("every-family.toml").web;
    assert_eq!(
        old.fixed_changes(&new),
        [
            "listen.address",
            "names.domain",
            "names.default-realm",
            "names.translate",
            "names.master-separator",
            "names.subaddress",
            "capacity.clients",
            "capacity.pairs",
            "state.directory",
            "admin.socket",
            "admin.group",
            "http",
        ]
    );
}

#[test]
fn a_reload_applies_what_it_can_and_keeps_the_rest() {
    let running = valid("every-family.toml");
    let mut new = running.clone();
    new.listeners.reverse();
    new.listeners[0].proxy_from.clear();
    new.listeners[1].address = "[::1]:4650".parse().unwrap();
    new.gate.capacity.pairs += 1;
    new.gate.names.domain = Domain::Strip;
    new.gate.bans.strikes += 1;
    new.admin.group = Some("mail".to_owned());
    new.web = None;
    let followed = new.with_fixed_of(&running);
    assert_eq!(running.fixed_changes(&followed), [""; 0]);
    let mut expected = running.clone();
    expected.listeners[2].proxy_from.clear();
    expected.gate.bans.strikes += 1;
    assert_eq!(followed, expected);
}
