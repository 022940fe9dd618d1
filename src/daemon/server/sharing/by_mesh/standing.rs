//! standing - how a machine stands in its mesh: who is linked, who is not, whether its name is its own
//!
//! Told to the log when it changes, and of one machine no more often than that lasts.
//! Not here: making links (`by_mesh`), showing it (`server::operator`).

use std::time::Duration;

use tracing::{error, info, warn};

use super::MeshSharer;
use crate::cluster::common_clock::CommonClock;
use crate::cluster::mesh::{MeshFacts, MeshLink};
use crate::cluster::message::ProcessId;
use gatepost_core::moment::Moment;

/// A machine that is without a link for less is not told of: links are made anew.
const GRACE: Duration = Duration::from_secs(2);
/// A machine that comes and goes is told of no more often.
const TOLD: Duration = Duration::from_secs(60);
/// A name is a machine's own again when nobody has said otherwise for so long.
const NAME_IS_FREE: Duration = Duration::from_secs(10);
/// Two processes that began within this began together.
const TOGETHER: Duration = Duration::from_secs(2);

impl MeshSharer {
    /// Looks how this machine stands, and tells what is new.
    pub(super) fn stand(&mut self, common: CommonClock) {
        let now = self.exchange.clock().now();
        let facts = self.health.get();
        for machine in self.others() {
            self.tell_of(&machine, &facts, now);
        }
        let missing = self.others().into_iter();
        let missing: Vec<String> = missing
            .filter(|one| !self.links.contains_key(one))
            .collect();
        let sharing = &self.exchange.health;
        let is_whole = self.links.values().all(|peer| peer.is_whole);
        sharing.set_whole(is_whole && !self.links.is_empty());
        if missing.is_empty() {
            if sharing.shares(common.ahead(), now) {
                let name = &self.context.name;
                info!(name, "this machine is linked with all others of [cluster]");
            }
        } else if now.since(self.began) >= GRACE {
            let why = without(&missing, &facts);
            match self.links.is_empty() {
                true => sharing.cut_off(why, now),
                false => sharing.shares_in_part(common.ahead(), why, now),
            };
        }
        self.stand_by_name(now);
    }

    /// Tells when a machine is linked, or is not.
    fn tell_of(&mut self, machine: &str, facts: &MeshFacts, now: Moment) {
        let link = facts.links.get(machine);
        if self.links.contains_key(machine) {
            let was_missed = self.missed.remove(machine);
            if let Some(link) = link.filter(|link| was_missed || now.since(link.since) < GRACE)
                && (was_missed || self.health.is_due(machine, "linked", now))
            {
                let (address, version) = (link.address, &link.version);
                info!(machine, %address, version, "linked with this machine of [cluster]");
            }
            return;
        }
        let since = link.map_or(self.began, |link| link.since);
        let is_known = self.missed.contains(machine);
        if is_known || now.since(since) < GRACE || !self.may_tell(now) {
            return;
        }
        self.missed.insert(machine.to_owned());
        let why = without(&[machine.to_owned()], facts);
        warn!(
            machine,
            "no link with this machine of [cluster]: {why}. Both go on with what they know, and tell each other the rest later"
        );
    }

    /// Whether another line about machines that come and go may be told.
    fn may_tell(&mut self, now: Moment) -> bool {
        let others = self.context.machines.len();
        self.told.retain(|at| now.since(*at) < TOLD);
        let may = self.told.len() < others;
        if may {
            self.told.push(now);
        }
        may
    }

    /// Without a name of its own a machine has no part of the shared buckets.
    fn stand_by_name(&self, now: Moment) {
        let said = self.taken.map(|at| now.since(at));
        let is_taken = said.is_some_and(|ago| ago < NAME_IS_FREE);
        let reference = self.context.common.reference();
        if !self.health.stands(is_taken, reference) {
            return;
        }
        self.exchange.gate().withhold_own_part(is_taken);
        let name = &self.context.name;
        match is_taken {
            true => error!(
                name,
                "another process has this machine's name in [cluster]: this one has nothing of the shared buckets"
            ),
            false => info!(name, "this machine's name in [cluster] is its own again"),
        }
    }

    /// Tells once an hour of a machine that has another list: then the parts are no whole.
    pub(super) fn compare_lists(&self, link: &MeshLink, now: Moment) {
        let other = &link.greeting;
        let is_same = other.list == self.context.list;
        if is_same || !self.health.is_due(&other.name, "list", now) {
            return;
        }
        let (machine, machines) = (&other.name, other.machines);
        warn!(
            machine,
            machines,
            "another list of machines in [cluster] there: until all lists are the same the bound is not what it should be"
        );
    }

    fn others(&self) -> Vec<String> {
        let all = self.context.machines.iter();
        all.filter(|one| **one != self.context.name)
            .cloned()
            .collect()
    }
}

/// Whether of two processes with one name the first one yields: the younger one does; of two that began together the one with
/// the larger number. So all machines decide alike.
pub(super) fn yields(one: (Moment, ProcessId), other: (Moment, ProcessId)) -> bool {
    let apart = one.0.since(other.0).max(other.0.since(one.0));
    match apart < TOGETHER {
        true => one.1 > other.1,
        false => one.0 > other.0,
    }
}

/// Why machines are not linked: what is known of each, and of the places where somebody else may be.
fn without(missing: &[String], facts: &MeshFacts) -> String {
    let of_machine = |name: &String| {
        let why = facts.links.get(name).and_then(|link| link.why.as_deref());
        why.map(|why| format!("{name}: {why}"))
    };
    let of_place = |(place, why): (&_, &Option<String>)| {
        let why = why.as_deref();
        why.map(|why| format!("{place}: {why}"))
    };
    let mut told: Vec<String> = missing.iter().filter_map(of_machine).collect();
    told.extend(facts.dialled.iter().filter_map(of_place));
    match told.is_empty() {
        true => format!("{} not reached", missing.join(", ")),
        false => told.join("; "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_processes_with_one_name_all_say_that_the_same_one_yields() {
        let now = Moment::from_seconds(1_800_000_000);
        let (low, high) = ([1; 16], [2; 16]);
        let almost = TOGETHER - Duration::from_nanos(1);
        for (one, other, expected) in [
            ((now, low), (now, high), false),
            ((now + almost, low), (now, high), false),
            ((now, low), (now + almost, high), false),
            ((now + TOGETHER, low), (now, high), true),
            ((now, low), (now + TOGETHER, high), false),
        ] {
            assert_eq!(yields(one, other), expected);
            assert_eq!(yields(other, one), !expected);
        }
    }
}
