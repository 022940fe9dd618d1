//! revocations - what the files say was taken back, and which logins that leaves standing
//!
//! Of one user and network the latest revocation holds, whichever file it is in.
//! Not here: octets (`record`), the revocations of a running gate (`trust::familiar`).

use std::collections::HashMap;

use crate::gate::buckets::table::seconds;
use crate::gate::request::change::{Change, Fact, Revocation};
use crate::gate::request::client::NetworkKey;
use crate::gate::request::keys::UserId;
use crate::gate::state::file::Snapshot;
use crate::moment::Moment;

/// All revocations of some files, each by the clock of the process that wrote it.
pub(in crate::gate) struct Revocations(HashMap<(UserId, Option<NetworkKey>), Written>);

/// When something was taken back, and when that was written.
#[derive(Clone, Copy)]
pub(in crate::gate) struct Written {
    pub(in crate::gate) at: Moment,
    pub(in crate::gate) written: Moment,
}

impl Revocations {
    pub(in crate::gate) fn new(snapshots: &[Snapshot], changes: &[Change], newest: Moment) -> Self {
        let in_snapshots = snapshots.iter().flat_map(|snapshot| {
            let written = snapshot.head.map_or(newest, |head| head.at);
            let revoked = snapshot.revoked.iter();
            revoked.map(move |(what, at)| (*what, Written { at: *at, written }))
        });
        let since = changes.iter().filter_map(|change| match change.fact {
            Fact::TrustRevoked(what) => {
                let (at, written) = (change.at, change.at);
                Some((what, Written { at, written }))
            }
            _ => None,
        });
        let mut latest: HashMap<_, Written> = HashMap::new();
        for (Revocation { user, network }, found) in in_snapshots.chain(since) {
            let held = latest.entry((user, network)).or_insert(found);
            if found.at > held.at {
                *held = found;
            }
        }
        Self(latest)
    }

    /// What is left of a login in this second: none of its network, where that was taken back since.
    pub(in crate::gate) fn left_of(
        &self,
        user: UserId,
        network: Option<NetworkKey>,
        second: u32,
    ) -> Option<NetworkKey> {
        let counts = |key| {
            let revoked = self.0.get(&key);
            revoked.is_none_or(|revoked| second > seconds(revoked.at))
        };
        network.filter(|network| counts((user, None)) && counts((user, Some(*network))))
    }

    pub(in crate::gate) fn into_all(self) -> impl Iterator<Item = (Revocation, Written)> {
        let all = self.0.into_iter();
        all.map(|((user, network), written)| (Revocation { user, network }, written))
    }
}
