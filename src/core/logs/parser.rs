//! parser - parses one log line at a time: what it reports of logins, and whether it could be read
//!
//! A line is understood, or known and of no matter, or looks like a login and is not understood (`evidence`): that is counted.
//! Not here: files and their compression (`collector`), which lines are about one attempt (`merge`).
//!
//! Postfix logs a successful login only with each message that it takes, so an smtpd process's second
//! message in one session is no second login, and the login may be older than the first, as old as the session
//! (`smtpd_sessions`). A process that was not seen to begin a session (somebody has filtered the log) is taken to be in the
//! same one for ten minutes.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::evidence::looks_like_a_login;
use super::scan::Scan;
use super::syslog::{Dates, Header};
use super::{LogSource, LoginReport, Parsed, dovecot, envelope, journald, pam, postfix};
use crate::gate::request::attempt::{AuthOutcome, UserName};
use crate::moment::Moment;

mod smtpd_sessions;

use smtpd_sessions::{SmtpdProcess, SmtpdSessions};

/// The most attempts that one line may stand for.
pub const MOST_ATTEMPTS_A_LINE: u32 = 1000;
const SAMPLE_LINES: usize = 5;

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
    /// Those of them that look like a login.
    pub not_understood: u64,
    /// Lines of an smtpd: of a witness of all logins at Postfix.
    pub smtpd: u64,
    /// Lines of Dovecot's login processes: of a witness of all logins at them.
    pub login_processes: u64,
    /// The first few of them, escaped and cut: safe to print.
    pub sample: Vec<String>,
}

impl ParseStats {
    /// Counts a line that cannot be read.
    fn unreadable(&mut self, line: &[u8]) {
        self.unreadable += 1;
        self.not_understood += u64::from(looks_like_a_login(line));
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
    sessions: SmtpdSessions,
    /// The failure that the last line reported.
    last: Option<LastReport>,
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

impl ParsedEvent<'_> {
    /// Of a login: when the password was right at the earliest; none: nobody knows.
    pub fn earliest(&self) -> Option<Moment> {
        let within = self.report.within;
        (within < Duration::MAX).then(|| self.at - within)
    }
}

impl LogParser {
    /// Local times are those of `zone`; [`Self::begin`] comes first.
    pub fn new(zone: TimeZone) -> Self {
        Self {
            dates: Dates::new(zone.clone(), Moment::EPOCH),
            zone,
            stats: ParseStats::default(),
            sessions: SmtpdSessions::default(),
            last: None,
        }
    }

