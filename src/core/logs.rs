//! logs - old logs to login attempts
//!
//! Each line goes this way: [`parser`] cuts it into time, program and message (`syslog`, `journald`), asks
//! the program's own reader (`postfix`, `dovecot`, `pam`) and yields a [`ParsedEvent`](parser::ParsedEvent);
//! [`collector`] gathers the events of many files in the order of time; `merge` makes one
//! [`LoggedAttempt`] of the several lines that programs write about one attempt.
//!
//! Pure: it reads what it is given, opens no file and asks no clock (the year that classic syslog
//! leaves out comes in as the file's time). Not here: which files (`cli::logs`), how the gate
//! would have answered the attempts (`cli::replay`).
//!
//! Everything in a log that came from a client is hostile. The readers are anchored at both ends
//! of what the daemon itself writes, so a user name that looks like another field, or like a whole
//! line, stays a user name; where two readings are possible the line is not believed.
//! Written by hand over bytes, without a regex engine: a million lines take a second or two.

use std::time::Duration;

use crate::gate::request::attempt::AuthOutcome;
use crate::gate::request::client::ClientKey;
use crate::moment::Moment;

pub mod collector;
pub mod dovecot;
pub mod envelope;
mod evidence;
pub mod journald;
mod merge;
pub mod names;
pub mod packed;
pub mod pam;
pub mod parser;
pub mod postfix;
mod row;
mod scan;
pub mod stamp;
pub mod syslog;

/// The service that a login attempt was made at.
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
    /// One of Dovecot's login processes; the line does not say which.
    Dovecot,
    /// The line does not say.
    Unknown,
}

impl Service {
    /// Whether the attempt would have come through a submission proxy. An attempt of which only the password
    /// check is logged counts as one: where Dovecot's own login processes ask, it logs a session, too.
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

    /// The more precise of the two, unless they contradict each other.
    fn joined(self, other: Self) -> Option<Self> {
        match (self, other) {
            (one, two) if one == two => Some(one),
            (Self::Unknown, known) | (known, Self::Unknown) => Some(known),
            (Self::Dovecot, known) | (known, Self::Dovecot) if known != Self::Smtp => Some(known),
            _ => None,
        }
    }
}

/// The program or database that logged an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogSource {
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

impl LogSource {
    /// Whether it knows how an attempt ended, and logs each once. A database does not: the next may accept the password.
    const fn knows_outcome(self) -> bool {
        matches!(self, Self::Postfix | Self::LoginProcess)
    }
}

/// What one line reports of login attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoginReport<'a> {
    /// The client.
    pub client: ClientKey,
    /// The user name as the log shows it; `None` where the line has none.
    pub user: Option<&'a [u8]>,
    /// The service.
    pub service: Service,
    /// The result.
    pub outcome: AuthOutcome,
    /// Who logged the line.
    pub source: LogSource,
    /// How many attempts the line stands for; the user is that of the last one.
    pub attempts: u32,
    /// The time before the line's within which they happened; of a login that may have been at any time, all of it.
    pub within: Duration,
}

/// What a program's reader makes of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed<'a> {
    /// Login attempts.
    Report(LoginReport<'a>),
    /// A session of this process begins: the next login that it logs is a new one.
    SessionBegins,
    /// A session of this process has ended.
    SessionEnds,
    /// Known, and nothing about logins.
    Unrelated,
    /// Not known.
    Foreign,
    /// It looks like a login attempt, but cannot be read for certain.
    Ambiguous,
}

/// One login attempt, merged from all lines about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoggedAttempt {
    /// The time of the first line about it.
    pub at: Moment,
    /// Of a login: when its password was right at the earliest; none: the log does not tell.
    pub earliest: Option<Moment>,
    /// The client.
    pub client: ClientKey,
    /// The user name; `None` where no line has one.
    pub user: Option<names::NameId>,
    /// The service.
    pub service: Service,
    /// The result.
    pub outcome: AuthOutcome,
}

/// All login attempts in a set of logs, in the order of time.
#[derive(Debug)]
pub struct LoginHistory {
    /// The attempts.
    pub attempts: Vec<LoggedAttempt>,
    /// Their users.
    pub names: names::Names,
    /// What was read.
    pub stats: parser::ParseStats,
    /// How often a line reported an attempt that another line had reported; a line may stand for several.
    pub merged: u64,
    /// Lines of password databases and of PAM that nobody has told an outcome of: no attempts.
    pub dropped: u64,
    /// Lines that stood in an earlier file already.
    pub copies: u64,
}
