//! Each model's rule, as its manual states it.

use std::time::Duration;

use super::*;
use crate::traffic::policy::PasswordForm;
use crate::traffic::{DAY, HOUR, MINUTE, SECOND, START};
use gatepost_core::gate::request::attempt::Secret;
use gatepost_core::gate::request::doors::Door;

struct ModelTest {
    model: Box<dyn Model>,
    now: Moment,
}

impl ModelTest {
    fn new(model: impl Model + 'static) -> Self {
        Self {
            model: Box::new(model),
            now: START,
        }
    }

    fn pass(&mut self, span: Duration) {
        self.now = self.now + span;
    }

    /// How long a login from there would wait.
    fn wait(&mut self, from: &str) -> Duration {
        let attempt = attempt(from, "anna", "right", Expected::Right);
        self.model.wait(&attempt, self.now)
    }

    /// Whether an attempt got through.
    fn attempt(&mut self, from: &str, user: &str, password: &str, expected: Expected) -> bool {
        let attempt = attempt(from, user, password, expected);
        let admitted = self.model.admits(&attempt, self.now);
        if admitted {
            self.model.observe(&attempt, expected, self.now);
        }
        admitted
    }

    /// A failure with a password of its own.
    fn fail(&mut self, from: &str, user: &str, n: usize) -> bool {
        self.attempt(from, user, &format!("wrong {n}"), Expected::Wrong)
    }

    fn login(&mut self, from: &str, user: &str) -> bool {
        self.attempt(from, user, "right", Expected::Right)
    }
}

fn attempt(from: &str, user: &str, password: &str, expected: Expected) -> LoginAttempt {
    LoginAttempt {
        device: None,
        client: from.parse().unwrap(),
        door: Door::Own,
        user: UserName::new(user.as_bytes()),
        password: Secret::new(password.as_bytes().to_vec()),
        mechanism: PasswordForm::Plain,
        expected,
    }
}

#[test]
fn fail2ban_bans_for_ten_minutes_after_five_failures_in_ten() {
    let mut bench = ModelTest::new(fail2ban::Fail2ban::constant());
    for n in 0..5 {
        assert!(bench.fail("192.0.2.1", "anna", n));
    }
    assert!(!bench.login("192.0.2.1", "bernd"));
    assert!(bench.login("192.0.2.2", "bernd"));
    bench.pass(MINUTE * 10);
    assert!(bench.login("192.0.2.1", "bernd"));
    for n in 0..20 {
        bench.pass(MINUTE * 3);
        assert!(bench.fail("192.0.2.1", "anna", n), "four in ten minutes");
    }
}

#[test]
fn fail2bans_increments_double_each_ban() {
    let mut bench = ModelTest::new(fail2ban::Fail2ban::with_increments());
    for ban in 0..4 {
        for n in 0..5 {
            assert!(bench.fail("192.0.2.1", "anna", n));
        }
        bench.pass(MINUTE * 10 * (1 << ban) - SECOND);
        assert!(!bench.login("192.0.2.1", "anna"));
        bench.pass(SECOND);
        assert!(bench.login("192.0.2.1", "anna"));
    }
    assert_eq!(bench.model.bans(), 4);
}

#[test]
fn crowdsec_bans_for_four_hours_when_more_than_three_failures_have_not_leaked() {
    let mut bench = ModelTest::new(crowdsec::CrowdSec::default());
    for n in 0..30 {
        assert!(
            bench.fail("192.0.2.1", "anna", n),
            "one in six minutes leaks"
        );
        bench.pass(MINUTE * 6);
    }
    for n in 0..4 {
        assert!(bench.fail("192.0.2.1", "anna", n));
    }
    assert!(!bench.login("192.0.2.1", "bernd"));
    assert!(bench.login("192.0.2.2", "bernd"));
    bench.pass(HOUR * 4 - SECOND);
    assert!(!bench.login("192.0.2.1", "bernd"));
    bench.pass(SECOND);
    assert!(bench.login("192.0.2.1", "bernd"));
    assert_eq!(bench.model.bans(), 1);
}

#[test]
fn dovecots_penalty_doubles_to_15_s_which_postfix_does_not_wait_for() {
    let mut bench = ModelTest::new(dovecot::DovecotPenalty::default());
    for (n, seconds) in [(0, 0), (0, 4), (1, 4), (2, 8)] {
        assert_eq!(bench.wait("192.0.2.1"), SECOND * seconds);
        assert!(bench.fail("192.0.2.1", "anna", n), "0 is the same again");
    }
    assert_eq!(bench.wait("192.0.2.1"), SECOND * 15);
    assert_eq!(bench.wait("192.0.2.2"), Duration::ZERO);
    assert!(!bench.login("192.0.2.1", "bernd"), "Postfix waits for 10 s");
    bench.pass(SECOND * 15);
    assert_eq!(bench.wait("192.0.2.1"), Duration::ZERO);
    assert!(bench.fail("192.0.2.1", "anna", 3));
    assert!(bench.login("192.0.2.1", "bernd"));
    assert_eq!(bench.wait("192.0.2.1"), Duration::ZERO, "a login clears it");
    assert!(bench.fail("2001:db8:1:1::1", "anna", 0));
    assert_eq!(bench.wait("2001:db8:1:2::1"), SECOND * 4, "a /48 is one");
}

