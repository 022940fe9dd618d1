//! tickets - the keys of TLS session tickets, kept so that a restart costs no device its ticket
//!
//! With them and a recorded ClientHello one could resume a client's session, and be taken for its device: they are
//! as secret as the keys of the state, and their file follows the same rules. Losing them costs full handshakes. The file: length (32),
//! CRC-32, both little-endian, then the keys.
//! Not here: what a key is, and when another one is made (`net::tls::tickets`).

use std::io::{ErrorKind, Write};

use zeroize::Zeroizing;

use super::directory::Directory;
use super::{SetAside, StoreFault, find, replace};

/// Octets of the file that are read: room for a version that keeps more.
const LONGEST: u64 = 4096;

/// The keys, and whether they lie on the disk.
#[derive(Default)]
pub(in crate::store) struct TicketFile {
    keys: Zeroizing<Vec<u8>>,
    kept: bool,
}

/// Tells nothing.
impl std::fmt::Debug for TicketFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TicketFile(..)")
    }
}

impl TicketFile {
    /// Reads the keys; none where there are none. What is something else is set aside.
    ///
    /// # Errors
    ///
    /// The file may not be read now, and may be sound.
    pub(in crate::store) fn load(
        directory: &Directory,
    ) -> Result<(Self, Option<SetAside>), StoreFault> {
        let aside = match directory.read(find::TICKETS, LONGEST).map(Zeroizing::new) {
            Ok(octets) => match keys(&octets) {
                Some(keys) => {
                    let keys = Zeroizing::new(keys.to_vec());
                    return Ok((Self { keys, kept: true }, None));
                }
                None => find::set_aside(directory, find::TICKETS, "it holds no keys of tickets"),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok((Self::default(), None));
            }
            Err(error) => find::set_aside_unread(directory, find::TICKETS, error)?,
        };
        Ok((Self::default(), Some(aside)))
    }

    /// The keys as they were read or set last.
    pub(in crate::store) fn keys(&self) -> &[u8] {
        &self.keys
    }

    /// These are the keys from now on.
    pub(in crate::store) fn set(&mut self, keys: Zeroizing<Vec<u8>>) {
        self.kept &= *self.keys == *keys;
        self.keys = keys;
    }

    /// Writes the keys, unless they are written.
    pub(in crate::store) fn keep(&mut self, directory: &Directory) -> Result<(), StoreFault> {
        if !self.kept && !self.keys.is_empty() {
            let length = (self.keys.len() as u32).to_le_bytes();
            let sum = crc32fast::hash(&self.keys).to_le_bytes();
            replace::replace(directory, find::TICKETS, |out| {
                out.write_all(&length)?;
                out.write_all(&sum)?;
                out.write_all(&self.keys)
            })?;
            self.kept = true;
        }
        Ok(())
    }

    /// The directory is another one: what it has for keys are not these.
    pub(in crate::store) fn moved(&mut self) {
        self.kept = false;
    }
}

/// The keys in a whole file.
fn keys(octets: &[u8]) -> Option<&[u8]> {
    let (length, rest) = octets.split_first_chunk()?;
    let (sum, keys) = rest.split_first_chunk()?;
    let is_whole = u32::from_le_bytes(*length) as usize == keys.len()
        && u32::from_le_bytes(*sum) == crc32fast::hash(keys);
    is_whole.then_some(keys)
}
