//! decided - at which machine of a cluster something was decided: a ban, a login, a forgetting
//!
//! What is told carries its machine as a number that follows from the machine's name, and who tells it on passes that on. Of the
//! last 65,536 things it is remembered here, for `explain` alone: nothing that is judged depends on it, so a restart may lose
//! it, and the others tell it again.
//! Not here: what a fact does (`gate::merge`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::ClusterSettings;
use gatepost_core::gate::request::change::{Change, Origin};
use gatepost_core::gate::request::decided::DecidedThing;
use gatepost_core::moment::Moment;

/// When so many are remembered, half of them are let go, the oldest.
const REMEMBERED: usize = 65_536;
/// Clocks are told apart by seconds: two moments that are nearer are one.
const SAME: Duration = Duration::from_secs(2);

/// Where things were decided. Clones are the same.
#[derive(Clone, Debug)]
pub struct DecidedPlaces {
    /// This machine.
    own: Origin,
    book: Arc<Mutex<DecidedBook>>,
}

/// Two halves: the older one is let go when the other is full.
#[derive(Debug, Default)]
struct DecidedBook {
    recent: HashMap<DecidedThing, (Moment, Origin)>,
    older: HashMap<DecidedThing, (Moment, Origin)>,
}

impl DecidedPlaces {
    /// Of a machine that remembers nothing yet.
    pub fn new(settings: Option<&ClusterSettings>) -> Self {
        let own = settings.map_or(Origin::HERE, |settings| machine_number(&settings.name));
        let book = Arc::default();
        Self { own, book }
    }

    /// This machine decides these.
    pub fn note_own(&self, changes: &[Change]) {
        let origin = self.own;
        let mut book = self.locked();
        changes.iter().for_each(|change| book.note(change, origin));
    }

    /// Another machine tells these.
    pub fn note_told(&self, changes: &[Change]) {
        let mut book = self.locked();
        let placed = changes.iter().filter(|change| change.origin.is_machine());
        placed.for_each(|change| book.note(change, change.origin));
    }

    /// A change with the machine that decided it, if that is known.
    pub fn placed(&self, change: &Change) -> Change {
        let known = change
            .decides()
            .and_then(|(thing, at)| self.find(thing, Some(at)));
        let origin = known.map_or(Origin::HERE, |(_, origin)| origin);
        Change { origin, ..*change }
    }

    /// When a thing was decided, and where; of that moment, if one is given.
    pub fn find(&self, thing: DecidedThing, at: Option<Moment>) -> Option<(Moment, Origin)> {
        let book = self.locked();
        let (decided, origin) = *book.recent.get(&thing).or_else(|| book.older.get(&thing))?;
        let Some(at) = at else {
            return Some((decided, origin));
        };
        if at.since(decided).max(decided.since(at)) < SAME {
            return Some((decided, origin));
        }
        // Of logins here not each is told; of those elsewhere all that are known here were.
        let is_later_login =
            at > decided && matches!(thing, DecidedThing::Known(_) | DecidedThing::Familiar(..));
        is_later_login.then_some((at, self.own))
    }

    fn locked(&self) -> MutexGuard<'_, DecidedBook> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DecidedBook {
    fn note(&mut self, change: &Change, origin: Origin) {
        let Some((thing, at)) = change.decides() else {
            return;
        };
        let known = self.recent.get(&thing).or_else(|| self.older.get(&thing));
        if known.is_some_and(|(known, _)| *known >= at) {
            return;
        }
        if self.recent.len() >= REMEMBERED / 2 {
            self.older = std::mem::take(&mut self.recent);
        }
        self.recent.insert(thing, (at, origin));
    }
}

/// The number that stands for a machine.
fn machine_number(name: &str) -> Origin {
    let [low, high, ..] = crc32fast::hash(name.as_bytes()).to_le_bytes();
    Origin::of_machine(u16::from_le_bytes([low, high]))
}

