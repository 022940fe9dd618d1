//! rows - the scenarios by name, and the rows of the table that come of each
//!
//! The goals stand here, beside what they are measured by.
//! Not here: how a scenario is played (`scenario`), what was measured (`results`).

use crate::peer::PeerKind;

/// One scenario, by its name on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum BenchScenario {
    /// Banned clients connect.
    Refused,
    /// Handshake, banner, QUIT; in full and resumed.
    Handshake,
    /// Honest sessions with a mail of 4 KB.
    Honest,
    /// Mails of 25 MB.
    Bulk,
    /// A guess that the gate refuses in an open session.
    Guess,
    /// 1,000 guesses from 200 addresses.
    Attack,
    /// The same, with bcrypt.
    AttackBcrypt,
    /// Sessions that do nothing, before and after the login.
    Idle,
    /// 150 idle strangers, and then honest clients.
    Strangers,
    /// Honest logins under 150 attackers.
    Logins,
    /// The same, with more and more attackers: a plot.
    Growing,
    /// Familiar clients' handshakes beside strangers' stalled ones, and beside their whole ones.
    Stalled,
    /// Honest logins beside strangers that connect as fast as they can.
    Flood,
    /// 300 familiar devices log in at once.
    Herd,
    /// An attack with history, metrics, page and notices off, and on.
    Watched,
    /// A million addresses known to the gate.
    Known,
    /// From the start to the first accept.
    Start,
    /// Up to 100,000 sessions.
    Crowd,
    /// IMAP logins at a Dovecot that asks Gatepost, one that asks a server which always allows, and one that asks nobody.
    Doors,
    /// Honest sessions at one of several machines, whose store is near, far and dead, and at one that is linked with others.
    Cluster,
}

impl BenchScenario {
    /// In the order they are played. The gate alone comes first: it is measured in this process, before others
    /// have left memory behind.
    pub(crate) const ALL: [Self; 20] = [
        Self::Known,
        Self::Refused,
        Self::Handshake,
        Self::Honest,
        Self::Bulk,
        Self::Guess,
        Self::Attack,
        Self::AttackBcrypt,
        Self::Idle,
        Self::Strangers,
        Self::Logins,
        Self::Growing,
        Self::Stalled,
        Self::Flood,
        Self::Herd,
        Self::Watched,
        Self::Doors,
        Self::Cluster,
        Self::Start,
        Self::Crowd,
    ];

