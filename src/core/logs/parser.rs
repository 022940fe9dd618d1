//! parser - parses one log line at a time: what it reports of logins, and whether it could be read
//!
//! Not here: files and their compression (`collector`), which lines are about one attempt (`merge`).
//!
//! Postfix logs a successful login only with each message that it takes, so an smtpd process's second
//! message in one session is no second login. A process that was not seen to begin a session (somebody has
//! filtered the log) is taken to be in the same one for ten minutes.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::time::Duration;

use jiff::tz::TimeZone;

use super::scan::Scan;
use super::syslog::Dates;
use super::{LogSource, LoginReport, Parsed, dovecot, journald, pam, postfix, syslog};
use crate::gate::request::attempt::{AuthOutcome, UserName};
use crate::gate::request::client::ClientKey;
use crate::moment::Moment;

/// The most attempts that one line may stand for.
pub const MOST_ATTEMPTS_A_LINE: u32 = 1000;
const SAMPLE_LINES: usize = 5;
const SESSION: Duration = Duration::from_secs(600);
/// Smtpd processes remembered before those that logged nothing for long are forgotten.
const SESSIONS: usize = 65_536;

/// What was read, in lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParseStats {
    /// All lines.
    pub lines: u64,
    /// Lines that report a login attempt.
    pub events: u64,
    /// Of these, further messages of a session whose login was reported.
    pub same_session: u64,
    /// Lines that are no log lines, or look like a login attempt but cannot be read for certain.
    pub unreadable: u64,
    /// The first few of them, escaped and cut: safe to print.
    pub sample: Vec<String>,
}

impl ParseStats {
    /// Counts a line that cannot be read.
    pub fn unreadable(&mut self, line: &[u8]) {
        self.unreadable += 1;
        if self.sample.len() < SAMPLE_LINES {
            self.sample.push(escaped(line));
        }
    }
}

fn escaped(line: &[u8]) -> String {
    const SHOWN: usize = 160;
    let shown = line.get(..SHOWN).unwrap_or(line);
    let words = shown.split(|&byte| byte == b' ');
    let words: Vec<String> = words.map(escaped_word).collect();
    let more = if line.len() > SHOWN { "..." } else { "" };
    words.join(" ") + more
}

/// By the display of a user name, which is safe for any octets and cut at 64 of them.
fn escaped_word(word: &[u8]) -> String {
    word.chunks(64)
        .map(|part| UserName::new(part).to_string())
        .collect()
}

/// Parses the lines of one log, in their order.
#[derive(Debug)]
pub struct LogParser {
    zone: TimeZone,
    dates: Dates,
    stats: ParseStats,
    /// By smtpd process: the last login that it logged.
    sessions: HashMap<u32, SmtpdSession>,
}

/// A line that reports login attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParsedEvent<'a> {
    /// The line's time.
    pub at: Moment,
    /// What it reports.
    pub report: LoginReport<'a>,
    /// Whether the line left the year out, so that `at` is a guess which the end of the file may correct.
    pub lacks_year: bool,
}

impl LogParser {
    /// Local times are those of `zone`; [`Self::begin`] comes first.
    pub fn new(zone: TimeZone) -> Self {
        Self {
            dates: Dates::new(zone.clone(), Moment::EPOCH),
            zone,
            stats: ParseStats::default(),
            sessions: HashMap::new(),
        }
    }

    /// Begins a file whose last line was written at `newest`.
    pub fn begin(&mut self, newest: Moment) {
        self.dates = Dates::new(self.zone.clone(), newest);
        self.sessions.clear();
    }

    /// The dates of the file that is being read.
    pub fn dates(&self) -> &Dates {
        &self.dates
    }

    /// What was read so far.
    pub fn stats(&self) -> &ParseStats {
        &self.stats
    }

    /// What was read, when there is no more.
    pub fn into_stats(self) -> ParseStats {
        self.stats
    }

    /// A line that is too long to be read.
    pub fn too_long(&mut self, beginning: &[u8]) {
        self.stats.lines += 1;
        self.stats.unreadable(beginning);
    }

