//! login - one attempt: judged, in turn, tried at Postfix, settled
//!
//! [`log_in`] is the one way for every mechanism; they differ only in the exchange between. With
//! credentials all is known at once; the mechanisms that hide the password have rounds (`exchange`). Every
//! permit is settled here, on every way out.
//! Not here: the judging (`judging`), the credentials (`smtp::sasl`), Postfix's side (`net::upstream`).
//! RFC 4954 section 4.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::entry::{Entered, enter};
use super::{Ending, Visit};
use crate::drain::Drain;
use crate::judging::{Granted, Refused, Unjudged};
use crate::net::admission::Slot;
use crate::net::upstream::{Attempted, ClientOrigin, ProcessLine, Purpose};
use connect::connect;
use gatepost_core::gate::request::attempt::{AuthOutcome, Secret};
use gatepost_core::gate::request::verdict::{FailureReply, Reason, Refusal};
use gatepost_core::moment::Moment;
use gatepost_core::smtp::capabilities::Capabilities;
use gatepost_core::smtp::command::HeloName;
use gatepost_core::smtp::dialogue::{Action, BannerRefusal, LogIn, Resolution, Trap};
use gatepost_core::smtp::sasl::{Credentials, Mechanism, OAUTH_WRONG};

mod connect;
mod exchange;

/// A Postfix without Dovecot puts a login off at once. A login that was put off later than this has waited for Dovecot,
/// for which Postfix takes 10 s.
const STALL: Duration = Duration::from_secs(5);

/// How long a client waits for its banner while a Postfix that was down is asked whether it is back.
const ASKED_AGAIN: Duration = Duration::from_secs(1);

/// The client, as far as an exchange needs it.
pub(in crate::session) trait Client: Send {
    /// What the session knows.
    fn visit(&self) -> &Visit;

    /// What the session knows.
    fn visit_mut(&mut self) -> &mut Visit;

    /// Passes a challenge of Postfix on, and takes the client's answer to it if that comes within `round`.
    fn ask(
        &mut self,
        challenge: Secret,
        round: Duration,
    ) -> impl Future<Output = Result<Secret, ExchangeEnd>> + Send;
}

/// How a client left an exchange that it was asked to go on with.
pub(in crate::session) enum ExchangeEnd {
    /// The dialogue goes on with this.
    Action(Action),
    /// So does nothing.
    Ended(Ending),
}

/// What came of a login.
pub(in crate::session) enum Tried {
    /// 235.
    LoggedIn(Box<Entered>),
    /// The dialogue is told, and goes on.
    Resolved(Resolution),
    /// The client left the exchange; the dialogue goes on with this.
    ExchangeEnd(Action),
}

/// Postfix has answered, or will not: the permit is settled with that.
struct Answered {
    granted: Granted,
    attempted: Attempted,
    /// When the password, or the last message of its proof, was sent. None: nothing of it was.
    proof_sent: Option<Moment>,
    /// When the last message of the client came.
    came: Moment,
    disclosed: Disclosed,
}

/// What the client was told before the outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disclosed {
    Nothing,
    /// A challenge that Postfix made for the name.
    Challenge,
}

/// Why Postfix has not answered. The attempt is told, and nothing is owed for it.
enum Unanswered {
    /// It may not be tried.
    Refused(Refused),
    /// No exchange came about.
    Resolved(Resolution),
    /// The client did not stay.
    ExchangeEnd(ExchangeEnd),
}

