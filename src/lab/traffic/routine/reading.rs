//! reading - people whose programs look for mail every five minutes, and who send once a day
//!
//! At home by IMAP, on the phone once an hour, and on journeys from the moment of the arrival; the mail is sent from
//! where they read. Programs have the password stored: nothing is mistyped but what is sent.
//! Not here: those who only send (`routine`).

use std::time::Duration;

use super::{Routine, TRIPS};
use crate::traffic::people::{self, People};
use crate::traffic::planned::{FirstTry, PlannedLogin};
use crate::traffic::{DAY, HOUR, MINUTE, START};
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::doors::Door;
use gatepost_core::moment::Moment;

/// How often a program looks for mail: at a desk, and on the phone.
const AT_DESK: Duration = MINUTE.saturating_mul(5);
const ON_PHONE: Duration = HOUR;
/// How long they read, and how long on a journey.
const OFFICE_HOURS: Duration = HOUR.saturating_mul(12);
const AWAY: Duration = HOUR.saturating_mul(2);
/// Of a large server so many people are looked at.
const READERS: u32 = 500;

impl Routine {
    /// A day of those who read.
    pub(super) fn readers(
        &mut self,
        people: &People,
        morning: Moment,
        visits: &mut Vec<PlannedLogin>,
    ) {
        let begin = morning + HOUR * 7;
        for (number, person) in people.all().take(READERS as usize) {
            let phone = person.phone(&mut self.random);
            self.reads(number, person.home, (begin, OFFICE_HOURS, AT_DESK), visits);
            self.reads(number, phone, (begin, OFFICE_HOURS, ON_PHONE), visits);
            self.several(1, number, person.home, morning, visits);
        }
        for _ in 0..TRIPS {
            let number = self.random.index(people.count().min(READERS) as usize) as u32;
            let arrived = morning + self.time_of_day();
            let (hotel, abroad) = (
                people::hotel(&mut self.random),
                people::abroad(&mut self.random),
            );
            for (client, after) in [(hotel, Duration::ZERO), (abroad, HOUR)] {
                let first = arrived + after;
                self.reads(number, client, (first, AWAY, AT_DESK), visits);
                let sent = self.visit(number, client, first + MINUTE * 6);
                visits.push(sent);
            }
        }
        // What a journey has left in the evening is the next day's, and that has its own.
        let midnight = START + DAY * (self.day + 1);
        visits.retain(|visit| visit.at < midnight);
    }

    /// One program looks for mail again and again. No two of them do so in the same second.
    fn reads(
        &mut self,
        person: u32,
        client: ClientKey,
        (from, span, every): (Moment, Duration, Duration),
        visits: &mut Vec<PlannedLogin>,
    ) {
        let begin = from + self.random.between(Duration::ZERO, every);
        let times = span.as_secs() / every.as_secs();
        visits.extend((0..times as u32).map(|time| PlannedLogin {
            at: begin + every * time,
            person,
            client,
            door: Door::Imap,
            laptop: None,
            first_try: FirstTry::Right,
        }));
    }
}
