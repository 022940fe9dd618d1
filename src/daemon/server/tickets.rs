//! tickets - the keys of TLS tickets over a restart: taken over, replaced each day, handed to the store
//!
//! Not here: what they seal (`net::tls::tickets`), their file (`store::tickets`).

use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::net::tls::Tls;
use crate::net::tls::tickets::Rotation;
use crate::store::Store;

/// Takes over the keys that an earlier process has kept, and sees that these are kept.
pub(in crate::server) fn take_over(tls: &Tls, store: &mut Store) {
    let keys = tls.ticket_keys();
    keys.take_over(store.ticket_keys());
    let _ = keys.rotate(Clock::wall());
    store.set_ticket_keys(keys.octets());
}

/// Makes a new key where it is time; all keys if they have changed.
pub(in crate::server) fn rotated(tls: &Tls) -> Option<Zeroizing<Vec<u8>>> {
    let keys = tls.ticket_keys();
    match keys.rotate(Clock::wall()) {
        Rotation::Changed => Some(keys.octets()),
        Rotation::None => None,
    }
}
