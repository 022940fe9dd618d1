//! forgotten - a user who was forgotten does not become known by a file

use super::*;

/// Changes in which Anna and Carl, who was only introduced, are forgotten, Bert as well, who comes back in the same second; with
/// snapshots of before and after.
fn forgotten() -> (Vec<Change>, [StateFile; 2], [StateFile; 2]) {
    let mut changes = Vec::new();
    let gate = Gate::new(settings(), keys(2), NOW);
    let at = |millis| NOW + Duration::from_millis(millis);
    for name in ["anna", "bert", "dora"] {
        gate.learn(&user(name), client(HOME), at(300), at(300), &mut changes);
    }
    gate.introduce(&user("carl"), None, at(300), &mut changes);
    let before = image(&gate, at(350));
    for name in ["anna", "bert", "carl"] {
        gate.forget(&user(name), at(400), &mut changes);
    }
    gate.learn(&user("bert"), client(FAR), at(600), at(600), &mut changes);
    let after = image(&gate, at(5_200));
    (changes, before, after)
}

#[track_caller]
fn two_are_known(gate: &Gate, now: Moment) {
    for (name, from, expected) in [
        ("anna", HOME, None),
        ("carl", HOME, None),
        ("bert", HOME, Some(Trust::Far)),
        ("bert", FAR, Some(Trust::Familiar)),
        ("dora", HOME, Some(Trust::Familiar)),
    ] {
        let told = gate.explain(client(from), Some(&user(name)), now);
        let told = told.user.unwrap();
        let found = told.known.then_some(told.trust);
        assert_eq!(found, expected, "{name} {from}");
    }
}

#[test]
fn who_was_forgotten_stays_so_in_whatever_order_the_files_are_read_and_however_long_it_was_away() {
    let (changes, before, after) = forgotten();
    for files in orders(&changes, &before, &after) {
        for away in [Duration::ZERO, MINUTE, DAY * 30] {
            let now = NOW + Duration::from_millis(5_200) + away;
            let mut again = restore(&files, now);
            for _ in 0..2 {
                two_are_known(&again, now);
                // Not by an old log either, however old.
                for then in [now - away - MINUTE, now - DAY * 400] {
                    again.learn(&user("anna"), client(HOME), then, now, &mut Vec::new());
                }
                two_are_known(&again, now);
                again = restore(&image(&again, now), now);
            }
        }
    }
}

#[test]
fn it_is_kept_longer_than_a_network_stays_familiar() {
    let (changes, ..) = forgotten();
    let gate = restore(&[journal(&changes)], NOW + MINUTE);
    let now = NOW + DAY * 200;
    gate.tick(now, &mut Vec::new());
    let gate = restore(&image(&gate, now), now);
    gate.learn(&user("anna"), client(HOME), NOW - DAY, now, &mut Vec::new());
    let told = gate.explain(client(HOME), Some(&user("anna")), now);
    assert!(!told.user.unwrap().known);
}
