//! metrics - the state as Prometheus reads it
//!
//! [`render`] makes a page of the snapshot that `gatepost status --json` shows, and of the histograms, at each
//! scrape anew. Nothing that a client chooses is a label: no address, no user's name.
//! Names, units and types by <https://prometheus.io/docs/practices/naming/> and OpenMetrics 1.0. They are public API.
//! Not here: the format of before OpenMetrics (`old_format`), lists of clients and users.

use std::collections::BTreeMap;
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::admin::message::{CertificateMessage, ClusterMessage, LenderMessage, StatusMessage};
use crate::report::durations::Durations;

mod exposition;
mod families;
mod old_format;

pub use exposition::Exposition;

use families::MetricsPage;

/// The state, and the histograms, of one moment.
#[derive(Debug)]
struct MetricsSnapshot {
    status: StatusMessage,
    handshake: Histogram,
    login: Histogram,
    check: Histogram,
}

/// The page, in this format.
pub fn render(status: StatusMessage, durations: &Durations, format: Exposition) -> String {
    let snapshot = MetricsSnapshot {
        status,
        handshake: durations.handshake.histogram().clone(),
        login: durations.login.histogram().clone(),
        check: durations.check.histogram().clone(),
    };
    let mut registry = Registry::default();
    registry.register_collector(Box::new(snapshot));
    let mut page = String::new();
    // A string takes everything that is written to it.
    let _ = text::encode(&mut page, &registry);
    match format {
        Exposition::OpenMetrics => page,
        Exposition::Text => old_format::of_open_metrics(&page),
    }
}

impl Collector for MetricsSnapshot {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = MetricsPage::new(encoder);
        let status = &self.status;
        whole(&mut page, status)?;
        backend(&mut page, status)?;
        attempts(&mut page, status)?;
        connections(&mut page, status)?;
        bounds(&mut page, status)?;
        stock(&mut page, status)?;
        process(&mut page, status)?;
        page.histogram(
            "gatepost_handshake_seconds",
            "TLS handshakes that succeeded, from the client's first octet",
            &self.handshake,
        )?;
        page.histogram(
            "gatepost_login_seconds",
            "Logins that Postfix accepted, from the credentials to the answer, with the queue",
            &self.login,
        )?;
        page.histogram(
            "gatepost_check_seconds",
            "Postfix's answers to a password, right or wrong, from when it was sent",
            &self.check,
        )
    }
}

/// What it is, and whether all is well.
fn whole(page: &mut MetricsPage<'_>, status: &StatusMessage) -> fmt::Result {
    page.family("gatepost_build", "The version", MetricType::Info)?
        .encode_info(&[("version", status.version.as_str())])?;
    page.flag(
        "gatepost_logins_work",
        "Whether logins can work: a backend can be used, and rejects no trusted users",
        status.logins_work,
    )?;
    page.flag(
        "gatepost_enforcing",
        "Whether all refusals are meant: neither a dry run nor settling in",
        status.mode == "enforce",
    )?;
    page.flag(
        "gatepost_state_kept",
        "Whether the disk takes the state",
        status.state_not_kept.is_none(),
    )?;
    page.flag(
        "gatepost_history_kept",
        "Whether the disk takes the history; 1 where none is kept",
        status.history_not_kept.is_none(),
    )?;
    page.flag(
        "gatepost_cluster_in_force",
        "Whether this machine may spend all that [cluster] gives it of the shared buckets: its part, and what the store lends; 1 without one",
        status.cluster.as_ref().is_none_or(is_in_force),
    )?;
    page.flag(
        "gatepost_cluster_shares",
        "Whether this machine tells the others of [cluster] what it knows, and is told; 1 without a secret-file",
        status.cluster.as_ref().is_none_or(shares),
    )?;
    page.gauges(
        "gatepost_certificate_not_after_timestamp_seconds",
        "When a certificate in use expires, since the Unix epoch; by its first name",
        "name",
        not_after(&status.certificates),
    )
}

/// A machine that is not on the list owns nothing.
fn is_in_force(cluster: &ClusterMessage) -> bool {
    let lends = |store: &LenderMessage| store.state == "lends";
    let owns = cluster.in_force.starts_with("its-part");
    cluster.store.as_ref().is_none_or(lends) && (owns || !cluster.machines.contains(&cluster.name))
}

