//! login - one attempt: judged, in turn, tried at Postfix, settled
//!
//! [`log_in`] is the one way for every mechanism; they differ only in the exchange between. With
//! credentials all is known at once. SCRAM names its user first, and is judged before its first octet
//! reaches Postfix; CRAM-MD5 names it with its answer, and is judged before that does.
//! Nobody holds a turn while the client thinks: how many exchanges of strangers hold a Postfix process
//! then is bounded by turns of their own. A client that stops before its proof was sent is not
//! charged; after that, Postfix's answer decides. Every permit is settled here, on every way out.
//! Not here: the judging (`judging`), the rounds' words (`smtp::sasl`), Postfix's side (`net::upstream`).
//! RFC 4954 section 4, RFC 5802 section 5, RFC 2195 section 2.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use connect::connect;

use super::entry::{Entered, enter};
use super::{Ending, Visit};
use crate::judging::{Granted, Held, Refused, Unjudged};
use crate::net::upstream::{
    Attempted, ClientOrigin, Exchange, ProcessLine, Purpose, Round, UpstreamFault,
};
use gatepost_core::gate::request::attempt::{AuthOutcome, Password, Secret, UserName};
use gatepost_core::moment::Moment;
use gatepost_core::smtp::capabilities::Capabilities;
use gatepost_core::smtp::command::HeloName;
use gatepost_core::smtp::dialogue::{Action, LogIn, Resolution, Trap};
use gatepost_core::smtp::sasl::{self, Credentials, Mechanism};

mod connect;

/// A Postfix without Dovecot puts a login off at once. One that has waited for Dovecot has waited 10 s.
const STALL: Duration = Duration::from_secs(5);

/// The client, as far as an exchange needs it.
pub(in crate::session) trait Client: Send {
    /// What the session knows.
    fn visit(&self) -> &Visit;

    /// What the session knows.
    fn visit_mut(&mut self) -> &mut Visit;

