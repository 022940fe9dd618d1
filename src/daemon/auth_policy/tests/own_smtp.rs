//! own_smtp - what Dovecot asks and reports about a password that Gatepost's own SMTP has let through

use super::*;

/// An attempt at Gatepost's own SMTP.
struct Smtp(Drain);

impl Asker for Smtp {
    fn client(&self) -> ClientKey {
        HERE.parse().unwrap()
    }

    fn session(&self) -> u64 {
        9
    }

    fn seen(&self) -> events::Session<'_> {
        events::Session {
            id: &9,
            key: self.client(),
            client: &HERE,
            listener: &"smtp",
            tls: "none",
            ja4: None,
        }
    }

    fn drain(&self) -> Drain {
        self.0.clone()
    }
}

impl Place {
    fn smtp(&self) -> Smtp {
        Smtp(self.door.drain.clone())
    }

    /// An attempt at Gatepost's own SMTP.
    async fn at_smtp(&self, password: &str) -> Granted {
        let (name, secret) = (
            UserName::new(*b"Anna@example.org"),
            Secret::new(password.as_bytes().to_vec()),
        );
        let attempt = self.door.judging.begin("PLAIN");
        let smtp = self.smtp();
        let judged = attempt.judge(&smtp, &name, Password::Shown(&secret)).await;
        judged.unwrap()
    }

    /// A password of Anna's that was wrong so long ago.
    fn was_wrong(&self, password: &str, age: Duration) {
        let gate = self.door.judging.gate();
        let then = self.door.judging.clock.now() - age;
        let (user, secret) = (
            UserName::new(ANNA.as_bytes()),
            Secret::new(password.as_bytes().to_vec()),
        );
        let attempt = AuthAttempt {
            session: 8,
            client: HERE.parse().unwrap(),
            user: &user,
            password: Password::Shown(&secret),
            door: Door::Own,
            device: None,
            country: Located::default(),
            system: None,
        };
        let class = QueueClass::Ordinary;
        let verdict = gate.judge_in_turn(&attempt, class, then, &mut Vec::new());
        let Verdict::Allow(permit) = verdict else {
            panic!("{verdict:?}");
        };
        let _ = gate.settle(permit, AuthOutcome::Reject, then, &mut Vec::new());
    }

    /// The same, which is at Postfix now.
    async fn at_postfix(&self, password: &str) -> Granted {
        let mut granted = self.at_smtp(password).await;
        granted.goes_to_postfix(&self.smtp());
        granted
    }
}

#[tokio::test(start_paused = true)]
async fn what_our_own_smtp_let_through_is_not_judged_again_and_another_postfixs_is() {
    let place = place();
    let smtp = place.smtp();
    let granted = place.at_postfix("Zwiebel").await;
    let paid = place.tokens(Bucket::Client);
    // A second one of its network may be at Dovecot just now, and a third may not.
    assert_eq!(place.allow(&question("smtp", "", "Kartoffel")).await, 0);
    let ask = question("smtp", "", "Zwiebel");
    assert_eq!(place.allow(&ask).await, 0);
    assert_eq!(place.allow(&ask).await, 0);
    assert_eq!(
        (place.attempts(), place.tokens(Bucket::Client)),
        (2, paid - 1)
    );
    assert_eq!(place.allow(&question("smtp", "", "Tomate")).await, 5);
    assert_eq!(
        (place.attempts(), place.tokens(Bucket::Client)),
        (3, paid - 2)
    );
    let _ = granted.settle(&smtp, AuthOutcome::Reject, &"535").await;
    place.report(&ask, false).await;
    assert_eq!(
        place.tokens(Bucket::Client),
        paid - 2,
        "settled by Postfix's answer alone"
    );
    assert_eq!(
        place.allow(&ask).await,
        -1,
        "now it is another try of a wrong password"
    );
}

/// It pays nothing, so it may stand for nothing else: the next guess would be free, and remembered nowhere.
#[tokio::test(start_paused = true)]
async fn a_wrong_password_again_at_our_own_smtp_covers_no_new_one_at_another_postfix() {
    let place = place();
    place.was_wrong("Zwiebel", Duration::from_secs(61));
    let paid = place.tokens(Bucket::Client);
    let again = place.at_postfix("Zwiebel").await;
    assert_eq!(place.tokens(Bucket::Client), paid, "it is free");
    let new = question("smtp", "", "Kartoffel");
    assert_eq!(place.allow(&new).await, 0);
    assert_eq!(place.tokens(Bucket::Client), paid - 1, "a new guess");
    place.report(&new, false).await;
    assert_eq!(place.allow(&new).await, -1, "it is remembered");
    assert_eq!(place.allow(&question("smtp", "", "Zwiebel")).await, 0);
    assert_eq!(place.tokens(Bucket::Client), paid - 1);
    drop(again);
}

/// Until it goes there it may come to nothing, and cost nothing.
#[tokio::test(start_paused = true)]
async fn what_waits_for_a_process_of_postfix_covers_no_question() {
    let place = place();
    let granted = place.at_smtp("Zwiebel").await;
    assert_eq!(place.allow(&question("smtp", "", "Zwiebel")).await, 0);
    assert_eq!(place.attempts(), 2);
    drop(granted);
}

fn with_a_decoy() -> GateSettings {
    GateSettings {
        user_rules: vec![UserRule {
            name: ANNA.to_owned(),
            mailbox: Mailbox::Decoy,
            ..UserRule::default()
        }],
        ..GateSettings::default()
    }
}

#[tokio::test(start_paused = true)]
async fn dovecots_report_teaches_nothing_about_a_decoy() {
    let place = place_of(4, with_a_decoy());
    let granted = place.at_postfix("right").await;
    let ask = question("smtp", "", "right");
    assert_eq!(place.allow(&ask).await, 0);
    place.report(&ask, true).await;
    // Nor what Dovecot has done while Gatepost was away.
    place.report(&question("imap", "s1", "right"), true).await;
    let smtp = place.smtp();
    let settled = granted.settle(&smtp, AuthOutcome::Accept, &"235").await;
    assert_eq!(settled.outcome, AuthOutcome::Reject);
    assert_eq!(place.trust(), "far");
}

/// What came of it Postfix tells, and the gate has the last word.
#[tokio::test(start_paused = true)]
async fn dovecots_report_teaches_nothing_that_our_own_smtp_settles() {
    let place = place();
    let granted = place.at_postfix("right").await;
    let ask = question("smtp", "", "right");
    assert_eq!(place.allow(&ask).await, 0);
    place.report(&ask, true).await;
    assert_eq!(place.trust(), "far", "Postfix has not answered");
    let smtp = place.smtp();
    let _ = granted.settle(&smtp, AuthOutcome::Accept, &"235").await;
    assert_eq!(place.trust(), "familiar");
}
