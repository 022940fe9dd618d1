//! several - what machines that tell one another what they have spent let through at one account, together
//!
//! Not here: the buckets that all clients share (`buckets::division`), facts (`merge`).

use std::num::NonZeroU32;

use proptest::prelude::*;

use super::kit::*;
use crate::gate::buckets::key::Key;
use crate::gate::buckets::quota::{BucketQuota, Division};
use crate::gate::buckets::spec::Bucket;
use crate::gate::request::attempt::AuthOutcome;
use crate::gate::request::verdict::Reason;
use crate::gate::spent::{SPENT_RECORD, SpentRecord, SpentTime, UserDebt, read};
use crate::moment::Moment;

/// Of one user from far: tokens, and one an hour.
const BURST: usize = 10;

/// Machines that know anna.
struct Machines {
    worlds: Vec<World>,
    /// What each was told and has not read yet.
    unread: Vec<Vec<(Moment, Vec<SpentTime>)>>,
    guesses: usize,
}

impl Machines {
    fn new(number: u32) -> Self {
        let world = |_| {
            let mut settings = settings();
            settings.division = Division::Split(NonZeroU32::new(number).unwrap());
            // What all clients share is another matter.
            for bucket in [Bucket::Strangers, Bucket::Near] {
                let grow = |quota: &mut BucketQuota| quota.base.burst = 1_000_000;
                settings.limits.change(bucket, grow);
            }
            let world = World::new(settings);
            world.befriend("anna", HOME);
            world.gate.begin_telling_spent();
            world
        };
        Self {
            worlds: (0..number).map(world).collect(),
            unread: vec![Vec::new(); number as usize],
            guesses: 0,
        }
    }

    /// A guess at anna from a fresh network; whether Postfix was asked.
    fn guess(&mut self, machine: usize) -> bool {
        let n = self.guesses;
        self.guesses += 1;
        let from = format!("10.{}.{}.1", n / 256 % 256, n % 256);
        let password = format!("Zwiebel{n}kuchen{n}fest");
        let fate = self.worlds[machine].guess(&from, "anna", &password);
        matches!(fate, Fate::Asked(_))
    }

    /// How many guesses get through at this machine until one does not.
    fn guess_all(&mut self, machine: usize) -> usize {
        (0..).take_while(|_| self.guess(machine)).count()
    }

    /// Every machine but one that is cut off tells what it has spent, and reads what it was told.
    fn tell_but(&mut self, cut_off: Option<usize>) {
        for number in (0..self.worlds.len()).filter(|number| Some(*number) != cut_off) {
            let world = &self.worlds[number];
            let spent = over_the_wire(world.gate.take_spent(usize::MAX, world.now), 3600);
            let others = self.unread.iter_mut().enumerate();
            let others = others.filter(|(other, _)| *other != number);
            others.for_each(|(_, unread)| unread.push((world.now, spent.clone())));
        }
        for number in (0..self.worlds.len()).filter(|number| Some(*number) != cut_off) {
            let world = &self.worlds[number];
            for (at, spent) in self.unread[number].drain(..) {
                world.gate.merge_spent(&spent, at, world.now);
            }
        }
    }

    fn tell(&mut self) {
        self.tell_but(None);
    }

    /// As linked machines tell: each what it has spent to those of its own group. One that is alone keeps it until it is not.
    fn tell_groups(&mut self, groups: &[usize]) {
        let linked = |one: usize| (0..groups.len()).filter(move |other| *other != one);
        for number in 0..groups.len() {
            let group: Vec<_> = linked(number)
                .filter(|other| groups[*other] == groups[number])
                .collect();
            if group.is_empty() {
                continue;
            }
            let world = &self.worlds[number];
            let spent = over_the_wire(world.gate.take_spent(usize::MAX, world.now), 3600);
            for other in group {
                let other = &self.worlds[other];
                other.gate.merge_spent(&spent, world.now, other.now);
            }
        }
    }

    /// As linked machines tell one another when a link is back, behind what was spent: how long the debts of users are.
    fn tell_debts(&mut self, groups: &[usize]) {
        let told = |world: &World| over_the_wire(world.gate.user_debts(world.now), -3600);
        let debts: Vec<_> = self.worlds.iter().map(told).collect();
        for (number, world) in self.worlds.iter().enumerate() {
            for (other, debts) in debts.iter().enumerate() {
                if other != number && groups[other] == groups[number] {
                    world.gate.merge_debts(debts, world.now);
                }
            }
        }
    }

