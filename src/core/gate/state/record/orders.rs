//! orders - what an operator did, as octets: whose trust was taken back, who was forgotten, forgiven, expelled
//!
//! Not here: bans (`record`).

use bytes::{Buf, BufMut};

use super::{
    EXPELLED, FORGIVEN, TRUST_REVOKED, USER_FORGOTTEN, read_moment, read_subject, write_subject,
};
use crate::gate::request::change::{
    Expulsion, Fact, Forgiven, ForgivenUser, ForgottenUser, Revocation, Subject,
};
use crate::gate::request::client::NetworkKey;
use crate::gate::request::keys::UserId;
use crate::moment::Moment;

/// A user, where a client or a network could stand too. No kind of subject has this number.
const USER: u8 = 3;

/// Where familiarity was taken back.
const EVERYWHERE: u8 = 0;
const ONE_NETWORK: u8 = 1;

/// A revocation: the same in snapshot and journal, but for where its moment stands.
pub(in crate::gate) fn write_revoked(out: &mut Vec<u8>, what: Revocation, at: Moment) {
    write_revocation(out, what);
    out.put_u64_le(at.as_nanos());
}

pub(in crate::gate) fn read_revoked(mut from: &[u8]) -> Option<(Revocation, Moment)> {
    let what = read_revocation(&mut from)?;
    Some((what, read_moment(&mut from)?))
}

/// A user who was forgotten, in a snapshot.
pub(in crate::gate) fn write_forgotten(out: &mut Vec<u8>, user: UserId, at: Moment) {
    out.put_u64_le(user.0);
    out.put_u64_le(at.as_nanos());
}

pub(in crate::gate) fn read_forgotten(mut from: &[u8]) -> Option<(UserId, Moment)> {
    let user = UserId(from.try_get_u64_le().ok()?);
    Some((user, read_moment(&mut from)?))
}

/// What an operator did, as a journal record; none if it is no such change.
pub(super) fn write_order(out: &mut Vec<u8>, fact: Fact) -> Option<u8> {
    Some(match fact {
        Fact::Forgiven(who) => {
            write_forgiven(out, who);
            FORGIVEN
        }
        Fact::TrustRevoked(what) => {
            write_revocation(out, what);
            TRUST_REVOKED
        }
        Fact::UserForgotten(ForgottenUser(user)) => {
            out.put_u64_le(user.0);
            USER_FORGOTTEN
        }
        Fact::Expelled(whose) => {
            write_expulsion(out, whose);
            EXPELLED
        }
        _ => return None,
    })
}

fn write_revocation(out: &mut Vec<u8>, what: Revocation) {
    out.put_u64_le(what.user.0);
    let (place, code) = match what.network {
        None => (EVERYWHERE, 0),
        Some(network) => (ONE_NETWORK, network.code()),
    };
    out.put_u8(place);
    out.put_u64_le(code);
}

pub(super) fn read_revocation(from: &mut &[u8]) -> Option<Revocation> {
    let user = UserId(from.try_get_u64_le().ok()?);
    let place = from.try_get_u8().ok()?;
    let code = from.try_get_u64_le().ok()?;
    let network = match place {
        EVERYWHERE => None,
        ONE_NETWORK => Some(NetworkKey::of_code(code)?),
        _ => return None,
    };
    Some(Revocation { user, network })
}

fn write_forgiven(out: &mut Vec<u8>, who: Forgiven) {
    match who {
        Forgiven::Client(client) => write_subject(out, Subject::Client(client)),
        Forgiven::User(ForgivenUser(user)) => {
            out.put_u8(USER);
            out.put_u64_le(user.0);
        }
    }
}

pub(super) fn read_forgiven(from: &mut &[u8]) -> Option<Forgiven> {
    if let Some((&USER, rest)) = from.split_first() {
        *from = rest;
        let user = UserId(from.try_get_u64_le().ok()?);
        return Some(Forgiven::User(ForgivenUser(user)));
    }
    match read_subject(from)? {
        Subject::Client(client) => Some(Forgiven::Client(client)),
        Subject::Network(_) => None,
    }
}

fn write_expulsion(out: &mut Vec<u8>, whose: Expulsion) {
    match whose {
        Expulsion::User(user, network) => {
            out.put_u8(USER);
            write_revocation(out, Revocation { user, network });
        }
        Expulsion::Place(subject) => write_subject(out, subject),
    }
}

pub(super) fn read_expulsion(from: &mut &[u8]) -> Option<Expulsion> {
    if let Some((&USER, rest)) = from.split_first() {
        *from = rest;
        let Revocation { user, network } = read_revocation(from)?;
        return Some(Expulsion::User(user, network));
    }
    read_subject(from).map(Expulsion::Place)
}
