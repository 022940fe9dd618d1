//! simulate - what the manual promises, seen under synthetic attacks, and the command that shows them
//!
//! Shorter and smaller than `gatepost simulate` plays them by default: a few days, and botnets of a
//! thousand addresses where a returning one is meant. The pool of a million has its million.
//! Not here: that a trace is what it says (`src/lab/traffic/tests.rs`), single rules (`src/gate/tests`).

use std::num::NonZeroU32;
use std::process::{Command, Output};

use gatepost_lab::models::{self, Modelled};
use gatepost_lab::simulate::pictures::picture;
use gatepost_lab::traffic::gate_policy::GatePolicy;
use gatepost_lab::traffic::machines::{MachinesPolicy, Troubles};
use gatepost_lab::traffic::promise::bound;
use gatepost_lab::traffic::report::Report;
use gatepost_lab::traffic::run::run;
use gatepost_lab::traffic::scenario::{CROWDS, SCENARIOS, Scenario};
use gatepost_lab::traffic::{Ablation, Beside, SimulationPlan};

/// Every kind of guess that the manual names for travellers.
const KINDS: [&str; 10] = [
    "loud",
    "swarm",
    "pool-10k",
    "spray-rows-1k",
    "spray-rows-20k",
    "spray-any-1k",
    "spray-any-20k",
    "name-year",
    "unique",
    "hidden",
];

const SMALL: SimulationPlan = SimulationPlan {
    mailboxes: 40,
    days: 4,
    seed: 1,
    daily: 8_000,
    pool: 1_000,
    without: None,
    beside: Beside::Nothing,
    machines: 1,
};

const LARGE: SimulationPlan = SimulationPlan {
    mailboxes: 10_000,
    days: 2,
    ..SMALL
};

/// Never the same address twice.
const FRESH: SimulationPlan = SimulationPlan {
    pool: 1 << 30,
    ..SMALL
};

#[track_caller]
fn play(name: &str, plan: &SimulationPlan) -> Report {
    let scenario = Scenario::named(name).unwrap();
    run(
        scenario,
        plan,
        &mut GatePolicy::new(scenario.settings(plan)),
    )
}

#[track_caller]
fn travellers(name: &str, plan: &SimulationPlan) -> f64 {
    play(name, plan).far.first_try_percent().unwrap()
}

#[test]
fn every_promise_is_kept_and_familiar_users_are_refused_by_a_guesser_in_their_own_network_alone() {
    for scenario in SCENARIOS {
        let name = scenario.name;
        let report = play(name, &SMALL);
        assert!(report.broken.is_empty(), "{name}: {:?}", report.broken);
        assert!(report.visits() > 500, "{name}");
        match name {
            "inside" => assert!(report.home.refused > 0),
            _ => assert_eq!(report.home.refused, 0, "{name}"),
        }
    }
}

#[test]
fn a_pool_of_a_million_addresses_gets_no_more_guesses_than_the_bound() {
    for mailboxes in [40, 10_000] {
        let plan = SimulationPlan { mailboxes, ..LARGE };
        let report = play("pool-1m", &plan);
        assert!(report.guesses.tried > 60_000, "{}", report.guesses.tried);
        let worst = report.guesses.worst_day;
        assert!(worst <= bound(mailboxes, 0), "{mailboxes}: {worst}");
        assert!(report.guesses.worst_account <= 48);
        assert!(report.home.refused == 0 && report.near.refused == 0);
    }
}

#[test]
fn over_all_doors_together_a_botnet_gets_no_more_than_the_bound_and_nobody_who_reads_is_refused() {
    // A small server's are among all scenarios.
    let report = play("doors", &LARGE);
    let guesses = &report.guesses;
    assert!(report.broken.is_empty(), "{:?}", report.broken);
    assert!(guesses.tried > 14_000, "{guesses:?}");
    assert!(guesses.worst_day <= bound(10_000, 0), "{guesses:?}");
    // 500 people look every five minutes.
    assert!(report.home.all > 500 * 140 * 2, "{}", report.home.all);
    assert_eq!((report.home.refused, report.near.refused), (0, 0));
}

#[test]
fn at_all_doors_together_frequent_passwords_get_what_words_get_at_smtp() {
    let report = play("doors-words", &SMALL);
    let guesses = &report.guesses;
    // 48 a day and one for each that was paid in advance.
    assert!((30..=60).contains(&guesses.worst_day), "{guesses:?}");
    assert_eq!(report.refused(), 0);
}

#[test]
fn the_bound_is_the_manuals_formula() {
    assert_eq!((bound(40, 0), bound(10_000, 0)), (1_872, 61_632));
    assert_eq!(
        bound(40, 5),
        1_882,
        "two more for each account that logs in where guesses come from"
    );
}