    fn pass(&mut self, span: std::time::Duration) {
        self.worlds.iter_mut().for_each(|world| world.pass(span));
    }

    fn left(&self) -> Vec<u32> {
        let reason = Reason::Bucket(Bucket::UserFar);
        let left = |world| tokens(world, "198.51.100.7", "anna", reason);
        self.worlds.iter().map(left).collect()
    }
}

/// As octets, and back at a machine whose clock is behind.
fn over_the_wire<R: SpentRecord>(told: Vec<R>, ahead: i64) -> Vec<R> {
    let octets: Vec<u8> = told.into_iter().flat_map(|one| one.octets(ahead)).collect();
    read(&octets, ahead)
}

#[test]
fn at_one_account_machines_that_know_of_each_other_let_through_what_one_would() {
    let mut machines = Machines::new(3);
    let mut asked = 0;
    for hour in 0..48 {
        for guess in 0..12 {
            asked += usize::from(machines.guess((hour + guess) % 3));
            machines.tell();
        }
        machines.pass(HOUR);
    }
    assert_eq!(asked, BURST + 47);
}

#[test]
fn what_all_machines_spend_in_one_moment_is_paid_back_before_there_is_more() {
    let mut machines = Machines::new(3);
    let mut asked = 0;
    for hour in 0..=48 {
        let all = (0..3).map(|machine| machines.guess_all(machine));
        let all: usize = all.sum();
        machines.tell();
        match hour {
            0 => assert_eq!(all, 3 * BURST),
            // The debt is as long as three bursts.
            1..=20 => assert_eq!(all, 0, "{hour}"),
            _ => {}
        }
        asked += all;
        machines.pass(HOUR);
    }
    // What one gives, and two bursts.
    assert!(asked <= 3 * BURST + 48, "{asked}");
    // In the long run it is what one gives, whatever fits into a moment.
    assert!(asked >= 3 * BURST + 24, "{asked}");
}

#[test]
fn a_machine_that_is_cut_off_gives_what_one_alone_does_and_it_is_paid_back_then() {
    let mut machines = Machines::new(2);
    assert_eq!(machines.guess_all(0), BURST);
    machines.tell_but(Some(1));
    machines.pass(HOUR * 5);
    assert_eq!(machines.guess_all(1), BURST);
    // The first has five tokens again by now.
    machines.tell();
    assert_eq!(machines.left(), [0, 0]);
    machines.pass(HOUR * 5);
    machines.tell();
    assert_eq!(machines.guess_all(0), 0);
    machines.pass(HOUR);
    // Both know what has flowed back, though one was told late.
    assert_eq!(machines.left(), [1, 1]);
    assert_eq!(machines.guess_all(0), 1);
}

#[test]
fn a_success_gives_back_at_every_machine_what_it_took() {
    let mut machines = Machines::new(3);
    let permit = machines.worlds[0].permit("198.51.100.7", "anna", "Korrekt-Pferd-Batterie");
    machines.tell();
    assert_eq!(machines.left(), [9, 9, 9]);
    assert!(machines.guess(1));
    machines.tell();
    machines.worlds[0].settle(permit, AuthOutcome::Accept);
    machines.tell();
    assert_eq!(machines.left(), [9, 9, 9], "the guess is not given back");
    machines.pass(HOUR);
    assert_eq!(machines.left(), [10, 10, 10]);
}

#[test]
fn what_an_operator_forgives_is_not_told_as_spent() {
    let mut machines = Machines::new(2);
    machines.guess_all(0);
    let world = &mut machines.worlds[0];
    world
        .gate
        .forgive_user(&user("anna"), world.now, &mut world.changes);
    machines.tell();
    assert_eq!(machines.left(), [10, 10]);
}

