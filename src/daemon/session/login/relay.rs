//! relay - SCRAM and CRAM-MD5, round by round
//!
//! Judged before the first octet of SCRAM reaches Postfix, and before CRAM-MD5's answer does: its
//! name comes with it. Nobody holds a turn while the client thinks; how many relayed exchanges of
//! strangers hold a Postfix process is bounded by turns of their own (`Rules::exchanges`).
//! A client that stops before its proof was sent is not charged; after that, Postfix's answer decides.
//! RFC 5802 section 5, RFC 2195 section 2, RFC 4954 section 4.

use std::time::Duration;

use tokio::time::timeout;

use super::{Record, Refused, Tried, judge};
use crate::net::queue::Turn;
use crate::net::upstream::{Attempted, Exchange, Origin, Round, UpstreamFault};
use crate::session::Visit;
use gatepost_core::gate::permit::Permit;
use gatepost_core::gate::request::attempt::{AuthAttempt, Password, Secret, UserName};
use gatepost_core::gate::request::verdict::{Reason, Refusal};
use gatepost_core::smtp::dialogue::Resolution;
use gatepost_core::smtp::sasl::{self, Mechanism};

/// An exchange that waits for the client's next answer.
pub(in crate::session) struct Relay {
    exchange: Exchange,
    named: Named,
    record: Record,
    /// Bounds the Postfix processes that strangers hold by thinking.
    hold: Option<Turn>,
}

/// How far the exchange has come.
enum Named {
    /// CRAM-MD5 before its answer.
    Not,
    /// Judged, nothing that proves a password sent as yet.
    Judged(UserName, Permit),
    /// The proof is with Postfix.
    Proven(UserName, Permit),
}

/// Judges and begins a SCRAM exchange.
pub(in crate::session) async fn scram(
    visit: &mut Visit,
    origin: &Origin,
    mechanism: Mechanism,
    user: UserName,
    first: &Secret,
) -> Tried {
    let record = Record::begin(visit, mechanism.as_str());
    let (permit, turn) = match judge(visit, &attempt(visit, &user)).await {
        Ok(permitted) => permitted,
        Err(refused) => return record.refused(visit, Some(&user), refused).await,
    };
    let hold = match turn {
        None => None,
        Some(turn) => {
            drop(turn);
            // The permit has its tokens already: who would have to wait with them is sent away, uncharged.
            let hold = visit.rules.exchanges.take(visit.key.network());
            let hold = timeout(Duration::ZERO, hold).await.ok().flatten();
            if hold.is_none() {
                record.abandoned(visit, Some(&user), Some(permit)).await;
                return Tried::Resolved(Resolution::Defer);
            }
            hold
        }
    };
    let round = match visit.rules.upstream.connect(origin).await {
        Ok(connected) => connected.begin_scram(&permit, mechanism, first).await,
        Err(fault) => Round::Done(Attempted::Defer(fault)),
    };
    match round {
        Round::Challenge(exchange, challenge) => {
            let named = Named::Judged(user, permit);
            Tried::Challenged(
                challenge,
                Box::new(Relay {
                    exchange,
                    named,
                    record,
                    hold,
                }),
            )
        }
        Round::Done(attempted) => {
            // Nothing that proves a password was sent as yet.
            let now = visit.now();
            record.settled(visit, &user, permit, attempted, now).await
        }
    }
}

/// Begins a CRAM-MD5 exchange, for a client that could be allowed.
pub(in crate::session) async fn cram_md5(visit: &mut Visit, origin: &Origin) -> Tried {
    let record = Record::begin(visit, Mechanism::CramMd5.as_str());
    let now = visit.services.clock.now();
    if let Some(refusal) = visit.services.gate.peek(visit.key, now) {
        return record.refused(visit, None, Refused::Refuse(refusal)).await;
    }
    let Some(hold) = visit.rules.exchanges.take(visit.key.network()).await else {
        let wait = Duration::from_secs(10);
        let refusal = Refusal {
            reason: Reason::Turn,
            wait,
        };
        return record.refused(visit, None, Refused::Refuse(refusal)).await;
    };
    let round = match visit.rules.upstream.connect(origin).await {
        Ok(connected) => connected.begin_cram_md5().await,
        Err(fault) => Round::Done(Attempted::Defer(fault)),
    };
    match round {
        Round::Challenge(exchange, challenge) => {
            let relay = Relay {
                exchange,
                named: Named::Not,
                record,
                hold: Some(hold),
            };
            Tried::Challenged(challenge, Box::new(relay))
        }
        Round::Done(_) => {
            record.abandoned(visit, None, None).await;
            Tried::Resolved(Resolution::Defer)
        }
    }
}

