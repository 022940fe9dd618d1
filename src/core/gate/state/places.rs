//! places - the new places of users that an earlier process knew, and whose password seemed to be stolen
//!
//! What was cleared since does not count, in whichever file it is. Nothing of this is a machine's to tell another.
//! Not here: octets (`record`), the rest of the state (`restore`).

use std::collections::HashMap;

use crate::gate::Gate;
use crate::gate::buckets::table::seconds;
use crate::gate::request::change::{Change, Fact};
use crate::gate::request::keys::UserId;
use crate::gate::request::suspicion::{ClearedUser, HeldPlace, StolenSuspicion, UserPlace};
use crate::gate::state::away::Away;
use crate::gate::state::file::Snapshot;
use crate::moment::Moment;

impl Gate {
    pub(in crate::gate::state) fn restore_places(
        &self,
        snapshots: &[Snapshot],
        changes: &[Change],
        away: Away,
    ) {
        let cleared = LatestClearings::new(changes);
        for snapshot in snapshots {
            let at = snapshot.at(away);
            for new in &snapshot.places {
                self.restore_place(*new, &cleared, (at, away));
            }
            for suspicion in &snapshot.suspicions {
                self.restore_suspicion(*suspicion, &cleared, (at, away));
            }
        }
        for change in changes {
            match change.fact {
                Fact::PlaceNew(new) => self.restore_place(new, &cleared, (change.at, away)),
                Fact::StolenSuspected(suspicion) => {
                    self.restore_suspicion(suspicion, &cleared, (change.at, away));
                }
                _ => {}
            }
        }
    }

    fn restore_place(&self, new: UserPlace, cleared: &LatestClearings, (at, away): (Moment, Away)) {
        let UserPlace { user, place } = new;
        if cleared.leaves(user, place.at) {
            let place = HeldPlace {
                at: away.login(place.at, at),
                ..place
            };
            self.new_places.restore_place(self.user_since(user), place);
        }
    }

    fn restore_suspicion(
        &self,
        suspicion: StolenSuspicion,
        cleared: &LatestClearings,
        (at, away): (Moment, Away),
    ) {
        let StolenSuspicion { user, cause, since } = suspicion;
        if cleared.leaves(user, since) {
            let since = away.login(since, at);
            let user = self.user_since(user);
            self.new_places.restore_suspicion(user, cause, since);
        }
    }
}

/// When each user was cleared last.
struct LatestClearings(HashMap<UserId, Moment>);

impl LatestClearings {
    fn new(changes: &[Change]) -> Self {
        let mut latest: HashMap<UserId, Moment> = HashMap::new();
        for change in changes {
            if let Fact::StolenCleared(ClearedUser(user)) = change.fact {
                let held = latest.entry(user).or_insert(change.at);
                *held = (*held).max(change.at);
            }
        }
        Self(latest)
    }

    /// Whether what began in this second still counts.
    fn leaves(&self, user: UserId, second: u32) -> bool {
        let at = self.0.get(&user);
        at.is_none_or(|at| second > seconds(*at))
    }
}
