//! row - what one row of a database says, in the words of those who publish them
//!
//! MaxMind and DB-IP write `country: {iso_code}` and `autonomous_system_number`, IPinfo `country_code` and `asn: "AS64500"`,
//! others a `country_code` alone. A value of another type than expected says nothing, and refuses no row: names are
//! whatever somebody registered. Not here: the file (`database`).

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use gatepost_core::gate::request::place::Country;

/// Characters of a system's name that are shown.
const SHOWN: usize = 40;

/// Who announces an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutonomousSystem {
    /// Its number.
    pub number: u32,
    /// Its name, shortened, in printable ASCII; empty: none.
    pub name: Box<str>,
}

/// `AS3320 Deutsche Telekom AG`.
impl fmt::Display for AutonomousSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.is_empty() {
            true => write!(f, "AS{}", self.number),
            false => write!(f, "AS{} {}", self.number, self.name),
        }
    }
}

/// A text of others: printable ASCII, at most 40 characters, safe in a log line, a terminal and JSON.
pub(super) fn shown(text: &str) -> Box<str> {
    let harmless = |letter: char| match letter {
        '"' => '\'',
        '\\' => '/',
        ' '..='~' => letter,
        _ => '?',
    };
    let mut shown: String = text.chars().take(SHOWN).map(harmless).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push_str("...");
    }
    shown.into()
}

/// What a database says of an address.
#[derive(Debug, Default)]
pub(super) struct FoundPlace {
    pub(super) country: Option<Country>,
    pub(super) system: Option<AutonomousSystem>,
}

/// What a row says, as it stands there.
#[derive(Debug, Default)]
pub(super) struct Row<'a> {
    nested: Option<&'a str>,
    code: Option<&'a str>,
    pub(super) number: Option<u32>,
    name: Option<&'a str>,
}

impl Row<'_> {
    pub(super) fn country(&self) -> Option<Country> {
        let nested = self.nested.and_then(Country::new);
        nested.or_else(|| self.code.and_then(Country::new))
    }

    pub(super) fn place(self) -> FoundPlace {
        FoundPlace {
            country: self.country(),
            system: self.number.map(|number| AutonomousSystem {
                number,
                name: shown(self.name.unwrap_or_default()),
            }),
        }
    }
}

impl<'de> Deserialize<'de> for Row<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RowVisitor)
    }
}

struct RowVisitor;

impl<'de> Visitor<'de> for RowVisitor {
    type Value = Row<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row<'de>, A::Error> {
        let mut row = Row::default();
        while let Some(key) = map.next_key::<&str>()? {
            match key {
                "country" | "country_code" | "iso_code" | "countryCode" => {
                    match map.next_value::<Scalar<'de>>()? {
                        Scalar::Nested(code) => row.nested = code,
                        Scalar::Text(code) if row.code.is_none_or(|code| code.len() != 2) => {
                            row.code = Some(code);
                        }
                        _ => {}
                    }
                }
                "autonomous_system_number" | "asn" | "as_number" => {
                    row.number = map.next_value::<Scalar<'de>>()?.number().or(row.number);
                }
                "autonomous_system_organization"
                | "as_name"
                | "as_organization"
                | "organization" => {
                    if let Scalar::Text(name) = map.next_value()? {
                        row.name = Some(name);
                    }
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(row)
    }
}

/// A value, as far as it can say anything.
enum Scalar<'a> {
    Text(&'a str),
    Number(u64),
    /// A map, and the `iso_code` in it.
    Nested(Option<&'a str>),
    Other,
}

impl Scalar<'_> {
    /// A number, or `AS` and a number.
    fn number(&self) -> Option<u32> {
        match self {
            Scalar::Number(number) => u32::try_from(*number).ok(),
            Scalar::Text(text) => text.trim_start_matches("AS").parse().ok(),
            Scalar::Nested(_) | Scalar::Other => None,
        }
    }
}

impl<'de> Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(text))
    }

    fn visit_str<E>(self, _: &str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Other)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Number(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Scalar<'de>, E> {
        Ok(u64::try_from(number).map_or(Scalar::Other, Scalar::Number))
    }

    fn visit_u128<E>(self, _: u128) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Other)
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar<'de>, A::Error> {
        let mut code = None;
        while let Some(key) = map.next_key::<&str>()? {
            match key {
                "iso_code" => {
                    if let Scalar::Text(text) = map.next_value()? {
                        code = Some(text);
                    }
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Scalar::Nested(code))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Scalar<'de>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }
}