impl Relay {
    /// Passes the client's answer on.
    pub(in crate::session) async fn answer(
        self: Box<Self>,
        visit: &mut Visit,
        answer: &Secret,
    ) -> Tried {
        let Self {
            exchange,
            named,
            record,
            hold,
        } = *self;
        let (user, permit, turn) = match judged(visit, &record, named, answer, &hold).await {
            Ok(judged) => judged,
            Err(refused) => return refused,
        };
        let (sent, round) = (visit.now(), exchange.answer(&permit, answer).await);
        drop(turn);
        match round {
            Round::Challenge(exchange, challenge) => {
                let named = Named::Proven(user, permit);
                Tried::Challenged(
                    challenge,
                    Box::new(Self {
                        exchange,
                        named,
                        record,
                        hold,
                    }),
                )
            }
            Round::Done(attempted) => {
                drop(hold);
                record.settled(visit, &user, permit, attempted, sent).await
            }
        }
    }

    /// The client called it off or is gone. What it had proven by then is asked for all the same.
    pub(in crate::session) async fn abandon(self: Box<Self>, visit: &mut Visit) {
        let Self {
            exchange,
            named,
            record,
            hold: _hold,
        } = *self;
        match named {
            Named::Not => record.abandoned(visit, None, None).await,
            Named::Judged(user, permit) => {
                record.abandoned(visit, Some(&user), Some(permit)).await;
            }
            Named::Proven(user, permit) => {
                // After SCRAM's last challenge an empty answer is all that is missing.
                let nothing = Secret::new(Vec::new());
                let sent = visit.now();
                let attempted = match exchange.answer(&permit, &nothing).await {
                    Round::Done(attempted) => attempted,
                    Round::Challenge(..) => Attempted::Defer(UpstreamFault::Challenge),
                };
                let _ = record.settled(visit, &user, permit, attempted, sent).await;
            }
        }
    }
}

/// The permit for an answer, and a turn where strangers need one: whoever is bounded by a `hold` is one.
async fn judged(
    visit: &mut Visit,
    record: &Record,
    named: Named,
    answer: &Secret,
    hold: &Option<Turn>,
) -> Result<(UserName, Permit, Option<Turn>), Tried> {
    match named {
        Named::Not => {
            let Ok(user) = sasl::cram_user(answer.expose()) else {
                record.abandoned(visit, None, None).await;
                return Err(Tried::Resolved(Resolution::Reject));
            };
            match judge(visit, &attempt(visit, &user)).await {
                Ok((permit, turn)) => Ok((user, permit, turn)),
                Err(refused) => Err(record.refused(visit, Some(&user), refused).await),
            }
        }
        Named::Judged(user, permit) if hold.is_some() => {
            match visit.rules.turns.take(visit.key.network()).await {
                Some(turn) => Ok((user, permit, Some(turn))),
                None => {
                    record.abandoned(visit, Some(&user), Some(permit)).await;
                    Err(Tried::Resolved(Resolution::Defer))
                }
            }
        }
        Named::Judged(user, permit) | Named::Proven(user, permit) => Ok((user, permit, None)),
    }
}

fn attempt<'a>(visit: &Visit, user: &'a UserName) -> AuthAttempt<'a> {
    AuthAttempt {
        client: visit.key,
        user,
        password: Password::Hidden,
        session: visit.id.number(),
    }
}
