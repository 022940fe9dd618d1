//! files - the files that a config names: certificates, keys, users
//!
//! Not here: the config file itself (`config`).

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gatepost_core::moment::Moment;
use gatepost_daemon::config::{Config, ConfigFaults, Finding};
use gatepost_daemon::net::tls::CertificateFiles;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tempfile::TempDir;

const DAY: Duration = Duration::from_secs(86_400);
/// 2026-11-24 and the last moment of the certificates, 2030-01-01.
const NOW: Moment = Moment::from_seconds(1_795_478_400);
const LAST: Moment = Moment::from_seconds(1_893_456_000);

/// A folder with a config, and what it names.
struct Folder(TempDir);

impl Folder {
    /// With one good certificate.
    fn new() -> Self {
        let folder = Self(TempDir::new().unwrap());
        folder.certificate("chain.pem", "key.pem");
        folder.config("");
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), Permissions::from_mode(0o600)).unwrap();
    }

    fn certificate(&self, chain: &str, key: &str) {
        let mut params = CertificateParams::new(["mx.example.org".to_owned()]).unwrap();
        params.not_after = date_time_ymd(2030, 1, 1);
        let pair = KeyPair::generate().unwrap();
        self.write(chain, params.self_signed(&pair).unwrap().pem());
        self.write(key, pair.serialize_pem());
    }

    fn config(&self, more: &str) {
        let text = format!(
            "{more}\n\
             hostname = \"mx.example.org\"\n\
             admission.sessions = 1\n\
             networks.allow = [\"192.0.2.1\"]\n\
             upstream.addresses = [\"127.0.0.1:10465\"]\n\
             [[tls.certificate]]\n\
             chain = \"chain.pem\"\n\
             key = \"key.pem\"\n"
        );
        self.write("gatepost.toml", text);
    }

    fn load(&self, now: Moment) -> Result<(Config, Vec<Finding>), ConfigFaults> {
        Config::load(&self.path("gatepost.toml"), now)
    }

    /// Message and what the caret stands under, of the only fault.
    #[track_caller]
    fn only_fault(&self, now: Moment) -> (String, String) {
        let faults = self.load(now).unwrap_err();
        let [fault] = faults.faults() else {
            panic!("{faults}");
        };
        (fault.message().to_owned(), self.under_the_caret(fault))
    }

    #[track_caller]
    fn only_warning(&self, now: Moment) -> (String, String) {
        let (_, warnings) = self.load(now).unwrap_or_else(|faults| panic!("{faults}"));
        let [warning] = warnings.as_slice() else {
            panic!("{warnings:#?}");
        };
        (warning.message().to_owned(), self.under_the_caret(warning))
    }

    /// The rest of the line from the caret on.
    fn under_the_caret(&self, finding: &Finding) -> String {
        let (line, column) = finding.position().unwrap();
        let text = fs::read_to_string(finding.file()).unwrap();
        let line = text.lines().nth(line - 1).unwrap();
        line.chars().skip(column - 1).collect()
    }
}

#[test]
fn a_valid_certificate_is_accepted_without_a_finding() {
    let folder = Folder::new();
    let (config, warnings) = folder.load(NOW).unwrap_or_else(|faults| panic!("{faults}"));
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(config.tls.certificates[0].chain, folder.path("chain.pem"));
}

#[test]
fn a_certificate_that_is_still_to_be_brought_is_judged_where_it_is() {
    let folder = Folder::new();
    folder.certificate("elsewhere.pem", "elsewhere-key.pem");
    fs::remove_file(folder.path("chain.pem")).unwrap();
    let brought = CertificateFiles {
        chain: folder.path("elsewhere.pem"),
        key: folder.path("elsewhere-key.pem"),
    };
    let foresee = || {
        let path = folder.path("gatepost.toml");
        let text = fs::read_to_string(&path).unwrap();
        Config::foresee(&path, text, NOW, Some(&brought))
    };
    assert!(foresee().is_ok());
    folder.certificate("other.pem", "elsewhere-key.pem");
    let faults = foresee().unwrap_err().to_string();
    assert!(
        faults.contains("elsewhere-key.pem does not belong to"),
        "{faults}"
    );
}

