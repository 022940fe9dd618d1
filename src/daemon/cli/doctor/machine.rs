//! machine - Gatepost as a service: does it run, as which user, with what it needs
//!
//! Not here: what it says of itself in detail (`status`).

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{Group, User};

use super::diagnosis::Diagnosis;
use super::unit::{self, SERVICE};
use super::{MailMachine, RunningGatepost, sockets};
use crate::config::Config;
use crate::config::mail_servers::output_of;
use crate::net::listener::open_files;

pub(super) fn look(around: &MailMachine) -> Vec<Diagnosis> {
    let config = &around.config;
    let mut found = Vec::new();
    match (&around.running, &around.silence) {
        (Some(running), _) => found.extend(service(running, config)),
        (None, Some(silence)) => found.push(Diagnosis::wrong(
            "service",
            silence.to_string(),
            "systemctl restart gatepost; if it is so again, does the disk with its state answer?",
        )),
        (None, None) => {
            found.push(Diagnosis::wrong(
                "service",
                format!("no gatepost answers at {}", config.admin.socket.display()),
                "systemctl start gatepost; if it ends again: journalctl -u gatepost",
            ));
            found.extend(directory(&config.store.directory));
            found.extend(ports(config));
        }
    }
    found.extend(config.admin.group.as_deref().map(group));
    found.extend(clock());
    found
}

fn service(running: &RunningGatepost, config: &Config) -> Vec<Diagnosis> {
    let status = &running.status;
    let mode = format!("version {}, {}", status.version, status.mode);
    let mut found = vec![match status.mode.as_str() {
        "enforce" => Diagnosis::good("service", mode),
        _ => Diagnosis::note("service", mode),
    }];
    if running.user == 0 {
        found.push(Diagnosis::wrong(
            "service",
            "it runs as root",
            format!(
                "{}; systemd opens its ports (gatepost.socket), it needs no right of root's",
                unit::with_line("user", "User=gatepost")
            ),
        ));
    }
    found.push(match &status.state_not_kept {
        None => Diagnosis::good(
            "state",
            format!("{} keeps it", config.store.directory.display()),
        ),
        Some(fault) => Diagnosis::wrong(
            "state",
            format!("not kept since {}: {}", fault.since, fault.why),
            format!(
                "if the disk is full (df -h {directory}): make room; if not: chown -R {SERVICE}: {directory}",
                directory = config.store.directory.display()
            ),
        ),
    });
    let limit = limit_of(running.process);
    found.extend(limit.map(|limit| files(config.admission.sessions, limit, limit_of_unit())));
    found
}

/// What the unit asks for; the machine, or its container, may have less.
fn limit_of_unit() -> Option<u64> {
    unit::setting("LimitNOFILE")?.parse().ok()
}

/// The limit on open files of a process.
fn limit_of(process: i32) -> Option<u64> {
    let limits = fs::read_to_string(format!("/proc/{process}/limits")).ok()?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    let soft = line.split_ascii_whitespace().next()?;
    Some(soft.parse().unwrap_or(u64::MAX))
}

fn files(sessions: usize, limit: u64, of_unit: Option<u64>) -> Diagnosis {
    const TOPIC: &str = "open files";
    let Some(shortage) = open_files::shortage(sessions, limit) else {
        return Diagnosis::good(TOPIC, format!("{limit} are enough for {sessions} sessions"));
    };
    let fit = shortage.sessions_that_fit();
    match of_unit.is_some_and(|asked| asked >= shortage.needed) {
        // Nothing in the unit helps, and what fits is served.
        true => Diagnosis::note(
            TOPIC,
            format!("this machine gives the service no more than {limit}: {fit} sessions at once are served"),
        )
        .with_cure(format!("if that is enough: sessions = {fit} in [admission]; if not: raise the hard limit of the machine or container")),
        false => Diagnosis::wrong(
            TOPIC,
            shortage.to_string(),
            unit::with_line("open-files", &format!("LimitNOFILE={}", shortage.needed)),
        ),
    }
}

