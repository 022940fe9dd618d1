//! postfix - what the files of this machine's Postfix say of its processes, beside `[upstream]`
//!
//! `gatepost check` asks `postconf`, where there is one: how many processes the entry for Gatepost has, how long Postfix
//! starts none after one has died, and whether a client's own name servers decide how long one is taken. A Postfix that does not answer in time, or is not there, says nothing;
//! no start depends on it.
//! Not here: everything else in config/master.cf. postconf(1), master(5), postconf(5) for default_process_limit
//! and service_throttle_time.

use std::time::Duration;

use super::finding::{Findings, Remark};
use super::machine::Machine;
use super::mail_servers::MailServers;
use crate::net::upstream::{Announce, UpstreamAddress, UpstreamSettings};
use gatepost_core::gate::request::settings::ProcessSettings;

const PEERNAME_LOOKUP: &str = "smtpd_peername_lookup";
/// A longer wait after a process that died is told.
const LONGEST_THROTTLE: Duration = Duration::from_secs(10);

/// Says where the Postfix of this machine differs from what the config takes for granted.
pub(super) fn compare(
    upstream: &UpstreamSettings,
    processes: ProcessSettings,
    machine: &Machine,
    servers: &MailServers,
    findings: &mut Findings,
) {
    let ours: Vec<&UpstreamAddress> = upstream
        .addresses
        .iter()
        .filter(|address| match address {
            UpstreamAddress::Tcp(socket) => machine.is_local(socket.ip().to_canonical()),
            UpstreamAddress::Unix(_) => true,
        })
        .collect();
    if ours.is_empty() {
        return;
    }
    let settings = [
        "-x",
        "default_process_limit",
        "service_throttle_time",
        PEERNAME_LOOKUP,
    ];
    let (Some(entries), Some(settings)) = (servers.postconf(&["-M"]), servers.postconf(&settings))
    else {
        return;
    };
    let postfix = PostfixSettings::read(&settings);
    if matches!(upstream.announce, Announce::ProxyV1 | Announce::ProxyV2) {
        let options = servers.postconf(&["-P"]).unwrap_or_default();
        let looks_up = |address: &&&UpstreamAddress| postfix.looks_up(&entries, &options, address);
        if let Some(address) = ours.iter().find(looks_up) {
            warn_of_lookups(address, findings);
        }
    }
    let limits = ours
        .iter()
        .filter_map(|address| postfix.limit(&entries, address));
    // Told of this machine's Postfix only if it is the one behind us.
    let Some(limit) = limits.min() else { return };
    compare_limits(limit, processes, findings);
    postfix.warn_of_throttle(findings);
}

/// Postfix's number of processes for an entry. The largest stands for no limit.
type ProcessLimit = usize;

fn compare_limits(limit: ProcessLimit, processes: ProcessSettings, findings: &mut Findings) {
    let shown = match limit {
        usize::MAX => "any number of".to_owned(),
        limit => limit.to_string(),
    };
    let message = format!("the Postfix of this machine has {shown} processes for Gatepost");
    let right = match limit {
        usize::MAX => 0,
        limit => limit,
    };
    let help = format!("write processes = {right} into [upstream]");
    let remark = Remark::of_file(message).help(help);
    match processes.limit.unwrap_or(usize::MAX) {
        ours if ours > limit => findings.warn(remark),
        ours if ours < limit => findings.hint(remark),
        _ => {}
    }
}

/// smtpd(8) asks the client's name servers, and then those of the name that they tell, before it greets, once it has the
/// PROXY header: five seconds for each server that does not answer, and the process is taken meanwhile.
fn warn_of_lookups(address: &UpstreamAddress, findings: &mut Findings) {
    let message = format!(
        "the Postfix of this machine looks up each client's name before it greets at {address}: a client whose name \
         servers do not answer holds a process for a minute and more"
    );
    let help = "write -o smtpd_peername_lookup=no into its master.cf entry; postfix reload";
    findings.warn(Remark::of_file(message).help(help));
}

/// Settings of main.cf.
#[derive(Debug, Default, PartialEq, Eq)]
struct PostfixSettings {
    default_limit: Option<ProcessLimit>,
    throttle: Option<Duration>,
    looks_up: bool,
}

