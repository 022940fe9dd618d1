//! length - how many records the stream in the store keeps: those of 45 s, and no more than its memory has room for
//!
//! The more machines, the more records in a second, and each machine that comes back from a cut is to find the last one that it has read.
//! All of them read every record, so each knows how large the last ones are, and has the store keep no more of those than fit.
//! Not here: the stream (`stream`).

use std::collections::VecDeque;
use std::time::Duration;

/// A cut as long as this finds all records still there: a restart takes 30 seconds.
pub const CUT: Duration = Duration::from_secs(45);
/// Records of one machine in a second at most: what it has to tell and what was spent there, five times each.
const A_SECOND: usize = 10;
/// Records in any case: a machine that makes up for what another one has missed writes about 25 a second.
const LEAST: usize = 4096;
/// Octets of the store's memory for the records that were read last.
pub(super) const MEMORY: usize = 128 * 1024 * 1024;
/// Octets of its memory for the largest of our records.
const LARGEST: usize = 11 * 1024;

/// How many records the stream keeps, by the size of the last ones.
#[derive(Debug)]
pub struct StreamLength {
    most: usize,
    /// The store's memory for each of the records that were read last, and for all of them.
    read: VecDeque<u32>,
    memory: usize,
}

impl StreamLength {
    /// With so many machines.
    pub const fn new(machines: usize) -> Self {
        let each = machines.saturating_mul(A_SECOND * CUT.as_secs() as usize);
        Self {
            most: LEAST.saturating_add(each),
            read: VecDeque::new(),
            memory: 0,
        }
    }

    /// A record of so many octets was read.
    pub fn note(&mut self, octets: usize) {
        // As MEMORY USAGE shows it for records of 166 to 8,246 octets, or a little less than this.
        let memory = octets + octets / 4 + 64;
        self.read
            .push_back(u32::try_from(memory).unwrap_or(u32::MAX));
        self.memory += memory;
        while self.memory > MEMORY || self.read.len() > self.most {
            let first = self.read.pop_front().unwrap_or_default();
            self.memory = self.memory.saturating_sub(first as usize);
        }
    }

    /// How many records the stream may keep.
    pub fn kept(&self) -> usize {
        // Of a stream that was not read as a whole it is not known how large it is: others have.
        let has_room = self.memory + LARGEST <= MEMORY;
        if has_room { self.most } else { self.read.len() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_machines_the_more_records_and_each_cut_of_30_s_fits() {
        for machines in [2, 5, 20, 200, 500] {
            let mut length = StreamLength::new(machines);
            let in_a_cut = machines * A_SECOND * 30;
            // A part of all machines together: 32 buckets, as `message` and `secret` write them.
            (0..in_a_cut * 2).for_each(|_| length.note(620));
            assert!(length.kept() >= in_a_cut, "{machines}: {}", length.kept());
            assert!(length.memory <= MEMORY);
        }
    }

    #[test]
    fn large_records_shorten_it_and_small_ones_lengthen_it_again() {
        let mut length = StreamLength::new(200);
        let most = length.kept();
        assert_eq!(most, 94_096);
        (0..most).for_each(|_| length.note(8_246));
        let short = length.kept();
        assert!(
            short < most && short * LARGEST > MEMORY - LARGEST,
            "{short}"
        );
        (0..most).for_each(|_| length.note(620));
        assert_eq!(length.kept(), most);
    }

    #[test]
    fn of_few_machines_no_record_is_too_large() {
        let mut length = StreamLength::new(2);
        let most = length.kept();
        (0..most * 2).for_each(|_| length.note(9 * 1024));
        assert_eq!((length.kept(), length.read.len()), (most, most));
    }
}
