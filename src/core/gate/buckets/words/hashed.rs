//! hashed - the frequent passwords of a user, where Dovecot shows a hash
//!
//! The hash has the login in it, and nothing can be folded of it. So what botnets try most is hashed for each known user
//! that strangers try at Dovecot's doors: the most frequent passwords as they are typed, and with a capital letter; a few
//! of them and the user's own names with years and the usual endings. That is some 5,000 hashes, under a millisecond,
//! once for each of the last users tried; what is kept of each hash are four octets.
//! Not here: every other password, which is no word at these doors. The list's source and licence stand at its head.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::gate::request::attempt::UserName;
use crate::gate::request::doors::{LoginHasher, PasswordHash, PolicyNonce};
use crate::gate::request::keys::UserId;

use super::parts;

/// The most frequent first, one a line; the head's lines begin with `#`.
static FREQUENT: &str = include_str!("frequent.txt");

/// Users that are kept: about 20 KiB each.
const USERS: usize = 128;

/// What is tried with a year or an ending behind it.
const STEMS: [&str; 14] = [
    "password", "passwort", "welcome", "admin", "qwerty", "letmein", "secret", "winter", "spring",
    "summer", "autumn", "sommer", "herbst", "mail",
];
const ENDINGS: [&str; 12] = [
    "1", "12", "123", "1234", "12345", "123456", "01", "!", "1!", "123!", "@123", "#1",
];
/// Years of birth, and those of passwords that have to be changed.
const BORN: std::ops::RangeInclusive<u32> = 1950..=2030;
const CHANGED: std::ops::RangeInclusive<u32> = 2018..=2030;

/// The last users tried, the latest last.
#[derive(Debug, Default)]
pub(in crate::gate) struct HashedWords(Mutex<VecDeque<UserWords>>);

/// The words of one user, sorted.
#[derive(Clone, Debug)]
struct UserWords {
    user: UserId,
    words: Arc<[u32]>,
}

impl HashedWords {
    /// Whether a hash of this user's, under the name that Dovecot has hashed, is one of a frequent password.
    pub(in crate::gate) fn is_frequent(
        &self,
        user: UserId,
        login: &UserName,
        nonce: &PolicyNonce,
        hash: &PasswordHash,
    ) -> bool {
        let words = self.of(user).unwrap_or_else(|| {
            let words = words(login, &nonce.of_login(login.as_bytes()));
            self.keep(user, Arc::clone(&words));
            words
        });
        words.binary_search(&short(hash)).is_ok()
    }

    /// Another nonce: all hashes are others.
    pub(in crate::gate) fn clear(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    fn of(&self, user: UserId) -> Option<Arc<[u32]>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().rev().find(|other| other.user == user);
        found.map(|found| Arc::clone(&found.words))
    }

    fn keep(&self, user: UserId, words: Arc<[u32]>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|other| other.user != user);
        if kept.len() >= USERS {
            kept.pop_front();
        }
        kept.push_back(UserWords { user, words });
    }
}

fn words(login: &UserName, hasher: &LoginHasher) -> Arc<[u32]> {
    let mut words = Vec::with_capacity(6_000);
    let mut add = |password: &str| {
        words.push(short(&hasher.hash(password.as_bytes())));
        let capital = capital(password);
        if capital != password {
            words.push(short(&hasher.hash(capital.as_bytes())));
        }
    };
    add("");
    for password in FREQUENT.lines().filter(|line| !line.starts_with('#')) {
        add(password);
    }
    for stem in STEMS {
        with_endings(stem, CHANGED, &mut add);
    }
    let folded = login.folded();
    for part in parts(&folded) {
        // A name that is no text is tried by nobody.
        if let Ok(part) = std::str::from_utf8(part) {
            add(part);
            with_endings(part, BORN, &mut add);
        }
    }
    words.sort_unstable();
    words.dedup();
    words.into()
}

fn with_endings(stem: &str, years: impl Iterator<Item = u32>, add: &mut impl FnMut(&str)) {
    for ending in ENDINGS {
        add(&format!("{stem}{ending}"));
    }
    for year in years {
        add(&format!("{stem}{year}"));
        add(&format!("{stem}{year}!"));
    }
}

fn capital(password: &str) -> String {
    let mut capital = password.to_owned();
    if let Some(first) = capital.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    capital
}

/// Of a million other passwords about one is taken for a word.
fn short(hash: &PasswordHash) -> u32 {
    let [a, b, c, d, ..] = *hash.expose();
    u32::from_le_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANNA: &str = "anna.berg@example.org";

    fn is_frequent(words: &HashedWords, user: u64, name: &str, password: &str) -> bool {
        let nonce = PolicyNonce::new("a nonce of 16 or more");
        let hash = nonce.hash(name.as_bytes(), password.as_bytes());
        words.is_frequent(UserId(user), &UserName::new(name.as_bytes()), &nonce, &hash)
    }

    #[test]
    fn what_botnets_try_most_is_known_in_its_hash_and_a_password_of_ones_own_is_not() {
        let words = HashedWords::default();
        for password in [
            "",
            "123456",
            "password",
            "Password",
            "dragon",
            "Dragon",
            "Summer2024!",
            "welcome1",
            "anna",
            "Anna1984",
            "berg123",
            "Anna.berg1",
            "Example2026!",
        ] {
            assert!(is_frequent(&words, 1, ANNA, password), "{password}");
        }
        for password in [
            "Zwiebel-1",
            "Birnbaum7Kirsche",
            "passwordpassword",
            "PASSWORD",
        ] {
            assert!(!is_frequent(&words, 1, ANNA, password), "{password}");
        }
    }

    #[test]
    fn the_last_users_are_kept_and_no_more() {
        let words = HashedWords::default();
        for user in 0..USERS as u64 + 3 {
            assert!(is_frequent(&words, user, &format!("user{user}"), "dragon"));
        }
        let kept = words.0.lock().unwrap();
        assert_eq!(kept.len(), USERS);
        assert_eq!(kept.front().unwrap().user, UserId(3));
        let longest = kept.iter().map(|user| user.words.len()).max().unwrap();
        assert!((4_000..8_000).contains(&longest), "{longest}");
    }
}
