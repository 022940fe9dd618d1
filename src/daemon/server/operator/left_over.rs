//! left_over - what a process that was stopped can still answer, and what the next one says of it
//!
//! Not here: how the two find each other (`server::predecessors`), whose sessions an order is about (`expel`).

use super::{Operator, expel};
use crate::admin::message::{HeldMessage, Request, Response, WhyEnded, WorkMessage};
use crate::net::splice::EndOrder;
use crate::session::registry::NumberedSession;

/// What a process can answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Duty {
    /// Everything.
    Serves,
    /// Which sessions it still has: the state is another process's.
    Leaves,
}

impl Operator {
    /// Of a process that has given up its state.
    pub(in crate::server) fn leaving(mut self) -> Self {
        self.duty = Duty::Leaves;
        self
    }

    /// Whether it is this process that has to answer.
    pub(super) fn may_answer(&self, request: &Request) -> bool {
        let is_of_leaving = matches!(request, Request::Held | Request::EndHeld { .. });
        self.duty == Duty::Serves || is_of_leaving
    }

    /// With what takes a moment to find out.
    pub(super) async fn whole_status(&self) -> Response {
        self.until_asked().await;
        let mut status = self.status();
        status.left_over = self.context.predecessors.sessions().await as u64;
        Response::Status(Box::new(status))
    }

    /// The sessions of this process, for the next one.
    pub(super) fn held(&self) -> Response {
        let held = self.context.services.registry.held(self.now()).into_iter();
        let message = |session: NumberedSession| HeldMessage {
            number: session.number,
            name: session.name.as_bytes().to_vec(),
            client: session.client.to_string(),
            work: Some(WorkMessage {
                lasts_s: session.work.seen.since(session.work.since).as_secs(),
                still_s: session.work.still().as_secs(),
                lately: session.work.lately,
                clients_turn: session.work.clients_turn,
            }),
        };
        Response::Held {
            sessions: held.map(message).collect(),
        }
    }

    /// Ends some of them, as the next process says.
    pub(super) fn end_held(&self, numbers: Vec<u64>, why: WhyEnded) -> Response {
        let numbers = numbers.into_iter().collect();
        let why = match why {
            WhyEnded::ByOrder => EndOrder::Expelled,
            WhyEnded::GaveWay => EndOrder::GaveWay,
        };
        let sessions = self.context.services.registry.end_numbered(&numbers, why);
        Response::Ended {
            message: expel::ended(sessions, 0),
            sessions: sessions as u64,
            networks: 0,
        }
    }
}
