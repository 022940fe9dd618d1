//! journald - journalctl's JSON: one object a line
//!
//! Takes the five fields that matter out of the thirty that systemd writes. A message that is not
//! UTF-8, or holds control characters, comes as an array of octets.
//! Not here: journalctl's short forms, which are syslog's (`syslog`).
//! systemd.journal-fields(7), `journalctl -o json`.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

use crate::moment::Moment;

/// One entry of the journal.
#[derive(Debug, PartialEq, Eq)]
pub struct JournalEntry<'a> {
    /// When the journal received it.
    pub at: Moment,
    /// The identifier that the program gave itself, or else its name.
    pub program: Cow<'a, [u8]>,
    /// The process.
    pub pid: Option<u32>,
    /// The message.
    pub message: Cow<'a, [u8]>,
}

/// Reads one line. `None`: it is no entry with a time, a program and a message.
pub fn entry(line: &[u8]) -> Option<JournalEntry<'_>> {
    let fields: Fields<'_> = serde_json::from_slice(line).ok()?;
    let micros: u64 = parse(&fields.realtime?)?;
    Some(JournalEntry {
        at: Moment::from_nanos(micros.saturating_mul(1000)),
        program: fields.identifier.or(fields.command)?.0,
        pid: fields.pid.and_then(|pid| parse(&pid)),
        message: fields.message?.0,
    })
}

fn parse<T: std::str::FromStr>(text: &Octets<'_>) -> Option<T> {
    std::str::from_utf8(&text.0).ok()?.parse().ok()
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(rename = "__REALTIME_TIMESTAMP", borrow)]
    realtime: Option<Octets<'a>>,
    #[serde(rename = "SYSLOG_IDENTIFIER", borrow)]
    identifier: Option<Octets<'a>>,
    #[serde(rename = "_COMM", borrow)]
    command: Option<Octets<'a>>,
    #[serde(rename = "SYSLOG_PID", borrow)]
    pid: Option<Octets<'a>>,
    #[serde(rename = "MESSAGE", borrow)]
    message: Option<Octets<'a>>,
}

/// A string, or an array of octets.
struct Octets<'a>(Cow<'a, [u8]>);

impl<'de: 'a, 'a> Deserialize<'de> for Octets<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(OctetsVisitor).map(Octets)
    }
}

struct OctetsVisitor;

impl<'de> Visitor<'de> for OctetsVisitor {
    type Value = Cow<'de, [u8]>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an array of octets")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text.as_bytes()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.as_bytes().to_vec()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut octets: A) -> Result<Self::Value, A::Error> {
        let mut message = Vec::new();
        while let Some(octet) = octets.next_element::<u8>()? {
            message.push(octet);
        }
        Ok(Cow::Owned(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_and_an_array_of_octets_are_messages() {
        let line = br#"{"__REALTIME_TIMESTAMP":"1764000000123456","SYSLOG_IDENTIFIER":"postfix/smtpd","SYSLOG_PID":"12","_UID":"102","MESSAGE":"connect from \"x\""}"#;
        let entry = entry(line).unwrap();
        assert_eq!(entry.at, Moment::from_nanos(1_764_000_000_123_456_000));
        assert_eq!(
            (&*entry.program, entry.pid),
            (&b"postfix/smtpd"[..], Some(12))
        );
        assert_eq!(&*entry.message, b"connect from \"x\"");

        let line = br#"{"MESSAGE":[97,10,255],"_COMM":"auth","__REALTIME_TIMESTAMP":"1"}"#;
        let entry = super::entry(line).unwrap();
        assert_eq!((&*entry.program, entry.pid), (&b"auth"[..], None));
        assert_eq!(&*entry.message, b"a\n\xff");
    }

    #[test]
    fn what_lacks_a_field_or_is_no_object_is_no_entry() {
        for line in [
            "{",
            "[]",
            "{}",
            r#"{"MESSAGE":"a","_COMM":"b"}"#,
            r#"{"MESSAGE":"a","__REALTIME_TIMESTAMP":"1"}"#,
            r#"{"MESSAGE":null,"_COMM":"b","__REALTIME_TIMESTAMP":"1"}"#,
            r#"{"MESSAGE":[256],"_COMM":"b","__REALTIME_TIMESTAMP":"1"}"#,
            r#"{"MESSAGE":"a","MESSAGE":"b","_COMM":"b","__REALTIME_TIMESTAMP":"1"}"#,
            r#"{"MESSAGE":"a","_COMM":"b","__REALTIME_TIMESTAMP":"x"}"#,
        ] {
            assert_eq!(entry(line.as_bytes()), None, "{line}");
        }
    }
}
