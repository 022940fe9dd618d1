//! exchange - the mechanisms that hide the password: their rounds between the client and Postfix
//!
//! SCRAM names its user first, and is judged before its first octet reaches Postfix; CRAM-MD5 names it with its
//! answer, and is judged before that does. Nobody holds a turn while the client thinks: the process of Postfix that an
//! exchange holds then has a place of its own, which goes to another where the client is silent for too long
//! (`judging::exchanges`). A client that stops before it was
//! given a challenge for its name is not charged; after that it is, for the challenge tells about the name;
//! once its proof was sent, Postfix's answer decides.
//! Not here: settling (`login`), the rounds' words (`smtp::sasl`), Postfix's side (`net::upstream`).
//! RFC 5802 section 5, RFC 2195 section 2.

use std::pin::pin;

use super::connect::connect;
use super::{Answered, Client, Disclosed, ExchangeEnd, Unanswered, settle};
use crate::judging::{ExchangePlace, FAMILIAR_ROUND, Granted, Unjudged};
use crate::net::upstream::{
    Attempted, ClientOrigin, Exchange, ProcessLine, Purpose, Round, UpstreamFault,
};
use crate::session::Visit;
use gatepost_core::gate::request::attempt::{Password, Secret, UserName};
use gatepost_core::moment::Moment;
use gatepost_core::smtp::dialogue::Resolution;
use gatepost_core::smtp::sasl::{self, Mechanism};

/// How far the client's messages have come.
struct Sent {
    /// When the last message of the proof was sent to Postfix. None: nothing of it was.
    proof_sent: Option<Moment>,
    /// When the client's last message came.
    came: Moment,
}

impl Sent {
    /// Nothing but a first message, without a proof.
    const fn first(came: Moment) -> Self {
        Self {
            proof_sent: None,
            came,
        }
    }
}

pub(super) async fn scram(
    client: &mut impl Client,
    attempt: Unjudged,
    origin: &ClientOrigin,
    mechanism: Mechanism,
    user: &UserName,
    first: &Secret,
) -> Result<Answered, Unanswered> {
    let visit = client.visit();
    let came = visit.now();
    let (mut granted, place) = attempt.judge_exchange(visit, user).await?;
    let needs_turn = granted.holds_turn();
    granted.give_up_turn();
    let line = ProcessLine::of(granted.permit());
    let round = match connect(visit, origin, line, Purpose::Exchange).await {
        Ok(connected) => {
            granted.goes_to_postfix(visit);
            connected
                .begin_scram(granted.permit(), mechanism, first)
                .await
        }
        Err(fault) => Round::Done(Attempted::Defer(fault)),
    };
    let relayed = Relayed {
        granted,
        place,
        proof: match needs_turn {
            true => ProofCheck::InTurn,
            false => ProofCheck::AtOnce,
        },
    };
    relay(client, relayed, Sent::first(came), round).await
}

pub(super) async fn cram_md5(
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
    let (exchange, challenge) = match round {
        Round::Challenge(exchange, challenge) => (exchange, challenge),
        Round::Done(attempted) => {
            attempt.defer(visit, &attempted);
            return Err(Unanswered::Resolved(Resolution::Defer));
        }
    };
    let mut place = Some(place);
    let (exchange, answer) = ask(client, exchange, &mut place, challenge).await;
    let visit = client.visit();
    let answer = match answer {
        Ok(answer) => answer,
        Err(left) => {
            attempt.cancel(visit);
            return Err(Unanswered::ExchangeEnd(left));
        }
    };
    let Some(exchange) = exchange else {
        return Err(attempt.displaced(visit).into());
    };
    let came = visit.now();
    let Ok(user) = sasl::cram_user(answer.expose()) else {
        attempt.cancel(visit);
        return Err(Unanswered::Resolved(Resolution::Reject));
    };
    let mut granted = attempt.judge(visit, &user, Password::Hidden).await?;
    let proof_sent = Some(visit.now());
    granted.goes_to_postfix(visit);
    let round = exchange.answer(granted.permit(), &answer).await;
    granted.give_up_turn();
    let relayed = Relayed {
        granted,
        place,
        proof: ProofCheck::AtOnce,
    };
    relay(client, relayed, Sent { proof_sent, came }, round).await
}

