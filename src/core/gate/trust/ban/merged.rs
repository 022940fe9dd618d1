//! merged - bans that began or were lifted on another machine
//!
//! Of two bans of one subject the operator's holds, or else the later one; what was lifted later holds against both. So it
//! matters neither in which order the machines are told, nor how often.
//! Not here: what else another machine tells (`gate::merge`).

use super::{BanBook, Bans, HeldBan};
use crate::gate::request::change::{BanEnding, Change, Origin, Subject};
use crate::moment::Moment;

impl Bans {
    /// Takes in a ban of another machine. When it was noted, if it is news; then what it evicts is told.
    pub(in crate::gate) fn merge(
        &self,
        subject: Subject,
        held: HeldBan,
        now: Moment,
        changes: &mut Vec<Change>,
    ) -> Option<Moment> {
        let (evicted, noted) = self.write(|book| {
            if !book.is_news(subject, held, now) {
                return None;
            }
            let evicted = book.make_room(subject, self.capacity, now);
            book.set(subject, held, self.capacity);
            Some((evicted, book.change(now)))
        })?;
        changes.extend(evicted);
        Some(noted)
    }

    /// Takes in that a ban was lifted on another machine at `at`; the change, if that ended one here.
    pub(in crate::gate) fn merge_lifted(
        &self,
        subject: Subject,
        at: Moment,
        now: Moment,
    ) -> Option<Change> {
        let noted = self.write(|book| {
            book.lifted.add(subject, at, self.capacity);
            let is_older = |held: &HeldBan| held.changed <= at;
            book.bans.get(&subject).is_some_and(is_older).then(|| {
                book.clear(subject);
                book.change(now)
            })
        })?;
        Some(Change {
            noted,
            origin: Origin::ELSEWHERE,
            ..super::ended(subject, BanEnding::Lifted, at)
        })
    }

    /// All that was lifted, and when.
    pub(in crate::gate) fn lifted(&self) -> Vec<(Subject, Moment)> {
        self.read().lifted.all()
    }

    /// Takes over what an earlier process knew to be lifted.
    pub(in crate::gate) fn restore_lifted(&self, lifted: impl Iterator<Item = (Subject, Moment)>) {
        self.write(|book| {
            for (subject, at) in lifted {
                book.lifted.add(subject, at, self.capacity);
            }
        });
    }
}

impl BanBook {
    fn is_news(&self, subject: Subject, told: HeldBan, now: Moment) -> bool {
        if told.ban.until <= now || self.lifted.at(subject) >= Some(told.changed) {
            return false;
        }
        let rank = |held: &HeldBan| (held.ban.is_by_hand(), held.changed);
        let held = self.bans.get(&subject);
        let held = held.filter(|held| held.ban.until > now);
        held.is_none_or(|held| rank(held) < rank(&told))
    }
}
