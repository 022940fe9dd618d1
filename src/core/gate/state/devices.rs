//! devices - the devices that an earlier process knew, under the clock of now
//!
//! A login of before the user's familiarity was taken back does not count, in whichever file it is; a device that has failed too
//! often since the snapshot is gone, until its next login.
//! Not here: octets (`record`), the rest of the state (`restore`).

use std::collections::HashMap;

use crate::gate::Gate;
use crate::gate::buckets::table::seconds;
use crate::gate::request::change::{Change, Fact};
use crate::gate::request::device::DeviceTicket;
use crate::gate::request::keys::UserId;
use crate::gate::state::away::Away;
use crate::gate::state::file::Snapshot;
use crate::gate::state::revocations::{Revocations, Written};
use crate::gate::trust::devices::UserDevice;
use crate::moment::Moment;

impl Gate {
    pub(in crate::gate::state) fn restore_devices(
        &self,
        snapshots: &[Snapshot],
        changes: &[Change],
        away: Away,
    ) {
        let revocations = Revocations::new(snapshots, changes, away.newest);
        let taken_back = LatestRevocations::new(&revocations);
        for snapshot in snapshots {
            let at = snapshot.at(away);
            for (device, last) in &snapshot.shared_devices {
                self.devices.restore_shared(*device, away.login(*last, at));
            }
        }
        for snapshot in snapshots {
            let at = snapshot.at(away);
            for (user, device) in &snapshot.devices {
                if taken_back.leaves(*user, device.last) {
                    let last = away.login(device.last, at);
                    let device = UserDevice { last, ..*device };
                    self.devices.restore(self.user_since(*user), device);
                }
            }
        }
        let heads = snapshots.iter().filter_map(|snapshot| snapshot.head);
        let covered = heads.map(|head| head.at).max().unwrap_or_default();
        for change in changes {
            self.follow_device(change, covered, &taken_back, away);
        }
        for (user, found) in all_users(&revocations) {
            let after = seconds(away.moment(found));
            self.devices.keep_after(self.user_since(user), after);
        }
    }

    /// Follows a change, in the order of their moments. What was dropped before the snapshot is not in it.
    fn follow_device(
        &self,
        change: &Change,
        covered: Moment,
        taken_back: &LatestRevocations,
        away: Away,
    ) {
        match change.fact {
            Fact::DeviceFamiliar(login) if taken_back.leaves(login.user, login.last) => {
                let device = UserDevice {
                    id: login.device,
                    last: away.login(login.last, change.at),
                    failures: 0,
                    ticket: DeviceTicket::Returned,
                    met: login.met,
                };
                self.devices.restore(self.user_since(login.user), device);
            }
            Fact::DeviceDropped(dropped) if change.at > covered => {
                let user = self.user_since(dropped.user);
                self.devices.restore_dropped(user, dropped.device);
            }
            Fact::DeviceShared(device) => {
                let last = away.login(seconds(change.at), change.at);
                self.devices.restore_shared(device, last);
            }
            _ => {}
        }
    }
}

/// When anything was taken back from each user: all devices went with it.
struct LatestRevocations(HashMap<UserId, Moment>);

impl LatestRevocations {
    fn new(revocations: &Revocations) -> Self {
        let mut latest: HashMap<UserId, Moment> = HashMap::new();
        for (user, Written { at, .. }) in all_users(revocations) {
            let held = latest.entry(user).or_insert(at);
            *held = (*held).max(at);
        }
        Self(latest)
    }

    /// Whether a login in this second still counts.
    fn leaves(&self, user: UserId, second: u32) -> bool {
        let at = self.0.get(&user);
        at.is_none_or(|at| second > seconds(*at))
    }
}

/// The users who lost any trust, and when.
fn all_users(revocations: &Revocations) -> impl Iterator<Item = (UserId, Written)> {
    let networks = revocations.networks();
    let networks = networks.map(|(what, found)| (what.user, found));
    networks.chain(revocations.users())
}
