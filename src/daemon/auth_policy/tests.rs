//! tests - Dovecot's questions and reports, as they come, against a gate
//!
//! Not here: a real Dovecot (`integration::postfix`), HTTP itself (`net::http`).

use http_body_util::BodyExt;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use super::*;
use crate::clock::Clock;
use crate::drain::{self, Drainer};
use crate::judging::{Acknowledge, Asker, Notice, Notices};
use crate::report::events;
use crate::report::limits::LimitCounters;
use crate::report::record::Recorder;
use gatepost_core::gate::buckets::spec::Bucket;
use gatepost_core::gate::permit::Verdict;
use gatepost_core::gate::queue::QueueClass;
use gatepost_core::gate::request::attempt::{AuthAttempt, Secret, UserName};
use gatepost_core::gate::request::place::Located;
use gatepost_core::gate::request::settings::{GateSettings, QueueSettings};
use gatepost_core::gate::request::user_rule::{Mailbox, UserRule};
use gatepost_core::gate::request::verdict::Reason;
use gatepost_core::gate::{Gate, Keys};

const SECRET: &str = "0123456789abcdef";
const ANNA: &str = "anna@example.org";
const HERE: &str = "198.51.100.7";

/// A door, and a task that keeps its journal.
struct Place {
    door: AuthPolicy,
    drainer: Drainer,
}

fn place_with(at_once: usize) -> Place {
    place_of(at_once, GateSettings::default())
}

fn place_of(at_once: usize, settings: GateSettings) -> Place {
    let keys = Keys {
        users: [1; 16],
        passwords: [2; 16],
        table: [3; 16],
    };
    let nonce = PolicyNonce::new("a nonce of 16 or more");
    let settings = GateSettings {
        settling: Duration::ZERO,
        nonce: Some(nonce.clone()),
        ..settings
    };
    let clock = Clock::start();
    let limits = Arc::new(LimitCounters::default());
    let (notices, received) = Notices::channel(64, &limits);
    tokio::spawn(acknowledge(received));
    let gate = Gate::new(settings, keys, clock.now());
    gate.introduce(
        &UserName::new(*b"anna@example.org"),
        None,
        clock.now(),
        &mut Vec::new(),
    );
    let queue = QueueSettings {
        at_once,
        ..QueueSettings::default()
    };
    let (recorder, _) = Recorder::channel(&limits);
    let judging = Arc::new(Judging::new(
        gate,
        queue,
        clock,
        (notices, recorder),
        &limits,
    ));
    let (drainer, drain) = drain::channel();
    let settings = AuthPolicySettings {
        listen: "127.0.0.1:4001".parse().unwrap(),
        secret: PolicySecret::new(SECRET),
        nonce,
    };
    let ids = Arc::new(SessionIds::new(clock.now(), Clock::wall()));
    Place {
        door: AuthPolicy::new(judging, ids, settings, drain),
        drainer,
    }
}

fn place() -> Place {
    place_with(4)
}

async fn acknowledge(mut received: mpsc::Receiver<Notice>) {
    while let Some(notice) = received.recv().await {
        if let Acknowledge::ForJournal(session) = notice.waiting {
            let _ = session.send(Ok(()));
        }
    }
}

impl Place {
    /// The status and the text of an answer.
    async fn post(&self, command: &str, body: impl Into<Bytes>) -> (StatusCode, String) {
        let request = Request::post(format!("/?command={command}")).header(SECRET_HEADER, SECRET);
        self.send(request.body(body.into()).unwrap()).await
    }

