//! tickets - session tickets of TLS 1.3 under keys of our own, and the device that each names
//!
//! A ticket is what a client brings to resume a session: sealed by us, of no use without a secret that only the client has.
//! Into each goes a random number, the device, the same again whenever the client comes back with it (`gate::request::device`).
//! A key seals for a day; a ticket is taken for seven (RFC 8446 section 4.6.1 allows no more), over reloads and restarts: the keys are kept
//! with the state (`store::tickets`). Whatever is no ticket of ours, is too old or under a key that is gone leads to a
//! full handshake. A resumed handshake of TLS 1.3 has a key exchange of its own, so a thief of these keys can read no
//! session;
//! TLS 1.2 has none, so its tickets keep the short-lived keys of rustls (`Tls`).
//! The cipher is AES-256-GCM with random nonces; a day's tickets under one key stay far below its limit of 2^32.
//! Not here: when keys are replaced and written (`server::persist`).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use rustls::ServerConnection;
use rustls::server::ProducesTickets;
use zeroize::Zeroizing;

use crate::clock::{Clock, EARLIEST};
use crate::store::key::random;
use gatepost_core::gate::request::device::{Device, DeviceTicket};
use gatepost_core::moment::Moment;

/// How long a key seals.
const SEALS: Duration = Duration::from_secs(86_400);
/// How long a ticket is taken.
const TAKEN: Duration = Duration::from_secs(7 * 86_400);
/// Keys that are kept: a day's that seals, and those of the seven days before.
pub const MOST_KEYS: usize = 8;

/// Octets of a key's name, with which each of its tickets begins.
const NAME: usize = 16;
/// Octets of a key.
const SECRET: usize = 32;
/// Octets of the second in which a ticket was made.
const ISSUED: usize = 8;
/// Octets of the sum behind what was sealed.
const TAG: usize = 16;

/// A key as it is kept with the state: its name, the second in which it was made, its octets.
pub const KEY_OCTETS: usize = NAME + ISSUED + SECRET;

/// The keys of the tickets, shared by all configs of TLS. Without a state directory they die with the process.
pub struct TicketKeys(ArcSwap<Vec<TicketKey>>);

/// One key.
#[derive(Clone)]
struct TicketKey {
    name: [u8; NAME],
    /// By the wall clock, which goes on over a restart.
    made: Moment,
    secret: Zeroizing<[u8; SECRET]>,
    cipher: Arc<RandomizedNonceKey>,
}

/// A key is as good as any other.
impl fmt::Debug for TicketKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketKeys(..)")
    }
}

impl TicketKeys {
    /// One new key, made `now` by the wall clock.
    pub(super) fn new(now: Moment) -> Self {
        let first = TicketKey::made(now);
        Self(ArcSwap::from_pointee(first.into_iter().collect()))
    }

    /// Takes over the keys that an earlier process has kept, of [`KEY_OCTETS`] each. What is none is passed over.
    pub fn take_over(&self, octets: &[u8]) {
        let mut keys: Vec<TicketKey> = octets
            .chunks_exact(KEY_OCTETS)
            .filter_map(TicketKey::read)
            .collect();
        if keys.is_empty() {
            return;
        }
        // The newest last, as here.
        keys.sort_by_key(|key| key.made);
        keys.drain(..keys.len().saturating_sub(MOST_KEYS));
        self.0.store(Arc::new(keys));
    }

    /// Makes a new key where the last one has sealed for a day, and forgets the oldest of too many. None goes for its age:
    /// by a clock that is ahead at boot, all would. Too old tickets are refused one by one.
    pub fn rotate(&self, now: Moment) -> Rotation {
        let held = self.0.load_full();
        let mut keys: Vec<_> = held.iter().map(|key| key.not_ahead(now)).collect();
        keys.sort_by_key(|key| key.made.min(now));
        if keys.last().is_some_and(|key| key.seals(now)) {
            let is_same = |(one, other): (&TicketKey, &TicketKey)| one.is_as(other);
            if keys.iter().zip(held.iter()).all(is_same) {
                return Rotation::None;
            }
        } else {
            keys.extend(TicketKey::made(now));
            keys.drain(..keys.len().saturating_sub(MOST_KEYS));
        }
        self.0.store(Arc::new(keys));
        Rotation::Changed
    }

