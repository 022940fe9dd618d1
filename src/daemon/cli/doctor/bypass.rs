//! bypass - the ways round Gatepost: AUTH that something else offers to clients
//!
//! By Postfix's own files, entry by entry; on 465 and 587 also by who listens there.
//! Not here: the entry for Gatepost itself (`backend`).

use super::MailMachine;
use super::diagnosis::Diagnosis;
use super::sockets;
use crate::cli::postfix_files::{MasterEntry, PostfixFiles};

const TOPIC: &str = "ways round";

/// The ports of submission: what listens there beside us offers login.
const SUBMISSION: [u16; 2] = [465, 587];

pub(super) fn look(around: &MailMachine) -> Vec<Diagnosis> {
    let mut found = Vec::new();
    match &around.postfix {
        Some(files) => found.extend(by_entry(around, files)),
        None => found.push(Diagnosis::note(
            TOPIC,
            "postconf does not tell what Postfix offers on other ports",
        )),
    }
    found.extend(by_listener(around));
    if found.is_empty() {
        let message = "Postfix offers AUTH at no other entry";
        found.push(Diagnosis::good(TOPIC, message));
    }
    found
}

fn by_entry(around: &MailMachine, files: &PostfixFiles) -> Vec<Diagnosis> {
    let is_ours = |entry: &MasterEntry| {
        let mut upstreams = around.config.upstream.addresses.iter();
        upstreams.any(|address| files.entry_at(address) == Some(entry))
    };
    let offers = |entry: &&MasterEntry| files.offers_auth(entry) && !is_ours(entry);
    files.entries.iter().filter(offers).map(told).collect()
}

fn told(entry: &MasterEntry) -> Diagnosis {
    let name = entry.name();
    let (port, cure) = match entry.port() {
        Some(port) if SUBMISSION.contains(&port) => (
            format!("port {port}"),
            format!(
                "let Gatepost have the port ([[listen]] in gatepost.toml), and take the entry away: \
                 postconf -M# {name}; systemctl restart postfix"
            ),
        ),
        Some(port) => (format!("port {port}"), switch_off(&name)),
        // postscreen hands its clients to this one.
        None => ("port 25".to_owned(), switch_off(&name)),
    };
    let message = format!(
        "Postfix's entry {name} ({port}) offers AUTH itself: guesses there are not limited"
    );
    Diagnosis::wrong(TOPIC, message, cure)
}

fn switch_off(name: &str) -> String {
    format!("postconf -P {name}/smtpd_sasl_auth_enable=no; postfix reload")
}

fn by_listener(around: &MailMachine) -> Vec<Diagnosis> {
    let is_ours = |port: u16| {
        let mut listeners = around.config.listeners.iter();
        listeners.any(|listener| listener.address.port() == port)
    };
    let is_postfix = |port: u16| {
        let entries = around.postfix.iter().flat_map(|files| &files.entries);
        entries.into_iter().any(|entry| entry.port() == Some(port))
    };
    let listening = sockets::listening();
    let is_open = |port: &u16| {
        let mut sockets = listening.iter();
        sockets.any(|socket| socket.port() == *port && !socket.ip().is_loopback())
    };
    let other = |port: &u16| is_open(port) && !is_ours(*port) && !is_postfix(*port);
    let told = |port| {
        let message =
            format!("something that is neither Gatepost nor Postfix listens on port {port}");
        let cure = format!("`ss -ltnp sport = :{port}` says what; it must not offer login there");
        Diagnosis::wrong(TOPIC, message, cure)
    };
    SUBMISSION.into_iter().filter(other).map(told).collect()
}
