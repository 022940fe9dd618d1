//! backend - the Postfix behind Gatepost: can it be used, who can reach it, and what may a stranger do there
//!
//! Not here: what makes it usable (`net::upstream`), its process limit (`config`).

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::MailMachine;
use super::diagnosis::Diagnosis;
use super::sockets;
use crate::cli::postfix_files::{MasterEntry, PostfixFiles};
use crate::clock::Clock;
use crate::net::upstream::{
    Announce, Deadlines, Processes, StrangerReplies, Upstream, UpstreamAddress, UpstreamFault,
    Usability,
};

/// An address of documentation (RFC 5737), which no client has.
const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

pub(super) async fn look(around: &MailMachine) -> Vec<Diagnosis> {
    let settings = around.config.upstream.clone();
    let announce = settings.announce;
    let processes = Processes::new(around.config.processes, Arc::default());
    let upstream = Upstream::new(settings, Deadlines::default(), processes, Clock::start());
    // What came of it is read below.
    let _ = upstream.probe().await;
    let files = around.postfix.as_ref();
    let usability = upstream.usability();
    let mut found: Vec<Diagnosis> = usability.map(|one| usable(files, one)).collect();
    let addresses = around.config.upstream.addresses.iter();
    found.extend(addresses.filter_map(|address| reach(files, address)));
    if let Some(files) = files {
        let addresses = around.config.upstream.addresses.iter();
        found.extend(addresses.filter_map(|address| entry(files, address)));
    }
    if upstream.is_up() {
        let local = upstream.try_stranger(Ipv4Addr::LOCALHOST.into()).await;
        found.extend(local.iter().map(|trial| relaying(files, trial)));
        if announce != Announce::Nothing {
            let nobody = upstream.try_stranger(NOBODY).await;
            found.extend(nobody.iter().filter_map(address_seen));
        }
    }
    found
}

fn usable(
    files: Option<&PostfixFiles>,
    (address, usability): (&UpstreamAddress, Usability),
) -> Diagnosis {
    const TOPIC: &str = "backend";
    match usability {
        Usability::Usable { .. } => Diagnosis::good(TOPIC, format!("{address} can be used")),
        Usability::Unknown => Diagnosis::note(TOPIC, format!("{address} was not asked")),
        Usability::Unusable { complaint, .. } => {
            let message = format!("{address} cannot be used: {}", complaint.reason);
            let cure = complaint.cure.unwrap_or("see the mail log").to_owned();
            let cure = match entry_of(files, address) {
                Some(name) if !complaint.options.is_empty() => set(&name, complaint.options),
                _ => cure,
            };
            Diagnosis::wrong(TOPIC, message, cure)
        }
    }
}

/// Who can connect to it, as the kernel says.
fn reach(files: Option<&PostfixFiles>, address: &UpstreamAddress) -> Option<Diagnosis> {
    const TOPIC: &str = "backend's port";
    let UpstreamAddress::Tcp(own) = address else {
        return None;
    };
    if !own.ip().is_loopback() {
        let message =
            format!("{address} is no loopback address: a firewall must keep others away from it");
        return Some(Diagnosis::note(TOPIC, message));
    }
    let listening = sockets::listening();
    let mut there = listening
        .iter()
        .filter(|socket| socket.port() == own.port());
    let open = there.find(|socket| !socket.ip().to_canonical().is_loopback());
    Some(match open {
        None => Diagnosis::good(
            TOPIC,
            format!("{address} is reached from this machine only"),
        ),
        Some(open) => Diagnosis::wrong(
            TOPIC,
            format!(
                "Postfix listens at {open}: anybody who can connect there logs in past Gatepost"
            ),
            match entry_of(files, address) {
                Some(name) => {
                    format!("postconf -F {name}/service={own}; systemctl restart postfix")
                }
                None => format!("whatever listens there must do so at {own} only"),
            },
        ),
    })
}

