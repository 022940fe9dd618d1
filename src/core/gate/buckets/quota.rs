//! quota - how many tokens a bucket holds, and how fast they come back
//!
//! Not here: the quotas of each bucket (`spec`), the arithmetic (`limit`).

use std::time::Duration;

/// A token bucket: `burst` tokens at most, one back every `every`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Tokens in a full bucket, at least 1.
    pub burst: u32,
    /// The time in which one token comes back, longer than zero.
    pub every: Duration,
}

/// A bucket's quota, which may grow with the number of known users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BucketQuota {
    /// The bucket of a server without users. The burst of one that grows is larger by one for every ten
    /// known users.
    pub base: Quota,
    /// Tokens more a day for every known user; none: it does not grow.
    pub daily_per_user: Option<u32>,
}

/// For how many clients a user may earn credit in a day, at most.
pub const CLIENTS_A_DAY: usize = 4;
