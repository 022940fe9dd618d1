//! ja4 - the label of the program that sent a ClientHello
//!
//! A short text of what the program offers: the same botnet program shows one label from thousands of addresses. Pure: octets in,
//! label out. Strict: a message that is cut, has octets too many, or lists more than anybody's does gets no label, and
//! that changes nothing else. A client that wants another label gets one by another ClientHello: nothing may be decided
//! by it.
//! Not here: reading the octets (`hello`), the label's type (`report::ja4`).
//! FoxIO, "JA4: TLS Client Fingerprinting"; RFC 8446 section 4.1.2; RFC 8701 (GREASE).

#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};

use super::unread::{Unread, numbers};
use crate::report::ja4::Ja4;

/// The most suites, extensions and signature algorithms of a ClientHello that gets a label: sorting them costs a stranger
/// nothing and us something. A program that offers all that OpenSSL knows lists fewer than 200.
const MOST: usize = 256;

const SERVER_NAME: u16 = 0;
const SIGNATURE_ALGORITHMS: u16 = 13;
const ALPN: u16 = 16;
const SUPPORTED_VERSIONS: u16 = 43;

/// In place of the hash of an empty list.
const NOTHING: &str = "000000000000";

/// The octets of a hash that are shown, as twelve digits.
const SHOWN: usize = 6;

/// The label of a ClientHello, whose message this is: without the heads of records, and whole.
pub fn label(message: &[u8]) -> Option<Ja4> {
    let mut offered = OfferedLists::read(message)?;
    let mut text = String::with_capacity(Ja4::OCTETS);
    let name = if offered.has_name { 'd' } else { 'i' };
    let suites = offered.suites.len().min(99);
    let extensions = offered.extensions.len().min(99);
    let [first, last] = ends(offered.protocol);
    let version = version(offered.version);
    write!(
        text,
        "t{version}{name}{suites:02}{extensions:02}{first}{last}_"
    )
    .ok()?;
    offered.suites.sort_unstable();
    put_hash(&mut text, &list(&offered.suites, Vec::new()));
    text.push('_');
    put_hash(&mut text, &offered.shown_extensions());
    Ja4::new(text.as_bytes().try_into().ok()?)
}

/// What the label is made of, without the values of GREASE.
struct OfferedLists<'a> {
    version: u16,
    has_name: bool,
    suites: Vec<u16>,
    extensions: Vec<u16>,
    schemes: Vec<u16>,
    /// The first that ALPN names; empty: none.
    protocol: &'a [u8],
}

impl<'a> OfferedLists<'a> {
    fn read(message: &'a [u8]) -> Option<Self> {
        let mut rest = Unread(message);
        let (1, body) = (rest.number(1)?, rest.counted(3)?) else {
            return None;
        };
        let mut hello = Unread(body);
        let version = u16::try_from(hello.number(2)?).ok()?;
        hello.take(32)?;
        hello.counted(1).filter(|session| session.len() <= 32)?;
        let suites = without_grease(hello.counted(2)?)?;
        hello.counted(1)?;
        let mut offered = Self {
            version,
            has_name: false,
            suites,
            extensions: Vec::new(),
            schemes: Vec::new(),
            protocol: &[],
        };
        // Clients of TLS 1.1 and before may have no extensions.
        if !hello.0.is_empty() {
            offered.add_extensions(hello.counted(2)?)?;
        }
        (rest.0.is_empty() && hello.0.is_empty()).then_some(offered)
    }

    fn add_extensions(&mut self, all: &'a [u8]) -> Option<()> {
        let mut unread = Unread(all);
        while !unread.0.is_empty() {
            let kind = u16::try_from(unread.number(2)?).ok()?;
            let content = unread.counted(2)?;
            if is_grease(kind) {
                continue;
            }
            if self.extensions.len() >= MOST {
                return None;
            }
            self.extensions.push(kind);
            match kind {
                SERVER_NAME => self.has_name = true,
                SIGNATURE_ALGORITHMS => self.schemes = without_grease(whole(content, 2)?)?,
                ALPN => self.protocol = first_protocol(whole(content, 2)?)?,
                SUPPORTED_VERSIONS => {
                    let versions = without_grease(whole(content, 1)?)?;
                    self.version = versions.into_iter().max().unwrap_or_default();
                }
                _ => {}
            }
        }
        Some(())
    }

    /// The sorted extensions that the first part does not have already, and the signature algorithms in their order.
    fn shown_extensions(&mut self) -> Vec<u8> {
        let extensions = &mut self.extensions;
        extensions.retain(|kind| !matches!(*kind, SERVER_NAME | ALPN));
        extensions.sort_unstable();
        let mut shown = list(extensions, Vec::new());
        if !self.schemes.is_empty() {
            shown.push(b'_');
            shown = list(&self.schemes, shown);
        }
        shown
    }
}

/// The list that is all of an extension's content, behind a length of so many octets.
fn whole(content: &[u8], octets: usize) -> Option<&[u8]> {
    let mut unread = Unread(content);
    unread.counted(octets).filter(|_| unread.0.is_empty())
}

/// The first name of a list of protocols, each of which is there.
fn first_protocol(list: &[u8]) -> Option<&[u8]> {
    let mut unread = Unread(list);
    let mut first = None;
    while !unread.0.is_empty() {
        let name = unread.counted(1)?;
        first.get_or_insert(name);
    }
    Some(first.unwrap_or_default())
}

/// The numbers of a list, but for those that only test whether servers pass them over. None: it is no list, or too long.
fn without_grease(list: &[u8]) -> Option<Vec<u16>> {
    if !list.len().is_multiple_of(2) || list.len() / 2 > MOST {
        return None;
    }
    let mut kept = Vec::with_capacity(list.len() / 2);
    kept.extend(numbers(list).filter(|number| !is_grease(*number)));
    Some(kept)
}

/// RFC 8701 section 2: 0x0a0a, 0x1a1a and so on.
const fn is_grease(number: u16) -> bool {
    let [high, low] = number.to_be_bytes();
    high == low && low & 0x0f == 0x0a
}

const fn version(number: u16) -> &'static str {
    match number {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        0xfeff => "d1",
        0xfefd => "d2",
        0xfefc => "d3",
        _ => "00",
    }
}

/// The first and the last character of a protocol's name, or of its hexadecimal form where one of its ends is no letter or digit.
fn ends(protocol: &[u8]) -> [char; 2] {
    let (Some(&first), Some(&last)) = (protocol.first(), protocol.last()) else {
        return ['0', '0'];
    };
    match first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        true => [first, last].map(char::from),
        false => [digit(first >> 4), digit(last)].map(char::from),
    }
}

/// The last hexadecimal digit of a number.
fn digit(number: u8) -> u8 {
    match number & 0x0f {
        small @ 0..10 => b'0' + small,
        large => b'a' + (large - 10),
    }
}

/// Appends the numbers, of four digits each and with commas between.
fn list(numbers: &[u16], mut text: Vec<u8>) -> Vec<u8> {
    text.reserve(numbers.len() * 5);
    for (index, number) in numbers.iter().enumerate() {
        if index > 0 {
            text.push(b',');
        }
        let [high, low] = number.to_be_bytes();
        text.extend([high >> 4, high, low >> 4, low].map(digit));
    }
    text
}

/// Appends the beginning of the hash of a list.
fn put_hash(text: &mut String, list: &[u8]) {
    if list.is_empty() {
        return text.push_str(NOTHING);
    }
    let hash = digest(&SHA256, list);
    for octet in hash.as_ref().iter().take(SHOWN) {
        text.extend([octet >> 4, *octet].map(digit).map(char::from));
    }
}