#[test]
fn a_machine_that_has_missed_something_is_told_what_is_owed() {
    let mut machines = Machines::new(2);
    machines.guess_all(0);
    let [first, second] = &machines.worlds[..] else {
        unreachable!()
    };
    // Lost on its way.
    drop(first.gate.take_spent(usize::MAX, first.now));
    let debts = over_the_wire(first.gate.user_debts(first.now), -3600);
    assert!(!debts.is_empty());
    second.gate.merge_debts(&debts, second.now);
    second.gate.merge_debts(&debts, second.now);
    assert_eq!(machines.left(), [0, 0]);
    let none = machines.worlds[1].gate.user_debts(START + HOUR * 11);
    assert_eq!(none, []);
}

#[test]
fn no_record_owes_for_longer_than_all_machines_can_have_spent() {
    let machines = Machines::new(2);
    let world = &machines.worlds[0];
    assert_eq!(owed(world), 0);
    let octets = |nanos: u64| record_of(world, nanos);
    for told in [
        octets(u64::MAX / 2),
        octets(i64::MAX as u64),
        octets(i64::MIN as u64),
    ] {
        let spent: Vec<SpentTime> = read(&told, 0);
        world.gate.merge_spent(&spent, world.now, world.now);
        let debts: Vec<UserDebt> = read(&told, 0);
        world.gate.merge_debts(&debts, world.now);
    }
    let longest = HOUR.as_nanos() as u64 * 2 * BURST as u64;
    let until = owed(world);
    assert!(until <= world.now.as_nanos() + longest, "{until}");
    // Who has missed something is told of users alone: others' debts would be more than the store keeps.
    let mut place = octets(world.now.as_nanos() + 1);
    place[0] = Key::client(client(HOME)).kind.number();
    let debts: Vec<UserDebt> = read(&place, 0);
    world.gate.merge_debts(&debts, world.now);
    assert_eq!(debts.len(), 1);
    let key = Key {
        kind: Key::client(client(HOME)).kind,
        ..key_of_anna(world)
    };
    assert_eq!(world.gate.buckets.row(key).arrival, 0);
    // No bucket, a password, and half a record.
    let unknown: Vec<SpentTime> = read(&[200; SPENT_RECORD], 0);
    let word: Vec<SpentTime> = read(&[7; SPENT_RECORD], 0);
    let half: Vec<SpentTime> = read(&octets(1)[..SPENT_RECORD - 1], 0);
    assert!(unknown.is_empty() && word.is_empty() && half.is_empty());
}

#[test]
fn a_reload_leaves_what_all_machines_have_spent() {
    let mut machines = Machines::new(2);
    machines.guess_all(0);
    machines.guess_all(1);
    machines.tell();
    let mut settings = settings();
    settings.division = Division::Split(NonZeroU32::new(2).unwrap());
    let world = &mut machines.worlds[0];
    let before = owed(world);
    assert_eq!(
        Moment::from_nanos(before).since(world.now),
        HOUR * 2 * BURST as u32
    );
    world
        .gate
        .reconfigure(settings, world.now, &mut world.changes);
    assert_eq!(owed(world), before);
}

/// Until when the bucket for anna from far is not full, in nanoseconds.
fn owed(world: &World) -> u64 {
    world.gate.buckets.row(key_of_anna(world)).arrival
}

fn key_of_anna(world: &World) -> Key {
    Key::far(world.gate.user(&user("anna")))
}

fn record_of(world: &World, number: u64) -> Vec<u8> {
    let key = key_of_anna(world);
    let mut octets = vec![key.kind.number()];
    octets.extend_from_slice(&key.id.to_le_bytes());
    octets.extend_from_slice(&number.to_le_bytes());
    octets
}

