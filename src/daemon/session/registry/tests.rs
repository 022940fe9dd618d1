//! tests - who finds room, who gives way, who is expelled

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::drain::{self, Drain, Drainer};
use crate::net::splice::SpliceProgress;
use gatepost_core::gate::request::settings::GateSettings;
use gatepost_core::gate::{Gate, Keys};

mod elsewhere;

const NOW: Moment = Moment::from_seconds(1_800_000_000);
const MINUTE: Duration = Duration::from_secs(60);

/// A registry with a clock, and what its sessions do.
struct World {
    registry: Arc<SessionRegistry>,
    gate: Gate,
    _drainer: Drainer,
    drain: Drain,
    now: Moment,
    places: HashMap<(String, usize), SessionPlace>,
}

impl World {
    fn new(per_user: usize, processes: Option<usize>) -> Self {
        let keys = Keys {
            users: [1; 16],
            passwords: [2; 16],
            table: [3; 16],
        };
        let processes = ProcessSettings {
            limit: processes,
            ..ProcessSettings::default()
        };
        let settings = RegistrySettings {
            per_user,
            processes,
        };
        let (drainer, drain) = drain::channel();
        Self {
            registry: Arc::new(SessionRegistry::new(settings, drainer.recaller())),
            _drainer: drainer,
            drain,
            gate: Gate::new(GateSettings::default(), keys, NOW),
            now: NOW,
            places: HashMap::new(),
        }
    }

    fn user(&self, name: &str) -> UserId {
        self.gate.user_id(&named(name))
    }

    fn newcomer<'a>(&self, name: &'a UserName, from: &str) -> Newcomer<'a> {
        Newcomer {
            name,
            user: self.gate.user_id(name),
            own_limit: None,
            client: from.parse().unwrap(),
            epoch: self.drain.epoch(),
        }
    }

    /// Logs in once more. Postfix has said so: its client's turn.
    fn enter(&mut self, name: &str) -> Result<(), NoRoom> {
        let user = named(name);
        let newcomer = self.newcomer(&user, "203.0.113.7");
        let place = self.registry.enter(newcomer, self.now)?;
        place.control().tell(progress(30, true));
        let number = self.places.len();
        self.places.insert((name.to_owned(), number), place);
        Ok(())
    }

    /// Time goes by, in which these users' sessions send so many octets in each sample, to be answered.
    fn pass(&mut self, span: Duration, at_work: &[&str], octets: u64) {
        for _ in 0..span.as_secs() / SAMPLE.as_secs() {
            self.now = self.now + SAMPLE;
            for ((name, _), place) in &self.places {
                if at_work.contains(&name.as_str()) {
                    let so_far = place.control().progress().octets;
                    place.control().tell(progress(so_far + octets, true));
                }
            }
            self.registry.sample(self.now);
        }
    }

    fn held(&self, name: &str) -> usize {
        self.registry.of_user(self.user(name))
    }
}

fn named(name: &str) -> UserName {
    UserName::new(name.as_bytes())
}

fn progress(octets: u64, clients_turn: bool) -> SpliceProgress {
    SpliceProgress {
        octets,
        clients_turn,
    }
}

#[test]
fn a_user_has_so_many_sessions_and_one_that_was_silent_for_a_minute_gives_way() {
    let mut world = World::new(3, None);
    for _ in 0..3 {
        assert_eq!(world.enter("anna"), Ok(()));
    }
    assert_eq!(world.enter("anna"), Err(NoRoom::PerUser));
    assert_eq!(world.enter("bert"), Ok(()));
    world.pass(MINUTE - SAMPLE, &[], 0);
    assert_eq!(world.enter("anna"), Err(NoRoom::PerUser));
    world.pass(SAMPLE, &[], 0);
    assert_eq!(world.enter("anna"), Ok(()));
    assert_eq!(world.held("anna"), 3);
    world.pass(MINUTE * 10, &["anna"], 20);
    assert_eq!(world.enter("anna"), Err(NoRoom::PerUser), "all work");
    world.places.clear();
    assert_eq!(world.registry.logged_in(), 0);
    assert_eq!(world.enter("anna"), Ok(()));
}

