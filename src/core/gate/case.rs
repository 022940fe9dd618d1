//! case - one attempt as the tables know it, and the claim that a permit for it carries
//!
//! Names and passwords are hashed here and go no further.
//! Not here: judging (`judge`), what the outcome does with a claim (`settle`).

use std::time::Duration;

use crate::gate::Gate;
use crate::gate::buckets::bucket::Token;
use crate::gate::buckets::recent::{Answer, Decision};
use crate::gate::buckets::route::Few;
use crate::gate::buckets::words::Word;
use crate::gate::request::attempt::{AuthAttempt, Password};
use crate::gate::request::client::{ClientKey, NetworkKey};
use crate::gate::request::keys::{Guess, UserId};
use crate::gate::request::verdict::{FailureReply, Reason};
use crate::gate::rules::Rules;
use crate::gate::trust::familiar::Context;
use crate::moment::Moment;

/// What a permit stands for.
#[derive(Debug)]
pub(in crate::gate) struct Claim {
    pub(in crate::gate) case: Case,
    pub(in crate::gate) tokens: Tokens,
    pub(in crate::gate) grounds: Reason,
    pub(in crate::gate) basis: Basis,
    pub(in crate::gate) reply: FailureReply,
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
    pub(in crate::gate) client: ClientKey,
    pub(in crate::gate) network: NetworkKey,
    pub(in crate::gate) user: UserId,
    /// Who pays as the user: all who are not known under such names pay as one.
    pub(in crate::gate) payer: UserId,
    /// Who would pay if none of that name were known.
    pub(in crate::gate) payer_if_unknown: UserId,
    /// None: the mechanism hides the password.
    pub(in crate::gate) guess: Option<Guess>,
    /// What the guess is of.
    pub(in crate::gate) secret: SecretKind,
    pub(in crate::gate) word: Word,
    pub(in crate::gate) who: Context,
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
        self.familiar.context(user, network, since, now)
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
        let (guess, word) = match attempt.password {
            Password::Hidden => (None, Word::Common),
            Password::Shown(secret) | Password::Token(secret) => {
                let secret = secret.expose();
                let word = Word::of(secret, attempt.user, &self.keys, &rules.ladder);
                (Some(self.keys.guess(user, secret)), word)
            }
        };
        let secret = match attempt.password {
            Password::Shown(_) => SecretKind::Password,
            Password::Token(_) | Password::Hidden => SecretKind::Passing,
        };
        let who = self.context(user, network, now);
        Case {
            at: now,
            session: attempt.session,
            client: attempt.client,
            network,
            user,
            payer: self.payer(attempt.user, user, &who),
            payer_if_unknown: self.payer_if_unknown(attempt.user, user),
            guess,
            secret,
            word,
            who,
        }
    }
}

impl Case {
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
            client: self.client,
            answer,
            reason,
            wait,
            user: self.user,
        }
    }
}
