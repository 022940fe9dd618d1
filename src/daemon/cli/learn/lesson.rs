//! lesson - what is to be taught: of each user and network the latest login
//!
//! Not here: reading logs (`gatepost_core::logs`), telling the gate (`teach`).

use std::collections::BTreeMap;

use serde::Serialize;

use crate::admin::message::{PastLogin, Taught};
use gatepost_core::gate::request::attempt::AuthOutcome;
use gatepost_core::gate::request::client::{ClientKey, NetworkKey};
use gatepost_core::logs::collector::RawLine;
use gatepost_core::logs::parser::LogParser;
use gatepost_core::logs::{LoggedAttempt, LoginHistory};
use gatepost_core::moment::Moment;

/// Pairs that wait to be taught, at most: no gate would keep more.
const MOST_PAIRS: usize = 1_000_000;

/// What was read and what it added.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Learnt {
    /// Lines read.
    pub(super) lines: u64,
    /// Lines that are no log lines, or could not be read for certain.
    pub(super) unreadable: u64,
    /// Some of them.
    #[serde(skip)]
    pub(super) sample: Vec<String>,
    /// Successful logins.
    pub(super) logins: u64,
    /// Of them, those whose line does not tell the user for certain.
    pub(super) unnamed: u64,
    /// Pairs of user and network that logged in.
    pub(super) seen: u64,
    /// Pairs that were not familiar before.
    pub(super) pairs: u64,
    /// Users that were not known before.
    pub(super) users: u64,
    /// Whether settling in ended with them.
    pub(super) settling_ended: bool,
}

/// The logins to be taught.
#[derive(Debug, Default)]
pub(super) struct Lesson {
    pairs: BTreeMap<(Box<str>, NetworkKey), (ClientKey, Moment)>,
    read: Learnt,
}

impl Lesson {
    /// Takes the successful logins of whole logs.
    pub(super) fn add_history(&mut self, history: &LoginHistory) {
        self.read.lines += history.stats.lines;
        self.read.unreadable += history.stats.unreadable;
        self.read.sample.clone_from(&history.stats.sample);
        let accepted = |login: &&LoggedAttempt| login.outcome == AuthOutcome::Accept;
        for login in history.attempts.iter().filter(accepted) {
            let user = login.user.and_then(|id| history.names.get(id));
            self.add(user.map(|user| user.as_bytes()), login.client, login.at);
        }
    }

    /// Takes one line.
    pub(super) fn hear(&mut self, parser: &mut LogParser, line: &RawLine<'_>) {
        let before = parser.stats().unreadable;
        match line {
            RawLine::Whole(line) => parser.parse_line(line, |event| {
                let report = event.report;
                if report.outcome == AuthOutcome::Accept {
                    self.add(report.user, report.client, event.at);
                }
            }),
            RawLine::TooLong(beginning) => parser.too_long(beginning),
        }
        self.read.lines += 1;
        self.read.unreadable += parser.stats().unreadable - before;
    }

    fn add(&mut self, user: Option<&[u8]>, client: ClientKey, at: Moment) {
        self.read.logins += 1;
        // The socket speaks JSON, and no account has a name that is not UTF-8.
        let Some(user) = user.and_then(|user| std::str::from_utf8(user).ok()) else {
            self.read.unnamed += 1;
            return;
        };
        self.keep(user.to_ascii_lowercase().into(), client, at);
    }

    fn keep(&mut self, user: Box<str>, client: ClientKey, at: Moment) {
        let key = (user, client.network());
        if self.pairs.len() >= MOST_PAIRS && !self.pairs.contains_key(&key) {
            return;
        }
        let latest = self.pairs.entry(key).or_insert((client, at));
        if latest.1 <= at {
            *latest = (client, at);
        }
    }

    /// What is to be taught, the oldest first; none of it waits any more.
    pub(super) fn take(&mut self) -> Vec<PastLogin> {
        let pairs = std::mem::take(&mut self.pairs);
        self.read.seen += pairs.len() as u64;
        let mut logins: Vec<_> = pairs
            .into_iter()
            .map(|((user, _), (client, at))| PastLogin {
                user: user.into(),
                address: client.address(),
                at: at.as_seconds(),
            })
            .collect();
        logins.sort_by_key(|login| login.at);
        logins
    }

    /// Takes back what could not be taught: it waits again.
    pub(super) fn give_back(&mut self, logins: Vec<PastLogin>) {
        self.read.seen = self.read.seen.saturating_sub(logins.len() as u64);
        for login in logins {
            let at = Moment::from_seconds(login.at);
            self.keep(login.user.into(), ClientKey::new(login.address), at);
        }
    }

    /// What was read since this was last asked, and what came of it.
    pub(super) fn learnt(&mut self, taught: Taught) -> Learnt {
        Learnt {
            pairs: taught.pairs,
            users: taught.users,
            settling_ended: taught.settling_ended,
            ..std::mem::take(&mut self.read)
        }
    }
}
