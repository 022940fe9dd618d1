//! key - what a row of a table is kept under, and which row of a bucket an attempt pays from
//!
//! Not here: the table (`table`), the buckets and the kinds of their rows (`spec`).

use crate::gate::buckets::spec::{Bucket, Kind};
use crate::gate::request::client::{ClientKey, NetworkKey, RegionKey};
use crate::gate::request::device::DeviceId;
use crate::gate::request::keys::{Keys, UserId};

/// Whose row it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::gate) struct Key {
    pub(in crate::gate) kind: Kind,
    pub(in crate::gate) id: u64,
}

impl Key {
    pub(in crate::gate) fn client(client: ClientKey) -> Self {
        match client {
            ClientKey::V4(bits) => Self {
                kind: Kind::CLIENT_V4,
                id: u64::from(bits),
            },
            ClientKey::V6(upper) => Self {
                kind: Kind::CLIENT_V6,
                id: upper,
            },
        }
    }

    pub(in crate::gate) fn network(network: NetworkKey) -> Self {
        Self {
            kind: Kind::NETWORK,
            id: network.code(),
        }
    }

    pub(in crate::gate) fn client_near(client: ClientKey) -> Self {
        let Self { kind, id } = Self::client(client);
        let kind = match kind == Kind::CLIENT_V4 {
            true => Kind::CLIENT_NEAR_V4,
            false => Kind::CLIENT_NEAR_V6,
        };
        Self { kind, id }
    }

    /// None in IPv4: a /16 is not one customer's, and behind it may be all of a carrier's.
    pub(in crate::gate) fn region(region: RegionKey) -> Option<Self> {
        match region {
            RegionKey::V4(_) => None,
            RegionKey::V6(id) => Some(Self {
                kind: Kind::REGION,
                id,
            }),
        }
    }

    pub(in crate::gate) fn near(user: UserId) -> Self {
        Self {
            kind: Kind::USER_NEAR,
            id: user.0,
        }
    }

    pub(in crate::gate) fn far(user: UserId) -> Self {
        Self {
            kind: Kind::USER_FAR,
            id: user.0,
        }
    }

    pub(in crate::gate) fn settling(user: UserId) -> Self {
        Self {
            kind: Kind::SETTLING_USER,
            id: user.0,
        }
    }

    pub(in crate::gate) fn user_credit(user: UserId) -> Self {
        Self {
            kind: Kind::USER_CREDIT,
            id: user.0,
        }
    }

    /// `pair` is the keyed hash of a user in one network.
    pub(in crate::gate) fn pair(pair: u64) -> Self {
        Self {
            kind: Kind::PAIR,
            id: pair,
        }
    }

    /// `pair` is the keyed hash of a user in one network.
    pub(in crate::gate) fn unproven(pair: u64) -> Self {
        Self {
            kind: Kind::UNPROVEN,
            id: pair,
        }
    }

    /// `pair` is the keyed hash of a user at one device.
    pub(in crate::gate) fn device(pair: u64) -> Self {
        Self {
            kind: Kind::DEVICE,
            id: pair,
        }
    }

    /// Whether it is a user's row, and not that of addresses alone.
    pub(in crate::gate) const fn is_of_user(self) -> bool {
        matches!(
            self.kind,
            Kind::USER_NEAR
                | Kind::USER_FAR
                | Kind::USER_CREDIT
                | Kind::SETTLING_USER
                | Kind::PAIR
                | Kind::UNPROVEN
                | Kind::DEVICE
        )
    }

    /// `word` is the keyed hash of a folded password.
    pub(in crate::gate) fn word(word: u64) -> Self {
        Self {
            kind: Kind::WORD,
            id: word,
        }
    }
}

/// Which bucket, and which of its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) enum BucketKey {
    Keyed(Bucket, Key),
    Shared(Bucket),
    /// What this machine was lent of a shared bucket.
    Lent(Bucket),
    /// The credit of a client.
    Earned(Key),
}

impl BucketKey {
    /// The bucket of a user at one device.
    pub(in crate::gate) fn at_device(user: UserId, device: DeviceId, keys: &Keys) -> Self {
        let key = Key::device(keys.at_device(user, device));
        Self::Keyed(Bucket::Device, key)
    }

    /// The bucket of `bucket` that an attempt of this client for this user pays from; none while the
    /// client has not named its user, where the row depends on the user,
    /// and for what depends on a device ([`Self::at_device`]).
    #[inline(always)]
    pub(in crate::gate) fn of(
        bucket: Bucket,
        client: ClientKey,
        user: Option<UserId>,
        keys: &Keys,
    ) -> Option<Self> {
        let key = match bucket {
            Bucket::Device => return None,
            Bucket::Familiar => Key::pair(keys.pair(user?, client.network())),
            Bucket::Unproven => Key::unproven(keys.pair(user?, client.network())),
            Bucket::Client => Key::client(client),
            Bucket::Network => Key::network(client.network()),
            Bucket::Region => Key::region(client.region())?,
            Bucket::ClientNear => Key::client_near(client),
            Bucket::UserNear => Key::near(user?),
            Bucket::UserFar => Key::far(user?),
            Bucket::SettlingUser => Key::settling(user?),
            Bucket::UserCredit => Key::user_credit(user?),
            Bucket::Credit => return Some(Self::Earned(Key::client(client))),
            Bucket::Near
            | Bucket::Words
            | Bucket::Unknown
            | Bucket::Strangers
            | Bucket::Settling => {
                return Some(Self::Shared(bucket));
            }
        };
        Some(Self::Keyed(bucket, key))
    }

    pub(in crate::gate) const fn bucket(self) -> Bucket {
        match self {
            Self::Keyed(bucket, _) | Self::Shared(bucket) | Self::Lent(bucket) => bucket,
            Self::Earned(_) => Bucket::Credit,
        }
    }
}
