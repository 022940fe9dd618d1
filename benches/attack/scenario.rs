//! scenario - what is played, and the rows of the table that come of it
//!
//! A file for a few that belong together. The goals stand here, beside what they are measured by.

use crate::Outcome;
use crate::peer::Kind;
use crate::results::{Goal, Results, Row};
use crate::stage::Stage;

mod crowd;
mod guesses;
mod handshake;
mod honest;
mod idle;
mod known;
mod logins;
mod refused;
mod start;

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

    /// All rows, in the order of the report.
    pub(crate) const ROWS: &'static [Row] = &[
        row(
            "refused",
            Self::Refused,
            "a banned connection, CPU",
            "µs",
            Goal::Of(Kind::HaProxy, 0.9),
        ),
        row(
            "dropped",
            Self::Refused,
            "the same, by the listener filter",
            "µs",
            Goal::OfKey("refused", Kind::HaProxy, 0.1),
        ),
        row(
            "refused-both",
            Self::Refused,
            "a banned connection, both ends together",
            "µs",
            Goal::None,
        ),
        row(
            "dropped-both",
            Self::Refused,
            "the same, by the listener filter",
            "µs",
            Goal::None,
        ),
        row(
            "full",
            Self::Handshake,
            "handshake, banner, QUIT: proxy",
            "µs",
            Goal::Of(Kind::HaProxy, 0.4),
        ),
        row(
            "full-behind",
            Self::Handshake,
            "the same, behind the proxy",
            "µs",
            Goal::AtMost(5.0),
        ),
        row(
            "resumed",
            Self::Handshake,
            "the same, resumed: proxy",
            "µs",
            Goal::Of(Kind::HaProxy, 0.38),
        ),
        row(
            "resumed-share",
            Self::Handshake,
            "of these, resumed in truth",
            "%",
            Goal::None,
        ),
        row(
            "mail",
            Self::Honest,
            "honest session, 4 KB mail: proxy",
            "µs",
            Goal::Of(Kind::HaProxy, 0.7),
        ),
        row(
            "mail-stack",
            Self::Honest,
            "the same, whole stack",
            "µs",
            Goal::Of(Kind::Native, 0.85),
        ),
        row(
            "mail-p50",
            Self::Honest,
            "the same, p50 with 8 at once",
            "ms",
            Goal::BelowAll,
        ),
        row(
            "bulk",
            Self::Bulk,
            "25 MB mail, proxy, each MB",
            "µs",
            Goal::Of(Kind::HaProxy, 0.7),
        ),
        row(
            "guess",
            Self::Guess,
            "a guess refused in an open session",
            "µs",
            Goal::AtMost(60.0),
        ),
        row(
            "attack",
            Self::Attack,
            "1,000 guesses, whole stack, SHA256",
            "ms",
            Goal::Of(Kind::HaProxy, 0.5),
        ),
        row(
            "attack-checked",
            Self::Attack,
            "of them checked by Dovecot",
            "",
            Goal::None,
        ),
        row(
            "attack-sessions",
            Self::Attack,
            "sessions they took",
            "",
            Goal::None,
        ),
        row(
            "attack-again",
            Self::Attack,
            "the same once more: Postfix's processes wait for it",
            "ms",
            Goal::Of(Kind::HaProxy, 0.5),
        ),
        row(
            "attack-again-proxy",
            Self::Attack,
            "of that the proxy",
            "ms",
            Goal::None,
        ),
        row(
            "attack-again-checked",
            Self::Attack,
            "of them checked by Dovecot",
            "",
            Goal::None,
        ),
        row(
            "attack-lost",
            Self::Attack,
            "guesses without an answer, of both",
            "",
            Goal::None,
        ),
        row(
            "bcrypt",
            Self::AttackBcrypt,
            "1,000 guesses, whole stack, bcrypt",
            "ms",
            Goal::Of(Kind::HaProxy, 0.15),
        ),
        row(
            "bcrypt-checked",
            Self::AttackBcrypt,
            "of them checked by Dovecot",
            "",
            Goal::None,
        ),
        row(
            "bcrypt-lost",
            Self::AttackBcrypt,
            "guesses without an answer",
            "",
            Goal::None,
        ),
        row(
            "idle",
            Self::Idle,
            "idle session before login, PSS",
            "KiB",
            Goal::AtMost(11.0),
        ),
        row(
            "idle-behind",
            Self::Idle,
            "the same, Postfix's",
            "KiB",
            Goal::AtMost(1.0),
        ),
        row(
            "idle-after",
            Self::Idle,
            "idle session after login, PSS",
            "KiB",
            Goal::AtMost(12.0),
        ),
        row(
            "served",
            Self::Strangers,
            "honest clients of 20 served beside 150 idle strangers",
            "",
            Goal::AtLeast(20.0),
        ),
        row(
            "calm-p50",
            Self::Logins,
            "login of a familiar user, bcrypt, calm: p50",
            "ms",
            Goal::None,
        ),
        row(
            "calm-p99",
            Self::Logins,
            "the same: p99",
            "ms",
            Goal::Of(Kind::HaProxy, 1.0),
        ),
        row(
            "burst-p50",
            Self::Logins,
            "under 150 attackers, the first 30 s: p50",
            "ms",
            Goal::None,
        ),
        row("burst-p99", Self::Logins, "the same: p99", "ms", Goal::None),
        row(
            "steady-p50",
            Self::Logins,
            "the next 40 s: p50",
            "ms",
            Goal::None,
        ),
        row(
            "steady-p99",
            Self::Logins,
            "the same: p99",
            "ms",
            Goal::OfKey("calm-p99", Kind::Gatepost, 1.25),
        ),
        row(
            "denied",
            Self::Logins,
            "logins of familiar users that failed, of 700",
            "",
            Goal::AtMost(0.0),
        ),
        row(
            "reached",
            Self::Logins,
            "guesses that reached Dovecot in 70 s",
            "",
            Goal::None,
        ),
        row(
            "known",
            Self::Known,
            "an address known to the gate, 1,000,000 having failed",
            "octets",
            Goal::AtMost(32.0),
        ),
        row("known-held", Self::Known, "of them held", "", Goal::None),
        row(
            "check",
            Self::Known,
            "a check of how a random one stands",
            "ns",
            Goal::AtMost(300.0),
        ),
        row(
            "judge",
            Self::Known,
            "a new wrong password of a random one, judged and noted",
            "ns",
            Goal::None,
        ),
        row(
            "start",
            Self::Start,
            "start to first accept, nothing to restore",
            "ms",
            Goal::None,
        ),
        row(
            "start-bans",
            Self::Start,
            "the same, 100,000 bans to restore",
            "ms",
            Goal::AtMost(20.0),
        ),
        row(
            "crowd",
            Self::Crowd,
            "the largest crowd of idle sessions, PSS",
            "GiB",
            Goal::AtMost(1.2),
        ),
        row(
            "crowd-size",
            Self::Crowd,
            "sessions in it",
            "",
            Goal::AtLeast(100_000.0),
        ),
        row(
            "crowd-accept",
            Self::Crowd,
            "CPU of the last ones' handshakes, to the first ones'",
            "",
            Goal::AtMost(1.15),
        ),
        row(
            "crowd-p50",
            Self::Crowd,
            "p50 of a newcomer in the crowd, to an empty server",
            "",
            Goal::AtMost(1.25),
        ),
    ];

    /// On the command line.
    pub(crate) fn name(self) -> String {
        let value = clap::ValueEnum::to_possible_value(&self);
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Plays it.
    pub(crate) fn play(self, stage: &Stage<'_>, results: &mut Results) -> Outcome<()> {
        match self {
            Self::Refused => refused::play(stage, results),
            Self::Handshake => handshake::play(stage, results),
            Self::Honest => honest::mails(stage, results),
            Self::Bulk => honest::bulk(stage, results),
            Self::Guess => guesses::in_a_session(stage, results),
            Self::Attack => guesses::attack(stage, results),
            Self::AttackBcrypt => guesses::attack_bcrypt(stage, results),
            Self::Idle => idle::memory(stage, results),
            Self::Strangers => idle::strangers(stage, results),
            Self::Logins => logins::play(stage, results),
            Self::Growing => logins::growing(stage, results),
            Self::Known => known::play(stage, results),
            Self::Start => start::play(stage, results),
            Self::Crowd => crowd::play(stage, results),
        }
    }
}

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
