//! rules - the keys of the policy: bans, traps, lists, capacities
//!
//! The defaults are the gate's own (`gate::request::settings`).
//! Not here: the buckets (`limits`), names (`names`), the other sections (`sections`), the `users` file (`inspect`).

use std::time::Duration;

use toml::Spanned;

use super::bounds::{DAY, SECOND, shown};
use super::finding::{Findings, Remark};
use super::limits;
use super::networks::{self, NetworkLists};
use super::raw;
use super::value::GivenList;
use gatepost_core::gate::request::names::NameSettings;
use gatepost_core::gate::request::place::PlaceRules;
use gatepost_core::gate::request::settings::{BanSettings, Capacity, GateSettings, Mode, Traps};

/// RFC 5321 section 4.5.3.1.2, and more than any mailbox name.
pub(super) const LONGEST_NAME: usize = 255;

/// The gate's settings; `users`, `names`, and what needs them stay as they are without a config.
pub(super) fn gate(file: &raw::RawFile, findings: &mut Findings) -> GateSettings {
    let defaults = GateSettings::default();
    let capacity = capacity(&file.capacity, defaults.capacity, findings);
    let NetworkLists { allow, deny, only } = networks::lists(&file.networks, findings);
    GateSettings {
        nonce: None,
        mode: if file.dry_run {
            Mode::DryRun
        } else {
            Mode::Enforce
        },
        settling: findings.time(
            "settling",
            &file.settling,
            defaults.settling,
            Duration::ZERO..=DAY * 365,
        ),
        names: NameSettings::default(),
        users: Vec::new(),
        limits: limits::read(&file.limits, capacity, findings),
        division: defaults.division,
        bans: bans(&file.bans, defaults.bans, findings),
        traps: Traps {
            users: trap_names(
                "traps.users",
                &file.traps.users,
                defaults.traps.users,
                findings,
            ),
            helo: trap_names(
                "traps.helo",
                &file.traps.helo,
                defaults.traps.helo,
                findings,
            ),
        },
        allow,
        deny,
        only,
        places: PlaceRules::default(),
        user_rules: Vec::new(),
        stolen: defaults.stolen,
        capacity,
        ladder: defaults.ladder,
    }
}

fn bans(given: &raw::RawBans, defaults: BanSettings, findings: &mut Findings) -> BanSettings {
    let bans = BanSettings {
        strikes: findings.number("bans.strikes", &given.strikes, defaults.strikes, 0..=100),
        first: findings.time(
            "bans.first",
            &given.first,
            defaults.first,
            SECOND..=DAY * 365,
        ),
        longest: findings.time(
            "bans.longest",
            &given.longest,
            defaults.longest,
            SECOND..=DAY * 365,
        ),
    };
    if bans.longest < bans.first
        && let Some(span) = given
            .longest
            .as_ref()
            .or(given.first.as_ref())
            .map(Spanned::span)
    {
        findings.refuse(
            Remark::at(span, "the longest ban is shorter than the first one").help(format!(
                "bans.first is \"{}\" and bans.longest \"{}\": exchange them",
                shown(bans.first),
                shown(bans.longest)
            )),
        );
    }
    bans
}

fn capacity(given: &raw::RawCapacity, defaults: Capacity, findings: &mut Findings) -> Capacity {
    let bounds = 1_000..=100_000_000;
    Capacity {
        clients: findings.number(
            "capacity.clients",
            &given.clients,
            defaults.clients,
            bounds.clone(),
        ),
        pairs: findings.number("capacity.pairs", &given.pairs, defaults.pairs, bounds),
    }
}

/// Names that an attacker uses, in lower case, as the gate counts them.
fn trap_names(
    key: &str,
    given: &GivenList<String>,
    default: Vec<String>,
    findings: &mut Findings,
) -> Vec<String> {
    let Some(given) = given else { return default };
    let mut names = Vec::new();
    for name in given.get_ref() {
        match check_name(name.get_ref()) {
            Ok(()) => names.push(name.get_ref().to_ascii_lowercase()),
            Err(why) => findings.refuse(
                Remark::at(name.span(), format!("not a name for {key}: {why}"))
                    .help("write the name as a client sends it"),
            ),
        }
    }
    names
}

/// Whether `name` can be the name of a user; if not, why.
pub(super) fn check_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        Err("it is empty")
    } else if name.len() > LONGEST_NAME {
        Err("it is longer than 255 octets")
    } else if name.chars().any(char::is_control) {
        Err("it has control characters in it")
    } else if name.chars().any(char::is_whitespace) {
        Err("it has a blank in it")
    } else {
        Ok(())
    }
}