    /// Begins a file whose last line was written at `newest`.
    pub fn begin(&mut self, newest: Moment) {
        self.dates = Dates::new(self.zone.clone(), newest);
        self.sessions.clear();
        self.last = None;
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
        let last = self.last.take();
        let parsed = match line.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'{') => self.parse_json(line, emit),
            _ => match envelope::header(line) {
                Some(header) => self.parse_entry(&header, last, emit),
                None => ReadLine::Unreadable,
            },
        };
        match parsed {
            ReadLine::Known => {}
            ReadLine::Foreign if !looks_like_a_login(line) => {}
            ReadLine::Foreign | ReadLine::Unreadable => self.stats.unreadable(line),
        }
    }

    fn parse_json(&mut self, line: &[u8], emit: impl FnOnce(ParsedEvent<'_>)) -> ReadLine {
        let Some(entry) = journald::entry(line) else {
            return ReadLine::Unreadable;
        };
        match entry.header() {
            Some(header) => self.parse_entry(&header, None, emit),
            // A message of the journal that no program has signed, or of a container.
            None => ReadLine::Foreign,
        }
    }

    fn parse_entry(
        &mut self,
        header: &Header<'_>,
        last: Option<LastReport>,
        emit: impl FnOnce(ParsedEvent<'_>),
    ) -> ReadLine {
        self.dates.follow(header.stamp);
        if let Some(times) = repeated_as_before(header.message) {
            return self.repeat(header, times, last, emit);
        }
        let (message, times) = repeated(header.message);
        self.count_witness(header.program, message);
        let report = match read_message(header.program, message) {
            Parsed::Report(report) => report,
            boundary @ (Parsed::SessionBegins | Parsed::SessionEnds) => {
                self.boundary(header, boundary);
                return ReadLine::Known;
            }
            Parsed::Unrelated => return ReadLine::Known,
            Parsed::Foreign => return ReadLine::Foreign,
            Parsed::Ambiguous => return ReadLine::Unreadable,
        };
        let attempts = report.attempts.saturating_mul(times);
        let attempts = attempts.clamp(1, MOST_ATTEMPTS_A_LINE);
        let report = LoginReport { attempts, ..report };
        self.last = LastReport::of(&report);
        self.report(header, report, emit)
    }

    fn boundary(&mut self, header: &Header<'_>, boundary: Parsed<'_>) {
        let Some(process) = process(header) else {
            return;
        };
        match boundary {
            Parsed::SessionBegins => {
                let at = self.dates.moment(header.stamp);
                self.sessions.begin(process, at);
            }
            _ => self.sessions.end(process),
        }
    }

    fn report(
        &mut self,
        header: &Header<'_>,
        report: LoginReport<'_>,
        emit: impl FnOnce(ParsedEvent<'_>),
    ) -> ReadLine {
        let Some(at) = self.dates.moment(header.stamp) else {
            return ReadLine::Unreadable;
        };
        let event = ParsedEvent {
            at,
            report,
            lacks_year: header.stamp.lacks_year(),
        };
        self.event(event, process(header), emit);
        ReadLine::Known
    }

    /// `last message repeated 3 times`: what the line before reported, so many times more.
    fn repeat(
        &mut self,
        header: &Header<'_>,
        times: u32,
        last: Option<LastReport>,
        emit: impl FnOnce(ParsedEvent<'_>),
    ) -> ReadLine {
        let Some(last) = last else {
            return ReadLine::Known;
        };
        let attempts = last.report.attempts.saturating_mul(times);
        let report = LoginReport {
            user: last.user.as_deref(),
            attempts: attempts.clamp(1, MOST_ATTEMPTS_A_LINE),
            ..last.report
        };
        self.report(header, report, emit)
    }

    fn count_witness(&mut self, program: &[u8], message: &[u8]) {
        if postfix::is_smtpd(program) {
            self.stats.smtpd += 1;
        } else if dovecot::is_login_process(program, message) {
            self.stats.login_processes += 1;
        }
    }

    fn event(
        &mut self,
        mut event: ParsedEvent<'_>,
        process: Option<SmtpdProcess>,
        emit: impl FnOnce(ParsedEvent<'_>),
    ) {
        self.stats.events += 1;
        let ParsedEvent { report, at, .. } = &mut event;
        let mail = report.source == LogSource::Postfix && report.outcome == AuthOutcome::Accept;
        if mail && let Some(process) = process {
            report.within = self.sessions.age(process, *at).unwrap_or(Duration::MAX);
            if self.sessions.is_known(process, report, *at) {
                self.stats.same_session += 1;
                return;
            }
        }
        emit(event);
    }
}

fn process(header: &Header<'_>) -> Option<SmtpdProcess> {
    let pid = header.pid?;
    Some(SmtpdProcess::new(header.host, pid))
}

/// What became of one line.
enum ReadLine {
    /// It is understood, or known and of no matter.
    Known,
    /// It has a head, and nobody knows the message.
    Foreign,
    /// It has no head, or cannot be read for certain.
    Unreadable,
}

/// A failure, kept in case that the next line says that it is repeated.
#[derive(Clone, Debug)]
struct LastReport {
    report: LoginReport<'static>,
    user: Option<Box<[u8]>>,
}

impl LastReport {
    /// `None` for a success: a repeated one is of the same session.
    fn of(report: &LoginReport<'_>) -> Option<Self> {
        if report.outcome == AuthOutcome::Accept {
            return None;
        }
        Some(Self {
            user: report.user.map(Into::into),
            report: LoginReport {
                user: None,
                client: report.client,
                service: report.service,
                outcome: report.outcome,
                source: report.source,
                attempts: report.attempts,
                within: report.within,
            },
        })
    }
}

/// Asks the program's reader.
fn read_message<'a>(program: &[u8], message: &'a [u8]) -> Parsed<'a> {
    if postfix::is_smtpd(program) {
        return postfix::read(message);
    }
    if postfix::is_other(program) {
        return Parsed::Unrelated;
    }
    match pam::read(message) {
        Parsed::Foreign => {}
        parsed => return parsed,
    }
    if let Some(parsed) = dovecot::read_of_service(program, message) {
        return parsed;
    }
    match dovecot::read(message) {
        Parsed::Foreign if dovecot::is_dovecot(program) => Parsed::Unrelated,
        parsed => parsed,
    }
}

/// `last message repeated 3 times`, as the syslogd of the BSDs shortens it.
fn repeated_as_before(message: &[u8]) -> Option<u32> {
    let mut scan = Scan::new(message);
    scan.literal(b"last message repeated ")?;
    let times = scan.number()?;
    scan.literal(b" time")?;
    Some(times)
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
