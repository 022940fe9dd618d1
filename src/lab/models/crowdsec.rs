//! crowdsec - CrowdSec's scenario `dovecot-spam`
//!
//! A leaky bucket for each address: failed logins fill it, three fit, and one leaks every 360 s. The one more
//! that overflows it bans the address for four hours, as the default profile does, and the bucket is gone. In
//! its favour: no time passes between a log line and the ban, other scenarios of the hub are not installed, and
//! no address is on the community's list.
//! Source: github.com/crowdsecurity/hub, scenarios/crowdsecurity/dovecot-spam.yaml; github.com/crowdsecurity/crowdsec,
//! config/profiles.yaml.

use std::collections::HashMap;
use std::time::Duration;

use crate::models::Model;
use crate::traffic::policy::{Expected, LoginAttempt};
use crate::traffic::{HOUR, MINUTE};
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::moment::Moment;

const CAPACITY: u32 = 3;
const LEAK: Duration = MINUTE.saturating_mul(6);
const BAN: Duration = HOUR.saturating_mul(4);

/// Each address's bucket, and its ban.
#[derive(Default)]
pub(super) struct CrowdSec {
    addresses: HashMap<ClientKey, LeakyBucket>,
    bans: u64,
}

#[derive(Default)]
struct LeakyBucket {
    /// When it will have leaked empty.
    empty: Option<Moment>,
    banned: Option<Moment>,
}

impl Model for CrowdSec {
    fn name(&self) -> &'static str {
        "CrowdSec"
    }

    fn admits(&mut self, attempt: &LoginAttempt, now: Moment) -> bool {
        let address = self.addresses.get(&attempt.client);
        let until = address.and_then(|address| address.banned);
        until.is_none_or(|until| until <= now)
    }

    fn observe(&mut self, attempt: &LoginAttempt, said: Expected, now: Moment) {
        if said == Expected::Right {
            return;
        }
        let address = self.addresses.entry(attempt.client).or_default();
        let empty = address.empty.map_or(now, |empty| empty.max(now)) + LEAK;
        if empty.since(now) > LEAK * CAPACITY {
            *address = LeakyBucket {
                empty: None,
                banned: Some(now + BAN),
            };
            self.bans += 1;
        } else {
            address.empty = Some(empty);
        }
    }

    fn bans(&self) -> u64 {
        self.bans
    }
}
