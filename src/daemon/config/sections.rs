//! sections - every section of the file but the gate's, with defaults and bounds
//!
//! Relative paths start from the config file's folder, so that `check` in a shell and `run` as a
//! service read the same files.
//! Not here: the gate's keys (`rules`), listeners (`listeners`), the content of files (`inspect`).

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;

use super::bounds::{DAY, HOUR, MINUTE, SECOND};
use super::claims::{ClaimedPlace, Claims};
use super::finding::{Findings, Remark};
use super::machine::Machine;
use super::raw;
use super::value::{Given, GivenList, Quoted};
use crate::history::HistorySettings;
use crate::net::unix_socket::LONGEST_PATH;
use crate::store::StoreSettings;
use crate::{admin, net, report, session};
use gatepost_core::gate::buckets::quota::Quota;
use gatepost_core::gate::request::settings::{ProcessSettings, QueueSettings};
use gatepost_core::smtp;
use gatepost_core::smtp::sasl::Mechanism;

/// `given`, relative to `folder`.
pub(super) fn path(folder: &Path, given: &str) -> PathBuf {
    folder.join(given)
}

pub(super) fn dialogue(
    file: &raw::RawFile,
    machine: &Machine,
    findings: &mut Findings,
) -> smtp::dialogue::DialogueSettings {
    smtp::dialogue::DialogueSettings {
        hostname: hostname(&file.hostname, machine, findings),
        mechanisms: mechanisms(&file.mechanisms, findings),
    }
}

/// The name in the banner: the configured one, or the machine's. RFC 5321 section 4.2 requires a domain.
fn hostname(given: &Given<String>, machine: &Machine, findings: &mut Findings) -> String {
    let given = given.as_ref().filter(|name| !name.get_ref().is_empty());
    let (name, remark) = match given {
        Some(given) => (
            given.get_ref(),
            Remark::at(
                given.span(),
                format!("{:?} is not a full host name", given.get_ref()),
            ),
        ),
        None => (
            &machine.hostname,
            Remark::of_file(format!(
                "hostname is not set, and the machine's own, {:?}, is not a full host name",
                machine.hostname
            )),
        ),
    };
    let remark = remark.help("write a name like hostname = \"mx.example.org\"");
    if !is_domain(name) {
        findings.refuse(remark);
    } else if !name.contains('.') {
        findings.warn(remark);
    }
    name.clone()
}

