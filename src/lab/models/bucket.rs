//! bucket - a plain token bucket per address, and nothing else
//!
//! Ten failures at once, then ten an hour: what an honest address should need. It is what a rate
//! limit in a proxy or firewall amounts to, but for counting failures only, which they cannot do.
//! Source: none needed; it is what remains of the gate when only `client` is left of its buckets.

use std::collections::HashMap;
use std::time::Duration;

use crate::models::Model;
use crate::traffic::MINUTE;
use crate::traffic::policy::{Expected, LoginAttempt};
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::moment::Moment;

const BURST: u32 = 10;
const EVERY: Duration = MINUTE.saturating_mul(6);

/// When each address's bucket is full again.
#[derive(Default)]
pub(super) struct PerAddress {
    full: HashMap<ClientKey, Moment>,
}

impl Model for PerAddress {
    fn name(&self) -> &'static str {
        "bucket per address"
    }

    fn admits(&mut self, attempt: &LoginAttempt, now: Moment) -> bool {
        let full = self.full.get(&attempt.client);
        full.is_none_or(|full| full.since(now) <= EVERY * (BURST - 1))
    }

    fn observe(&mut self, attempt: &LoginAttempt, said: Expected, now: Moment) {
        if said != Expected::Right {
            let full = self.full.entry(attempt.client).or_insert(now);
            *full = (*full).max(now) + EVERY;
        }
    }
}
