//! rows - the scenarios by name, and the rows of the table that come of each
//!
//! The goals stand here, beside what they are measured by.
//! Not here: how a scenario is played (`scenario`), what was measured (`results`).

use crate::peer::Kind;

/// One scenario, by its name on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Scenario {
    /// Banned clients knock.
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
    /// A million addresses known to the gate.
    Known,
    /// From the start to the first accept.
    Start,
    /// Up to 100,000 sessions.
    Crowd,
}

impl Scenario {
    /// In the order they are played. The gate alone comes first: it is measured in this process, before others
    /// have left memory behind.
    pub(crate) const ALL: [Self; 14] = [
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
    Of(Kind, f64),
    /// At most this, in the row's unit.
    AtMost(f64),
    /// At least this.
    AtLeast(f64),
    /// Below every peer's.
    BelowAll,
    /// At most this part of somebody's figure in another row.
    OfKey(&'static str, Kind, f64),
    /// Shown beside the others.
    None,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// What figures are filed under.
    pub(crate) key: &'static str,
    /// Whose it is.
    pub(crate) scenario: Scenario,
    /// In the table.
    pub(crate) title: &'static str,
    /// Of the figures.
    pub(crate) unit: &'static str,
    /// Ours to reach.
    pub(crate) goal: Goal,
}

/// All rows, in the order of the report.
#[rustfmt::skip]
pub(crate) const ROWS: &'static [Row] = &[
    row("refused", Scenario::Refused, "a banned connection, CPU", "µs", Goal::Of(Kind::HaProxy, 0.9)),
    row("dropped", Scenario::Refused,
        "the same, by the listener filter", "µs", Goal::OfKey("refused", Kind::HaProxy, 0.1)),
    row("refused-both", Scenario::Refused, "a banned connection, both ends together", "µs", Goal::None),
    row("dropped-both", Scenario::Refused, "the same, by the listener filter", "µs", Goal::None),
    row("full", Scenario::Handshake, "handshake, banner, QUIT: proxy", "µs", Goal::Of(Kind::HaProxy, 0.4)),
    row("full-behind", Scenario::Handshake, "the same, behind the proxy", "µs", Goal::AtMost(5.0)),
    row("resumed", Scenario::Handshake, "the same, resumed: proxy", "µs", Goal::Of(Kind::HaProxy, 0.38)),
    row("resumed-share", Scenario::Handshake, "of these, resumed in truth", "%", Goal::None),
    row("mail", Scenario::Honest, "honest session, 4 KB mail: proxy", "µs", Goal::Of(Kind::HaProxy, 0.7)),
    row("mail-stack", Scenario::Honest, "the same, whole stack", "µs", Goal::Of(Kind::Native, 0.85)),
    row("mail-p50", Scenario::Honest, "the same, p50 with 8 at once", "ms", Goal::BelowAll),
    row("bulk", Scenario::Bulk, "25 MB mail, proxy, each MB", "µs", Goal::Of(Kind::HaProxy, 0.7)),
    row("guess", Scenario::Guess, "a guess refused in an open session", "µs", Goal::AtMost(60.0)),
    row("attack", Scenario::Attack, "1,000 guesses, whole stack, SHA256", "ms", Goal::Of(Kind::HaProxy, 0.5)),
    row("attack-checked", Scenario::Attack, "of them checked by Dovecot", "", Goal::None),
    row("attack-sessions", Scenario::Attack, "sessions they took", "", Goal::None),
    row("attack-again", Scenario::Attack,
        "the same once more: Postfix's processes wait for it", "ms", Goal::Of(Kind::HaProxy, 0.5)),
    row("attack-again-proxy", Scenario::Attack, "of that the proxy", "ms", Goal::None),
    row("attack-again-checked", Scenario::Attack, "of them checked by Dovecot", "", Goal::None),
    row("attack-lost", Scenario::Attack, "guesses without an answer, of both", "", Goal::None),
    row("bcrypt", Scenario::AttackBcrypt, "1,000 guesses, whole stack, bcrypt", "ms", Goal::Of(Kind::HaProxy, 0.15)),
    row("bcrypt-checked", Scenario::AttackBcrypt, "of them checked by Dovecot", "", Goal::None),
    row("bcrypt-lost", Scenario::AttackBcrypt, "guesses without an answer", "", Goal::None),
    row("idle", Scenario::Idle, "idle session before login, PSS", "KiB", Goal::AtMost(11.0)),
    row("idle-behind", Scenario::Idle, "the same, Postfix's", "KiB", Goal::AtMost(1.0)),
    row("idle-after", Scenario::Idle, "idle session after login, PSS", "KiB", Goal::AtMost(12.0)),
    row("served", Scenario::Strangers,
        "honest clients of 20 served beside 150 idle strangers", "", Goal::AtLeast(20.0)),
    row("calm-p50", Scenario::Logins, "login of a familiar user, bcrypt, calm: p50", "ms", Goal::None),
    row("calm-p99", Scenario::Logins, "the same: p99", "ms", Goal::Of(Kind::HaProxy, 1.0)),
    row("burst-p50", Scenario::Logins, "under 150 attackers, the first 30 s: p50", "ms", Goal::None),
    row("burst-p99", Scenario::Logins, "the same: p99", "ms", Goal::None),
    row("steady-p50", Scenario::Logins, "the next 40 s: p50", "ms", Goal::None),
    row("steady-p99", Scenario::Logins, "the same: p99", "ms", Goal::OfKey("calm-p99", Kind::Gatepost, 1.25)),
    row("denied", Scenario::Logins, "logins of familiar users that failed, of 700", "", Goal::AtMost(0.0)),
    row("reached", Scenario::Logins, "guesses that reached Dovecot in 70 s", "", Goal::None),
    row("known", Scenario::Known,
        "an address known to the gate, 1,000,000 having failed", "octets", Goal::AtMost(32.0)),
    row("known-held", Scenario::Known, "of them held", "", Goal::None),
    row("check", Scenario::Known, "a check of how a random one stands", "ns", Goal::AtMost(300.0)),
    row("judge", Scenario::Known, "a new wrong password of a random one, judged and noted", "ns", Goal::None),
    row("start", Scenario::Start, "start to first accept, nothing to restore", "ms", Goal::None),
    row("start-bans", Scenario::Start, "the same, 100,000 bans to restore", "ms", Goal::AtMost(20.0)),
    row("crowd", Scenario::Crowd, "the largest crowd of idle sessions, PSS", "GiB", Goal::AtMost(1.2)),
    row("crowd-size", Scenario::Crowd, "sessions in it", "", Goal::AtLeast(100_000.0)),
    row("crowd-accept", Scenario::Crowd,
        "CPU of the last ones' handshakes, to the first ones'", "", Goal::AtMost(1.15)),
    row("crowd-p50", Scenario::Crowd, "p50 of a newcomer in the crowd, to an empty server", "", Goal::AtMost(1.25)),
];

const fn row(
    key: &'static str,
    scenario: Scenario,
    title: &'static str,
    unit: &'static str,
    goal: Goal,
) -> Row {
    Row {
        key,
        scenario,
        title,
        unit,
        goal,
    }
}
