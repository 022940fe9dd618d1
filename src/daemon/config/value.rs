//! value - the types of values: numbers, times, addresses, networks, choices
//!
//! Each type states what it expects, so that a fault reads the same at every key.
//! Not here: the keys (`raw`), and the bounds of a value (`bounds`).

use std::fmt;
use std::marker::PhantomData;
use std::net::{IpAddr, SocketAddr};
use std::ops::Deref;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::de::value::MapAccessDeserializer;
use serde::{Deserialize, Deserializer, de};
use toml::Spanned;

use crate::net::listener::TlsStart;
use crate::net::upstream::{Announce, UpstreamAddress};
use crate::report::{Format, Level};
use gatepost_core::gate::request::doors::Door;
use gatepost_core::gate::request::names::Domain;
use gatepost_core::smtp::sasl::Mechanism;

/// An optional key, with its position.
pub(super) type Given<T> = Option<Spanned<T>>;

/// An optional list, with the position of each value.
pub(super) type GivenList<T> = Given<Vec<Spanned<T>>>;

/// A whole number. Its bounds are checked later, by name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number(pub(super) i128);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberVisitor;

        impl de::Visitor<'_> for NumberVisitor {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number without quotes")
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Number, E> {
                Ok(Number(value.into()))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Number, E> {
                Ok(Number(value.into()))
            }
        }

        deserializer.deserialize_i64(NumberVisitor)
    }
}

/// A table with keys of its own. serde alone would also accept a list of their values.
#[derive(Clone, Debug, Default)]
pub(super) struct TomlTable<T>(T);

impl<T> Deref for TomlTable<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for TomlTable<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TableVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> de::Visitor<'de> for TableVisitor<T> {
            type Value = TomlTable<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table with keys of its own")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<TomlTable<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(TomlTable)
            }
        }

        deserializer.deserialize_map(TableVisitor(PhantomData))
    }
}

/// A value in quotes, parsed into `T`.
#[derive(Clone, Debug)]
pub(super) struct Quoted<T>(pub(super) T);

/// A type that is written in quotes.
pub(super) trait FromText: Sized {
    /// What is expected, with an example.
    const EXPECTED: &'static str;

    /// Parses it.
    fn from_text(text: &str) -> Result<Self, Misfit>;
}

/// Why a text cannot be parsed.
pub(super) enum Misfit {
    /// It has the wrong form.
    Form,
    /// It is none of these.
    Choice(Vec<&'static str>),
    /// It is refused for a reason of its own.
    Because(&'static str),
}

impl<'de, T: FromText> Deserialize<'de> for Quoted<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct QuotedVisitor<T>(PhantomData<T>);

        impl<T: FromText> de::Visitor<'_> for QuotedVisitor<T> {
            type Value = Quoted<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(T::EXPECTED)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Quoted<T>, E> {
                T::from_text(text)
                    .map(Quoted)
                    .map_err(|misfit| match misfit {
                        Misfit::Form => E::invalid_value(de::Unexpected::Str(text), &self),
                        Misfit::Choice(names) => E::custom(format_args!(
                            "unknown value `{text}`, expected one of `{}`",
                            names.join("`, `")
                        )),
                        Misfit::Because(reason) => E::custom(format_args!("`{text}` {reason}")),
                    })
            }
        }

        deserializer.deserialize_str(QuotedVisitor(PhantomData))
    }
}

impl FromText for Duration {
    const EXPECTED: &'static str = "a time with its unit, like \"30m\" or \"1h 30m\"";

    fn from_text(text: &str) -> Result<Self, Misfit> {
        humantime::parse_duration(text).map_err(|_| Misfit::Form)
    }
}

impl FromText for SocketAddr {
    const EXPECTED: &'static str = "an address and a port, like \"[::]:465\" or \"192.0.2.1:465\"";

    fn from_text(text: &str) -> Result<Self, Misfit> {
        text.parse().map_err(|_| Misfit::Form)
    }
}

impl FromText for UpstreamAddress {
    const EXPECTED: &'static str =
        "an address and a port, like \"127.0.0.1:10465\", or a socket, like \"unix:/path\"";

