//! book - the users' devices, how many users each has, and what makes room
//!
//! Not here: the lock, and what is told of a change (`devices`).

use std::collections::HashMap;

use super::{DEVICES, NEW_DEVICES, NEW_KEPT, UNDER_WAY, USERS};
use crate::gate::buckets::table::seconds;
use crate::gate::request::device::{DeviceId, DeviceMet, DeviceTicket};
use crate::gate::request::keys::UserId;
use crate::gate::trust::familiar::KEPT;
use crate::moment::Moment;

/// When full, this part makes room at once; so many devices that are none are kept beside.
const ROOM: usize = 64;
/// But so many of these always.
const LEAST_SHARED: usize = 512;

/// A device that has logged in as a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) struct UserDevice {
    pub(in crate::gate) id: DeviceId,
    /// The last login, in seconds since the epoch.
    pub(in crate::gate) last: u32,
    /// Wrong passwords since.
    pub(in crate::gate) failures: u8,
    /// Whether it has ever come back.
    pub(in crate::gate) ticket: DeviceTicket,
    /// Whether it has ever logged in at home.
    pub(in crate::gate) met: DeviceMet,
}

#[derive(Default)]
pub(super) struct DeviceBook {
    pub(super) users: HashMap<UserId, Vec<UserDevice>>,
    /// How many users each device has.
    holders: HashMap<DeviceId, u8>,
    /// Devices of too many users, by their last logins.
    pub(super) shared: HashMap<DeviceId, u32>,
    /// Whose devices were taken back a short time ago.
    taken_back: HashMap<UserId, Moment>,
    pub(super) rows: usize,
    pub(super) evicted: u64,
}

