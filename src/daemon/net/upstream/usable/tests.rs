//! tests - what is said of a table of greetings and EHLO replies, under each announcement

use std::io;

use super::*;
use crate::net::upstream::ClientOrigin;

fn reply(code: u16, text: &str) -> Reply {
    Reply::new(code, None, text)
}

fn offers(lines: &[&str]) -> Capabilities {
    let lines = std::iter::once(&"mx.example.org").chain(lines).copied();
    Capabilities::parse(&Reply::multiline(250, None, lines))
}

/// The EHLO replies; what is wrong with them; under which announcements, and by which party they are seen.
#[test]
fn what_a_backend_offers_makes_it_usable_or_not() {
    let origin = ClientOrigin {
        client: "203.0.113.7:1".parse().unwrap(),
        listener: "192.0.2.1:465".parse().unwrap(),
        helo: None,
    };
    let (probe, client) = (Party::Probe, Party::Client(&origin));
    let (proxy, xclient, none) = (Announce::ProxyV2, Announce::Xclient, Announce::Nothing);
    let good = "AUTH PLAIN LOGIN";
    let rows: [(&[&str], Announce, Party<'_>, &str); 14] = [
        (&[good], proxy, probe, ""),
        (&[good], proxy, client, ""),
        (&["AUTH=LOGIN"], proxy, probe, ""),
        (&["auth login"], none, probe, ""),
        (&[], proxy, probe, "offers no AUTH"),
        (&["AUTH"], proxy, client, "offers no AUTH"),
        (&["AUTH EXTERNAL"], proxy, probe, "offers no AUTH"),
        (
            &["AUTH CRAM-MD5 SCRAM-SHA-256"],
            proxy,
            probe,
            "(CRAM-MD5 SCRAM-SHA-256)",
        ),
        (&[good, "STARTTLS"], proxy, probe, "offers STARTTLS"),
        (&["STARTTLS"], none, client, "offers STARTTLS"),
        (&[good], xclient, probe, "no XCLIENT"),
        (&[good, "XCLIENT ADDR"], xclient, probe, ""),
        (&[good, "XCLIENT ADDR"], xclient, client, "accept XCLIENT"),
        (&[good, "XCLIENT ADDR"], none, probe, "accept XCLIENT"),
    ];
    let allowed = [Mechanism::Plain, Mechanism::Login];
    for (lines, announcement, party, wrong) in rows {
        let row = format!("{lines:?}, {announcement:?}, {party:?}");
        match check_offers(announcement, party, &allowed, &offers(lines)) {
            Ok(()) => assert_eq!(wrong, "", "{row}"),
            Err(fault) => {
                let told = fault.complaint();
                assert!(
                    !wrong.is_empty() && told.reason.contains(wrong),
                    "{row}: {told}"
                );
                assert!(told.cure.is_some(), "{row}: {told}");
            }
        }
    }
}

/// `expected` stands in what is told of a fault.
#[track_caller]
fn is_told(announcement: Announce, fault: UpstreamFault, expected: &str) {
    let row = format!("{announcement:?}, {fault:?}");
    let told = diagnose(announcement, fault).complaint().to_string();
    assert!(told.contains(expected), "{row}: {told}");
}

const PROXY: Announce = Announce::ProxyV1;
const NONE: Announce = Announce::Nothing;

#[test]
fn a_connection_that_fails_or_closes_is_told_with_its_most_likely_cause() {
    use UpstreamFault::{Closed, Lost, TimedOut};
    use UpstreamStep::{Connect, Greeting};
    let lost = |kind| Lost(Connect, io::Error::from(kind));
    is_told(NONE, Closed(Greeting), "Dovecot");
    is_told(PROXY, Closed(Greeting), "Dovecot");
    is_told(
        PROXY,
        lost(ErrorKind::ConnectionRefused),
        "config/master.cf",
    );
    is_told(PROXY, lost(ErrorKind::NotFound), "config/master.cf");
    is_told(PROXY, lost(ErrorKind::PermissionDenied), "postdrop");
    is_told(PROXY, TimedOut(Greeting), "service_throttle_time");
}

#[test]
fn a_reply_that_refuses_is_told_with_its_most_likely_cause() {
    use UpstreamStep::{Ehlo, Greeting};
    let refused = |step, code, text| UpstreamFault::Refused(step, reply(code, text));
    let busy = || refused(Greeting, 421, "4.3.2 All server ports are busy");
    let header = || refused(Greeting, 421, "4.3.0 mail.example.org Server local error");
    let syntax = || refused(Ehlo, 500, "5.5.2 bad syntax");
    is_told(NONE, header(), "awaits a PROXY header");
    is_told(Announce::Xclient, header(), "awaits a PROXY header");
    is_told(PROXY, header(), "refused at its greeting: 421");
    is_told(PROXY, busy(), "postscreen");
    is_told(NONE, busy(), "postscreen");
    is_told(PROXY, UpstreamFault::Unasked(Ehlo), "=haproxy");
    is_told(PROXY, syntax(), "smtpd_upstream_proxy_protocol=haproxy");
    is_told(NONE, syntax(), "refused at EHLO");
    is_told(NONE, UpstreamFault::Unasked(Ehlo), "unexpected reply");
    is_told(PROXY, refused(Greeting, 421, "4.7.0 too many"), "too many");
}

#[test]
fn an_address_has_its_reason_and_since_when() {
    let mut found = Usability::default();
    assert!(!found.is_usable());
    let at = Moment::from_seconds;
    found.found(None, at(10));
    found.found(None, at(20));
    assert_eq!(found, Usability::Usable { since: at(10) });
    found.found(Some(&UpstreamFault::OffersNoAuth), at(30));
    found.found(Some(&UpstreamFault::OffersStartTls), at(40));
    let Usability::Unusable { since, complaint } = &found else {
        panic!("{found:?}");
    };
    assert_eq!(*since, at(30), "it has been unusable all the time");
    assert!(complaint.to_string().contains("STARTTLS"), "{complaint}");
    found.found(None, at(50));
    assert_eq!(found, Usability::Usable { since: at(50) });
}
