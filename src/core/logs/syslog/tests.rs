//! tests - of the head of a line, its year and its zone

use super::*;
use crate::logs::envelope::header;

/// A zone as POSIX writes it, so that no machine's database matters.
fn zone(rule: &str) -> TimeZone {
    TimeZone::posix(rule).unwrap()
}

fn at(text: &str) -> Moment {
    let stamp: jiff::Timestamp = text.parse().unwrap();
    Moment::from_nanos(u64::try_from(stamp.as_nanosecond()).unwrap())
}

fn moments(zone: TimeZone, newest: &str, lines: &[&str]) -> Vec<Moment> {
    let mut dates = Dates::new(zone, at(newest));
    let moment = |line: &&str| {
        let header = header(line.as_bytes()).unwrap();
        dates.follow(header.stamp);
        dates.moment(header.stamp).unwrap()
    };
    let mut moments: Vec<_> = lines.iter().map(moment).collect();
    let ahead = dates.years_ahead();
    for moment in &mut moments {
        *moment = dates.years_earlier(*moment, ahead).unwrap();
    }
    moments
}

#[track_caller]
fn check(line: &str, program: &str, pid: Option<u32>, message: &str) {
    let header = header(line.as_bytes()).unwrap();
    assert_eq!(header.program, program.as_bytes());
    assert_eq!(header.pid, pid);
    assert_eq!(header.message, message.as_bytes());
}

#[test]
fn classic_and_iso_heads_are_read() {
    check(
        "Nov 24 04:03:44 mx postfix/smtpd[12]: hi",
        "postfix/smtpd",
        Some(12),
        "hi",
    );
    check(
        "Nov  4 04:03:44 mx dovecot: auth: hi",
        "dovecot",
        None,
        "auth: hi",
    );
    check(
        "Aug 3 15:30:49 mx postfix/smtpd[1]: hi",
        "postfix/smtpd",
        Some(1),
        "hi",
    );
    check(
        "2026-11-24T04:03:44.123456+01:00 mx.example.org dovecot[7]: imap-login: hi",
        "dovecot",
        Some(7),
        "imap-login: hi",
    );
    check("2026-11-24T04:03:44+0100 mx auth: hi", "auth", None, "hi");
}

#[test]
fn a_file_of_dovecots_own_has_no_host() {
    check(
        "Nov 24 04:03:44 imap-login: Info: hi",
        "dovecot",
        None,
        "imap-login: Info: hi",
    );
    check(
        "2026-11-24 04:03:44 auth: Info: hi",
        "dovecot",
        None,
        "auth: Info: hi",
    );
    check(
        "Aug 30 00:10:57 auth(a b,192.0.2.110,sasl:login)<x>: Info: sql: hi",
        "dovecot",
        None,
        "auth(a b,192.0.2.110,sasl:login)<x>: Info: sql: hi",
    );
}

#[test]
fn a_name_in_a_dovecot_file_is_no_host() {
    let message = "imap(x imap-login: Login: user=<root>, rip=192.0.2.9";
    check(
        &format!("Nov 24 04:03:44 {message}"),
        "dovecot",
        None,
        message,
    );
}

#[test]
fn what_has_no_time_has_no_head() {
    for line in [
        "",
        " ",
        "Nov",
        "Nov 24",
        "Nov 24 04:03:44",
        "Nov 24 04:03:44 ",
        "Foo 24 04:03:44 mx a: b",
        "2026-11-24T04:03 mx a: b",
        "99999",
        "-- Boot 1234 --",
        "Nov 24 04:03:44 mx kernel",
    ] {
        assert_eq!(header(line.as_bytes()), None, "{line:?}");
    }
}

#[test]
fn an_offset_a_fraction_and_utc_are_obeyed() {
    let lines = [
        "2026-11-24T04:03:44.5+01:00 mx a: b",
        "2026-11-24T03:03:44.5Z mx a: b",
        "2026-11-23T22:03:44.500000000-0500 mx a: b",
    ];
    let same = at("2026-11-24T03:03:44.5Z");
    assert_eq!(
        moments(zone("JST-9"), "2030-01-01T00:00:00Z", &lines),
        [same; 3]
    );
}

