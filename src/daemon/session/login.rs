//! login - one attempt: judged, in turn, tried at Postfix, settled, told
//!
//! [`try_it`] takes what the dialogue understood and says what came of it. Every permit is settled here,
//! on every way out. Not here: the rounds' words (`smtp::sasl`), the policy (`gate`), Postfix's side
//! of the exchange (`net::upstream`).
//! The failure delay is served here, when Postfix has been let go: a waiting client costs us
//! kilobytes, and Postfix nothing.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::Visit;
use crate::net::queue::Turn;
use crate::net::upstream::{Attempted, LoggedIn, Origin};
use crate::report::events;
use gatepost_core::gate::permit::{First, Permit, Verdict};
use gatepost_core::gate::request::attempt::{AuthAttempt, AuthOutcome, UserName};
use gatepost_core::gate::request::verdict::{Reason, Refusal};
use gatepost_core::moment::Moment;
use gatepost_core::smtp::capabilities::Capabilities;
use gatepost_core::smtp::command::HeloName;
use gatepost_core::smtp::dialogue::{LogIn, Resolution, Trap};
use gatepost_core::smtp::sasl::Credentials;

/// A Postfix without Dovecot puts a login off at once. One that has waited for Dovecot has waited 10 s.
const STALL: Duration = Duration::from_secs(5);

mod relay;
pub(in crate::session) use relay::Relay;

/// What came of an attempt, or of one round of it.
pub(in crate::session) enum Tried {
    /// 235.
    LoggedIn(Box<LoggedIn>, UserName),
    /// Anything else that ends the exchange.
    Resolved(Resolution),
    /// Postfix wants to know more.
    Challenged(gatepost_core::gate::request::attempt::Secret, Box<Relay>),
}

/// Postfix's capabilities; waits up to `patience` for the first answer of a probe.
pub(in crate::session) async fn capabilities(
    visit: &Visit,
    patience: Duration,
) -> Option<Arc<Capabilities>> {
    let mut told = visit.rules.upstream.capabilities();
    let known = told.borrow().clone();
    if known.is_some() {
        return known;
    }
    // Rare, and large: kept out of every session's own future.
    let first = Box::pin(timeout(patience, told.wait_for(Option::is_some))).await;
    first.ok()?.ok()?.clone()
}

/// Asks the gate about a HELO name.
pub(in crate::session) async fn helo(visit: &Visit, name: &[u8]) -> Trap {
    let mut events = Vec::new();
    let now = visit.services.clock.now();
    let refusal = visit.services.gate.helo(visit.key, name, now, &mut events);
    visit.services.notices.pass(events).await;
    match refusal {
        Some(_) => Trap::Sprung,
        None => Trap::Clear,
    }
}

/// Judges an attempt and tries it.
pub(in crate::session) async fn try_it(
    visit: &mut Visit,
    helo: Option<HeloName>,
    wish: LogIn,
) -> Tried {
    let origin = Origin {
        client: visit.client,
        listener: visit.listener,
        helo,
    };
    match wish {
        LogIn::Credentials(credentials) => with_credentials(visit, &origin, &credentials).await,
        LogIn::Scram {
            mechanism,
            user,
            first,
        } => relay::scram(visit, &origin, mechanism, user, &first).await,
        LogIn::CramMd5 => relay::cram_md5(visit, &origin).await,
    }
}

async fn with_credentials(visit: &mut Visit, origin: &Origin, credentials: &Credentials) -> Tried {
    let attempt = AuthAttempt {
        client: visit.key,
        user: &credentials.user,
        password: credentials.password(),
        session: visit.id.number(),
    };
    let record = Record::begin(visit, credentials.mechanism.as_str());
    let (permit, turn) = match judge(visit, &attempt).await {
        Ok(permitted) => permitted,
        Err(refused) => {
            return record
                .refused(visit, Some(&credentials.user), refused)
                .await;
        }
    };
    let connected = visit.rules.upstream.connect(origin).await;
    let sent = visit.now();
    let attempted = match connected {
        Ok(connected) => connected.log_in(&permit, credentials).await,
        Err(fault) => Attempted::Defer(fault),
    };
    drop(turn);
    record
        .settled(visit, &credentials.user, permit, attempted, sent)
        .await
}

