//! config - the config file, checked, as the settings of each module
//!
//! One TOML file; `config/gatepost.toml` is its manual. Every fault is reported at once,
//! by name, with a caret under the value and what would be right; no value falls back to a default.
//! The steps: text -> raw keys (`read`) -> settings within bounds (`sections`, `rules`, `listeners`) ->
//! the files that it names (`inspect`).
//! Not here: what the settings do (each module), and reading the file again on SIGHUP (`server`).

mod auth_policy;
mod bounds;
mod buckets;
mod chain;
mod claims;
mod cluster;
mod crowdsec;
mod dovecot;
mod finding;
mod fixed;
pub mod guesses;
mod http;
mod inspect;
mod lender;
mod limits;
mod listeners;
mod machine;
pub mod mail_servers;
mod mesh;
mod names;
pub mod network_list;
mod networks;
mod notices;
mod passwords;
mod places;
mod postfix;
mod raw;
mod read;
mod rules;
mod secrets;
mod sections;
mod similar;
mod source;
mod stolen;
#[cfg(test)]
mod testing;
mod user_rules;
mod value;

use std::path::Path;
use std::time::Duration;

pub use self::finding::{ConfigFaults, Finding};

use self::claims::Claims;
use self::finding::Findings;
use self::machine::Machine;
use self::mail_servers::MailServers;
use self::source::Source;
use crate::auth_policy::AuthPolicySettings;
use crate::cluster::ClusterSettings;
use crate::crowdsec::CrowdsecSettings;
use crate::history::HistorySettings;
use crate::known_passwords::KnownPasswordsSettings;
use crate::net::tls::CertificateFiles;
use crate::places::PlaceSettings;
use crate::report::occurrence::NoticeSettings;
use crate::store::StoreSettings;
use crate::web::WebSettings;
use crate::{admin, net, report, session};
use gatepost_core::gate::request::settings::{self as gate, ProcessSettings, QueueSettings};
use gatepost_core::moment::Moment;
use gatepost_core::smtp;

/// Everything that the config file says, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Banner, EHLO, mechanisms.
    pub dialogue: smtp::dialogue::DialogueSettings,
    /// At least one.
    pub listeners: Vec<net::listener::ListenerSettings>,
    /// Certificates.
    pub tls: net::tls::TlsSettings,
    /// The connection to Postfix.
    pub upstream: net::upstream::UpstreamSettings,
    /// How many strangers' attempts Postfix gets at the same time, and how long others may queue.
    pub turns: QueueSettings,
    /// Postfix's processes.
    pub processes: ProcessSettings,
    /// Sessions that have logged in.
    pub registry: session::registry::RegistrySettings,
    /// The policy.
    pub gate: gate::GateSettings,
    /// The machines that have one bound together; none: this one is alone.
    pub cluster: Option<ClusterSettings>,
    /// CrowdSec's local API; none: it is neither asked nor told anything.
    pub crowdsec: Option<CrowdsecSettings>,
    /// Where clients are in the world.
    pub places: PlaceSettings,
    /// Limits on connections.
    pub admission: net::admission::AdmissionSettings,
    /// Deadlines of a session.
    pub timeouts: session::Timeouts,
    /// How long open sessions may go on after SIGTERM.
    pub drain: Duration,
    /// The state directory.
    pub store: StoreSettings,
    /// Who is told what happened.
    pub notices: NoticeSettings,
    /// The owner's list of passwords that are known elsewhere.
    pub known_passwords: KnownPasswordsSettings,
    /// What is kept to be asked about.
    pub history: HistorySettings,
    /// The door for Dovecot's questions; none: it does not ask.
    pub auth_policy: Option<AuthPolicySettings>,
    /// The operator's socket.
    pub admin: admin::AdminSettings,
    /// Metrics, health and the page; none: nobody has asked for it.
    pub web: Option<WebSettings>,
    /// The log.
    pub report: report::ReportSettings,
}

impl Config {
    /// Reads the file at `path` and every file that it names: certificates, keys, users.
    /// Certificates that are not valid at `now`, by the wall clock, are warned of.
    ///
    /// Returns the config with its warnings and hints.
    ///
    /// # Errors
    ///
    /// [`ConfigFaults`] with everything that is wrong, as far as it can be detected at once: a syntax
    /// error hides other faults, and a refused value those that depend on it.
    pub fn load(path: &Path, now: Moment) -> Result<(Self, Vec<Finding>), ConfigFaults> {
        Self::load_and(path, now, |_, _, _| {})
    }

