//! devices - what the outcome of an attempt means for its device
//!
//! Not here: which devices are familiar (`trust::devices`).

use crate::gate::buckets::spec::Bucket;
use crate::gate::buckets::tries::Novelty;
use crate::gate::case::{Case, Claim};
use crate::gate::request::change::Change;
use crate::gate::request::client::NetworkKey;
use crate::gate::request::verdict::Reason;
use crate::gate::{Changes, Gate};
use crate::moment::Moment;

impl Gate {
    /// Notes the device of a login, where the network counts: from the webmail host everybody comes. A user whose name has found no room
    /// among the known has no devices either.
    pub(super) fn device_logged_in(
        &self,
        case: &Case,
        network: Option<NetworkKey>,
        password: Novelty,
        now: Moment,
        changes: &mut Changes,
    ) {
        let Some(device) = case.device.filter(|_| network.is_some()) else {
            return;
        };
        if self.familiar.is_known(case.user) {
            let (user, judged) = (case.user, case.at);
            let device = (device, self.device_met(case));
            changes.extend(self.devices.login(user, device, password, judged, now));
        }
    }

    /// Notes a wrong password that was tried because the device is familiar. What was paid otherwise is bounded otherwise.
    pub(super) fn device_failed(&self, claim: &Claim, now: Moment) -> Option<Change> {
        let is_paid_so = claim.grounds == Reason::Bucket(Bucket::Device);
        let device = claim.case.device.filter(|_| is_paid_so)?;
        self.devices.failed(claim.case.user, device.id, now)
    }
}