fn shares(cluster: &ClusterMessage) -> bool {
    cluster
        .sharing
        .as_ref()
        .is_none_or(|sharing| sharing.state == "shares" && sharing.other_secret.is_empty())
}

/// Two certificates may have one name, an RSA and an ECDSA key: the one that expires first counts.
fn not_after(certificates: &[CertificateMessage]) -> BTreeMap<&str, f64> {
    let mut first = BTreeMap::new();
    for one in certificates {
        let name = one.names.first().map_or("", String::as_str);
        let expires = seconds(&one.expires);
        let earliest = first.entry(name).or_insert(expires);
        *earliest = expires.min(*earliest);
    }
    first
}

fn backend(page: &mut MetricsPage<'_>, status: &StatusMessage) -> fmt::Result {
    let backends = status.upstream.iter();
    page.gauges(
        "gatepost_backend_usable",
        "Whether a Postfix can be used; one that was not asked yet cannot",
        "upstream",
        backends.map(|one| (&one.address, f64::from(u8::from(one.state == "usable")))),
    )?;
    page.flag(
        "gatepost_backend_outage",
        "Whether the backend is suspected to reject right passwords",
        status.backend_outage,
    )?;
    page.gauges(
        "gatepost_backend_processes",
        "Processes of Postfix by what they are used for; `waiting`: who waits for one",
        "use",
        numbers(&status.processes),
    )
}

fn attempts(page: &mut MetricsPage<'_>, status: &StatusMessage) -> fmt::Result {
    let mut family = page.family(
        "gatepost_attempts",
        "Login attempts by how they ended and on what grounds",
        MetricType::Counter,
    )?;
    for (verdict, reasons) in &status.attempts {
        for (reason, count) in reasons {
            let labels = [("verdict", verdict.as_str()), ("reason", reason.as_str())];
            ConstCounter::new(*count).encode(family.encode_family(&labels)?)?;
        }
    }
    let mut family = page.family(
        "gatepost_door_attempts",
        "What was told at each door: Gatepost's own, and those that ask for their attempts",
        MetricType::Counter,
    )?;
    for (door, told) in &status.doors {
        for (outcome, count) in told {
            let labels = [("door", door.as_str()), ("outcome", outcome.as_str())];
            ConstCounter::new(*count).encode(family.encode_family(&labels)?)?;
        }
    }
    familiar_refused(page, status)?;
    page.counters(
        "gatepost_would_refuse",
        "Attempts let through only because of a dry run or settling in, by the reason that would have refused",
        "reason",
        &status.would_refuse,
    )?;
    page.counter(
        "gatepost_unjudged",
        "AUTH commands refused without judging, behind a refusal in the same session",
        count(status, "unjudged"),
    )?;
    page.counter(
        "gatepost_decoys_opened",
        "Right passwords for mailboxes that nobody has; must stay 0",
        count(status, "decoys-opened"),
    )?;
    page.counter(
        "gatepost_stolen_suspected",
        "Passwords that began to look stolen; must stay 0",
        count(status, "stolen-suspected"),
    )
}

fn familiar_refused(page: &mut MetricsPage<'_>, status: &StatusMessage) -> fmt::Result {
    // All reasons are there from the first scrape on, so that the first refusal is an increase.
    let reasons = status.refused.keys();
    let mut known: BTreeMap<String, u64> = reasons.map(|reason| (reason.clone(), 0)).collect();
    known.extend(status.familiar_refused.clone());
    page.counters(
        "gatepost_familiar_refused",
        "Attempts of users from a network where they have logged in that were refused, by reason; must stay 0",
        "reason",
        &known,
    )
}

fn connections(page: &mut MetricsPage<'_>, status: &StatusMessage) -> fmt::Result {
    page.counter(
        "gatepost_connections",
        "Connections admitted",
        count(status, "sessions"),
    )?;
    page.counters(
        "gatepost_refused_connections",
        "Connections turned away before TLS, by reason",
        "reason",
        &status.turned_away,
    )?;
    page.counters(
        "gatepost_failed_handshakes",
        "TLS handshakes that failed, by cause",
        "cause",
        &status.handshakes_failed,
    )?;
    let before_login = status.sessions.saturating_sub(status.logged_in);
    let stages = [
        ("before-login", before_login),
        ("logged-in", status.logged_in),
    ];
    page.gauges(
        "gatepost_sessions",
        "Open sessions, by stage",
        "stage",
        stages.map(|(stage, sessions)| (stage, sessions as f64)),
    )?;
    let octets = BTreeMap::from([
        ("in".to_owned(), count(status, "octets-in")),
        ("out".to_owned(), count(status, "octets-out")),
    ]);
    page.counters(
        "gatepost_relayed_bytes",
        "Octets passed on after logins, from clients (in) and to clients (out)",
        "direction",
        &octets,
    )
}