    /// As [`load`](Self::load), and compares the sections `[names]` and `[upstream]` with the settings of the Dovecot and
    /// the Postfix on this machine, if they are there, and looks at the certificates as a mail program will: for a person, since
    /// it starts programs and may take seconds.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn review(
        path: &Path,
        now: Moment,
        servers: &MailServers,
    ) -> Result<(Self, Vec<Finding>), ConfigFaults> {
        Self::load_and(path, now, |file, config, findings| {
            chain::play_the_client(file, config, folder(path), now, findings);
            inspect::groups(file, findings);
            places::read_databases(file, config, findings);
            dovecot::warn(&config.gate.names, servers, findings);
            postfix::compare(
                &config.upstream,
                config.processes,
                &Machine::read(),
                servers,
                findings,
            );
        })
    }

    /// As [`load`](Self::load), of a file that is not written yet: `text` is to stand at `path`. Its first certificate is
    /// read from `brought`, where that one is not in its place yet.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn foresee(
        path: &Path,
        text: String,
        now: Moment,
        brought: Option<&CertificateFiles>,
    ) -> Result<(Self, Vec<Finding>), ConfigFaults> {
        Self::load_text(path, text, now, brought, |_, _, _| {})
    }

    fn load_and(
        path: &Path,
        now: Moment,
        more: impl FnOnce(&raw::RawFile, &Self, &mut Findings),
    ) -> Result<(Self, Vec<Finding>), ConfigFaults> {
        let text = inspect::text(path)
            .map_err(|why| ConfigFaults::of(Source::new(path, String::new()), why))?;
        Self::load_text(path, text, now, None, more)
    }

    fn load_text(
        path: &Path,
        text: String,
        now: Moment,
        brought: Option<&CertificateFiles>,
        more: impl FnOnce(&raw::RawFile, &Self, &mut Findings),
    ) -> Result<(Self, Vec<Finding>), ConfigFaults> {
        Self::check(path, text, |file, config, findings| {
            inspect::users(file, config, folder(path), findings);
            network_list::deny_files(file, config, folder(path), findings);
            inspect::certificates(file, folder(path), now, brought, findings);
            inspect::state(file, config, findings);
            auth_policy::warn_readable(file, path, findings);
            lender::inspect(file, folder(path), findings);
            crowdsec::inspect(file, folder(path), findings);
            listeners::warn_remote(&file.upstream, &Machine::read(), findings);
            more(file, config, findings);
        })
    }

    /// Reads the file at `path` and the users that it names, but no certificate: for commands that
    /// judge or learn without serving clients.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn rules(path: &Path) -> Result<(Self, Vec<Finding>), ConfigFaults> {
        let text = inspect::text(path)
            .map_err(|why| ConfigFaults::of(Source::new(path, String::new()), why))?;
        Self::check(path, text, |file, config, findings| {
            inspect::users(file, config, folder(path), findings);
            network_list::deny_files(file, config, folder(path), findings);
        })
    }

    /// Reads `text` as the content of the config file `path`, but no file that it names.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn parse(path: &Path, text: &str) -> Result<(Self, Vec<Finding>), ConfigFaults> {
        Self::check(path, text.to_owned(), |_, _, _| {})
    }

    /// The operator's socket of the file at `path`. Other faults in the file do not matter: a running gatepost
    /// continues with its old config then, and must be reachable.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, has a syntax error, or names no valid socket.
    pub fn operator(path: &Path) -> Result<admin::AdminSettings, ConfigFaults> {
        let text = inspect::text(path)
            .map_err(|why| ConfigFaults::of(Source::new(path, String::new()), why))?;
        let source = Source::new(path, text);
        let mut faults = Findings::new(source.clone());
        let file = read::read(source.text(), &mut faults);
        if read::is_malformed(source.text()) {
            faults.conclude()?;
        }
        let mut own = Findings::new(source);
        let admin = sections::admin(&file.admin, folder(path), &mut Claims::default(), &mut own);
        own.conclude().map(|_| admin)
    }

    fn check(
        path: &Path,
        text: String,
        inspect: impl FnOnce(&raw::RawFile, &mut Self, &mut Findings),
    ) -> Result<(Self, Vec<Finding>), ConfigFaults> {
        let source = Source::new(path, text);
        let mut findings = Findings::new(source.clone());
        let file = read::read(source.text(), &mut findings);
        let mut config = Self::from_raw(&file, folder(path), &mut findings);
        inspect(&file, &mut config, &mut findings);
        findings.conclude().map(|warnings| (config, warnings))
    }

    /// The settings of every module; a refused value becomes its default.
    fn from_raw(file: &raw::RawFile, folder: &Path, findings: &mut Findings) -> Self {
        let mut claims = Claims::default();
        let config = Self::of_sections(file, folder, &mut claims, findings);
        claims.settle(findings);
        config
    }

    fn of_sections(
        file: &raw::RawFile,
        folder: &Path,
        claims: &mut Claims,
        findings: &mut Findings,
    ) -> Self {
        let dialogue = sections::dialogue(file, &Machine::read(), findings);
        let listeners = listeners::listeners(file, claims, findings);
        let timeouts = sections::timeouts(&file.timeouts, findings);
        let processes = sections::processes(&file.upstream, findings);
        let store = sections::store(&file.state, folder, claims, findings);
        let auth_policy = auth_policy::read(file, claims, findings);
        let rules = rules::gate(file, findings);
        let (cluster, division) = cluster::read(
            &file.cluster,
            &dialogue.hostname,
            &rules.limits,
            folder,
            claims,
            findings,
        );
        Self {
            tls: sections::tls(&file.tls, folder, findings),
            upstream: listeners::upstream(
                &file.upstream,
                &dialogue.hostname,
                &dialogue.mechanisms,
                folder,
                claims,
                findings,
            ),
            dialogue,
            listeners,
            turns: sections::turns(file, timeouts.login, findings),
            processes,
            registry: sections::registry(&file.admission, processes, findings),
            gate: gate::GateSettings {
                nonce: auth_policy.as_ref().map(|door| door.nonce.clone()),
                division,
                ..Self::of_users(file, rules, findings)
            },
            cluster,
            crowdsec: crowdsec::read(&file.crowdsec, folder, findings),
            places: places::databases(&file.places, folder, findings),
            admission: sections::admission(&file.admission, findings),
            timeouts,
            drain: sections::drain(&file.timeouts, findings),
            notices: notices::read(&file.notices, findings),
            known_passwords: passwords::read(&file.passwords, folder, findings),
            history: sections::history(&file.history, &store, findings),
            store,
            auth_policy,
            admin: sections::admin(&file.admin, folder, claims, findings),
            web: http::web(&file.http, folder, claims, findings),
            report: sections::report(&file.log),
        }
    }

    /// The rules, with names and what is said of single users and of countries.
    fn of_users(
        file: &raw::RawFile,
        rules: gate::GateSettings,
        findings: &mut Findings,
    ) -> gate::GateSettings {
        let names = names::read(&file.names, findings);
        gate::GateSettings {
            places: places::rules(file, findings),
            user_rules: user_rules::read(file, &names, findings),
            stolen: stolen::read(file, findings),
            names,
            ..rules
        }
    }
}

/// The folder that relative paths in the file `path` start from.
fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operator(text: &str) -> Result<admin::AdminSettings, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gatepost.toml");
        std::fs::write(&path, text).unwrap();
        Config::operator(&path).map_err(|faults| faults.to_string())
    }

    #[test]
    fn a_bad_config_hides_no_running_gatepost_from_its_operator() {
        let socket = |text| operator(text).unwrap().socket.display().to_string();
        let bad = "setling = '7d'\n[limits.client]\nburst = 'ten'\n[admin]\nsocket = '/s'";
        assert_eq!(socket(bad), "/s");
        assert_eq!(socket("[admin]\ngroup = 7"), "/run/gatepost/admin.sock");
        assert_eq!(socket(""), "/run/gatepost/admin.sock");
    }

    #[test]
    fn a_torn_config_names_no_socket() {
        let told = operator("[admin]\nsocket = '/s").unwrap_err();
        assert!(told.contains("gatepost.toml:2"), "{told}");
        assert!(operator("[admin]\nsocket = '/'").is_err());
    }
}