    /// All keys, as they are kept with the state.
    pub fn octets(&self) -> Zeroizing<Vec<u8>> {
        let keys = self.0.load();
        let mut octets = Zeroizing::new(Vec::with_capacity(keys.len() * KEY_OCTETS));
        for key in keys.iter() {
            octets.extend_from_slice(&key.name);
            octets.extend_from_slice(&key.made.as_seconds().to_le_bytes());
            octets.extend_from_slice(&*key.secret);
        }
        octets
    }

    /// A ticket with `plain` in it.
    fn seal(&self, plain: &[u8], now: Moment) -> Option<Vec<u8>> {
        let keys = self.0.load();
        let key = keys.last()?;
        let mut sealed = Vec::with_capacity(ISSUED + plain.len() + TAG);
        sealed.extend_from_slice(&now.as_seconds().to_le_bytes());
        sealed.extend_from_slice(plain);
        let aad = Aad::from(key.name);
        let nonce = key.cipher.seal_in_place_append_tag(aad, &mut sealed).ok()?;
        Some([&key.name, nonce.as_ref().as_slice(), &sealed].concat())
    }

    /// What is in a ticket, if it is one of ours and not too old.
    fn open(&self, ticket: &[u8], now: Moment) -> Option<Vec<u8>> {
        let (name, rest) = ticket.split_first_chunk::<NAME>()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        let keys = self.0.load();
        let key = keys.iter().find(|key| key.name == *name)?;
        let mut sealed = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = key
            .cipher
            .open_in_place(nonce, Aad::from(*name), &mut sealed);
        let (issued, plain) = opened.ok()?.split_first_chunk::<ISSUED>()?;
        let issued = Moment::from_seconds(u64::from_le_bytes(*issued));
        (now.since(issued) < TAKEN).then(|| plain.to_vec())
    }
}

/// What has become of the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// They are what they were.
    None,
    /// They should be kept anew.
    Changed,
}

impl TicketKey {
    fn made(now: Moment) -> Option<Self> {
        let mut secret = Zeroizing::new([0; SECRET]);
        let (low, high) = secret.split_at_mut(SECRET / 2);
        low.copy_from_slice(&random());
        high.copy_from_slice(&random());
        Self::new(random(), now, secret)
    }

    fn new(name: [u8; NAME], made: Moment, secret: Zeroizing<[u8; SECRET]>) -> Option<Self> {
        let cipher = RandomizedNonceKey::new(&AES_256_GCM, &*secret).ok()?;
        Some(Self {
            name,
            made,
            secret,
            cipher: Arc::new(cipher),
        })
    }

    fn read(octets: &[u8]) -> Option<Self> {
        let (name, rest) = octets.split_first_chunk()?;
        let (made, secret) = rest.split_first_chunk()?;
        let made = u64::from_le_bytes(*made);
        let secret = Zeroizing::new(secret.try_into().ok()?);
        Self::new(*name, Moment::from_seconds(made), secret)
    }

    /// The same key. One of the future was made by a clock that was set back since: it counts as made now. Not so where
    /// the clock is the one that is wrong, as on a machine that boots in 1970.
    fn not_ahead(&self, now: Moment) -> Self {
        let made = match now >= EARLIEST {
            true => self.made.min(now),
            false => self.made,
        };
        Self {
            made,
            ..self.clone()
        }
    }

    fn is_as(&self, other: &Self) -> bool {
        self.name == other.name && self.made == other.made
    }

    /// Whether it seals now.
    fn seals(&self, now: Moment) -> bool {
        now.since(self.made) < SEALS
    }
}

/// Asked by rustls, which gives no time along.
impl ProducesTickets for TicketKeys {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        u32::try_from(TAKEN.as_secs()).unwrap_or_default()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.seal(plain, Clock::wall())
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        self.open(ticket, Clock::wall())
    }
}

/// The device at the other end of a connection of TLS 1.3 that has read its ClientHello: as its ticket names it, or a new
/// one. Its next ticket names it again.
pub(super) fn device(connection: &mut ServerConnection) -> Device {
    let returned = connection.received_resumption_data();
    let returned = returned.and_then(|octets| octets.try_into().ok());
    let device = match returned {
        Some(octets) => Device::new(octets, DeviceTicket::Returned),
        None => Device::new(random(), DeviceTicket::New),
    };
    connection.set_resumption_data(device.expose());
    device
}

#[cfg(test)]
mod tests;