#[test]
fn a_key_of_another_certificate_is_refused_at_the_key() {
    let folder = Folder::new();
    folder.certificate("other.pem", "key.pem");
    let (message, value) = folder.only_fault(NOW);
    assert!(message.contains("does not belong to"), "{message}");
    assert_eq!(value, "\"key.pem\"");
}

#[test]
fn an_expired_certificate_is_warned_of_at_the_chain() {
    let folder = Folder::new();
    let (message, value) = folder.only_warning(LAST + DAY * 3);
    assert!(message.contains("expired 3 days ago"), "{message}");
    assert_eq!(value, "\"chain.pem\"");
}

#[test]
fn a_certificate_gets_a_warning_in_its_last_fourteen_days() {
    let folder = Folder::new();
    assert!(folder.load(LAST - DAY * 14).unwrap().1.is_empty());
    let (message, value) = folder.only_warning(LAST - DAY * 13);
    assert!(
        message.contains("mx.example.org expires in 13 days"),
        "{message}"
    );
    assert_eq!(value, "\"chain.pem\"");
}

#[test]
fn missing_and_wrong_files_are_refused_one_by_one() {
    let folder = Folder::new();
    folder.write("garbage.pem", "-----BEGIN CERTIFICATE-----\nnot base64!\n");
    folder.write("empty.pem", "");
    let table =
        |chain: &str, key: &str| format!("[[tls.certificate]]\nchain = {chain:?}\nkey = {key:?}\n");
    let config = "hostname = \"mx.example.org\"\nupstream.addresses = [\"127.0.0.1:10465\"]\n"
        .to_owned()
        + &table("no-such.pem", "key.pem")
        + &table("key.pem", "chain.pem")
        + &table("garbage.pem", "key.pem")
        + &table("chain.pem", "empty.pem");
    folder.write("gatepost.toml", config);
    let faults = folder.load(NOW).unwrap_err();
    let carets: Vec<String> = faults
        .faults()
        .iter()
        .map(|f| folder.under_the_caret(f))
        .collect();
    assert_eq!(
        carets,
        [
            "\"no-such.pem\"",
            "\"key.pem\"",
            "\"garbage.pem\"",
            "\"empty.pem\""
        ]
    );
}

#[test]
fn a_key_that_others_can_read_gets_a_warning() {
    let folder = Folder::new();
    fs::set_permissions(folder.path("key.pem"), Permissions::from_mode(0o644)).unwrap();
    let (message, value) = folder.only_warning(NOW);
    assert!(message.contains("can be read by every user"), "{message}");
    assert_eq!(value, "\"key.pem\"");
}

#[test]
fn a_state_directory_that_others_can_write_gets_a_warning() {
    let folder = Folder::new();
    let state = folder.path("state");
    fs::create_dir(&state).unwrap();
    folder.config("state.directory = \"state\"");
    fs::set_permissions(&state, Permissions::from_mode(0o700)).unwrap();
    let (_, warnings) = folder.load(NOW).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    fs::set_permissions(&state, Permissions::from_mode(0o777)).unwrap();
    let (message, value) = folder.only_warning(NOW);
    assert!(message.contains("can write into"), "{message}");
    assert_eq!(value, "\"state\"");
}

#[test]
fn a_state_directory_that_is_a_file_is_refused() {
    let folder = Folder::new();
    folder.write("state", "");
    folder.config("state.directory = \"state\"");
    let faults = folder.load(NOW).unwrap_err();
    let said = faults.to_string();
    assert!(said.contains("state is no directory"), "{said}");
    assert_eq!(faults.faults().len(), 1, "{said}");
}