#[test]
fn of_three_linked_machines_one_that_was_alone_pays_for_all_and_of_two_groups_the_longer_debt_holds()
 {
    // What the manual says of links: a machine that was linked with none tells what it has spent as soon as it is.
    let mut machines = Machines::new(3);
    let apart = [0, 0, 1];
    let asked = machines.guess_all(0);
    machines.tell_groups(&apart);
    assert_eq!((asked, machines.guess_all(1)), (BURST, 0));
    assert_eq!(machines.guess_all(2), BURST);
    let together = [0; 3];
    machines.tell_groups(&together);
    machines.tell_debts(&together);
    let hours = |world: &World| (owed(world) - world.now.as_nanos()).div_ceil(3_600_000_000_000);
    let all: Vec<_> = machines.worlds.iter().map(hours).collect();
    assert_eq!(all, [2 * BURST as u64; 3]);
    // Two and two: nobody is alone, and the one debt is as long as the other.
    let mut machines = Machines::new(4);
    let apart = [0, 0, 1, 1];
    assert_eq!(machines.guess_all(0), BURST);
    assert_eq!(machines.guess_all(3), BURST);
    machines.tell_groups(&apart);
    let together = [0; 4];
    machines.tell_groups(&together);
    machines.tell_debts(&together);
    let all: Vec<_> = machines.worlds.iter().map(hours).collect();
    assert_eq!(all, [BURST as u64; 4]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn what_fits_into_one_moment_is_at_most_a_burst_of_each_machine_and_is_paid_back(
        rounds in proptest::collection::vec(
            (proptest::collection::vec(0_usize..3, 0..40), 1_u64..300), 1..60),
    ) {
        let mut machines = Machines::new(3);
        let (mut asked, mut minutes) = (0, 0);
        for (guesses, more) in rounds {
            for machine in guesses {
                asked += usize::from(machines.guess(machine));
            }
            machines.tell();
            prop_assert!(asked <= 3 * BURST + minutes as usize / 60, "{asked}");
            minutes += more;
            machines.pass(MINUTE * u32::try_from(more).unwrap());
        }
    }

    #[test]
    fn however_machines_are_cut_off_each_gives_no_more_than_one_alone(
        events in proptest::collection::vec(
            (0_usize..3, proptest::option::of(0_usize..3), 0_u64..90), 1..300),
    ) {
        let mut machines = Machines::new(3);
        let (mut asked, mut minutes) = (0, 0);
        for (machine, cut_off, more) in events {
            asked += usize::from(machines.guess(machine));
            machines.tell_but(cut_off);
            prop_assert!(asked <= 3 * (BURST + minutes as usize / 60), "{asked}");
            minutes += more;
            machines.pass(MINUTE * u32::try_from(more).unwrap());
        }
        machines.tell();
    }

    #[test]
    fn however_linked_machines_are_apart_each_group_gives_what_one_does_and_all_when_they_are_back(
        parts in proptest::collection::vec(
            (proptest::collection::vec(0_usize..3, 5), proptest::collection::vec((0_usize..5, 0_u64..90), 1..60)), 1..8),
    ) {
        let mut machines = Machines::new(5);
        let (mut each, mut minutes) = ([0; 5], 0);
        for (groups, guesses) in parts {
            machines.tell_groups(&groups);
            machines.tell_debts(&groups);
            let (mut of_group, mut while_apart) = ([0; 3], 0);
            for (machine, more) in guesses {
                let asked = usize::from(machines.guess(machine));
                each[machine] += asked;
                of_group[groups[machine]] += asked;
                machines.tell_groups(&groups);
                minutes += more;
                while_apart += more;
                machines.pass(MINUTE * u32::try_from(more).unwrap());
            }
            // However many there are in a group: what one alone would with all of its tokens.
            let most = BURST + while_apart as usize / 60;
            prop_assert!(of_group.iter().all(|asked| *asked <= most), "{of_group:?}, {most}");
            // And over all parts each machine no more than one alone.
            let most = BURST + minutes as usize / 60;
            prop_assert!(each.iter().all(|asked| *asked <= most), "{each:?}, {most}");
        }
        // Linked again, no machine has more left than the one that has least.
        let least = machines.left().into_iter().min();
        machines.tell_groups(&[0; 5]);
        machines.tell_debts(&[0; 5]);
        let most = machines.left().into_iter().max();
        prop_assert!(most <= least, "{most:?}, {least:?}");
    }

    #[test]
    fn told_at_once_it_is_what_one_machine_gives(
        guesses in proptest::collection::vec((0_usize..4, 0_u64..90), 1..200),
    ) {
        let mut machines = Machines::new(4);
        let mut alone = Machines::new(1);
        for (machine, minutes) in guesses {
            let span = MINUTE * u32::try_from(minutes).unwrap();
            machines.pass(span);
            alone.pass(span);
            prop_assert_eq!(machines.guess(machine), alone.guess(0));
            machines.tell();
        }
    }
}