/// Whether a service that does not run yet will find its directory.
fn directory(path: &Path) -> Option<Diagnosis> {
    const TOPIC: &str = "state";
    let shown = path.display();
    let make = format!("install -d -m 0700 -o {SERVICE} -g {SERVICE} {shown}");
    let Ok(metadata) = path.metadata() else {
        let message =
            format!("{shown} is not there; StateDirectory= in the unit makes it at the start");
        return Some(Diagnosis::note(TOPIC, message).with_cure(format!("without systemd: {make}")));
    };
    if !metadata.is_dir() {
        return Some(Diagnosis::wrong(
            TOPIC,
            format!("{shown} is no directory"),
            make,
        ));
    }
    let owner = User::from_name(SERVICE).ok().flatten()?;
    Some(match metadata.uid() == owner.uid.as_raw() {
        true => Diagnosis::good(TOPIC, format!("{shown} is {SERVICE}'s")),
        false => Diagnosis::wrong(
            TOPIC,
            format!("{shown} is not {SERVICE}'s"),
            format!("chown -R {SERVICE}: {shown}"),
        ),
    })
}

/// The ports of a Gatepost that does not run: nobody else may have them.
fn ports(config: &Config) -> Vec<Diagnosis> {
    let listening = sockets::listening();
    let taken = |port: u16| listening.iter().any(|socket| socket.port() == port);
    let told = |port: u16| match taken(port) {
        false => Diagnosis::good("port", format!("{port} is free")),
        true if unit::socket_has(port) => {
            Diagnosis::good("port", format!("gatepost.socket keeps {port} open"))
        }
        true => Diagnosis::wrong(
            "port",
            format!("{port} is taken by another program"),
            format!(
                "`ss -ltnp sport = :{port}` says which. If it is Postfix's master: `gatepost setup --apply` takes its entry \
                 away; then `systemctl start {SERVICE}`"
            ),
        ),
    };
    config
        .listeners
        .iter()
        .map(|listener| told(listener.address.port()))
        .collect()
}

/// The group that may use the operator's socket: the service must be in it, to give the socket to it.
fn group(name: &str) -> Diagnosis {
    const TOPIC: &str = "admin.group";
    let Some(group) = Group::from_name(name).ok().flatten() else {
        return Diagnosis::wrong(
            TOPIC,
            format!("this machine has no group {name}: Gatepost does not start"),
            format!("groupadd {name}, or another name in [admin] group"),
        );
    };
    let in_unit = unit::setting("SupplementaryGroups")
        .is_some_and(|said| said.split_ascii_whitespace().any(|one| one == name));
    let is_own = User::from_name(SERVICE)
        .ok()
        .flatten()
        .is_some_and(|user| user.gid == group.gid);
    match in_unit || is_own || group.mem.iter().any(|member| member == SERVICE) {
        true => Diagnosis::good(TOPIC, format!("the service is in {name}")),
        false => Diagnosis::wrong(
            TOPIC,
            format!("the service is not in the group {name}: it cannot give its socket to it"),
            unit::with_line("groups", &format!("SupplementaryGroups={name}")),
        ),
    }
}

/// Dates in certificates and in `until` are read by the wall clock.
fn clock() -> Option<Diagnosis> {
    let said = output_of("timedatectl", &["show", "-p", "NTPSynchronized", "--value"])?;
    match said.trim() {
        "yes" => Some(Diagnosis::good("clock", "it is synchronised")),
        "no" => Some(
            Diagnosis::note("clock", "it is not synchronised with the network's time")
                .with_cure("systemctl enable --now systemd-timesyncd; where there is none: apt install systemd-timesyncd"),
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::diagnosis::Condition;
    use super::*;

    #[test]
    fn the_limit_of_a_process_is_read_from_the_kernel() {
        let own = i32::try_from(std::process::id()).unwrap();
        let limit = limit_of(own).unwrap();
        let told = |sessions, limit, of_unit| files(sessions, limit, of_unit).state;
        assert_eq!(told(1, limit, None), Condition::Good);
        assert_eq!(told(20_000, 64, None), Condition::Wrong);
        assert_eq!(told(20_000, 64, Some(64)), Condition::Wrong);
        assert_eq!(told(20_000, 20_000, Some(65_536)), Condition::Note);
    }

    #[test]
    fn a_group_that_is_not_there_or_not_the_services_is_wrong() {
        assert!(group("no-such-group").message.contains("no group"));
        assert_eq!(group("bin").state, Condition::Wrong);
    }

    #[test]
    fn a_file_in_place_of_the_state_directory_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let state = |path: &Path| directory(path).map(|told| told.state);
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert_eq!(state(&file), Some(Condition::Wrong));
        assert_eq!(state(&folder.path().join("missing")), Some(Condition::Note));
    }
}
