//! names - users are known under the names that they have now

use super::*;

fn named(names: &NameSettings) -> GateSettings {
    GateSettings {
        names: names.clone(),
        ..settings()
    }
}

fn under(names: &NameSettings, files: &[StateFile]) -> Gate {
    Gate::restore(named(names), keys(1), files, NOW).0
}

fn trust(gate: &Gate, name: &str) -> Option<Trust> {
    let seen = gate.explain(client(HOME), Some(&user(name)), NOW);
    seen.user.filter(|user| user.known).map(|user| user.trust)
}

fn strip() -> NameSettings {
    NameSettings {
        domain: Domain::Strip,
        ..NameSettings::default()
    }
}

/// A gate that knows anna@a at home, and bert; guesses at anna@a have emptied that bucket.
fn acquainted(changes: &mut Vec<Change>) -> Gate {
    let gate = Gate::new(settings(), keys(1), NOW);
    let home = client(HOME).network();
    gate.introduce(&user("anna@a"), Some(home), NOW, changes);
    gate.introduce(&user("bert"), None, NOW, changes);
    for n in 0..10 {
        guess(&gate, &format!("10.{n}.0.1"), "anna@a", n, NOW, changes);
    }
    gate
}

#[test]
fn users_stay_known_when_domains_are_dropped() {
    let mut changes = Vec::new();
    let gate = acquainted(&mut changes);
    for files in [image(&gate, NOW).to_vec(), vec![journal(&changes)]] {
        let stripped = under(&strip(), &files);
        assert_eq!(trust(&stripped, "anna@b"), Some(Trust::Familiar));
        assert_eq!(trust(&stripped, "bert@c"), Some(Trust::Far));
    }
    let stripped = under(&strip(), &image(&gate, NOW));
    let seen = stripped.explain(client(FAR), Some(&user("anna")), NOW);
    let far = Reason::Bucket(Bucket::UserFar);
    let held = seen.buckets.iter().find(|held| held.bucket == far);
    assert_eq!(held.unwrap().tokens, 0);
}

#[test]
fn a_state_says_whether_its_users_still_have_their_names() {
    let keep = NameSettings::default();
    let gate = acquainted(&mut Vec::new());
    let stripped = under(&strip(), &image(&gate, NOW));
    assert_eq!(stripped.restored().names, NamesSince::Stripped);
    let again = under(&strip(), &image(&stripped, NOW));
    assert_eq!(again.restored().names, NamesSince::Same);
    let back = under(&keep, &image(&stripped, NOW));
    assert_eq!(back.restored().names, NamesSince::Other);
    assert_eq!(trust(&back, "anna@a"), None);
    let settled = under(&keep, &image(&back, NOW));
    assert_eq!(settled.restored().names, NamesSince::Same);
}
