//! journal - the changes that must not wait for the next snapshot, as octets
//!
//! A line, then a frame for each change, in the order in which they come: applied over the last
//! snapshots after a crash, by their own moments, so that neither their order in the file nor having
//! one twice matters.
//! Not here: files (the daemon's `store`), what a change becomes (`restore`).

use crate::gate::request::change::{Change, Fact};
use crate::gate::state::file::{Form, JOURNAL_LINE, StateFile};
use crate::gate::state::frame;
use crate::gate::state::record;

/// A journal of these changes, in memory.
pub fn file<'a>(changes: impl IntoIterator<Item = &'a Change>) -> StateFile {
    let mut octets = JOURNAL_LINE.as_bytes().to_vec();
    write(changes, &mut octets);
    let form = Form::Journal;
    StateFile { form, octets }
}

/// Appends the records of `changes` to `out`; those that need none are passed over.
pub fn write<'a>(changes: impl IntoIterator<Item = &'a Change>, out: &mut Vec<u8>) {
    let mut record = Vec::with_capacity(64);
    for change in changes {
        record.clear();
        if matches!(change.fact, Fact::Expelled(_)) {
            // Sessions do not outlive the process.
            continue;
        }
        if let Some(number) = record::write_change(&mut record, change) {
            frame::push(out, number, &record);
        }
    }
}
