//! read_letters - what this machine has read of each other process, and what it lacks of it
//!
//! Each process numbers what it tells, and each of its letters says the last number. So whatever the store has lost is seen, at a sign
//! of life at the latest, and that process is asked to tell it again.
//! Not here: what it tells then (`told_letters`), asking for all where a place in the stream is gone (`sync`).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cluster::message::{ClusterTold, LackedLetters, NumberedLetter, ProcessId};
use gatepost_core::moment::Moment;

/// From one question to the next.
const ASKS: Duration = Duration::from_secs(5);
/// A process of which nothing was read for so long is gone: all are asked what they know of it.
const PATIENCE: Duration = Duration::from_secs(30);
/// The same of one that tells other things, and not what is missing.
const LONGEST: Duration = Duration::from_secs(3600);
/// Processes whose numbers are remembered.
const PROCESSES: usize = 1024;

/// What was read of all processes.
#[derive(Debug, Default)]
pub(super) struct ReadLetters(BTreeMap<ProcessId, ReadProcess>);

/// What was read of one.
#[derive(Debug)]
struct ReadProcess {
    /// The last number.
    number: u64,
    at: Moment,
    lacks: Option<MissingLetters>,
}

/// Letters that are missing.
#[derive(Debug)]
struct MissingLetters {
    /// All that was told up to this number was read.
    since: u64,
    /// The number before the last one that is missing.
    last: u64,
    found: Moment,
    asked: Option<Moment>,
}

impl ReadLetters {
    /// A letter of another process was read.
    pub(super) fn note(&mut self, numbered: &NumberedLetter, now: Moment) {
        let by = numbered.letter.process;
        let Some(process) = self.0.get_mut(&by) else {
            // What it told before comes with the answer that each process asks for when it starts.
            let process = ReadProcess {
                number: numbered.number,
                at: now,
                lacks: None,
            };
            self.0.insert(by, process);
            return self.forget_oldest();
        };
        process.at = now;
        process.note(numbered, now);
    }

    /// A letter of another process was read that only a later version knows: it is not missing.
    pub(super) fn note_unknown(&mut self, process: ProcessId, number: u64) {
        if let Some(process) = self.0.get_mut(&process)
            && number == process.number.saturating_add(1)
        {
            process.number = number;
        }
    }

    /// What to ask for now, at `common` by the store's clock; and whether a process that was asked is gone.
    pub(super) fn lacking(&mut self, (now, common): (Moment, Moment)) -> (Vec<ClusterTold>, bool) {
        let (mut asks, mut is_gone) = (Vec::new(), false);
        for (process, read) in &mut self.0 {
            let Some(lack) = &mut read.lacks else {
                continue;
            };
            let silent = now.since(lack.found.max(read.at));
            if silent >= PATIENCE || now.since(lack.found) >= LONGEST {
                read.lacks = None;
                is_gone = true;
            } else if lack.asked.is_none_or(|at| now.since(at) >= ASKS) {
                lack.asked = Some(now);
                asks.push(ClusterTold::Lacks(LackedLetters {
                    at: common,
                    process: *process,
                    since: lack.since,
                }));
            }
        }
        (asks, is_gone)
    }

    /// Whether nothing that was told is missing.
    pub(super) fn is_whole(&self) -> bool {
        self.0.values().all(|process| process.lacks.is_none())
    }

    /// More than some letters is missing, and all is asked for: what each process tells next is a beginning.
    pub(super) fn begin_anew(&mut self) {
        self.0.clear();
    }

    fn forget_oldest(&mut self) {
        if self.0.len() > PROCESSES {
            let oldest = self.0.iter().min_by_key(|(_, process)| process.at);
            if let Some(oldest) = oldest.map(|(process, _)| *process) {
                self.0.remove(&oldest);
            }
        }
    }
}