#[test]
fn an_upstream_on_another_machine_gets_a_warning() {
    let folder = Folder::new();
    let config = fs::read_to_string(folder.path("gatepost.toml")).unwrap();
    folder.write("gatepost.toml", config.replace("127.0.0.1", "192.0.2.1"));
    let (message, value) = folder.only_warning(NOW);
    assert!(
        message.contains("192.0.2.1 is not on this machine"),
        "{message}"
    );
    assert_eq!(value, "\"192.0.2.1:10465\"]");
}

#[test]
fn the_users_file_is_read_lower_cased_and_without_comments() {
    let folder = Folder::new();
    folder.config("users = \"users\"");
    folder.write(
        "users",
        "# who is here\nAnn@example.org\r\n\n bob # the boss\ncarol",
    );
    let (config, _) = folder.load(NOW).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(config.gate.users, ["ann@example.org", "bob", "carol"]);
}

#[test]
fn an_invalid_line_of_the_users_file_is_shown() {
    let folder = Folder::new();
    folder.config("users = \"users\"");
    folder.write("users", "ann\nbob:{CRYPT}secret:1000\n");
    let faults = folder.load(NOW).unwrap_err();
    let [fault] = faults.faults() else {
        panic!("{faults}");
    };
    assert_eq!(Path::new(fault.file()), folder.path("users"));
    assert_eq!(fault.position(), Some((2, 1)));
}

#[test]
fn a_users_file_that_cannot_be_read_is_refused_at_its_name() {
    let folder = Folder::new();
    folder.config("users = \"users\"");
    let (message, value) = folder.only_fault(NOW);
    assert!(message.contains("no such file"), "{message}");
    assert_eq!(value, "\"users\"");
    folder.write("users", b"ann\n\xff\n");
    let (message, _) = folder.only_fault(NOW);
    assert!(message.contains("line 2 is not UTF-8"), "{message}");
}

#[test]
fn a_name_that_is_user_and_trap_gets_a_warning() {
    let folder = Folder::new();
    folder.config("users = \"users\"\ntraps.users = [\"root\", \"Oracle\"]");
    folder.write("users", "ORACLE\n");
    let (_, value) = folder.only_warning(NOW);
    assert_eq!(value, "\"Oracle\"]");
}

#[test]
fn a_config_that_cannot_be_read_is_refused() {
    let folder = Folder::new();
    let faults = Config::load(&folder.path("no-such.toml"), NOW).unwrap_err();
    assert_eq!(faults.faults().len(), 1);
    assert!(faults.to_string().contains("no such file"), "{faults}");
    let faults = Config::load(folder.0.path(), NOW).unwrap_err();
    assert!(faults.to_string().contains("it is a directory"), "{faults}");
}

#[test]
fn published_lists_are_denied_but_for_what_would_shut_out_the_operators_own() {
    let folder = Folder::new();
    folder.config("networks.deny-files = [\"drop.txt\", \"level1\"]");
    folder.write(
        "drop.txt",
        "; a list\n198.51.100.0/24 ; SBL1\n2001:db8:7::1\n",
    );
    folder.write(
        "level1",
        "# bogons too\n10.0.0.0/8\n192.0.2.0/24\n203.0.113.7\n",
    );
    let (message, value) = folder.only_warning(NOW);
    assert!(
        message
            .ends_with("2 lines are left out, the first is line 2: 10.0.0.0/8 is of private use"),
        "{message}"
    );
    assert_eq!(value, "\"level1\"]");
    let (config, _) = folder.load(NOW).unwrap();
    let denied: Vec<String> = config.gate.deny.iter().map(ToString::to_string).collect();
    assert_eq!(
        denied,
        ["198.51.100.0/24", "2001:db8:7::/64", "203.0.113.7/32"]
    );

    folder.write("level1", "<!DOCTYPE html>\n<html>\n");
    let (message, _) = folder.only_warning(NOW);
    assert!(message.contains("2 lines are left out"), "{message}");
    fs::remove_file(folder.path("drop.txt")).unwrap();
    let (message, value) = folder.only_fault(NOW);
    assert!(message.contains("cannot read"), "{message}");
    assert_eq!(value, "\"drop.txt\", \"level1\"]");
}
