//! wire - the words of Dovecot's auth-policy protocol, of 2.3 and 2.4
//!
//! JSON over HTTP POST. Which fields there are says Dovecot's config, which `setup` writes for both. 2.3 has no
//! `fail_type`, and tells that as a value. A field of another type is none; a text that is no UTF-8 is read as far as
//! it is one: a client must not make itself unreadable.
//! Not here: what is answered (`auth_policy`), Dovecot's config (`cli::dovecot_policy`).

use std::fmt::Write;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Map, Value};

use crate::net::http::{HttpBody, plain_text};
use gatepost_core::gate::request::attempt::UserName;
use gatepost_core::gate::request::doors::{Door, PasswordHash};
use gatepost_core::smtp::sasl::Mechanism;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PolicyCommand {
    /// May this password be checked?
    Allow,
    /// This came of it.
    Report,
}

impl PolicyCommand {
    pub(super) fn of_query(query: Option<&str>) -> Option<Self> {
        let mut parts = query?.split('&');
        parts.find_map(|part| match part.strip_prefix("command=")? {
            "allow" => Some(Self::Allow),
            "report" => Some(Self::Report),
            _ => None,
        })
    }
}

/// What is shown of the password.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ShownHash {
    /// All of its hash.
    Whole(PasswordHash),
    /// A part of it, or nothing.
    Cut,
}

/// What came of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PolicyOutcome {
    /// The password was right.
    Accept,
    /// It was wrong.
    Reject,
    /// Dovecot could not tell.
    Fault,
    /// A policy refused it.
    Refused,
}

/// A question or a report.
#[derive(Debug)]
pub(super) struct PolicyQuestion {
    /// The mailbox, as Dovecot has made it of what the client sent.
    pub(super) login: String,
    /// What the client sent; none: the same.
    original: String,
    pub(super) hash: ShownHash,
    /// None: there is no address, or what is there is none.
    pub(super) remote: Option<IpAddr>,
    pub(super) door: Door,
    /// Dovecot's, empty where it has none.
    pub(super) session: String,
    pub(super) tls: bool,
    /// The registered name; `none` where it is not known.
    pub(super) mechanism: &'static str,
    /// Of a report.
    pub(super) outcome: PolicyOutcome,
    fail_type: &'static str,
}

impl PolicyQuestion {
    /// Reads it. None: it is no JSON object.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(body);
        let fields: Map<String, Value> = serde_json::from_str(&text).ok()?;
        let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
        let is_true = |name: &str| fields.get(name).and_then(Value::as_bool) == Some(true);
        let is_no_variable = |text: &&str| !text.starts_with("UNSUPPORTED_VARIABLE_");
        let mechanism = Mechanism::from_str(text("mech"));
        let fail_type = fail_type(text("fail_type"));
        Some(Self {
            login: text("login").to_owned(),
            original: Some(text("orig"))
                .filter(is_no_variable)
                .unwrap_or_default()
                .to_owned(),
            hash: PasswordHash::from_hex(text("pwhash")).map_or(ShownHash::Cut, ShownHash::Whole),
            remote: text("remote").parse().ok(),
            door: Door::of_protocol(text("protocol")),
            session: text("session_id").to_owned(),
            tls: is_true("tls") || text("tls").eq_ignore_ascii_case("tls"),
            mechanism: mechanism.map_or("none", |mechanism| mechanism.as_str()),
            outcome: match (is_true("success"), is_true("policy_reject"), fail_type) {
                (true, ..) => PolicyOutcome::Accept,
                (false, true, _) | (false, false, "policy") => PolicyOutcome::Refused,
                (false, false, "internal") => PolicyOutcome::Fault,
                (false, false, _) => PolicyOutcome::Reject,
            },
            fail_type,
        })
    }

    /// The user whose password is checked: of a master login the master, named by Dovecot as the original user.
    pub(super) fn user(&self) -> UserName {
        let name = match self.original.is_empty() {
            true => &self.login,
            false => &self.original,
        };
        UserName::new(name.as_bytes())
    }

    /// Whether what is checked is a token, which ends by itself: another one is no changed password.
    pub(super) fn shows_token(&self) -> bool {
        let tokens = [Mechanism::XOAuth2, Mechanism::OAuthBearer];
        tokens.iter().any(|token| self.mechanism == token.as_str())
    }

    /// What the log tells as Dovecot's answer: its session's id, which finds its own lines.
    pub(super) fn told(&self) -> String {
        const SHOWN: usize = 40;
        let mut told = String::from("Dovecot");
        if !self.session.is_empty() {
            let shown: String = self.session.chars().take(SHOWN).collect();
            // Writing to a text cannot fail.
            let _ = write!(told, " session {}", UserName::new(shown.as_bytes()));
        }
        if !self.fail_type.is_empty() {
            let _ = write!(told, ": {}", self.fail_type);
        }
        told
    }

    /// All that two questions about one attempt have in common.
    pub(super) fn identity(&self) -> (&str, &str, &str, &ShownHash, Option<IpAddr>, Door) {
        (
            &self.session,
            &self.login,
            &self.original,
            &self.hash,
            self.remote,
            self.door,
        )
    }
}

/// Why it failed, in one of 2.4's words; 2.3 has none.
fn fail_type(given: &str) -> &'static str {
    const WORDS: [&str; 6] = [
        "account",
        "credentials",
        "expired",
        "disabled",
        "policy",
        "internal",
    ];
    let mut words = WORDS.into_iter();
    words.find(|word| *word == given).unwrap_or_default()
}

/// What Dovecot is answered: to wait for so long and check the password, or not to check it. Without a text: Dovecot
/// would show it to the person, as the reason why the password is wrong.
pub(super) fn answer(delay: Option<Duration>) -> Response<HttpBody> {
    let status = match delay {
        Some(delay) => delay.as_secs().to_string(),
        None => "-1".to_owned(),
    };
    let mut response = plain_text(StatusCode::OK, format!("{{\"status\":{status}}}"));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}