    async fn send(&self, request: Request<Bytes>) -> (StatusCode, String) {
        let response = self.door.answer(request).await;
        let status = response.status();
        let octets = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(octets.to_vec()).unwrap())
    }

    /// The status in the answer to a question or report.
    async fn ask(&self, command: &str, ask: &Value) -> i64 {
        let (status, text) = self.post(command, ask.to_string()).await;
        assert_eq!(status, StatusCode::OK);
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer.as_object().unwrap().len(), 1, "no text: {text}");
        answer["status"].as_i64().unwrap()
    }

    async fn allow(&self, ask: &Value) -> i64 {
        self.ask("allow", ask).await
    }

    async fn report(&self, ask: &Value, success: bool) {
        self.report_with(ask, success, "policy_reject", json!(false))
            .await;
    }

    async fn report_with(&self, ask: &Value, success: bool, field: &str, value: Value) {
        let mut report = ask.clone();
        report["success"] = json!(success);
        report[field] = value;
        self.ask("report", &report).await;
    }

    fn tokens(&self, bucket: Bucket) -> u32 {
        let judging = &self.door.judging;
        let user = UserName::new(ANNA.as_bytes());
        let from = HERE.parse().unwrap();
        let now = judging.clock.now();
        let explained = judging.gate().explain(from, Some(&user), now);
        let mut buckets = explained.buckets.iter();
        let held = buckets.find(|held| held.bucket == Reason::Bucket(bucket));
        held.map_or(0, |held| held.tokens)
    }

    /// How well the user is known here.
    fn trust(&self) -> String {
        let judging = &self.door.judging;
        let user = UserName::new(ANNA.as_bytes());
        let now = judging.clock.now();
        let told = judging
            .gate()
            .explain(HERE.parse().unwrap(), Some(&user), now);
        told.user.unwrap().trust.to_string()
    }

    fn attempts(&self) -> u64 {
        self.door.judging.counters.attempts.get()
    }
}

