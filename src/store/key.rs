//! key - the secret under which user names are hashed in the state
//!
//! Made once, kept beside the snapshot, for its owner alone: whoever reads a stray copy of the snapshot learns
//! no names by trying. Not here: the keys of passwords and of the tables, made anew at every start.

use std::io::ErrorKind;
use std::path::Path;

use super::frame::{self, Frame};
use super::{SetAside, StoreFault, set_aside, snapshot};

/// Reads the key, or makes one where none is.
///
/// A key that cannot be written (a read-only disk) serves for this run: the service matters more.
pub(in crate::store) fn load_or_make(
    directory: &Path,
    aside: &mut Vec<SetAside>,
) -> Result<[u8; 16], StoreFault> {
    let path = directory.join("user.key");
    match std::fs::read(&path) {
        Ok(octets) => {
            if let Frame::Whole(payload, []) = frame::first(&octets)
                && let Ok(key) = payload.try_into()
            {
                return Ok(key);
            }
            aside.push(set_aside(
                &path,
                "it is no key: every user is unknown again",
            )?);
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(StoreFault::io("reading", &path)(error)),
    }
    let key = random();
    let mut octets = Vec::new();
    frame::push(&mut octets, &key);
    let _ = snapshot::replace(&path, &octets);
    Ok(key)
}

/// Sixteen octets from the system's generator.
///
/// # Panics
///
/// Never on Linux since 3.17: the generator cannot fail once the machine has started.
#[expect(
    clippy::expect_used,
    reason = "without randomness there is nothing safe to do"
)]
pub fn random() -> [u8; 16] {
    let mut key = [0; 16];
    getrandom::fill(&mut key).expect("the system's random generator answers");
    key
}
