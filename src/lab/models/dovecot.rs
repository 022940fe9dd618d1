//! dovecot - Dovecot's authentication penalty
//!
//! Each failed login of an address raises its penalty, up to four, unless the same name and password is among
//! the address's last ten failures; a login that succeeds takes it away, as do 15 s without a failure. The next
//! login of the address waits before it is looked at: 4 s, 8 s, then 15 s. IPv6 counts by /48. Postfix waits
//! 10 s for Dovecot: the longest penalty is longer, so the login fails, though nothing was checked. In its favour:
//! a mail program waits as long as Postfix does. Logins side by side each wait for themselves, as its manual says.
//! Source: doc.dovecot.org, "Authentication Penalty"; src/auth/auth-penalty.c and src/anvil/penalty.c;
//! Postfix's src/xsasl/xsasl_dovecot_server.c for its 10 s.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::models::Model;
use crate::traffic::SECOND;
use crate::traffic::policy::{Expected, LoginAttempt};
use gatepost_core::gate::request::client::{ClientKey, NetworkKey};
use gatepost_core::moment::Moment;

const MOST: u32 = 4;
const REMEMBERED: usize = 10;
const LONGEST: Duration = SECOND.saturating_mul(15);
const POSTFIX_WAITS: Duration = SECOND.saturating_mul(10);

/// Each address's penalty.
#[derive(Default)]
pub(super) struct DovecotPenalty {
    origins: HashMap<PenaltyKey, Penalty>,
}

/// What a penalty is kept for.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum PenaltyKey {
    Address(ClientKey),
    Network(NetworkKey),
}

#[derive(Default)]
struct Penalty {
    level: u32,
    raised: Option<Moment>,
    last: VecDeque<(Vec<u8>, Vec<u8>)>,
}

impl DovecotPenalty {
    fn level(&self, client: ClientKey, now: Moment) -> u32 {
        let penalty = self.origins.get(&origin(client));
        let valid = penalty.filter(|penalty| penalty.is_valid(now));
        valid.map_or(0, |penalty| penalty.level)
    }
}

impl Penalty {
    fn is_valid(&self, now: Moment) -> bool {
        self.raised
            .is_some_and(|raised| now.since(raised) < LONGEST)
    }
}

impl Model for DovecotPenalty {
    fn name(&self) -> &'static str {
        "Dovecot's penalty"
    }

    fn admits(&mut self, attempt: &LoginAttempt, now: Moment) -> bool {
        self.wait(attempt, now) < POSTFIX_WAITS
    }

    fn wait(&mut self, attempt: &LoginAttempt, now: Moment) -> Duration {
        match self.level(attempt.client, now) {
            0 => Duration::ZERO,
            level => (SECOND * (2 << level)).min(LONGEST),
        }
    }

    fn observe(&mut self, attempt: &LoginAttempt, said: Expected, now: Moment) {
        if said == Expected::Right {
            self.origins.remove(&origin(attempt.client));
            return;
        }
        let penalty = self.origins.entry(origin(attempt.client)).or_default();
        let tried = (attempt.user.folded(), attempt.password.expose().to_vec());
        if penalty.last.contains(&tried) {
            return;
        }
        penalty.last.push_front(tried);
        penalty.last.truncate(REMEMBERED);
        let before = if penalty.is_valid(now) {
            penalty.level
        } else {
            0
        };
        penalty.level = (before + 1).min(MOST);
        penalty.raised = Some(now);
    }
}

fn origin(client: ClientKey) -> PenaltyKey {
    match client {
        ClientKey::V4(_) => PenaltyKey::Address(client),
        ClientKey::V6(_) => PenaltyKey::Network(client.network()),
    }
}