/// An exchange that was judged.
struct Relayed {
    granted: Granted,
    /// None: it needs none, or another client has it now.
    place: Option<ExchangePlace>,
    proof: ProofCheck,
}

/// When the first proof is checked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ProofCheck {
    /// When its turn has come.
    InTurn,
    AtOnce,
}

/// Passes a challenge on, and takes the client's answer. Its place, if it has one, is given up when it is wanted for
/// another client meanwhile; then the connection to Postfix is closed, and there is no exchange any more.
async fn ask(
    client: &mut impl Client,
    exchange: Exchange,
    place: &mut Option<ExchangePlace>,
    challenge: Secret,
) -> (Option<Exchange>, Result<Secret, ExchangeEnd>) {
    let now = client.visit().now();
    let Some(held) = place else {
        let answer = client.ask(challenge, FAMILIAR_ROUND).await;
        return (Some(exchange), answer);
    };
    let mut asked = pin!(client.ask(challenge, held.round()));
    tokio::select! {
        biased;
        answer = asked.as_mut() => return (Some(exchange), answer),
        () = held.wanted(now) => {}
    }
    drop(exchange);
    *place = None;
    (None, asked.await)
}

/// Relays the rounds that are left, until Postfix ends them or the client leaves. A challenge that comes before any
/// proof was made for the name. After a proof nobody is displaced: it may be right.
async fn relay(
    client: &mut impl Client,
    relayed: Relayed,
    Sent {
        mut proof_sent,
        mut came,
    }: Sent,
    mut round: Round,
) -> Result<Answered, Unanswered> {
    let Relayed {
        mut granted,
        mut place,
        proof,
    } = relayed;
    let mut disclosed = Disclosed::Nothing;
    loop {
        let (exchange, challenge) = match round {
            Round::Challenge(exchange, challenge) => (exchange, challenge),
            Round::Done(attempted) => {
                return Ok(Answered {
                    granted,
                    attempted,
                    proof_sent,
                    came,
                    disclosed,
                });
            }
        };
        let (exchange, answer) = match proof_sent {
            None => {
                disclosed = Disclosed::Challenge;
                ask(client, exchange, &mut place, challenge).await
            }
            Some(_) => {
                let limit = place.as_ref().map_or(FAMILIAR_ROUND, ExchangePlace::round);
                (Some(exchange), client.ask(challenge, limit).await)
            }
        };
        let answer = match (answer, exchange) {
            (Ok(answer), Some(exchange)) => (answer, exchange),
            (Ok(_), None) => return Err(granted.displaced(client.visit()).await.into()),
            (Err(left), exchange) => {
                leave(client.visit_mut(), granted, exchange, proof_sent, disclosed).await;
                return Err(Unanswered::ExchangeEnd(left));
            }
        };
        let (answer, exchange) = answer;
        let visit = client.visit();
        came = visit.now();
        if proof == ProofCheck::InTurn && proof_sent.is_none() {
            granted = granted.in_turn(visit).await?;
        }
        proof_sent = Some(visit.now());
        round = exchange.answer(granted.permit(), &answer).await;
        granted.give_up_turn();
    }
}

/// The client left the exchange. What it had proven by then is asked for all the same.
async fn leave(
    visit: &mut Visit,
    granted: Granted,
    exchange: Option<Exchange>,
    proof_sent: Option<Moment>,
    disclosed: Disclosed,
) {
    let Some(exchange) = exchange.filter(|_| proof_sent.is_some()) else {
        return granted.abandon(visit).await;
    };
    // After SCRAM's last challenge an empty answer is all that is missing.
    let nothing = Secret::new(Vec::new());
    let came = visit.now();
    let proof_sent = Some(came);
    let attempted = match exchange.answer(granted.permit(), &nothing).await {
        Round::Done(attempted) => attempted,
        Round::Challenge(..) => Attempted::Defer(UpstreamFault::Challenge),
    };
    let answered = Answered {
        granted,
        attempted,
        proof_sent,
        came,
        disclosed,
    };
    // Nobody is there to be told.
    let _ = settle(visit, answered).await;
}