#[test]
fn accounts_of_an_attacker_that_vouch_for_their_own_addresses_raise_the_bound_by_two_each() {
    for mailboxes in [40, 10_000] {
        let plan = SimulationPlan {
            mailboxes,
            days: if mailboxes == 40 { 4 } else { 2 },
            ..LARGE
        };
        let report = play("twenty-accounts", &plan);
        let guesses = &report.guesses;
        assert!(report.broken.is_empty(), "{mailboxes}: {:?}", report.broken);
        assert!((15..=20).contains(&guesses.vouching), "{guesses:?}");
        assert!(guesses.worst_day <= bound(mailboxes, 20), "{guesses:?}");
        assert!(guesses.worst_account <= 72, "{guesses:?}");
    }
}

#[test]
fn an_ipv6_32_that_takes_another_48_for_every_try_gets_360_guesses_a_day() {
    let report = play("ipv6-prefixes", &SMALL);
    let guesses = &report.guesses;
    assert!(guesses.tried > 30_000, "{guesses:?}");
    assert!((1..=360).contains(&guesses.worst_region), "{guesses:?}");
    assert_eq!(report.refused(), 0);
}

/// A crowd, calm and beside an attack. Two days hold its first logins and a day of others.
#[track_caller]
fn crowd(name: &str) -> [Report; 2] {
    [Beside::Nothing, Beside::Guesses].map(|beside| {
        let plan = SimulationPlan {
            mailboxes: Scenario::named(name).and_then(Scenario::users).unwrap(),
            days: 2,
            beside,
            machines: 1,
            ..SMALL
        };
        let report = play(name, &plan);
        assert!(report.broken.is_empty(), "{name}: {:?}", report.broken);
        assert_eq!(report.later.never + report.first.never, 0, "{name}");
        report
    })
}

#[test]
fn a_crowd_behind_one_address_is_let_in_calm_and_beside_an_attack() {
    for name in ["office-10", "old-phones-inside", "commuters", "conference"] {
        for report in crowd(name) {
            assert!(report.first.all >= 200, "{name}: {:?}", report.first);
            assert!(report.first.refused <= 3, "{name}: {:?}", report.first);
        }
    }
}

#[test]
fn an_infected_pc_in_a_known_office_keeps_out_none_of_its_newcomers_for_good() {
    let [calm, attacked] = crowd("infected-inside");
    assert_eq!((calm.first.all, attacked.first.all), (20, 20));
    assert!(calm.guesses.tried > 1_500, "{:?}", calm.guesses);
}

#[test]
fn the_models_of_what_is_in_use_shut_a_crowd_out_or_let_a_botnet_in() {
    let plan = SimulationPlan {
        mailboxes: 300,
        days: 1,
        beside: Beside::Guesses,
        ..SMALL
    };
    let scenario = Scenario::named("office-10").unwrap();
    for model in models::all() {
        let report = run(scenario, &plan, &mut Modelled::new(model));
        let shut_out = report.first.refused * 10 > report.first.all;
        let guesses = &report.guesses;
        let let_in = guesses.reached * 2 > guesses.tried;
        assert!(shut_out || let_in, "{}: {guesses:?}", report.policy);
    }
}

#[test]
fn of_100_travellers_95_get_in_at_once_under_every_kind_of_guess_on_a_small_server() {
    for kind in KINDS {
        let percent = travellers(kind, &SMALL);
        assert!(percent >= 95.0, "{kind}: {percent:.1}");
    }
}

#[test]
fn of_100_travellers_95_get_in_at_once_under_every_kind_of_guess_on_a_large_server() {
    let plan = SimulationPlan {
        pool: 1 << 30,
        ..LARGE
    };
    for kind in ["pool-10k", "spray-any-20k", "name-year", "unique", "hidden"] {
        let percent = travellers(kind, &plan);
        assert!(percent >= 95.0, "{kind}: {percent:.1}");
    }
}

/// How many travellers get in with the whole gate, and without a part of it.
#[track_caller]
fn with_and_without(part: Ablation, name: &str, plan: &SimulationPlan) -> (f64, f64) {
    let less = SimulationPlan {
        without: Some(part),
        ..*plan
    };
    (travellers(name, plan), travellers(name, &less))
}

#[test]
fn without_folding_names_with_years_shut_travellers_out() {
    let (whole, less) = with_and_without(Ablation::Folding, "name-year", &FRESH);
    assert!(whole >= 95.0 && less < 50.0, "{whole:.1} {less:.1}");
}

#[test]
fn without_the_list_a_long_dictionary_shuts_more_travellers_out() {
    let plan = SimulationPlan { days: 8, ..FRESH };
    let (whole, less) = with_and_without(Ablation::List, "spray-rows-20k", &plan);
    assert!(whole >= 95.0 && less < whole, "{whole:.1} {less:.1}");
}

