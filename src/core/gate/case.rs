//! case - one attempt as the tables know it, and the claim that a permit for it carries
//!
//! Names and passwords are hashed here and go no further.
//! Not here: judging (`judge`), what the outcome does with a claim (`settle`).

use std::time::Duration;

use crate::gate::Gate;
use crate::gate::buckets::bucket::Token;
use crate::gate::buckets::recent::{Answer, Decision};
use crate::gate::buckets::route::Few;
use crate::gate::buckets::spec::WordList;
use crate::gate::buckets::unsettled::UnsettledTokens;
use crate::gate::buckets::words::Word;
use crate::gate::queue::QueueClass;
use crate::gate::request::attempt::{AuthAttempt, Password, Trust, UserName};
use crate::gate::request::client::{ClientKey, NetworkKey};
use crate::gate::request::device::DeviceTrust;
use crate::gate::request::device::HashedDevice;
use crate::gate::request::doors::{Door, PasswordHash};
use crate::gate::request::keys::{Guess, UserId};
use crate::gate::request::place::{Located, NearBy};
use crate::gate::request::verdict::{FailureReply, Reason};
use crate::gate::rules::Rules;
use crate::gate::trust::familiar::Context;
use crate::moment::Moment;

/// What a permit stands for.
#[derive(Debug)]
pub(in crate::gate) struct Claim {
    pub(in crate::gate) case: Case,
    pub(in crate::gate) tokens: Tokens,
    /// Its part of what other attempts of its address wait for, until it is settled.
    pub(in crate::gate) unsettled: Option<UnsettledTokens>,
    pub(in crate::gate) grounds: Reason,
    pub(in crate::gate) basis: Basis,
    pub(in crate::gate) reply: FailureReply,
    /// The class in which it has waited for a turn; none: it had to wait for none.
    pub(in crate::gate) class: Option<QueueClass>,
    /// How long after it was judged its password may be checked: then its tokens are there.
    pub(in crate::gate) delay: Duration,
}

/// Why an attempt is forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) enum Basis {
    /// Its client is on the allow list.
    Listed,
    /// It holds a token of every bucket that it must pay.
    Paid,
    /// Its password is known to be wrong, so it is no new guess.
    Repeat,
    /// It was tried before, and paid, while the backend was suspected to fail.
    Doubted,
    /// It would be refused, but the state settles in; it holds the tokens that forgiving costs.
    Settling,
    /// It would be refused, but this is a dry run.
    DryRun,
}

/// The tokens that a permit holds: at most one of each bucket on its route.
pub(in crate::gate) type Tokens = Few<Token>;

/// What was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) enum SecretKind {
    Password,
    /// It ends by itself, and is hidden or a token.
    Passing,
}

/// An attempt, as the tables know it.
#[derive(Clone, Copy, Debug)]
pub(in crate::gate) struct Case {
    /// When it was judged.
    pub(in crate::gate) at: Moment,
    pub(in crate::gate) session: u64,
    pub(in crate::gate) door: Door,
    pub(in crate::gate) client: ClientKey,
    pub(in crate::gate) country: Located,
    pub(in crate::gate) system: Option<u32>,
    pub(in crate::gate) network: NetworkKey,
    pub(in crate::gate) user: UserId,
    /// The user who pays. All users that are not known and have such a name pay as one.
    pub(in crate::gate) payer: UserId,
    /// The user who would pay if the name were not known.
    pub(in crate::gate) payer_if_unknown: UserId,
    /// None: the mechanism hides the password.
    pub(in crate::gate) guess: Option<Guess>,
    /// What the guess is of.
    pub(in crate::gate) secret: SecretKind,
    pub(in crate::gate) word: Word,
    pub(in crate::gate) who: Context,
    pub(in crate::gate) device: Option<HashedDevice>,
}

impl Gate {
    /// What is known of a user in a network.
    pub(in crate::gate) fn context(
        &self,
        user: UserId,
        network: NetworkKey,
        now: Moment,
    ) -> Context {
        let since = self.passwords.proven_since(user);
        let mut who = self.familiar.context(user, network, since, now);
        // It pays as near, and is a stranger's in all else: a bot in the same carrier would otherwise learn which names
        // are known.
        if who.trust == Trust::Far && who.known && self.is_near_by_system(user, network) {
            who.in_network = Trust::Near;
            who.by_system = true;
        }
        who
    }

    /// Whether this user has logged in from the autonomous system that announces `network`.
    fn is_near_by_system(&self, user: UserId, network: NetworkKey) -> bool {
        let own = || self.familiar.networks(user);
        self.rules.load().places.near_by == NearBy::System
            && self.systems.have_in_common(network, own)
    }

