//! properties - whatever machines do and lose: no window sees more spent than one machine alone would

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Take(usize, KeptPart),
    GiveBack(usize, usize),
    Pass(u64),
    Ask(usize),
    Arrive(usize),
    Answer(usize),
    Exchange(usize),
    LoseQuestion(usize),
    LoseAnswer(usize),
    Crash(usize),
    Stop(usize),
    LoseBucket,
}

fn kept() -> impl Strategy<Value = KeptPart> {
    prop_oneof![
        Just(KeptPart::Nothing),
        Just(KeptPart::Sixth),
        Just(KeptPart::Third)
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let machine = || 0usize..5;
    let step = prop_oneof![
        40 => (machine(), kept()).prop_map(|(machine, kept)| Step::Take(machine, kept)),
        15 => (machine(), 0usize..6).prop_map(|(machine, which)| Step::GiveBack(machine, which)),
        12 => (0u64..9_000).prop_map(Step::Pass),
        10 => machine().prop_map(Step::Ask),
        10 => (0usize..4).prop_map(Step::Arrive),
        10 => (0usize..4).prop_map(Step::Answer),
        20 => machine().prop_map(Step::Exchange),
        2 => (0usize..4).prop_map(Step::LoseQuestion),
        2 => (0usize..4).prop_map(Step::LoseAnswer),
        1 => machine().prop_map(Step::Crash),
        1 => machine().prop_map(Step::Stop),
        1 => Just(Step::LoseBucket),
    ];
    prop::collection::vec(step, 1..400)
}

fn play(cluster: &mut Cluster, steps: Vec<Step>) {
    for step in steps {
        match step {
            Step::Take(machine, kept) => {
                cluster.take(machine, kept);
            }
            Step::GiveBack(machine, which) => cluster.give_back(machine, which),
            Step::Pass(millis) => cluster.pass(Duration::from_millis(millis)),
            Step::Ask(machine) => cluster.ask(machine),
            Step::Arrive(which) => cluster.arrive(which),
            Step::Answer(which) => cluster.answer(which),
            Step::Exchange(machine) => cluster.exchange(machine),
            Step::LoseQuestion(which) => {
                let lost = which < cluster.questions.len();
                lost.then(|| cluster.questions.swap_remove(which));
            }
            Step::LoseAnswer(which) => {
                let lost = which < cluster.answers.len();
                lost.then(|| cluster.answers.swap_remove(which));
            }
            Step::Crash(machine) => cluster.crash(machine),
            Step::Stop(machine) => cluster.stop(machine),
            Step::LoseBucket => cluster.lender.lose_all(),
        }
    }
}

fn sizes() -> impl Strategy<Value = (u32, u64, u32, u32)> {
    (2u32..40, 1u64..30, 1u32..5, 0u32..2)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_window_sees_more_than_one_machine_alone_would_spend(
        (burst, seconds, number, guests) in sizes(),
        mut steps in steps(),
    ) {
        steps.retain(|step| !matches!(step, Step::GiveBack(..)));
        let every = Duration::from_secs(seconds);
        let mut cluster = Cluster::new(limit(burst, every), number, guests);
        play(&mut cluster, steps);
        for (first, from) in cluster.spent.iter().enumerate() {
            for (last, to) in cluster.spent.iter().enumerate().skip(first) {
                let back = to.since(*from).as_nanos() / every.as_nanos();
                let most = u128::from(burst) + back;
                prop_assert!((last - first + 1) as u128 <= most, "{} of {most}", last - first + 1);
            }
        }
    }

    #[test]
    fn giving_back_never_gives_more_than_was_taken_at_any_machine(
        (burst, seconds, number, guests) in sizes(),
        steps in steps(),
    ) {
        let every = Duration::from_secs(seconds);
        let mut cluster = Cluster::new(limit(burst, every), number, guests);
        play(&mut cluster, steps);
        let spent = cluster.spent.len() as u64 - cluster.given_back;
        let passed = cluster.now.since(START).as_nanos() / every.as_nanos();
        let most = u64::from(burst) + u64::try_from(passed).unwrap() + 1;
        prop_assert!(spent <= most, "{spent} of {most}");
    }
}
