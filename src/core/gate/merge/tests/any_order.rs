//! any_order - facts in whichever order and however often: the machines agree

use proptest::prelude::*;

use super::*;

fn users() -> impl Strategy<Value = UserId> {
    (1..4_u64).prop_map(|n| UserId(n << 32 | n))
}

fn networks() -> impl Strategy<Value = NetworkKey> + Clone {
    (0..3_u8).prop_map(|n| ClientKey::V4(u32::from_be_bytes([198, 51, n, 1])).network())
}

/// Facts of the last hours, by hand and by logins.
fn facts() -> impl Strategy<Value = Change> {
    let at = (0..7200_u64).prop_map(|ago| NOW - SECOND * ago as u32);
    let subject = networks().prop_map(Subject::Network);
    let fact = prop_oneof![
        (users(), networks(), 0..7200_u32).prop_map(|(user, network, ago)| {
            let last = NOW.as_seconds() as u32 - ago;
            Fact::PairFamiliar(PairLogin {
                user,
                network,
                last,
            })
        }),
        (users(), 0..7200_u32).prop_map(|(user, ago)| {
            let last = NOW.as_seconds() as u32 - ago;
            Fact::UserKnown(UserLogin { user, last })
        }),
        (users(), proptest::option::of(networks()))
            .prop_map(|(user, network)| Fact::TrustRevoked(Revocation { user, network })),
        users().prop_map(|user| Fact::UserForgotten(ForgottenUser(user))),
        (subject.clone(), 0..7200_u32).prop_map(|(subject, left)| {
            Fact::BanBegan(BanStart {
                subject,
                until: NOW + SECOND * left,
                cause: BanCause::Operator,
                mode: Mode::Enforce,
                strikes: 0,
            })
        }),
        subject.prop_map(|subject| Fact::BanEnded(BanEnd {
            subject,
            why: BanEnding::Lifted
        })),
    ];
    // Of one ban no two changes have the same moment.
    (at, fact, 0..1_000_000_u64)
        .prop_map(|(at, fact, nanos)| Change::here(at + Duration::from_nanos(nanos), fact))
}

proptest! {
    #[test]
    fn in_whichever_order_and_however_often_the_machines_are_told_they_agree(
        (facts, order) in proptest::collection::vec(facts(), 1..24).prop_flat_map(|facts| {
            let twice: Vec<usize> = (0..facts.len()).chain(0..facts.len()).collect();
            (Just(facts), Just(twice).prop_shuffle())
        })
    ) {
        let (one, other) = (gate(), gate());
        let mut changes = Vec::new();
        for fact in &facts {
            one.merge(fact, NOW, &mut changes);
        }
        for place in order {
            other.merge(&facts[place], NOW, &mut changes);
        }
        let told = |gate: &Gate| {
            let mut all = known(gate, NOW);
            // What is remembered of shorter and longer bans differs; which are in force does not.
            all.retain(|fact| !fact.contains("BanEnded"));
            all
        };
        prop_assert_eq!(told(&one), told(&other));
    }
}