impl From<Refused> for Unanswered {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// Judges a login and tries it.
///
/// # Errors
///
/// The session ended meanwhile.
pub(in crate::session) async fn log_in(
    client: &mut impl Client,
    helo: Option<HeloName>,
    wish: LogIn,
) -> Result<Tried, Ending> {
    let visit = client.visit();
    let came = visit.now();
    let origin = ClientOrigin {
        client: visit.client,
        listener: visit.listener,
        helo,
    };
    let mechanism = mechanism(&wish);
    let attempt = visit.services.judging.begin(mechanism.as_str());
    let answered = match wish {
        LogIn::Credentials(credentials) => {
            with_credentials(visit, attempt, &origin, &credentials, came).await
        }
        LogIn::Scram {
            mechanism,
            user,
            first,
        } => exchange::scram(client, attempt, &origin, mechanism, &user, &first).await,
        LogIn::CramMd5 => exchange::cram_md5(client, attempt, &origin).await,
    };
    let visit = client.visit_mut();
    match answered {
        Ok(answered) => Ok(settle(visit, answered).await),
        Err(Unanswered::Refused(refused)) => Ok(Tried::Resolved(
            refuse(visit, refused, came, mechanism).await,
        )),
        Err(Unanswered::Resolved(resolution)) => Ok(Tried::Resolved(resolution)),
        Err(Unanswered::ExchangeEnd(ExchangeEnd::Action(action))) => Ok(Tried::ExchangeEnd(action)),
        Err(Unanswered::ExchangeEnd(ExchangeEnd::Ended(ending))) => Err(ending),
    }
}

async fn with_credentials(
    visit: &Visit,
    attempt: Unjudged,
    origin: &ClientOrigin,
    credentials: &Credentials,
    came: Moment,
) -> Result<Answered, Unanswered> {
    let password = credentials.password();
    let mut granted = attempt.judge(visit, &credentials.user, password).await?;
    let line = ProcessLine::of(granted.permit());
    // On the heap: the session's own future is held by every idle client.
    let connected = Box::pin(connect(visit, origin, line, Purpose::Login)).await;
    let sent = visit.now();
    let attempted = match connected {
        Ok(connected) => {
            granted.goes_to_postfix(visit);
            connected.log_in(granted.permit(), credentials).await
        }
        Err(fault) => Attempted::Defer(fault),
    };
    let processes = visit.config.upstream.processes();
    processes.answered(line, &attempted, visit.now().since(sent));
    Ok(Answered {
        granted,
        attempted,
        proof_sent: Some(sent),
        came,
        disclosed: Disclosed::Nothing,
    })
}

/// Settles the permit. A client that is not accepted, or finds no room, waits here for its answer. Postfix has been let
/// go by then, and the turn is free: the wait costs us kilobytes, and Postfix nothing.
async fn settle(visit: &mut Visit, answered: Answered) -> Tried {
    let Answered {
        granted,
        attempted,
        proof_sent,
        came,
        disclosed,
    } = answered;
    let user = granted.user().clone();
    let id = granted.permit().user();
    let now = visit.now();
    let took = now.since(proof_sent.unwrap_or(now));
    let outcome = outcome(&attempted, took, disclosed);
    if matches!(outcome, AuthOutcome::Accept | AuthOutcome::Reject) {
        let durations = &visit.services.judging.counters.durations;
        durations.check.observe(took);
    }
    let settled = granted.settle(visit, outcome, &attempted).await;
    let why = match (settled.outcome, attempted) {
        (AuthOutcome::Accept, Attempted::Accept(logged_in)) => {
            return match enter(visit, &user, id) {
                Ok(place) => Tried::LoggedIn(Entered::new(logged_in, user, place)),
                Err(_) => {
                    drop(logged_in);
                    // As any refusal: its time does not tell that the password is right.
                    hold_back(visit, came).await;
                    Tried::Resolved(Resolution::Refuse)
                }
            };
        }
        (_, Attempted::RejectToken(_, why)) => Some(why),
        _ => None,
    };
    match (settled.reply, settled.outcome) {
        (FailureReply::Refusal, _) => {
            hold_back(visit, came).await;
            Tried::Resolved(Resolution::Refuse)
        }
        (FailureReply::Outcome, AuthOutcome::Reject) => {
            hold_back(visit, came).await;
            Tried::Resolved(why.map_or(Resolution::Reject, Resolution::RejectToken))
        }
        (FailureReply::Outcome, _) => {
            // How soon a backend in trouble answers may depend on the name.
            hold_back(visit, came).await;
            Tried::Resolved(Resolution::Defer)
        }
    }
}

/// What the client of a refused attempt is told, and when.
async fn refuse(
    visit: &mut Visit,
    refused: Refused,
    came: Moment,
    mechanism: Mechanism,
) -> Resolution {
    match refused {
        // Only the address decides this one. All other refusals depend on the name: a user who is near by an own network
        // meets no bucket of the client, and a ban spares a user who is familiar.
        Refused::Refuse(Refusal {
            reason: Reason::DenyList,
            ..
        }) => Resolution::Refuse,
        Refused::Refuse(_) => {
            hold_back(visit, came).await;
            Resolution::Refuse
        }
        Refused::Draining => Resolution::Defer,
        Refused::Repeat => {
            hold_back(visit, came).await;
            match mechanism.shows_token() {
                true => Resolution::RejectToken(Secret::new(OAUTH_WRONG.to_vec())),
                false => Resolution::Reject,
            }
        }
    }
}

/// What the permit is settled with, when the answer took so long and the client was told so much.
fn outcome(attempted: &Attempted, took: Duration, disclosed: Disclosed) -> AuthOutcome {
    match (attempted.outcome(), disclosed) {
        (AuthOutcome::Defer, Disclosed::Challenge) => AuthOutcome::Abandoned,
        // Postfix was asked, and nothing but the client's own message is to blame.
        (AuthOutcome::Defer, _) if attempted.is_about_message() => AuthOutcome::Abandoned,
        (AuthOutcome::Defer, _) if attempted.is_deferred_by_postfix() && took >= STALL => {
            AuthOutcome::Stalled
        }
        (outcome, _) => outcome,
    }
}

/// Holds an answer back to a fixed distance from the moment the credentials came, so that its time does not
/// tell what was done for it: whether Postfix was asked, and for how long it had to think. It is given at once when
/// all sessions are in use and this one is evicted.
async fn hold_back(visit: &mut Visit, came: Moment) {
    let spent = visit.now().since(came);
    let rest = until_next(visit.config.timeouts.failure_delay, spent);
    if rest.is_zero() {
        return;
    }
    wait_out(rest, &visit.slot, &mut visit.drain).await;
}

async fn wait_out(rest: Duration, slot: &Slot, drain: &mut Drain) {
    tokio::select! {
        () = sleep(rest) => {}
        () = drain.begun() => {}
        () = slot.evicted_for_all() => {}
    }
}

/// From `spent` to the next multiple of `step`. Without a step there is nothing to wait for.
fn until_next(step: Duration, spent: Duration) -> Duration {
    match spent.as_nanos().checked_rem(step.as_nanos()) {
        Some(over) => {
            step.saturating_sub(Duration::from_nanos(over.try_into().unwrap_or(u64::MAX)))
        }
        None => Duration::ZERO,
    }
}

const fn mechanism(wish: &LogIn) -> Mechanism {
    match wish {
        LogIn::Credentials(credentials) => credentials.mechanism,
        LogIn::Scram { mechanism, .. } => *mechanism,
        LogIn::CramMd5 => Mechanism::CramMd5,
    }
}

/// What a client is told in place of the banner, if nothing that it may say would log it in.
pub(in crate::session) async fn refused_at_accept(visit: &Visit) -> Option<BannerRefusal> {
    let judging = &visit.services.judging;
    if visit.config.upstream.is_still_down(ASKED_AGAIN).await {
        judging.defer_at_accept(visit, &"Postfix does not answer");
        return Some(BannerRefusal::Unavailable);
    }
    let refusal = judging.refuse_at_accept(visit, visit.config.timeouts.login)?;
    Some(BannerRefusal::Later(refusal.wait))
}

/// Postfix's capabilities; waits up to `time_limit` for the first answer of a probe.
pub(in crate::session) async fn capabilities(
    visit: &Visit,
    time_limit: Duration,
) -> Option<Arc<Capabilities>> {
    let mut told = visit.config.upstream.capabilities();
    let known = told.borrow().clone();
    if known.is_some() {
        return known;
    }
    // Rare, and large: kept out of every session's own future.
    let first = Box::pin(timeout(time_limit, told.wait_for(Option::is_some))).await;
    first.ok()?.ok()?.clone()
}

/// Asks the gate about a HELO name.
pub(in crate::session) async fn helo(visit: &Visit, name: &[u8]) -> Trap {
    match visit.services.judging.helo(visit.key, name).await {
        Some(_) => Trap::Touched,
        None => Trap::Untouched,
    }
}

#[cfg(test)]
mod tests;
