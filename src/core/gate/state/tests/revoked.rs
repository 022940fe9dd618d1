//! revoked - familiarity that was taken back does not come back with a file

use super::*;

/// Changes in which Anna's and Bert's home is taken back, and Bert comes from elsewhere in the same second, with
/// snapshots of before and after.
fn revoked(elsewhere: &str) -> (Vec<Change>, [StateFile; 2], [StateFile; 2]) {
    let mut changes = Vec::new();
    let gate = Gate::new(settings(), keys(2), NOW);
    let at = |millis| NOW + Duration::from_millis(millis);
    let learn = |name, from, at, changes: &mut Vec<Change>| {
        gate.learn(&user(name), client(from), at, at, changes);
    };
    for (name, from) in [("anna", HOME), ("anna", elsewhere), ("bert", HOME)] {
        learn(name, from, at(300), &mut changes);
    }
    let before = image(&gate, at(350));
    let home = Some(client(HOME).network());
    gate.revoke(&user("anna"), home, at(400), &mut changes);
    gate.revoke(&user("bert"), None, at(500), &mut changes);
    learn("bert", elsewhere, at(600), &mut changes);
    let after = image(&gate, at(5_200));
    (changes, before, after)
}

#[track_caller]
fn only_elsewhere_is_familiar(gate: &Gate, elsewhere: &str, now: Moment) {
    for name in ["anna", "bert"] {
        for (from, trust) in [(HOME, Trust::Far), (elsewhere, Trust::Familiar)] {
            let told = gate.explain(client(from), Some(&user(name)), now);
            assert_eq!(told.user.unwrap().trust, trust, "{name} {from}");
        }
    }
}

#[test]
fn what_was_revoked_stays_so_in_whatever_order_the_files_are_read_and_however_long_it_was_away() {
    let elsewhere = "10.0.0.1";
    let (changes, before, after) = revoked(elsewhere);
    for files in orders(&changes, &before, &after) {
        for away in [Duration::ZERO, MINUTE, DAY * 30] {
            let now = NOW + Duration::from_millis(5_200) + away;
            let mut again = restore(&files, now);
            for _ in 0..2 {
                only_elsewhere_is_familiar(&again, elsewhere, now);
                // Not by an old log either.
                let then = now - away - MINUTE;
                again.learn(&user("anna"), client(HOME), then, now, &mut Vec::new());
                only_elsewhere_is_familiar(&again, elsewhere, now);
                again = restore(&image(&again, now), now);
            }
        }
    }
}
