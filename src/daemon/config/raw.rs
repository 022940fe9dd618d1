//! raw - the keys of the config file, as they stand there
//!
//! Every key is optional here, and keeps its place in the file for the carets. No default and no
//! bound is known here (`rooms`, `rules`), and nothing outside `config` sees these types.

use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;
use toml::Spanned;

use super::limits::Limits;
use super::value::{Number, Quoted, Table};
use crate::net::listener::TlsStart;
use crate::net::upstream::{Address, Announce};
use crate::report::{Format, Level};
use gatepost_core::smtp::sasl::Mechanism;

/// A key that may be given, and where.
pub(super) type Given<T> = Option<Spanned<T>>;

/// A list that may be given, and where each of its values stands.
pub(super) type GivenList<T> = Given<Vec<Spanned<T>>>;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct File {
    pub(super) hostname: Given<String>,
    pub(super) dry_run: bool,
    pub(super) settling: Given<Quoted<Duration>>,
    pub(super) mechanisms: GivenList<Quoted<Mechanism>>,
    pub(super) users: Given<String>,
    pub(super) listen: Option<Vec<Spanned<Table<Listen>>>>,
    pub(super) tls: Table<Tls>,
    pub(super) upstream: Table<Upstream>,
    pub(super) limits: Table<Limits>,
    pub(super) admission: Table<Admission>,
    pub(super) timeouts: Table<Timeouts>,
    pub(super) bans: Table<Bans>,
    pub(super) traps: Table<Traps>,
    pub(super) networks: Table<Networks>,
    pub(super) capacity: Table<Capacity>,
    pub(super) state: Table<State>,
    pub(super) admin: Table<Admin>,
    pub(super) log: Table<Log>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Listen {
    pub(super) address: Given<Quoted<SocketAddr>>,
    pub(super) tls: Given<Quoted<TlsStart>>,
    pub(super) proxy_protocol_from: Vec<Spanned<Quoted<IpNet>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Tls {
    pub(super) certificate: Vec<Spanned<Table<Certificate>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Certificate {
    pub(super) chain: Given<String>,
    pub(super) key: Given<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Upstream {
    pub(super) addresses: GivenList<Quoted<Address>>,
    pub(super) announce: Given<Quoted<Announce>>,
    pub(super) strangers_at_once: Given<Number>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Bucket {
    pub(super) burst: Given<Number>,
    pub(super) every: Given<Quoted<Duration>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct GrowingBucket {
    pub(super) burst: Given<Number>,
    pub(super) every: Given<Quoted<Duration>>,
    pub(super) daily_per_user: Given<Number>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Admission {
    pub(super) sessions: Given<Number>,
    pub(super) per_client: Given<Number>,
    pub(super) per_network: Given<Number>,
    pub(super) connects: Table<Bucket>,
    pub(super) handshakes: Given<Number>,
    pub(super) filter: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Timeouts {
    pub(super) handshake: Given<Quoted<Duration>>,
    pub(super) line: Given<Quoted<Duration>>,
    pub(super) login: Given<Quoted<Duration>>,
    pub(super) turn: Given<Quoted<Duration>>,
    pub(super) failure_delay: Given<Quoted<Duration>>,
    pub(super) idle: Given<Quoted<Duration>>,
    pub(super) drain: Given<Quoted<Duration>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Bans {
    pub(super) strikes: Given<Number>,
    pub(super) first: Given<Quoted<Duration>>,
    pub(super) longest: Given<Quoted<Duration>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Traps {
    pub(super) users: GivenList<String>,
    pub(super) helo: GivenList<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Networks {
    pub(super) allow: Vec<Spanned<Quoted<IpNet>>>,
    pub(super) deny: Vec<Spanned<Quoted<IpNet>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Capacity {
    pub(super) clients: Given<Number>,
    pub(super) pairs: Given<Number>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct State {
    pub(super) directory: Given<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Admin {
    pub(super) socket: Given<String>,
    pub(super) group: Given<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Log {
    pub(super) format: Given<Quoted<Format>>,
    pub(super) level: Given<Quoted<Level>>,
}
