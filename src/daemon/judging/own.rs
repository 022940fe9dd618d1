//! own - the attempts at Gatepost's own door that are at Postfix just now
//!
//! The Dovecot behind that Postfix asks about them as about any other (`auth_policy`); they are judged already. Another
//! Postfix may ask about the same user and client meanwhile, and must get no guess for nothing. So a hash is covered only
//! where it is that of the password that was sent, by the login that Dovecot names. What shows no hash is covered by an
//! attempt that has paid and shows none either, once: the next such question may be about another password.
//! Not here: who asks (`auth_policy`), the permits (`attempt`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gatepost_core::capacity::give_back;
use gatepost_core::gate::permit::Permit;
use gatepost_core::gate::request::attempt::{Password, Secret};
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::doors::PasswordHash;
use gatepost_core::gate::request::keys::UserId;

/// All of them, by their users.
#[derive(Clone, Debug, Default)]
pub struct OwnAttempts(Arc<Mutex<HashMap<UserId, Vec<OwnAttempt>>>>);

#[derive(Debug)]
struct OwnAttempt {
    number: u64,
    client: ClientKey,
    tried: TriedSecret,
    payment: OwnPayment,
    /// Whether it has covered a question that shows no hash.
    hidden: HiddenQuestion,
}

/// What goes to Postfix, as far as it is seen here.
#[derive(Clone, Debug)]
pub(in crate::judging) enum TriedSecret {
    Password(Secret),
    Token(Secret),
    Hidden,
}

/// Whether a guess was paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::judging) enum OwnPayment {
    Paid,
    /// The same wrong password again, or nothing counts.
    Free,
}

/// Dovecot's question about an attempt.
#[derive(Clone, Copy, Debug)]
pub struct OwnQuestion<'a> {
    /// The user.
    pub user: UserId,
    /// Who tries.
    pub client: ClientKey,
    /// What it shows.
    pub shown: AskedHash<'a>,
}

/// What a question shows of the password.
#[derive(Clone, Copy, Debug)]
pub enum AskedHash<'a> {
    /// All of its hash.
    Whole(&'a PasswordHash),
    /// Something that may be the hash of many.
    Cut,
    /// Nothing: the mechanism hides it, or it is empty.
    Nothing,
    /// Nothing, of a token.
    NoToken,
}

/// An attempt is at Postfix until this is dropped.
#[derive(Debug)]
pub(in crate::judging) struct AtPostfix {
    all: OwnAttempts,
    user: UserId,
    number: u64,
}

/// Whether an attempt covers a question that does not show which password it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HiddenQuestion {
    Free,
    /// It has covered one.
    Asked,
}

impl TriedSecret {
    pub(in crate::judging) fn of(password: Password<'_>) -> Self {
        match password {
            Password::Shown(secret) => Self::Password(secret.clone()),
            Password::Token(secret) => Self::Token(secret.clone()),
            Password::Hashed(_) | Password::HashedToken(_) | Password::Hidden => Self::Hidden,
        }
    }

    /// The password, where it is seen.
    pub(in crate::judging) fn into_password(self) -> Option<Secret> {
        match self {
            Self::Password(secret) => Some(secret),
            Self::Token(_) | Self::Hidden => None,
        }
    }
}

impl OwnPayment {
    pub(in crate::judging) fn of(permit: &Permit) -> Self {
        match permit.holds_tokens() {
            true => Self::Paid,
            false => Self::Free,
        }
    }
}

impl OwnAttempts {
    /// An attempt of this session goes to Postfix.
    pub(in crate::judging) fn enter(
        &self,
        user: UserId,
        (client, number): (ClientKey, u64),
        tried: TriedSecret,
        payment: OwnPayment,
    ) -> AtPostfix {
        self.lock().entry(user).or_default().push(OwnAttempt {
            number,
            client,
            tried,
            payment,
            hidden: HiddenQuestion::Free,
        });
        AtPostfix {
            all: self.clone(),
            user,
            number,
        }
    }

