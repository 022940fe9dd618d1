//! secret - what the machines of a cluster have in common, and others do not
//!
//! A file with 32 octets or more, the same on every machine. Derived from it (HKDF-SHA-256, RFC 5869) are the key
//! under which users' names are hashed, so that a user is the same everywhere; the one that seals records (AES-256-GCM-SIV,
//! RFC 8452); the one by which linked machines know each other (`mesh`); and a mark by which a machine with another secret is known as one.
//! Not here: what is sealed (`sharing`), its way (`stream`).

use std::fmt;
use std::io;
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};

use crate::files;

/// Octets of a secret: no fewer, so that nobody guesses it.
pub const SHORTEST: usize = 32;
/// Octets of a secret's file.
pub const LONGEST: u64 = 4096;

/// The version of what is sealed. The first had no numbers.
const VERSION: u8 = 2;
/// Octets of the mark of a secret.
const MARK: usize = 8;
const SALT: &[u8] = b"gatepost cluster 1";

/// The secret of a cluster.
pub struct ClusterSecret {
    users: [u8; 16],
    links: [u8; 32],
    mark: [u8; MARK],
    records: RandomizedNonceKey,
}

/// Tells nothing.
impl fmt::Debug for ClusterSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClusterSecret(..)")
    }
}

/// Why a record is none of this cluster's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealFault {
    /// It was sealed under another secret.
    OtherSecret,
    /// Another version sealed it.
    Version,
    /// It is damaged, or somebody without the secret made it.
    Damaged,
}

impl ClusterSecret {
    /// Reads a secret.
    ///
    /// # Errors
    /// It cannot be read, or is too short.
    pub fn read(path: &Path) -> io::Result<Self> {
        let octets = files::read(path, LONGEST)?;
        let octets = octets.trim_ascii_end();
        if octets.len() < SHORTEST {
            let why = format!("it has fewer than {SHORTEST} octets");
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        Self::of(octets).ok_or_else(|| io::Error::other("no key can be derived from it"))
    }

    fn of(octets: &[u8]) -> Option<Self> {
        let root = Salt::new(HKDF_SHA256, SALT).extract(octets);
        Some(Self {
            users: derive(&root, b"users")?,
            links: derive(&root, b"links")?,
            mark: derive(&root, b"mark")?,
            records: RandomizedNonceKey::new(&AES_256_GCM_SIV, &derive::<32>(&root, b"records")?)
                .ok()?,
        })
    }

    /// The key under which users' names are hashed.
    pub const fn users(&self) -> [u8; 16] {
        self.users
    }

    /// What the key is made of by which linked machines know each other.
    pub const fn links(&self) -> [u8; 32] {
        self.links
    }

    /// Seals what the machine `name` tells.
    pub fn seal(&self, name: &str, text: &[u8]) -> Option<Vec<u8>> {
        let mut sealed = text.to_vec();
        let context = Aad::from(context(name));
        let nonce = self.records.seal_in_place_append_tag(context, &mut sealed);
        let head = [&[VERSION], &self.mark[..], nonce.ok()?.as_ref()].concat();
        Some([head, sealed].concat())
    }

    /// What the machine `name` told.
    ///
    /// # Errors
    /// It did not tell that.
    pub fn open(&self, name: &str, sealed: &[u8]) -> Result<Vec<u8>, SealFault> {
        let (version, rest) = sealed.split_first().ok_or(SealFault::Damaged)?;
        if *version != VERSION {
            return Err(match *version > 0 {
                true => SealFault::Version,
                false => SealFault::Damaged,
            });
        }
        let (mark, rest) = rest.split_first_chunk().ok_or(SealFault::Damaged)?;
        if *mark != self.mark {
            return Err(SealFault::OtherSecret);
        }
        let (nonce, rest) = rest
            .split_first_chunk::<NONCE_LEN>()
            .ok_or(SealFault::Damaged)?;
        let mut octets = rest.to_vec();
        let opened = self.records.open_in_place(
            Nonce::assume_unique_for_key(*nonce),
            Aad::from(context(name)),
            &mut octets,
        );
        let length = opened.map_err(|_| SealFault::Damaged)?.len();
        octets.truncate(length);
        Ok(octets)
    }
}

/// Who tells it stands beside what is sealed, and cannot be exchanged.
fn context(name: &str) -> Vec<u8> {
    [SALT, b"\0", name.as_bytes()].concat()
}

/// The length of a key.
struct KeyLength(usize);

impl KeyType for KeyLength {
    fn len(&self) -> usize {
        self.0
    }
}

fn derive<const N: usize>(root: &Prk, purpose: &[u8]) -> Option<[u8; N]> {
    let mut key = [0; N];
    let info = [purpose];
    let derived = root.expand(&info, KeyLength(N)).ok()?;
    derived.fill(&mut key).ok()?;
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(octet: u8) -> ClusterSecret {
        ClusterSecret::of(&[octet; SHORTEST]).unwrap()
    }

    #[test]
    fn who_has_the_secret_reads_what_a_machine_told_and_nobody_can_change_it() {
        let (here, there) = (secret(1), secret(1));
        let sealed = here.seal("mx1", b"banned").unwrap();
        assert_eq!(there.open("mx1", &sealed).unwrap(), b"banned");
        assert!(!sealed.windows(6).any(|six| six == b"banned"));
        assert_eq!(there.open("mx2", &sealed), Err(SealFault::Damaged));
        for place in 1 + MARK..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[place] ^= 1;
            assert_eq!(there.open("mx1", &damaged), Err(SealFault::Damaged));
        }
        for short in 0..sealed.len() {
            assert!(there.open("mx1", &sealed[..short]).is_err());
        }
        let again = here.seal("mx1", b"banned").unwrap();
        assert_ne!(again, sealed, "no nonce is used twice");
    }

    #[test]
    fn another_secret_and_another_version_are_told_from_damage() {
        let mut sealed = secret(1).seal("mx1", b"banned").unwrap();
        assert_eq!(secret(2).open("mx1", &sealed), Err(SealFault::OtherSecret));
        for version in [VERSION - 1, VERSION + 1] {
            sealed[0] = version;
            assert_eq!(secret(1).open("mx1", &sealed), Err(SealFault::Version));
        }
        sealed[0] = 0;
        assert_eq!(secret(1).open("mx1", &sealed), Err(SealFault::Damaged));
    }

    #[test]
    fn a_secret_is_long_enough_and_its_last_line_end_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, octets: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, octets).unwrap();
            path
        };
        let short = ClusterSecret::read(&file("short", &[b'a'; SHORTEST - 1]));
        assert_eq!(
            short.unwrap_err().to_string(),
            "it has fewer than 32 octets"
        );
        let bare = ClusterSecret::read(&file("bare", &[b'a'; SHORTEST])).unwrap();
        let line = [&[b'a'; SHORTEST][..], b"\n"].concat();
        let line = ClusterSecret::read(&file("line", &line)).unwrap();
        assert_eq!(bare.users(), line.users());
        assert_ne!(bare.users(), secret(1).users());
        assert!(ClusterSecret::read(&folder.path().join("none")).is_err());
    }
}
