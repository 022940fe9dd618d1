//! filter - a set of passwords that can be asked and not be read
//!
//! Binary fuse filters of 16 bits (Graf and Lemire 2022) over the first 8 octets of the passwords' SHA-1 hashes, in
//! parts, so that building one takes little more memory than the sorted hashes. With 8 bits a list would be half as
//! large and one account in 256 would be told wrongly.
//! Not here: reading the list (`list`).

use std::fmt;

use sha1::{Digest, Sha1};
use xorf::{BinaryFuse16, Filter};

/// Hashes of one part: building it takes some 20 MB.
const PART: usize = 1 << 19;

/// The first octets of a password's SHA-1 hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PasswordKey(pub(super) u64);

impl PasswordKey {
    pub(super) fn of(password: &[u8]) -> Self {
        let hash: [u8; 20] = Sha1::digest(password).into();
        let [a, b, c, d, e, f, g, h, ..] = hash;
        Self(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }
}

/// Which passwords are on a list.
pub struct PasswordFilter {
    /// By the first bits of the hash; none: no password has these.
    parts: Box<[Option<BinaryFuse16>]>,
    count: usize,
}

/// Shows nothing but its size.
impl fmt::Debug for PasswordFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PasswordFilter({})", self.count)
    }
}

impl PasswordFilter {
    /// The filter of these, which are sorted and each there once.
    ///
    /// # Errors
    ///
    /// When none could be built, which does not happen with hashes.
    pub(super) fn new(keys: &[u64]) -> Result<Self, &'static str> {
        let parts = keys.len().div_ceil(PART).next_power_of_two();
        let mut rest = keys;
        let built = (0..parts).map(|part| {
            let end = rest.partition_point(|key| part_of(*key, parts) <= part);
            let (own, others) = rest.split_at(end);
            rest = others;
            match own.is_empty() {
                true => Ok(None),
                false => BinaryFuse16::try_from(own).map(Some),
            }
        });
        Ok(Self {
            parts: built.collect::<Result<_, _>>()?,
            count: keys.len(),
        })
    }

    /// Whether this password is on the list.
    pub(super) fn has(&self, password: &[u8]) -> bool {
        let PasswordKey(key) = PasswordKey::of(password);
        let part = self.parts.get(part_of(key, self.parts.len()));
        part.and_then(Option::as_ref)
            .is_some_and(|filter| filter.contains(&key))
    }

    /// How many passwords there are on the list, each counted once.
    pub const fn count(&self) -> usize {
        self.count
    }
}

/// Which of so many parts a hash belongs to: a power of two.
const fn part_of(key: u64, parts: usize) -> usize {
    ((key as u128 * parts as u128) >> 64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(passwords: impl Iterator<Item = String>) -> PasswordFilter {
        let mut keys: Vec<u64> = passwords
            .map(|one| PasswordKey::of(one.as_bytes()).0)
            .collect();
        keys.sort_unstable();
        keys.dedup();
        PasswordFilter::new(&keys).unwrap()
    }

    #[test]
    fn every_listed_password_is_found_and_hardly_any_other() {
        for count in [1, 2, 3, 10, 1_000, PART, PART + 1, 3 * PART] {
            let filter = filter((0..count).map(|n| format!("listed {n}")));
            assert_eq!(filter.count(), count);
            for n in (0..count).step_by(1 + count / 5_000) {
                assert!(filter.has(format!("listed {n}").as_bytes()), "{count}: {n}");
            }
            let others = (0..100_000).filter(|n| filter.has(format!("other {n}").as_bytes()));
            // 1.5 are expected.
            assert!(others.count() < 12, "{count}");
        }
    }

    #[test]
    fn hashes_that_all_begin_alike_are_found_too() {
        let keys: Vec<u64> = (0..1_200_000).collect();
        let filter = PasswordFilter::new(&keys).unwrap();
        assert_eq!(filter.parts.iter().flatten().count(), 1);
        assert_eq!(PasswordFilter::new(&[]).unwrap().count(), 0);
        assert!(!PasswordFilter::new(&[]).unwrap().has(b"x"));
    }

    #[test]
    fn sha_1_is_that_of_the_standard() {
        // FIPS 180-4's "abc".
        assert_eq!(PasswordKey::of(b"abc").0, 0xa999_3e36_4706_816a);
    }
}