/// Why an attempt may not be tried.
pub(in crate::session) enum Refused {
    /// 454.
    Refuse(Refusal),
    /// 535 without asking Postfix.
    Repeat,
    /// 454: we are stopping.
    Draining,
}

/// Asks the gate, and waits for a turn where it says so.
pub(in crate::session) async fn judge(
    visit: &mut Visit,
    attempt: &AuthAttempt<'_>,
) -> Result<(Permit, Option<Turn>), Refused> {
    let services = Arc::clone(&visit.services);
    let mut events = Vec::new();
    let verdict = services
        .gate
        .judge(attempt, services.clock.now(), &mut events);
    services.notices.pass(events).await;
    match verdict {
        First::Decided(Verdict::Allow(permit)) => Ok((permit, None)),
        First::Decided(Verdict::Refuse(refusal)) => Err(Refused::Refuse(refusal)),
        First::Decided(Verdict::Repeat) => Err(Refused::Repeat),
        First::Wait => in_turn(visit, attempt).await,
    }
}

async fn in_turn(
    visit: &mut Visit,
    attempt: &AuthAttempt<'_>,
) -> Result<(Permit, Option<Turn>), Refused> {
    let services = Arc::clone(&visit.services);
    let turn = tokio::select! {
        turn = visit.rules.turns.take(visit.key.network()) => turn,
        () = visit.drain.begun() => return Err(Refused::Draining),
    };
    let Some(turn) = turn else {
        let missed = services.gate.miss_turn(attempt, services.clock.now());
        return Err(Refused::Refuse(missed));
    };
    let mut events = Vec::new();
    let verdict = services
        .gate
        .judge_in_turn(attempt, services.clock.now(), &mut events);
    services.notices.pass(events).await;
    match verdict {
        Verdict::Allow(permit) => Ok((permit, Some(turn))),
        Verdict::Refuse(refusal) => Err(Refused::Refuse(refusal)),
        Verdict::Repeat => Err(Refused::Repeat),
    }
}

/// What the log will tell of an attempt, kept from its first moment.
pub(in crate::session) struct Record {
    mechanism: &'static str,
    began: Moment,
}

impl Record {
    /// An attempt begins.
    pub(in crate::session) fn begin(visit: &Visit, mechanism: &'static str) -> Self {
        visit.services.counters.attempts.count();
        Self {
            mechanism,
            began: visit.services.clock.now(),
        }
    }

    /// The gate said no.
    pub(in crate::session) async fn refused(
        &self,
        visit: &mut Visit,
        user: Option<&UserName>,
        refused: Refused,
    ) -> Tried {
        let counters = &visit.services.counters;
        let (verdict, reason, wait, resolution) = match refused {
            Refused::Refuse(Refusal { reason, wait }) => {
                counters.refused.count();
                (
                    events::Verdict::Refuse,
                    Some(reason),
                    wait,
                    Resolution::Refuse,
                )
            }
            Refused::Repeat => {
                counters.repeated.count();
                let none = Duration::ZERO;
                (
                    events::Verdict::Repeat,
                    Some(Reason::Repeat),
                    none,
                    Resolution::Reject,
                )
            }
            Refused::Draining => {
                counters.deferred.count();
                (
                    events::Verdict::Defer,
                    None,
                    Duration::ZERO,
                    Resolution::Defer,
                )
            }
        };
        self.log(
            visit,
            Told {
                user,
                verdict,
                reason,
                would_refuse: None,
                wait,
                reply: &"none",
            },
        );
        if verdict == events::Verdict::Repeat {
            failure_delay(visit).await;
        }
        Tried::Resolved(resolution)
    }