    /// Whether one of them covers a question. `is_hash_of` tells whether a hash is that of a password, for the login that
    /// the question names.
    pub fn covers(
        &self,
        question: OwnQuestion<'_>,
        is_hash_of: impl Fn(&PasswordHash, &[u8]) -> bool,
    ) -> bool {
        let mut all = self.lock();
        let Some(attempts) = all.get_mut(&question.user) else {
            return false;
        };
        // A Postfix that is told no client tells Dovecot this machine's own address.
        let anywhere = question.client.address().is_loopback();
        let mut here = attempts
            .iter_mut()
            .filter(|attempt| anywhere || attempt.client == question.client);
        match question.shown {
            AskedHash::Whole(hash) => {
                here.any(|attempt| attempt.is_of(|tried| is_hash_of(hash, tried)))
            }
            shown => {
                let Some(attempt) = here.find(|attempt| attempt.fits(shown)) else {
                    return false;
                };
                attempt.hidden = HiddenQuestion::Asked;
                true
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, Vec<OwnAttempt>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OwnAttempt {
    /// Whether what it tries is seen, and is the one.
    fn is_of(&self, is_it: impl Fn(&[u8]) -> bool) -> bool {
        match &self.tried {
            TriedSecret::Password(secret) | TriedSecret::Token(secret) => is_it(secret.expose()),
            TriedSecret::Hidden => false,
        }
    }

    /// Whether a question that does not show which password it is about may be about this one. It may be about another
    /// guess, so this one was paid, and covers no other question beside it.
    fn fits(&self, shown: AskedHash<'_>) -> bool {
        let is_alike = match (shown, &self.tried) {
            (AskedHash::Cut, _)
            | (AskedHash::Nothing | AskedHash::NoToken, TriedSecret::Hidden)
            | (AskedHash::NoToken, TriedSecret::Token(_)) => true,
            (AskedHash::Nothing | AskedHash::NoToken, TriedSecret::Password(secret)) => {
                secret.expose().is_empty()
            }
            (AskedHash::Nothing, TriedSecret::Token(_)) | (AskedHash::Whole(_), _) => false,
        };
        is_alike && self.payment == OwnPayment::Paid && self.hidden == HiddenQuestion::Free
    }
}

impl Drop for AtPostfix {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        if let Some(attempts) = all.get_mut(&self.user) {
            attempts.retain(|attempt| attempt.number != self.number);
            if attempts.is_empty() {
                all.remove(&self.user);
                give_back(&mut all);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepost_core::gate::request::attempt::UserName;
    use gatepost_core::gate::request::doors::PolicyNonce;
    use gatepost_core::gate::request::settings::GateSettings;
    use gatepost_core::gate::{Gate, Keys};
    use gatepost_core::moment::Moment;

    const HERE: &str = "203.0.113.9";

    fn user(name: &str) -> UserId {
        let keys = Keys {
            users: [1; 16],
            passwords: [2; 16],
            table: [3; 16],
        };
        let gate = Gate::new(GateSettings::default(), keys, Moment::EPOCH);
        gate.user_id(&UserName::new(name.as_bytes()))
    }

    fn nonce() -> PolicyNonce {
        PolicyNonce::new("a nonce of 16 or more")
    }

    fn secret(text: &str) -> Secret {
        Secret::new(text.as_bytes().to_vec())
    }

    fn enter(own: &OwnAttempts, number: u64, tried: TriedSecret, payment: OwnPayment) -> AtPostfix {
        own.enter(
            user("anna"),
            (HERE.parse().unwrap(), number),
            tried,
            payment,
        )
    }

    fn at_postfix(own: &OwnAttempts, number: u64, password: &str) -> AtPostfix {
        let tried = TriedSecret::Password(secret(password));
        enter(own, number, tried, OwnPayment::Free)
    }

    fn covers_from(own: &OwnAttempts, (name, from): (&str, &str), shown: AskedHash<'_>) -> bool {
        let question = OwnQuestion {
            user: user(name),
            client: from.parse().unwrap(),
            shown,
        };
        // Dovecot's login is not always what the client has sent.
        own.covers(question, |hash, tried| {
            nonce().hash(b"anna@x", tried) == *hash
        })
    }

    fn covers(own: &OwnAttempts, shown: AskedHash<'_>) -> bool {
        covers_from(own, ("anna", HERE), shown)
    }

    #[test]
    fn an_attempt_covers_its_own_password_however_often_it_is_asked_about_and_no_other() {
        let own = OwnAttempts::default();
        let [zwiebel, tomate] =
            ["Zwiebel", "Tomate"].map(|text| nonce().hash(b"anna@x", text.as_bytes()));
        let (zwiebel, tomate) = (AskedHash::Whole(&zwiebel), AskedHash::Whole(&tomate));
        assert!(!covers(&own, zwiebel), "none is at Postfix");
        let held = at_postfix(&own, 7, "Zwiebel");
        assert!(!covers_from(&own, ("bert", HERE), zwiebel));
        assert!(!covers_from(&own, ("anna", "203.0.113.10"), zwiebel));
        assert!(!covers(&own, tomate), "its question comes first");
        for _ in 0..3 {
            assert!(covers(&own, zwiebel));
        }
        let second = at_postfix(&own, 8, "Tomate");
        assert!(covers(&own, tomate));
        drop(held);
        assert!(!covers(&own, zwiebel));
        drop(second);
        assert!(own.lock().is_empty());
    }

    #[test]
    fn a_hidden_password_is_covered_once_by_a_hidden_one_that_was_paid() {
        let own = OwnAttempts::default();
        let shown = at_postfix(&own, 6, "Zwiebel");
        let free = enter(&own, 5, TriedSecret::Hidden, OwnPayment::Free);
        assert!(!covers(&own, AskedHash::Nothing));
        let held = enter(&own, 7, TriedSecret::Hidden, OwnPayment::Paid);
        assert!(!covers(
            &own,
            AskedHash::Whole(&nonce().hash(b"anna@x", b"Tomate"))
        ));
        assert!(covers(&own, AskedHash::Nothing));
        assert!(!covers(&own, AskedHash::Nothing), "it may be another one");
        let _second = enter(&own, 8, TriedSecret::Hidden, OwnPayment::Paid);
        assert!(covers(&own, AskedHash::Nothing));
        assert!(!covers(&own, AskedHash::Nothing));
        drop((shown, free, held));
    }

    #[test]
    fn a_hash_that_is_cut_off_is_covered_by_what_was_paid() {
        let own = OwnAttempts::default();
        let free = at_postfix(&own, 6, "Zwiebel");
        assert!(
            !covers(&own, AskedHash::Cut),
            "it may be of another password"
        );
        drop(free);
        let tried = TriedSecret::Password(secret("Zwiebel"));
        let _held = enter(&own, 7, tried, OwnPayment::Paid);
        assert!(covers(&own, AskedHash::Cut));
        assert!(!covers(&own, AskedHash::Cut));
    }

    #[test]
    fn a_token_that_dovecot_does_not_show_is_covered_by_a_token() {
        let own = OwnAttempts::default();
        let tried = TriedSecret::Token(secret("eyJ"));
        let _held = enter(&own, 7, tried, OwnPayment::Paid);
        assert!(!covers(&own, AskedHash::Nothing));
        assert!(covers(&own, AskedHash::NoToken));
    }

    #[test]
    fn a_postfix_that_is_told_no_client_asks_for_this_machine() {
        let own = OwnAttempts::default();
        let _held = at_postfix(&own, 7, "Zwiebel");
        let hash = nonce().hash(b"anna@x", b"Zwiebel");
        assert!(covers_from(
            &own,
            ("anna", "127.0.0.1"),
            AskedHash::Whole(&hash)
        ));
    }
}
