//! events - every line that we log about clients, with its fields
//!
//! Public API: the message, the field names and their values. No password, no AUTH line and no reply to a
//! LOGIN prompt is a field of anything here, at any level; user names come encoded (`UserName`).
//! Not here: counting (`counters`), whose fault it was (`session::ending`).
//! What Postfix accepted is told at info (at Dovecot's doors what is familiar at debug), with the end of its session, up to sixty lines of an account at
//! once and one in five seconds; and what it rejected. All else is strangers' noise, or one outage seen by everybody: the first of a client in
//! ten minutes is told, with the count of those suppressed since the one before; the rest at debug. So is the first session of a client that ended without
//! a login after a fault. Over all clients there are 200 rejections, 200 attempts, 200 sessions and 200 lines about bans at once and two a second of each, and 50
//! lines about failed handshakes and one in ten seconds; beyond that, one line a minute says how many there were
//! (`Reporter::summary`). Nobody but a user, an operator and this machine causes any other event at info or above.

use std::fmt::Display;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::{debug, error, info, warn};

use super::ja4::Ja4;
use super::last_faults::LastFaults;
use super::lately::{Lately, PastAttempt};
use super::limits::{LimitCounters, ResourceLimit};
use super::places;
use super::quiet::{LineBudget, Quiet, STRANGERS, Say, list};
use super::seen_names::SeenNames;
use super::user_lines::UserLines;
use super::verdicts::{AttemptVerdict, VerdictCounters};
use crate::clock::WallStep;
use crate::places::{AutonomousSystem, Whereabouts};
use gatepost_core::gate::buckets::spec::Bucket;
use gatepost_core::gate::request::attempt::UserName;
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::doors::Door;
use gatepost_core::gate::request::keys::UserId;
use gatepost_core::gate::request::place::{Country, Located};
use gatepost_core::gate::request::settings::Mode;
use gatepost_core::gate::request::verdict::{BanCause, Reason, Subject};
use gatepost_core::moment::Moment;

/// What every line about a session tells.
#[derive(Clone, Copy)]
pub struct Session<'a> {
    /// The id that the client sees in a 454.
    pub id: &'a dyn Display,
    /// The client, as it is counted.
    pub key: ClientKey,
    /// The client's address and port, as Postfix sees them too.
    pub client: &'a dyn Display,
    /// Where it came in: an address of ours.
    pub listener: &'a dyn Display,
    /// `TLSv1.3`, `TLSv1.2`, or `none` before the handshake.
    pub tls: &'static str,
    /// The label of its program; none before the handshake, and where TLS does not end here.
    pub ja4: Option<Ja4>,
}

/// One judged attempt.
pub struct Attempt<'a> {
    /// Its session.
    pub session: Session<'a>,
    /// Where.
    pub door: Door,
    /// The mechanism's registered name; `none` where it was refused in place of the banner.
    pub mechanism: &'a str,
    /// The user; none where CRAM-MD5 never came to the name.
    pub user: Option<&'a UserName>,
    /// The user's account, however it was named.
    pub account: Option<UserId>,
    /// Where its client is; none: nobody has looked.
    pub place: Option<&'a Whereabouts>,
    /// How it ended.
    pub verdict: AttemptVerdict,
    /// What the verdict rests on.
    pub reason: Option<Reason>,
    /// What would have refused it, were it not for dry run or settling in.
    pub would_refuse: Option<Reason>,
    /// How long the client should wait.
    pub wait: Duration,
    /// Postfix's reply, or the fault in its place.
    pub reply: &'a dyn Display,
    /// From the last octet of the credentials to the answer.
    pub duration: Duration,
}

impl<'a> Attempt<'a> {
    /// Of a client that is sent away in place of the banner.
    pub fn at_accept(session: Session<'a>, reply: &'a dyn Display) -> Self {
        Self {
            session,
            door: Door::Own,
            mechanism: "none",
            user: None,
            account: None,
            place: None,
            verdict: AttemptVerdict::Defer,
            reason: None,
            would_refuse: None,
            wait: Duration::ZERO,
            reply,
            duration: Duration::ZERO,
        }
    }

    fn past(&self, now: Moment) -> PastAttempt {
        PastAttempt {
            number: 0,
            at: now,
            client: self.session.key,
            user: self.user.map(ToString::to_string),
            verdict: self.verdict,
            reason: self.reason.map(Reason::as_str),
            wait: self.wait,
        }
    }
}

