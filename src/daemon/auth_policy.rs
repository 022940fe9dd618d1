//! auth_policy - Dovecot's questions about logins, answered by the gate
//!
//! Dovecot asks `allow` before it checks a password and, unless it is told not to, again when the password was right;
//! then it tells with `report` what came of it. So an attempt is judged with the first, its permit waits (`open`) and
//! is settled with the report. An attempt that Gatepost's own SMTP has let through comes here too, from Postfix's
//! Dovecot, and is not judged again (`judging::own`). Whatever a client can put into a question, the answer to one that
//! cannot be understood is a refusal: Dovecot takes any other answer for a yes.
//!
//! A second question that shows the password's whole hash is free. Where the mechanism hides the password it may be about another
//! one, tried at the same moment at a Postfix that names no session: so it is judged, and its tokens go back with the success.
//! Not here: the words of the protocol (`wire`), HTTP (`net::http`), the rules (`gate`).
//! Dovecot's `src/auth/auth-policy.c` of 2.3 and 2.4.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::ORIGIN;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use subtle::ConstantTimeEq;
use tokio::time::sleep;

use crate::drain::Drain;
use crate::judging::{AskedHash, Granted, Judging, OwnQuestion, Refused};
use crate::net::http::{HttpAddress, HttpBody, HttpBounds, HttpHandler, plain_text};
use crate::report::limits::ResourceLimit;
use crate::session::SessionIds;
use gatepost_core::gate::request::attempt::{AuthOutcome, Password};
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::doors::{Door, PasswordHash, PolicyNonce};
use gatepost_core::moment::Moment;

mod covered;
mod open;
mod visit;
mod wire;

#[cfg(test)]
mod tests;

use covered::CoveredQuestions;
use open::{AskKey, AskKeys, OpenPermit, OpenPermits, ReportedPermits};
use visit::{DoorVisit, remote};
use wire::{PolicyCommand, PolicyOutcome, PolicyQuestion, ShownHash};

/// The header that carries the secret.
pub const SECRET_HEADER: &str = "x-api-key";

/// What bounds the door.
// limit: policy-connections
pub const BOUNDS: HttpBounds = HttpBounds {
    section: "[auth-policy]",
    // As many as Dovecot opens.
    connections: 100,
    limit: ResourceLimit::PolicyConnections,
    body: 64 * 1024,
    patience: Duration::from_secs(30),
};

/// A name that is longer is no user's.
const LONGEST_NAME: usize = 1024;

/// How long a permit waits for its report, and its turn is held.
const REPORTED_WITHIN: Duration = Duration::from_secs(120);
const TURN_HELD: Duration = Duration::from_secs(10);

/// Where Dovecot asks, and what it proves itself with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthPolicySettings {
    /// The address.
    pub listen: SocketAddr,
    /// What it sends in the header.
    pub secret: PolicySecret,
    /// What it hashes passwords with.
    pub nonce: PolicyNonce,
}

/// A secret that Dovecot shows. Compared in a time that does not tell how much of it is right.
#[derive(Clone, PartialEq, Eq)]
pub struct PolicySecret(String);

impl PolicySecret {
    /// Takes the secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret, for the one who must write it into Dovecot's config.
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn is(&self, shown: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(shown).into()
    }
}

/// Shows nothing.
impl std::fmt::Debug for PolicySecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PolicySecret(..)")
    }
}

/// What answers Dovecot.
#[derive(Clone, Debug)]
pub struct AuthPolicy {
    judging: Arc<Judging>,
    ids: Arc<SessionIds>,
    settings: Arc<AuthPolicySettings>,
    keys: Arc<AskKeys>,
    open: Arc<OpenPermits>,
    covered: Arc<CoveredQuestions>,
    drain: Drain,
}

impl HttpHandler for AuthPolicy {
    async fn answer(&self, request: Request<Bytes>) -> Response<HttpBody> {
        let (head, body) = request.into_parts();
        let command = match self.command(&head) {
            Ok(command) => command,
            Err(status) => return plain_text(status, ""),
        };
        match (command, PolicyQuestion::parse(&body)) {
            (PolicyCommand::Allow, Some(ask)) => wire::answer(self.allow(&ask).await),
            (PolicyCommand::Allow, None) => self.not_understood(),
            (PolicyCommand::Report, ask) => {
                if let Some(ask) = ask {
                    self.report(&ask).await;
                }
                wire::answer(Some(Duration::ZERO))
            }
        }
    }

