//! mailu - the limits of Mailu's authentication
//!
//! `AUTH_RATELIMIT_IP` (5/hour): attempts at distinct accounts that do not exist, of one /24 or /48; past it
//! logins from there are refused. `AUTH_RATELIMIT_USER` (50/day): distinct wrong passwords of one account; past
//! it all logins of that account are refused. `AUTH_RATELIMIT_EXEMPTION_LENGTH` (a day): an address with a good login is
//! free of both. Windows move. Device cookies work in the web interface only, so not here.
//! Source: github.com/Mailu/Mailu, docs/configuration.rst and core/admin/mailu/limiter.py.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::models::Model;
use crate::traffic::policy::{Expected, LoginAttempt};
use crate::traffic::{DAY, HOUR};
use gatepost_core::gate::request::client::{ClientKey, NetworkKey};
use gatepost_core::moment::Moment;

const PER_NETWORK: usize = 5;
const PER_USER: usize = 50;
const EXEMPTION: Duration = DAY;

/// The two limits, and who is free of them.
#[derive(Default)]
pub(super) struct Mailu {
    networks: HashMap<NetworkKey, Window>,
    users: HashMap<Vec<u8>, Window>,
    exempt: HashMap<ClientKey, Moment>,
}

/// What counted in the last hour or day: names or passwords, and when.
#[derive(Default)]
struct Window(VecDeque<(Moment, Vec<u8>)>);

impl Window {
    fn count(&mut self, length: Duration, now: Moment) -> usize {
        while self
            .0
            .front()
            .is_some_and(|(at, _)| now.since(*at) >= length)
        {
            self.0.pop_front();
        }
        self.0.len()
    }

    fn hit(&mut self, what: &[u8], now: Moment) {
        if self.0.iter().all(|(_, held)| held != what) {
            self.0.push_back((now, what.to_vec()));
        }
    }
}

impl Mailu {
    fn is_exempt(&self, client: ClientKey, now: Moment) -> bool {
        let until = self.exempt.get(&client);
        until.is_some_and(|until| *until > now)
    }
}

impl Model for Mailu {
    fn name(&self) -> &'static str {
        "Mailu"
    }

    fn admits(&mut self, attempt: &LoginAttempt, now: Moment) -> bool {
        if self.is_exempt(attempt.client, now) {
            return true;
        }
        let network = self.networks.get_mut(&attempt.client.network());
        if network.is_some_and(|window| window.count(HOUR, now) >= PER_NETWORK) {
            return false;
        }
        let user = self.users.get_mut(&attempt.user.folded());
        user.is_none_or(|window| window.count(DAY, now) < PER_USER)
    }

    fn observe(&mut self, attempt: &LoginAttempt, said: Expected, now: Moment) {
        if said == Expected::Right {
            self.exempt.insert(attempt.client, now + EXEMPTION);
            return;
        }
        if self.is_exempt(attempt.client, now) {
            return;
        }
        let name = attempt.user.folded();
        if said == Expected::NoSuchUser {
            let window = self.networks.entry(attempt.client.network()).or_default();
            window.count(HOUR, now);
            window.hit(&name, now);
        } else {
            let window = self.users.entry(name).or_default();
            window.count(DAY, now);
            window.hit(attempt.password.expose(), now);
        }
    }
}
