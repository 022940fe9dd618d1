//! devices - which devices have logged in as which user, and are familiar wherever they are
//!
//! A device is a mail program that brings its TLS ticket back (`request::device`). It stays familiar for 90 days after its last login as
//! a user. What takes that back: five wrong passwords that it has paid for as a device, a change of the password, the operator's word
//! about the user, and logins as five users: then it is a webmail host or an office's server, and no one user's device.
//!
//! A program that keeps no ticket is a new device at each login. So a device that has come back stays before those that
//! have not: a user keeps four of the latter, for a week. A user keeps eight devices in all, and all users together no
//! more than the capacity; the devices whose last login is longest ago go. Only logins add: attempts that fail never make
//! this grow.
//! Not here: what being familiar is worth (`ladder`), the bucket of a user's device (`spec`), files (`state`).

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use crate::gate::buckets::table::seconds;
use crate::gate::buckets::tries::Novelty;
use crate::gate::request::change::{Change, DeviceDrop, DeviceLogin, Fact};
use crate::gate::request::device::{DeviceId, DeviceMet, DeviceTicket, DeviceTrust, HashedDevice};
use crate::gate::request::keys::UserId;
use crate::gate::trust::familiar::KEPT;
use crate::moment::Moment;

mod book;
mod lists;

use book::DeviceBook;
pub(in crate::gate) use book::UserDevice;

/// Devices that a user keeps.
const DEVICES: usize = 8;
/// Of these, such as have not come back yet.
const NEW_DEVICES: usize = 4;
/// How long those are kept, in seconds: their tickets are too old then.
const NEW_KEPT: u32 = 8 * 86_400;
/// A device that has logged in as so many users is none.
const USERS: usize = 5;
/// So many wrong passwords of a device end its familiarity.
const FAILURES: u8 = 5;
/// A login this soon after the last one, in seconds, changes nothing worth a record.
const FRESH: u32 = 600;
/// Attempts that were judged before something was taken back are over by then.
const UNDER_WAY: Duration = Duration::from_secs(3600);

pub(in crate::gate) struct Devices {
    capacity: usize,
    book: RwLock<DeviceBook>,
}

impl Devices {
    /// Room for so many devices of users, and a few that are no devices any more.
    pub(in crate::gate) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            book: RwLock::default(),
        }
    }

    /// Whether this device has logged in as `user`, since `proven_since`.
    pub(in crate::gate) fn trust(
        &self,
        user: UserId,
        device: HashedDevice,
        proven_since: u32,
        now: Moment,
    ) -> DeviceTrust {
        if device.ticket == DeviceTicket::New {
            return DeviceTrust::Unknown;
        }
        let book = self.read();
        let held = book.of(user).iter().find(|held| held.id == device.id);
        let is_familiar = held.is_some_and(|held| {
            held.last >= proven_since && seconds(now).saturating_sub(held.last) < KEPT
        });
        match is_familiar {
            true => DeviceTrust::Familiar,
            false => DeviceTrust::Unknown,
        }
    }

    /// Whether a familiar device of the user's has ever logged in where the user was at home, or near it.
    pub(in crate::gate) fn is_met_at_home(&self, user: UserId, device: DeviceId) -> bool {
        let book = self.read();
        let held = book.of(user).iter().find(|held| held.id == device);
        held.is_some_and(|held| held.met == DeviceMet::AtHome)
    }

    /// Whether this device has logged in as anybody.
    pub(in crate::gate) fn is_known(&self, device: HashedDevice) -> bool {
        device.ticket == DeviceTicket::Returned && self.read().is_known(device.id)
    }

    /// Notes a login that was judged at `when`, with the same password as the last time or another one; what that changed.
    pub(in crate::gate) fn login(
        &self,
        user: UserId,
        (device, met): (HashedDevice, DeviceMet),
        password: Novelty,
        when: Moment,
        now: Moment,
    ) -> Option<Change> {
        let last = seconds(when.min(now));
        if password == Novelty::Repeat && self.is_fresh(user, (device, met), last) {
            return None;
        }
        let mut book = self.write();
        if book.is_taken_back(user, when) {
            return None;
        }
        if book.meet_shared(device.id, last) {
            return None;
        }
        if book.is_one_too_many(user, device.id) {
            book.share(device.id, last, self.capacity);
            return Some(Change::here(now, Fact::DeviceShared(device.id)));
        }
        let login = UserDevice {
            id: device.id,
            last,
            failures: 0,
            ticket: device.ticket,
            met,
        };
        book.add(user, login, self.capacity);
        book.succeed(user, device.id);
        // A new one is worth no record: few come back, and the next snapshot has it.
        let came_back = device.ticket == DeviceTicket::Returned;
        let login = DeviceLogin {
            user,
            device: device.id,
            last,
            met,
        };
        came_back.then(|| Change::here(now, Fact::DeviceFamiliar(login)))
    }

    /// Notes a wrong password of a user's device; what that changed.
    pub(in crate::gate) fn failed(
        &self,
        user: UserId,
        device: DeviceId,
        now: Moment,
    ) -> Option<Change> {
        let mut book = self.write();
        let failures = book.fail(user, device)?;
        if failures < FAILURES {
            return None;
        }
        book.remove(user, device);
        let dropped = DeviceDrop { user, device };
        Some(Change::here(now, Fact::DeviceDropped(dropped)))
    }

    /// Takes back all devices of a user. Logins that were judged before do not count any more.
    pub(in crate::gate) fn take_back(&self, user: UserId, at: Moment) {
        self.write().take_back(user, at);
    }

    /// Forgets what is too old.
    pub(in crate::gate) fn sweep(&self, now: Moment) {
        self.write().sweep(now);
    }

    fn is_fresh(&self, user: UserId, (device, met): (HashedDevice, DeviceMet), when: u32) -> bool {
        let book = self.read();
        let held = book.of(user).iter().find(|held| held.id == device.id);
        held.is_some_and(|held| {
            let is_met = held.met == DeviceMet::AtHome || met == DeviceMet::Elsewhere;
            let has_news = held.failures > 0 || held.ticket != device.ticket || !is_met;
            !has_news && when < held.last.saturating_add(FRESH)
        })
    }

    fn read(&self) -> RwLockReadGuard<'_, DeviceBook> {
        self.book.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, DeviceBook> {
        self.book.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
