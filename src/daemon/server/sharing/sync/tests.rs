//! tests - several machines over one stream, played round by round

use super::full_telling::{DEBTS, PER_ROUND};
use super::*;
use crate::cluster::message::{LackedLetters, SettlingTold};
use gatepost_core::gate::Keys;
use gatepost_core::gate::request::attempt::UserName;
use gatepost_core::gate::request::change::{Change, Fact};
use gatepost_core::gate::request::client::NetworkKey;
use gatepost_core::gate::request::settings::GateSettings;
use gatepost_core::gate::spent::{SpentRecord, SpentTime, UserDebt};

mod told_again;

const NOW: Moment = Moment::from_seconds(1_800_000_000);
const ROUND: Duration = Duration::from_millis(200);
const SECOND: Duration = Duration::from_secs(1);

enum Entry {
    Letter(ClusterLetter),
    Facts(ProcessId, Vec<Change>),
    Debts(ProcessId, Vec<UserDebt>),
}

struct Machine {
    sync: FullSync,
    gate: Gate,
    read: usize,
    /// When it noted a letter of another machine last.
    others_settling: Option<Moment>,
}

/// Machines, and what they have told.
struct Cluster {
    machines: Vec<Machine>,
    stream: Vec<Entry>,
    now: Moment,
}

fn process(number: usize) -> ProcessId {
    let mut id = [0; 16];
    id[0] = 1 << number;
    id[15] = 1 << number;
    id
}

const fn letter_of(process: ProcessId, told: ClusterTold) -> ClusterLetter {
    ClusterLetter { process, told }
}

/// An answer to this process that began then.
fn answer_at(at: Moment) -> FullAnswer {
    FullAnswer {
        asker: process(0),
        at,
        users: 0,
    }
}

fn gate() -> Gate {
    let mut settings = GateSettings::default();
    settings.capacity.clients = 20_000;
    let keys = Keys {
        users: [1; 16],
        passwords: [2; 16],
        table: [3; 16],
    };
    Gate::new(settings, keys, NOW)
}

impl Cluster {
    fn of(machines: usize) -> Self {
        let machine = |number| Machine {
            sync: FullSync::new(process(number)),
            gate: gate(),
            read: 0,
            others_settling: None,
        };
        Self {
            machines: (0..machines).map(machine).collect(),
            stream: Vec::new(),
            now: NOW,
        }
    }

    /// Some that have told each other everything long ago.
    fn at_rest(machines: usize) -> Self {
        let mut cluster = Self::of(machines);
        cluster.play(120 * SECOND);
        let is_whole = |one: &Machine| one.sync.is_whole();
        assert!(cluster.machines.iter().all(is_whole));
        cluster
    }

    fn introduce(&mut self, machine: usize, name: &str) {
        let network: NetworkKey = "203.0.113.0/24".parse().unwrap();
        let name = UserName::new(name.as_bytes());
        let gate = &self.machines[machine].gate;
        gate.introduce(&name, Some(network), self.now, &mut Vec::new());
    }

    /// As the task does it, but for octets.
    fn turn(&mut self, number: usize) {
        let now = self.now;
        let machine = &mut self.machines[number];
        let own = process(number);
        for entry in &self.stream[machine.read..] {
            let letter = match entry {
                Entry::Letter(letter) => letter.clone(),
                Entry::Debts(process, debts) => {
                    if *process != own {
                        machine.gate.merge_debts(debts, now);
                    }
                    continue;
                }
                Entry::Facts(process, facts) => {
                    if *process != own {
                        let merge = |fact| machine.gate.merge(fact, now, &mut Vec::new());
                        facts.iter().for_each(merge);
                    }
                    letter_of(*process, ClusterTold::Facts(Vec::new()))
                }
            };
            if letter.process != own {
                machine.others_settling = Some(now);
                machine.sync.note(&letter, &machine.gate, (now, now));
            }
        }
        machine.read = self.stream.len();
        let others_settling = machine.others_settling;
        let others_settling = |since| others_settling.is_some_and(|at| at >= since);
        let next = machine
            .sync
            .next(&machine.gate, (now, now), others_settling);
        let letter = |told| Entry::Letter(letter_of(own, told));
        self.stream.extend(next.letters.into_iter().map(letter));
        if !next.facts.is_empty() {
            self.stream.push(Entry::Facts(own, next.facts));
        }
        if !next.debts.is_empty() {
            self.stream.push(Entry::Debts(own, next.debts));
        }
        self.stream.extend(next.end.map(letter));
    }