    fn from_text(text: &str) -> Result<Self, Misfit> {
        match text.strip_prefix("unix:") {
            Some(path) if path.starts_with('/') => Ok(Self::Unix(PathBuf::from(path))),
            Some(_) => Err(Misfit::Form),
            None => text.parse().map(Self::Tcp).map_err(|_| Misfit::Form),
        }
    }
}

impl FromText for IpNet {
    const EXPECTED: &'static str =
        "a network or an address, like \"192.0.2.0/24\", \"2001:db8::/48\" or \"192.0.2.1\"";

    fn from_text(text: &str) -> Result<Self, Misfit> {
        text.parse()
            .or_else(|_| text.parse().map(|address: IpAddr| address.into()))
            .map_err(|_| Misfit::Form)
    }
}

impl FromText for TlsStart {
    const EXPECTED: &'static str = "\"implicit\" or \"starttls\"";

    fn from_text(text: &str) -> Result<Self, Misfit> {
        choose(
            text,
            &[("implicit", Self::Implicit), ("starttls", Self::StartTls)],
        )
    }
}

impl FromText for Announce {
    const EXPECTED: &'static str = "\"proxy-v2\", \"proxy-v1\", \"xclient\" or \"none\"";

    fn from_text(text: &str) -> Result<Self, Misfit> {
        choose(
            text,
            &[
                ("proxy-v2", Self::ProxyV2),
                ("proxy-v1", Self::ProxyV1),
                ("xclient", Self::Xclient),
                ("none", Self::Nothing),
            ],
        )
    }
}

impl FromText for Domain {
    const EXPECTED: &'static str = "\"keep\" or \"strip\"";

    fn from_text(text: &str) -> Result<Self, Misfit> {
        choose(text, &[("keep", Self::Keep), ("strip", Self::Strip)])
    }
}

impl FromText for Format {
    const EXPECTED: &'static str = "\"text\" or \"json\"";

    fn from_text(text: &str) -> Result<Self, Misfit> {
        choose(text, &[("text", Self::Text), ("json", Self::Json)])
    }
}

impl FromText for Level {
    const EXPECTED: &'static str = "\"error\", \"warn\", \"info\", \"debug\" or \"trace\"";

    fn from_text(text: &str) -> Result<Self, Misfit> {
        choose(
            text,
            &[
                ("error", Self::Error),
                ("warn", Self::Warn),
                ("info", Self::Info),
                ("debug", Self::Debug),
                ("trace", Self::Trace),
            ],
        )
    }
}

impl FromText for Mechanism {
    const EXPECTED: &'static str = "the name of a SASL mechanism, like \"PLAIN\"";

    fn from_text(text: &str) -> Result<Self, Misfit> {
        let name = text.to_ascii_uppercase();
        if name.ends_with("-PLUS") {
            return Err(Misfit::Because(
                "binds the login to the TLS connection, which ends at Gatepost: it can never work",
            ));
        }
        if name == "EXTERNAL" {
            return Err(Misfit::Because(
                "logs in by a TLS certificate, which ends at Gatepost: it can never work",
            ));
        }
        text.parse()
            .map_err(|_| Misfit::Choice(Self::ALL.map(Self::as_str).to_vec()))
    }
}

/// A door, by the name that the log gives it. Two doors of ours have the name `smtp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DoorName(pub(super) &'static str);

impl FromText for DoorName {
    const EXPECTED: &'static str = "a door, like \"smtp\" or \"imap\"";

    fn from_text(text: &str) -> Result<Self, Misfit> {
        let mut names: Vec<&'static str> = Door::ALL.map(Door::as_str).to_vec();
        names.dedup();
        let found = names.iter().find(|name| **name == text);
        found.map(|name| Self(name)).ok_or(Misfit::Choice(names))
    }
}

fn choose<T: Copy>(text: &str, choices: &[(&'static str, T)]) -> Result<T, Misfit> {
    choices
        .iter()
        .find(|(name, _)| *name == text)
        .map(|(_, choice)| *choice)
        .ok_or_else(|| Misfit::Choice(choices.iter().map(|(name, _)| *name).collect()))
}