impl ReadProcess {
    fn note(&mut self, numbered: &NumberedLetter, now: Moment) {
        let NumberedLetter { number, letter } = numbered;
        let follows = self.number.saturating_add(letter.told.is_numbered().into());
        if *number > follows {
            let since = self.number;
            let lack = self.lacks.get_or_insert(MissingLetters {
                since,
                last: since,
                found: now,
                asked: None,
            });
            lack.last = since;
        }
        let is_repeated = *number < self.number;
        self.number = self.number.max(*number);
        if let ClusterTold::ToldAgain { since, from } = letter.told
            && !is_repeated
            && let Some(lack) = self.lacks.take_if(|lack| since <= lack.since)
            && lack.last >= from
        {
            // Some of what was told again is missing too.
            self.lacks = Some(MissingLetters {
                since: from,
                asked: None,
                ..lack
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::message::{ClusterLetter, SettlingTold};

    const NOW: Moment = Moment::from_seconds(1_800_000_000);
    const PROCESS: ProcessId = [7; 16];

    fn letter(number: u64, told: ClusterTold) -> NumberedLetter {
        let process = PROCESS;
        NumberedLetter {
            number,
            letter: ClusterLetter { process, told },
        }
    }

    fn facts(number: u64) -> NumberedLetter {
        letter(number, ClusterTold::Facts(Vec::new()))
    }

    fn hello(number: u64) -> NumberedLetter {
        letter(number, ClusterTold::Hello(SettlingTold::Unknown))
    }

    fn again(number: u64, since: u64, from: u64) -> NumberedLetter {
        letter(number, ClusterTold::ToldAgain { since, from })
    }

    fn reading(letters: &[NumberedLetter]) -> ReadLetters {
        let mut read = ReadLetters::default();
        letters.iter().for_each(|letter| read.note(letter, NOW));
        read
    }

    fn asked(read: &mut ReadLetters, now: Moment) -> Option<u64> {
        match &read.lacking((now, now)).0[..] {
            [ClusterTold::Lacks(lacked)] => {
                assert_eq!((lacked.at, lacked.process), (now, PROCESS));
                Some(lacked.since)
            }
            [] => None,
            more => panic!("{more:?}"),
        }
    }

    #[test]
    fn letters_in_their_order_once_or_twice_lack_nothing() {
        let mut read = reading(&[hello(3), facts(4), facts(5), hello(5), facts(4), facts(6)]);
        assert!(read.is_whole());
        assert_eq!(asked(&mut read, NOW), None);
    }

    #[test]
    fn what_is_missing_in_the_middle_or_at_the_end_is_asked_for() {
        for letters in [
            &[facts(3), facts(5)][..],
            &[facts(3), hello(4)],
            &[hello(3), facts(5), facts(6), facts(9)],
        ] {
            let mut read = reading(letters);
            assert!(!read.is_whole(), "{letters:?}");
            assert_eq!(asked(&mut read, NOW), Some(3), "{letters:?}");
            assert_eq!(asked(&mut read, NOW), None, "once");
            assert_eq!(asked(&mut read, NOW + ASKS), Some(3));
        }
    }

    #[test]
    fn what_was_told_again_is_there_unless_it_too_was_lost() {
        let lacks = || reading(&[facts(3), facts(5)]);
        let mut read = lacks();
        // To somebody who lacks less.
        read.note(&again(5, 4, 5), NOW);
        assert!(!read.is_whole());
        read.note(&facts(6), NOW);
        read.note(&again(6, 3, 5), NOW);
        assert!(read.is_whole());
        for lost in [&[facts(7)][..], &[facts(6)]] {
            let mut read = lacks();
            lost.iter().for_each(|letter| read.note(letter, NOW));
            read.note(&again(7, 2, 5), NOW);
            assert_eq!(asked(&mut read, NOW), Some(5), "{lost:?}");
        }
    }

    #[test]
    fn what_only_a_later_version_knows_is_not_missing() {
        let mut read = reading(&[facts(3)]);
        read.note_unknown(PROCESS, 4);
        read.note(&facts(5), NOW);
        assert!(read.is_whole());
        read.note_unknown(PROCESS, 7);
        read.note(&facts(8), NOW);
        assert_eq!(asked(&mut read, NOW), Some(5), "one before it is");
    }

    #[test]
    fn what_somebody_repeats_fills_no_gap_and_makes_none_larger() {
        let mut read = reading(&[facts(3), again(3, 0, 2), facts(5)]);
        read.note(&again(3, 0, 2), NOW);
        assert_eq!(asked(&mut read, NOW), Some(3));
    }

    #[test]
    fn of_a_process_that_is_gone_all_are_asked() {
        let mut read = reading(&[facts(3), facts(5)]);
        let before = NOW + (PATIENCE - Duration::from_nanos(1));
        assert!(!read.lacking((before, before)).1);
        let later = NOW + PATIENCE;
        assert!(read.lacking((later, later)).1 && read.is_whole());
        assert!(!read.lacking((later, later)).1, "once");
        // One that tells other things is there, for an hour.
        let mut read = reading(&[facts(3), facts(5)]);
        for minute in 1..60 {
            let now = NOW + Duration::from_secs(60 * minute);
            read.note(&hello(5), now);
            assert!(!read.lacking((now, now)).1);
        }
        let later = NOW + LONGEST;
        read.note(&hello(5), later);
        assert!(read.lacking((later, later)).1);
    }

    #[test]
    fn after_a_long_cut_what_comes_is_a_beginning() {
        let mut read = reading(&[facts(3)]);
        read.begin_anew();
        read.note(&facts(99), NOW);
        assert!(read.is_whole());
    }

    #[test]
    fn processes_that_come_and_go_fill_no_memory() {
        let mut read = ReadLetters::default();
        for n in 0..=PROCESSES as u32 {
            let mut process = [0; 16];
            process[..4].copy_from_slice(&n.to_le_bytes());
            let now = NOW + Duration::from_secs(n.into());
            let mut numbered = hello(0);
            numbered.letter.process = process;
            read.note(&numbered, now);
        }
        assert_eq!(read.0.len(), PROCESSES);
        assert!(!read.0.contains_key(&[0; 16]), "the oldest one");
    }
}
