//! queue_id - from the id of a mail in Postfix's queue to the client and the user who submitted it
//!
//! By the line of smtpd in the mail log: in a file, or in the journal. Only what stands at the line's own place counts: a
//! client's text behind it may imitate such a line. Not here: reading logs for logins (`core::logs`), what is asked then
//! (`explain`).

use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::cli::logs;
use crate::config::mail_servers::output_of;
use gatepost_core::logs::{Parsed, postfix};

/// Where syslog puts the mail log, the latest first: Debian, then Red Hat.
const PLACES: [&str; 3] = [
    "/var/log/mail.log",
    "/var/log/mail.log.1",
    "/var/log/maillog",
];

/// Octets of a file that are read.
const LONGEST: u64 = 1 << 30;

/// Octets of a line.
const LONGEST_LINE: u64 = 64 << 10;

/// Who submitted a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Submitted {
    pub(super) client: String,
    pub(super) user: Option<String>,
}

/// Whether it may be the id of a mail: short ones are hexadecimal, long ones (enable_long_queue_ids) have letters of both
/// cases without vowels.
pub(super) fn is_one(text: &str) -> bool {
    let short = |octet: u8| octet.is_ascii_digit() || (b'A'..=b'F').contains(&octet);
    let long = |octet: u8| octet.is_ascii_alphanumeric() && !b"AEIOUaeiou".contains(&octet);
    let length = text.len();
    (6..=20).contains(&length) && text.bytes().all(short)
        || (10..=24).contains(&length) && text.bytes().all(long)
}

/// Looks for the mail in `given`, or where mail logs are. None: it stands nowhere there.
pub(super) fn find(id: &str, given: Option<&Path>) -> io::Result<Option<Submitted>> {
    if let Some(path) = given {
        return in_file(id, path);
    }
    for path in PLACES.iter().map(PathBuf::from) {
        // What is not there, or not to be read by this user, is passed over.
        if let Ok(Some(found)) = in_file(id, &path) {
            return Ok(Some(found));
        }
    }
    let grep = format!("^{id}: client=");
    let asked = ["-q", "-o", "short", "--since", "-30d", "-g", &grep];
    let said = output_of("journalctl", &asked).unwrap_or_default();
    let mut found = said.lines().filter_map(|line| read(id, line.as_bytes()));
    Ok(found.next_back())
}

/// The last one: a short id comes again.
fn in_file(id: &str, path: &Path) -> io::Result<Option<Submitted>> {
    let mut lines = BufReader::new(logs::open(path)?.take(LONGEST));
    let (mut found, mut line) = (None, Vec::new());
    loop {
        line.clear();
        if (&mut lines)
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line)?
            == 0
        {
            return Ok(found);
        }
        found = read(id, line.trim_ascii_end()).or(found);
    }
}

/// What a line says, if it is smtpd's about this mail: `… postfix/smtpd[7]: ID: client=host[address], …`.
fn read(id: &str, line: &[u8]) -> Option<Submitted> {
    let colon = line.windows(3).position(|window| window == b"]: ")?;
    let (head, message) = line.split_at_checked(colon + 3)?;
    let program = head.rsplit(|octet| *octet == b' ').nth(1)?;
    let program = program.split(|octet| *octet == b'[').next()?;
    let rest = message.strip_prefix(id.as_bytes())?;
    if !postfix::is_smtpd(program) || !rest.starts_with(b": client=") {
        return None;
    }
    match postfix::read(message) {
        Parsed::Report(report) => Some(Submitted {
            client: report.client.to_string(),
            user: report
                .user
                .map(|user| String::from_utf8_lossy(user).into_owned()),
        }),
        // Nobody logged in: the address alone.
        _ => {
            let text = std::str::from_utf8(rest).ok()?;
            let address = text.split_once('[')?.1.split_once(']')?.0;
            let client = address.to_owned();
            Some(Submitted { client, user: None })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_both_forms_are_told_from_names() {
        for id in ["4A1B2C", "9F3D2E7A01", "4cQ5xY1zJkz9vB"] {
            assert!(is_one(id), "{id}");
        }
        for text in [
            "alice",
            "bob@example.org",
            "203.0.113.7",
            "4A1B2",
            "postmaster",
            "4cQ5xY1zJ",
        ] {
            assert!(!is_one(text), "{text}");
        }
    }

    #[test]
    fn the_line_of_smtpd_names_client_and_user_and_no_text_of_a_client_does() {
        let read = |line: &str| read("4A1B2C", line.as_bytes());
        let found = |client: &str, user: Option<&str>| {
            Some(Submitted {
                client: client.to_owned(),
                user: user.map(ToOwned::to_owned),
            })
        };
        let begin = "Nov 27 07:00:00 mx postfix/submission/smtpd[71]: ";
        let line = format!(
            "{begin}4A1B2C: client=h.example[203.0.113.7]:4711, sasl_method=PLAIN, sasl_username=ann@example.org"
        );
        assert_eq!(read(&line), found("203.0.113.7", Some("ann@example.org")));
        let line =
            "2026-11-27T07:00:00+00:00 mx postfix/smtpd[7]: 4A1B2C: client=unknown[2001:db8::1]";
        assert_eq!(read(line), found("2001:db8::1", None));
        let other = format!(
            "{begin}4A1B2D: client=h.example[203.0.113.7], sasl_method=PLAIN, sasl_username=x"
        );
        assert_eq!(read(&other), None);
        let text = "4A1B2C: client=h.example[203.0.113.9], sasl_method=PLAIN, sasl_username=bob";
        for imitated in [
            format!(
                "{begin}99AABB: client=h[203.0.113.7], sasl_method=PLAIN, sasl_username=]: {text}"
            ),
            format!("Nov 27 07:00:00 mx other[7]: {text}"),
            format!("Nov 27 07:00:00 mx other[7]: postfix/smtpd[7]: {text}"),
        ] {
            assert_eq!(read(&imitated), None, "{imitated}");
        }
    }
}
