//! lately - the last attempts, and who made most of them
//!
//! For the live views (`gatepost top`). In memory only, of fixed size, and gone with the process: the log has
//! the attempts. Names stand here as the log shows them.
//! Not here: the gate's own memory of decisions, which holds no names (`gate`).

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::busiest::{AttemptCounts, Busiest};
use super::verdicts::AttemptVerdict;
use gatepost_core::gate::request::attempt::UserName;
use gatepost_core::gate::request::client::{ClientKey, NetworkKey};
use gatepost_core::moment::Moment;

/// Attempts that are remembered one by one.
const LAST: usize = 200;

/// Counts go back as far as this, at most twice.
const SPAN: Duration = Duration::from_secs(600);

/// One attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastAttempt {
    /// One more than that of the attempt before.
    pub number: u64,
    /// When it was answered.
    pub at: Moment,
    /// The client.
    pub client: ClientKey,
    /// The user, as the log shows the name.
    pub user: Option<String>,
    /// How it ended.
    pub verdict: AttemptVerdict,
    /// On what grounds.
    pub reason: Option<&'static str>,
    /// How long the client was told to wait.
    pub wait: Duration,
}

/// Who makes the most attempts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BusiestNow {
    /// From when on it is counted.
    pub since: Moment,
    /// Clients, the busiest first.
    pub clients: Vec<(ClientKey, AttemptCounts)>,
    /// Their networks.
    pub networks: Vec<(NetworkKey, AttemptCounts)>,
    /// Users whose attempts failed; what was accepted is not counted.
    pub users: Vec<(String, AttemptCounts)>,
}

/// Remembers the attempts.
#[derive(Debug, Default)]
pub struct Lately(Mutex<LatelyState>);

#[derive(Debug, Default)]
struct LatelyState {
    last: VecDeque<PastAttempt>,
    count: u64,
    now: Generation,
    before: Generation,
}

/// What was counted in one span.
#[derive(Debug, Default)]
struct Generation {
    began: Moment,
    clients: Busiest<ClientKey>,
    networks: Busiest<NetworkKey>,
    users: Busiest<String>,
}

impl Lately {
    /// One more.
    pub(in crate::report) fn note(&self, attempt: PastAttempt, user: Option<&UserName>) {
        // As the gate folds it, and as long as the log shows it.
        let folded = user.map(|user| UserName::new(user.folded()).to_string());
        let mut state = self.lock();
        state.count += 1;
        let attempt = PastAttempt {
            number: state.count,
            ..attempt
        };
        state.turn_over(attempt.at);
        let (client, verdict) = (attempt.client, attempt.verdict);
        state.now.clients.count(client, verdict);
        state.now.networks.count(client.network(), verdict);
        if let Some(user) = folded.filter(|_| verdict != AttemptVerdict::Accept) {
            state.now.users.count(user, verdict);
        }
        if state.last.len() >= LAST {
            state.last.pop_front();
        }
        state.last.push_back(attempt);
    }

    /// The last attempts whose number is above `after`, in their order.
    pub fn since(&self, after: u64) -> Vec<PastAttempt> {
        let state = self.lock();
        let new = state.last.iter().filter(|one| one.number > after);
        new.cloned().collect()
    }

    /// The `most` busiest of each kind.
    pub fn busiest(&self, most: usize, now: Moment) -> BusiestNow {
        let mut state = self.lock();
        state.turn_over(now);
        let (new, old) = (&state.now, &state.before);
        BusiestNow {
            since: old.began,
            clients: merged(&new.clients, &old.clients, most),
            networks: merged(&new.networks, &old.networks, most),
            users: merged(&new.users, &old.users, most),
        }
    }