#[test]
fn without_a_bucket_for_unknown_users_their_names_shut_travellers_out() {
    let (whole, less) = with_and_without(Ablation::Unknown, "pool-10k", &FRESH);
    assert!(whole >= 95.0 && less < 80.0, "{whole:.1} {less:.1}");
}

#[test]
fn without_scaling_unique_passwords_shut_a_large_servers_travellers_out() {
    let plan = SimulationPlan {
        pool: 1 << 30,
        ..LARGE
    };
    let (whole, less) = with_and_without(Ablation::Scaling, "unique", &plan);
    assert!(whole >= 95.0 && less < 80.0, "{whole:.1} {less:.1}");
}

#[test]
fn without_newcomers_a_botnet_that_comes_back_shuts_travellers_out() {
    let (whole, less) = with_and_without(Ablation::Newcomers, "unique", &SMALL);
    assert!(whole >= 95.0 && less < 20.0, "{whole:.1} {less:.1}");
}

#[test]
fn without_autonomous_systems_those_who_travel_within_their_carrier_are_shut_out() {
    let plan = SimulationPlan {
        mailboxes: 200,
        days: 2,
        ..FRESH
    };
    let (whole, less) = with_and_without(Ablation::Systems, "carriers", &plan);
    assert!(whole >= 80.0 && less < 20.0, "{whole:.1} {less:.1}");
}

#[test]
fn on_the_day_of_the_install_nobody_honest_is_refused_learnt_or_not() {
    for name in ["install", "install-learnt"] {
        for plan in [SMALL, SimulationPlan { days: 1, ..LARGE }] {
            let report = play(name, &plan);
            assert!(report.guesses.tried > 0 && report.visits() > 500);
            assert_eq!(report.refused(), 0, "{name}, {}", plan.mailboxes);
        }
    }
}

#[test]
fn nothing_is_refused_when_settling_in_ends() {
    let plan = SimulationPlan { days: 9, ..SMALL };
    let report = play("install", &plan);
    assert_eq!(report.refused(), 0);
    // From the eighth day on the shared buckets are meant.
    let late = report.course.last().unwrap();
    assert!(late.reached * 4 < late.tried, "{late:?}");
}

#[test]
fn an_offices_phone_and_infected_pc_refuse_nobody_and_dovecot_is_asked_once_a_minute_at_most() {
    let plan = SimulationPlan { days: 7, ..SMALL };
    let report = play("office", &plan);
    assert_eq!(report.refused(), 0);
    let guesses = &report.guesses;
    let reached = guesses.reached + guesses.again;
    assert!(
        reached * 10 < guesses.tried,
        "the PC is not let alone: {guesses:?}"
    );
    assert_eq!(report.bans, 0, "its colleagues are familiar there");
    assert!(report.old_phones.tries > 9_000, "{:?}", report.old_phones);
    // The gate keeps the times by the second.
    assert!(
        report.old_phones.shortest >= Some(59),
        "{:?}",
        report.old_phones
    );
}

#[test]
fn the_owner_of_an_account_under_attack_logs_in_at_home_and_near_at_once() {
    // The only mailbox, so that every login is the victim's.
    let plan = SimulationPlan {
        mailboxes: 1,
        days: 30,
        pool: 10_000,
        ..SMALL
    };
    let report = play("one-account", &plan);
    assert!(report.home.all > 50 && report.near.all > 20);
    assert_eq!((report.home.refused, report.near.refused), (0, 0));
    assert!(
        report.guesses.worst_account <= 24,
        "{}",
        report.guesses.worst_account
    );
}

#[test]
fn strangers_repetitions_reach_postfix_at_most_8_640_times_a_day() {
    let report = play("oracle", &SMALL);
    let most = 8_640 * u64::from(SMALL.days) + 20;
    assert!(report.guesses.again > 1_000 && report.guesses.again <= most);
}

#[test]
fn a_restart_or_a_kill_forgets_no_ban_and_grants_no_guess() {
    let report = play("restart", &SMALL);
    assert!(report.bans > 50);
    assert_eq!(report.bans_lost, 0);
    assert!(report.guesses.worst_day <= bound(40, 0));
}

#[test]
fn the_same_seed_tells_the_same_story_and_another_seed_another() {
    let told = |seed| {
        let plan = SimulationPlan {
            seed,
            days: 2,
            ..SMALL
        };
        serde_json::to_string(&play("pool-10k", &plan)).unwrap()
    };
    assert_eq!(told(1), told(1));
    assert_ne!(told(1), told(2));
}