/// Labels of letters, digits and inner hyphens (RFC 5321 section 4.1.2, RFC 1123 section 2.1).
fn is_domain(name: &str) -> bool {
    const LONGEST: usize = 253;
    const LONGEST_LABEL: usize = 63;
    let is_label = |label: &str| {
        (1..=LONGEST_LABEL).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= LONGEST && name.split('.').all(is_label)
}

fn mechanisms(given: &GivenList<Quoted<Mechanism>>, findings: &mut Findings) -> Vec<Mechanism> {
    let Some(given) = given else {
        return vec![
            Mechanism::Plain,
            Mechanism::Login,
            Mechanism::XOAuth2,
            Mechanism::OAuthBearer,
        ];
    };
    if given.get_ref().is_empty() {
        findings.missing_at(
            given.span(),
            "without a mechanism every login fails",
            "write at least \"PLAIN\"",
        );
    }
    let mut mechanisms = Vec::new();
    for entry in given.get_ref() {
        let mechanism = entry.get_ref().0;
        if mechanisms.contains(&mechanism) {
            findings.refuse(
                Remark::at(entry.span(), "this mechanism is named twice").help("once is enough"),
            );
        } else {
            mechanisms.push(mechanism);
        }
    }
    mechanisms
}

pub(super) fn tls(
    given: &raw::RawTls,
    folder: &Path,
    findings: &mut Findings,
) -> net::tls::TlsSettings {
    if given.certificate.is_empty() {
        findings.refuse(Remark::of_file("no certificate is configured").help(
            "add a table:\n[[tls.certificate]]\nchain = \"/etc/gatepost/tls/fullchain.pem\"\n\
             key = \"/etc/gatepost/tls/privkey.pem\"",
        ));
    }
    let mut certificates: Vec<net::tls::CertificateFiles> = Vec::new();
    for entry in &given.certificate {
        let table = entry.get_ref();
        let mut file = |name: &str, given: &Given<String>| match given {
            Some(given) if !given.get_ref().is_empty() => Some(path(folder, given.get_ref())),
            Some(given) => {
                findings.refuse(
                    Remark::at(given.span(), format!("{name} is empty"))
                        .help("write the path of a PEM file"),
                );
                None
            }
            None => {
                findings.missing_at(
                    entry.span(),
                    &format!("this certificate has no {name}"),
                    &format!("add {name} = \"/path/to/file.pem\""),
                );
                None
            }
        };
        let files = (file("chain", &table.chain), file("key", &table.key));
        let (Some(chain), Some(key)) = files else {
            continue;
        };
        let twin = certificates.iter().any(|other| other.chain == chain);
        if twin && let Some(span) = table.chain.as_ref().map(Spanned::span) {
            findings
                .refuse(Remark::at(span, "this certificate is named twice").help("once is enough"));
        }
        certificates.push(net::tls::CertificateFiles { chain, key });
    }
    net::tls::TlsSettings { certificates }
}

pub(super) fn turns(
    file: &raw::RawFile,
    login: Duration,
    findings: &mut Findings,
) -> QueueSettings {
    let given = &file.timeouts.turn;
    let defaults = QueueSettings::default();
    let deadline = findings.time(
        "timeouts.turn",
        given,
        defaults.deadline,
        SECOND / 10..=5 * MINUTE,
    );
    if deadline >= login
        && let Some(span) = given
            .as_ref()
            .or(file.timeouts.login.as_ref())
            .map(Spanned::span)
    {
        findings.warn(
            Remark::at(
                span,
                "an attempt may queue for longer than timeouts.login allows a login to take",
            )
            .help("make timeouts.turn shorter than timeouts.login"),
        );
    }
    QueueSettings {
        at_once: findings.number(
            "upstream.strangers-at-once",
            &file.upstream.strangers_at_once,
            defaults.at_once,
            1..=10_000,
        ),
        deadline,
    }
}

/// Postfix's processes; 0 stands for a number that is not known.
pub(super) fn processes(given: &raw::RawUpstream, findings: &mut Findings) -> ProcessSettings {
    let default = ProcessSettings::default();
    let limit = findings.number(
        "upstream.processes",
        &given.processes,
        default.limit.unwrap_or(0),
        0..=1_000_000,
    );
    ProcessSettings {
        limit: (limit > 0).then_some(limit),
        at_once: findings.number(
            "upstream.at-once",
            &given.at_once,
            default.at_once,
            1..=100_000,
        ),
    }
}

/// Sessions that have logged in.
pub(super) fn registry(
    given: &raw::RawAdmission,
    processes: ProcessSettings,
    findings: &mut Findings,
) -> session::registry::RegistrySettings {
    session::registry::RegistrySettings {
        per_user: findings.number("admission.per-user", &given.per_user, 20, 1..=1_000_000),
        processes,
    }
}

pub(super) fn admission(
    given: &raw::RawAdmission,
    findings: &mut Findings,
) -> net::admission::AdmissionSettings {
    net::admission::AdmissionSettings {
        sessions: findings.number("admission.sessions", &given.sessions, 20_000, 1..=1_000_000),
        per_client: findings.number("admission.per-client", &given.per_client, 50, 1..=1_000_000),
        per_network: findings.number(
            "admission.per-network",
            &given.per_network,
            500,
            1..=1_000_000,
        ),
        connects: findings.quota(
            "admission.connects",
            &given.connects,
            Quota {
                burst: 60,
                every: SECOND,
            },
        ),
        familiar_connects: findings.quota(
            "admission.familiar-connects",
            &given.familiar_connects,
            Quota {
                burst: 2_000,
                every: Duration::from_millis(1),
            },
        ),
        handshakes: findings.number("admission.handshakes", &given.handshakes, 256, 1..=100_000),
        filter: match given.filter {
            true => net::filter::FilterMode::On,
            false => net::filter::FilterMode::Off,
        },
    }
}

pub(super) fn timeouts(given: &raw::RawTimeouts, findings: &mut Findings) -> session::Timeouts {
    const LEAST: Duration = Duration::from_millis(100);
    session::Timeouts {
        handshake: findings.time(
            "timeouts.handshake",
            &given.handshake,
            10 * SECOND,
            LEAST..=5 * MINUTE,
        ),
        line: findings.time("timeouts.line", &given.line, 5 * MINUTE, LEAST..=HOUR),
        login: findings.time("timeouts.login", &given.login, 5 * MINUTE, LEAST..=HOUR),
        failure_delay: findings.time(
            "timeouts.failure-delay",
            &given.failure_delay,
            2 * SECOND,
            Duration::ZERO..=MINUTE,
        ),
        idle: findings.time("timeouts.idle", &given.idle, 10 * MINUTE, LEAST..=7 * DAY),
    }
}

pub(super) fn drain(given: &raw::RawTimeouts, findings: &mut Findings) -> Duration {
    findings.time(
        "timeouts.drain",
        &given.drain,
        10 * MINUTE,
        Duration::ZERO..=HOUR,
    )
}

pub(super) fn store(
    given: &raw::RawState,
    folder: &Path,
    claims: &mut Claims,
    findings: &mut Findings,
) -> StoreSettings {
    let directory = given.directory.as_ref();
    if let Some(given) = directory.filter(|given| given.get_ref().is_empty()) {
        findings.missing_at(
            given.span(),
            "the state needs a directory",
            "write its path",
        );
    }
    let span = directory.map(Spanned::span);
    let directory = directory.map_or("/var/lib/gatepost", |given| given.get_ref());
    let directory = path(folder, directory);
    let place = ClaimedPlace::State(directory.clone());
    claims.enter("state.directory", place, span);
    StoreSettings { directory }
}

pub(super) fn history(
    given: &raw::RawHistory,
    state: &StoreSettings,
    findings: &mut Findings,
) -> HistorySettings {
    let keep = findings.time(
        "history.keep",
        &given.keep,
        30 * DAY,
        Duration::ZERO..=366 * DAY,
    );
    HistorySettings {
        directory: state.directory.clone(),
        keep: Some(keep).filter(|keep| !keep.is_zero()),
    }
}

pub(super) fn admin(
    given: &raw::RawAdmin,
    folder: &Path,
    claims: &mut Claims,
    findings: &mut Findings,
) -> admin::AdminSettings {
    let socket = given.socket.as_ref();
    let socket_path = path(
        folder,
        socket.map_or(admin::DEFAULT_SOCKET, |given| given.get_ref()),
    );
    if let Some(given) = socket {
        check_socket_path(&socket_path, given, findings);
    }
    if has_name(&socket_path) {
        let place = ClaimedPlace::Socket(socket_path.clone());
        claims.enter("admin.socket", place, socket.map(Spanned::span));
    }
    let group = given.group.as_ref().map(Spanned::get_ref);
    admin::AdminSettings {
        socket: socket_path,
        group: group.filter(|name| !name.is_empty()).cloned(),
    }
}

/// Refuses a path that the kernel could not bind or connect to.
pub(super) fn check_socket_path<T>(path: &Path, given: &Spanned<T>, findings: &mut Findings) {
    if !has_name(path) || path.as_os_str().len() > LONGEST_PATH {
        findings.refuse(
            Remark::at(
                given.span(),
                format!("{path:?} is not a valid path for a socket"),
            )
            .help(format!(
                "a socket's path ends in a name and has at most {LONGEST_PATH} octets"
            )),
        );
    }
}

fn has_name(path: &Path) -> bool {
    path.file_name().is_some() && !path.as_os_str().as_bytes().ends_with(b"/")
}

pub(super) fn report(given: &raw::RawLog) -> report::ReportSettings {
    report::ReportSettings {
        format: given
            .format
            .as_ref()
            .map_or(report::Format::Text, |given| given.get_ref().0),
        level: given
            .level
            .as_ref()
            .map_or(report::Level::Info, |given| given.get_ref().0),
    }
}
