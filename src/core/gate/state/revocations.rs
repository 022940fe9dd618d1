//! revocations - what the files say was taken back, and which logins that leaves standing
//!
//! Of one user and network the latest revocation holds, whichever file it is in; a user who was forgotten is unknown but for
//! logins since.
//! Not here: octets (`record`), the revocations of a running gate (`trust::familiar`).

use std::collections::HashMap;
use std::hash::Hash;

use crate::gate::buckets::table::seconds;
use crate::gate::request::change::{Change, Fact, ForgottenUser, Revocation};
use crate::gate::request::client::NetworkKey;
use crate::gate::request::keys::UserId;
use crate::gate::state::file::Snapshot;
use crate::moment::Moment;

/// All revocations of some files, each by the clock of the process that wrote it.
pub(in crate::gate) struct Revocations {
    networks: HashMap<(UserId, Option<NetworkKey>), Written>,
    users: HashMap<UserId, Written>,
}

/// When something was taken back, and when that was written.
#[derive(Clone, Copy, Debug)]
pub(in crate::gate) struct Written {
    pub(in crate::gate) at: Moment,
    pub(in crate::gate) written: Moment,
}

impl Revocations {
    pub(in crate::gate) fn new(snapshots: &[Snapshot], changes: &[Change], newest: Moment) -> Self {
        let mut all = Self {
            networks: HashMap::new(),
            users: HashMap::new(),
        };
        for snapshot in snapshots {
            let written = snapshot.head.map_or(newest, |head| head.at);
            for (Revocation { user, network }, at) in &snapshot.revoked {
                note(&mut all.networks, (*user, *network), *at, written);
            }
            for (user, at) in &snapshot.forgotten {
                note(&mut all.users, *user, *at, written);
            }
        }
        for Change {
            at, noted, fact, ..
        } in changes
        {
            match fact {
                Fact::TrustRevoked(Revocation { user, network }) => {
                    note(&mut all.networks, (*user, *network), *at, *noted);
                }
                Fact::UserForgotten(ForgottenUser(user)) => {
                    note(&mut all.users, *user, *at, *noted)
                }
                _ => {}
            }
        }
        all
    }

    /// Whether a login in this second still makes the user known.
    pub(in crate::gate) fn makes_known(&self, user: UserId, second: u32) -> bool {
        let forgotten = self.users.get(&user);
        forgotten.is_none_or(|forgotten| second > seconds(forgotten.at))
    }

    /// What is left of a login in this second: none of its network, where that was taken back since.
    pub(in crate::gate) fn left_of(
        &self,
        user: UserId,
        network: Option<NetworkKey>,
        second: u32,
    ) -> Option<NetworkKey> {
        let counts = |key| {
            let revoked = self.networks.get(&key);
            revoked.is_none_or(|revoked| second > seconds(revoked.at))
        };
        network.filter(|network| counts((user, None)) && counts((user, Some(*network))))
    }

    /// All revocations of networks.
    pub(in crate::gate) fn networks(&self) -> impl Iterator<Item = (Revocation, Written)> {
        let all = self.networks.iter();
        all.map(|((user, network), written)| {
            let (user, network) = (*user, *network);
            (Revocation { user, network }, *written)
        })
    }

    /// All who were forgotten.
    pub(in crate::gate) fn users(&self) -> impl Iterator<Item = (UserId, Written)> {
        self.users.iter().map(|(user, written)| (*user, *written))
    }
}

/// Of several moments the latest holds.
fn note<What: Eq + Hash>(
    all: &mut HashMap<What, Written>,
    what: What,
    at: Moment,
    written: Moment,
) {
    let found = Written { at, written };
    let held = all.entry(what).or_insert(found);
    if found.at > held.at {
        *held = found;
    }
}
