//! places - the new places of users, whose password seems to be stolen, and what changed of that
//!
//! Not here: the other records (`record`).

use bytes::{Buf, BufMut};

use super::section;
use crate::gate::request::change::Fact;
use crate::gate::request::client::RegionKey;
use crate::gate::request::keys::UserId;
use crate::gate::request::place::Country;
use crate::gate::request::suspicion::{
    ClearedUser, HeldPlace, StolenSuspicion, SuspicionCause, UserPlace,
};
use crate::gate::state::frame::Section;

/// The numbers of the sections, and the octets of a record.
pub(in crate::gate) const PLACES_NUMBER: u8 = 50;
pub(in crate::gate) const SUSPICIONS_NUMBER: u8 = 51;
pub(in crate::gate) const PLACES: Section = section(PLACES_NUMBER, 26);
pub(in crate::gate) const SUSPICIONS: Section = section(SUSPICIONS_NUMBER, 13);

/// The kinds of journal records.
const NEW: u8 = 52;
const SUSPECTED: u8 = 53;
const CLEARED: u8 = 54;

/// No autonomous system has this number (RFC 7607), and no country these letters.
const NO_SYSTEM: u32 = 0;
const NO_COUNTRY: [u8; 2] = [0; 2];

pub(in crate::gate) fn write_place(out: &mut Vec<u8>, new: UserPlace) {
    let UserPlace { user, place } = new;
    out.put_u64_le(user.0);
    out.put_u64_le(place.region.code());
    out.put_u32_le(place.system.unwrap_or(NO_SYSTEM));
    out.put_slice(&place.country.map_or(NO_COUNTRY, Country::letters));
    out.put_u32_le(place.at);
}

pub(in crate::gate) fn read_place_new(from: &mut &[u8]) -> Option<UserPlace> {
    let user = UserId(from.try_get_u64_le().ok()?);
    let region = RegionKey::of_code(from.try_get_u64_le().ok()?)?;
    let system = Some(from.try_get_u32_le().ok()?).filter(|number| *number != NO_SYSTEM);
    let letters = [from.try_get_u8().ok()?, from.try_get_u8().ok()?];
    let country = std::str::from_utf8(&letters).ok().and_then(Country::new);
    let at = from.try_get_u32_le().ok()?;
    let place = HeldPlace {
        region,
        system,
        country,
        at,
    };
    Some(UserPlace { user, place })
}

pub(in crate::gate) fn write_suspicion(out: &mut Vec<u8>, suspicion: StolenSuspicion) {
    out.put_u64_le(suspicion.user.0);
    out.put_u8(suspicion.cause as u8);
    out.put_u32_le(suspicion.since);
}

pub(in crate::gate) fn read_suspicion(from: &mut &[u8]) -> Option<StolenSuspicion> {
    let user = UserId(from.try_get_u64_le().ok()?);
    let number = from.try_get_u8().ok()?;
    let mut causes = SuspicionCause::ALL.into_iter();
    let cause = causes.find(|cause| *cause as u8 == number)?;
    let since = from.try_get_u32_le().ok()?;
    Some(StolenSuspicion { user, cause, since })
}

/// A change as a journal record; none if it is no such change.
pub(super) fn write_change(out: &mut Vec<u8>, fact: Fact) -> Option<u8> {
    Some(match fact {
        Fact::PlaceNew(new) => {
            write_place(out, new);
            NEW
        }
        Fact::StolenSuspected(suspicion) => {
            write_suspicion(out, suspicion);
            SUSPECTED
        }
        Fact::StolenCleared(ClearedUser(user)) => {
            out.put_u64_le(user.0);
            CLEARED
        }
        _ => return None,
    })
}

/// What a journal says of new places; none if this version does not know the record.
pub(super) fn read_change(number: u8, from: &mut &[u8]) -> Option<Fact> {
    Some(match number {
        NEW => Fact::PlaceNew(read_place_new(from)?),
        SUSPECTED => Fact::StolenSuspected(read_suspicion(from)?),
        CLEARED => Fact::StolenCleared(ClearedUser(UserId(from.try_get_u64_le().ok()?))),
        _ => return None,
    })
}
