//! raw - the keys of the config file, unchecked
//!
//! Every key is optional here, and keeps its position in the file for the carets. Defaults and
//! bounds are elsewhere (`sections`, `rules`), and these types are not used outside of `config`.

use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;
use toml::Spanned;

use super::buckets::RawBucket;
use super::limits::RawLimits;
use super::value::{DoorName, Given, GivenList, Number, Quoted, TomlTable};
use crate::net::listener::TlsStart;
use crate::net::upstream::{Announce, UpstreamAddress};
use crate::report::{Format, Level};
use gatepost_core::gate::request::names::Domain;
use gatepost_core::gate::request::place::Country;
use gatepost_core::smtp::sasl::Mechanism;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawFile {
    pub(super) hostname: Given<String>,
    pub(super) dry_run: bool,
    pub(super) settling: Given<Quoted<Duration>>,
    pub(super) mechanisms: GivenList<Quoted<Mechanism>>,
    pub(super) users: Given<String>,
    pub(super) listen: Option<Vec<Spanned<TomlTable<RawListen>>>>,
    pub(super) tls: TomlTable<RawTls>,
    pub(super) upstream: TomlTable<RawUpstream>,
    pub(super) limits: TomlTable<RawLimits>,
    pub(super) admission: TomlTable<RawAdmission>,
    pub(super) timeouts: TomlTable<RawTimeouts>,
    pub(super) bans: TomlTable<RawBans>,
    pub(super) traps: TomlTable<RawTraps>,
    pub(super) names: TomlTable<RawNames>,
    pub(super) networks: TomlTable<RawNetworks>,
    pub(super) places: TomlTable<RawPlaces>,
    pub(super) user: Option<Vec<Spanned<TomlTable<RawUser>>>>,
    pub(super) stolen: TomlTable<RawStolen>,
    pub(super) capacity: TomlTable<RawCapacity>,
    pub(super) auth_policy: TomlTable<RawAuthPolicy>,
    pub(super) cluster: TomlTable<RawCluster>,
    pub(super) crowdsec: TomlTable<RawCrowdsec>,
    pub(super) state: TomlTable<RawState>,
    pub(super) history: TomlTable<RawHistory>,
    pub(super) notices: TomlTable<RawNotices>,
    pub(super) passwords: TomlTable<RawPasswords>,
    pub(super) admin: TomlTable<RawAdmin>,
    pub(super) http: TomlTable<RawHttp>,
    pub(super) log: TomlTable<RawLog>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawListen {
    pub(super) address: Given<Quoted<SocketAddr>>,
    pub(super) tls: Given<Quoted<TlsStart>>,
    pub(super) proxy_protocol_from: Vec<Spanned<Quoted<IpNet>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawTls {
    pub(super) certificate: Vec<Spanned<TomlTable<RawCertificate>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawCertificate {
    pub(super) chain: Given<String>,
    pub(super) key: Given<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawUpstream {
    pub(super) addresses: GivenList<Quoted<UpstreamAddress>>,
    pub(super) announce: Given<Quoted<Announce>>,
    pub(super) strangers_at_once: Given<Number>,
    pub(super) processes: Given<Number>,
    pub(super) at_once: Given<Number>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawAdmission {
    pub(super) sessions: Given<Number>,
    pub(super) per_client: Given<Number>,
    pub(super) per_network: Given<Number>,
    pub(super) per_user: Given<Number>,
    pub(super) connects: TomlTable<RawBucket>,
    pub(super) familiar_connects: TomlTable<RawBucket>,
    pub(super) handshakes: Given<Number>,
    pub(super) filter: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawTimeouts {
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
pub(super) struct RawBans {
    pub(super) strikes: Given<Number>,
    pub(super) first: Given<Quoted<Duration>>,
    pub(super) longest: Given<Quoted<Duration>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawTraps {
    pub(super) users: GivenList<String>,
    pub(super) helo: GivenList<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawNames {
    pub(super) domain: Given<Quoted<Domain>>,
    pub(super) default_realm: Given<String>,
    pub(super) translate: Given<String>,
    pub(super) master_separator: Given<String>,
    pub(super) subaddress: Given<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawNetworks {
    pub(super) allow: Vec<Spanned<Quoted<IpNet>>>,
    pub(super) deny: Vec<Spanned<Quoted<IpNet>>>,
    pub(super) deny_files: Vec<Spanned<String>>,
    pub(super) only: Vec<Spanned<Quoted<IpNet>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawPlaces {
    pub(super) database: GivenList<String>,
    pub(super) only: GivenList<Quoted<Country>>,
    pub(super) deny: GivenList<Quoted<Country>>,
    pub(super) refuse_at_home: bool,
    pub(super) near_by_system: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawUser {
    pub(super) name: Given<String>,
    pub(super) networks: Vec<Spanned<Quoted<IpNet>>>,
    pub(super) countries: GivenList<Quoted<Country>>,
    pub(super) doors: GivenList<Quoted<DoorName>>,
    pub(super) not_doors: GivenList<Quoted<DoorName>>,
    pub(super) sessions: Given<Number>,
    pub(super) decoy: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawStolen {
    pub(super) hold: bool,
    pub(super) countries: Given<Number>,
    pub(super) systems: Given<Number>,
    pub(super) networks: Given<Number>,
    pub(super) guesses: Given<Number>,
    pub(super) except: GivenList<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawCapacity {
    pub(super) clients: Given<Number>,
    pub(super) pairs: Given<Number>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawAuthPolicy {
    pub(super) listen: Given<String>,
    pub(super) secret: Given<String>,
    pub(super) nonce: Given<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawCluster {
    pub(super) machines: GivenList<String>,
    pub(super) name: Given<String>,
    pub(super) store: Given<String>,
    pub(super) password_file: Given<String>,
    pub(super) ca: Given<String>,
    pub(super) secret_file: Given<String>,
    pub(super) listen: Given<String>,
    pub(super) peers: GivenList<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawCrowdsec {
    pub(super) url: Given<String>,
    pub(super) key_file: Given<String>,
    pub(super) machine_file: Given<String>,
    pub(super) ca: Given<String>,
    pub(super) every: Given<Quoted<Duration>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawState {
    pub(super) directory: Given<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawHistory {
    pub(super) keep: Given<Quoted<Duration>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawNotices {
    pub(super) command: GivenList<String>,
    pub(super) webhook: Given<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawPasswords {
    pub(super) list: Given<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawAdmin {
    pub(super) socket: Given<String>,
    pub(super) group: Given<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawHttp {
    pub(super) listen: Given<String>,
    pub(super) group: Given<String>,
    pub(super) hosts: GivenList<String>,
    pub(super) actions: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawLog {
    pub(super) format: Given<Quoted<Format>>,
    pub(super) level: Given<Quoted<Level>>,
}
