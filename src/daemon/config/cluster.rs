//! cluster - the section `[cluster]`: the machines that have one bound together
//!
//! Not here: the store's address (`lender`), their links (`mesh`), how they divide the bound (`gate::buckets::division`).

use std::num::NonZeroU32;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;

use super::claims::Claims;
use super::finding::{Findings, Remark};
use super::{lender, mesh, raw};
use crate::cluster::ClusterSettings;
use gatepost_core::gate::buckets::quota::Division;
use gatepost_core::gate::buckets::spec::BUCKETS;
use gatepost_core::gate::request::settings::Quotas;

/// More machines than anybody has for submission.
const MOST: usize = 1_000;

/// A name with more letters than this is none (RFC 1035 section 2.3.4).
const LONGEST_NAME: usize = 253;

/// The machines, and how this one divides with them; none: it is alone. `hostname` is its name if the section has none.
pub(super) fn read(
    given: &raw::RawCluster,
    hostname: &str,
    limits: &Quotas,
    folder: &Path,
    claims: &mut Claims,
    findings: &mut Findings,
) -> (Option<ClusterSettings>, Division) {
    const ALONE: (Option<ClusterSettings>, Division) = (None, Division::Alone);
    let store = lender::read(given, folder, claims, findings);
    let listed = given.machines.as_ref();
    let Some(listed) = listed.filter(|listed| !listed.get_ref().is_empty()) else {
        refuse_without_machines(given, findings);
        return ALONE;
    };
    let machines = names(listed, findings);
    let own = given.name.as_ref();
    let own = own.filter(|name| !name.get_ref().is_empty());
    let name = own
        .map_or(hostname, |own| own.get_ref())
        .to_ascii_lowercase();
    let count = u32::try_from(machines.len()).unwrap_or(u32::MAX);
    let Some(count) = NonZeroU32::new(count).filter(|count| count.get() > 1) else {
        let remark = Remark::at(listed.span(), "one machine shares its bound with nobody");
        findings.refuse(
            remark.help("write the names of two machines or more, or leave the list empty"),
        );
        return ALONE;
    };
    let is_listed = machines.contains(&name);
    if !is_listed {
        let span = own.map_or(listed.span(), Spanned::span);
        judge_guest(&name, span, store.is_some(), findings);
    }
    let division = match (&store, is_listed) {
        (None, _) => Division::Split(count),
        (Some(_), true) => Division::Lent(count),
        (Some(_), false) => Division::Guest(count),
    };
    // A store that is refused says enough.
    if store.is_some()
        || given
            .store
            .as_ref()
            .is_none_or(|store| store.get_ref().is_empty())
    {
        judge_parts(listed.span(), division, limits, findings);
    }
    let settings = ClusterSettings {
        name,
        machines,
        secret: lender::secret(given, folder, findings),
        mesh: mesh::read(given, claims, findings),
        store,
    };
    (Some(settings), division)
}

/// A machine that is not on the list owns nothing.
fn judge_guest(name: &str, span: Range<usize>, has_store: bool, findings: &mut Findings) {
    let message = format!("this machine, {name:?}, is not one of cluster.machines");
    match has_store {
        true => findings.warn(Remark::at(span, message).help(
            "it will have what the store lends, and nothing when the store is away; write its name there too if it is to stay",
        )),
        false => findings.missing_at(
            span,
            &message,
            "write the names of all machines, this one too, or set cluster.name to the one that is this machine",
        ),
    }
}

/// The names in lower case, in the order of the alphabet, each once.
fn names(listed: &Spanned<Vec<Spanned<String>>>, findings: &mut Findings) -> Vec<String> {
    let mut names = Vec::new();
    for one in listed.get_ref() {
        let name = one.get_ref().to_ascii_lowercase();
        let fits =
            |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_');
        if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(fits) {
            let message = format!("{:?} is no name of a machine", one.get_ref());
            findings.refuse(
                Remark::at(one.span(), message)
                    .help("write letters, digits, \".\", \"-\" and \"_\""),
            );
        } else if names.contains(&name) {
            let remark = Remark::at(one.span(), "this machine is named twice");
            findings
                .refuse(remark.help("once is enough: each name stands for a part of the bound"));
        }
        names.push(name);
    }
    if names.len() > MOST {
        let message = format!("there are more than {MOST} machines");
        findings.refuse(Remark::at(listed.span(), message).help("check the list"));
    }
    names.sort_unstable();
    names.dedup();
    names
}

fn refuse_without_machines(given: &raw::RawCluster, findings: &mut Findings) {
    let peers = given.peers.as_ref();
    let peers = peers.filter(|peers| !peers.get_ref().is_empty());
    let keys = [
        ("name", &given.name),
        ("store", &given.store),
        ("password-file", &given.password_file),
        ("ca", &given.ca),
        ("secret-file", &given.secret_file),
        ("listen", &given.listen),
    ];
    let given = keys.into_iter().filter_map(|(key, value)| {
        let value = value.as_ref().filter(|value| !value.get_ref().is_empty())?;
        Some((key, value.span()))
    });
    for (key, span) in given.chain(peers.map(|peers| ("peers", peers.span()))) {
        findings.missing_at(
            span,
            &format!("cluster.{key} is of no use without machines"),
            "add machines = [\"mx1\", \"mx2\"] with the names of all",
        );
    }
}

/// Refuses buckets of which a machine would never have a token, and warns of those where it would have none when
/// it is cut off.
fn judge_parts(span: Range<usize>, division: Division, limits: &Quotas, findings: &mut Findings) {
    let machines = division.machines();
    for spec in BUCKETS.iter().filter(|spec| spec.is_shared()) {
        let quota = limits.of(spec.bucket).base;
        let key = spec.key;
        let is_owned = !matches!(division, Division::Guest(_)) && division.owned(quota.burst) > 0;
        let is_lent = division.lendable(quota) > 0;
        let (message, help) = match (division, is_owned, is_lent) {
            (Division::Split(_), false, _) => (
                format!(
                    "{machines} machines divide limits.{key}, which has a burst of {}: each would have nothing",
                    quota.burst
                ),
                "give that bucket a burst of one token for each machine at least, or add cluster.store",
            ),
            (Division::Lent(_) | Division::Guest(_), _, false) => (
                format!(
                    "limits.{key}, with a burst of {}, is too small to be lent to {machines} machines",
                    quota.burst
                ),
                "give that bucket a larger burst",
            ),
            (Division::Lent(_), false, true) => {
                let message = format!(
                    "limits.{key}, with a burst of {}, is too small for {machines} machines: when the store is away each has nothing of it",
                    quota.burst
                );
                let help = "give that bucket a burst of more tokens than there are machines";
                findings.warn(Remark::at(span.clone(), message).help(help));
                continue;
            }
            _ => continue,
        };
        findings.refuse(Remark::at(span.clone(), message).help(help));
    }
}