    /// What is known of a user in a network, with a device.
    pub(in crate::gate) fn context_at(
        &self,
        user: UserId,
        network: NetworkKey,
        device: Option<HashedDevice>,
        now: Moment,
    ) -> Context {
        let mut who = self.context(user, network, now);
        let Some(device) = device else { return who };
        let since = self.passwords.proven_since(user);
        who.device = self.devices.trust(user, device, since, now);
        if who.device == DeviceTrust::Familiar && who.trust != Trust::Familiar {
            who.trust = Trust::Device;
        }
        who
    }

    /// Hashes an attempt and looks up its user.
    pub(in crate::gate) fn case(
        &self,
        attempt: &AuthAttempt<'_>,
        rules: &Rules,
        now: Moment,
    ) -> Case {
        let user = self.user(attempt.user);
        let network = attempt.client.network();
        let device = attempt.device.filter(|_| rules.knows_devices());
        let device = device.map(|device| self.keys.device(device));
        let who = self.context_at(user, network, device, now);
        let (guess, word) = match attempt.password {
            Password::Hidden => (None, Word::Common),
            Password::Shown(secret) | Password::Token(secret) => {
                let secret = secret.expose();
                let word = Word::of(secret, attempt.user, &self.keys, &rules.ladder);
                (Some(self.guess(user, attempt.user, secret, rules)), word)
            }
            Password::Hashed(hash) => {
                let word = self.word_of_hash(attempt.user, user, hash, (rules, who));
                let octets = hash.expose();
                (Some(self.keys.guess(user, octets)), word)
            }
            Password::HashedToken(hash) => {
                let octets = hash.expose();
                let word = Word::Rare(self.keys.word(octets));
                (Some(self.keys.guess(user, octets)), word)
            }
        };
        let secret = match attempt.password {
            Password::Shown(_) | Password::Hashed(_) => SecretKind::Password,
            Password::Token(_) | Password::HashedToken(_) | Password::Hidden => SecretKind::Passing,
        };
        Case {
            at: now,
            session: attempt.session,
            door: attempt.door,
            client: attempt.client,
            country: attempt.country,
            system: attempt.system,
            network,
            user,
            payer: self.payer(attempt.user, user, &who),
            payer_if_unknown: self.payer_if_unknown(attempt.user, user),
            guess,
            secret,
            word,
            who,
            device,
        }
    }
}

impl Gate {
    /// A password as it is known at every door: where Dovecot asks, by the hash that it shows.
    fn guess(&self, user: UserId, name: &UserName, secret: &[u8], rules: &Rules) -> Guess {
        match &rules.nonce {
            Some(nonce) => {
                let login = self.names.fold(name).to_name();
                let hash = nonce.hash(login.as_bytes(), secret);
                self.keys.guess(user, hash.expose())
            }
            None => self.keys.guess(user, secret),
        }
    }

    /// Nothing can be folded of a hash. It counts as a word where it is the hash of a frequent password of this user, and
    /// says nothing of other users'. Only what strangers try at known users is looked up, because only that pays from
    /// `words`.
    fn word_of_hash(
        &self,
        name: &UserName,
        user: UserId,
        hash: &PasswordHash,
        (rules, who): (&Rules, Context),
    ) -> Word {
        let is_asked = who.known && !who.trust.is_at_home();
        let nonce = rules.nonce.as_ref();
        let nonce = nonce.filter(|_| is_asked && rules.ladder.list == WordList::Common);
        let is_frequent = nonce.is_some_and(|nonce| {
            let login = self.names.fold(name).to_name();
            self.hashed_words.is_frequent(user, &login, nonce, hash)
        });
        match is_frequent {
            true => Word::Common,
            false => Word::Rare(self.keys.word(hash.expose())),
        }
    }

    /// Whether this is what Dovecot shows of a password, for the login that it names. It shows an empty one where the
    /// mechanism hides the password.
    pub fn is_hash_of(&self, login: &[u8], password: &[u8], hash: &PasswordHash) -> bool {
        let rules = self.rules.load();
        let nonce = rules.nonce.as_ref();
        nonce.is_some_and(|nonce| nonce.hash(login, password) == *hash)
    }
}

impl Case {
    /// Whether Postfix's answer to it can be kept from the client.
    pub(in crate::gate) fn may_be_compared(&self) -> bool {
        let is_shown = self.guess.is_some() && self.secret == SecretKind::Password;
        is_shown && self.door == Door::Own
    }

    pub(in crate::gate) fn decision(
        &self,
        answer: Answer,
        reason: Reason,
        wait: Duration,
        at: Moment,
    ) -> Decision {
        Decision {
            at,
            session: self.session,
            door: self.door,
            client: self.client,
            answer,
            reason,
            wait,
            user: self.user,
        }
    }
}
