//! head - the first record of a snapshot: when it was written, by which clocks and in which mode
//!
//! Not here: the other records (`record`).

use bytes::{Buf, BufMut};

use super::{mode_number, place, read_mode, read_moment, read_place};
use crate::gate::request::change::Origin;
use crate::gate::request::settings::Mode;
use crate::moment::Moment;

/// The first record of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) struct Head {
    /// When it was begun. What is said of the future or the past is a distance from here.
    pub(in crate::gate) at: Moment,
    /// What the clock on the wall showed then: the next process begins by it. Heads that do not say were written by
    /// processes that took no notice of a clock that was set.
    pub(in crate::gate) wall: Moment,
    pub(in crate::gate) origin: Origin,
    pub(in crate::gate) mode: Mode,
    /// Since when the state settles in, in nanoseconds since the epoch; 0: it does not.
    pub(in crate::gate) settling: u64,
    /// The last change of a ban that it knows of: older ones are contained, or over.
    pub(in crate::gate) bans: Moment,
    /// How names were folded; none: before there was a choice.
    pub(in crate::gate) names: Option<u64>,
}

impl Head {
    pub(in crate::gate) fn write(&self, out: &mut Vec<u8>) {
        place(out, self.at, self.origin);
        out.put_u8(mode_number(self.mode));
        out.put_u64_le(self.settling);
        out.put_u64_le(self.bans.as_nanos());
        out.put_u64_le(self.names.unwrap_or(0));
        out.put_u64_le(self.wall.as_nanos());
    }

    /// A mode that is unknown is taken for the strict one.
    pub(in crate::gate) fn read(mut from: &[u8]) -> Option<Self> {
        let (at, origin) = read_place(&mut from)?;
        Some(Self {
            at,
            origin,
            mode: read_mode(&mut from).unwrap_or(Mode::Enforce),
            settling: from.try_get_u64_le().ok()?,
            bans: read_moment(&mut from)?,
            names: from.try_get_u64_le().ok().filter(|mark| *mark != 0),
            wall: read_moment(&mut from).unwrap_or(at),
        })
    }
}
