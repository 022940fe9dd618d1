//! envelope - what containers, relays and terminals put in front of the head of a log line
//!
//! A priority (`<22>`, `<mail.info>`) and RFC 5424's version behind it, a container's name (`postfix-1  | `), colours, a
//! second time (`docker logs -t`), the stream of Kubernetes (`stdout F `), and a whole head in front of the line's own.
//! They are taken off in a loop, since each may stand behind each other.
//! Not here: the head itself (`syslog`), JSON around the line (`journald`).
//!
//! The first time counts: what stands in front was written by the machine that collects, which knows the year and the zone.
//! Only of what is a container's or Dovecot's the message may be a whole line: other programs may begin theirs with a client's text.

use super::dovecot;
use super::scan::{Scan, find};
use super::stamp::Stamp;
use super::syslog::{self, Header};

/// The layers that are taken off one line.
const MOST_LAYERS: usize = 8;

/// Reads the head of `line`. `None`: there is no timestamp that we know, or nothing behind it.
pub fn header(line: &[u8]) -> Option<Header<'_>> {
    let header = syslog::common(line).or_else(|| within(line, None))?;
    let inner = may_wrap(&header).then(|| within(header.message, Some(header.stamp)));
    Some(inner.flatten().unwrap_or(header))
}

/// Reads `line` behind all that stands in front of its head. With `outer`, the time in front of it, its own may be missing.
pub(super) fn within(line: &[u8], outer: Option<Stamp>) -> Option<Header<'_>> {
    let mut scan = Scan::new(line);
    let mut stamp = outer;
    for _ in 0..MOST_LAYERS {
        let _ = scan.run(|byte| matches!(byte, b' ' | b'\t' | 0));
        let mut ahead = scan;
        if let Some(found) = Stamp::read(&mut ahead) {
            stamp = stamp.or(Some(found));
            ahead.skip(b":");
            stream(&mut ahead);
        } else if layer(&mut ahead).is_none() {
            break;
        }
        scan = ahead;
    }
    let header = syslog::behind_time(stamp?, scan.rest())?;
    let doubled = may_wrap(&header) && outer.is_none() && starts_with_time(header.message);
    match doubled.then(|| within(header.message, stamp)).flatten() {
        Some(inner) => Some(inner),
        None => Some(header),
    }
}

/// Whether the message of this head may be a whole line, with a head of its own.
pub(super) fn may_wrap(header: &Header<'_>) -> bool {
    let message = header.message;
    if is_container_id(header.program) {
        return true;
    }
    starts_with_time(message) && !header.program.ends_with(b"/smtpd") && is_of_mail(header.program)
}

/// `Nov 24`, `2026-11-24`, `<22>Nov 24`: seen at a glance.
fn starts_with_time(message: &[u8]) -> bool {
    match message.first() {
        Some(b'0'..=b'9') => matches!(message.get(4), Some(b'-' | b'/' | b'0'..=b'9')),
        Some(b'A'..=b'Z') => message.get(3) == Some(&b' '),
        Some(b'<' | b'@') => true,
        _ => false,
    }
}

/// Docker's default tag: 12 digits of the container's id, or all 64.
fn is_container_id(program: &[u8]) -> bool {
    let id = program.strip_prefix(b"docker/").unwrap_or(program);
    matches!(id.len(), 12 | 64)
        && id
            .iter()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The name of Dovecot, of a mail server, or of what runs containers.
fn is_of_mail(program: &[u8]) -> bool {
    let names: [&[u8]; 9] = [
        b"dovecot",
        b"postfix",
        b"mail",
        b"smtp",
        b"imap",
        b"docker",
        b"podman",
        b"conmon",
        b"container",
    ];
    let program = program.to_ascii_lowercase();
    names.iter().any(|name| find(&program, name).is_some()) || dovecot::is_service(&program)
}

/// Steps over one layer that is no time.
fn layer(scan: &mut Scan<'_>) -> Option<()> {
    match scan.rest().first()? {
        b'<' => priority(scan),
        0x1b => colour(scan),
        0xef => scan.literal(b"\xef\xbb\xbf"),
        _ => container_name(scan),
    }
}

/// `<22>`, `<22>1 `, `<mail.info>`.
fn priority(scan: &mut Scan<'_>) -> Option<()> {
    const LONGEST: usize = 24;
    scan.literal(b"<")?;
    let inner = scan.run(|byte| byte.is_ascii_alphanumeric() || byte == b'.')?;
    scan.literal(b">")?;
    if inner.len() > LONGEST {
        return None;
    }
    scan.skip(b"1 ");
    Some(())
}

/// `ESC [ 36 m`.
fn colour(scan: &mut Scan<'_>) -> Option<()> {
    scan.literal(b"\x1b[")?;
    let _ = scan.run(|byte| byte.is_ascii_digit() || byte == b';');
    scan.literal(b"m")
}

/// `postfix-mailcow-1  | `, as docker compose writes it.
fn container_name(scan: &mut Scan<'_>) -> Option<()> {
    scan.run(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/'))?;
    while !scan.rest().starts_with(b" |") && !scan.rest().starts_with(b"|") {
        match scan.rest().first()? {
            b' ' => scan.literal(b" ")?,
            0x1b => colour(scan)?,
            _ => return None,
        }
    }
    scan.skip(b" ");
    scan.literal(b"|")?;
    colour(scan).unwrap_or_default();
    Some(())
}

/// ` stdout F `, behind the time that the container runtime interface of Kubernetes writes.
fn stream(scan: &mut Scan<'_>) {
    let mut ahead = *scan;
    if (ahead.skip(b" stdout ") || ahead.skip(b" stderr "))
        && (ahead.skip(b"F ") || ahead.skip(b"P "))
    {
        *scan = ahead;
    }
}

#[cfg(test)]
mod tests;
