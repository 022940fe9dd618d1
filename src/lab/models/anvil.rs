//! anvil - Postfix's `smtpd_client_auth_rate_limit`
//!
//! So many AUTH commands of one address in `anvil_rate_time_unit` (60 s), good ones counted like bad
//! ones. Postfix's default is 0, no limit at all; the model has 5. IPv6 clients count by /84 since Postfix
//! 3.8; here a /64 is one client, in its favour.
//! Source: postconf(5), `smtpd_client_auth_rate_limit` and `anvil_rate_time_unit`; anvil(8).

use std::collections::HashMap;

use crate::models::Model;
use crate::traffic::MINUTE;
use crate::traffic::policy::{Expected, LoginAttempt};
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::moment::Moment;

const LIMIT: u32 = 5;

/// Each address's time unit: its begin, and the AUTH commands in it.
#[derive(Default)]
pub(super) struct Anvil {
    addresses: HashMap<ClientKey, (Moment, u32)>,
}

impl Model for Anvil {
    fn name(&self) -> &'static str {
        "anvil"
    }

    fn admits(&mut self, attempt: &LoginAttempt, now: Moment) -> bool {
        let (begin, commands) = self.addresses.entry(attempt.client).or_insert((now, 0));
        if now.since(*begin) >= MINUTE {
            (*begin, *commands) = (now, 0);
        }
        *commands += 1;
        *commands <= LIMIT
    }

    fn observe(&mut self, _knock: &LoginAttempt, _said: Expected, _now: Moment) {}
}
