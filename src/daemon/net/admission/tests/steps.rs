//! steps - in whatever order connections come, log in and go, every count holds

use super::*;

#[derive(Clone, Copy, Debug)]
enum AdmissionStep {
    Enter(u32, Standing),
    LogIn(usize),
    Progress(usize, ConnectionStage),
    Leave(usize),
}

/// Which caps a connection counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counting {
    Nowhere,
    ForNetwork,
    ForClient,
}

impl Counting {
    fn of(standing: Standing) -> Self {
        match standing {
            Standing::Allow => Self::Nowhere,
            Standing::Familiar => Self::ForNetwork,
            _ => Self::ForClient,
        }
    }
}

fn step() -> impl Strategy<Value = AdmissionStep> {
    let standing = prop_oneof![
        4 => Just(Standing::Stranger),
        2 => Just(Standing::Familiar),
        1 => Just(Standing::Allow),
    ];
    prop_oneof![
        5 => (0u32..600, standing).prop_map(|(number, standing)| AdmissionStep::Enter(number, standing)),
        1 => (0usize..64).prop_map(AdmissionStep::LogIn),
        2 => (0usize..64, prop_oneof![Just(ConnectionStage::Spoken), Just(ConnectionStage::Secured)])
            .prop_map(|(at, progress)| AdmissionStep::Progress(at, progress)),
        2 => (0usize..64).prop_map(AdmissionStep::Leave),
    ]
}

proptest! {
    #[test]
    fn limits_hold_and_every_place_is_freed_once_in_any_order_of_events(
        sessions in 1usize..40,
        steps in proptest::collection::vec(step(), 1..300),
    ) {
        let admission = of(&AdmissionSettings { per_client: 6, per_network: 20, ..settings(sessions) });
        let mut held: Vec<(Slot, Counting)> = Vec::new();
        let mut logins = 0;
        for step in steps {
            match step {
                AdmissionStep::Enter(number, standing) => {
                    if let Ok(slot) = admission.admit(client(number), standing, NOW) {
                        held.push((slot, Counting::of(standing)));
                    }
                }
                AdmissionStep::LogIn(at) if at < held.len() => {
                    held[at].0.logged_in();
                    held[at].1 = Counting::Nowhere;
                    logins += 1;
                }
                AdmissionStep::Progress(at, progress) if at < held.len() => held[at].0.progressed(progress),
                AdmissionStep::Leave(at) if at < held.len() => drop(held.swap_remove(at)),
                AdmissionStep::LogIn(_) | AdmissionStep::Leave(_) | AdmissionStep::Progress(..) => {}
            }
            prop_assert_eq!(admission.counts().held, held.len());
            // Those that gave way to their own count in their place.
            prop_assert!(held.len() <= sessions + sessions / 8 + EVICTION_SLACK + logins);
            let pending = held.iter().filter(|(slot, _)| !is_evicted(slot));
            let mut clients: HashMap<ClientKey, u32> = HashMap::new();
            let mut networks: HashMap<_, u32> = HashMap::new();
            for (slot, counting) in pending {
                *clients.entry(slot.client).or_default() += u32::from(*counting == Counting::ForClient);
                *networks.entry(slot.client.network()).or_default() += u32::from(*counting != Counting::Nowhere);
            }
            prop_assert!(clients.values().all(|count| *count <= 6));
            prop_assert!(networks.values().all(|count| *count <= 20));
        }
        drop(held);
        prop_assert!(admission.0.connections().is_empty());
    }
}
