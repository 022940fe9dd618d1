//! clock_set - what is kept and shown when the machine's clock was set

use super::super::tally::{HistoryTally, WhichRows};
use super::*;

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn after_the_clock_was_set_back_what_comes_has_rows_and_ten_minutes_are_ten_minutes() {
    let kept = Kept::new();
    let bob = kept.user("bob", Some(Trust::Far));
    let attempt = |client: &str| attempt_at(client, bob.clone(), AttemptVerdict::Refuse);
    let now = kept.clock.now();
    let back = now - DAY * 40;
    let mut tally = HistoryTally::beginning(now);
    let rows = |tally: &mut HistoryTally| tally.rows(WhichRows::All).count();
    tally.take(&attempt("198.51.100.9"), now, now);
    tally.take(&attempt("203.0.113.7"), now, back);
    assert_eq!((rows(&mut tally), tally.only_counted), (2, 0));
    tally.take(&attempt("198.51.100.9"), now + MINUTE, back + MINUTE);
    let counts: u64 = tally.rows(WhichRows::All).map(|row| row.count).sum();
    assert_eq!((rows(&mut tally), counts), (2, 3));
    // Later than what is alike is one row: it begins anew, by the clock as it is now.
    let (later, on_wall) = (now + MINUTE * 10, back + MINUTE * 10);
    tally.take(&attempt("198.51.100.9"), later, on_wall);
    let last = tally.rows(WhichRows::All).map(|row| row.at).max();
    assert_eq!((rows(&mut tally), last), (2, Some(on_wall)));
}

#[test]
fn after_the_clock_was_set_back_rows_are_closed_after_ten_minutes() {
    let kept = Kept::new();
    let mut tally = HistoryTally::beginning(kept.clock.now());
    let back = kept.clock.now() - DAY * 40;
    for (now, wall) in [
        (kept.clock.now(), kept.clock.now()),
        (kept.clock.now() + MINUTE * 11, back),
    ] {
        tally.turn(now, wall);
        // Nearly as many as may be open.
        for number in 0..500 {
            let user = kept.user(&format!("user{}", number / 50), Some(Trust::Far));
            let client = format!("198.51.{}.9", number % 250);
            tally.take(
                &attempt_at(&client, user, AttemptVerdict::Refuse),
                now,
                wall,
            );
        }
        for row in tally.rows(WhichRows::All) {
            row.is_dirty = false;
        }
        assert_eq!(tally.only_counted, 0);
    }
}

#[test]
fn what_a_clock_ahead_has_dated_is_in_no_report_of_the_last_days_and_among_all_decisions() {
    let mut kept = Kept::new();
    let (bob, alice) = (
        kept.user("bob", Some(Trust::Far)),
        kept.user("alice", Some(Trust::Familiar)),
    );
    kept.attempt("198.51.100.9", bob, AttemptVerdict::Reject);
    kept.attempt("203.0.113.7", alice.clone(), AttemptVerdict::Refuse);
    tell_ban_outage_and_act(&mut kept);
    kept.write();
    let reader = kept.reader();
    let since = Clock::wall() - DAY;
    let counts = || {
        [
            reader
                .decisions(DecisionsOf::User(alice.id), since, 9)
                .unwrap()
                .len(),
            reader.attacked(since, 9).unwrap().len(),
            reader.attackers(since, 9).unwrap().len(),
            reader.bans(since, 9).unwrap().len(),
            reader.outages(since, 9).unwrap().len(),
            reader.acts(since, 9).unwrap().len(),
            reader.hours(since).unwrap().len(),
        ]
    };
    let file = rusqlite::Connection::open(kept.path("history.db")).unwrap();
    let hour = Clock::wall().as_seconds() / 3600 * 3600;
    file.execute(
        "INSERT INTO hours (hour, name, count) VALUES (?, 'x', 1)",
        [hour],
    )
    .unwrap();
    assert_eq!(counts(), [1; 7]);
    for (table, column) in [
        ("decisions", "last"),
        ("users", "hour"),
        ("networks", "hour"),
        ("bans", "began"),
        ("outages", "began"),
        ("acts", "at"),
        ("hours", "hour"),
    ] {
        let ahead = format!("UPDATE {table} SET {column} = {column} + 86400 * 40");
        file.execute(&ahead, []).unwrap();
    }
    assert_eq!(counts(), [0; 7]);
    assert_eq!(kept.decisions(DecisionsOf::User(alice.id)).len(), 1);
}

fn tell_ban_outage_and_act(kept: &mut Kept) {
    let subject = Subject::Client("198.51.100.9".parse::<ClientKey>().unwrap());
    let (until, mode) = (kept.clock.now() + DAY, Mode::Enforce);
    let cause = BanCause::Operator;
    kept.tell(RecordedEvent::Ban(BanRecord {
        subject,
        until,
        cause,
        mode,
    }));
    let (backend, why) = (None, Some("refused".to_owned()));
    kept.tell(RecordedEvent::Outage(OutageRecord { backend, why }));
    kept.tell(RecordedEvent::Act("did this".to_owned()));
}