#[test]
fn the_last_quarter_is_for_users_that_hold_fewer_than_two() {
    let mut world = World::new(20, Some(100));
    for account in 0..5 {
        for _ in 0..20 {
            let _ = world.enter(&format!("thief{account}"));
        }
    }
    // 75, and the two that the fifth account had of the reserve.
    assert_eq!(world.registry.logged_in(), 77);
    for user in 0..5 {
        for _ in 0..2 {
            assert_eq!(world.enter(&format!("user{user}")), Ok(()));
        }
        let third = world.enter(&format!("user{user}"));
        assert_eq!(third, Err(NoRoom::Processes));
    }
    assert_eq!(world.enter("user5"), Ok(()));
    assert_eq!(
        world.enter("user6"),
        Err(NoRoom::Processes),
        "all have just come"
    );
}

#[test]
fn nobody_without_a_session_is_kept_out_by_holders_of_many_accounts_whether_silent_or_busy() {
    for accounts in [5, 40, 50, 88, 1000] {
        for octets in [0, 20, 2_000_000] {
            let mut world = World::new(20, Some(100));
            let names: Vec<_> = (0..accounts)
                .map(|account| format!("thief{account}"))
                .collect();
            for name in names.iter().cycle().take(2000) {
                let _ = world.enter(name);
            }
            let at_work: Vec<_> = names.iter().map(String::as_str).collect();
            world.pass(MINUTE * 5, &at_work, octets);
            // An account each, all at work at full speed: as 88 honest users would be.
            let all_work = accounts >= 88 && octets > 2_500;
            let expected = if all_work {
                Err(NoRoom::Processes)
            } else {
                Ok(())
            };
            for user in 0..10 {
                assert_eq!(
                    world.enter(&format!("user{user}")),
                    expected,
                    "{accounts} {octets}"
                );
            }
            assert!(world.registry.logged_in() <= 88);
        }
    }
}

#[test]
fn one_account_of_many_names_is_one_account() {
    let mut world = World::new(20, Some(100));
    let names: Vec<_> = (0..200)
        .map(|domain| format!("thief@d{domain}.example"))
        .collect();
    for name in &names {
        let _ = world.enter(name);
    }
    assert_eq!(world.registry.logged_in(), 88);
    let at_work: Vec<_> = names.iter().map(String::as_str).collect();
    world.pass(MINUTE, &at_work, 2_000_000);
    assert_eq!(world.enter("anna"), Ok(()));
}

#[test]
fn who_holds_many_takes_nothing_from_the_owner_of_one_local_part_elsewhere() {
    let fill = |world: &mut World, accounts: &[&str]| {
        for account in accounts {
            for _ in 0..18 {
                assert_eq!(world.enter(account), Ok(()));
            }
        }
    };
    let (victim, like, others) = (
        "anna@example.org",
        "anna@evil.example",
        ["eve", "kurt", "mallory"],
    );
    // The sessions of the like name come with the rest, or have just come, and are not cut off.
    for (first, then) in [(&[like][..], &[][..]), (&[], &[like])] {
        let mut world = World::new(18, Some(98));
        assert_eq!(world.enter(victim), Ok(()));
        fill(&mut world, &others);
        fill(&mut world, first);
        let at_work = [victim, like, others[0], others[1], others[2]];
        world.pass(MINUTE + SAMPLE, &[victim], 2_000);
        world.pass(SAMPLE * 2, &at_work, 2_000_000);
        fill(&mut world, then);
        for _ in 0..18 {
            let _ = world.enter("ted");
        }
        assert!(world.held("ted") > 3);
        assert_eq!(world.held(victim), 1, "{first:?}");
    }
}

