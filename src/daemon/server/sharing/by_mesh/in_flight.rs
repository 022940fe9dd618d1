//! in_flight - what was spent here and told over a link that may have lost it
//!
//! A machine that is away is noticed after some seconds, and what was told meanwhile never arrives. When the same process is linked
//! again it is told the same once more, under the same numbers, before anything else: of what did arrive nothing is taken twice.
//! Not here: numbers (`ledger`), what is spent while no machine is linked (`gate::buckets::spending`).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::cluster::message::ProcessId;
use gatepost_core::moment::Moment;

/// Twice as long as a machine may say nothing before it counts as gone.
const NOTICED: Duration = Duration::from_secs(10);
/// Frames: three in a fifth of a second, at most.
const FRAMES: usize = 160;

/// What a process may have to be told again.
type LostFrames = (ProcessId, Vec<Arc<[u8]>>);

/// What was told lately, and what links that have ended may have lost of it.
#[derive(Debug, Default)]
pub(super) struct SpentInFlight {
    told: VecDeque<(Moment, Arc<[u8]>)>,
    /// By the names of machines: there are no more of them than were linked.
    lost: BTreeMap<String, LostFrames>,
}

impl SpentInFlight {
    /// This is told to all that are linked.
    pub(super) fn told(&mut self, frame: &Arc<[u8]>, now: Moment) {
        self.told.push_back((now, Arc::clone(frame)));
        self.forget(now);
    }

    /// The link with this process has ended.
    pub(super) fn lost(&mut self, machine: &str, process: ProcessId, now: Moment) {
        self.forget(now);
        let frames = self.told.iter().map(|(_, frame)| Arc::clone(frame));
        let mut all = match self.lost.remove(machine) {
            // A link that came and went at once has lost what it was to make up for.
            Some((before, frames)) if before == process => frames,
            _ => Vec::new(),
        };
        for frame in frames {
            if !all.iter().any(|known| Arc::ptr_eq(known, &frame)) {
                all.push(frame);
            }
        }
        let older = all.len().saturating_sub(FRAMES);
        all.drain(..older);
        self.lost.insert(machine.to_owned(), (process, all));
    }

    /// What to tell this process again, in its order.
    pub(super) fn again(&mut self, machine: &str, process: ProcessId) -> Vec<Arc<[u8]>> {
        match self.lost.remove(machine) {
            Some((before, frames)) if before == process => frames,
            // A new process is told what is owed, and knows none of these numbers.
            _ => Vec::new(),
        }
    }

    fn forget(&mut self, now: Moment) {
        let is_old = |at: Moment| now.since(at) > NOTICED;
        while let Some((at, _)) = self.told.front()
            && (is_old(*at) || self.told.len() > FRAMES)
        {
            self.told.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::from_seconds(1_800_000_000);
    const ONE: ProcessId = [1; 16];
    const OTHER: ProcessId = [2; 16];

    fn frame(octet: u8) -> Arc<[u8]> {
        Arc::from([octet])
    }

    #[test]
    fn what_a_link_may_have_lost_is_told_again_once_and_only_to_the_same_process() {
        let mut spent = SpentInFlight::default();
        spent.told(&frame(1), NOW);
        spent.told(&frame(2), NOW + Duration::from_secs(1));
        let ended = NOW + NOTICED + Duration::from_nanos(1);
        spent.lost("mx1", ONE, ended);
        spent.lost("mx2", ONE, ended);
        assert_eq!(spent.again("mx1", ONE), [frame(2)]);
        assert!(spent.again("mx1", ONE).is_empty());
        assert!(spent.again("mx2", OTHER).is_empty());
    }

    #[test]
    fn a_link_that_comes_and_goes_loses_nothing_and_fills_no_memory() {
        let mut spent = SpentInFlight::default();
        spent.told(&frame(1), NOW);
        spent.lost("mx1", ONE, NOW);
        spent.told(&frame(2), NOW + NOTICED);
        spent.lost("mx1", ONE, NOW + NOTICED * 2);
        assert_eq!(spent.again("mx1", ONE), [frame(1), frame(2)]);
        for round in 0..FRAMES * 3 {
            spent.told(&frame(0), NOW + NOTICED * 2);
            spent.lost("mx1", ONE, NOW + NOTICED * 2);
            assert!(spent.told.len() <= FRAMES, "{round}");
        }
        assert_eq!(spent.again("mx1", ONE).len(), FRAMES);
    }
}
