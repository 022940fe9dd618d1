//! changes - what happened since the last snapshot: alone, twice, in any order, and over snapshots of before and after

use super::*;

#[test]
fn the_journal_alone_brings_bans_shared_buckets_and_who_is_known_back() {
    let mut changes = Vec::new();
    let gate = busy(&mut changes);
    let restored = restore(&[journal(&changes)], NOW);
    assert_eq!(bans(&restored, NOW), bans(&gate, NOW));
    let seen = restored.explain(client("192.0.2.1"), None, NOW);
    assert_eq!((seen.strikes, seen.standing), (3, Standing::Banned));
    assert_eq!(shared(&restored, NOW), shared(&gate, NOW));
    assert_eq!(restored.known(), gate.known());
    assert_eq!(restored.settles_until(NOW), None);
}

#[test]
fn changes_over_older_or_newer_snapshots_twice_or_shuffled_give_the_same() {
    let mut changes = Vec::new();
    let gate = busy(&mut changes);
    let old = image(&gate, NOW);
    let mut later = Vec::new();
    let then = NOW + MINUTE;
    guess(&gate, "192.0.2.200", "root", 0, then, &mut later);
    guess(&gate, "100.64.0.1", "ghost", 0, then, &mut later);
    gate.unban(Subject::Client(client("192.0.2.1")), then, &mut later);
    gate.learn(&user("dora"), client(FAR), then, then, &mut later);
    let new = image(&gate, then);
    let seen = |gate: &Gate| {
        let strikes = gate.explain(client("192.0.2.1"), None, then).strikes;
        (bans(gate, then), shared(gate, then), gate.known(), strikes)
    };
    let truth = seen(&restore(&new, then));
    assert_eq!(truth.0, bans(&gate, then));
    assert_eq!(truth.3, 0);
    let all = [changes.clone(), later.clone()].concat();
    let mut twice = [all.clone(), all.clone()].concat();
    for image in [&old, &new] {
        let over = |changes: &[Change]| {
            let files = [image.as_slice(), &[journal(changes)]].concat();
            seen(&restore(&files, then))
        };
        assert_eq!(over(&all), truth);
        assert_eq!(over(&twice), truth);
        twice.reverse();
        assert_eq!(over(&twice), truth);
    }
    // Changes that are older than the snapshots bring nothing back that has ended since.
    let over_new = [new.as_slice(), &[journal(&changes)]].concat();
    assert_eq!(seen(&restore(&over_new, then)), truth);
}

#[test]
fn what_is_forgiven_stays_forgiven_after_a_crash() {
    let gate = busy(&mut Vec::new());
    let before = image(&gate, NOW);
    let mut changes = Vec::new();
    let then = NOW + MINUTE;
    gate.forgive_client(client(FAR), then, &mut changes);
    gate.forgive_user(&user("anna"), then, &mut changes);
    let files = [before.as_slice(), &[journal(&changes)]].concat();
    let restored = restore(&files, then);
    for from in [FAR, HOME] {
        assert_eq!(holdings(&restored, from, then), holdings(&gate, from, then));
    }
    assert_ne!(
        holdings(&restored, FAR, then),
        holdings(&restore(&before, then), FAR, then)
    );
}

#[test]
fn a_ban_that_was_evicted_does_not_come_back_and_the_book_keeps_its_capacity() {
    let mut settings = settings();
    settings.capacity.clients = 8192;
    let gate = Gate::new(settings.clone(), keys(1), NOW);
    let mut changes = Vec::new();
    for number in 0..5000 {
        let until = NOW + DAY + MINUTE * number;
        let subject = Subject::Client(ClientKey::V4(number));
        gate.ban(subject, until, NOW, &mut changes);
    }
    assert_eq!(gate.status(NOW).bans, 1024);
    let nothing = image(&Gate::new(settings.clone(), keys(1), NOW), NOW);
    let files = [nothing.as_slice(), &[journal(&changes)]].concat();
    let restored = restore_with(settings.clone(), &files, NOW);
    assert_eq!(bans(&restored, NOW), bans(&gate, NOW));
    // Those that gave way to a ban which is lifted now stay away, too.
    let lifted = gate.bans(NOW).last().unwrap().subject;
    gate.unban(lifted, NOW, &mut changes);
    let files = [nothing.as_slice(), &[journal(&changes)]].concat();
    let restored = restore_with(settings.clone(), &files, NOW);
    assert_eq!(restored.status(NOW).bans, 1023);
    assert_eq!(bans(&restored, NOW), bans(&gate, NOW));
    // A smaller table keeps those that end last, and stays within its bounds from then on.
    settings.capacity.clients = 16_384;
    let large = Gate::new(settings.clone(), keys(1), NOW);
    for number in 0..2000 {
        let subject = Subject::Client(ClientKey::V4(number));
        large.ban(subject, NOW + DAY + MINUTE * number, NOW, &mut changes);
    }
    settings.capacity.clients = 1000;
    let small = restore_with(settings, &image(&large, NOW), NOW);
    assert_eq!(small.bans(NOW), large.bans(NOW)[976..]);
    let subject = Subject::Client(ClientKey::V6(1));
    small.ban(subject, NOW + DAY, NOW, &mut changes);
    assert_eq!(small.status(NOW).bans, 1024);
}