impl PostfixSettings {
    fn read(said: &str) -> Self {
        let mut settings = Self::default();
        for line in said.lines() {
            match line
                .split_once('=')
                .map(|(key, value)| (key.trim(), value.trim()))
            {
                Some(("default_process_limit", value)) => {
                    settings.default_limit = process_limit(value)
                }
                Some(("service_throttle_time", value)) => settings.throttle = time(value),
                Some((PEERNAME_LOOKUP, value)) => settings.looks_up = value == "yes",
                _ => {}
            }
        }
        settings
    }

    /// How many processes the entry at `address` has, if it is one of those.
    fn limit(&self, entries: &str, address: &UpstreamAddress) -> Option<ProcessLimit> {
        let entry = entry_at(entries, address)?;
        match entry.limit {
            "-" => self.default_limit,
            limit => process_limit(limit),
        }
    }

    /// Whether the entry at `address` looks up the names of clients. `options` are those of all entries, as `postconf -P`
    /// prints them.
    fn looks_up(&self, entries: &str, options: &str, address: &UpstreamAddress) -> bool {
        let Some(entry) = entry_at(entries, address) else {
            return false;
        };
        let name = format!("{}/{}/{PEERNAME_LOOKUP}", entry.service, entry.kind);
        let of_entry =
            |(key, value): (&str, &str)| (key.trim() == name).then(|| value.trim() == "yes");
        let own = options.lines().filter_map(|line| line.split_once('='));
        own.filter_map(of_entry)
            .next_back()
            .unwrap_or(self.looks_up)
    }

    fn warn_of_throttle(&self, findings: &mut Findings) {
        if let Some(throttle) = self.throttle.filter(|time| *time > LONGEST_THROTTLE) {
            let seconds = throttle.as_secs();
            let message = format!(
                "the Postfix of this machine starts no process for {seconds} s after one has died at its start, as \
                 they do while Dovecot is restarted"
            );
            let help = "postconf -e service_throttle_time=2s; postfix reload";
            findings.hint(Remark::of_file(message).help(help));
        }
    }
}

/// What is needed of an smtpd's entry in master.cf.
struct SmtpdEntry<'a> {
    service: &'a str,
    kind: &'a str,
    /// How many processes it has, as it is written.
    limit: &'a str,
}

fn entry_at<'a>(entries: &'a str, address: &UpstreamAddress) -> Option<SmtpdEntry<'a>> {
    entries.lines().find_map(|entry| {
        let mut fields = entry.split_ascii_whitespace();
        let (service, kind) = (fields.next()?, fields.next()?);
        // Private, unprivileged, chroot and wakeup stand in between.
        let limit = fields.nth(4)?;
        (fields.next()? == "smtpd" && is_at(service, kind, address)).then_some(SmtpdEntry {
            service,
            kind,
            limit,
        })
    })
}

/// A number of processes as master.cf has it; 0 is no limit.
fn process_limit(text: &str) -> Option<ProcessLimit> {
    let limit = text.parse().ok()?;
    Some(if limit == 0 { usize::MAX } else { limit })
}

/// A time as main.cf has it: seconds without a unit.
fn time(text: &str) -> Option<Duration> {
    let (number, unit) = match text.find(|letter: char| !letter.is_ascii_digit()) {
        Some(end) => text.split_at_checked(end)?,
        None => (text, "s"),
    };
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    let number: u64 = number.parse().ok()?;
    Some(Duration::from_secs(number.checked_mul(seconds)?))
}

