//! laptops - people who write at home on a laptop and take it along on journeys; half of their programs keep TLS tickets
//!
//! A ticket is in the program's memory: it is gone when that is started anew, as on one morning of five, and before one journey of
//! three. What is sent then brings no ticket, until the program has been connected once.
//! Not here: phones and those who write elsewhere (`routine`).

use std::time::Duration;

use super::{AT_DESK, ON_PHONE, Routine, TRIPS};
use crate::traffic::HOUR;
use crate::traffic::people::{self, People};
use crate::traffic::planned::PlannedLogin;
use gatepost_core::moment::Moment;

/// Mornings of a hundred on which a program is started anew, and journeys.
const RESTARTED: u32 = 20;
const RESTARTED_FOR_A_JOURNEY: u32 = 33;

impl Routine {
    /// A day of those who have laptops.
    pub(super) fn laptops(
        &mut self,
        people: &People,
        morning: Moment,
        visits: &mut Vec<PlannedLogin>,
    ) {
        self.starts.resize(people.count() as usize, 0);
        for (number, person) in people.all() {
            self.may_restart(number, RESTARTED);
            let laptop = self.laptop(number);
            let before = visits.len();
            self.several(AT_DESK, number, person.home, morning, visits);
            let at_desk = visits.iter_mut().skip(before);
            at_desk.for_each(|visit| visit.laptop = laptop);
            let phone = person.phone(&mut self.random);
            self.several(ON_PHONE, number, phone, morning, visits);
        }
        for _ in 0..TRIPS {
            let number = self.random.index(people.count() as usize) as u32;
            let arrived = morning + self.time_of_day();
            let hotel = people::hotel(&mut self.random);
            let abroad = people::abroad(&mut self.random);
            self.may_restart(number, RESTARTED_FOR_A_JOURNEY);
            let laptop = self.laptop(number);
            for (after, client) in [
                (Duration::ZERO, hotel),
                (HOUR, abroad),
                (HOUR * 3, hotel),
                (HOUR * 4, abroad),
            ] {
                let visit = self.visit(number, client, arrived + after);
                visits.push(PlannedLogin { laptop, ..visit });
            }
        }
    }

    fn may_restart(&mut self, number: u32, percent: u32) {
        let restarts = self.random.happens(percent);
        if let Some(starts) = self.starts.get_mut(number as usize).filter(|_| restarts) {
            *starts += 1;
        }
    }

    /// The program of this person since it was started last, if it keeps tickets.
    fn laptop(&self, number: u32) -> Option<u64> {
        let keeps_tickets = number.is_multiple_of(2);
        let starts = self.starts.get(number as usize)?;
        keeps_tickets.then_some(u64::from(number) << 32 | u64::from(*starts))
    }
}
