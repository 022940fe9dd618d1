//! watch - whether a valid login is one that its owner would hardly have done
//!
//! Not here: what is kept of them (`trust::new_places`), what becomes of those that follow (`ladder`).

use crate::gate::buckets::key::{BucketKey, Key};
use crate::gate::buckets::limit::Limit;
use crate::gate::buckets::spec::Bucket;
use crate::gate::case::{Basis, Case, Claim};
use crate::gate::request::device::{DeviceMet, DeviceTrust};
use crate::gate::request::suspicion::Suspicion;
use crate::gate::rules::Rules;
use crate::gate::trust::familiar::NetworkTrust;
use crate::gate::trust::new_places::LoginPlace;
use crate::gate::{Changes, Gate};
use crate::moment::Moment;

impl Gate {
    /// Notes where a login came from; the suspicion that begins with it. While settling in every place is new, from the webmail
    /// host everybody comes, and who is excepted is not watched.
    pub(super) fn watch(
        &self,
        claim: &Claim,
        now: Moment,
        changes: &mut Changes,
    ) -> Option<Suspicion> {
        let rules = self.rules.load();
        let case = &claim.case;
        let is_watched = claim.basis != Basis::Listed
            && !rules.is_unwatched(case.user)
            && !self.is_settling(&rules, now);
        if !is_watched {
            return None;
        }
        match self.new_places.stands(case, self.is_own_device(case)) {
            LoginPlace::Known => {
                self.new_places.vouch(case);
                return None;
            }
            LoginPlace::StillNew => return None,
            LoginPlace::New => {}
        }
        let limits = &rules.stolen.limits;
        let is_guessing = self.is_guessing_at_others(&rules, claim, now);
        let (noted, cause) = self.new_places.note(case, limits, is_guessing, now);
        changes.extend(noted);
        cause.and_then(|_| self.suspicion(case.user))
    }

    /// Where a device has logged in now.
    pub(super) fn device_met(&self, case: &Case) -> DeviceMet {
        match self.new_places.stands(case, false) {
            LoginPlace::Known => DeviceMet::AtHome,
            LoginPlace::StillNew | LoginPlace::New => DeviceMet::Elsewhere,
        }
    }

    /// Whether it comes with a device of the user's that is known from home. A thief's is not, however often it comes back.
    pub(in crate::gate) fn is_own_device(&self, case: &Case) -> bool {
        let device = case
            .device
            .filter(|_| case.who.device == DeviceTrust::Familiar);
        device.is_some_and(|device| self.devices.is_met_at_home(case.user, device.id))
    }

    /// Whether Postfix has rejected more from its network than this user's own typing errors explain, and nobody has logged in there
    /// before.
    fn is_guessing_at_others(&self, rules: &Rules, claim: &Claim, now: Moment) -> bool {
        let (case, guesses) = (&claim.case, rules.stolen.limits.guesses);
        if guesses == 0 || case.who.network == NetworkTrust::Familiar {
            return false;
        }
        let rejected = |key: BucketKey| {
            let limit = rules.limit(key.bucket(), case.who.users);
            let spent = limit
                .burst()
                .saturating_sub(self.buckets.left(key, limit, now));
            spent.saturating_sub(self.undecided(key, limit, claim, now))
        };
        let network = BucketKey::of(Bucket::Network, case.client, None, &self.keys);
        let own = rejected(BucketKey::Keyed(Bucket::UserFar, Key::far(case.payer)));
        network.is_some_and(|network| rejected(network) >= own.saturating_add(guesses))
    }

    /// Tokens that are missing from a bucket for attempts of which nobody knows yet whether they were wrong: they have no outcome,
    /// or one that tells nothing. What has flowed back of them meanwhile is not missing. Those of this login are back already.
    fn undecided(&self, key: BucketKey, limit: Limit, claim: &Claim, now: Moment) -> u32 {
        let mut taken = self.held.taken_of(key);
        taken.extend(self.doubts.taken_of(key));
        taken.sort_unstable();
        let arrival = taken.into_iter().fold(0, |arrival: u64, at| {
            arrival.max(at.as_nanos()).saturating_add(limit.every())
        });
        let told_nothing = limit.burst().saturating_sub(limit.left(arrival, now));
        let own = claim.unsettled.as_ref().map_or(0, |own| own.of(key));
        let unsettled = self.unsettled.of_key(key).saturating_sub(own);
        told_nothing.saturating_add(unsettled)
    }
}