    /// While a question waits for its turn, anybody on this machine could fill the seats, and Dovecot allows a login
    /// whose question is cut off.
    fn may_stay(&self, head: &Parts) -> bool {
        self.knows_secret(&head.headers)
    }

    fn too_long(&self, head: &Parts) -> Response<HttpBody> {
        match self.command(head) {
            Ok(_) => self.not_understood(),
            Err(status) => plain_text(status, ""),
        }
    }
}

impl AuthPolicy {
    /// Answers by this gate. Its attempts are numbered with the sessions.
    pub fn new(
        judging: Arc<Judging>,
        ids: Arc<SessionIds>,
        settings: AuthPolicySettings,
        drain: Drain,
    ) -> Self {
        Self {
            judging,
            ids,
            settings: Arc::new(settings),
            keys: Arc::default(),
            open: Arc::default(),
            covered: Arc::default(),
            drain,
        }
    }

    /// Each second: frees the turns that are held for too long, and ends the permits of which Dovecot tells nothing.
    pub async fn expire(self, mut drain: Drain) {
        loop {
            tokio::select! {
                () = sleep(Duration::from_secs(1)) => {}
                () = drain.begun() => return,
            }
            self.expire_at(self.judging.clock.now()).await;
        }
    }

    async fn expire_at(&self, now: Moment) {
        self.open.give_up_turns(now - TURN_HELD);
        self.covered.forget_before(now - REPORTED_WITHIN);
        for open in self.open.older_than(now - REPORTED_WITHIN) {
            self.lose(open).await;
        }
    }

    /// What is asked for, by one who may ask.
    fn command(&self, head: &Parts) -> Result<PolicyCommand, StatusCode> {
        // A browser's page must not ask in its user's name.
        if head.headers.contains_key(ORIGIN) {
            return Err(StatusCode::FORBIDDEN);
        }
        if !self.knows_secret(&head.headers) {
            self.judging
                .counters
                .limits
                .count(ResourceLimit::PolicySecrets);
            return Err(StatusCode::UNAUTHORIZED);
        }
        if head.method != Method::POST {
            return Err(StatusCode::METHOD_NOT_ALLOWED);
        }
        PolicyCommand::of_query(head.uri.query()).ok_or(StatusCode::NOT_FOUND)
    }

    fn knows_secret(&self, headers: &HeaderMap) -> bool {
        let mut shown = headers.get_all(SECRET_HEADER).iter();
        let first = shown.next();
        let is_right = first.is_some_and(|shown| self.settings.secret.is(shown.as_bytes()));
        is_right && shown.next().is_none()
    }

    /// Not judged, so refused.
    fn not_understood(&self) -> Response<HttpBody> {
        self.judging.counters.unjudged.count();
        wire::answer(None)
    }

    /// How long Dovecot is to wait before it checks the password. None: it is not to check it.
    async fn allow(&self, ask: &PolicyQuestion) -> Option<Duration> {
        let listener = HttpAddress::Tcp(self.settings.listen);
        let visit = DoorVisit::new(ask, self.ids.next(), listener, self.drain.clone());
        let user = ask.user();
        if user.as_bytes().len() > LONGEST_NAME {
            self.judging.counters.unjudged.count();
            return None;
        }
        let shown = self.shown(ask);
        let hash = match shown {
            AskedHash::Whole(hash) => Some(hash),
            AskedHash::Cut | AskedHash::Nothing | AskedHash::NoToken => None,
        };
        let key = self.keys.of(ask);
        let is_again = hash.is_some() && self.open.is_asked_again(key);
        if is_again || self.is_own(ask, &visit, key, shown) {
            return Some(Duration::ZERO);
        }
        let password = match (hash, ask.shows_token()) {
            (None, _) => Password::Hidden,
            (Some(hash), true) => Password::HashedToken(hash),
            (Some(hash), false) => Password::Hashed(hash),
        };
        let attempt = self.judging.begin(ask.mechanism);
        let granted = match attempt.judge_at_door(&visit, &user, password).await {
            Ok(granted) => granted,
            // No drain ends a question at a door.
            Err(Refused::Refuse(_) | Refused::Repeat | Refused::Draining) => return None,
        };
        let delay = granted.delay();
        self.keep(key, visit, granted).await;
        Some(delay)
    }