    /// Passes a challenge of Postfix on, and takes the client's answer to it.
    fn ask(
        &mut self,
        challenge: Secret,
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
    let origin = ClientOrigin {
        client: visit.client,
        listener: visit.listener,
        helo,
    };
    let attempt = visit.services.judging.begin(mechanism(&wish).as_str());
    let answered = match wish {
        LogIn::Credentials(credentials) => {
            with_credentials(visit, attempt, &origin, &credentials).await
        }
        LogIn::Scram {
            mechanism,
            user,
            first,
        } => scram(client, attempt, &origin, mechanism, &user, &first).await,
        LogIn::CramMd5 => cram_md5(client, attempt, &origin).await,
    };
    let visit = client.visit_mut();
    match answered {
        Ok(answered) => Ok(settle(visit, answered).await),
        Err(Unanswered::Refused(refused)) => Ok(Tried::Resolved(refuse(visit, refused).await)),
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
) -> Result<Answered, Unanswered> {
    let password = credentials.password();
    let granted = attempt.judge(visit, &credentials.user, password).await?;
    let line = ProcessLine::of(granted.permit());
    // On the heap: the session's own future is held by every idle client.
    let connected = Box::pin(connect(visit, origin, line, Purpose::Login)).await;
    let sent = visit.now();
    let attempted = match connected {
        Ok(connected) => connected.log_in(granted.permit(), credentials).await,
        Err(fault) => Attempted::Defer(fault),
    };
    let processes = visit.config.upstream.processes();
    processes.answered(line, &attempted, visit.now().since(sent));
    Ok(Answered {
        granted,
        attempted,
        proof_sent: Some(sent),
    })
}

async fn scram(
    client: &mut impl Client,
    attempt: Unjudged,
    origin: &ClientOrigin,
    mechanism: Mechanism,
    user: &UserName,
    first: &Secret,
) -> Result<Answered, Unanswered> {
    let visit = client.visit();
    let granted = attempt.judge(visit, user, Password::Hidden).await?;
    let Some((granted, place)) = granted.exchange(visit).await else {
        return Err(Unanswered::Resolved(Resolution::Defer));
    };
    let line = ProcessLine::of(granted.permit());
    let round = match connect(visit, origin, line, Purpose::Exchange).await {
        Ok(connected) => {
            connected
                .begin_scram(granted.permit(), mechanism, first)
                .await
        }
        Err(fault) => Round::Done(Attempted::Defer(fault)),
    };
    relay(client, granted, place, None, round).await
}

async fn cram_md5(
    client: &mut impl Client,
    attempt: Unjudged,
    origin: &ClientOrigin,
) -> Result<Answered, Unanswered> {
    let visit = client.visit();
    let (attempt, place) = attempt.peek(visit)?.exchange(visit).await?;
    let line = ProcessLine::unnamed(visit.key.network());
    let round = match connect(visit, origin, line, Purpose::Exchange).await {
        Ok(connected) => connected.begin_cram_md5().await,
        Err(fault) => Round::Done(Attempted::Defer(fault)),
    };
    let Round::Challenge(exchange, challenge) = round else {
        attempt.cancel(visit);
        return Err(Unanswered::Resolved(Resolution::Defer));
    };
    let answer = match client.ask(challenge).await {
        Ok(answer) => answer,
        Err(left) => {
            attempt.cancel(client.visit());
            return Err(Unanswered::ExchangeEnd(left));
        }
    };
    let visit = client.visit();
    let Ok(user) = sasl::cram_user(answer.expose()) else {
        attempt.cancel(visit);
        return Err(Unanswered::Resolved(Resolution::Reject));
    };
    let mut granted = attempt.judge(visit, &user, Password::Hidden).await?;
    let proof_sent = Some(visit.now());
    let round = exchange.answer(granted.permit(), &answer).await;
    granted.give_up_turn();
    relay(client, granted, Some(place), proof_sent, round).await
}

/// Relays the rounds that are left, until Postfix ends them or the client leaves. A stranger's first
/// proof is checked in turn: who has a `place` among the exchanges is one.
async fn relay(
    client: &mut impl Client,
    mut granted: Granted,
    place: Option<Held>,
    mut proof_sent: Option<Moment>,
    mut round: Round,
) -> Result<Answered, Unanswered> {
    loop {
        let (exchange, challenge) = match round {
            Round::Challenge(exchange, challenge) => (exchange, challenge),
            Round::Done(attempted) => {
                return Ok(Answered {
                    granted,
                    attempted,
                    proof_sent,
                });
            }
        };
        let answer = match client.ask(challenge).await {
            Ok(answer) => answer,
            Err(left) => {
                abandon(client.visit_mut(), granted, exchange, proof_sent).await;
                return Err(Unanswered::ExchangeEnd(left));
            }
        };
        let visit = client.visit();
        if place.is_some() && proof_sent.is_none() {
            let Some(in_turn) = granted.in_turn(visit).await else {
                return Err(Unanswered::Resolved(Resolution::Defer));
            };
            granted = in_turn;
        }
        proof_sent = Some(visit.now());
        round = exchange.answer(granted.permit(), &answer).await;
        granted.give_up_turn();
    }
}

/// The client left the exchange. What it had proven by then is asked for all the same.
async fn abandon(
    visit: &mut Visit,
    granted: Granted,
    exchange: Exchange,
    proof_sent: Option<Moment>,
) {
    if proof_sent.is_none() {
        return granted.cancel(visit).await;
    }
    // After SCRAM's last challenge an empty answer is all that is missing.
    let nothing = Secret::new(Vec::new());
    let proof_sent = Some(visit.now());
    let attempted = match exchange.answer(granted.permit(), &nothing).await {
        Round::Done(attempted) => attempted,
        Round::Challenge(..) => Attempted::Defer(UpstreamFault::Challenge),
    };
    let answered = Answered {
        granted,
        attempted,
        proof_sent,
    };
    // Nobody is there to be told.
    let _ = settle(visit, answered).await;
}

/// Settles the permit. A rejected client waits here, when Postfix has been let go: it costs us
/// kilobytes, and Postfix nothing.
async fn settle(visit: &mut Visit, answered: Answered) -> Tried {
    let Answered {
        granted,
        attempted,
        proof_sent,
    } = answered;
    let user = granted.user().clone();
    let id = granted.permit().user();
    let now = visit.now();
    let took = now.since(proof_sent.unwrap_or(now));
    let outcome = outcome(&attempted, took);
    let settled = granted.settle(visit, outcome, &attempted).await;
    match (settled.outcome, attempted) {
        (AuthOutcome::Accept, Attempted::Accept(logged_in)) => match enter(visit, &user, id) {
            Ok(place) => Tried::LoggedIn(Entered::new(logged_in, user, place)),
            Err(_) => Tried::Resolved(Resolution::Refuse),
        },
        (AuthOutcome::Reject, attempted) => {
            drop(attempted);
            failure_delay(visit).await;
            Tried::Resolved(Resolution::Reject)
        }
        _ => Tried::Resolved(Resolution::Defer),
    }
}

/// What the client of a refused attempt is told, and when.
async fn refuse(visit: &mut Visit, refused: Refused) -> Resolution {
    match refused {
        Refused::Refuse(_) => Resolution::Refuse,
        Refused::Draining => Resolution::Defer,
        Refused::Repeat => {
            failure_delay(visit).await;
            Resolution::Reject
        }
    }
}

/// What the permit is settled with, when the answer took so long.
fn outcome(attempted: &Attempted, took: Duration) -> AuthOutcome {
    match attempted.is_deferred_by_postfix() && took >= STALL {
        true => AuthOutcome::Stalled,
        false => attempted.outcome(),
    }
}

async fn failure_delay(visit: &mut Visit) {
    tokio::select! {
        () = sleep(visit.config.timeouts.failure_delay) => {}
        () = visit.drain.begun() => {}
    }
}

const fn mechanism(wish: &LogIn) -> Mechanism {
    match wish {
        LogIn::Credentials(credentials) => credentials.mechanism,
        LogIn::Scram { mechanism, .. } => *mechanism,
        LogIn::CramMd5 => Mechanism::CramMd5,
    }
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
