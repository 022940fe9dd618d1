//! entry - a login that Postfix has accepted takes its place among the sessions that have logged in
//!
//! Or finds no room there, which is told and counted here: the client is answered 454.
//! Not here: who finds room (`registry`), the login itself (`login`).

use super::registry::{Newcomer, NoRoom, SessionPlace};
use super::{Services, Visit};
use crate::judging::Asker;
use crate::net::upstream::{HeldProcess, LoggedIn, Stream};
use crate::report::events;
use crate::report::limits::ResourceLimit;
use gatepost_core::gate::request::attempt::UserName;
use gatepost_core::gate::request::keys::UserId;

/// A client that has logged in and has its place among the sessions that have.
pub(in crate::session) struct Entered {
    pub(in crate::session) stream: Stream,
    /// Dropped after the stream: Postfix's process is free when its connection is closed.
    _process: HeldProcess,
    /// Postfix's 235, and what it sent after it: still to be sent to the client.
    pub(in crate::session) to_client: Vec<u8>,
    pub(in crate::session) user: UserName,
    pub(in crate::session) place: SessionPlace,
}

impl Entered {
    /// On the heap: a session's future would hold it once for each function that hands it on.
    pub(in crate::session) fn new(
        logged_in: LoggedIn,
        user: UserName,
        place: SessionPlace,
    ) -> Box<Self> {
        let mut to_client = Vec::new();
        logged_in.reply.render(&mut to_client);
        to_client.extend_from_slice(&logged_in.rest);
        Box::new(Self {
            stream: logged_in.stream,
            _process: logged_in.process,
            to_client,
            user,
            place,
        })
    }
}

/// Takes a place among the sessions that have logged in. Why there is none is told and counted here.
pub(in crate::session) fn enter(
    visit: &Visit,
    name: &UserName,
    user: UserId,
) -> Result<SessionPlace, NoRoom> {
    let Services {
        judging, registry, ..
    } = &*visit.services;
    let newcomer = Newcomer {
        name,
        user,
        own_limit: judging.gate().sessions_of(user),
        client: visit.key,
        epoch: visit.epoch,
    };
    let now = visit.now();
    let entered = match registry.enter(newcomer, now) {
        // Banned while Postfix was asked: a ban ends only sessions that have entered.
        Ok(_) if judging.bars(visit.key) => Err(NoRoom::Expelled),
        entered => entered,
    };
    if let Err(reason) = entered {
        let limits = &judging.counters.limits;
        match reason {
            NoRoom::PerUser => limits.count(ResourceLimit::PerUser),
            NoRoom::Processes => limits.count(ResourceLimit::LoggedIn),
            NoRoom::Expelled => {}
        }
        let refused = events::LoginWithoutRoom {
            session: visit.seen(),
            user: name,
            reason: reason.as_str(),
            held: registry.of_user(user),
            logged_in: registry.logged_in() + registry.elsewhere(),
        };
        judging.reporter.no_room(&refused, now);
    }
    entered
}
