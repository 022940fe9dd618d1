//! auth - failures as Dovecot's auth processes log them
//!
//! `auth: passwd-file(name,address,<session>): Password mismatch` up to Dovecot 2.3, where a worker
//! writes `auth-worker(12): conn unix:… (…): auth-worker<3>: sql(…): …`; from 2.4 on
//! `auth(name,address,sasl:plain)<session>: sql: Password mismatch`.
//! Not here: successes, which only login processes and Postfix log.
//!
//! A session id says that one of Dovecot's own login processes asks; Postfix sends none.
//! `auth_username_chars` keeps names harmless by default, but may be empty; and with
//! `auth_verbose_passwords = plain` the line ends with text that the client chose. So every comma is tried,
//! and a line that could be read in two ways is ambiguous.

use std::time::Duration;

use super::super::scan::Scan;
use super::super::{LogSource, LoginReport, Parsed, Service};
use super::without_level;
use crate::gate::request::attempt::AuthOutcome;
use crate::gate::request::client::ClientKey;

/// Dovecot's own limit, `LOGIN_MAX_SESSION_ID_LEN`. Without one, a line of the client's text takes quadratic time.
const LONGEST_SESSION_OCTETS: usize = 64;

/// Where the line names the password database.
#[derive(Clone, Copy)]
enum LineForm {
    /// In front of the parenthesis: Dovecot 2.2 and 2.3.
    Old(LogSource),
    /// Behind it: 2.4.
    New,
}

/// Reads a message that begins with `auth`.
pub(super) fn read(message: &[u8]) -> Parsed<'_> {
    let Some((text, form)) = subject(message) else {
        return Parsed::Unrelated;
    };
    let mut found: Option<LoginReport<'_>> = None;
    for (at, _) in text.iter().enumerate().filter(|(_, byte)| **byte == b',') {
        let Some(reading) = reading(text, at, form) else {
            continue;
        };
        if reading.certain && found.is_none() {
            return Parsed::Report(reading.report);
        }
        if found.is_some_and(|earlier| earlier.client != reading.report.client) {
            return Parsed::Ambiguous;
        }
        found = found.or(Some(reading.report));
    }
    found.map_or(Parsed::Unrelated, Parsed::Report)
}

/// What stands behind the parenthesis that opens in front of the name.
fn subject(message: &[u8]) -> Option<(&[u8], LineForm)> {
    let Some(text) = old_prefix(message) else {
        let names: [&[u8]; 2] = [b"auth(", b"auth-worker("];
        let text = names.iter().find_map(|name| message.strip_prefix(*name))?;
        return Some((text, LineForm::New));
    };
    let mut scan = Scan::new(without_level(text));
    if scan.skip(b"conn ") {
        scan.until(b')')?;
        scan.literal(b": auth-worker<")?;
        scan.number()?;
        scan.literal(b">: ")?;
    }
    let source = source(database(&mut scan)?);
    scan.literal(b"(")?;
    Some((scan.rest(), LineForm::Old(source)))
}

/// What stands behind `auth: `, `auth(default): `, `auth-worker(12): `.
fn old_prefix(message: &[u8]) -> Option<&[u8]> {
    let mut scan = Scan::new(message);
    if !scan.skip(b"auth-worker") {
        scan.literal(b"auth")?;
    }
    if scan.skip(b"(") {
        scan.run(|byte| byte.is_ascii_alphanumeric())?;
        scan.literal(b")")?;
    }
    scan.literal(b": ")?;
    Some(scan.rest())
}

fn database<'a>(scan: &mut Scan<'a>) -> Option<&'a [u8]> {
    scan.run(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn source(database: &[u8]) -> LogSource {
    match database {
        b"passwd-file" => LogSource::PasswdFile,
        b"pam" => LogSource::PamDatabase,
        b"sql" => LogSource::Sql,
        b"ldap" => LogSource::Ldap,
        b"plain" | b"login" | b"cram-md5" | b"digest-md5" | b"xoauth2" | b"oauthbearer" => {
            LogSource::Mechanism
        }
        name if name.starts_with(b"scram-") => LogSource::Mechanism,
        _ => LogSource::OtherDatabase,
    }
}

struct LineReading<'a> {
    report: LoginReport<'a>,
    /// If it is the line's first reading, no name imitated it.
    certain: bool,
}