impl Attempt<'_> {
    fn country(&self) -> Option<Country> {
        match self.place?.country {
            Located::In(country) => Some(country),
            Located::Unasked | Located::Nowhere => None,
        }
    }

    fn system(&self) -> Option<&AutonomousSystem> {
        self.place?.system.as_ref()
    }

    /// Whether it is one of the many logins of a program that looks for mail, of which Dovecot tells too.
    fn is_routine(&self) -> bool {
        !self.door.has_later() && self.reason == Some(Reason::Bucket(Bucket::Familiar))
    }
}

/// A client has one line about its refusals, and one about its ban, in this time.
const SPAN: Duration = Duration::from_secs(600);

/// Writes the lines.
#[derive(Debug)]
pub struct Reporter {
    /// The last fault of each client.
    pub last_faults: LastFaults,
    /// How many attempts were told, by verdict and reason.
    pub verdicts: VerdictCounters,
    /// The last attempts, and who made most of them.
    pub lately: Lately,
    /// The names of those who logged in.
    pub names: SeenNames,
    attempts: Quiet,
    sessions: Quiet,
    handshakes: Quiet,
    own_users: Mutex<OwnUsers>,
    rejections: Mutex<LineBudget>,
    bans: Quiet,
    users: UserLines,
    limits: Arc<LimitCounters>,
}

/// One event at a level that is known only at run time.
macro_rules! at {
    ($level:expr, $($rest:tt)*) => {
        match $level {
            tracing::Level::WARN => warn!($($rest)*),
            tracing::Level::INFO => info!($($rest)*),
            _ => debug!($($rest)*),
        }
    };
}

// Behind the macro that they use.
mod decoy;
mod end;
mod handshakes;
mod no_room;
mod stolen;

pub use decoy::decoy;
pub use end::{Blame, End, FaultBeforeLogin};
pub use handshakes::{FailedHandshake, HandshakeNews, certificate};
use handshakes::{HANDSHAKES, OwnUsers};
pub use no_room::LoginWithoutRoom;
pub use stolen::suspected;

impl Reporter {
    /// What it does not write is counted in `limits`.
    pub fn new(limits: Arc<LimitCounters>) -> Self {
        Self {
            last_faults: LastFaults::default(),
            verdicts: VerdictCounters::default(),
            lately: Lately::default(),
            names: SeenNames::default(),
            attempts: Quiet::new(SPAN, STRANGERS),
            sessions: Quiet::new(SPAN, STRANGERS),
            handshakes: Quiet::new(SPAN, HANDSHAKES),
            own_users: Mutex::new(OwnUsers::new()),
            rejections: Mutex::new(LineBudget::new(STRANGERS)),
            bans: Quiet::new(SPAN, STRANGERS),
            users: UserLines::default(),
            limits,
        }
    }

    /// One event a judged attempt: `attempt`.
    pub fn attempt(&self, attempt: &Attempt<'_>, now: Moment) {
        self.verdicts.count(attempt.verdict, attempt.reason);
        self.lately.note(attempt.past(now), attempt.user);
        let client = attempt.session.key;
        let (level, suppressed) = match attempt.verdict {
            AttemptVerdict::Accept if attempt.is_routine() => (tracing::Level::DEBUG, 0),
            AttemptVerdict::Accept => {
                self.of_account(attempt.account, tracing::Level::INFO, "accept", now)
            }
            AttemptVerdict::Reject => (self.rejection(now), 0),
            other => {
                let reason = attempt.reason.map_or(other.as_str(), Reason::as_str);
                self.level(&self.attempts, &(client, other), reason, now)
            }
        };
        at!(level,
            session = %attempt.session.id,
            client = %attempt.session.client,
            listener = %attempt.session.listener,
            tls = attempt.session.tls,
            ja4 = attempt.session.ja4.map(tracing::field::display),
            door = attempt.door.as_str(),
            mechanism = attempt.mechanism,
            user = attempt.user.map(tracing::field::display),
            country = attempt.country().map(tracing::field::display),
            asn = attempt.system().map(|system| system.number),
            as_name = attempt.system().map(|system| &*system.name),
            verdict = attempt.verdict.as_str(),
            reason = attempt.reason.map(Reason::as_str),
            would_refuse = attempt.would_refuse.map(Reason::as_str),
            wait_s = attempt.wait.as_secs(),
            reply = attempt.reply.to_string(),
            ms = millis(attempt.duration),
            suppressed = (suppressed > 0).then_some(suppressed),
            "attempt");
    }

    /// The level of a line about what Postfix rejected: each is a guess that was checked, and told, unless a
    /// stranger makes more of them than anybody reads.
    fn rejection(&self, now: Moment) -> tracing::Level {
        let mut budget = self.rejections();
        if budget.take_line(now) {
            return tracing::Level::INFO;
        }
        budget.count(AttemptVerdict::Reject.as_str());
        self.limits.count(ResourceLimit::LogLines);
        tracing::Level::DEBUG
    }

