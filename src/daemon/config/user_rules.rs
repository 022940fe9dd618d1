//! user_rules - the tables `[[user]]`: what holds for one user alone
//!
//! Not here: what a rule refuses (`gate`), who has more sessions (`session::registry`).

use std::collections::HashMap;
use std::ops::Range;

use ipnet::IpNet;
use toml::Spanned;

use super::finding::{Findings, Remark};
use super::value::{DoorName, GivenList, Quoted, TomlTable};
use super::{networks, places, raw, rules};
use gatepost_core::gate::request::attempt::UserName;
use gatepost_core::gate::request::doors::Door;
use gatepost_core::gate::request::names::{NameFolding, NameSettings};
use gatepost_core::gate::request::user_rule::{Mailbox, UserRule};

type RawTable = Spanned<TomlTable<raw::RawUser>>;

/// The rules, of which each user has one at most.
pub(super) fn read(
    file: &raw::RawFile,
    names: &NameSettings,
    findings: &mut Findings,
) -> Vec<UserRule> {
    let folding = NameFolding::new(names);
    let mut seen: HashMap<UserName, Range<usize>> = HashMap::new();
    let mut read = Vec::new();
    for table in file.user.iter().flatten() {
        let Some(name) = name(table, findings) else {
            continue;
        };
        let folded = folding
            .fold(&UserName::new(name.get_ref().as_bytes()))
            .to_name();
        if let Some(first) = seen.insert(folded, name.span()) {
            let remark = Remark::at(name.span(), "this user has a rule already");
            findings.refuse(
                remark.beside(first, "here").help(
                    "write one table for each user; names that [names] makes one are one user",
                ),
            );
        }
        read.push(rule(file, table, name.get_ref(), findings));
    }
    read
}

fn name<'a>(table: &'a RawTable, findings: &mut Findings) -> Option<&'a Spanned<String>> {
    let Some(name) = &table.get_ref().name else {
        findings.missing_at(
            table.span(),
            "this rule names no user",
            "add name = \"scanner@example.org\"",
        );
        return None;
    };
    if let Err(why) = rules::check_name(name.get_ref()) {
        let remark = Remark::at(name.span(), format!("not a user's name: {why}"));
        findings.refuse(remark.help("write the name as a client sends it"));
        return None;
    }
    Some(name)
}

fn rule(file: &raw::RawFile, table: &RawTable, name: &str, findings: &mut Findings) -> UserRule {
    let given = table.get_ref();
    let sessions = given
        .sessions
        .is_some()
        .then(|| findings.number("user.sessions", &given.sessions, 20, 1..=1_000_000));
    let rule = UserRule {
        name: name.to_owned(),
        networks: networks(&given.networks, findings),
        countries: places::countries(file, &given.countries, findings),
        closed: closed(given, findings),
        sessions,
        mailbox: match given.decoy {
            true => Mailbox::Decoy,
            false => Mailbox::Real,
        },
    };
    let is_bare = UserRule {
        name: name.to_owned(),
        mailbox: rule.mailbox,
        ..UserRule::default()
    } == rule;
    match (rule.mailbox, is_bare) {
        (Mailbox::Decoy, false) => findings.refuse(
            Remark::at(
                table.span(),
                "a decoy is nobody's mailbox, and takes no other keys",
            )
            .help("leave decoy out for a mailbox that somebody has"),
        ),
        (Mailbox::Real, true) => {
            findings.warn(Remark::at(table.span(), "this rule says nothing").help(
                "add networks, countries, doors, not-doors, sessions or decoy, or remove the table",
            ))
        }
        _ => {}
    }
    rule
}

fn networks(given: &[Spanned<Quoted<IpNet>>], findings: &mut Findings) -> Vec<IpNet> {
    let mut list = Vec::new();
    for entry in given {
        let network = networks::network(entry, "leave the list out then", findings);
        list.extend(network.map(networks::widened));
    }
    list
}

/// The doors by which the user may not log in.
fn closed(given: &raw::RawUser, findings: &mut Findings) -> Vec<Door> {
    let listed = |list: &GivenList<Quoted<DoorName>>| -> Option<Vec<&'static str>> {
        let list = list.as_ref()?;
        Some(list.get_ref().iter().map(|one| one.get_ref().0.0).collect())
    };
    let closed = match (listed(&given.doors), listed(&given.not_doors)) {
        (None, None) => return Vec::new(),
        (Some(_), Some(_)) => {
            let span = given
                .not_doors
                .as_ref()
                .map(Spanned::span)
                .unwrap_or_default();
            let remark = Remark::at(
                span,
                "doors says all that are open, and not-doors all that are not",
            );
            findings.refuse(remark.help("keep one of the two"));
            return Vec::new();
        }
        (Some(open), None) => doors(|door| !open.contains(&door)),
        (None, Some(closed)) => doors(|door| closed.contains(&door)),
    };
    if closed.len() == Door::ALL.len() {
        let list = given.doors.as_ref().or(given.not_doors.as_ref());
        let span = list.map(Spanned::span).unwrap_or_default();
        let remark = Remark::at(span, "this user could not log in at all");
        findings.refuse(remark.help("lock the account in Dovecot's database instead"));
    }
    closed
}

fn doors(is_closed: impl Fn(&str) -> bool) -> Vec<Door> {
    let doors = Door::ALL.into_iter();
    doors.filter(|door| is_closed(door.as_str())).collect()
}
