//! fail2ban - its jail `postfix-sasl` with the defaults of `jail.conf`
//!
//! Five failures of an address in ten minutes: its packets are dropped for ten minutes. With
//! `bantime.increment` each further ban of an address is twice as long as the one before
//! (`ban.Time * (1<<(ban.Count if ban.Count<20 else 20))`). The filter's pattern for failed logins names
//! LOGIN, PLAIN, CRAM-MD5 and DIGEST-MD5, so SCRAM goes unseen. In its favour: no time passes between a
//! log line and the ban, and no session goes on after it.
//! Source: github.com/fail2ban/fail2ban, config/jail.conf and config/filter.d/postfix.conf.

use std::collections::HashMap;
use std::time::Duration;

use crate::models::Model;
use crate::traffic::MINUTE;
use crate::traffic::policy::{Expected, LoginAttempt, PasswordForm};
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::moment::Moment;

const MAX_RETRY: usize = 5;
const FIND_TIME: Duration = MINUTE.saturating_mul(10);
const BAN_TIME: Duration = MINUTE.saturating_mul(10);

/// The jail.
pub(super) struct Fail2ban {
    increments: bool,
    addresses: HashMap<ClientKey, FailingAddress>,
    bans: u64,
}

#[derive(Default)]
struct FailingAddress {
    failures: Vec<Moment>,
    banned: u32,
    until: Option<Moment>,
}

impl Fail2ban {
    pub(super) fn constant() -> Self {
        Self {
            increments: false,
            addresses: HashMap::new(),
            bans: 0,
        }
    }

    pub(super) fn with_increments() -> Self {
        Self {
            increments: true,
            ..Self::constant()
        }
    }
}

impl Model for Fail2ban {
    fn name(&self) -> &'static str {
        match self.increments {
            true => "fail2ban, increments",
            false => "fail2ban",
        }
    }

    fn admits(&mut self, attempt: &LoginAttempt, now: Moment) -> bool {
        let address = self.addresses.get(&attempt.client);
        let until = address.and_then(|address| address.until);
        until.is_none_or(|until| until <= now)
    }

    fn observe(&mut self, attempt: &LoginAttempt, said: Expected, now: Moment) {
        if said == Expected::Right || attempt.mechanism == PasswordForm::Scram {
            return;
        }
        let address = self.addresses.entry(attempt.client).or_default();
        address.failures.retain(|at| now.since(*at) < FIND_TIME);
        address.failures.push(now);
        if address.failures.len() < MAX_RETRY {
            return;
        }
        let doublings = if self.increments {
            address.banned.min(20)
        } else {
            0
        };
        *address = FailingAddress {
            failures: Vec::new(),
            banned: address.banned + 1,
            until: Some(now + BAN_TIME * (1 << doublings)),
        };
        self.bans += 1;
    }

    fn bans(&self) -> u64 {
        self.bans
    }
}
