//! lists - users' devices, for snapshots and operators, and what an earlier process left of them
//!
//! Not here: what is asked at every attempt (`devices`).

use super::{Devices, UserDevice};
use crate::gate::request::device::DeviceId;
use crate::gate::request::keys::UserId;

impl Devices {
    /// How many devices of users there are.
    pub(in crate::gate) fn count(&self) -> usize {
        self.read().rows
    }

    /// How many were evicted because the capacity was reached.
    pub(in crate::gate) fn evictions(&self) -> u64 {
        self.read().evicted
    }

    /// The devices of a user, the one with the last login first.
    pub(in crate::gate) fn of_user(&self, user: UserId) -> Vec<UserDevice> {
        let mut devices = self.read().of(user).to_vec();
        devices.sort_by_key(|held| std::cmp::Reverse(held.last));
        devices
    }

    /// All users that have devices.
    pub(in crate::gate) fn users(&self) -> Vec<UserId> {
        self.read().users.keys().copied().collect()
    }

    /// The devices that are none, each with its last login.
    pub(in crate::gate) fn shared(&self) -> Vec<(DeviceId, u32)> {
        let book = self.read();
        let shared = book.shared.iter();
        shared.map(|(device, last)| (*device, *last)).collect()
    }

    /// Takes over a device of a user that an earlier process knew.
    pub(in crate::gate) fn restore(&self, user: UserId, device: UserDevice) {
        let mut book = self.write();
        if !book.meet_shared(device.id, device.last) {
            book.add(user, device, self.capacity);
        }
    }

    /// Takes over a device that is none.
    pub(in crate::gate) fn restore_shared(&self, device: DeviceId, last: u32) {
        self.write().share(device, last, self.capacity);
    }

    /// Takes over that a device of a user has failed too often.
    pub(in crate::gate) fn restore_dropped(&self, user: UserId, device: DeviceId) {
        self.write().remove(user, device);
    }

    /// What is left of a user's devices logged in after something was taken back in this second.
    pub(in crate::gate) fn keep_after(&self, user: UserId, second: u32) {
        self.write().keep_after(user, second);
    }
}