/// The line, if the name ends at the comma `at`.
fn reading(text: &[u8], at: usize, form: LineForm) -> Option<LineReading<'_>> {
    let (name, rest) = text.split_at_checked(at)?;
    let mut scan = Scan::new(rest);
    scan.literal(b",")?;
    let client = ClientKey::new(scan.address()?);
    let (service, source) = match form {
        LineForm::Old(source) => (old_tail(&mut scan)?, source),
        LineForm::New => new_tail(&mut scan)?,
    };
    let message = without_level(scan.rest());
    let disallowed = disallowed(message);
    if disallowed.is_none() && !is_failure(message) {
        return None;
    }
    let name = disallowed.unwrap_or(name);
    let user = Some(name).filter(|name| !name.is_empty() && *name != b"?");
    Some(LineReading {
        report: LoginReport {
            client,
            user,
            service,
            outcome: AuthOutcome::Reject,
            source,
            attempts: 1,
            within: Duration::ZERO,
        },
        certain: disallowed.is_some(),
    })
}

/// `,master,<session>): `.
fn old_tail(scan: &mut Scan<'_>) -> Option<Service> {
    scan.skip(b",master");
    let mut service = Service::Unknown;
    if scan.skip(b",") && scan.skip(b"<") {
        scan.until_within(b'>', LONGEST_SESSION_OCTETS)?;
        service = Service::Dovecot;
    }
    scan.literal(b"): ")?;
    Some(service)
}

/// `,sasl:plain,master)<pid><session>: request [12]: sql: `.
fn new_tail(scan: &mut Scan<'_>) -> Option<(Service, LogSource)> {
    if scan.skip(b",sasl:") {
        database(scan)?;
    }
    scan.skip(b",master");
    scan.literal(b")")?;
    let mut service = Service::Unknown;
    while scan.skip(b"<") {
        let id = scan.until_within(b'>', LONGEST_SESSION_OCTETS)?;
        if !id.iter().all(u8::is_ascii_digit) {
            service = Service::Dovecot;
        }
    }
    scan.literal(b": ")?;
    if scan.skip(b"request [") {
        scan.number()?;
        scan.literal(b"]: ")?;
    }
    let mut ahead = Scan::new(without_level(scan.rest()));
    if let Some(database) = database(&mut ahead)
        && ahead.skip(b": ")
    {
        *scan = ahead;
        return Some((service, source(database)));
    }
    Some((service, LogSource::Mechanism))
}

/// Whether the message is about wrong credentials, not about a database that fails.
fn is_failure(message: &[u8]) -> bool {
    let failures: [&[u8]; 19] = [
        b"Password mismatch",
        b"password mismatch",
        b"unknown user",
        b"Unknown user",
        b"invalid credentials",
        b"Invalid credentials",
        b"pam_authenticate() failed: User not known",
        b"pam_authenticate() failed: Permission denied",
        b"pam_authenticate() failed: Have exhausted maximum number of retries",
        b"pam_acct_mgmt() failed: ",
        b"User found from deny passdb",
        b"Login attempt with empty password",
        b"Attempted login with password having illegal chars",
        b"Attempted master login",
        b"oauth2 failed: ",
        b"Authentication failed",
        b"Login failed (status=1",
        b"allow_nets check failed",
        b"Authentication failure due to policy server refusal",
    ];
    let mut pam = Scan::new(message);
    failures.iter().any(|failure| message.starts_with(failure))
        || pam.skip(b"pam_authenticate() failed: ")
            && (pam.skip(b"Authentication failure") || pam.skip(b"authentication error"))
}

/// The name that was refused for a character in it. Dovecot shows 64 octets of a name in front of the
/// address, too few to imitate this message.
fn disallowed(message: &[u8]) -> Option<&[u8]> {
    let mut scan = Scan::new(message);
    scan.literal(b"Username character disallowed by auth_username_chars: 0x")?;
    scan.run(|byte| byte.is_ascii_hexdigit())?;
    scan.literal(b" (username: ")?;
    scan.rest().strip_suffix(b")")
}