/// The digits of SHA-256.
fn hash(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    hash.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// What Dovecot 2.3 asks about a password, with the attributes that `setup` writes.
fn question(door: &str, session: &str, password: &str) -> Value {
    let hash = hash(&format!("a nonce of 16 or more{ANNA}\0{password}"));
    json!({"device_id": "", "login": ANNA, "orig": ANNA, "protocol": door, "pwhash": hash,
        "remote": HERE, "session_id": session, "mech": "PLAIN", "tls": false, "fail_type": "UNSUPPORTED_VARIABLE_fail_type"})
}

#[tokio::test(start_paused = true)]
async fn nobody_is_answered_without_the_secret_or_from_a_browsers_page() {
    let place = place();
    let body = question("imap", "s1", "Zwiebel").to_string();
    let post = |query: &str| Request::post(format!("/{query}"));
    let right = |query: &str| post(query).header(SECRET_HEADER, SECRET);
    let allow = "?command=allow";
    let cases = [
        (post(allow), 401),
        (post(allow).header(SECRET_HEADER, ""), 401),
        (post(allow).header(SECRET_HEADER, &SECRET[1..]), 401),
        (post(allow).header(SECRET_HEADER, format!("{SECRET}0")), 401),
        (post(allow).header(SECRET_HEADER, "0123456789abcdeF"), 401),
        (right(allow).header(SECRET_HEADER, SECRET), 401),
        (right(allow).header(ORIGIN, "https://example.org"), 403),
        (right(""), 404),
        (right("?command=reset"), 404),
        (
            Request::get("/?command=allow").header(SECRET_HEADER, SECRET),
            405,
        ),
    ];
    for (request, wanted) in cases {
        let request = request.body(Bytes::from(body.clone())).unwrap();
        let (head, body) = request.into_parts();
        let may_stay = place.door.may_stay(&head);
        assert_eq!(may_stay, wanted != 401, "its connection stays");
        let (status, text) = place.send(Request::from_parts(head, body)).await;
        assert_eq!((status.as_u16(), &*text), (wanted, ""));
    }
    assert_eq!(place.attempts(), 0);
    let counted = place
        .door
        .judging
        .counters
        .limits
        .get(ResourceLimit::PolicySecrets);
    assert_eq!(counted, 6);
}

#[tokio::test(start_paused = true)]
async fn a_right_login_is_one_attempt_costs_nothing_and_makes_familiar() {
    let place = place();
    let full = place.tokens(Bucket::Client);
    let ask = question("imap", "s1", "right");
    assert_eq!(place.allow(&ask).await, 0);
    assert_eq!(
        place.tokens(Bucket::Client),
        full - 1,
        "it holds what it pays"
    );
    assert_eq!(place.allow(&ask).await, 0, "after the password was right");
    place.report(&ask, true).await;
    assert_eq!(place.attempts(), 1);
    assert_eq!(place.tokens(Bucket::Familiar), 20);
    let told = place.door.judging.gate().explain(
        HERE.parse().unwrap(),
        Some(&UserName::new(ANNA.as_bytes())),
        place.door.judging.clock.now(),
    );
    assert!(told.decisions.iter().all(|one| one.door == Door::Imap));
    assert_eq!(told.user.unwrap().trust.to_string(), "familiar");
    assert_eq!(
        place
            .door
            .judging
            .counters
            .of_door(Door::Imap)
            .accepted
            .get(),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_is_charged_once_and_known_to_be_wrong_at_every_door() {
    let place = place();
    let full = place.tokens(Bucket::Client);
    let ask = question("imap", "s1", "Zwiebel");
    assert_eq!(place.allow(&ask).await, 0);
    place.report(&ask, false).await;
    place.report(&ask, false).await;
    assert_eq!(place.tokens(Bucket::Client), full - 1);
    assert_eq!(place.door.judging.counters.rejected.get(), 1);
    let again = question("pop3", "s2", "Zwiebel");
    assert_eq!(place.allow(&again).await, -1);
    assert_eq!(place.door.judging.counters.repeated.get(), 1);
    assert_eq!(place.allow(&question("pop3", "s2", "Kartoffel")).await, 0);
}

#[tokio::test(start_paused = true)]
async fn what_dovecot_never_reports_stays_paid() {
    let place = place();
    let full = place.tokens(Bucket::Client);
    assert_eq!(place.allow(&question("imap", "s1", "Zwiebel")).await, 0);
    let began = place.door.judging.clock.now();
    place
        .door
        .expire_at(began + REPORTED_WITHIN - Duration::from_secs(2))
        .await;
    assert_eq!(place.door.judging.counters.deferred.get(), 0);
    place.door.expire_at(began + REPORTED_WITHIN).await;
    assert_eq!(place.door.judging.counters.deferred.get(), 1);
    place
        .report(&question("imap", "s1", "Zwiebel"), false)
        .await;
    assert_eq!(
        place.tokens(Bucket::Client),
        full - 1,
        "too late to be counted again"
    );
}

#[tokio::test(start_paused = true)]
async fn a_fault_of_dovecots_charges_nobody_and_a_refusal_is_no_failure() {
    let place = place();
    let full = place.tokens(Bucket::Client);
    let ask = question("imap", "s1", "Zwiebel");
    assert_eq!(place.allow(&ask).await, 0);
    place
        .report_with(&ask, false, "fail_type", json!("internal"))
        .await;
    assert_eq!(place.tokens(Bucket::Client), full);
    place
        .report_with(&ask, false, "policy_reject", json!(true))
        .await;
    place
        .report_with(&ask, false, "fail_type", json!("policy"))
        .await;
    assert_eq!(place.door.judging.counters.rejected.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_login_that_nobody_was_asked_about_makes_familiar_too() {
    let place = place();
    place.report(&question("imap", "s1", "right"), true).await;
    assert_eq!(place.tokens(Bucket::Familiar), 20);
    assert_eq!(place.attempts(), 0);
}

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

/// Dovecot would call it a wrong password.
#[tokio::test(start_paused = true)]
async fn while_gatepost_stops_a_stranger_is_not_refused_but_checked() {
    let place = place_with(1);
    assert_eq!(place.allow(&question("imap", "s1", "Zwiebel")).await, 0);
    let paid = place.tokens(Bucket::Client);
    place.drainer.begin();
    assert_eq!(place.allow(&question("imap", "s2", "Kartoffel")).await, 0);
    assert_eq!(place.tokens(Bucket::Client), paid, "it was not judged");
}

#[tokio::test(start_paused = true)]
async fn of_a_hidden_password_one_permit_is_good_for_two_questions() {
    let place = place();
    let ask = question("smtp", "", "");
    for (attempts, question) in [(1, "first"), (1, "after it was right"), (2, "another")] {
        assert_ne!(place.allow(&ask).await, -1, "{question}");
        assert_eq!(place.attempts(), attempts, "{question}");
    }
    let mut cut = question("imap", "s1", "Zwiebel");
    cut["pwhash"] = json!("0854");
    assert_ne!(place.allow(&cut).await, -1);
    assert_eq!(
        place
            .door
            .judging
            .counters
            .limits
            .get(ResourceLimit::PolicyHashes),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn who_finds_no_turn_is_made_to_wait_and_is_not_refused() {
    let place = place_with(1);
    let from = |last: u32, session: &str| {
        let mut ask = question("imap", session, &format!("Zwiebel{last}"));
        ask["remote"] = json!(format!("198.51.{last}.7"));
        ask
    };
    assert_eq!(place.allow(&from(1, "s1")).await, 0);
    assert_eq!(
        place.allow(&from(2, "s2")).await,
        5,
        "the turn is the first one's"
    );
    let now = place.door.judging.clock.now();
    place.door.expire_at(now + TURN_HELD).await;
    assert_eq!(
        place.allow(&from(3, "s3")).await,
        0,
        "it was held for long enough"
    );
    place.report(&from(3, "s3"), false).await;
    assert_eq!(place.allow(&from(4, "s4")).await, 0, "a report frees it");
}

#[test]
fn what_ends_by_itself_is_known_by_its_mechanism() {
    for (mechanism, is_token) in [
        ("XOAUTH2", true),
        ("oauthbearer", true),
        ("PLAIN", false),
        ("CRAM-MD5", false),
        ("", false),
    ] {
        let mut ask = question("imap", "s1", "Zwiebel");
        ask["mech"] = json!(mechanism);
        let asked = PolicyQuestion::parse(ask.to_string().as_bytes()).unwrap();
        assert_eq!(asked.shows_token(), is_token, "{mechanism}");
    }
}

/// Dovecot has a hundred connections, and allows a login whose question waits for two seconds.
#[tokio::test(start_paused = true)]
async fn of_a_flood_a_third_of_dovecots_connections_waits_for_a_turn_and_the_rest_is_answered_at_once()
 {
    let place = Arc::new(place_with(1));
    let from = |number: u32| {
        let mut ask = question("imap", &format!("s{number}"), &format!("Zwiebel{number}"));
        ask["remote"] = json!(format!("10.{}.{}.7", number / 250, number % 250));
        ask["login"] = json!(format!("user{number}@example.org"));
        ask["orig"] = ask["login"].clone();
        ask
    };
    assert_eq!(place.allow(&from(0)).await, 0, "it has the turn");
    let all = (1..=100).map(|number| {
        let (place, ask) = (Arc::clone(&place), from(number));
        tokio::spawn(async move {
            let soon = timeout(Duration::from_millis(500), place.allow(&ask));
            soon.await.is_ok()
        })
    });
    let mut at_once = 0;
    for asked in all.collect::<Vec<_>>() {
        at_once += u32::from(asked.await.unwrap());
    }
    assert_eq!(at_once, 100 - 32);
    // The others were refused: those that did not wait have used up what there was.
    let limits = &place.door.judging.counters.limits;
    assert!(limits.get(ResourceLimit::PolicyTurns) >= 10);
}

#[tokio::test(start_paused = true)]
async fn whatever_a_client_can_write_is_judged_or_refused_and_never_said_back() {
    let place = place();
    let hostile = [
        "a\0b".to_owned(),
        "anna\r\n* OK forged".to_owned(),
        "\u{202e}\u{7f}\"\\\u{1}".to_owned(),
        "{\"status\":0}".to_owned(),
    ];
    for name in &hostile {
        for field in [
            "login",
            "orig",
            "session_id",
            "protocol",
            "remote",
            "device_id",
            "mech",
            "pwhash",
        ] {
            let mut ask = question("imap", "s1", "Zwiebel");
            ask[field] = json!(name);
            place.allow(&ask).await;
            place
                .report_with(&ask, false, "fail_type", json!(name))
                .await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_understood_is_refused_for_any_other_answer_is_a_yes() {
    let place = place();
    let mut ask = question("imap", "s1", "Zwiebel");
    ask["orig"] = json!("x".repeat(LONGEST_NAME + 1));
    assert_eq!(place.allow(&ask).await, -1);
    let refused = "{\"status\":-1}";
    for body in ["", "[]", "{", "null", "{\"login\":\"\\ud800\"}", "\u{0}"] {
        let (status, text) = place.post("allow", body).await;
        assert_eq!((status.as_u16(), &*text), (200, refused), "{body:?}");
    }
    // Dovecot passes on what a client says in ID as it is.
    let mut ask = question("imap", "s9", "Kartoffel");
    ask["remote"] = json!("203.0.113.77");
    let mut raw = ask.to_string().into_bytes();
    let at = raw.windows(2).position(|two| two == b"\"\"").unwrap();
    raw.insert(at + 1, 0xff);
    let (_, text) = place.post("allow", raw).await;
    assert_ne!(text, refused, "it is judged");
    let (head, ()) = Request::post("/?command=allow")
        .header(SECRET_HEADER, SECRET)
        .body(())
        .unwrap()
        .into_parts();
    let answer = place.door.too_long(&head);
    let octets = answer.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(octets, refused.as_bytes());
}

#[tokio::test(start_paused = true)]
async fn a_master_login_is_the_masters_attempt() {
    let mut ask = question("imap", "s1", "Kartoffel");
    ask["orig"] = json!("anna@example.org*master");
    let ask = PolicyQuestion::parse(ask.to_string().as_bytes()).unwrap();
    assert_eq!(ask.user().to_string(), "anna@example.org*master");
}

/// As recorded from Dovecot 2.3.19, and as 2.4 writes them by its source.
#[test]
fn the_requests_of_both_versions_are_understood() {
    let old = br#"{"device_id":"","login":"user0001@example.test","protocol":"imap","pwhash":"0c8a","remote":"198.51.100.7","session_id":"3lTAliNhtpB/AAAB","success":false,"policy_reject":true,"tls":false}"#;
    let ask = PolicyQuestion::parse(old).unwrap();
    assert_eq!(
        (ask.door, ask.outcome, ask.hash),
        (Door::Imap, PolicyOutcome::Refused, ShownHash::Cut)
    );
    let new = br#"{"login":"anna@example.org","orig":"Anna","protocol":"sieve","remote":"2001:db8::1","session_id":"a","mech":"SCRAM-SHA-256","tls":"TLS","fail_type":"internal","success":false,"policy_reject":false}"#;
    let ask = PolicyQuestion::parse(new).unwrap();
    assert_eq!(
        (ask.door, ask.outcome, ask.tls),
        (Door::Sieve, PolicyOutcome::Fault, true)
    );
    assert_eq!(
        (ask.mechanism, ask.user().to_string()),
        ("SCRAM-SHA-256", "Anna".to_owned())
    );
    assert_eq!(ask.told(), "Dovecot session a: internal");
    let right = PolicyQuestion::parse(br#"{"success":true,"policy_reject":true}"#).unwrap();
    assert_eq!(right.outcome, PolicyOutcome::Accept);
}

/// A question about one of many users.
fn question_of(number: u32) -> Value {
    let name = format!("user{number}@example.org");
    let mut ask = question("imap", &format!("s{number}"), &format!("Zwiebel{number}"));
    ask["login"] = json!(name);
    ask["orig"] = json!(name);
    ask
}

impl Place {
    fn introduce(&self, users: u32) {
        let (gate, now) = (self.door.judging.gate(), self.door.judging.clock.now());
        for number in 0..users {
            let name = UserName::new(format!("user{number}@example.org").into_bytes());
            gate.introduce(&name, None, now, &mut Vec::new());
        }
    }
}

/// First logins from one address that hold all of its tokens, and one more.
async fn full_address() -> (Arc<Place>, tokio::task::JoinHandle<i64>) {
    let place = Arc::new(place());
    place.introduce(20);
    for number in 0..9 {
        assert_ne!(place.allow(&question_of(number)).await, -1, "{number}");
    }
    let next = Arc::clone(&place);
    let next = tokio::spawn(async move { next.allow(&question_of(9)).await });
    sleep(Duration::from_millis(300)).await;
    assert!(!next.is_finished(), "it waits for one of the others");
    (place, next)
}

#[tokio::test(start_paused = true)]
async fn whose_address_is_full_of_logins_waits_until_one_of_them_was_right() {
    let (place, next) = full_address().await;
    place.report(&question_of(0), true).await;
    assert_ne!(next.await.unwrap(), -1);
}

#[tokio::test(start_paused = true)]
async fn whose_address_is_full_of_guesses_is_refused_in_time() {
    let (place, next) = full_address().await;
    place.report(&question_of(0), false).await;
    assert_eq!(next.await.unwrap(), -1);
    let judging = &place.door.judging;
    assert_eq!(judging.counters.of_door(Door::Imap).refused.get(), 1);
}

/// A login of one of many users, and a Dovecot that checks it when a processor is free.
async fn log_in(place: Arc<Place>, number: u32, check: Arc<Semaphore>, crowd: Crowd) -> i64 {
    let ask = question_of(number);
    let answer = timeout(Duration::from_secs(2), place.allow(&ask)).await;
    let answer = answer.expect("Dovecot allows a login whose question waits for longer");
    if let Ok(delay) = u64::try_from(answer) {
        sleep(Duration::from_secs(delay)).await;
        let processor = check.acquire().await.unwrap();
        sleep(crowd.check).await;
        drop(processor);
        place.report(&ask, crowd.is_right).await;
    }
    answer
}

/// Who comes within two seconds, all from one new address.
#[derive(Clone, Copy)]
struct Crowd {
    users: u32,
    /// How long one check takes of one of two processors.
    check: Duration,
    is_right: bool,
}

impl Crowd {
    /// How many passwords Dovecot has checked.
    async fn come(self, place: &Arc<Place>) -> u32 {
        place.introduce(self.users);
        let check = Arc::new(Semaphore::new(2));
        let mut all = Vec::new();
        for number in 0..self.users {
            let one = log_in(Arc::clone(place), number, Arc::clone(&check), self);
            all.push(tokio::spawn(one));
            sleep(Duration::from_secs(2) / self.users).await;
        }
        let mut checked = 0;
        for one in all {
            checked += u32::from(one.await.unwrap() >= 0);
        }
        checked
    }
}

#[tokio::test(start_paused = true)]
async fn an_office_that_comes_from_a_new_address_is_told_of_no_wrong_password() {
    let place = Arc::new(place());
    let crowd = Crowd {
        users: 300,
        check: Duration::from_millis(20),
        is_right: true,
    };
    assert_eq!(crowd.come(&place).await, crowd.users);
    assert_eq!(place.door.judging.counters.accepted.get(), 300);
}

/// More come than two processors can check before Dovecot waits for no answer.
#[tokio::test(start_paused = true)]
async fn where_a_check_takes_long_most_of_an_office_gets_in_and_nobody_is_banned() {
    let place = Arc::new(place());
    let crowd = Crowd {
        users: 300,
        check: Duration::from_millis(45),
        is_right: true,
    };
    let checked = crowd.come(&place).await;
    assert!(checked >= 240, "{checked}");
    let judging = &place.door.judging;
    assert!(judging.gate().bans(judging.clock.now()).is_empty());
}

/// Each is checked with a token that it holds.
#[tokio::test(start_paused = true)]
async fn a_guesser_who_opens_a_hundred_connections_gets_what_its_bucket_has() {
    let place = Arc::new(place());
    let crowd = Crowd {
        users: 300,
        check: Duration::from_millis(10),
        is_right: false,
    };
    assert_eq!(crowd.come(&place).await, 9);
    assert_eq!(place.tokens(Bucket::Client), 1, "for retries");
}