    /// On the command line.
    pub(crate) fn name(self) -> String {
        let value = clap::ValueEnum::to_possible_value(&self);
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// What a figure of ours is to reach.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    /// At most this part of a peer's figure.
    Of(PeerKind, f64),
    /// At most this, in the row's unit.
    AtMost(f64),
    /// At least this.
    AtLeast(f64),
    /// Below every peer's.
    BelowAll,
    /// At most this part of a peer's figure in another row.
    OfKey(&'static str, PeerKind, f64),
    /// Shown beside the others.
    None,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FigureRow {
    /// What figures are filed under.
    pub(crate) key: &'static str,
    /// Whose it is.
    pub(crate) scenario: BenchScenario,
    /// In the table.
    pub(crate) title: &'static str,
    /// Of the figures.
    pub(crate) unit: &'static str,
    /// What Gatepost's figure should reach.
    pub(crate) goal: Goal,
}

/// All rows, in the order of the report.
#[rustfmt::skip]
pub(crate) const ROWS: &[FigureRow] = &[
    row("refused", BenchScenario::Refused, "a banned connection, CPU", "µs", Goal::Of(PeerKind::HaProxy, 0.9)),
    row("dropped", BenchScenario::Refused,
        "the same, by the listener filter", "µs", Goal::OfKey("refused", PeerKind::HaProxy, 0.1)),
    row("refused-both", BenchScenario::Refused, "a banned connection, both ends together", "µs", Goal::None),
    row("dropped-both", BenchScenario::Refused, "the same, by the listener filter", "µs", Goal::None),
    row("full", BenchScenario::Handshake, "handshake, banner, QUIT: proxy", "µs", Goal::Of(PeerKind::HaProxy, 0.4)),
    row("full-behind", BenchScenario::Handshake, "the same, behind the proxy", "µs", Goal::AtMost(5.0)),
    row("resumed", BenchScenario::Handshake, "the same, resumed: proxy", "µs", Goal::Of(PeerKind::HaProxy, 0.38)),
    row("resumed-share", BenchScenario::Handshake, "of these, really resumed", "%", Goal::None),
    row("mail", BenchScenario::Honest, "honest session, 4 KB mail: proxy", "µs", Goal::Of(PeerKind::HaProxy, 0.7)),
    row("mail-stack", BenchScenario::Honest, "the same, whole stack", "µs", Goal::Of(PeerKind::Native, 0.85)),
    row("mail-p50", BenchScenario::Honest, "the same, p50 with 8 at once", "ms", Goal::BelowAll),
    row("bulk", BenchScenario::Bulk, "25 MB mail, proxy, each MB", "µs", Goal::Of(PeerKind::HaProxy, 0.7)),
    row("guess", BenchScenario::Guess, "a guess refused in an open session", "µs", Goal::AtMost(60.0)),
    row("attack", BenchScenario::Attack, "1,000 guesses, whole stack, SHA256", "ms", Goal::Of(PeerKind::HaProxy, 0.5)),
    row("attack-checked", BenchScenario::Attack, "of them checked by Dovecot", "", Goal::None),
    row("attack-sessions", BenchScenario::Attack, "sessions they took", "", Goal::None),
    row("attack-again", BenchScenario::Attack,
        "the same once more: Postfix's processes wait for it", "ms", Goal::Of(PeerKind::HaProxy, 0.5)),
    row("attack-again-proxy", BenchScenario::Attack, "of that the proxy", "ms", Goal::None),
    row("attack-again-checked", BenchScenario::Attack, "of them checked by Dovecot", "", Goal::None),
    row("attack-lost", BenchScenario::Attack, "guesses without an answer, of both", "", Goal::None),
    row("bcrypt", BenchScenario::AttackBcrypt, "1,000 guesses, whole stack, bcrypt", "ms", Goal::Of(PeerKind::HaProxy, 0.15)),
    row("bcrypt-checked", BenchScenario::AttackBcrypt, "of them checked by Dovecot", "", Goal::None),
    row("bcrypt-lost", BenchScenario::AttackBcrypt, "guesses without an answer", "", Goal::None),
    row("idle", BenchScenario::Idle, "idle session before login, PSS", "KiB", Goal::AtMost(11.0)),
    row("idle-behind", BenchScenario::Idle, "the same, Postfix's", "KiB", Goal::AtMost(1.0)),
    row("idle-after", BenchScenario::Idle, "idle session after login, PSS", "KiB", Goal::AtMost(12.0)),
    row("served", BenchScenario::Strangers,
        "honest clients of 20 served beside 150 idle strangers", "", Goal::AtLeast(20.0)),
    row("calm-p50", BenchScenario::Logins, "login of a familiar user, bcrypt, calm: p50", "ms", Goal::None),
    row("calm-p99", BenchScenario::Logins, "the same: p99", "ms", Goal::Of(PeerKind::HaProxy, 1.0)),
    row("burst-p50", BenchScenario::Logins, "under 150 attackers, the first 30 s: p50", "ms", Goal::None),
    row("burst-p99", BenchScenario::Logins, "the same: p99", "ms", Goal::None),
    row("steady-p50", BenchScenario::Logins, "the next 40 s: p50", "ms", Goal::None),
    row("steady-p99", BenchScenario::Logins, "the same: p99", "ms", Goal::OfKey("calm-p99", PeerKind::Gatepost, 1.25)),
    row("denied", BenchScenario::Logins, "logins of familiar users that failed, of 700", "", Goal::AtMost(0.0)),
    row("reached", BenchScenario::Logins, "guesses that reached Dovecot in 70 s", "", Goal::None),
    row("hello-calm-p50", BenchScenario::Stalled, "handshake of a familiar client, calm: p50", "ms", Goal::None),
    row("hello-calm-p99", BenchScenario::Stalled, "the same: p99", "ms", Goal::None),
    row("hello-stalled-p50", BenchScenario::Stalled, "beside 1,740 stalled ClientHellos a second: p50", "ms", Goal::None),
    row("hello-stalled-p99", BenchScenario::Stalled,
        "the same: p99", "ms", Goal::OfKey("hello-calm-p99", PeerKind::Gatepost, 3.0)),
    row("hello-stalled-failed", BenchScenario::Stalled, "of these handshakes failed", "", Goal::AtMost(0.0)),
    row("hello-whole-p50", BenchScenario::Stalled, "beside 400 strangers' whole handshakes at once: p50", "ms", Goal::None),
    row("hello-whole-p99", BenchScenario::Stalled,
        "the same: p99", "ms", Goal::OfKey("hello-calm-p99", PeerKind::Gatepost, 3.0)),
    row("hello-whole-failed", BenchScenario::Stalled, "of these handshakes failed", "", Goal::AtMost(0.0)),
    row("flood-calm-p50", BenchScenario::Flood, "login of a familiar user, servers on one processor, calm: p50", "ms", Goal::None),
    row("flood-calm-p99", BenchScenario::Flood, "the same: p99", "ms", Goal::None),
    row("flood-first-p50", BenchScenario::Flood, "beside a flood of connections, its first 10 s: p50", "ms", Goal::None),
    row("flood-first-p99", BenchScenario::Flood,
        "the same: p99", "ms", Goal::OfKey("flood-calm-p99", PeerKind::Gatepost, 1.25)),
    row("flood-next-p50", BenchScenario::Flood, "the next 20 s: p50", "ms", Goal::None),
    row("flood-next-p99", BenchScenario::Flood,
        "the same: p99", "ms", Goal::OfKey("flood-calm-p99", PeerKind::Gatepost, 1.25)),
    row("flood-failed", BenchScenario::Flood, "logins of familiar users that failed, of 300", "", Goal::AtMost(0.0)),
    row("flood-resets", BenchScenario::Flood, "connections closed on the attackers, a second", "", Goal::None),
    row("flood-filter-first-p99", BenchScenario::Flood,
        "with the listener filter, the first 10 s: p99", "ms", Goal::OfKey("flood-calm-p99", PeerKind::Gatepost, 1.25)),
    row("flood-filter-next-p99", BenchScenario::Flood,
        "the next 20 s: p99", "ms", Goal::OfKey("flood-calm-p99", PeerKind::Gatepost, 1.25)),
    row("flood-filter-failed", BenchScenario::Flood, "logins of familiar users that failed, of 300", "", Goal::AtMost(0.0)),
    row("flood-filter-resets", BenchScenario::Flood, "connections closed on the attackers, a second", "", Goal::None),
    row("herd-failed", BenchScenario::Herd, "of 300 familiar logins at once, failed", "", Goal::AtMost(0.0)),
    row("herd-p50", BenchScenario::Herd, "the others: p50", "ms", Goal::None),
    row("herd-worst", BenchScenario::Herd, "the slowest of them", "ms", Goal::None),
    row("unwatched-guess", BenchScenario::Watched, "a session with a refused guess; history, metrics, page, notices off", "µs", Goal::None),
    row("watched-guess", BenchScenario::Watched,
        "the same, all of it on", "µs", Goal::OfKey("unwatched-guess", PeerKind::Gatepost, 1.03)),
    row("unwatched-memory", BenchScenario::Watched, "memory after 20,000 of them, off: PSS", "MiB", Goal::None),
    row("watched-memory", BenchScenario::Watched,
        "the same, on", "MiB", Goal::OfKey("unwatched-memory", PeerKind::Gatepost, 1.03)),
    row("unwatched-p99", BenchScenario::Watched, "honest logins beside 150 attackers, off: p99", "ms", Goal::None),
    row("watched-p99", BenchScenario::Watched,
        "the same, on", "ms", Goal::OfKey("unwatched-p99", PeerKind::Gatepost, 1.03)),
    row("viewers", BenchScenario::Watched, "eight pages open, nothing going on: CPU of one processor", "%", Goal::AtMost(1.0)),
    row("known", BenchScenario::Known,
        "an address known to the gate, 1,000,000 having failed", "octets", Goal::AtMost(32.0)),
    row("known-held", BenchScenario::Known, "of them held", "", Goal::None),
    row("check", BenchScenario::Known, "a check of how a random one stands", "ns", Goal::AtMost(300.0)),
    row("judge", BenchScenario::Known, "a new wrong password of a random one, judged and noted", "ns", Goal::None),
    row("imap-dovecot", BenchScenario::Doors, "IMAP login of a familiar user: Dovecot's CPU", "µs", Goal::Of(PeerKind::AlwaysAllows, 1.05)),
    row("imap-answers", BenchScenario::Doors, "the same: CPU of what it asks", "µs", Goal::None),
    row("imap-p50", BenchScenario::Doors, "the same, 20 a second: p50", "ms", Goal::Of(PeerKind::AlwaysAllows, 1.1)),
    row("imap-p99", BenchScenario::Doors, "the same: p99", "ms", Goal::None),
    row("answer-p50", BenchScenario::Doors, "an answer beside 1,000 requests a second: p50", "ms", Goal::None),
    row("answer-p99", BenchScenario::Doors, "the same: p99", "ms", Goal::AtMost(1.0)),
    row("answer-cpu", BenchScenario::Doors, "the same: CPU", "µs", Goal::None),
    row("alone-mail", BenchScenario::Cluster, "honest session, 4 KB mail, one machine alone: proxy", "µs", Goal::None),
    row("again-mail", BenchScenario::Cluster, "a second one alone: the measurement's own difference", "µs", Goal::None),
    row("near-mail", BenchScenario::Cluster, "one of three machines, their store near", "µs", Goal::OfKey("alone-mail", PeerKind::Gatepost, 1.02)),
    row("far-mail", BenchScenario::Cluster, "the same, 20 ms away", "µs", Goal::OfKey("alone-mail", PeerKind::Gatepost, 1.02)),
    row("dead-mail", BenchScenario::Cluster, "the same, dead", "µs", Goal::OfKey("alone-mail", PeerKind::Gatepost, 1.02)),
    row("linked-mail", BenchScenario::Cluster, "one of three linked machines, one of them away", "µs", Goal::OfKey("alone-mail", PeerKind::Gatepost, 1.02)),
    row("alone-p50", BenchScenario::Cluster, "honest session, 30 a second, one machine alone: p50", "ms", Goal::None),
    row("again-p50", BenchScenario::Cluster, "a second one alone: p50", "ms", Goal::None),
    row("near-p50", BenchScenario::Cluster, "the store near: p50", "ms", Goal::OfKey("alone-p50", PeerKind::Gatepost, 1.02)),
    row("far-p50", BenchScenario::Cluster, "20 ms away: p50", "ms", Goal::OfKey("alone-p50", PeerKind::Gatepost, 1.02)),
    row("dead-p50", BenchScenario::Cluster, "dead: p50", "ms", Goal::OfKey("alone-p50", PeerKind::Gatepost, 1.02)),
    row("linked-p50", BenchScenario::Cluster, "linked: p50", "ms", Goal::OfKey("alone-p50", PeerKind::Gatepost, 1.02)),
    row("alone-p99", BenchScenario::Cluster, "one machine alone: p99", "ms", Goal::None),
    row("again-p99", BenchScenario::Cluster, "a second one alone: p99", "ms", Goal::None),
    row("near-p99", BenchScenario::Cluster, "the store near: p99", "ms", Goal::OfKey("alone-p99", PeerKind::Gatepost, 1.02)),
    row("far-p99", BenchScenario::Cluster, "20 ms away: p99", "ms", Goal::OfKey("alone-p99", PeerKind::Gatepost, 1.02)),
    row("dead-p99", BenchScenario::Cluster, "dead: p99", "ms", Goal::OfKey("alone-p99", PeerKind::Gatepost, 1.02)),
    row("linked-p99", BenchScenario::Cluster, "linked: p99", "ms", Goal::OfKey("alone-p99", PeerKind::Gatepost, 1.02)),
    row("alone-instructions", BenchScenario::Cluster, "instructions of a session, one machine alone", "1000", Goal::None),
    row("again-instructions", BenchScenario::Cluster, "a second one alone", "1000", Goal::None),
    row("near-instructions", BenchScenario::Cluster, "the store near", "1000", Goal::OfKey("alone-instructions", PeerKind::Gatepost, 1.02)),
    row("far-instructions", BenchScenario::Cluster, "20 ms away", "1000", Goal::OfKey("alone-instructions", PeerKind::Gatepost, 1.02)),
    row("dead-instructions", BenchScenario::Cluster, "dead", "1000", Goal::OfKey("alone-instructions", PeerKind::Gatepost, 1.02)),
    row("linked-instructions", BenchScenario::Cluster, "linked", "1000", Goal::OfKey("alone-instructions", PeerKind::Gatepost, 1.02)),
    row("start", BenchScenario::Start, "start to first accept, nothing to restore", "ms", Goal::None),
    row("start-bans", BenchScenario::Start, "the same, 100,000 bans to restore", "ms", Goal::AtMost(20.0)),
    row("crowd", BenchScenario::Crowd, "the largest crowd of idle sessions, PSS", "GiB", Goal::AtMost(1.2)),
    row("crowd-size", BenchScenario::Crowd, "sessions in it", "", Goal::AtLeast(100_000.0)),
    row("crowd-accept", BenchScenario::Crowd,
        "CPU of the last ones' handshakes, to the first ones'", "", Goal::AtMost(1.15)),
    row("crowd-p50", BenchScenario::Crowd, "p50 of a newcomer in the crowd, to an empty server", "", Goal::AtMost(1.25)),
];

const fn row(
    key: &'static str,
    scenario: BenchScenario,
    title: &'static str,
    unit: &'static str,
    goal: Goal,
) -> FigureRow {
    FigureRow {
        key,
        scenario,
        title,
        unit,
        goal,
    }
}