    fn lock(&self) -> MutexGuard<'_, LatelyState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LatelyState {
    /// Begins a new generation when this one's time is over.
    fn turn_over(&mut self, now: Moment) {
        let age = now.since(self.now.began);
        if age < SPAN {
            return;
        }
        let new = Generation {
            began: now,
            ..Generation::default()
        };
        self.before = std::mem::replace(&mut self.now, new);
        if age >= SPAN * 2 {
            self.before = Generation {
                began: now,
                ..Generation::default()
            };
        }
    }
}

fn merged<K: Hash + Eq + Clone + Ord>(
    new: &Busiest<K>,
    old: &Busiest<K>,
    most: usize,
) -> Vec<(K, AttemptCounts)> {
    let mut sums: HashMap<&K, AttemptCounts> = HashMap::new();
    for (key, counts) in new.rows().chain(old.rows()) {
        sums.entry(key).or_default().add(counts);
    }
    let mut sums: Vec<(&K, AttemptCounts)> = sums.into_iter().collect();
    sums.sort_by(|(one, its), (other, theirs)| {
        let most = theirs.attempts.cmp(&its.attempts);
        most.then_with(|| one.cmp(other))
    });
    let first = sums.into_iter().take(most);
    first.map(|(key, counts)| (key.clone(), counts)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_000_000;

    fn note(lately: &Lately, client: u32, user: &str, verdict: AttemptVerdict, second: u64) {
        let user = UserName::new(user.as_bytes());
        let attempt = PastAttempt {
            number: 0,
            at: Moment::from_seconds(START + second),
            client: ClientKey::V4(client),
            user: Some(user.to_string()),
            verdict,
            reason: None,
            wait: Duration::ZERO,
        };
        lately.note(attempt, Some(&user));
    }

    fn at(second: u64) -> Moment {
        Moment::from_seconds(START + second)
    }

    #[test]
    fn the_last_attempts_are_kept_and_each_is_told_once() {
        let lately = Lately::default();
        for client in 0..1_000 {
            note(&lately, client, "anna", AttemptVerdict::Refuse, 0);
        }
        let all = lately.since(0);
        assert_eq!(all.len(), LAST);
        assert_eq!(all.last().unwrap().number, 1_000);
        assert_eq!(lately.since(998).len(), 2);
        assert!(lately.since(1_000).is_empty());
    }

    #[test]
    fn the_busiest_come_first_and_an_accepted_login_is_no_attack_on_its_user() {
        let lately = Lately::default();
        for _ in 0..3 {
            note(&lately, 0x0a00_0001, "Anna", AttemptVerdict::Refuse, 0);
            note(&lately, 0x0a00_0002, "anna", AttemptVerdict::Reject, 0);
        }
        note(&lately, 0x0a00_0001, "bea", AttemptVerdict::Accept, 0);
        let now = lately.busiest(10, at(1));
        let first = |counts: &[(ClientKey, AttemptCounts)]| counts[0].0;
        assert_eq!(first(&now.clients), ClientKey::V4(0x0a00_0001));
        assert_eq!(now.networks.len(), 1);
        assert_eq!(now.networks[0].1.attempts, 7);
        assert_eq!(now.users.len(), 1, "{:?}", now.users);
        assert_eq!(now.users[0].0, "anna");
        assert_eq!((now.users[0].1.refused, now.users[0].1.rejected), (3, 3));
        assert_eq!(lately.busiest(1, at(1)).clients.len(), 1);
    }

    #[test]
    fn what_is_older_than_two_spans_is_forgotten() {
        let lately = Lately::default();
        note(&lately, 1, "anna", AttemptVerdict::Refuse, 0);
        note(&lately, 2, "anna", AttemptVerdict::Refuse, 700);
        let seen = |second| lately.busiest(10, at(second)).clients.len();
        assert_eq!(seen(701), 2);
        assert_eq!(lately.busiest(10, at(701)).since, at(0));
        assert_eq!(seen(1_300), 1);
        assert_eq!(seen(9_000), 0);
        assert_eq!(lately.busiest(10, at(9_001)).since, at(9_000));
    }
}
