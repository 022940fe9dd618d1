//! told_again - letters and orders that somebody lacks are told again, and no more

use super::*;

/// What a process that has told letters tells, once it was told that somebody lacks some of them.
fn told_again(told: &ToldLetters, cluster: &mut Cluster, since: u64) -> (Vec<Change>, NextTold) {
    let lacked = LackedLetters {
        at: cluster.now,
        process: process(0),
        since,
    };
    let letter = letter_of(process(1), ClusterTold::Lacks(lacked));
    cluster.note(0, &letter);
    let now = cluster.now;
    let machine = &mut cluster.machines[0];
    machine.sync.tell_again(told, &machine.gate, now);
    let mut facts = Vec::new();
    loop {
        let mut next = machine.sync.next(&machine.gate, (now, now), |_| true);
        facts.append(&mut next.facts);
        if next.end.is_some() {
            return (facts, next);
        }
    }
}

#[test]
fn of_letters_that_somebody_lacks_what_they_said_is_told_again_and_no_more() {
    let mut cluster = Cluster::at_rest(2);
    cluster.introduce(0, "ann");
    let fact = |second| Change::here(Moment::from_seconds(second), Fact::BackendFailing);
    let mut told = ToldLetters::new(process(0));
    for second in 1..4 {
        told.letter(ClusterTold::Facts(Vec::new()));
        told.keep(&[fact(second)]);
    }
    let (facts, next) = told_again(&told, &mut cluster, 1);
    assert_eq!(facts, [fact(2), fact(3)]);
    assert_eq!(next.again, Some(1));
    let end = ClusterTold::ToldAgain { since: 1, from: 3 };
    assert_eq!(next.end, Some(end.clone()));
    // What is not kept is told with all that is known, and no more often than that is told to who has asked for it.
    told.keep_none();
    let machine = &mut cluster.machines[0];
    machine.sync.answered = Some(cluster.now);
    machine.sync.lacks(1);
    let soon = cluster.now + (ANSWERS - Duration::from_nanos(1));
    machine.sync.tell_again(&told, &machine.gate, soon);
    assert!(machine.sync.answer.is_none());
    cluster.now = cluster.now + ANSWERS;
    let (facts, next) = told_again(&told, &mut cluster, 1);
    assert!(!facts.is_empty() && !facts.contains(&fact(2)) && next.again.is_none());
    assert_eq!(next.end, Some(end));
}

#[test]
fn letters_are_told_again_to_all_who_lack_them_at_once_and_not_without_end() {
    let mut cluster = Cluster::at_rest(2);
    let now = cluster.now;
    let told = ToldLetters::new(process(0));
    let Machine { sync, gate, .. } = &mut cluster.machines[0];
    let gate = &*gate;
    let lacks = |sync: &mut FullSync, since, at| {
        let (process, later) = (process(0), at);
        let lacked = LackedLetters { at, process, since };
        let letter = letter_of([7; 16], ClusterTold::Lacks(lacked));
        sync.note(&letter, gate, (later, later));
    };
    let ends = |sync: &mut FullSync, gate: &Gate, now| {
        sync.tell_again(&told, gate, now);
        sync.next(gate, (now, now), |_| true).end
    };
    let again = |since| Some(ClusterTold::ToldAgain { since, from: 0 });
    lacks(sync, 9, now);
    lacks(sync, 7, now);
    lacks(sync, 8, now);
    assert_eq!(ends(sync, gate, now), again(7));
    lacks(sync, 7, now);
    let soon = now + (AGAIN - Duration::from_nanos(1));
    assert_eq!(ends(sync, gate, soon), None);
    assert_eq!(ends(sync, gate, now + AGAIN), again(7));
    // An old question that somebody repeats, and one to another process.
    let lacked = LackedLetters {
        at: now,
        process: process(0),
        since: 1,
    };
    let later = now + OLD + ROUND;
    let letter = letter_of([7; 16], ClusterTold::Lacks(lacked));
    sync.note(&letter, gate, (later, later));
    let other = LackedLetters {
        at: later,
        process: process(1),
        since: 1,
    };
    let letter = letter_of([7; 16], ClusterTold::Lacks(other));
    sync.note(&letter, gate, (later, later));
    assert_eq!(ends(sync, gate, later), None);
}

#[test]
fn orders_are_told_again_when_somebody_asks_and_no_more_often_than_letters() {
    let mut cluster = Cluster::at_rest(2);
    let now = cluster.now + 120 * SECOND;
    cluster.now = now;
    let asks = letter_of([7; 16], ClusterTold::Asks(now));
    let sync = |cluster: &mut Cluster, at| cluster.machines[0].sync.orders_are_due(at);
    // What was asked for at the beginning.
    assert!(sync(&mut cluster, now - 60 * SECOND) && !sync(&mut cluster, now));
    cluster.note(0, &asks);
    assert!(sync(&mut cluster, now) && !sync(&mut cluster, now + AGAIN));
    cluster.note(0, &asks);
    assert!(!sync(&mut cluster, now + (AGAIN - Duration::from_nanos(1))));
    assert!(sync(&mut cluster, now + AGAIN));
    // And with the answer.
    let answers = cluster.answers();
    cluster.play_some(&[0], ANSWERS + 3 * SECOND);
    assert_eq!(cluster.answers(), answers + 1);
    let later = cluster.now;
    assert!(sync(&mut cluster, later));
}