#[test]
fn of_names_that_count_together_the_one_that_holds_most_gives_way() {
    let mut world = World::new(3, Some(16));
    for name in ["info@a", "info@b", "info@c", "info@d", "info@e"] {
        assert_eq!(world.enter(name), Ok(()));
    }
    for name in ["info@c", "info@d", "info@d"] {
        assert_eq!(world.enter(name), Ok(()));
    }
    for name in ["v", "w", "x", "y", "z", "q"] {
        assert_eq!(world.enter(name), Ok(()));
    }
    // The three of one name work, all the others are silent.
    world.pass(MINUTE + SAMPLE, &["info@d"], 2_000_000);
    let held = |world: &World| {
        ["info@a", "info@b", "info@c", "info@d", "info@e"].map(|name| world.held(name))
    };
    for (new, left) in [
        ("n0", [1, 1, 2, 2, 1]),
        ("n1", [1, 1, 1, 2, 1]),
        ("n2", [1, 1, 1, 1, 1]),
    ] {
        assert_eq!(world.enter(new), Ok(()));
        // Of two names that hold as many, the silent one.
        assert_eq!(held(&world), left, "{new}");
    }
    assert_eq!(world.enter("n3"), Ok(()));
    assert_eq!(held(&world).iter().sum::<usize>(), 4, "as one user");
}

#[test]
fn one_name_that_comes_anew_all_the_time_hides_no_account_of_many_names() {
    let mut world = World::new(20, Some(100));
    let names: Vec<_> = (0..85)
        .map(|domain| format!("thief@d{domain}.example"))
        .collect();
    for name in &names {
        assert_eq!(world.enter(name), Ok(()));
    }
    let at_work: Vec<_> = names.iter().map(String::as_str).collect();
    world.pass(MINUTE, &at_work, 2_000_000);
    for _ in 0..3 {
        let _ = world.enter("thief@new.example");
    }
    assert_eq!(world.enter("anna"), Ok(()));
    assert_eq!(world.enter("bert"), Ok(()));
    assert_eq!(world.enter("carl"), Ok(()));
}

#[test]
fn a_session_at_work_stays_and_so_does_one_whose_postfix_is_at_work() {
    let mut world = World::new(20, Some(9));
    for name in ["a", "a", "a", "b", "c", "d", "e"] {
        assert_eq!(world.enter(name), Ok(()));
    }
    // Nobody has been silent for long.
    assert_eq!(world.enter("f"), Err(NoRoom::Processes));
    for place in world.places.values() {
        place.control().tell(progress(5_000, false));
    }
    world.pass(MINUTE - SAMPLE, &[], 0);
    assert_eq!(
        world.enter("f"),
        Err(NoRoom::Processes),
        "a filter takes its time"
    );
    // A minute later nothing has moved still, but for what one of many sends.
    world.pass(SAMPLE * 2, &["a"], 100_000);
    assert_eq!(world.enter("f"), Ok(()));
    assert_eq!(world.held("a"), 3);
}

#[test]
fn the_user_with_the_most_sessions_gives_way_first() {
    let mut world = World::new(20, Some(16));
    for name in [
        "b", "a", "a", "a", "a", "c", "d", "e", "g", "h", "i", "j", "k", "l",
    ] {
        assert_eq!(world.enter(name), Ok(()), "{name}");
    }
    world.pass(MINUTE, &[], 0);
    for left in (1..4).rev() {
        assert_eq!(world.enter(&format!("new{left}")), Ok(()));
        assert_eq!(world.held("a"), left);
    }
    assert_eq!(world.held("b"), 1);
}

