//! own - the attempts at Gatepost's own door that are at Postfix just now
//!
//! The Dovecot behind that Postfix asks about them as about any other (`auth_policy`); they are judged already. Each
//! covers one question of its user and its client: the first that comes is bound to it, so that another Postfix,
//! asking about the same user and client meanwhile, gets no attempt for nothing.
//! Not here: who asks (`auth_policy`), the permits (`attempt`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::keys::UserId;

/// All of them, by their users.
#[derive(Clone, Debug, Default)]
pub struct OwnAttempts(Arc<Mutex<HashMap<UserId, Vec<OwnAttempt>>>>);

#[derive(Debug)]
struct OwnAttempt {
    number: u64,
    client: ClientKey,
    /// The question that it covers, once that has come, and how often it came.
    bound: Option<u128>,
    asked: u32,
}

/// An attempt is at Postfix until this is dropped.
#[derive(Debug)]
pub(in crate::judging) struct AtPostfix {
    all: OwnAttempts,
    user: UserId,
    number: u64,
}

/// How often Dovecot asks about one attempt: before it checks the password, and after that was right.
const ASKED: u32 = 2;

impl OwnAttempts {
    /// An attempt that was granted, whose session has this number.
    pub(in crate::judging) fn enter(
        &self,
        user: UserId,
        client: ClientKey,
        number: u64,
    ) -> AtPostfix {
        self.lock().entry(user).or_default().push(OwnAttempt {
            number,
            client,
            bound: None,
            asked: 0,
        });
        AtPostfix {
            all: self.clone(),
            user,
            number,
        }
    }

    /// Whether one of them covers a question with this identity. Of a hidden password two questions may be about two.
    pub fn covers(&self, user: UserId, client: ClientKey, ask: u128, is_hidden: bool) -> bool {
        let mut all = self.lock();
        let Some(attempts) = all.get_mut(&user) else {
            return false;
        };
        // A Postfix that is told no client tells Dovecot this machine's own address.
        let is_here =
            |attempt: &OwnAttempt| attempt.client == client || client.address().is_loopback();
        let may_ask = |attempt: &OwnAttempt| !is_hidden || attempt.asked < ASKED;
        let bound = attempts
            .iter()
            .position(|one| one.bound == Some(ask) && may_ask(one));
        let free = || {
            attempts
                .iter()
                .position(|one| one.bound.is_none() && is_here(one))
        };
        let Some(attempt) = bound.or_else(free).and_then(|at| attempts.get_mut(at)) else {
            return false;
        };
        attempt.bound = Some(ask);
        attempt.asked = attempt.asked.saturating_add(1);
        true
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, Vec<OwnAttempt>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for AtPostfix {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        if let Some(attempts) = all.get_mut(&self.user) {
            attempts.retain(|attempt| attempt.number != self.number);
            if attempts.is_empty() {
                all.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepost_core::gate::request::attempt::UserName;
    use gatepost_core::gate::request::settings::GateSettings;
    use gatepost_core::gate::{Gate, Keys};
    use gatepost_core::moment::Moment;

    fn user(name: &str) -> UserId {
        let keys = Keys {
            users: [1; 16],
            passwords: [2; 16],
            table: [3; 16],
        };
        let gate = Gate::new(GateSettings::default(), keys, Moment::EPOCH);
        gate.user_id(&UserName::new(name.as_bytes()))
    }

    #[test]
    fn an_attempt_covers_one_question_however_often_it_is_asked() {
        let own = OwnAttempts::default();
        let (anna, here) = (user("anna"), "203.0.113.9".parse().unwrap());
        assert!(!own.covers(anna, here, 1, false), "none is at Postfix");
        let held = own.enter(anna, here, 7);
        assert!(!own.covers(user("bert"), here, 1, false));
        assert!(!own.covers(anna, "203.0.113.10".parse().unwrap(), 1, false));
        for _ in 0..3 {
            assert!(own.covers(anna, here, 1, false));
        }
        assert!(!own.covers(anna, here, 2, false), "another password");
        let second = own.enter(anna, here, 8);
        assert!(own.covers(anna, here, 2, false));
        drop(held);
        assert!(!own.covers(anna, here, 1, false));
        drop(second);
        assert!(own.lock().is_empty());
    }

    #[test]
    fn of_a_hidden_password_it_covers_two_questions() {
        let own = OwnAttempts::default();
        let (anna, here) = (user("anna"), "203.0.113.9".parse().unwrap());
        let _held = own.enter(anna, here, 7);
        assert!(own.covers(anna, here, 1, true) && own.covers(anna, here, 1, true));
        assert!(!own.covers(anna, here, 1, true));
    }

    #[test]
    fn a_postfix_that_is_told_no_client_asks_for_this_machine() {
        let own = OwnAttempts::default();
        let _held = own.enter(user("anna"), "203.0.113.9".parse().unwrap(), 7);
        assert!(own.covers(user("anna"), "127.0.0.1".parse().unwrap(), 1, false));
    }
}
