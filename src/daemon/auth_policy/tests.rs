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

mod crowd;
mod own_smtp;
mod requests;

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

/// The processors on which Dovecot checks passwords.
fn processors() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(2))
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

/// An earlier process may have answered the question before that.
#[tokio::test(start_paused = true)]
async fn a_login_that_nobody_was_asked_about_may_have_begun_before_trust_was_taken_back() {
    for (age, trust) in [(0, "far"), (100, "far"), (121, "familiar")] {
        let place = place();
        let judging = &place.door.judging;
        let then = judging.clock.now() - Duration::from_secs(age);
        let user = UserName::new(ANNA.as_bytes());
        judging.gate().forget(&user, then, &mut Vec::new());
        place.report(&question("imap", "s1", "right"), true).await;
        assert_eq!(place.trust(), trust, "{age} s ago");
    }
}

#[tokio::test(start_paused = true)]
async fn while_gatepost_stops_a_question_is_judged_and_paid_as_at_any_time() {
    let place = place_with(1);
    assert_eq!(place.allow(&question("imap", "s1", "Zwiebel")).await, 0);
    let paid = place.tokens(Bucket::Client);
    let ask = question("imap", "s2", "Kartoffel");
    let asked = place.allow(&ask);
    let (answer, ()) = tokio::join!(asked, async { place.drainer.begin() });
    assert!(
        answer > 0,
        "it has waited for a turn, and goes on without: {answer}"
    );
    assert_eq!(place.tokens(Bucket::Client), paid - 1);
}

#[tokio::test(start_paused = true)]
async fn of_a_hidden_password_a_permit_is_good_for_one_question() {
    let place = place();
    let ask = question("smtp", "", "");
    let full = place.tokens(Bucket::Client);
    for asked in 1..=3_u32 {
        assert_ne!(place.allow(&ask).await, -1);
        assert_eq!(
            place.attempts(),
            u64::from(asked),
            "it may be another one each time"
        );
        assert_eq!(place.tokens(Bucket::Client), full - asked);
    }
    place.report(&ask, false).await;
    place.report(&ask, true).await;
    let left = place.tokens(Bucket::Client);
    assert_eq!(left, full - 1, "before the check and after it");
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