    fn rejections(&self) -> MutexGuard<'_, LineBudget> {
        self.rejections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The level of a line about an account that is logged in, `level` as long as it does not write too many; and how
    /// many of its lines were suppressed before.
    fn of_account(
        &self,
        account: Option<UserId>,
        level: tracing::Level,
        reason: &'static str,
        now: Moment,
    ) -> (tracing::Level, u32) {
        match account.map(|account| self.users.ask(account, reason, now)) {
            None => (level, 0),
            Some(Say::Now { suppressed }) => (level, suppressed),
            Some(Say::Later | Say::Counted) => {
                self.limits.count(ResourceLimit::LogLines);
                (tracing::Level::DEBUG, 0)
            }
        }
    }

    /// The level of a line about `key`, and how many of its lines were suppressed before.
    fn level(
        &self,
        quiet: &Quiet,
        key: &impl Hash,
        reason: &'static str,
        now: Moment,
    ) -> (tracing::Level, u32) {
        match quiet.ask(key, reason, now) {
            Say::Now { suppressed } => (tracing::Level::INFO, suppressed),
            Say::Later => (tracing::Level::DEBUG, 0),
            Say::Counted => {
                self.limits.count(ResourceLimit::LogLines);
                (tracing::Level::DEBUG, 0)
            }
        }
    }

    /// `ban began`: from now on the subject's connections are refused, `until` then by the clock on the wall.
    /// `would ban`: in a dry run they are not.
    /// The operator's are always told at info.
    pub fn ban_began(
        &self,
        subject: Subject,
        until: Moment,
        cause: BanCause,
        mode: Mode,
        now: Moment,
    ) {
        let until = timestamp(until);
        let level = match cause {
            BanCause::Operator => tracing::Level::INFO,
            _ => {
                self.level(&self.bans, &(subject, "began"), "ban-began", now)
                    .0
            }
        };
        match mode {
            Mode::Enforce => at!(level, %subject, %until, %cause, "ban began"),
            Mode::DryRun => at!(level, %subject, %until, %cause, "would ban"),
        }
    }

    /// `ban ended`, by time or by the operator.
    pub fn ban_ended(&self, subject: Subject, now: Moment) {
        let (level, _) = self.level(&self.bans, &(subject, "ended"), "ban-ended", now);
        at!(level, %subject, "ban ended");
    }

    /// For once a minute: the warning of failed handshakes in familiar networks, and `lines suppressed`: how many lines were only counted since the last
    /// call, by reason. Nothing is written where there is nothing to tell.
    pub fn summary(&self, now: Moment) {
        self.warn_of_own_users(now);
        let mut summary = self.attempts.take_summary();
        summary.extend(self.sessions.take_summary());
        summary.extend(self.handshakes.take_summary());
        summary.extend(self.bans.take_summary());
        summary.extend(self.users.take_summary());
        summary.extend(self.rejections().take_summary());
        summary.extend(places::take_summary());
        if summary.is_empty() {
            return;
        }
        info!(
            lines = summary.values().sum::<u64>(),
            reasons = list(&summary),
            "lines suppressed"
        );
    }
}

/// `backend outage`: users that logged in before are rejected one after the other.
pub fn backend_outage() {
    error!(
        "backend outage: users who have logged in before are being rejected one after the other; they get \
         454. Look at Dovecot and its password database"
    );
}

/// `backend recovered`: logins are accepted again.
pub fn backend_recovered() {
    info!("backend recovered: logins are accepted again");
}

/// `operator`: what was done by hand, in the words that the operator got, and who did it.
pub fn operator(did: &str, by: &dyn Display) {
    info!(did, by = by.to_string(), "operator");
}

/// `learnt`: familiar pairs and known users that old logs added.
pub fn learnt(pairs: u64, users: u64) {
    info!(pairs, users, "learnt");
}

/// `settled`: settling in is over.
pub fn settled() {
    info!("settled: all of the gate is enforced from now on");
}

/// `clock set`: the machine's clock was set by more than a minute, which changes no ban and no debt.
pub fn clock_set(step: WallStep) {
    warn!(step = %step, "clock set: bans and debts go on as they are");
}

/// `config`: what the config file makes worth telling at every start and reload.
pub fn config_warning(remark: &str) {
    warn!(remark, "config");
}

/// A moment as RFC 3339, UTC, in whole seconds.
pub fn timestamp(moment: Moment) -> String {
    let seconds = i64::try_from(moment.as_seconds()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds)
        .unwrap_or(jiff::Timestamp::MAX)
        .to_string()
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
