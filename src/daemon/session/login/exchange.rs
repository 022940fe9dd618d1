//! exchange - the mechanisms that hide the password: their rounds between the client and Postfix
//!
//! SCRAM names its user first, and is judged before its first octet reaches Postfix; CRAM-MD5 names it with its
//! answer, and is judged before that does. Nobody holds a turn while the client thinks: how many exchanges of
//! strangers hold a Postfix process then is bounded by turns of their own. A client that stops before it was
//! given a challenge for its name is not charged; after that it is, for the challenge tells about the name;
//! once its proof was sent, Postfix's answer decides.
//! Not here: settling (`login`), the rounds' words (`smtp::sasl`), Postfix's side (`net::upstream`).
//! RFC 5802 section 5, RFC 2195 section 2.

use super::connect::connect;
use super::{Answered, Client, Disclosed, Unanswered, settle};
use crate::judging::{Granted, Held, Unjudged};
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
    relay(client, granted, place, Sent::first(came), round).await
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
    let came = visit.now();
    let Ok(user) = sasl::cram_user(answer.expose()) else {
        attempt.cancel(visit);
        return Err(Unanswered::Resolved(Resolution::Reject));
    };
    let mut granted = attempt.judge(visit, &user, Password::Hidden).await?;
    let proof_sent = Some(visit.now());
    let round = exchange.answer(granted.permit(), &answer).await;
    granted.give_up_turn();
    relay(
        client,
        granted,
        Some(place),
        Sent { proof_sent, came },
        round,
    )
    .await
}

/// Relays the rounds that are left, until Postfix ends them or the client leaves. A stranger's first
/// proof is checked in turn: who has a `place` among the exchanges is one. A challenge that comes before any
/// proof was made for the name.
async fn relay(
    client: &mut impl Client,
    mut granted: Granted,
    place: Option<Held>,
    Sent {
        mut proof_sent,
        mut came,
    }: Sent,
    mut round: Round,
) -> Result<Answered, Unanswered> {
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
        if proof_sent.is_none() {
            disclosed = Disclosed::Challenge;
        }
        let answer = match client.ask(challenge).await {
            Ok(answer) => answer,
            Err(left) => {
                leave(client.visit_mut(), granted, exchange, proof_sent, disclosed).await;
                return Err(Unanswered::ExchangeEnd(left));
            }
        };
        let visit = client.visit();
        came = visit.now();
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
async fn leave(
    visit: &mut Visit,
    granted: Granted,
    exchange: Exchange,
    proof_sent: Option<Moment>,
    disclosed: Disclosed,
) {
    if proof_sent.is_none() {
        return granted.abandon(visit).await;
    }
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
