//! tests - however machines lend, lose, crash and mistake the time: together they spend what one alone would

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::gate::buckets::key::BucketKey;
use crate::gate::buckets::lender::LenderModel;
use crate::gate::buckets::limit::Taken;
use crate::gate::buckets::quota::{KeptPart, Quota};
use crate::gate::buckets::shared::SharedBucket;
use crate::gate::buckets::slice::{Lend, LenderPoint, Returned, SliceId, SliceRequest, is_needed};
use crate::gate::buckets::spec::Bucket;
use crate::moment::Moment;

mod properties;

const START: Moment = Moment::from_seconds(1_800_000_000);
const BUCKET: Bucket = Bucket::Strangers;

fn limit(burst: u32, every: Duration) -> Limit {
    Limit::new(Quota { burst, every })
}

fn machines(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

#[derive(Clone, Copy)]
enum Held {
    Own(Taken),
    Lent(SliceId),
}

struct Machine {
    division: Division,
    bucket: SharedBucket,
    held: Vec<Held>,
    /// How far its clock is from the others'.
    ahead: Duration,
}

struct Cluster {
    whole: Limit,
    machines: Vec<Machine>,
    lender: LenderModel,
    now: Moment,
    questions: Vec<(usize, SliceRequest, Moment)>,
    answers: Vec<(usize, SliceRequest, Moment, Lend)>,
    /// When a token was spent, by the true time.
    spent: Vec<Moment>,
    given_back: u64,
}

impl Cluster {
    fn new(whole: Limit, number: u32, guests: u32) -> Self {
        let division = |n| match n < number {
            true => Division::Lent(machines(number)),
            false => Division::Guest(machines(number)),
        };
        let machine = |n| Machine {
            division: division(n),
            bucket: SharedBucket::default(),
            held: Vec::new(),
            ahead: Duration::from_secs(u64::from(n) * 3600),
        };
        Self {
            whole,
            machines: (0..number + guests).map(machine).collect(),
            lender: LenderModel::default(),
            now: START,
            questions: Vec::new(),
            answers: Vec::new(),
            spent: Vec::new(),
            given_back: 0,
        }
    }

    fn pass(&mut self, span: Duration) {
        self.now = self.now + span;
    }

    fn take(&mut self, machine: usize, kept: KeptPart) -> bool {
        let Some(machine) = self.machines.get_mut(machine) else {
            return false;
        };
        let now = self.now + machine.ahead;
        let own = machine.division.own(self.whole);
        let held = match machine.bucket.peek(BUCKET, &own, kept, now) {
            Err(_) => return false,
            Ok(BucketKey::Lent(_)) => Held::Lent(machine.bucket.slice.take(now).unwrap()),
            Ok(_) => {
                let after = machine.bucket.take(BUCKET, &own, now, &mut Vec::new());
                Held::Own(own.taken(after.unwrap()))
            }
        };
        machine.held.push(held);
        self.spent.push(self.now);
        true
    }

    fn give_back(&mut self, machine: usize, which: usize) {
        let Some(machine) = self.machines.get_mut(machine) else {
            return;
        };
        if which >= machine.held.len() {
            return;
        }
        let now = self.now + machine.ahead;
        match machine.held.swap_remove(which) {
            Held::Own(taken) => machine.bucket.refund(BUCKET, taken, now, &mut Vec::new()),
            Held::Lent(id) => machine.bucket.slice.give_back(id, now),
        }
        self.given_back += 1;
    }

    fn ask(&mut self, number: usize) {
        let Some(machine) = self.machines.get_mut(number) else {
            return;
        };
        let now = self.now + machine.ahead;
        let own = machine.division.own(self.whole);
        let Some(lent) = machine.division.lent(&self.whole) else {
            return;
        };
        let needed = is_needed(machine.bucket.owned(&own, now), &own);
        let request = machine.bucket.slice.request(BUCKET, lent, needed, now);
        self.questions
            .extend(request.map(|request| (number, request, now)));
    }

    fn arrive(&mut self, which: usize) {
        if which < self.questions.len() {
            let (machine, request, asked) = self.questions.swap_remove(which);
            let lend = self.lender.exchange(&request);
            self.answers.push((machine, request, asked, lend));
        }
    }

    fn answer(&mut self, which: usize) {
        if which < self.answers.len() {
            let (machine, request, asked, lend) = self.answers.swap_remove(which);
            if let Some(machine) = self.machines.get_mut(machine) {
                let now = self.now + machine.ahead;
                machine.bucket.slice.lend(lend, &request, asked, now);
            }
        }
    }

    /// A question and its answer, with nothing between them.
    fn exchange(&mut self, machine: usize) {
        self.ask(machine);
        while !self.questions.is_empty() {
            self.arrive(0);
        }
        while !self.answers.is_empty() {
            self.answer(0);
        }
    }

    /// What a killed process leaves: its level, which the journal has.
    fn crash(&mut self, machine: usize) {
        if let Some(machine) = self.machines.get_mut(machine) {
            machine.bucket.slice = Default::default();
            machine.held.clear();
        }
    }

    fn stop(&mut self, number: usize) {
        let Some(machine) = self.machines.get_mut(number) else {
            return;
        };
        if let Some(lent) = machine.division.lent(&self.whole) {
            let now = self.now + machine.ahead;
            let request = machine.bucket.slice.give_all_back(BUCKET, lent, now);
            self.questions.push((number, request, now));
        }
        self.crash(number);
    }
}

#[test]
fn the_parts_and_what_is_lent_are_never_more_than_the_whole() {
    for burst in (1..300).chain([1_100, 70_000]) {
        for number in 1..=40 {
            for every in [1, 10, 120, 3_600].map(Duration::from_secs) {
                let whole = limit(burst, every);
                let n = machines(number);
                let split = Division::Split(n).own(whole);
                assert!(split.burst() * number <= burst);
                assert_eq!(split.every(), whole.every() * u64::from(number));
                let own = Division::Lent(n).own(whole);
                let guest = Division::Guest(n).own(whole);
                assert!(guest.is_nothing() && guest.burst() == 0);
                let lent = Division::Lent(n).lent(&whole);
                assert_eq!(lent, Division::Guest(n).lent(&whole));
                let tokens = own.burst() * number + lent.map_or(0, |lent| lent.burst);
                assert!(tokens <= burst, "{burst} tokens, {number} machines");
                let Some(lent) = lent else { continue };
                let nanos = whole.every();
                assert!(lent.every * 1_000 >= if own.is_nothing() { nanos } else { 2 * nanos });
                assert!(lent.slice >= 1 && lent.slice <= lent.burst);
            }
        }
    }
}

#[test]
fn two_machines_have_the_documented_parts() {
    let whole = limit(100, Duration::from_secs(120));
    let own = Division::Lent(machines(2)).own(whole);
    assert_eq!((own.burst(), own.every()), (25, 480_000_000_000));
    let lent = Division::Lent(machines(2)).lent(&whole).unwrap();
    assert_eq!((lent.burst, lent.every, lent.slice), (49, 240_000_000, 6));
    let split = Division::Split(machines(2)).own(whole);
    assert_eq!((split.burst(), split.every()), (50, 240_000_000_000));
    assert_eq!(Division::Alone.own(whole), whole);
}

#[test]
fn of_a_small_part_something_is_kept_and_never_all_of_it() {
    let whole = limit(20, Duration::from_secs(1_800));
    let own = Division::Lent(machines(2)).own(whole);
    assert_eq!(own.burst(), 5);
    assert_eq!(own.kept(KeptPart::Third), 2);
    assert_eq!(own.kept(KeptPart::Sixth), 1);
    assert_eq!(own.kept(KeptPart::Nothing), 0);
    let one = Division::Lent(machines(10)).own(whole);
    assert_eq!((one.burst(), one.kept(KeptPart::Third)), (1, 0));
    assert_eq!(whole.kept(KeptPart::Third), 6);
}

#[test]
fn one_machine_with_all_the_load_gets_its_part_and_the_lent_half() {
    let whole = limit(100, Duration::from_secs(120));
    let mut cluster = Cluster::new(whole, 2, 0);
    // The lender's bucket begins empty.
    for _ in 0..6 * 60 {
        cluster.pass(Duration::from_secs(60));
        cluster.exchange(0);
        cluster.exchange(1);
    }
    let mut spent = 0;
    for _ in 0..1_000 {
        spent += u32::from(cluster.take(0, KeptPart::Nothing));
        cluster.exchange(0);
    }
    assert_eq!(spent, 25 + 49);
}

#[test]
fn what_the_lender_keeps_for_some_is_theirs_at_every_machine() {
    let whole = limit(60, Duration::from_secs(3_600));
    let mut cluster = Cluster::new(whole, 2, 1);
    for _ in 0..60 * 60 {
        cluster.pass(Duration::from_secs(60));
        cluster.exchange(0);
    }
    let spend = |kept, cluster: &mut Cluster| {
        let mut spent = 0;
        // The guest has only what is lent.
        for _ in 0..400 {
            spent += u32::from(cluster.take(2, kept));
            cluster.pass(Duration::from_secs(2));
            cluster.exchange(2);
        }
        spent
    };
    let lent = Division::Guest(machines(2)).lent(&whole).unwrap().burst;
    let others = spend(KeptPart::Third, &mut cluster);
    assert!(others <= lent - lent / 3 + 1, "{others} of {lent}");
    assert!(others >= lent / 2, "{others} of {lent}");
    let newcomers = spend(KeptPart::Sixth, &mut cluster);
    assert!(newcomers >= 2, "{newcomers}");
    let retries = spend(KeptPart::Nothing, &mut cluster);
    assert!(retries >= 2, "{retries}");
    assert!(others + newcomers + retries <= lent + 2);
}

#[test]
fn slices_end_with_their_time_and_with_their_machine() {
    let whole = limit(100, Duration::from_secs(120));
    let mut cluster = Cluster::new(whole, 2, 1);
    for _ in 0..6 * 60 {
        cluster.pass(Duration::from_secs(60));
        cluster.exchange(0);
    }
    cluster.exchange(2);
    let tokens = |cluster: &Cluster| {
        let guest = &cluster.machines[2];
        guest.bucket.slice.tokens(cluster.now + guest.ahead)
    };
    assert_eq!(tokens(&cluster), 6);
    cluster.pass(Duration::from_millis(9_999));
    assert!(cluster.take(2, KeptPart::Nothing));
    cluster.pass(Duration::from_millis(1));
    assert_eq!(tokens(&cluster), 0);
    assert!(!cluster.take(2, KeptPart::Nothing));
    cluster.exchange(2);
    assert_eq!(tokens(&cluster), 6);
    cluster.crash(2);
    assert!(!cluster.take(2, KeptPart::Nothing));
}

#[test]
fn a_clean_stop_hands_back_and_a_lost_bucket_lends_nothing_that_was_lent_before() {
    let whole = limit(100, Duration::from_secs(120));
    let mut cluster = Cluster::new(whole, 2, 1);
    for _ in 0..6 * 60 {
        cluster.pass(Duration::from_secs(60));
        cluster.exchange(0);
    }
    let lent = Division::Lent(machines(2)).lent(&whole).unwrap();
    let level = |cluster: &Cluster| {
        let look = SliceRequest {
            bucket: BUCKET,
            limit: lent,
            unspent: Returned::default(),
            refunded: Returned::default(),
            claim: LenderPoint::default(),
            wanted: 0,
        };
        cluster.lender.clone().exchange(&look).left
    };
    let before = level(&cluster);
    cluster.exchange(2);
    assert_eq!(level(&cluster), before - 6);
    cluster.stop(2);
    cluster.arrive(0);
    assert_eq!(level(&cluster), before);
    cluster.exchange(2);
    cluster.lender.lose_all();
    cluster.stop(2);
    cluster.arrive(0);
    assert_eq!(level(&cluster), 0, "what was lent before is not taken back");
}

#[test]
fn what_was_lent_before_and_what_has_come_back_since_are_no_more_than_the_bound() {
    let whole = limit(40, Duration::from_secs(1));
    let mut cluster = Cluster::new(whole, 1, 8);
    for _ in 0..10 {
        cluster.pass(Duration::from_secs(60));
        cluster.exchange(0);
    }
    (1..9).for_each(|guest| cluster.exchange(guest));
    // Nearly as long as a slice lives, the lender fills again.
    cluster.pass(Duration::from_millis(9_900));
    for machine in 0..9 {
        for _ in 0..50 {
            while cluster.take(machine, KeptPart::Nothing) {}
            cluster.exchange(machine);
        }
    }
    let spent = cluster.spent.len();
    assert!((35..=40).contains(&spent), "{spent} at one moment");
}

#[test]
fn while_a_slice_goes_back_nothing_of_it_can_be_spent() {
    let whole = limit(100, Duration::from_secs(120));
    let mut cluster = Cluster::new(whole, 2, 1);
    for _ in 0..6 * 60 {
        cluster.pass(Duration::from_secs(60));
        cluster.exchange(0);
    }
    cluster.exchange(2);
    cluster.pass(Duration::from_secs(6));
    cluster.ask(2);
    assert!(!cluster.take(2, KeptPart::Nothing));
    cluster.arrive(0);
    assert!(!cluster.take(2, KeptPart::Nothing));
    cluster.answer(0);
    assert!(cluster.take(2, KeptPart::Nothing));
}

#[test]
fn who_writes_into_the_store_lends_a_machine_the_lent_half_and_no_more() {
    let lent = Division::Lent(machines(2)).lent(&limit(100, Duration::from_secs(120)));
    let lent = lent.unwrap();
    let mut slice = SharedBucket::default().slice;
    let mut spent = 0;
    // Two hours, asked as often as a machine asks.
    for round in 0..2 * 36_000 {
        let now = START + Duration::from_millis(100) * round;
        if let Some(request) = slice.request(BUCKET, lent, true, now) {
            let endless = Lend {
                tokens: u32::MAX,
                left: lent.burst,
                point: LenderPoint { epoch: 1, back: 0 },
                until: u64::MAX,
            };
            slice.lend(endless, &request, now, now);
        }
        while slice.take(now).is_some() {
            spent += 1;
        }
    }
    assert_eq!(spent, 49 + 2 * 3_600 / 240 - 1);
}

#[test]
fn what_goes_back_unspent_counts_for_nothing_in_time_or_late() {
    let whole = limit(100, Duration::from_secs(120));
    for late in [false, true] {
        let mut cluster = Cluster::new(whole, 2, 1);
        for _ in 0..6 * 60 {
            cluster.pass(Duration::from_secs(60));
            cluster.exchange(0);
        }
        // An hour and more in which a machine borrows six times as much as there is.
        for _ in 0..400 {
            cluster.exchange(2);
            let taken = (0..6)
                .filter(|_| late && cluster.take(2, KeptPart::Nothing))
                .count();
            cluster.pass(Duration::from_secs(11));
            (0..taken).for_each(|_| cluster.give_back(2, 0));
        }
        cluster.exchange(2);
        let mut spent = 0;
        for _ in 0..1_000 {
            spent += u32::from(cluster.take(2, KeptPart::Nothing));
            cluster.exchange(2);
        }
        assert!((43..=49).contains(&spent), "{spent}");
    }
}
