//! clocks - the time away, and clocks that were wrong or were set

use std::num::NonZeroU32;

use super::*;
use crate::gate::buckets::quota::Division;

#[test]
fn the_time_away_counts_as_if_the_gate_had_gone_on() {
    let gate = busy(&mut Vec::new());
    let image = image(&gate, NOW);
    for away in [MINUTE, MINUTE * 45, DAY, DAY * 7] {
        let then = NOW + away;
        let restored = restore(&image, then);
        for from in [FAR, HOME, "192.0.2.1"] {
            assert_eq!(
                holdings(&restored, from, then),
                holdings(&gate, from, then),
                "{from} {away:?}"
            );
        }
    }
}

#[test]
fn a_clock_that_starts_in_1970_forgives_nothing_and_one_in_2040_seven_days() {
    let gate = busy(&mut Vec::new());
    let image = image(&gate, NOW);
    let early = Moment::from_seconds(40);
    let restored = restore(&image, early);
    assert_eq!(holdings(&restored, FAR, early), holdings(&gate, FAR, NOW));
    assert_eq!(holdings(&restored, HOME, early), holdings(&gate, HOME, NOW));
    // And from there the image of 1970 is as good as any.
    let image_of_1970 = self::image(&restored, early);
    let back = restore(&image_of_1970, NOW);
    let week = NOW + DAY * 7;
    assert_eq!(holdings(&back, FAR, NOW), holdings(&gate, FAR, week));

    let late = Moment::from_seconds(2_208_988_800);
    let restored = restore(&image, late);
    assert_eq!(holdings(&restored, FAR, late), holdings(&gate, FAR, week));
    // Not by number alone: each pair is as young as it was a week after its last login, and stays so
    // when what is older than 90 days is swept out.
    let trust = |gate: &Gate| {
        let seen = gate.explain(client(HOME), Some(&user("anna")), late);
        seen.user.unwrap().trust
    };
    assert_eq!(trust(&restored), Trust::Familiar);
    restored.tick(late + DAY, &mut Vec::new());
    assert_eq!(restored.status(late).familiar_pairs, 3);
    assert_eq!(trust(&restored), Trust::Familiar);
}

#[test]
fn after_a_clock_that_was_ahead_what_is_banned_survives_a_kill() {
    let hour = MINUTE * 60;
    let ahead = NOW + hour * 2;
    let subjects = [FAR, HOME].map(|text| Subject::Client(client(text)));
    let before = Gate::new(settings(), keys(1), ahead);
    before.ban(subjects[0], ahead + DAY, ahead, &mut Vec::new());
    let gate = restore(&image(&before, ahead), NOW);
    assert!(gate.restored().is_ahead, "so it is saved at once");
    let mut files = image(&gate, NOW).to_vec();
    let (at, mut changes) = (NOW + MINUTE, Vec::new());
    gate.unban(subjects[0], at, &mut changes);
    for subject in subjects {
        gate.ban(subject, at + hour, at, &mut changes);
    }
    files.push(journals::file(&changes));
    let then = at + MINUTE;
    let restored = restore(&files, then);
    assert!(!restored.restored().is_ahead);
    let bans = restored.bans(then);
    let left = bans.iter().map(|ban| ban.until.since(then).as_secs());
    assert_eq!(left.collect::<Vec<_>>(), [3_540, 3_540]);
}

#[test]
fn a_ban_in_the_journal_is_as_much_shorter_as_the_time_away_was_long() {
    let mut changes = Vec::new();
    let gate = Gate::new(settings(), keys(1), NOW);
    guess(&gate, FAR, "root", 0, NOW, &mut changes);
    let restored = |then| {
        let gate = restore(&[journal(&changes)], then);
        gate.bans(then).first().map(|ban| ban.until.since(then))
    };
    assert_eq!(restored(NOW), Some(MINUTE * 10));
    assert_eq!(restored(NOW + MINUTE * 4), Some(MINUTE * 6));
    assert_eq!(restored(NOW + MINUTE * 10), None);
    assert_eq!(restored(NOW - DAY), Some(MINUTE * 10));
}

#[test]
fn a_clock_that_was_set_while_the_gate_ran_takes_nothing_from_bans_and_debts() {
    // Started in 1970, put right, saved, and read an hour later by a process that starts by the right clock.
    let start = Moment::from_seconds(60);
    let gate = Gate::new(settings(), keys(1), start);
    let subject = Subject::Client(client(FAR));
    let mut changes = Vec::new();
    gate.ban(subject, start + DAY, start, &mut changes);
    let hour = MINUTE * 60;
    gate.set_wall(start + hour, NOW);
    let mut files = image(&gate, start + hour).to_vec();
    let later = Subject::Client(client(HOME));
    gate.ban(
        later,
        start + hour * 2 + DAY,
        start + hour * 2,
        &mut changes,
    );
    files.push(journals::file(&changes));
    let restored = restore(&files, NOW + hour * 2);
    let left: Vec<_> = restored.bans(NOW + hour * 2);
    assert_eq!(left.len(), 2);
    for ban in left {
        let expected = match ban.subject == subject {
            true => DAY - hour * 3,
            false => DAY - hour,
        };
        assert_eq!(ban.until.since(NOW + hour * 2), expected, "{}", ban.subject);
    }
}

#[test]
fn of_one_of_several_machines_what_is_old_stays_as_old_as_it_is() {
    let gate = busy(&mut Vec::new());
    let image = image(&gate, NOW);
    let then = NOW + DAY * 30;
    let mut several = settings();
    several.division = Division::Split(NonZeroU32::new(3).unwrap());
    let last = |settings| {
        let restored = restore_with(settings, &image, then);
        let told = restored.explain_user(&user("anna"), |_| Located::default(), then);
        then.since(told.last.unwrap())
    };
    assert_eq!(last(settings()), DAY * 8);
    assert_eq!(last(several), DAY * 31);
}