impl DeviceBook {
    pub(super) fn of(&self, user: UserId) -> &[UserDevice] {
        self.users.get(&user).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn is_known(&self, device: DeviceId) -> bool {
        self.holders.contains_key(&device)
    }

    pub(super) fn is_taken_back(&self, user: UserId, when: Moment) -> bool {
        self.taken_back.get(&user).is_some_and(|at| when <= *at)
    }

    /// Whether this is no device any more; then its login keeps it so.
    pub(super) fn meet_shared(&mut self, device: DeviceId, last: u32) -> bool {
        let Some(held) = self.shared.get_mut(&device) else {
            return false;
        };
        *held = (*held).max(last);
        true
    }

    /// Whether this user is the one who makes it no device.
    pub(super) fn is_one_too_many(&self, user: UserId, device: DeviceId) -> bool {
        let users = self.holders.get(&device).copied().unwrap_or_default();
        let is_new = self.of(user).iter().all(|held| held.id != device);
        is_new && usize::from(users) + 1 >= USERS
    }

    /// Notes that a device is none.
    pub(super) fn share(&mut self, device: DeviceId, last: u32, capacity: usize) {
        if self.holders.contains_key(&device) {
            self.retain(|_, held| held.id != device);
        }
        let room = (capacity / ROOM).max(LEAST_SHARED);
        if self.shared.len() >= room && !self.shared.contains_key(&device) {
            let oldest = self.shared.iter().min_by_key(|(_, last)| **last);
            if let Some(oldest) = oldest.map(|(device, _)| *device) {
                self.shared.remove(&oldest);
            }
        }
        let held = self.shared.entry(device).or_default();
        *held = (*held).max(last);
    }

    /// Adds a login. Of several of one device the latest holds.
    pub(super) fn add(&mut self, user: UserId, login: UserDevice, capacity: usize) {
        let devices = self.users.entry(user).or_default();
        if let Some(held) = devices.iter_mut().find(|held| held.id == login.id) {
            if login.last > held.last {
                held.last = login.last;
                held.failures = login.failures;
            }
            if login.ticket == DeviceTicket::Returned {
                held.ticket = DeviceTicket::Returned;
            }
            if login.met == DeviceMet::AtHome {
                held.met = DeviceMet::AtHome;
            }
            return;
        }
        devices.push(login);
        self.rows += 1;
        *self.holders.entry(login.id).or_default() += 1;
        self.make_room_of(user);
        if self.rows > capacity {
            self.make_room(capacity);
        }
    }

    /// One more wrong password of this device: how many there are.
    pub(super) fn fail(&mut self, user: UserId, device: DeviceId) -> Option<u8> {
        let devices = self.users.get_mut(&user)?;
        let held = devices.iter_mut().find(|held| held.id == device)?;
        held.failures = held.failures.saturating_add(1);
        Some(held.failures)
    }

    /// It has logged in: what was wrong before does not count any more.
    pub(super) fn succeed(&mut self, user: UserId, device: DeviceId) {
        let mut devices = self.users.get_mut(&user).into_iter().flatten();
        if let Some(held) = devices.find(|held| held.id == device) {
            held.failures = 0;
        }
    }

    pub(super) fn remove(&mut self, user: UserId, device: DeviceId) {
        let Some(devices) = self.users.get_mut(&user) else {
            return;
        };
        let before = devices.len();
        devices.retain(|held| held.id != device);
        let gone = before - devices.len();
        if devices.is_empty() {
            self.users.remove(&user);
        }
        self.let_go(std::iter::repeat_n(device, gone));
    }

    /// What logged in after it stays.
    pub(super) fn take_back(&mut self, user: UserId, at: Moment) {
        let held = self.taken_back.entry(user).or_default();
        *held = (*held).max(at);
        let last = seconds(at);
        let before = self.of(user).to_vec();
        for device in before.iter().filter(|held| held.last <= last) {
            self.remove(user, device.id);
        }
    }

    /// The distances that a restart lays anew are whole seconds, and cut: a login after something was taken back stays
    /// after it.
    pub(super) fn keep_after(&mut self, user: UserId, second: u32) {
        for held in self.users.get_mut(&user).into_iter().flatten() {
            held.last = held.last.max(second.saturating_add(1));
        }
    }

    pub(super) fn sweep(&mut self, now: Moment) {
        self.taken_back.retain(|_, at| now.since(*at) < UNDER_WAY);
        let now = seconds(now);
        self.shared
            .retain(|_, last| now.saturating_sub(*last) < KEPT);
        self.retain(|_, held| {
            let kept = match held.ticket {
                DeviceTicket::Returned => KEPT,
                DeviceTicket::New => NEW_KEPT,
            };
            now.saturating_sub(held.last) < kept
        });
    }

    /// What a user has too many of goes: the oldest of those that have not come back, or the oldest.
    fn make_room_of(&mut self, user: UserId) {
        let devices = self.of(user);
        let new = devices
            .iter()
            .filter(|held| held.ticket == DeviceTicket::New);
        let too_many_new = new.clone().count() > NEW_DEVICES;
        if !too_many_new && devices.len() <= DEVICES {
            return;
        }
        let oldest_new = new.min_by_key(|held| held.last);
        let oldest = oldest_new.or_else(|| devices.iter().min_by_key(|held| held.last));
        if let Some(device) = oldest.map(|held| held.id) {
            self.remove(user, device);
        }
    }

    /// Lets a part of all go: those that have not come back first, and then the oldest.
    fn make_room(&mut self, capacity: usize) {
        let all = self.users.values().flatten();
        let mut ages: Vec<_> = all.map(age).collect();
        let surplus = (self.rows - capacity + capacity / ROOM).min(ages.len());
        let Some(last) = surplus.checked_sub(1) else {
            return;
        };
        let (.., youngest_gone, _) = ages.select_nth_unstable(last);
        let youngest_gone = *youngest_gone;
        let mut left = surplus;
        self.evicted += surplus as u64;
        self.retain(|_, held| {
            let goes = left > 0 && age(held) <= youngest_gone;
            left -= usize::from(goes);
            !goes
        });
    }

    fn retain(&mut self, keep: impl FnMut(UserId, &UserDevice) -> bool) {
        let mut keep = keep;
        let mut gone = Vec::new();
        self.users.retain(|user, devices| {
            let old = devices.extract_if(.., |held| !keep(*user, held));
            gone.extend(old.map(|held| held.id));
            !devices.is_empty()
        });
        self.let_go(gone.into_iter());
    }

    fn let_go(&mut self, devices: impl Iterator<Item = DeviceId>) {
        for device in devices {
            self.rows -= 1;
            let Some(users) = self.holders.get_mut(&device) else {
                continue;
            };
            *users -= 1;
            if *users == 0 {
                self.holders.remove(&device);
            }
        }
    }
}

/// Those with the smallest go first.
const fn age(held: &UserDevice) -> (bool, u32) {
    (matches!(held.ticket, DeviceTicket::Returned), held.last)
}
