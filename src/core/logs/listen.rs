//! listen - one line at a time: what it tells of logins, and what could not be read
//!
//! Not here: files and their compression (`record`), what is one attempt (`merge`).
//!
//! Postfix tells a successful login only with each message that it takes, so an smtpd process's second
//! message in one session is no second login. A process that was not seen to begin a session (a log that
//! somebody has filtered) is believed to be in the same one for ten minutes.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::time::Duration;

use jiff::tz::TimeZone;

use super::scan::Scan;
use super::syslog::Dates;
use super::{Heard, Teller, Telling, Told, dovecot, journal, pam, postfix, syslog};
use crate::gate::request::attempt::{AuthOutcome, UserName};
use crate::gate::request::client::ClientKey;
use crate::moment::Moment;

/// One line stands for so many attempts at most.
pub const MOST_ATTEMPTS_A_LINE: u32 = 1000;
const SAMPLE_LINES: usize = 5;
const SESSION: Duration = Duration::from_secs(600);
/// Smtpd processes remembered before those long silent are forgotten.
const SESSIONS: usize = 65_536;

/// What was read, in lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All lines.
    pub lines: u64,
    /// Lines that tell of a login attempt.
    pub tellings: u64,
    /// Of them, further messages of a session whose login was told.
    pub same_session: u64,
    /// Lines that are no log lines, or look like a login attempt but cannot be read for certain.
    pub unreadable: u64,
    /// The first few of them, escaped and cut: safe to print.
    pub sample: Vec<String>,
}

impl Tally {
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

/// A user name's way of being shown is safe for any octets; it is cut at 64 of them.
fn escaped_word(word: &[u8]) -> String {
    word.chunks(64)
        .map(|part| UserName::new(part).to_string())
        .collect()
}

/// Listens to the lines of one log, in their order.
#[derive(Debug)]
pub struct Listener {
    zone: TimeZone,
    dates: Dates,
    tally: Tally,
    /// By smtpd process: the last login that it told, and when.
    sessions: HashMap<u32, Session>,
}

/// A [`Telling`], and whether its year is a guess that the end of the file may correct.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overheard<'a> {
    /// What is told.
    pub telling: Telling<'a>,
    /// Whether the line left the year out.
    pub lacks_year: bool,
}

impl Listener {
    /// Local times are those of `zone`; [`Self::begin`] comes first.
    pub fn new(zone: TimeZone) -> Self {
        Self {
            dates: Dates::new(zone.clone(), Moment::EPOCH),
            zone,
            tally: Tally::default(),
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
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// What was read, when there is no more.
    pub fn into_tally(self) -> Tally {
        self.tally
    }

    /// A line that is too long to be read.
    pub fn too_long(&mut self, beginning: &[u8]) {
        self.tally.lines += 1;
        self.tally.unreadable(beginning);
    }

    /// One line, without its end. If it tells of a login that was not told yet, `tell` hears it.
    pub fn hear(&mut self, line: &[u8], tell: impl FnOnce(Overheard<'_>)) {
        self.tally.lines += 1;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // journalctl's own remarks, and empty lines
        if line.is_empty() || line.starts_with(b"-- ") {
            return;
        }
        let listened = match line.first() {
            Some(b'{') => self.entry(line, tell),
            _ => self.line(line, tell),
        };
        if listened.is_none() {
            self.tally.unreadable(line);
        }
    }

    /// `None`: not readable.
    fn entry(&mut self, line: &[u8], tell: impl FnOnce(Overheard<'_>)) -> Option<()> {
        let entry = journal::entry(line)?;
        if let Some(told) = self.message(&entry.program, entry.pid, &entry.message)? {
            self.tell(told, entry.at, entry.pid, false, tell);
        }
        Some(())
    }

    /// `None`: not readable.
    fn line(&mut self, line: &[u8], tell: impl FnOnce(Overheard<'_>)) -> Option<()> {
        let header = syslog::header(line)?;
        self.dates.follow(header.stamp);
        if let Some(told) = self.message(header.program, header.pid, header.message)? {
            let at = self.dates.moment(header.stamp)?;
            self.tell(told, at, header.pid, header.stamp.lacks_year(), tell);
        }
        Some(())
    }

    /// `None`: not readable. `Some(None)`: nothing about logins.
    fn message<'a>(
        &mut self,
        program: &[u8],
        pid: Option<u32>,
        message: &'a [u8],
    ) -> Option<Option<Told<'a>>> {
        let (message, times) = repeated(message);
        match heard(program, message) {
            Heard::Told(told) => {
                let attempts = told.attempts.saturating_mul(times);
                let attempts = attempts.clamp(1, MOST_ATTEMPTS_A_LINE);
                Some(Some(Told { attempts, ..told }))
            }
            Heard::Session => {
                if let Some(pid) = pid {
                    self.sessions.remove(&pid);
                }
                Some(None)
            }
            Heard::Nothing => Some(None),
            Heard::Garbled => None,
        }
    }

    fn tell(
        &mut self,
        told: Told<'_>,
        at: Moment,
        pid: Option<u32>,
        lacks_year: bool,
        tell: impl FnOnce(Overheard<'_>),
    ) {
        self.tally.tellings += 1;
        let mail = told.teller == Teller::Postfix && told.outcome == AuthOutcome::Accept;
        if mail && pid.is_some_and(|pid| self.same_session(pid, &told, at)) {
            self.tally.same_session += 1;
            return;
        }
        tell(Overheard {
            telling: Telling { at, told },
            lacks_year,
        });
    }

    /// Whether the smtpd process `pid` has told this login already. Remembers it.
    fn same_session(&mut self, pid: u32, told: &Told<'_>, at: Moment) -> bool {
        if self.sessions.len() >= SESSIONS {
            self.sessions
                .retain(|_, session| at.since(session.last) < SESSION);
        }
        let user = told
            .user
            .map(|name| BuildHasherDefault::<DefaultHasher>::new().hash_one(name));
        let session = Session {
            client: told.client,
            user,
            last: at,
        };
        match self.sessions.insert(pid, session) {
            Some(earlier) => earlier.may_go_on_as(&session),
            None => false,
        }
    }
}

/// The last login that an smtpd process told.
#[derive(Clone, Copy, Debug)]
struct Session {
    client: ClientKey,
    /// The name's hash; none where the line does not tell it for certain.
    user: Option<u64>,
    last: Moment,
}

impl Session {
    fn may_go_on_as(&self, next: &Self) -> bool {
        let same_user = self.user.is_none() || next.user.is_none() || self.user == next.user;
        same_user && self.client == next.client && next.last.since(self.last) < SESSION
    }
}

/// Asks the program's parser.
fn heard<'a>(program: &[u8], message: &'a [u8]) -> Heard<'a> {
    if postfix::is_smtpd(program) {
        return postfix::read(message);
    }
    if dovecot::is_dovecot(program) {
        match dovecot::read(message) {
            Heard::Nothing => {}
            heard => return heard,
        }
    }
    if pam::is_auth(program) {
        return pam::read(message);
    }
    Heard::Nothing
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
