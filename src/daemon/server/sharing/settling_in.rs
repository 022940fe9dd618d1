//! settling_in - whether the machines of a cluster settle in: what this one says of itself, and what the others have said
//!
//! One that does not settle in ends it here: the bound of the cluster is in force. This machine forgives nothing before all others
//! on the list have said that they settle in, for what one is silent about may be a bound that has been in force for years.
//! A sign of life says it, at once when it changes. Not here: what is forgiven (`gate::settling`), other things that are told (`telling`).

use std::collections::BTreeSet;
use std::time::Duration;

use tracing::info;

use crate::cluster::ClusterSettings;
use crate::cluster::common_clock::CommonClock;
use crate::cluster::message::{ClusterTold, SettlingTold};
use gatepost_core::gate::Gate;
use gatepost_core::moment::Moment;

/// From one sign of life to the next.
const HELLO: Duration = Duration::from_secs(60);
/// What a machine said so long before or after this moment is not said now: somebody repeats it.
const FRESH: Duration = Duration::from_secs(180);

/// When this machine has said last that it is there, and whether it had settled in then.
#[derive(Debug, Default)]
pub(super) struct SignOfLife(Option<(Moment, bool)>);

impl SignOfLife {
    /// What is to be said now, at `common` by the clock in common; it is said then.
    pub(super) fn due(
        &mut self,
        gate: &Gate,
        (now, common): (Moment, Moment),
    ) -> Option<ClusterTold> {
        let has_settled = gate.has_settled(now);
        let is_said = |(at, said)| now.since(at) < HELLO && said == has_settled;
        if self.0.is_some_and(is_said) {
            return None;
        }
        self.0 = Some((now, has_settled));
        Some(ClusterTold::Hello(match has_settled {
            true => SettlingTold::Settled(common),
            false => SettlingTold::Settles(common),
        }))
    }

    /// Somebody has not been told.
    pub(super) fn again(&mut self) {
        self.0 = None;
    }
}

/// The other machines that have not said that they settle in.
#[derive(Debug)]
pub(super) struct OthersSettling(BTreeSet<String>);

impl OthersSettling {
    /// Of a process that was told nothing.
    pub(super) fn new(settings: &ClusterSettings) -> Self {
        let others = settings.machines.iter();
        Self(
            others
                .filter(|one| **one != settings.name)
                .cloned()
                .collect(),
        )
    }

    /// A machine says whether it settles in.
    pub(super) fn note(
        &mut self,
        machine: &str,
        told: SettlingTold,
        gate: &Gate,
        (common, now): (CommonClock, Moment),
    ) {
        let is_now = |at| {
            let at = common.own(at);
            now.since(at).max(at.since(now)) < FRESH
        };
        match told {
            SettlingTold::Settled(at) if is_now(at) && !gate.has_settled(now) => {
                gate.finish_settling();
                info!(
                    machine,
                    "settling in is over: this machine of [cluster] does not settle in, so none does"
                );
            }
            SettlingTold::Settles(at) if is_now(at) => {
                if self.0.remove(machine) && self.0.is_empty() {
                    gate.others_settle();
                    if !gate.has_settled(now) {
                        info!("settling in: all other machines of [cluster] settle in too");
                    }
                }
            }
            SettlingTold::Unknown | SettlingTold::Settled(_) | SettlingTold::Settles(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepost_core::gate::Keys;
    use gatepost_core::gate::request::settings::GateSettings;

    const NOW: Moment = Moment::from_seconds(1_800_000_000);

    /// A gate that knows nobody, and is one of three machines.
    fn new_machine() -> (Gate, OthersSettling) {
        let mut settings = GateSettings::default();
        settings.capacity.clients = 20_000;
        let keys = Keys {
            users: [1; 16],
            passwords: [2; 16],
            table: [3; 16],
        };
        let gate = Gate::new(settings, keys, NOW);
        gate.settle_with_others();
        let others_settling = OthersSettling::new(&ClusterSettings {
            name: "mx1".to_owned(),
            machines: ["mx1", "mx2", "mx3"].map(str::to_owned).to_vec(),
            store: None,
            mesh: None,
            secret: None,
        });
        (gate, others_settling)
    }

    #[test]
    fn a_machine_forgives_nothing_before_all_others_have_said_that_they_settle_in() {
        let (gate, mut others_settling) = new_machine();
        let mut is_told = |machine, told| {
            others_settling.note(machine, told, &gate, (CommonClock::default(), NOW));
            gate.settles_until(NOW).is_some()
        };
        let settles = SettlingTold::Settles(NOW);
        assert!(!is_told("mx2", settles));
        assert!(!is_told("mx2", settles), "twice is one machine");
        assert!(!is_told("mx4", settles), "it is not on the list");
        assert!(!is_told("mx3", SettlingTold::Unknown));
        for repeated in [NOW - FRESH, NOW + FRESH] {
            assert!(!is_told("mx3", SettlingTold::Settles(repeated)));
        }
        assert!(is_told("mx3", settles));
        for repeated in [NOW - FRESH, NOW + FRESH] {
            assert!(is_told("mx4", SettlingTold::Settled(repeated)));
        }
        assert!(!is_told("mx4", SettlingTold::Settled(NOW)));
        assert!(!is_told("mx2", settles) && !is_told("mx3", settles));
        assert!(gate.has_settled(NOW));
    }

    #[test]
    fn a_machine_says_that_it_is_there_once_a_minute_and_at_once_when_it_has_settled_in() {
        let (gate, _) = new_machine();
        let mut sign = SignOfLife::default();
        let settles = |at| Some(ClusterTold::Hello(SettlingTold::Settles(at)));
        let later = NOW + HELLO;
        let common = later + FRESH;
        assert_eq!(sign.due(&gate, (NOW, NOW)), settles(NOW));
        assert_eq!(
            sign.due(&gate, (later - Duration::from_nanos(1), later)),
            None
        );
        assert_eq!(sign.due(&gate, (later, common)), settles(common));
        sign.again();
        assert_eq!(sign.due(&gate, (later, later)), settles(later));
        gate.finish_settling();
        let settled = ClusterTold::Hello(SettlingTold::Settled(later));
        assert_eq!(sign.due(&gate, (later, later)), Some(settled));
        assert_eq!(sign.due(&gate, (later, later)), None);
    }
}