#[test]
fn the_models_stop_the_loud_one_or_lock_out_the_owner_and_none_stops_a_pool() {
    let plan = SimulationPlan { days: 2, ..FRESH };
    let scenario = Scenario::named("unique").unwrap();
    for model in models::all() {
        let mut policy = Modelled::new(model);
        let report = run(scenario, &plan, &mut policy);
        assert!(report.bound.is_none() && report.broken.is_empty());
        let reached = report.guesses.reached;
        // Who limits by address sees ever new ones; who limits by user locks the travellers out, too.
        assert!(
            reached > 15_000 || report.far.refused * 2 > report.far.all,
            "{}: {reached}, {:?}",
            report.policy,
            report.far
        );
    }
}

#[test]
fn a_picture_is_well_formed_and_names_all_it_shows() {
    let plan = SimulationPlan { days: 2, ..SMALL };
    let gate = play("pool-10k", &plan);
    let drawn = picture("a < b & c", &[&gate]).unwrap();
    assert!(drawn.starts_with("<svg ") && drawn.ends_with("</svg>\n"));
    assert!(drawn.contains("a &lt; b &amp; c") && drawn.contains("bound 1,872"));
    assert!(!drawn.contains("NaN") && !drawn.contains("inf"));
    assert_eq!(drawn.matches('<').count(), drawn.matches('>').count());
    assert_eq!(picture("nothing", &[]), None);
}

fn gatepost(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatepost"));
    command.arg("simulate").args(words).output().unwrap()
}

#[track_caller]
fn printed(words: &[&str]) -> String {
    let output = gatepost(words);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{told}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_command_prints_tables_json_markdown_and_pictures() {
    let calm = ["--scenario", "calm", "--quick", "--days", "1"];
    let with = |more: &[&str]| printed(&[&calm, more].concat());
    assert!(with(&[]).contains("40 mailboxes, 1 day\n"));
    assert!(with(&["--markdown", "--against"]).contains("| fail2ban, increments |"));
    assert!(with(&["--without-each"]).contains("without folding"));
    let json: serde_json::Value = serde_json::from_str(&with(&["--json"])).unwrap();
    assert_eq!(json["runs"][0]["scenario"], "calm");
    assert_eq!(json["broken"], 0);
    let folder = tempfile::tempdir().unwrap();
    with(&["--svg", folder.path().to_str().unwrap()]);
    assert!(folder.path().join("calm-40.svg").is_file());
}

#[test]
fn the_command_lists_its_scenarios_and_refuses_others() {
    let list = printed(&["--list"]);
    assert_eq!(list.lines().count(), SCENARIOS.len() + CROWDS.len());
    let refused = gatepost(&["--scenario", "nonsense"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--list"));
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let quick = [
        "--scenario",
        "calm",
        "--quick",
        "--days",
        "1",
        "--svg",
        "/dev/null/x",
    ];
    let output = gatepost(&quick);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/dev/null/x"));
}

/// What several machines let through, whatever breaks between them, and what broke.
#[track_caller]
fn play_several(name: &str, plan: &SimulationPlan) -> (Report, Troubles) {
    let scenario = Scenario::named(name).unwrap();
    let machines = NonZeroU32::new(plan.machines).unwrap();
    let mut policy = MachinesPolicy::new(&scenario.settings(plan), machines, plan.seed);
    let report = run(scenario, plan, &mut policy);
    (report, policy.troubles())
}

#[test]
fn several_machines_that_are_cut_off_and_lose_their_store_keep_the_bound_of_one() {
    for (name, machines) in [("pool-10k", 2), ("unique", 5), ("restart", 20)] {
        let plan = SimulationPlan {
            machines,
            days: 5,
            ..SMALL
        };
        let (report, troubles) = play_several(name, &plan);
        let most = bound(plan.mailboxes, report.guesses.vouching * machines as usize);
        let day = report.guesses.worst_day;
        assert!(day <= most, "{name}: {day} of {most}");
        assert!(day > most / 8, "{name}: {day} of {most} is no attack");
        assert!(troubles.cuts >= u64::from(machines), "{troubles:?}");
        assert!(troubles.outages > 0 && troubles.lost > 0, "{troubles:?}");
    }
}

#[test]
fn machines_that_each_have_the_whole_break_the_bound_and_the_command_says_so() {
    let plan = SimulationPlan {
        machines: 5,
        days: 3,
        ..SMALL
    };
    let scenario = Scenario::named("unique").unwrap();
    let whole = |_| GatePolicy::new(scenario.settings(&plan));
    let each: u64 = (0..plan.machines)
        .map(whole)
        .map(|mut policy| run(scenario, &plan, &mut policy).guesses.worst_day)
        .sum();
    assert!(each > bound(plan.mailboxes, 0), "{each}");
    let several = [
        "--machines",
        "3",
        "--quick",
        "--days",
        "2",
        "--scenario",
        "unique",
    ];
    let text = printed(&several);
    assert!(text.contains("unique: 3 machines, cut off "), "{text}");
}
