//! batch - the logins to import: the latest of each user and network
//!
//! Not here: parsing logs (`logs` in the core), the import into the gate (`import`).

use std::collections::BTreeMap;

use serde::Serialize;

use super::logs::LineCounts;
use crate::admin::message::{ImportStats, PastLogin};
use gatepost_core::gate::request::attempt::AuthOutcome;
use gatepost_core::gate::request::client::{ClientKey, NetworkKey};
use gatepost_core::logs::collector::RawLine;
use gatepost_core::logs::parser::LogParser;
use gatepost_core::logs::{LoggedAttempt, LoginHistory};
use gatepost_core::moment::Moment;

/// The most pairs that wait for an import: no gate keeps more.
const MOST_PAIRS: usize = 1_000_000;

/// Lines that a summary shows.
const SAMPLES: usize = 5;

/// What was read, and what the import added.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct ImportSummary {
    /// Lines read.
    pub(super) lines: u64,
    /// Lines that could not be parsed reliably.
    pub(super) unreadable: u64,
    /// Those of them that look like a login.
    pub(super) not_understood: u64,
    /// Some of them.
    #[serde(skip)]
    pub(super) sample: Vec<String>,
    /// Successful logins.
    pub(super) logins: u64,
    /// Those of them whose line does not name the user reliably.
    pub(super) unnamed: u64,
    /// Those of them of which nobody knows how old they are: the user is known, and no network familiar.
    pub(super) undated: u64,
    /// Pairs of user and network with a login.
    pub(super) seen: u64,
    /// Pairs that were not familiar before.
    pub(super) pairs: u64,
    /// Users that were not known before.
    pub(super) users: u64,
    /// Whether settling in ended.
    pub(super) settling_ended: bool,
    /// Whether it goes on.
    pub(super) settling: bool,
}

impl ImportSummary {
    /// The lines, to be shown.
    pub(super) fn lines(&self) -> LineCounts<'_> {
        LineCounts {
            lines: self.lines,
            unreadable: self.unreadable,
            not_understood: self.not_understood,
            sample: &self.sample,
        }
    }

    /// Why there was nothing to learn, in logs of which `events` lines report a login. `None`: there was something.
    pub(super) fn why_nothing(&self, events: u64) -> Option<&'static str> {
        if self.seen > 0 {
            return None;
        }
        Some(if self.lines == 0 {
            "the logs are empty"
        } else if self.unnamed > 0 {
            "no line of a successful login names its user reliably"
        } else if self.not_understood > 0 {
            "lines look like logins and are not understood (please report them)"
        } else if self.unreadable == self.lines {
            "these are no logs of Postfix or Dovecot, or in a form that is not known (please report it)"
        } else if events == 0 {
            "no line is about a login at Postfix or Dovecot: another log has them"
        } else {
            "every login in these logs has failed"
        })
    }
}

/// The logins to import.
#[derive(Debug, Default)]
pub(super) struct ImportBatch {
    pairs: BTreeMap<(Box<str>, NetworkKey), (ClientKey, Moment)>,
    read: ImportSummary,
}

impl ImportBatch {
    /// Adds the successful logins of whole logs.
    pub(super) fn add_history(&mut self, history: &LoginHistory) {
        self.read.lines += history.stats.lines;
        self.read.unreadable += history.stats.unreadable;
        self.read.not_understood += history.stats.not_understood;
        self.read.sample.clone_from(&history.stats.sample);
        let accepted = |login: &&LoggedAttempt| login.outcome == AuthOutcome::Accept;
        for login in history.attempts.iter().filter(accepted) {
            let user = login.user.and_then(|id| history.names.get(id));
            self.add(
                user.map(|user| user.as_bytes()),
                login.client,
                login.earliest,
            );
        }
    }

    /// Adds the login in one line, if there is one.
    pub(super) fn add_line(&mut self, parser: &mut LogParser, line: &RawLine<'_>) {
        let stats = parser.stats();
        let (unreadable, not_understood) = (stats.unreadable, stats.not_understood);
        match line {
            RawLine::Whole(line) => parser.parse_line(line, |event| {
                let report = event.report;
                if report.outcome == AuthOutcome::Accept {
                    self.add(report.user, report.client, event.earliest());
                }
            }),
            RawLine::TooLong(beginning) => parser.too_long(beginning),
        }
        self.read.lines += 1;
        self.read.unreadable += parser.stats().unreadable - unreadable;
        let more = parser.stats().not_understood - not_understood;
        self.read.not_understood += more;
        // What looks like a login is shown, as the last of the parser's samples.
        if more > 0 && self.read.sample.len() < SAMPLES {
            self.read
                .sample
                .extend(parser.stats().sample.last().cloned());
        }
    }

    fn add(&mut self, user: Option<&[u8]>, client: ClientKey, at: Option<Moment>) {
        self.read.logins += 1;
        // The socket's messages are JSON, and no account has a name that is not UTF-8.
        let Some(user) = user.and_then(|user| std::str::from_utf8(user).ok()) else {
            self.read.unnamed += 1;
            return;
        };
        self.read.undated += u64::from(at.is_none());
        // It is as old as can be: older than what makes familiar, and than whatever was taken back.
        let at = at.unwrap_or(Moment::EPOCH);
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

    /// Takes the logins to import, the oldest first.
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

    /// Puts back logins whose import failed.
    pub(super) fn give_back(&mut self, logins: Vec<PastLogin>) {
        self.read.seen = self.read.seen.saturating_sub(logins.len() as u64);
        for login in logins {
            let at = Moment::from_seconds(login.at);
            self.keep(login.user.into(), ClientKey::new(login.address), at);
        }
    }

    /// What was read since the last call, and what the import added.
    pub(super) fn summary(&mut self, imported: ImportStats) -> ImportSummary {
        ImportSummary {
            pairs: imported.pairs,
            users: imported.users,
            settling_ended: imported.settling_ended,
            settling: imported.settling,
            ..std::mem::take(&mut self.read)
        }
    }
}