    fn shown<'a>(&self, ask: &'a PolicyQuestion) -> AskedHash<'a> {
        let Judging { counters, .. } = &*self.judging;
        match &ask.hash {
            ShownHash::Whole(hash) if self.is_hash_of(ask, b"", hash) => match ask.shows_token() {
                true => AskedHash::NoToken,
                false => AskedHash::Nothing,
            },
            ShownHash::Whole(hash) => AskedHash::Whole(hash),
            ShownHash::Cut => {
                counters.limits.count(ResourceLimit::PolicyHashes);
                AskedHash::Cut
            }
        }
    }

    fn is_hash_of(&self, ask: &PolicyQuestion, password: &[u8], hash: &PasswordHash) -> bool {
        let gate = self.judging.gate();
        gate.is_hash_of(ask.login.as_bytes(), password, hash)
    }

    /// Whether Gatepost's own SMTP has let it through, and settles it.
    fn is_own(
        &self,
        ask: &PolicyQuestion,
        visit: &DoorVisit,
        key: AskKey,
        shown: AskedHash<'_>,
    ) -> bool {
        if !matches!(visit.door, Door::Smtp | Door::Other) {
            return false;
        }
        let question = OwnQuestion {
            user: self.judging.gate().user_id(&ask.user()),
            client: visit.key,
            shown,
        };
        let own = &self.judging.own;
        let is_own = own.covers(question, |hash, tried| self.is_hash_of(ask, tried, hash));
        if is_own {
            self.covered.note(key, self.judging.clock.now());
        }
        is_own
    }

    async fn keep(&self, key: AskKey, visit: DoorVisit, mut granted: Granted) {
        if !granted.delay().is_zero() {
            granted.give_up_turn();
        }
        let at = self.judging.clock.now();
        let evicted = self.open.keep(OpenPermit::new(key, at, visit, granted));
        if let Some(oldest) = evicted {
            self.judging
                .counters
                .limits
                .count(ResourceLimit::PolicyPermits);
            self.lose(oldest).await;
        }
    }

    /// Dovecot tells nothing of it.
    async fn lose(&self, open: OpenPermit) {
        let outcome = AuthOutcome::Unreported;
        let _ = open
            .granted
            .settle(&open.visit, outcome, &"no report of Dovecot's")
            .await;
    }

    /// Settles what the report is about.
    async fn report(&self, ask: &PolicyQuestion) {
        let key = self.keys.of(ask);
        let outcome = match ask.outcome {
            PolicyOutcome::Accept => AuthOutcome::Accept,
            PolicyOutcome::Reject => AuthOutcome::Reject,
            PolicyOutcome::Fault => AuthOutcome::Defer,
            // Our own refusal, of which there is no permit.
            PolicyOutcome::Refused => return,
        };
        let wanted = match outcome {
            // The password is right: so it was in each of them.
            AuthOutcome::Accept => ReportedPermits::All,
            _ => ReportedPermits::One,
        };
        let found = self.open.take(key, wanted);
        let is_news = found.is_empty() && !self.covered.holds(key);
        if is_news && outcome == AuthOutcome::Accept {
            self.learn(ask).await;
        }
        for open in found {
            let _ = open.granted.settle(&open.visit, outcome, &ask.told()).await;
        }
    }

    /// A login that nobody was asked about, for Gatepost was away; or that an earlier process was asked about, which has ended
    /// since. So its check may have begun as long ago as a report can take, before something that was taken back meanwhile.
    async fn learn(&self, ask: &PolicyQuestion) {
        let (client, now) = (ClientKey::new(remote(ask)), self.judging.clock.now());
        let mut changes = Vec::new();
        let gate = self.judging.gate();
        let when = now - REPORTED_WITHIN;
        gate.learn_unjudged(&ask.user(), client, (when, now), &mut changes);
        self.judging.notices.pass(changes).await;
    }
}
