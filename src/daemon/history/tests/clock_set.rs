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