#[test]
fn an_attempt_that_waits_is_answered_when_its_time_has_come() {
    let mut policy = Modelled::new(Box::new(dovecot::DovecotPenalty::default()));
    let mut ended = Ended::new();
    for ticket in 0..2 {
        let attempt = attempt(
            "192.0.2.1",
            "anna",
            &format!("wrong {ticket}"),
            Expected::Wrong,
        );
        policy.log_in(ticket, attempt, START, &mut ended);
    }
    assert_eq!(ended.len(), 1);
    assert_eq!(policy.next(), Some(START + SECOND * 4));
    policy.wake(START + SECOND * 4, &mut ended);
    let tickets: Vec<u64> = ended.iter().map(|(ticket, _)| *ticket).collect();
    assert_eq!((tickets, policy.next()), (vec![0, 1], None));
}

#[test]
fn stop_guessing_refuses_frequent_passwords_past_50_points_and_forgives_typing_errors() {
    let mut bench = ModelTest::new(stop_guessing::StopGuessing::default());
    for n in 0..20 {
        let user = format!("user{n}");
        let from = format!("203.0.113.{n}");
        assert!(bench.attempt(&from, &user, "summer", Expected::Wrong));
    }
    for n in 0..25 {
        let (user, rare) = (format!("nobody{n}"), format!("rare {n}"));
        assert!(bench.attempt("192.0.2.1", &user, &rare, Expected::NoSuchUser));
    }
    assert!(
        bench.attempt("192.0.2.1", "anna", "summer", Expected::Wrong),
        "50 are not past 50"
    );
    assert!(!bench.attempt("192.0.2.1", "bernd", "summer", Expected::Wrong));
    assert!(bench.fail("192.0.2.1", "bernd", 0), "a rare password");
    assert!(
        bench.login("192.0.2.1", "bernd"),
        "which takes 30 points away"
    );
    assert!(bench.attempt("192.0.2.1", "clara", "summer", Expected::Wrong));
    bench.pass(HOUR * 12);
    for n in 0..40 {
        assert!(bench.attempt("192.0.2.9", "dora", "rihgt", Expected::Wrong));
        assert!(
            bench.login("192.0.2.9", "dora"),
            "{n}: a slip of two letters"
        );
    }
}

#[test]
fn anvil_counts_good_logins_too() {
    let mut bench = ModelTest::new(anvil::Anvil::default());
    for _ in 0..5 {
        assert!(bench.login("192.0.2.1", "anna"));
    }
    assert!(!bench.login("192.0.2.1", "anna"));
    bench.pass(MINUTE);
    assert!(bench.login("192.0.2.1", "anna"));
}

#[test]
fn mailu_shuts_a_network_out_after_five_unknown_names_and_a_user_after_fifty_passwords() {
    let mut bench = ModelTest::new(mailu::Mailu::default());
    for name in ["a", "b", "c", "c", "d", "e"] {
        assert!(bench.attempt("192.0.2.1", name, "x", Expected::NoSuchUser));
    }
    assert!(!bench.login("192.0.2.99", "anna"));
    bench.pass(HOUR);
    for n in 0..50 {
        assert!(bench.fail("198.51.100.1", "bernd", n));
    }
    assert!(!bench.login("203.0.113.1", "bernd"));
    bench.pass(DAY);
    assert!(bench.login("203.0.113.1", "bernd"));
    for n in 0..100 {
        assert!(bench.fail("203.0.113.1", "bernd", n), "free for a day");
    }
}

#[test]
fn smart_lockout_locks_after_ten_new_passwords_and_keeps_familiar_places_apart() {
    let mut bench = ModelTest::new(smart_lockout::SmartLockout::default());
    assert!(bench.login("203.0.113.1", "anna"));
    for _ in 0..100 {
        assert!(bench.fail("192.0.2.1", "anna", 0), "the same again");
    }
    for n in 1..10 {
        assert!(bench.fail("192.0.2.1", "anna", n));
    }
    assert!(!bench.login("198.51.100.1", "anna"));
    assert!(bench.login("203.0.113.1", "anna"), "familiar");
    bench.pass(MINUTE);
    assert!(bench.fail("192.0.2.1", "anna", 10));
    bench.pass(MINUTE * 2 - SECOND);
    assert!(!bench.login("198.51.100.1", "anna"), "longer now");
}

#[test]
fn a_bucket_per_address_allows_ten_failures_and_then_ten_an_hour() {
    let mut bench = ModelTest::new(bucket::PerAddress::default());
    let all = (0..100)
        .filter(|n| bench.fail("192.0.2.1", "anna", *n))
        .count();
    assert_eq!(all, 10);
    let mut later = 0;
    for n in 0..60 {
        bench.pass(MINUTE);
        later += usize::from(bench.fail("192.0.2.1", "anna", n));
    }
    assert_eq!(later, 10);
    assert!(!bench.login("192.0.2.1", "anna"), "good logins wait too");
}

#[test]
fn every_model_has_a_name_of_its_own() {
    let mut names: Vec<_> = all().iter().map(|model| model.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all().len());
}
