//! Claims about the traces themselves; what the gate makes of them stands in tests/integration.

use super::scenario::{SCENARIOS, Scenario};
use super::{Ablation, Beside, START, SimulationPlan};

const PLAN: SimulationPlan = SimulationPlan {
    mailboxes: 40,
    days: 2,
    seed: 1,
    daily: 8_000,
    pool: 10_000,
    without: None,
    beside: Beside::Nothing,
    machines: 1,
};

#[test]
fn every_scenario_has_a_name_of_its_own_and_is_found_by_it() {
    for scenario in SCENARIOS {
        let found = Scenario::named(scenario.name).unwrap();
        assert_eq!(found.about, scenario.about);
        assert!(
            scenario
                .name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c == '-' || c.is_numeric())
        );
    }
    assert!(Scenario::named("no such").is_none());
}

#[test]
fn a_trace_is_in_the_order_of_time_and_the_same_for_the_same_seed() {
    for scenario in SCENARIOS {
        let told = |plan: &SimulationPlan| {
            let cast = scenario.cast(plan);
            let mut told = Vec::new();
            for mut campaign in cast.campaigns {
                let mut last = START;
                while let Some(guess) = campaign.next(&cast.people) {
                    assert!(
                        guess.at >= last && guess.at < plan.end(),
                        "{}",
                        scenario.name
                    );
                    last = guess.at;
                    told.push((guess.at, guess.client, guess.user, guess.password));
                    if told.len() % 1_000 == 0 {
                        break;
                    }
                }
            }
            told
        };
        let other = SimulationPlan { seed: 2, ..PLAN };
        assert_eq!(told(&PLAN), told(&PLAN));
        let first = told(&PLAN);
        assert!(
            first.is_empty() || first != told(&other),
            "{}",
            scenario.name
        );
    }
}

#[test]
fn the_published_number_of_guesses_is_made() {
    let scenario = Scenario::named("pool-10k").unwrap();
    let mut cast = scenario.cast(&PLAN);
    let mut guesses = 0_u32;
    while cast.campaigns[0].next(&cast.people).is_some() {
        guesses += 1;
    }
    assert!((15_700..16_300).contains(&guesses), "{guesses} in two days");
}

#[test]
fn what_is_left_out_is_left_out_of_the_settings() {
    let scenario = Scenario::named("calm").unwrap();
    let whole = scenario.settings(&PLAN);
    for without in Ablation::ALL {
        let plan = SimulationPlan {
            without: Some(without),
            ..PLAN
        };
        assert_ne!(scenario.settings(&plan), whole, "{}", without.as_str());
    }
}
