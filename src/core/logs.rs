//! logs - old logs to login attempts
//!
//! The way of a line: [`listen`] cuts it into time, program and message (`syslog`, `journal`), asks
//! the program's parser (`postfix`, `dovecot`, `pam`) and yields a [`Telling`]; [`record`] gathers
//! the tellings of many files in the order of time; `merge` makes one [`Login`] of the several
//! tellings of one attempt.
//!
//! Pure: it reads what it is given, opens no file and asks no clock (the year that classic syslog
//! leaves out comes in as the file's time). Not here: which files (`cli::logs`), what the gate
//! would have said to the attempts (`cli::replay`).
//!
//! Everything in a log that came from a client is hostile. The parsers are anchored at both ends
//! of what the daemon itself writes, so a user name that looks like another field, or like a whole
//! line, stays a user name; where two readings are possible the line is not believed.
//! Written by hand over bytes, without a regex engine: a million lines take a second or two.

use std::time::Duration;

use crate::gate::request::attempt::AuthOutcome;
use crate::gate::request::client::ClientKey;
use crate::moment::Moment;

pub mod dovecot;
pub mod journal;
pub mod listen;
mod merge;
pub mod names;
pub mod pam;
pub mod postfix;
pub mod record;
mod row;
mod scan;
pub mod syslog;

/// Where somebody logged in, or tried to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// Postfix's smtpd.
    Smtp,
    /// Dovecot's own submission server.
    Submission,
    /// IMAP.
    Imap,
    /// POP3.
    Pop3,
    /// ManageSieve.
    Sieve,
    /// One of Dovecot's login processes, the line does not say which.
    Dovecot,
    /// The line does not say.
    Unknown,
}

impl Service {
    /// Whether the attempt would have come through a submission proxy. An attempt of which only the
    /// password check is told counts as one: Dovecot names a session where its own login processes ask.
    pub const fn is_submission(self) -> bool {
        matches!(self, Self::Smtp | Self::Submission | Self::Unknown)
    }

    /// The name in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Submission => "submission",
            Self::Imap => "imap",
            Self::Pop3 => "pop3",
            Self::Sieve => "sieve",
            Self::Dovecot => "dovecot",
            Self::Unknown => "unknown",
        }
    }

    /// What both say together, unless they contradict each other.
    fn joined(self, other: Self) -> Option<Self> {
        match (self, other) {
            (one, two) if one == two => Some(one),
            (Self::Unknown, known) | (known, Self::Unknown) => Some(known),
            (Self::Dovecot, known) | (known, Self::Dovecot) if known != Self::Smtp => Some(known),
            _ => None,
        }
    }
}

/// Which of the witnesses of one attempt a line comes from. Each tells an attempt once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Teller {
    /// Postfix's smtpd.
    Postfix,
    /// One of Dovecot's login processes.
    LoginProcess,
    /// A PAM module, in its own line.
    Pam,
    /// Dovecot's password database `passwd-file`.
    PasswdFile,
    /// Dovecot's password database `pam`.
    PamDatabase,
    /// Dovecot's password database `sql`.
    Sql,
    /// Dovecot's password database `ldap`.
    Ldap,
    /// A SASL mechanism inside Dovecot.
    Mechanism,
    /// Another password database of Dovecot.
    OtherDatabase,
}

/// What one line tells of login attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told<'a> {
    /// From where.
    pub client: ClientKey,
    /// As whom, as the log shows it; `None` where the line names nobody.
    pub user: Option<&'a [u8]>,
    /// Where.
    pub service: Service,
    /// How it came out.
    pub outcome: AuthOutcome,
    /// Who tells it.
    pub teller: Teller,
    /// How many attempts the line stands for; the user is that of the last one.
    pub attempts: u32,
    /// The time before the line's within which they happened.
    pub within: Duration,
}

/// [`Told`], and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Telling<'a> {
    /// The line's time.
    pub at: Moment,
    /// What it tells.
    pub told: Told<'a>,
}

/// What a parser makes of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard<'a> {
    /// Login attempts.
    Told(Told<'a>),
    /// A session of the program's process began or ended: what it tells from now on is another login.
    Session,
    /// Nothing about logins.
    Nothing,
    /// It looks like a login attempt, but cannot be read for certain.
    Garbled,
}

/// One login attempt, merged from all that was told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Login {
    /// When it was first told.
    pub at: Moment,
    /// From where.
    pub client: ClientKey,
    /// As whom; `None` where no line names anybody.
    pub user: Option<names::NameId>,
    /// Where.
    pub service: Service,
    /// How it came out.
    pub outcome: AuthOutcome,
}

/// All that a set of logs tells, in the order of time.
#[derive(Debug)]
pub struct History {
    /// The attempts.
    pub logins: Vec<Login>,
    /// Their users.
    pub names: names::Names,
    /// What was read.
    pub tally: listen::Tally,
    /// How often an attempt was told that was told already; a line may stand for several.
    pub merged: u64,
    /// Lines that stood in an earlier file already.
    pub copies: u64,
}
