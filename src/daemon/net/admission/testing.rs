//! testing - connections that had to make room, for tests of who holds one
//!
//! Not here: the tests of admission itself (`tests`).

use std::time::Duration;

use super::{Admission, AdmissionSettings, Slot};
use crate::net::filter::FilterMode;
use gatepost_core::gate::buckets::quota::Quota;
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::verdict::Standing;
use gatepost_core::moment::Moment;

/// Two strangers where one session is all: the first is evicted.
pub(crate) fn full_of_one() -> (Slot, Slot) {
    two(1, 9)
}

/// Two connections of a client that may have one: the first gives way.
pub(crate) fn one_of_its_client() -> (Slot, Slot) {
    two(9, 1)
}

fn two(sessions: usize, per_client: u32) -> (Slot, Slot) {
    let connects = Quota {
        burst: 9,
        every: Duration::from_secs(1),
    };
    let settings = AdmissionSettings {
        sessions,
        per_client,
        per_network: 9,
        connects,
        familiar_connects: connects,
        handshakes: 1,
        filter: FilterMode::Off,
    };
    let admission = Admission::new(&settings, &[7; 16]);
    let admit = || admission.admit(ClientKey::V4(1), Standing::Stranger, Moment::EPOCH);
    (admit().unwrap(), admit().unwrap())
}