#[test]
fn local_times_follow_summer_time() {
    let lines = [
        "Mar 29 00:30:00 mx a: b",
        "Mar 29 03:30:00 mx a: b",
        "Oct 25 02:30:00 mx a: b",
        "Oct 25 03:30:00 mx a: b",
    ];
    let moments = moments(
        zone("CET-1CEST,M3.5.0,M10.5.0/3"),
        "2026-11-24T00:00:00Z",
        &lines,
    );
    let expected = [
        "2026-03-28T23:30:00Z",
        "2026-03-29T01:30:00Z",
        "2026-10-25T00:30:00Z",
        "2026-10-25T02:30:00Z",
    ];
    assert_eq!(moments, expected.map(at));
}

#[test]
fn the_year_rolls_over_at_new_year_even_where_lines_are_out_of_order() {
    let lines = [
        "Dec 30 10:00:00 mx a: b",
        "Dec 31 23:59:59 mx a: b",
        "Jan  1 00:00:00 mx a: b",
        "Dec 31 23:59:59 mx a: b",
        "Jan  1 00:00:01 mx a: b",
        "Jan  4 00:00:00 mx a: b",
    ];
    let expected = [
        "2025-12-30T10:00:00Z",
        "2025-12-31T23:59:59Z",
        "2026-01-01T00:00:00Z",
        "2025-12-31T23:59:59Z",
        "2026-01-01T00:00:01Z",
        "2026-01-04T00:00:00Z",
    ];
    assert_eq!(
        moments(TimeZone::UTC, "2026-01-04T00:00:01Z", &lines),
        expected.map(at)
    );
}

#[test]
fn a_log_of_several_years_ends_at_the_files_time() {
    let lines = [
        "Mar  1 00:00:00 mx a: b",
        "Oct  1 00:00:00 mx a: b",
        "Feb 28 00:00:00 mx a: b",
        "Nov  1 00:00:00 mx a: b",
        "Jan 15 00:00:00 mx a: b",
        "Apr  1 00:00:00 mx a: b",
    ];
    let expected = [
        "2024-03-01T00:00:00Z",
        "2024-10-01T00:00:00Z",
        "2025-02-28T00:00:00Z",
        "2025-11-01T00:00:00Z",
        "2026-01-15T00:00:00Z",
        "2026-04-01T00:00:00Z",
    ];
    assert_eq!(
        moments(TimeZone::UTC, "2026-04-01T06:00:00Z", &lines),
        expected.map(at)
    );
}

#[test]
fn a_clock_that_was_wrong_for_a_while_ends_no_year() {
    // It booted in 1970; and was weeks ahead.
    for wrong in ["Jan  1 00:00:09 mx a: b", "Jan 10 10:00:00 mx a: b"] {
        let lines = [
            "Nov 26 10:00:00 mx a: b",
            "Nov 28 10:00:00 mx a: b",
            wrong,
            wrong,
            "Nov 28 10:00:05 mx a: b",
            "Nov 29 10:00:00 mx a: b",
        ];
        let found = moments(TimeZone::UTC, "2026-11-29T11:00:00Z", &lines);
        let right = [found[0], found[1], found[4], found[5]];
        let expected = [
            "2026-11-26T10:00:00Z",
            "2026-11-28T10:00:00Z",
            "2026-11-28T10:00:05Z",
            "2026-11-29T10:00:00Z",
        ];
        assert_eq!(right, expected.map(at), "{wrong}");
    }
    // A year that has ended, and one in which next to nothing happened.
    let lines = [
        "Nov 28 10:00:00 mx a: b",
        "Jan  1 10:00:00 mx a: b",
        "Jan  4 10:00:00 mx a: b",
        "Nov 29 10:00:00 mx a: b",
    ];
    let found = moments(TimeZone::UTC, "2026-11-29T11:00:00Z", &lines);
    let expected = [
        "2025-11-28T10:00:00Z",
        "2026-01-01T10:00:00Z",
        "2026-01-04T10:00:00Z",
        "2026-11-29T10:00:00Z",
    ];
    assert_eq!(found, expected.map(at));
}

#[test]
fn a_leap_day_and_a_day_that_is_none() {
    let leap = ["Feb 29 12:00:00 mx a: b"];
    assert_eq!(
        moments(TimeZone::UTC, "2028-02-29T13:00:00Z", &leap),
        [at("2028-02-29T12:00:00Z")]
    );
    let mut dates = Dates::new(TimeZone::UTC, at("2026-03-01T00:00:00Z"));
    for line in [
        "Feb 29 12:00:00 mx a: b",
        "Feb 20 24:00:00 mx a: b",
        "Feb 20 12:60:00 mx a: b",
    ] {
        let stamp = header(line.as_bytes()).unwrap().stamp;
        dates.follow(stamp);
        assert_eq!(dates.moment(stamp), None, "{line}");
    }
}
