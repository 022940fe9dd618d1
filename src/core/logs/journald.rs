//! journald - one JSON object a line: journalctl's, Docker's, and those of log collectors
//!
//! Takes the few fields that matter: a time, a message, and where they have one the program and its process. A message of the
//! journal that is not UTF-8, or holds control characters, comes as an array of octets. Docker's `log` and what collectors call
//! `message` may be a whole line with a head of its own: then that head counts, and its time only if there is no other.
//! Not here: journalctl's short forms, which are syslog's (`syslog`).
//! systemd.journal-fields(7), `journalctl -o json`; Docker's logging driver json-file.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::envelope;
use super::scan::Scan;
use super::stamp::Stamp;
use super::syslog::Header;
use crate::moment::Moment;

/// One entry.
#[derive(Debug, PartialEq, Eq)]
pub struct JsonEntry<'a> {
    /// When the journal or the collector received it.
    pub at: Option<Stamp>,
    /// The identifier that the program gave itself, or else its name.
    pub program: Option<Cow<'a, [u8]>>,
    /// The machine.
    pub host: Option<Cow<'a, [u8]>>,
    /// The process.
    pub pid: Option<u32>,
    /// The message.
    pub message: Cow<'a, [u8]>,
    /// Whether a container wrote it, whose lines have heads of their own.
    contained: Contained,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contained {
    Yes,
    No,
}

impl JsonEntry<'_> {
    /// The head that the entry has, or that its message begins with.
    pub fn header(&self) -> Option<Header<'_>> {
        let message = self.message.strip_suffix(b"\n").unwrap_or(&self.message);
        let Some(program) = self.program.as_deref() else {
            return envelope::within(message, self.at);
        };
        let header = Header {
            stamp: self.at?,
            host: self.host.as_deref().unwrap_or_default(),
            program,
            pid: self.pid,
            message,
        };
        let wrapped = self.contained == Contained::Yes || envelope::may_wrap(&header);
        let inner = wrapped
            .then(|| envelope::within(message, self.at))
            .flatten();
        Some(inner.unwrap_or(header))
    }
}

/// Reads one line. `None`: it is no object with a message.
pub fn entry(line: &[u8]) -> Option<JsonEntry<'_>> {
    let fields: Fields<'_> = serde_json::from_slice(line).ok()?;
    let contained = match fields.contained {
        true => Contained::Yes,
        false => Contained::No,
    };
    Some(JsonEntry {
        at: fields.at,
        program: fields.program.map(|(_, program)| program.0),
        host: fields.host.map(|host| host.0),
        pid: fields.pid.and_then(|pid| parse(&pid)),
        message: fields.message?.0,
        contained,
    })
}

fn parse<T: std::str::FromStr>(text: &Octets<'_>) -> Option<T> {
    std::str::from_utf8(&text.0).ok()?.parse().ok()
}

/// Microseconds since the epoch, as the journal writes them.
fn micros(text: &Octets<'_>) -> Option<Stamp> {
    let micros: u64 = parse(text)?;
    Some(Stamp::Counted(Moment::from_nanos(
        micros.saturating_mul(1000),
    )))
}

/// RFC 3339, classic, or seconds or milliseconds since the epoch.
fn any_time(text: &Octets<'_>) -> Option<Stamp> {
    let mut scan = Scan::new(&text.0);
    if let Some(stamp) = Stamp::read(&mut scan).filter(|_| scan.rest().is_empty()) {
        return Some(stamp);
    }
    let whole: u64 = parse(text)?;
    let moment = match text.0.len() {
        ..=10 => Moment::from_seconds(whole),
        11..=13 => Moment::from_nanos(whole.saturating_mul(1_000_000)),
        _ => return None,
    };
    Some(Stamp::Counted(moment))
}

#[derive(Default)]
struct Fields<'a> {
    at: Option<Stamp>,
    /// With the rank of its field: the lowest counts.
    program: Option<(u8, Octets<'a>)>,
    host: Option<Octets<'a>>,
    pid: Option<Octets<'a>>,
    message: Option<Octets<'a>>,
    contained: bool,
}

impl<'a> Fields<'a> {
    fn program(&mut self, rank: u8, program: Octets<'a>) {
        if self.program.as_ref().is_none_or(|(known, _)| rank < *known) {
            self.program = Some((rank, program));
        }
    }

