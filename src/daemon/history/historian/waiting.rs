//! waiting - how many events may wait for the disk, by who brought them about
//!
//! Not here: what waits, and what becomes of it (`historian`).

use crate::report::record::{BanRecord, RecordedEvent};
use gatepost_core::gate::request::verdict::BanCause;

/// Bans, outages and acts that wait for the disk. How many of them may be there before a ban by hand, of which a list has
/// thousands, and before what a botnet brings about: neither pushes out what an operator did.
pub(super) const WAITING: usize = 1024;
const BEFORE_BY_HAND: usize = 960;
const BEFORE_OTHERS: usize = 768;

/// How many may wait for the disk before this one.
pub(super) const fn may_wait(event: &RecordedEvent) -> usize {
    match event {
        RecordedEvent::Ban(BanRecord {
            cause: BanCause::Operator,
            ..
        }) => BEFORE_BY_HAND,
        RecordedEvent::Ban(_) | RecordedEvent::BanEnded(_) => BEFORE_OTHERS,
        _ => WAITING,
    }
}
