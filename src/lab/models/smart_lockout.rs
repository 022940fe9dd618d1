//! smart_lockout - Microsoft Entra's smart lockout
//!
//! Ten failures at an account lock it for a minute; each further failure locks it again, for longer. How
//! much longer is not disclosed: the model doubles, up to a day. A repetition of one of the last three
//! wrong passwords does not count. Familiar and unfamiliar places have counters of their own; a good login
//! clears its own. In its favour: one data centre, a whole /16 or /32 is familiar after a login, and what
//! SCRAM hides is compared all the same.
//! Source: learn.microsoft.com, "Protect user accounts from attacks with Microsoft Entra smart lockout".

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::models::Model;
use crate::traffic::policy::{Expected, LoginAttempt};
use crate::traffic::{DAY, MINUTE};
use gatepost_core::gate::request::attempt::UserName;
use gatepost_core::gate::request::client::{ClientKey, RegionKey};
use gatepost_core::moment::Moment;

const THRESHOLD: u32 = 10;
const REMEMBERED: usize = 3;

/// The counters of all accounts.
#[derive(Default)]
pub(super) struct SmartLockout {
    familiar: HashSet<(Vec<u8>, RegionKey)>,
    accounts: HashMap<(Vec<u8>, Familiarity), AccountState>,
    lockouts: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Familiarity {
    Familiar,
    Unfamiliar,
}

#[derive(Default)]
struct AccountState {
    failures: u32,
    last: Vec<Vec<u8>>,
    locked: Option<Moment>,
}

impl SmartLockout {
    fn key(&self, attempt: &LoginAttempt) -> (Vec<u8>, Familiarity) {
        let pair = (attempt.user.folded(), attempt.client.region());
        let place = match self.familiar.contains(&pair) {
            true => Familiarity::Familiar,
            false => Familiarity::Unfamiliar,
        };
        (pair.0, place)
    }
}

impl Model for SmartLockout {
    fn name(&self) -> &'static str {
        "smart lockout"
    }

    fn admits(&mut self, attempt: &LoginAttempt, now: Moment) -> bool {
        let account = self.accounts.get(&self.key(attempt));
        let locked = account.and_then(|account| account.locked);
        locked.is_none_or(|until| until <= now)
    }

    fn observe(&mut self, attempt: &LoginAttempt, said: Expected, now: Moment) {
        let key = self.key(attempt);
        if said == Expected::Right {
            self.familiar
                .insert((key.0.clone(), attempt.client.region()));
            self.accounts.remove(&key);
            return;
        }
        let account = self.accounts.entry(key).or_default();
        let password = attempt.password.expose().to_vec();
        if account.last.contains(&password) {
            return;
        }
        account.last.insert(0, password);
        account.last.truncate(REMEMBERED);
        account.failures += 1;
        if account.failures >= THRESHOLD {
            let doublings = (account.failures - THRESHOLD).min(16);
            let length: Duration = MINUTE * (1 << doublings);
            account.locked = Some(now + length.min(DAY));
            self.lockouts += 1;
        }
    }

    fn learn(&mut self, user: &UserName, client: ClientKey, _when: Moment) {
        self.familiar.insert((user.folded(), client.region()));
    }

    fn bans(&self) -> u64 {
        self.lockouts
    }
}