    /// Whether the field's text is wanted.
    fn wants(name: &str) -> bool {
        matches!(
            name,
            "__REALTIME_TIMESTAMP"
                | "_SOURCE_REALTIME_TIMESTAMP"
                | "@timestamp"
                | "timestamp"
                | "time"
                | "ts"
                | "date"
                | "SYSLOG_IDENTIFIER"
                | "_COMM"
                | "_HOSTNAME"
                | "program"
                | "programname"
                | "appname"
                | "app-name"
                | "app_name"
                | "ident"
                | "SYSLOG_PID"
                | "pid"
                | "procid"
                | "MESSAGE"
                | "message"
                | "msg"
                | "log"
                | "CONTAINER_ID"
                | "CONTAINER_NAME"
        )
    }

    fn take<E: Error>(&mut self, name: &str, value: Octets<'a>) -> Result<(), E> {
        match name {
            "__REALTIME_TIMESTAMP" => self.at = micros(&value),
            "_SOURCE_REALTIME_TIMESTAMP" => self.at = self.at.or_else(|| micros(&value)),
            "SYSLOG_IDENTIFIER" => self.program(0, value),
            "program" | "programname" | "appname" | "app-name" | "app_name" | "ident" => {
                self.program(1, value);
            }
            "_COMM" => self.program(2, value),
            "_HOSTNAME" => self.host = Some(value),
            "SYSLOG_PID" | "pid" | "procid" => self.pid = Some(value),
            "CONTAINER_ID" | "CONTAINER_NAME" => self.contained = true,
            "MESSAGE" | "message" | "msg" | "log" => {
                if self.message.replace(value).is_some() {
                    return Err(E::custom("two messages"));
                }
            }
            _ => self.at = self.at.or_else(|| any_time(&value)),
        }
        Ok(())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Fields::default();
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            if Fields::wants(&name) {
                let value = map.next_value::<Octets<'de>>()?;
                fields.take(&name, value)?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(fields)
    }
}

/// A string, a number, or an array of octets.
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
        f.write_str("a string, a number or an array of octets")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(number.to_string().into_bytes()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(format!("{number:.6}").into_bytes()))
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

    #[track_caller]
    fn check(line: &str, program: &str, pid: Option<u32>, message: &[u8], nanos: u64) {
        let entry = entry(line.as_bytes()).unwrap();
        let header = entry.header().unwrap();
        assert_eq!(header.stamp, Stamp::Counted(Moment::from_nanos(nanos)));
        assert_eq!((header.program, header.pid), (program.as_bytes(), pid));
        assert_eq!(header.message, message);
    }

    #[test]
    fn a_text_and_an_array_of_octets_are_messages() {
        check(
            r#"{"__REALTIME_TIMESTAMP":"1764000000123456","SYSLOG_IDENTIFIER":"postfix/smtpd","SYSLOG_PID":"12","_UID":"102","MESSAGE":"connect from \"x\""}"#,
            "postfix/smtpd",
            Some(12),
            b"connect from \"x\"",
            1_764_000_000_123_456_000,
        );
        check(
            r#"{"MESSAGE":[97,10,255],"_COMM":"auth","__REALTIME_TIMESTAMP":"1"}"#,
            "auth",
            None,
            b"a\n\xff",
            1000,
        );
    }

    #[test]
    fn a_container_s_message_is_a_line_of_its_own() {
        for message in [
            "postfix/smtpd[1]: hi",
            "Nov 24 04:03:44 mx postfix/smtpd[1]: hi",
        ] {
            for fields in [
                r#""CONTAINER_ID":"4f1c5b9d0aa1","SYSLOG_IDENTIFIER":"anything","#,
                r#""SYSLOG_IDENTIFIER":"4f1c5b9d0aa1","#,
            ] {
                let line = format!(
                    r#"{{"__REALTIME_TIMESTAMP":"1000000",{fields}"MESSAGE":"{message}"}}"#
                );
                check(&line, "postfix/smtpd", Some(1), b"hi", 1_000_000_000);
            }
        }
    }

    #[test]
    fn what_docker_and_collectors_write_is_read() {
        check(
            r#"{"log":"postfix/smtpd[1]: hi\n","stream":"stdout","time":1795493024}"#,
            "postfix/smtpd",
            Some(1),
            b"hi",
            1_795_493_024_000_000_000,
        );
        check(
            r#"{"@timestamp":"1795493024.5","host":{"name":"mx"},"program":"dovecot","pid":7,"message":"auth: hi"}"#,
            "dovecot",
            Some(7),
            b"auth: hi",
            1_795_493_024_500_000_000,
        );
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
            let entry = entry(line.as_bytes());
            assert!(
                entry.and_then(|entry| entry.header().map(|_| ())).is_none(),
                "{line}"
            );
        }
    }
}