impl ClusterSettings {
    /// The machine with this number: by its name, if it is on the list.
    pub fn machine(&self, number: Origin) -> String {
        let listed = self.machines.iter().chain([&self.name]);
        let mut names: Vec<&str> = listed
            .filter(|name| machine_number(name) == number)
            .map(String::as_str)
            .collect();
        names.dedup();
        match names.is_empty() {
            true => "a machine that is not on the list".to_owned(),
            // With 200 machines two have one number in every fourth cluster.
            false => names.join(" or "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepost_core::gate::request::change::{BanCause, BanStart, Fact, Subject};
    use gatepost_core::gate::request::client::ClientKey;
    use gatepost_core::gate::request::settings::Mode;
    use gatepost_core::gate::tell;

    const NOW: Moment = Moment::from_seconds(1_800_000_000);

    fn settings(name: &str) -> ClusterSettings {
        ClusterSettings {
            name: name.to_owned(),
            machines: vec!["mx1".to_owned(), "mx2".to_owned()],
            store: None,
            mesh: None,
            secret: None,
        }
    }

    fn ban(n: u32, until: Moment) -> Change {
        let began = BanStart {
            subject: Subject::Client(ClientKey::V4(n)),
            until,
            cause: BanCause::Strikes,
            mode: Mode::Enforce,
            strikes: 1,
        };
        Change::here(NOW, Fact::BanBegan(began))
    }

    #[test]
    fn what_one_machine_decides_is_known_as_its_own_at_the_third() {
        let [first, second, third] =
            ["mx1", "mx2", "mx3"].map(|name| DecidedPlaces::new(Some(&settings(name))));
        first.note_own(&[ban(1, NOW)]);
        let told = first.placed(&ban(1, NOW));
        second.note_told(&[told]);
        third.note_told(&[second.placed(&ban(1, NOW))]);
        let thing = DecidedThing::Ban(Subject::Client(ClientKey::V4(1)));
        let (_, origin) = third
            .find(thing, Some(NOW + Duration::from_secs(1)))
            .unwrap();
        assert_eq!(settings("mx3").machine(origin), "mx1");
        assert_eq!(third.find(thing, Some(NOW + SAME)), None, "another ban");
        // Where nobody knows, nobody is named.
        let unknown = second.placed(&ban(2, NOW));
        assert_eq!(unknown.origin, Origin::HERE);
        third.note_told(&[unknown]);
        let other = DecidedThing::Ban(Subject::Client(ClientKey::V4(2)));
        assert_eq!(third.find(other, None), None);
    }

    #[test]
    fn a_login_that_was_not_told_was_here() {
        let places = DecidedPlaces::new(Some(&settings("mx1")));
        let second = 1_800_000_000;
        // As it is told: the machine, the user, the second.
        let login = |last: u32| {
            let [at, user, last] = [&[0; 10][..], &[7; 8], &last.to_le_bytes()];
            let octets = [&[19, 22], at, user, last].concat();
            tell::read(&octets, 0).unwrap().0[0]
        };
        let elsewhere = Change {
            origin: machine_number("mx2"),
            ..login(second)
        };
        places.note_told(&[elsewhere]);
        assert_eq!(places.placed(&login(second)).origin, machine_number("mx2"));
        let later = places.placed(&login(second + 9));
        assert_eq!(later.origin, machine_number("mx1"));
        let earlier = places.placed(&login(second - 9));
        assert_eq!(earlier.origin, Origin::HERE);
    }

    #[test]
    fn the_later_one_holds_and_the_oldest_are_let_go() {
        let places = DecidedPlaces::new(Some(&settings("mx1")));
        let thing = |n| DecidedThing::Ban(Subject::Client(ClientKey::V4(n)));
        let later = NOW + 5 * SAME;
        places.note_own(&[ban(0, later)]);
        places.note_own(&[ban(0, NOW)]);
        assert_eq!(places.find(thing(0), None).unwrap().0, later);
        let many: Vec<Change> = (1..REMEMBERED as u32).map(|n| ban(n, NOW)).collect();
        places.note_own(&many);
        assert!(places.find(thing(0), None).is_some());
        let more: Vec<Change> = (0..2).map(|n| ban(REMEMBERED as u32 + n, NOW)).collect();
        places.note_own(&more);
        assert_eq!(places.find(thing(0), None), None);
        let book = places.locked();
        assert!(book.recent.len() + book.older.len() <= REMEMBERED);
    }
}
