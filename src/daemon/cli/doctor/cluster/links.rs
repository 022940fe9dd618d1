//! links - the machines that are linked directly: whether each is, and why not
//!
//! The running Gatepost says it: a second process that dialled the others would be refused, for its name is taken.
//! Not here: machines with a store (`cluster`).

use super::super::diagnosis::Diagnosis;
use super::{CLOCKS, MACHINES};
use crate::admin::message::{ClusterMessage, LinkMessage, MeshMessage, PeerMessage};

const LINKS: &str = "cluster's links";

/// What the running Gatepost says of its links. None: it does not run, or was started without them.
pub(super) fn look(running: Option<&ClusterMessage>) -> Vec<Diagnosis> {
    let Some((cluster, mesh)) = running.and_then(|all| Some((all, all.mesh.as_ref()?))) else {
        let message = "nobody can say which machines are linked: gatepost does not run with links";
        let note = Diagnosis::note(LINKS, message);
        return vec![note.with_cure("systemctl start gatepost, then ask again")];
    };
    let mut found: Vec<Diagnosis> = cannot_listen(mesh).into_iter().collect();
    found.extend(mesh.without.iter().map(in_vain));
    found.extend(mesh.links.iter().filter_map(as_link));
    found.extend(as_clock(cluster, mesh));
    if found.is_empty() {
        let total = cluster.machines.len();
        let message = format!("all {total} machines are linked, with the same list");
        found.push(Diagnosis::good(MACHINES, message));
    }
    found
}

fn cannot_listen(mesh: &MeshMessage) -> Option<Diagnosis> {
    let (listen, why) = (mesh.listen.as_ref()?, mesh.unbound.as_ref()?);
    Some(Diagnosis::wrong(
        LINKS,
        format!("it cannot listen for the other machines on {listen}: {why}"),
        "is the address one of this machine's, and does another program have the port (ss -ltnp)? See listen in [cluster]",
    ))
}

/// Several of `peers` may be names of one machine: the reason says which it is.
fn in_vain(peer: &PeerMessage) -> Diagnosis {
    let (address, reason) = (&peer.address, &peer.reason);
    let cure = match reason.contains("another secret") {
        true => {
            "the same content of secret-file on all machines, then restart the one that was changed"
        }
        false => {
            "does gatepost run there, with links, and does a firewall let this machine reach it? Until then each goes on with its own part"
        }
    };
    Diagnosis::wrong(LINKS, format!("no link with {address}: {reason}"), cure)
}

fn as_link(link: &LinkMessage) -> Option<Diagnosis> {
    let name = link.name.escape_default();
    match (link.linked, link.same_list) {
        (true, Some(false)) => Some(Diagnosis::wrong(
            MACHINES,
            format!("{name} has another list of machines: the parts are no whole"),
            "the same machines = [...] in the same order on each, then restart them one after another",
        )),
        (true, _) => None,
        (false, _) => {
            let why = link
                .reason
                .as_deref()
                .unwrap_or("it never was since the start");
            let message = format!("{name} is not linked: {why}");
            Some(Diagnosis::note(MACHINES, message).with_cure(
                "if it is gone for good: take it out of machines = [...] on all, or its part of the shared buckets is nobody's",
            ))
        }
    }
}

fn as_clock(cluster: &ClusterMessage, mesh: &MeshMessage) -> Option<Diagnosis> {
    let ahead = cluster.sharing.as_ref()?.clock_ahead_s;
    let way = if ahead > 0 { "ahead of" } else { "behind" };
    let message = format!(
        "that of {} is {} s {way} this machine's",
        mesh.clock,
        ahead.unsigned_abs()
    );
    (ahead.unsigned_abs() > CLOCKS.as_secs()).then(|| {
        Diagnosis::wrong(
            "cluster's clock",
            message,
            "set the one that is wrong: apt install systemd-timesyncd. The bound holds whatever clocks show, but times in logs and \
             reports do not agree",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::diagnosis::Condition;
    use super::*;
    use crate::admin::message::SharingMessage;

    fn cluster(links: Vec<LinkMessage>, without: Vec<PeerMessage>, ahead: i64) -> ClusterMessage {
        ClusterMessage {
            machines: vec!["mx1".to_owned(), "mx2".to_owned()],
            sharing: Some(SharingMessage {
                clock_ahead_s: ahead,
                ..SharingMessage::default()
            }),
            mesh: Some(MeshMessage {
                clock: "mx2".to_owned(),
                links,
                without,
                ..MeshMessage::default()
            }),
            ..ClusterMessage::default()
        }
    }

    fn link(linked: bool, same_list: bool) -> LinkMessage {
        LinkMessage {
            name: "mx2\u{1b}[2J".to_owned(),
            linked,
            same_list: Some(same_list),
            ..LinkMessage::default()
        }
    }

    #[track_caller]
    fn says(running: Option<&ClusterMessage>, state: Condition, words: &str) {
        let found = look(running);
        let fits = |one: &&Diagnosis| one.state == state && one.message.contains(words);
        assert!(found.iter().any(|one| fits(&one)), "{words}: {found:#?}");
        assert_eq!(found.len(), 1, "{found:#?}");
    }

    #[test]
    fn each_machine_that_is_not_linked_or_has_another_list_is_named() {
        let of = |linked, same| cluster(vec![link(linked, same)], Vec::new(), 0);
        says(Some(&of(true, true)), Condition::Good, "all 2 machines");
        says(
            Some(&of(true, false)),
            Condition::Wrong,
            "mx2\\u{1b}[2J has another list",
        );
        says(Some(&of(false, true)), Condition::Note, "it never was");
        says(None, Condition::Note, "nobody can say");
    }

    #[test]
    fn a_place_that_is_dialled_in_vain_has_its_reason_and_clocks_may_differ_by_five_seconds() {
        let peer = |reason: &str| PeerMessage {
            address: "mx2.example.org:4652".to_owned(),
            reason: reason.to_owned(),
        };
        let secret = cluster(Vec::new(), vec![peer("it has another secret")], 0);
        let found = look(Some(&secret));
        assert!(found.iter().any(|one| {
            one.cure
                .as_deref()
                .is_some_and(|cure| cure.contains("secret-file"))
        }));
        says(
            Some(&secret),
            Condition::Wrong,
            "mx2.example.org:4652: it has another",
        );
        let clock = |ahead| cluster(vec![link(true, true)], Vec::new(), ahead);
        says(Some(&clock(-5)), Condition::Good, "all 2");
        says(Some(&clock(-6)), Condition::Wrong, "6 s behind");
        says(Some(&clock(6)), Condition::Wrong, "6 s ahead of");
    }
}
