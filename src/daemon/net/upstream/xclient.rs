//! xclient - the XCLIENT command that announces a client to Postfix
//!
//! Pure. Not here: sending it, and the EHLO after it (`greeting`).
//! One command with all attributes: Postfix forgets HELO and LOGIN that are not in the same one. ADDR
//! is never left out: Postfix then checks, for the new address, whether more XCLIENT is allowed.
//! Postfix's XCLIENT_README; RFC 1891 section 5 for xtext.

use std::net::{IpAddr, SocketAddr};

use crate::net::upstream::ClientOrigin;

/// The longest command, with CRLF, in octets.
const COMMAND: usize = 512;
/// The longest value that Postfix takes, in octets.
const VALUE: usize = 255;

/// The command for `origin`, with those attributes that Postfix `offered` (in upper case); none if ADDR
/// was not offered.
pub(super) fn command(origin: &ClientOrigin, offered: &[Box<str>]) -> Option<Vec<u8>> {
    let is_offered = |name: &str| offered.iter().any(|attribute| **attribute == *name);
    if !is_offered("ADDR") {
        return None;
    }
    let helo = origin.helo.as_ref().map(|name| xtext(name.as_str()));
    // The name comes last, because only it may be too long.
    let attributes = [
        ("ADDR", Some(address(origin.client))),
        ("PORT", Some(origin.client.port().to_string())),
        ("NAME", Some("[UNAVAILABLE]".to_owned())),
        ("PROTO", Some("ESMTP".to_owned())),
        ("DESTADDR", Some(address(origin.listener))),
        ("DESTPORT", Some(origin.listener.port().to_string())),
        ("HELO", helo),
    ];
    let mut command = "XCLIENT".to_owned();
    for (name, value) in attributes {
        let Some(value) = value.filter(|_| is_offered(name)) else {
            continue;
        };
        let length = command.len() + " =\r\n".len() + name.len() + value.len();
        if value.len() <= VALUE && length <= COMMAND {
            command = format!("{command} {name}={value}");
        }
    }
    command.push_str("\r\n");
    Some(command.into_bytes())
}

fn address(of: SocketAddr) -> String {
    match of.ip().to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("IPV6:{address}"),
    }
}

/// Visible ASCII as it is, except `+` and `=`; everything else as `+` and two hexadecimal digits.
fn xtext(text: &str) -> String {
    text.bytes()
        .map(|octet| match octet {
            b'!'..=b'~' if octet != b'+' && octet != b'=' => char::from(octet).to_string(),
            _ => format!("+{octet:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepost_core::smtp::command::HeloName;

    const ALL: &str = "NAME ADDR PROTO HELO LOGIN PORT DESTADDR DESTPORT";

    fn said(client: &str, helo: &str, offered: &str) -> Option<String> {
        let origin = ClientOrigin {
            client: client.parse().unwrap(),
            listener: "192.0.2.1:465".parse().unwrap(),
            helo: HeloName::new(helo.as_bytes()),
        };
        let offered: Vec<Box<str>> = offered.split(' ').map(Into::into).collect();
        command(&origin, &offered).map(|command| String::from_utf8(command).unwrap())
    }

    #[test]
    fn all_offered_attributes_are_in_one_command() {
        assert_eq!(
            said("203.0.113.7:51234", "laptop", ALL).unwrap(),
            "XCLIENT ADDR=203.0.113.7 PORT=51234 NAME=[UNAVAILABLE] PROTO=ESMTP \
             DESTADDR=192.0.2.1 DESTPORT=465 HELO=laptop\r\n"
        );
        assert_eq!(
            said("[::ffff:203.0.113.7]:9", "", "ADDR NAME").unwrap(),
            "XCLIENT ADDR=203.0.113.7 NAME=[UNAVAILABLE]\r\n"
        );
    }

    #[test]
    fn ipv6_carries_its_prefix() {
        assert_eq!(
            said("[2001:db8::7]:9", "laptop", "ADDR").unwrap(),
            "XCLIENT ADDR=IPV6:2001:db8::7\r\n"
        );
    }

    #[test]
    fn without_addr_there_is_no_command() {
        assert_eq!(said("203.0.113.7:9", "laptop", "NAME PORT HELO"), None);
        assert_eq!(said("203.0.113.7:9", "laptop", ""), None);
    }

    #[test]
    fn a_malicious_name_stays_one_value() {
        assert_eq!(
            said("203.0.113.7:9", "a LOGIN=root+\r\n", "ADDR HELO").unwrap(),
            "XCLIENT ADDR=203.0.113.7 HELO=a?LOGIN+3Droot+2B??\r\n"
        );
    }

    #[test]
    fn a_name_that_does_not_fit_is_left_out() {
        let longest = |length| said("203.0.113.7:9", &"x".repeat(length), "ADDR HELO").unwrap();
        assert!(longest(255).contains(" HELO="));
        let escaped = |length| said("203.0.113.7:9", &"+".repeat(length), "ADDR HELO").unwrap();
        assert!(escaped(85).contains(" HELO="));
        assert!(!escaped(86).contains(" HELO="));
        let client = "[2001:db8:1111:2222:3333:4444:5555:6666]:51234";
        let command = said(client, &"x".repeat(255), ALL).unwrap();
        assert!(command.len() <= COMMAND && command.contains(" HELO="));
    }
}