    /// A machine reads a letter.
    fn note(&mut self, machine: usize, letter: &ClusterLetter) {
        let Machine { sync, gate, .. } = &mut self.machines[machine];
        sync.note(letter, gate, (self.now, self.now));
    }

    fn play_some(&mut self, machines: &[usize], span: Duration) {
        let until = self.now + span;
        while self.now < until {
            for number in machines {
                self.turn(*number);
            }
            self.now = self.now + ROUND;
        }
    }

    fn play(&mut self, span: Duration) {
        let all: Vec<usize> = (0..self.machines.len()).collect();
        self.play_some(&all, span);
    }

    fn count(&self, is: impl Fn(&ClusterTold) -> bool) -> usize {
        let letters = self.stream.iter().filter_map(|entry| match entry {
            Entry::Letter(letter) => Some(&letter.told),
            Entry::Facts(..) | Entry::Debts(..) => None,
        });
        letters.filter(|told| is(told)).count()
    }

    fn answers(&self) -> usize {
        self.count(|told| matches!(told, ClusterTold::Begins(_)))
    }

    fn questions(&self) -> usize {
        self.count(|told| matches!(told, ClusterTold::Asks(_)))
    }

    fn known(&self, machine: usize) -> usize {
        self.machines[machine].gate.known().1
    }
}

#[test]
fn a_machine_that_starts_is_told_all_by_one_of_the_others_and_within_three_seconds() {
    let mut cluster = Cluster::at_rest(4);
    for n in 0..3000 {
        cluster.introduce(0, &format!("user{n}"));
    }
    cluster.machines[0].sync.tell_recent();
    cluster.play(10 * SECOND);
    assert_eq!(cluster.known(2), 3000, "they are told unasked");
    let before = cluster.answers();
    // A new process, which knows nothing.
    cluster.machines[3] = Cluster::of(4).machines.remove(3);
    cluster.machines[3].read = cluster.stream.len();
    cluster.machines[3].sync.process = process(5);
    cluster.play(3 * SECOND);
    assert_eq!(cluster.answers(), before + 1);
    assert_eq!(cluster.known(3), 3000);
    assert!(cluster.machines[3].sync.is_whole());
}

#[test]
fn machines_that_have_all_missed_something_tell_each_other() {
    let mut cluster = Cluster::of(2);
    cluster.introduce(0, "ann");
    cluster.introduce(1, "bob");
    cluster.play(SECOND);
    assert_eq!([cluster.known(0), cluster.known(1)], [2, 2], "unasked");
    assert!(!cluster.machines[0].sync.is_whole());
    cluster.play(9 * SECOND);
    assert!(cluster.machines.iter().all(|one| one.sync.is_whole()));
}

#[test]
fn what_users_owe_comes_with_an_answer_behind_all_else_and_not_unasked() {
    let mut cluster = Cluster::at_rest(2);
    // An hour of as many users' debts as take three rounds.
    let users = 2 * DEBTS as u64 + 1;
    let spent = |id: u64| {
        let hour = 3600 * 1_000_000_000_u64;
        let octets = [&[5_u8], &id.to_le_bytes()[..], &hour.to_le_bytes()].concat();
        SpentTime::read(&octets, 0).expect("a record")
    };
    let spent: Vec<SpentTime> = (0..users).map(spent).collect();
    let now = cluster.now;
    cluster.machines[0].gate.merge_spent(&spent, now, now);
    cluster.machines[0].sync.tell_recent();
    cluster.play(5 * SECOND);
    let owed = |cluster: &Cluster| cluster.machines[1].gate.user_debts(cluster.now).len() as u64;
    assert_eq!(owed(&cluster), 0);
    cluster.machines[1].sync.missed();
    while !cluster.machines[1].sync.is_whole() {
        cluster.play(ROUND);
    }
    assert_eq!(owed(&cluster), users);
}