/// Whether a service of master.cf listens at `address`.
fn is_at(service: &str, kind: &str, address: &UpstreamAddress) -> bool {
    match (kind, address) {
        ("inet", UpstreamAddress::Tcp(socket)) => {
            let port = service.rsplit(':').next().unwrap_or(service);
            port.parse() == Ok(socket.port())
        }
        ("unix", UpstreamAddress::Unix(path)) => {
            path.file_name().and_then(|name| name.to_str()) == service.rsplit('/').next()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::source::Source;

    const ENTRIES: &str = "\
smtp       inet  n       -       y       -       -       smtpd
127.0.0.1:10465 inet n   -       y       -       40      smtpd -o syslog_name=postfix/gatepost
10466      inet  n       -       y       -       -       smtpd
10467      inet  n       -       y       -       0       smtpd
10468      inet  n       -       y       -       5       qmtpd
gatepost   unix  n       -       y       -       7       smtpd
";

    fn limit(address: &str) -> Option<usize> {
        let settings = PostfixSettings::read("default_process_limit = 100\n");
        let address = match address.strip_prefix("unix:") {
            Some(path) => UpstreamAddress::Unix(path.into()),
            None => UpstreamAddress::Tcp(address.parse().unwrap()),
        };
        settings.limit(ENTRIES, &address)
    }

    #[test]
    fn the_entry_at_our_address_says_how_many_processes_there_are() {
        assert_eq!(limit("127.0.0.1:10465"), Some(40));
        assert_eq!(limit("127.0.0.1:10466"), Some(100));
        assert_eq!(limit("127.0.0.1:10467"), Some(usize::MAX));
        assert_eq!(limit("127.0.0.1:10468"), None, "no smtpd");
        assert_eq!(limit("127.0.0.1:10469"), None);
        assert_eq!(limit("unix:/var/spool/postfix/public/gatepost"), Some(7));
        assert_eq!(limit("unix:/var/spool/postfix/public/other"), None);
    }

    #[test]
    fn the_entry_at_our_address_or_else_main_cf_says_whether_names_are_looked_up() {
        const OPTIONS: &str = "\
127.0.0.1:10465/inet/smtpd_peername_lookup = no
10467/inet/smtpd_peername_lookup = yes
";
        for (main, looks_up) in [("yes", [false, true, true]), ("no", [false, false, true])] {
            let settings = PostfixSettings::read(&format!("smtpd_peername_lookup = {main}\n"));
            for (port, looks_up) in [10465, 10466, 10467].into_iter().zip(looks_up) {
                let address = UpstreamAddress::Tcp(([127, 0, 0, 1], port).into());
                assert_eq!(
                    settings.looks_up(ENTRIES, OPTIONS, &address),
                    looks_up,
                    "{main} {port}"
                );
            }
        }
    }

    #[test]
    fn times_of_main_cf_are_read_with_and_without_their_unit() {
        for (text, seconds) in [
            ("60s", 60),
            ("60", 60),
            ("2m", 120),
            ("1h", 3_600),
            ("0", 0),
        ] {
            assert_eq!(time(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "s", "1y", "99999999999999999999", "99999999999999999w"] {
            assert_eq!(time(text), None, "{text}");
        }
    }

    /// What is said of a Postfix with `limit` processes and such a throttle: warning or hint, and its help.
    fn said(limit: usize, ours: Option<usize>, throttle: &str) -> Vec<(bool, String)> {
        let source = Source::new(Path::new("f"), String::new());
        let mut findings = Findings::new(source);
        let processes = ProcessSettings {
            limit: ours,
            ..ProcessSettings::default()
        };
        compare_limits(limit, processes, &mut findings);
        PostfixSettings::read(throttle).warn_of_throttle(&mut findings);
        let warnings = findings.conclude().unwrap();
        let told = |finding: &crate::config::Finding| {
            (
                finding.is_hint(),
                finding.help().unwrap_or_default().to_owned(),
            )
        };
        warnings.iter().map(told).collect()
    }

    #[test]
    fn too_many_processes_are_a_warning_and_too_few_a_hint() {
        assert_eq!(said(100, Some(100), ""), []);
        assert_eq!(said(usize::MAX, None, ""), []);
        let help = |number: usize| format!("write processes = {number} into [upstream]");
        assert_eq!(said(40, Some(100), ""), [(false, help(40))]);
        assert_eq!(said(40, None, ""), [(false, help(40))]);
        assert_eq!(said(200, Some(100), ""), [(true, help(200))]);
        assert_eq!(said(usize::MAX, Some(100), ""), [(true, help(0))]);
    }

    #[test]
    fn a_long_throttle_is_a_hint() {
        assert_eq!(said(100, Some(100), "service_throttle_time = 10s"), []);
        let [(true, help)] = &said(100, Some(100), "service_throttle_time = 60s")[..] else {
            panic!("no hint");
        };
        assert!(help.contains("service_throttle_time=2s"), "{help}");
    }
}
