//! ledger - what was spent here, told under numbers; and of what others have spent, nothing twice
//!
//! A sum that came twice would be spent twice, and a program that can write to the store can repeat what was told. So
//! each process numbers what it tells, and only larger numbers than the last are taken from it. From a process that is
//! not known here, only what it told later than the state that this process has read is taken: the state holds the rest.
//! What the store has lost is told by another machine, as what is owed.
//! Not here: how it is sealed and sent (`sharing`), what it does (`gate::spent`).

use std::collections::BTreeMap;

use crate::cluster::message::{NumberedRecords, ProcessId};
use gatepost_core::gate::Gate;
use gatepost_core::gate::spent::{SPENT_RECORD, SpentRecord};
use gatepost_core::moment::Moment;

/// Buckets that all machines together tell of in a round, and one of many machines at least.
const TOGETHER: usize = 2048;
const LEAST: usize = 32;
/// Records in one entry.
const RECORDS: usize = 480;
/// Processes whose numbers are remembered.
const PROCESSES: usize = 1024;

/// What was told and taken.
#[derive(Debug)]
pub(super) struct SpentLedger {
    /// The last number that was used.
    number: u64,
    /// The last number of each process, and when it was noted.
    taken: BTreeMap<ProcessId, (u64, Moment)>,
    /// Of a process that is not among those, only what it told later than this is taken.
    floor: Moment,
}

impl SpentLedger {
    /// That of a process with the state of that moment.
    pub(super) const fn new(as_of: Moment) -> Self {
        Self {
            number: 0,
            taken: BTreeMap::new(),
            floor: as_of,
        }
    }

    /// What was spent here and is to be told now, one of so many machines, at `common` by the store's clock.
    pub(super) fn next(
        &mut self,
        gate: &Gate,
        machines: usize,
        (now, common): (Moment, Moment),
    ) -> Vec<NumberedRecords> {
        let most = (TOGETHER / machines.max(1)).max(LEAST);
        let spent = gate.take_spent(most, now);
        self.numbered(&spent, 0, common)
    }

    /// Records in as many entries as they need, by a clock that is so many seconds ahead.
    pub(super) fn numbered<R: SpentRecord>(
        &mut self,
        records: &[R],
        ahead: i64,
        common: Moment,
    ) -> Vec<NumberedRecords> {
        let mut entries = Vec::new();
        for records in records.chunks(RECORDS) {
            let mut octets = Vec::with_capacity(records.len() * SPENT_RECORD);
            for record in records {
                octets.extend_from_slice(&record.octets(ahead));
            }
            self.number += 1;
            entries.push(NumberedRecords {
                number: self.number,
                at: common,
                octets,
            });
        }
        entries
    }

    /// Whether what a process told under this number, at the moment `at` by this machine's clock, was not taken yet; it is then.
    pub(super) fn is_news(
        &mut self,
        process: ProcessId,
        number: u64,
        at: Moment,
        now: Moment,
    ) -> bool {
        match self.taken.get_mut(&process) {
            Some((last, noted)) if number > *last => {
                (*last, *noted) = (number, now);
                true
            }
            Some(_) => false,
            None if at <= self.floor => false,
            None => {
                self.taken.insert(process, (number, now));
                self.forget_oldest();
                true
            }
        }
    }

    /// Nothing of a process that is forgotten is taken later that it told before.
    fn forget_oldest(&mut self) {
        if self.taken.len() <= PROCESSES {
            return;
        }
        let oldest = self.taken.iter().min_by_key(|(_, (_, noted))| *noted);
        if let Some((process, noted)) = oldest.map(|(process, (_, noted))| (*process, *noted)) {
            self.taken.remove(&process);
            self.floor = self.floor.max(noted);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Moment = Moment::from_seconds(1_800_000_000);
    const SECOND: Duration = Duration::from_secs(1);

    fn process(number: u32) -> ProcessId {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&number.to_le_bytes());
        id
    }

    #[test]
    fn what_was_told_twice_or_is_repeated_later_is_taken_once() {
        let mut ledger = SpentLedger::new(NOW);
        let later = NOW + SECOND;
        assert!(ledger.is_news(process(1), 7, later, later));
        assert!(!ledger.is_news(process(1), 7, later, later));
        assert!(!ledger.is_news(process(1), 6, later, later));
        assert!(ledger.is_news(process(1), 9, later, later));
        assert!(ledger.is_news(process(2), 1, later, later));
    }

    #[test]
    fn what_was_told_before_the_state_was_written_is_in_it() {
        let mut ledger = SpentLedger::new(NOW);
        assert!(!ledger.is_news(process(1), 1, NOW, NOW));
        assert!(ledger.is_news(process(1), 2, NOW + Duration::from_nanos(1), NOW));
    }

    #[test]
    fn of_a_process_that_was_forgotten_nothing_is_taken_twice() {
        let mut ledger = SpentLedger::new(NOW);
        let at = |n: u32| NOW + SECOND * (n + 1);
        for n in 0..=PROCESSES as u32 {
            assert!(ledger.is_news(process(n), 1, at(n), at(n)));
        }
        assert_eq!(ledger.taken.len(), PROCESSES);
        let now = at(PROCESSES as u32);
        assert!(!ledger.is_news(process(0), 1, at(0), now));
        assert!(ledger.is_news(process(0), 2, now, now));
    }
}