    /// Parses one line, without its end. `emit` is called if it reports a login that was not reported before.
    pub fn parse_line(&mut self, line: &[u8], emit: impl FnOnce(ParsedEvent<'_>)) {
        self.stats.lines += 1;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // Empty lines, and journalctl's own remarks.
        if line.is_empty() || line.starts_with(b"-- ") {
            return;
        }
        let parsed = match line.first() {
            Some(b'{') => self.parse_journal(line, emit),
            _ => self.parse_syslog(line, emit),
        };
        if parsed.is_none() {
            self.stats.unreadable(line);
        }
    }

    /// `None`: not readable.
    fn parse_journal(&mut self, line: &[u8], emit: impl FnOnce(ParsedEvent<'_>)) -> Option<()> {
        let entry = journald::entry(line)?;
        if let Some(report) = self.message(&entry.program, entry.pid, &entry.message)? {
            let event = ParsedEvent {
                at: entry.at,
                report,
                lacks_year: false,
            };
            self.event(event, entry.pid, emit);
        }
        Some(())
    }

    /// `None`: not readable.
    fn parse_syslog(&mut self, line: &[u8], emit: impl FnOnce(ParsedEvent<'_>)) -> Option<()> {
        let header = syslog::header(line)?;
        self.dates.follow(header.stamp);
        if let Some(report) = self.message(header.program, header.pid, header.message)? {
            let event = ParsedEvent {
                at: self.dates.moment(header.stamp)?,
                report,
                lacks_year: header.stamp.lacks_year(),
            };
            self.event(event, header.pid, emit);
        }
        Some(())
    }

    /// `None`: not readable. `Some(None)`: nothing about logins.
    fn message<'a>(
        &mut self,
        program: &[u8],
        pid: Option<u32>,
        message: &'a [u8],
    ) -> Option<Option<LoginReport<'a>>> {
        let (message, times) = repeated(message);
        match read_message(program, message) {
            Parsed::Report(report) => {
                let attempts = report.attempts.saturating_mul(times);
                let attempts = attempts.clamp(1, MOST_ATTEMPTS_A_LINE);
                Some(Some(LoginReport { attempts, ..report }))
            }
            Parsed::SessionBoundary => {
                if let Some(pid) = pid {
                    self.sessions.remove(&pid);
                }
                Some(None)
            }
            Parsed::Unrelated => Some(None),
            Parsed::Ambiguous => None,
        }
    }

    fn event(
        &mut self,
        event: ParsedEvent<'_>,
        pid: Option<u32>,
        emit: impl FnOnce(ParsedEvent<'_>),
    ) {
        self.stats.events += 1;
        let ParsedEvent { report, at, .. } = &event;
        let mail = report.source == LogSource::Postfix && report.outcome == AuthOutcome::Accept;
        if mail && pid.is_some_and(|pid| self.same_session(pid, report, *at)) {
            self.stats.same_session += 1;
            return;
        }
        emit(event);
    }

    /// Whether the smtpd process `pid` has logged this login already. Remembers it.
    fn same_session(&mut self, pid: u32, report: &LoginReport<'_>, at: Moment) -> bool {
        if self.sessions.len() >= SESSIONS {
            self.sessions
                .retain(|_, session| at.since(session.last) < SESSION);
        }
        let user = report
            .user
            .map(|name| BuildHasherDefault::<DefaultHasher>::new().hash_one(name));
        let session = SmtpdSession {
            client: report.client,
            user,
            last: at,
        };
        match self.sessions.insert(pid, session) {
            Some(earlier) => earlier.may_go_on_as(&session),
            None => false,
        }
    }
}

/// The last login that an smtpd process logged.
#[derive(Clone, Copy, Debug)]
struct SmtpdSession {
    client: ClientKey,
    /// The name's hash; none where the line does not show it for certain.
    user: Option<u64>,
    last: Moment,
}

impl SmtpdSession {
    fn may_go_on_as(&self, next: &Self) -> bool {
        let same_user = self.user.is_none() || next.user.is_none() || self.user == next.user;
        same_user && self.client == next.client && next.last.since(self.last) < SESSION
    }
}

/// Asks the program's reader.
fn read_message<'a>(program: &[u8], message: &'a [u8]) -> Parsed<'a> {
    if postfix::is_smtpd(program) {
        return postfix::read(message);
    }
    if dovecot::is_dovecot(program) {
        match dovecot::read(message) {
            Parsed::Unrelated => {}
            parsed => return parsed,
        }
    }
    if pam::is_auth(program) {
        return pam::read(message);
    }
    Parsed::Unrelated
}

/// `message repeated 3 times: [ message]`, as rsyslog shortens it.
fn repeated(message: &[u8]) -> (&[u8], u32) {
    let mut scan = Scan::new(message);
    let mut times = || {
        scan.literal(b"message repeated ")?;
        let times = scan.number()?;
        scan.literal(b" times: [ ")?;
        Some((scan.rest().strip_suffix(b"]")?, times))
    };
    times().unwrap_or((message, 1))
}

#[cfg(test)]
mod tests;
