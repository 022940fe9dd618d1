//! told_letters - the numbers of what this machine tells over a store, and the facts that it told last
//!
//! A store may lose what it took: a replica that takes over, a server that restarts, an entry that somebody deletes. By the numbers the
//! others see that something is missing, and are told again what it was, not all that is known.
//! Not here: what the others see (`read_letters`), when it is told again (`sync`).

use std::collections::VecDeque;

use crate::cluster::message::{ClusterLetter, ClusterTold, NumberedLetter, ProcessId};
use gatepost_core::gate::request::change::Change;

/// Facts that are kept to be told again: what a busy machine tells in a minute.
const KEPT: usize = 8192;

/// What was told.
#[derive(Debug)]
pub(super) struct ToldLetters {
    process: ProcessId,
    /// The last number that was used.
    number: u64,
    /// The last facts, and the number of the letter that they stood in at the latest.
    facts: VecDeque<(u64, Change)>,
    /// All facts that were told after this number are among those.
    complete_since: u64,
}

impl ToldLetters {
    /// Of a process that has told nothing.
    pub(super) const fn new(process: ProcessId) -> Self {
        Self {
            process,
            number: 0,
            facts: VecDeque::new(),
            complete_since: 0,
        }
    }

    /// The next letter.
    pub(super) fn letter(&mut self, told: ClusterTold) -> NumberedLetter {
        self.number += u64::from(told.is_numbered());
        let process = self.process;
        NumberedLetter {
            number: self.number,
            letter: ClusterLetter { process, told },
        }
    }

    /// The last number that was used.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// The last letters told these facts.
    pub(super) fn keep(&mut self, facts: &[Change]) {
        self.facts
            .extend(facts.iter().map(|fact| (self.number, *fact)));
        while self.facts.len() > KEPT {
            if let Some((number, _)) = self.facts.pop_front() {
                self.complete_since = number;
            }
        }
    }

    /// The last letters told again what was told after this number: it is kept once.
    pub(super) fn keep_again(&mut self, since: u64, facts: &[Change]) {
        self.facts.retain(|(told, _)| *told <= since);
        self.keep(facts);
    }

    /// The last letters told much that is not kept.
    pub(super) fn keep_none(&mut self) {
        self.facts.clear();
        self.complete_since = self.number;
    }

    /// The facts that were told after this number. None: not all of them are kept.
    pub(super) fn since(&self, number: u64) -> Option<Vec<Change>> {
        let later = self.facts.iter().filter(|(told, _)| *told > number);
        (number >= self.complete_since).then(|| later.map(|(_, fact)| *fact).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepost_core::gate::request::change::Fact;
    use gatepost_core::moment::Moment;

    fn fact(second: u64) -> Change {
        Change::here(Moment::from_seconds(second), Fact::BackendFailing)
    }

    fn tell(told: &mut ToldLetters, facts: &[Change]) -> u64 {
        let letter = told.letter(ClusterTold::Facts(Vec::new()));
        told.keep(facts);
        letter.number
    }

    #[test]
    fn what_was_told_after_a_number_is_told_again_and_nothing_else() {
        let mut told = ToldLetters::new([7; 16]);
        assert_eq!(tell(&mut told, &[fact(1), fact(2)]), 1);
        assert_eq!(tell(&mut told, &[fact(3)]), 2);
        assert_eq!(told.since(0), Some(vec![fact(1), fact(2), fact(3)]));
        assert_eq!(told.since(1), Some(vec![fact(3)]));
        assert_eq!(told.since(2), Some(Vec::new()));
        // A question has no number of its own.
        let asks = told.letter(ClusterTold::Asks(Moment::EPOCH));
        assert_eq!(asks.number, 2);
    }

    #[test]
    fn what_is_told_again_does_not_become_more() {
        let mut told = ToldLetters::new([7; 16]);
        tell(&mut told, &[fact(1)]);
        tell(&mut told, &[fact(2), fact(3)]);
        for _ in 0..3 {
            let again = told.since(1).unwrap();
            assert_eq!(again, [fact(2), fact(3)]);
            told.letter(ClusterTold::Facts(Vec::new()));
            told.keep_again(1, &again);
        }
        assert_eq!(told.since(0).unwrap().len(), 3);
    }

    #[test]
    fn what_is_not_kept_is_known_to_be_incomplete() {
        let mut told = ToldLetters::new([7; 16]);
        tell(&mut told, &[fact(1)]);
        told.letter(ClusterTold::Facts(Vec::new()));
        told.keep_none();
        assert_eq!(told.since(1), None);
        assert_eq!(told.since(2), Some(Vec::new()));
        let many: Vec<Change> = (0..KEPT as u64).map(fact).collect();
        tell(&mut told, &many);
        assert_eq!(told.since(2).map(|facts| facts.len()), Some(KEPT));
        tell(&mut told, &[fact(9)]);
        assert_eq!(told.since(2), None, "the first one has no room any more");
        assert_eq!(told.since(3), Some(vec![fact(9)]));
    }
}