#[test]
fn what_is_older_than_a_day_comes_with_the_answer() {
    let mut cluster = Cluster::at_rest(2);
    cluster.introduce(0, "ann");
    cluster.now = cluster.now + 2 * RECENT;
    cluster.machines[0].sync.tell_recent();
    cluster.play(5 * SECOND);
    assert_eq!(cluster.known(1), 0);
    cluster.machines[1].sync.missed();
    cluster.play(3 * SECOND);
    assert_eq!(cluster.known(1), 1);
}

#[test]
fn a_question_is_put_again_while_there_is_somebody_and_not_to_nobody() {
    let mut cluster = Cluster::of(2);
    cluster.play_some(&[0], 600 * SECOND);
    assert_eq!(cluster.questions(), 1, "nobody is there");
    // One that says hello, and is lost as soon as it has begun to answer.
    let dies = |cluster: &mut Cluster| {
        let begins = ClusterTold::Begins(answer_at(cluster.now));
        for told in [ClusterTold::Hello(SettlingTold::Unknown), begins] {
            let letter = letter_of(process(7), told);
            cluster.stream.push(Entry::Letter(letter));
        }
    };
    dies(&mut cluster);
    cluster.play_some(&[0], PATIENCE);
    assert_eq!(cluster.questions(), 1);
    cluster.play_some(&[0], SECOND);
    assert_eq!(cluster.questions(), 2);
    assert!(!cluster.machines[0].sync.is_whole());
}

#[test]
fn whatever_becomes_of_the_stream_nobody_asks_or_answers_without_end() {
    let mut cluster = Cluster::at_rest(2);
    let (questions, answers) = (cluster.questions(), cluster.answers());
    for _ in 0..300 {
        cluster.machines[1].sync.missed();
        cluster.play(ROUND);
    }
    // A minute.
    assert!((2..=13).contains(&(cluster.questions() - questions)));
    assert!((2..=4).contains(&(cluster.answers() - answers)));
    cluster.play(60 * SECOND);
    assert!(cluster.machines[1].sync.is_whole());
}

#[test]
fn who_asks_soon_after_another_one_is_answered_too() {
    let mut cluster = Cluster::at_rest(3);
    cluster.machines[1].sync.missed();
    cluster.play(3 * SECOND);
    assert!(cluster.machines[1].sync.is_whole());
    cluster.machines[2].sync.missed();
    cluster.play(ANSWERS + 3 * SECOND);
    assert!(cluster.machines[2].sync.is_whole());
}

#[test]
fn an_old_question_is_answered_by_nobody() {
    let mut cluster = Cluster::at_rest(2);
    cluster.play(60 * SECOND);
    let answers = cluster.answers();
    for (age, more) in [(OLD + ROUND, 0), (OLD, 1)] {
        let told = ClusterTold::Asks(cluster.now - age);
        let letter = letter_of(process(7), told);
        cluster.note(0, &letter);
        cluster.play(3 * SECOND);
        assert_eq!(cluster.answers(), answers + more);
    }
}

#[test]
fn an_answer_that_did_not_arrive_is_given_once_more() {
    let mut cluster = Cluster::at_rest(2);
    for n in 0..4 * PER_ROUND * 256 {
        cluster.introduce(0, &format!("user{n}"));
    }
    let all = cluster.known(0);
    cluster.machines[1].sync.missed();
    let begun = cluster.answers();
    while cluster.answers() == begun {
        cluster.play(ROUND);
    }
    let now = cluster.now;
    cluster.machines[0].sync.interrupted(now);
    // What it had told is lost with the store.
    cluster.stream.truncate(cluster.machines[1].read);
    for machine in &mut cluster.machines {
        machine.read = machine.read.min(cluster.stream.len());
    }
    cluster.machines[1].sync.interrupted(now);
    cluster.play(10 * SECOND);
    assert!(cluster.machines[1].sync.is_whole());
    assert_eq!(cluster.known(1), all);
}