/// The bound, what is left of it, and what of it every limit has used.
fn bounds(page: &mut MetricsPage<'_>, status: &StatusMessage) -> fmt::Result {
    page.gauge(
        "gatepost_bound_guesses_per_day",
        "The guesses by strangers that can reach Postfix in a day",
        status.bound_per_day as f64,
    )?;
    let left: u64 = status.buckets.iter().map(|one| u64::from(one.tokens)).sum();
    page.gauge(
        "gatepost_bound_guesses_left",
        "The guesses by strangers that could reach Postfix now: the tokens of all shared buckets",
        left as f64,
    )?;
    let buckets = || status.buckets.iter();
    page.gauges(
        "gatepost_bucket_tokens",
        "The tokens that a shared bucket holds",
        "bucket",
        buckets().map(|one| (&one.name, f64::from(one.tokens))),
    )?;
    page.gauges(
        "gatepost_bucket_burst",
        "The tokens that a shared bucket can hold",
        "bucket",
        buckets().map(|one| (&one.name, f64::from(one.burst))),
    )?;
    page.gauges(
        "gatepost_bans",
        "Bans in force, by reason",
        "reason",
        numbers(&status.bans_by_reason),
    )?;
    page.counters(
        "gatepost_limit_acted",
        "How often each bound acted",
        "limit",
        &status.limits,
    )
}

fn stock(page: &mut MetricsPage<'_>, status: &StatusMessage) -> fmt::Result {
    page.gauge(
        "gatepost_known_users",
        "Users that are known here",
        status.known_users as f64,
    )?;
    page.gauge(
        "gatepost_familiar_pairs",
        "Pairs of a user and a network where that user has logged in lately",
        status.familiar_pairs as f64,
    )?;
    let tables = || status.tables.iter();
    page.gauges(
        "gatepost_table_entries",
        "Rows of a table in use",
        "table",
        tables().map(|(name, fill)| (name, fill.used as f64)),
    )?;
    page.gauges(
        "gatepost_table_capacity",
        "Rows of a table",
        "table",
        tables().map(|(name, fill)| (name, fill.capacity as f64)),
    )?;
    let evicted = tables().map(|(name, fill)| (name.clone(), fill.evicted));
    page.counters(
        "gatepost_evictions",
        "Rows of a table forgotten early to make room",
        "table",
        &evicted.collect(),
    )
}

/// By the names that every client library of Prometheus has.
fn process(page: &mut MetricsPage<'_>, status: &StatusMessage) -> fmt::Result {
    let process = &status.process;
    page.family("process_cpu_seconds", "Processor time", MetricType::Counter)
        .and_then(|family| ConstCounter::new(process.cpu_s).encode(family))?;
    for (name, help, value) in [
        (
            "process_start_time_seconds",
            "When the process was started, since the Unix epoch",
            seconds(&status.started),
        ),
        (
            "process_resident_memory_bytes",
            "Memory that is in use",
            process.resident_octets as f64,
        ),
        (
            "process_virtual_memory_bytes",
            "Addresses that are in use",
            process.virtual_octets as f64,
        ),
        ("process_open_fds", "Open files", process.open_files as f64),
        (
            "process_max_fds",
            "How many open files there may be",
            process.open_files_limit as f64,
        ),
    ] {
        page.gauge(name, help, value)?;
    }
    Ok(())
}

fn numbers(counts: &BTreeMap<String, u64>) -> impl Iterator<Item = (&String, f64)> {
    counts.iter().map(|(name, count)| (name, *count as f64))
}

fn count(status: &StatusMessage, name: &str) -> u64 {
    status.counters.get(name).copied().unwrap_or_default()
}

/// A time of the snapshot, RFC 3339, as seconds since the Unix epoch.
fn seconds(time: &str) -> f64 {
    let time: Result<jiff::Timestamp, _> = time.parse();
    time.map_or(0.0, |time| time.as_second() as f64)
}

#[cfg(test)]
mod tests;