    /// Postfix has answered, or will not, to what was `sent` then: settles the permit.
    pub(in crate::session) async fn settled(
        &self,
        visit: &mut Visit,
        user: &UserName,
        permit: Permit,
        attempted: Attempted,
        sent: Moment,
    ) -> Tried {
        let would_refuse = permit.would_refuse();
        let grounds = permit.grounds();
        if would_refuse.is_some() {
            visit.services.counters.would_refuse.count();
        }
        let mut noted = Vec::new();
        let now = visit.services.clock.now();
        let settled = visit.services.gate.settle(
            permit,
            outcome(&attempted, now.since(sent)),
            now,
            &mut noted,
        );
        visit.services.notices.pass(noted).await;
        let counters = &visit.services.counters;
        let (verdict, counter) = match settled.outcome {
            AuthOutcome::Accept => (events::Verdict::Accept, &counters.accepted),
            AuthOutcome::Reject => (events::Verdict::Reject, &counters.rejected),
            AuthOutcome::Defer | AuthOutcome::Stalled => {
                (events::Verdict::Defer, &counters.deferred)
            }
        };
        counter.count();
        let reason = Some(settled.reason.unwrap_or(grounds));
        let told = Told {
            user: Some(user),
            verdict,
            reason,
            would_refuse,
            wait: Duration::ZERO,
            reply: &attempted,
        };
        self.log(visit, told);
        match (settled.outcome, attempted) {
            (AuthOutcome::Accept, Attempted::Accept(logged_in)) => {
                Tried::LoggedIn(Box::new(logged_in), user.clone())
            }
            (AuthOutcome::Reject, attempted) => {
                // Postfix is let go before the delay: a client that waits holds nothing of it.
                drop(attempted);
                failure_delay(visit).await;
                Tried::Resolved(Resolution::Reject)
            }
            _ => Tried::Resolved(Resolution::Defer),
        }
    }

    /// The client called it off, or its time ran out, before a password was sent: nothing is charged.
    pub(in crate::session) async fn abandoned(
        &self,
        visit: &Visit,
        user: Option<&UserName>,
        permit: Option<Permit>,
    ) {
        let grounds = permit.as_ref().map(Permit::grounds);
        if let Some(permit) = permit {
            let mut noted = Vec::new();
            let now = visit.services.clock.now();
            let _ = visit
                .services
                .gate
                .settle(permit, AuthOutcome::Defer, now, &mut noted);
            visit.services.notices.pass(noted).await;
        }
        let verdict = events::Verdict::Cancel;
        let wait = Duration::ZERO;
        let told = Told {
            user,
            verdict,
            reason: grounds,
            would_refuse: None,
            wait,
            reply: &"none",
        };
        self.log(visit, told);
    }

    fn log(&self, visit: &Visit, told: Told<'_>) {
        let now = visit.services.clock.now();
        let attempt = events::Attempt {
            session: visit.seen(),
            mechanism: self.mechanism,
            user: told.user,
            verdict: told.verdict,
            reason: told.reason,
            would_refuse: told.would_refuse,
            wait: told.wait,
            reply: told.reply,
            duration: now.since(self.began),
        };
        visit.services.reporter.attempt(&attempt, now);
    }
}

/// The part of a log line that the end of the attempt decides.
struct Told<'a> {
    user: Option<&'a UserName>,
    verdict: events::Verdict,
    reason: Option<Reason>,
    would_refuse: Option<Reason>,
    wait: Duration,
    reply: &'a dyn std::fmt::Display,
}

/// What the permit is settled with, when the answer took so long.
fn outcome(attempted: &Attempted, took: Duration) -> AuthOutcome {
    match attempted.is_put_off() && took >= STALL {
        true => AuthOutcome::Stalled,
        false => attempted.outcome(),
    }
}

async fn failure_delay(visit: &mut Visit) {
    tokio::select! {
        () = sleep(visit.rules.timeouts.failure_delay) => {}
        () = visit.drain.begun() => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::upstream::{Step, UpstreamFault};
    use gatepost_core::smtp::reply::Reply;

    #[test]
    fn only_what_postfix_put_off_after_a_wait_has_stalled() {
        let put_off = |code| {
            let reply = Reply::new(code, None, "Temporary authentication failure");
            Attempted::Defer(UpstreamFault::Refused(Step::Auth, reply))
        };
        let just_below = STALL.saturating_sub(Duration::from_millis(1));
        assert_eq!(outcome(&put_off(454), STALL), AuthOutcome::Stalled);
        assert_eq!(outcome(&put_off(454), just_below), AuthOutcome::Defer);
        assert_eq!(outcome(&put_off(503), STALL), AuthOutcome::Defer);
        let silent = Attempted::Defer(UpstreamFault::TimedOut(Step::Auth));
        assert_eq!(outcome(&silent, STALL), AuthOutcome::Defer);
    }
}