#[test]
fn a_lost_stream_makes_nobody_tell_unasked_what_it_knows() {
    let mut cluster = Cluster::at_rest(3);
    cluster.introduce(0, "ann");
    cluster.machines[0].sync.tell_recent();
    cluster.play(5 * SECOND);
    let count = |cluster: &Cluster| {
        let facts = |entry: &&Entry| matches!(entry, Entry::Facts(..));
        cluster.stream.iter().filter(facts).count()
    };
    let before = count(&cluster);
    for machine in &mut cluster.machines {
        machine.sync.missed();
    }
    let answers = cluster.answers();
    cluster.play(60 * SECOND);
    let answers = cluster.answers() - answers;
    assert!(cluster.machines.iter().all(|one| one.sync.is_whole()));
    assert!((1..=2).contains(&answers), "{answers}");
    assert_eq!(count(&cluster), before + answers);
}

#[test]
fn an_answer_of_before_the_question_that_somebody_repeats_is_none() {
    let mut cluster = Cluster::at_rest(2);
    let old = cluster.now - 10 * SECOND;
    for first in [true, false] {
        cluster.machines[0].sync.missed();
        // Nobody answers.
        cluster.play_some(&[0], SECOND);
        let at = if first {
            old
        } else {
            cluster.now - OLD - ROUND
        };
        let told = [ClusterTold::Begins, ClusterTold::Ends].map(|told| told(answer_at(at)));
        for told in told {
            cluster.note(0, &letter_of([7; 16], told));
            assert!(!cluster.machines[0].sync.is_whole());
        }
        // An old end of the process that answers now is not the end of its answer.
        let (now, told) = (cluster.now, |at| ClusterTold::Ends(answer_at(at)));
        cluster.note(0, &letter_of([7; 16], ClusterTold::Begins(answer_at(now))));
        cluster.note(0, &letter_of([7; 16], told(old)));
        assert!(!cluster.machines[0].sync.is_whole());
        cluster.note(0, &letter_of([7; 16], told(now)));
        assert!(cluster.machines[0].sync.is_whole());
    }
    // Nor does it keep a machine from answering.
    let answers = cluster.answers();
    let asks = letter_of([8; 16], ClusterTold::Asks(cluster.now));
    cluster.note(0, &asks);
    let begins = ClusterTold::Begins(answer_at(cluster.now - OLD - ROUND));
    cluster.note(0, &letter_of([7; 16], begins));
    cluster.play_some(&[0], ANSWERS + 3 * SECOND);
    assert_eq!(cluster.answers(), answers + 1);
}

#[test]
fn who_knows_more_than_the_machine_that_answers_tells_it() {
    // Two new ones have told each other nothing when the one comes that knows users of long ago.
    let mut cluster = Cluster::of(3);
    cluster.introduce(2, "ann");
    cluster.play_some(&[0, 1], 120 * SECOND);
    cluster.now = cluster.now + 2 * RECENT;
    cluster.machines[2].sync = FullSync::new(process(2));
    cluster.play(60 * SECOND);
    assert_eq!([0, 1, 2].map(|machine| cluster.known(machine)), [1, 1, 1]);
    // Of two that could answer the one that knows less keeps the other from nothing.
    let mut cluster = Cluster::at_rest(2);
    cluster.introduce(0, "ann");
    let answers = cluster.answers();
    cluster.note(0, &letter_of([8; 16], ClusterTold::Asks(cluster.now)));
    cluster.note(
        0,
        &letter_of([7; 16], ClusterTold::Begins(answer_at(cluster.now))),
    );
    cluster.play_some(&[0], ANSWERS + 3 * SECOND);
    assert_eq!(cluster.answers(), answers + 1);
}

#[test]
fn an_answer_whose_end_is_lost_is_asked_for_again_however_much_else_its_machine_tells() {
    let mut cluster = Cluster::at_rest(2);
    cluster.machines[0].sync.missed();
    cluster.play_some(&[0], SECOND);
    let questions = cluster.questions();
    let begins = ClusterTold::Begins(answer_at(cluster.now));
    cluster.note(0, &letter_of(process(1), begins));
    let news = letter_of(process(1), ClusterTold::Facts(Vec::new()));
    let until = cluster.now + LONGEST + SECOND;
    while cluster.now < until {
        cluster.note(0, &news);
        cluster.machines[0].others_settling = Some(cluster.now);
        cluster.play_some(&[0], 10 * SECOND);
    }
    assert_eq!(cluster.questions(), questions + 1);
}
