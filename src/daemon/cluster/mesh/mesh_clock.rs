//! mesh_clock - the clock that linked machines have in common: that of the first of them, in the order of their names
//!
//! Each machine knows how far that clock is from its own, from that machine itself or by way of another. A machine that
//! learns of one whose name comes earlier takes that one's clock, and keeps it when the link is cut. Once the clock is
//! set right there, it is set right here: by that machine itself, or by the one of which it was learned. A machine that
//! was restarted may have learned it back: the two keep what they have until one of them is linked with that machine.
//! Not here: when a clock is clearly another (`common_clock`), asking (`run`).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::frame::ClockReading;
use crate::cluster::common_clock::CommonClock;
use gatepost_core::moment::Moment;

/// The common clock. Clones are the same.
#[derive(Clone, Debug)]
pub struct MeshClock(Arc<Mutex<ReferenceClock>>);

#[derive(Debug)]
struct ReferenceClock {
    /// The machine whose clock it is.
    reference: String,
    /// The machine of which it was learned.
    teller: String,
    common: CommonClock,
}

impl MeshClock {
    /// That of a machine that knows of no other.
    pub fn new(own_name: &str) -> Self {
        Self(Arc::new(Mutex::new(ReferenceClock {
            reference: own_name.to_owned(),
            teller: own_name.to_owned(),
            common: CommonClock::default(),
        })))
    }

    /// How far it is from the own one.
    pub fn get(&self) -> CommonClock {
        self.locked().common
    }

    /// The machine whose clock it is.
    pub fn reference(&self) -> String {
        self.locked().reference.clone()
    }

    /// What it shows at a moment of the own clock, in answer to a question.
    pub(super) fn reading(&self, asked: Moment, now: Moment) -> ClockReading {
        let held = self.locked();
        ClockReading {
            asked,
            common: held.common.of(now),
            reference: held.reference.clone(),
        }
    }

    /// The machine `name` tells what its common clock showed between `asked` and `answered`.
    pub(super) fn told(
        &self,
        name: &str,
        reading: &ClockReading,
        (asked, answered): (Moment, Moment),
    ) {
        let mut held = self.locked();
        let is_same = reading.reference == held.reference;
        let may_correct = reading.reference == name || held.teller == name;
        if reading.reference < held.reference || is_same && may_correct {
            held.common.set(reading.common, asked, answered);
            held.reference.clone_from(&reading.reference);
            name.clone_into(&mut held.teller);
        }
    }

    fn locked(&self) -> MutexGuard<'_, ReferenceClock> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Moment = Moment::from_seconds(1_800_000_000);
    const HOUR: Duration = Duration::from_secs(3600);

    fn reading(reference: &str, common: Moment) -> ClockReading {
        ClockReading {
            asked: NOW,
            common,
            reference: reference.to_owned(),
        }
    }

    #[test]
    fn the_clock_is_that_of_the_first_machine_by_whichever_it_is_told() {
        let clock = MeshClock::new("mx2");
        let told = |by: &str, reference: &str, common| {
            clock.told(by, &reading(reference, common), (NOW, NOW));
            (clock.reference(), clock.get().ahead())
        };
        assert_eq!(told("mx3", "mx3", NOW + HOUR), ("mx2".to_owned(), 0));
        assert_eq!(told("mx3", "mx1", NOW + HOUR), ("mx1".to_owned(), 3600));
        // Of what two tell about a third one's clock the first holds, and what that one says itself.
        assert_eq!(told("mx4", "mx1", NOW), ("mx1".to_owned(), 3600));
        assert_eq!(told("mx1", "mx1", NOW - HOUR), ("mx1".to_owned(), -3600));
        assert_eq!(told("mx3", "mx2", NOW), ("mx1".to_owned(), -3600));
    }

    #[test]
    fn a_clock_that_is_set_right_is_set_right_where_it_was_learned_of_another_machine() {
        // The third one is linked with the second alone.
        let [first, second, third] = ["mx1", "mx2", "mx3"].map(MeshClock::new);
        let pass_on = |ahead: Duration| {
            let shown = reading("mx1", NOW + ahead);
            second.told("mx1", &shown, (NOW, NOW));
            third.told("mx2", &second.reading(NOW, NOW), (NOW, NOW));
            third.get().ahead()
        };
        assert_eq!(first.reference(), "mx1");
        assert_eq!(pass_on(HOUR), 3600);
        assert_eq!(pass_on(Duration::ZERO), 0);
        // By its own link, and of nobody else then.
        third.told("mx1", &reading("mx1", NOW + HOUR), (NOW, NOW));
        assert_eq!(pass_on(Duration::ZERO), 3600);
    }

    #[test]
    fn what_one_tells_the_other_is_the_same_moment_to_both() {
        let (first, second) = (MeshClock::new("mx1"), MeshClock::new("mx2"));
        // The second one's own clock is an hour behind.
        let own = |now: Moment| now - HOUR;
        second.told("mx1", &first.reading(NOW, NOW), (own(NOW), own(NOW)));
        assert_eq!(second.reading(own(NOW), own(NOW)).common, NOW);
        assert_eq!(second.get().own(NOW), own(NOW));
    }
}
