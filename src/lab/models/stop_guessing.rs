//! stop_guessing - Microsoft Research's StopGuessing
//!
//! Each address has a score that halves in twelve hours. A wrong password adds 1, an account that does not exist
//! 2, and five times that if the password is frequent among guesses; the same wrong password of a user again adds
//! nothing. When a user logs in, nine tenths of what their own typing errors (two letters wrong at most, among the
//! address's last eight failures) had added are taken away, and up to 30 points more if the score is above 0; a
//! user has 50 of those, and they too come back by half in twelve hours. Past 50 a frequent password is refused,
//! past 5,000 any. In its favour: nobody's password is frequent, and what is refused costs no hash.
//! It is a frequent password after 20 rejections: so many steps take its ladder of 48 from the middle to rung 44.
//! Device cookies are not sent by mail programs.
//! Source: github.com/microsoft/StopGuessing, BlockingAlgorithmOptions and LoginAttemptController.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use crate::models::Model;
use crate::traffic::HOUR;
use crate::traffic::policy::{Expected, LoginAttempt};
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::moment::Moment;

const HALF_LIFE: Duration = HOUR.saturating_mul(12);
const INVALID_PASSWORD: f64 = 1.0;
const INVALID_ACCOUNT: f64 = 2.0;
const FREQUENT_TIMES: f64 = 5.0;
const TYPO_CREDIT: f64 = 0.9;
const TYPO_DISTANCE: usize = 2;
const REMEMBERED: usize = 8;
const REWARD: f64 = 30.0;
const REWARD_LIMIT: f64 = 50.0;
const THRESHOLD: f64 = 50.0;
const RARE_TIMES: f64 = 100.0;
const FREQUENT_AFTER: u32 = 20;

/// The scores of addresses, and what is known of passwords and accounts.
#[derive(Default)]
pub(super) struct StopGuessing {
    addresses: HashMap<ClientKey, AddressScore>,
    /// How much of the reward each account has given out.
    rewards: HashMap<Vec<u8>, DecayingNumber>,
    rejected: HashMap<Vec<u8>, u32>,
    repeated: HashSet<(Vec<u8>, Vec<u8>)>,
}

#[derive(Default)]
struct AddressScore {
    score: DecayingNumber,
    failures: VecDeque<RecentFailure>,
}

struct RecentFailure {
    user: Vec<u8>,
    password: Vec<u8>,
    penalty: DecayingNumber,
}

/// A number that halves in twelve hours.
#[derive(Clone, Copy, Default)]
struct DecayingNumber {
    value: f64,
    at: Option<Moment>,
}

impl DecayingNumber {
    fn at(self, now: Moment) -> f64 {
        let age = self.at.map_or(0.0, |at| now.since(at).as_secs_f64());
        self.value * 0.5_f64.powf(age / HALF_LIFE.as_secs_f64())
    }

    fn add(&mut self, more: f64, now: Moment) {
        *self = Self {
            value: self.at(now) + more,
            at: Some(now),
        };
    }
}

impl StopGuessing {
    fn is_frequent(&self, password: &[u8]) -> bool {
        let rejected = self.rejected.get(password);
        rejected.is_some_and(|times| *times >= FREQUENT_AFTER)
    }

    fn reward(&mut self, user: Vec<u8>, password: &[u8], client: ClientKey, now: Moment) {
        let Some(address) = self.addresses.get_mut(&client) else {
            return;
        };
        let mut credit = 0.0;
        address.failures.retain(|failure| {
            let typo =
                failure.user == user && distance(&failure.password, password) <= TYPO_DISTANCE;
            if typo {
                credit += TYPO_CREDIT * failure.penalty.at(now);
            }
            !typo
        });
        address.score.add(-credit, now);
        if address.score.at(now) > 0.0 {
            let given = self.rewards.entry(user).or_default();
            let reward = REWARD.min(REWARD_LIMIT - given.at(now)).max(0.0);
            given.add(reward, now);
            address.score.add(-reward, now);
        }
    }
}

impl Model for StopGuessing {
    fn name(&self) -> &'static str {
        "StopGuessing"
    }

    fn admits(&mut self, attempt: &LoginAttempt, now: Moment) -> bool {
        let address = self.addresses.get(&attempt.client);
        let score = address.map_or(0.0, |address| address.score.at(now));
        let threshold = match self.is_frequent(attempt.password.expose()) {
            true => THRESHOLD,
            false => THRESHOLD * RARE_TIMES,
        };
        score <= threshold
    }

    fn observe(&mut self, attempt: &LoginAttempt, said: Expected, now: Moment) {
        let user = attempt.user.folded();
        let password = attempt.password.expose();
        if said == Expected::Right {
            self.reward(user, password, attempt.client, now);
            return;
        }
        *self.rejected.entry(password.to_vec()).or_default() += 1;
        if !self.repeated.insert((user.clone(), password.to_vec())) {
            return;
        }
        let base = match said {
            Expected::NoSuchUser => INVALID_ACCOUNT,
            _ => INVALID_PASSWORD,
        };
        let penalty = match self.is_frequent(password) {
            true => base * FREQUENT_TIMES,
            false => base,
        };
        let address = self.addresses.entry(attempt.client).or_default();
        address.score.add(penalty, now);
        let mut kept = DecayingNumber::default();
        kept.add(penalty, now);
        address.failures.push_front(RecentFailure {
            user,
            password: password.to_vec(),
            penalty: kept,
        });
        address.failures.truncate(REMEMBERED);
    }
}

/// How many letters must be put in, taken out or changed to make one of the other (Levenshtein, 1966).
fn distance(one: &[u8], other: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.iter().enumerate() {
        let mut next = vec![at + 1];
        for (column, theirs) in other.iter().enumerate() {
            let of = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX);
            let changed = of(&row, column) + usize::from(letter != theirs);
            let shifted = of(&row, column + 1).min(of(&next, column)) + 1;
            next.push(changed.min(shifted));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_counted_in_letters() {
        for (one, other, want) in [("", "", 0), ("abc", "axbc", 1), ("kitten", "sitting", 3)] {
            assert_eq!(distance(one.as_bytes(), other.as_bytes()), want);
        }
    }
}