/// What its entry should have, beside what makes it usable.
fn entry(files: &PostfixFiles, address: &UpstreamAddress) -> Option<Diagnosis> {
    const TOPIC: &str = "backend's entry";
    /// Postfix's default: mails of 10 MB.
    const LEAST: u64 = 20_000_000;
    let entry = files.entry_at(address)?;
    let size: u64 = files.of(entry, "message_size_limit").parse().ok()?;
    let small = size > 0 && size < LEAST;
    Some(match small {
        false => Diagnosis::good(
            TOPIC,
            format!("{} takes mails of {size} octets", entry.name()),
        ),
        true => Diagnosis::note(TOPIC, format!("mails above {size} octets are refused"))
            .with_cure("postconf -e message_size_limit=52428800; postfix reload"),
    })
}

type RelayTrial<'a> = (&'a UpstreamAddress, Result<StrangerReplies, UpstreamFault>);

/// The name of Postfix's entry at an address, as postconf takes it.
fn entry_of(files: Option<&PostfixFiles>, address: &UpstreamAddress) -> Option<String> {
    files?.entry_at(address).map(MasterEntry::name)
}

/// What the entry must have, so that who has not logged in may do nothing.
const RESTRICTIONS: [&str; 3] = [
    "smtpd_client_restrictions=permit_sasl_authenticated,reject",
    "smtpd_relay_restrictions=permit_sasl_authenticated,reject",
    "smtpd_recipient_restrictions=permit_sasl_authenticated,reject",
];

/// The command that sets options of an entry.
fn set(name: &str, options: &[&str]) -> String {
    let options: Vec<_> = options.iter().map(|one| format!("{name}/{one}")).collect();
    format!("postconf -P {}; postfix reload", options.join(" "))
}

fn relaying(files: Option<&PostfixFiles>, (address, tried): &RelayTrial<'_>) -> Diagnosis {
    const TOPIC: &str = "relaying";
    match tried {
        Ok(replies) if replies.relays => Diagnosis::wrong(
            TOPIC,
            format!(
                "{address} relays for 127.0.0.1 without a login: everybody who reaches it has an open relay"
            ),
            match entry_of(files, address) {
                Some(name) => set(&name, &RESTRICTIONS),
                None => format!("its entry needs {}", RESTRICTIONS.join(" ")),
            },
        ),
        Ok(replies) => Diagnosis::good(
            TOPIC,
            format!("{address} relays nothing without a login: {}", replies.last),
        ),
        Err(fault) => Diagnosis::note(TOPIC, format!("{address} could not be tried: {fault}")),
    }
}

/// Which address Postfix believes to speak to, where its refusal has it.
fn address_seen((address, tried): &RelayTrial<'_>) -> Option<Diagnosis> {
    const TOPIC: &str = "client's address";
    let reply = &tried.as_ref().ok()?.last;
    let seen = reply.lines().find_map(bracketed)?;
    Some(match seen == NOBODY {
        true => Diagnosis::good(
            TOPIC,
            format!("{address} takes the address that is announced"),
        ),
        false => Diagnosis::wrong(
            TOPIC,
            format!("{address} was announced a client at {NOBODY}, and sees {seen}"),
            "look what stands between Gatepost and this Postfix: it must pass the PROXY header on",
        ),
    })
}

/// The address in `<unknown[192.0.2.1]>: Client host rejected`.
fn bracketed(line: &str) -> Option<IpAddr> {
    let mut parts = line.split('[').skip(1);
    parts.find_map(|part| part.split_once(']')?.0.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_that_postfix_sees_stands_in_its_refusal() {
        let seen = |line| bracketed(line).map(|address| address.to_string());
        let line = "5.7.1 <unknown[192.0.2.1]>: Client host rejected: Access denied";
        assert_eq!(seen(line).as_deref(), Some("192.0.2.1"));
        assert_eq!(seen("<localhost[::1]>: Client").as_deref(), Some("::1"));
        assert_eq!(seen("5.7.1 [no] address [here"), None);
    }
}
