//! asked - a body for what Dovecot asks and reports: the request that a client has written parts of
//!
//! The first octet says what comes of the others as a request's body: who sends it, and in which order it is asked and
//! reported. Whatever stands in it, the answer is one of a few, an attempt is judged once, and only who knows the
//! secret is answered at all.
//! Not here: HTTP itself (hyper's), a real Dovecot (`integration::postfix`).

use std::sync::Arc;

use gatepost::daemon::auth_policy::{AuthPolicy, AuthPolicySettings, PolicySecret, SECRET_HEADER};
use gatepost::daemon::clock::Clock;
use gatepost::daemon::drain;
use gatepost::daemon::judging::{Acknowledge, Judging, Notices};
use gatepost::daemon::net::http::HttpHandler;
use gatepost::daemon::report::limits::LimitCounters;
use gatepost::daemon::report::record::Recorder;
use gatepost::daemon::session::SessionIds;
use gatepost_core::gate::Gate;
use gatepost_core::gate::request::attempt::UserName;
use gatepost_core::gate::request::doors::{PasswordHash, PolicyNonce};
use gatepost_core::gate::request::keys::Keys;
use gatepost_core::gate::request::settings::{GateSettings, QueueSettings};
use http_body_util::BodyExt;
use hyper::Request;
use hyper::body::Bytes;

const SECRET: &str = "0123456789abcdef";
/// The longest that Dovecot may be told to wait, in seconds.
const LONGEST_DELAY: i64 = 20;

/// Dovecot's questions: one body, asked, asked again, and reported, or only some of it.
pub fn policy(octets: &[u8]) {
    let Some((&plot, body)) = octets.split_first() else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(play(plot, body));
}

const NONCE: &str = "a nonce of 16 or more";

async fn play(plot: u8, body: &[u8]) {
    let door = PolicyPlace::open();
    if plot & 1 != 0 {
        for (secret, command) in [(None, "allow"), (Some("another"), "report")] {
            assert_eq!(door.send(command, secret, body).await, (401, String::new()));
        }
        assert_eq!(door.attempts(), 0);
    }
    if plot & 2 != 0 {
        assert_eq!(door.told("report", body).await, 0);
    }
    assert_eq!(door.attempts(), 0, "a report is no attempt");
    let is_object = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(
        &String::from_utf8_lossy(body),
    )
    .is_ok();
    let first = door.told("allow", body).await;
    assert!((-1..=LONGEST_DELAY).contains(&first), "{first}");
    assert!(is_object || first == -1, "what cannot be read is refused");
    let judged = door.attempts();
    assert!(judged <= 1, "{judged}");
    if plot & 4 != 0 && first >= 0 {
        let again = door.told("allow", body).await;
        match shows_its_password(body) {
            true => assert_eq!((again, door.attempts()), (0, judged), "the same once more"),
            false => assert!(door.attempts() <= judged + 1, "charged twice"),
        }
    }
    let judged = door.attempts();
    if plot & 8 != 0 {
        assert_eq!(door.told("report", body).await, 0);
        assert_eq!(door.told("report", body).await, 0);
        assert_eq!(door.attempts(), judged);
    }
}

/// Whether two questions of this body are about one password. One that hides its password, cut or as the hash of none, may be
/// about another each time.
fn shows_its_password(body: &[u8]) -> bool {
    let fields: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| {
        fields
            .get(name)
            .and_then(|text| text.as_str())
            .unwrap_or_default()
    };
    let nonce = PolicyNonce::new(NONCE);
    let of_none = ["login", "orig"].map(|name| nonce.hash(text(name).as_bytes(), b""));
    PasswordHash::from_hex(text("pwhash")).is_some_and(|hash| !of_none.contains(&hash))
}

/// The door, and a task that keeps its journal.
struct PolicyPlace {
    door: AuthPolicy,
    judging: Arc<Judging>,
    _drainer: drain::Drainer,
}

impl PolicyPlace {
    fn open() -> Self {
        let keys = Keys {
            users: [1; 16],
            passwords: [2; 16],
            table: [3; 16],
        };
        let nonce = PolicyNonce::new(NONCE);
        let settings = GateSettings {
            nonce: Some(nonce.clone()),
            ..GateSettings::default()
        };
        let clock = Clock::start();
        let limits = Arc::new(LimitCounters::default());
        let (notices, mut received) = Notices::channel(64, &limits);
        tokio::spawn(async move {
            while let Some(notice) = received.recv().await {
                if let Acknowledge::ForJournal(session) = notice.waiting {
                    let _ = session.send(Ok(()));
                }
            }
        });
        let gate = Gate::new(settings, keys, clock.now());
        let anna = UserName::new(*b"anna@example.org");
        gate.introduce(&anna, None, clock.now(), &mut Vec::new());
        let (recorder, _) = Recorder::channel(&limits);
        let (queue, parts) = (QueueSettings::default(), (notices, recorder));
        let judging = Arc::new(Judging::new(gate, queue, clock, parts, &limits));
        let (drainer, drain) = drain::channel();
        let settings = AuthPolicySettings {
            listen: ([127, 0, 0, 1], 4001).into(),
            secret: PolicySecret::new(SECRET),
            nonce,
        };
        let ids = Arc::new(SessionIds::new(clock.now(), Clock::wall()));
        Self {
            door: AuthPolicy::new(Arc::clone(&judging), ids, settings, drain),
            judging,
            _drainer: drainer,
        }
    }

    fn attempts(&self) -> u64 {
        self.judging.counters.attempts.get()
    }

    async fn send(&self, command: &str, secret: Option<&str>, body: &[u8]) -> (u16, String) {
        let mut request = Request::post(format!("/?command={command}"));
        if let Some(secret) = secret {
            request = request.header(SECRET_HEADER, secret);
        }
        let request = request.body(Bytes::copy_from_slice(body));
        let response = self.door.answer(request.expect("a request")).await;
        let status = response.status().as_u16();
        let octets = response.into_body().collect().await.expect("a body");
        let text = String::from_utf8(octets.to_bytes().to_vec());
        (status, text.expect("an answer in text"))
    }

    /// The number in the answer, which is nothing but that.
    async fn told(&self, command: &str, body: &[u8]) -> i64 {
        let (status, text) = self.send(command, Some(SECRET), body).await;
        let number = text
            .strip_prefix("{\"status\":")
            .and_then(|rest| rest.strip_suffix('}'));
        let number = number.and_then(|digits| digits.parse().ok());
        assert_eq!(status, 200, "{text}");
        number.unwrap_or_else(|| panic!("the answer is {text}"))
    }
}