#[test]
fn an_order_ends_whose_it_is_and_finds_those_that_are_on_their_way() {
    let mut world = World::new(20, None);
    let (anna, bert) = (named("anna"), named("bert"));
    let home = world.newcomer(&anna, "203.0.113.7");
    let away = world.newcomer(&anna, "198.51.100.7");
    let other = world.newcomer(&bert, "203.0.113.8");
    let network = home.client.network();
    let user = home.user;
    for (whose, ended) in [
        (Whose::User(user, None), [true, true, false]),
        (Whose::User(user, Some(network)), [true, false, false]),
        (
            Whose::Place(Subject::Client(home.client)),
            [true, false, false],
        ),
        (Whose::Place(Subject::Network(network)), [true, false, true]),
    ] {
        let before = [home, away, other].map(|one| Newcomer {
            epoch: world.drain.epoch(),
            ..one
        });
        let places = before.map(|one| world.registry.enter(one, world.now).unwrap());
        let count = ended.iter().filter(|ended| **ended).count();
        assert_eq!(world.registry.expel(whose), count, "{whose:?}");
        for (one, ended) in before.iter().zip(ended) {
            let late = world.registry.enter(*one, world.now).map(drop);
            assert_eq!(late.is_err(), ended, "{whose:?}");
            let anew = Newcomer {
                epoch: world.drain.epoch(),
                ..*one
            };
            assert!(world.registry.enter(anew, world.now).is_ok());
            // Before a login nobody knows whose session it is.
            let by_place = ended && matches!(whose, Whose::Place(_));
            let left = world.registry.was_expelled(one.client, one.epoch);
            assert_eq!(left, by_place, "{whose:?}");
            assert!(world.drain.epoch() > one.epoch, "nobody is called");
        }
        drop(places);
    }
    world.places.clear();
    assert_eq!(world.registry.logged_in(), 0);
}

#[test]
fn the_barred_are_ended_and_everybody_else_is_called_to_look() {
    let world = World::new(20, None);
    let anna = named("anna");
    let one = world.newcomer(&anna, "203.0.113.7");
    let other = world.newcomer(&anna, "198.51.100.7");
    let places = [one, other].map(|one| world.registry.enter(one, world.now).unwrap());
    let ended = world.registry.expel_barred(|client| client == one.client);
    assert_eq!((ended, world.registry.logged_in()), (1, 1));
    assert!(world.drain.epoch() > one.epoch);
    assert!(!world.registry.was_expelled(one.client, one.epoch));
    drop(places);
}

#[test]
fn a_session_that_began_before_all_remembered_orders_is_refused() {
    let world = World::new(20, None);
    let anna = named("anna");
    let old = world.newcomer(&anna, "203.0.113.7");
    for _ in 0..=ORDERS {
        let other = Subject::Client("192.0.2.1".parse().unwrap());
        world.registry.expel(Whose::Place(other));
    }
    let entered = world.registry.enter(old, world.now).map(drop);
    assert_eq!(entered, Err(NoRoom::Expelled));
    let new = world.newcomer(&anna, "203.0.113.7");
    assert!(world.registry.enter(new, world.now).is_ok());
}

#[test]
fn of_however_few_processes_one_is_left_to_check_a_password_and_one_to_the_probe() {
    for processes in 3..=20 {
        let mut world = World::new(4, Some(processes));
        let mut users = (0..).map(|n| format!("user{n}"));
        while world.enter(&users.next().unwrap()).is_ok() {}
        let held = world.registry.logged_in();
        assert!(held > 0 && held + 2 <= processes, "{held} of {processes}");
    }
}

#[test]
fn a_session_takes_little() {
    let held = size_of::<((UserId, u64), HeldSession)>() + size_of::<SpliceControl>();
    assert!(held <= 160, "{held} octets");
}

proptest! {
    /// Whatever comes and goes: nobody holds more than one may, and a place that is left is free.
    #[test]
    fn the_limits_hold(
        steps in proptest::collection::vec((0..12_usize, 0..4_u64, any::<bool>()), 1..200),
        processes in 1..20_usize,
    ) {
        let mut world = World::new(4, Some(processes));
        for (user, wait, leaves) in steps {
            let name = format!("user{user}");
            world.pass(SAMPLE * u32::try_from(wait).unwrap() * 4, &[], 0);
            if leaves {
                world.places.retain(|(holder, _), _| *holder != name);
                prop_assert_eq!(world.held(&name), 0);
            } else {
                let (before, all) = (world.held(&name), world.registry.logged_in());
                let entered = world.enter(&name);
                // Who holds nothing gets in while anybody holds two, and was silent for so long.
                prop_assert!(entered.is_ok() || before > 0 || wait == 0 || all <= 1);
            }
            prop_assert!(world.held(&name) <= 4);
            prop_assert!(world.registry.logged_in() <= processes.max(1));
        }
    }
}
