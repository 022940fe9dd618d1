//! outlook - what an attempt would be answered now, as far as that is known before its password is
//!
//! Looking takes nothing. Not here: the steps (`ladder`), what else there is to say (`explain`).

use crate::gate::Gate;
use crate::gate::buckets::words::Word;
use crate::gate::case::{Case, SecretKind};
use crate::gate::ladder::{Named, Question};
use crate::gate::request::attempt::{Trust, UserName};
use crate::gate::request::client::ClientKey;
use crate::gate::request::device::DeviceTrust;
use crate::gate::request::doors::Door;
use crate::gate::request::keys::UserId;
use crate::gate::request::place::Located;
use crate::gate::request::verdict::{Reason, Refusal};
use crate::gate::rules::Rules;
use crate::gate::trust::familiar::{Context, PairAge};
use crate::moment::Moment;

/// The grounds on which an attempt would be allowed, or its refusal.
pub type Outlook = Result<Reason, Refusal>;

/// What is known of a user, as asked about together with a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserStanding {
    /// Whether this user has ever logged in, was learnt, introduced or listed.
    pub known: bool,
    /// How far the user is trusted in the client's network.
    pub trust: Trust,
    /// Whether the user is near by the autonomous system alone.
    pub by_system: bool,
    /// Of a new password that is no word.
    pub outlook: Outlook,
    /// Of a word: a common password, or one that many guess.
    pub word: Outlook,
}

/// What a client's attempt would be answered while its user is not named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unnamed {
    /// The refusal whatever the user, if there is one.
    pub certain: Option<Refusal>,
    /// Of a known user from another network, with a new password that is no word.
    pub known: Outlook,
    /// Of the same with a word.
    pub word: Outlook,
    /// Of a user that is not known.
    pub unknown: Outlook,
}

/// A user that nobody has been: the buckets of this one are full.
const NOBODY: UserId = UserId(u64::MAX);

impl Gate {
    pub(super) fn user_standing(
        &self,
        rules: &Rules,
        (client, country): (ClientKey, Located),
        user: &UserName,
        now: Moment,
    ) -> UserStanding {
        let id = self.user(user);
        let who = self.context(id, client.network(), now);
        let payers = [self.payer(user, id, &who), self.payer_if_unknown(user, id)];
        let outlook = |word| {
            let case = hypothetical((client, country), id, payers, word, who, now);
            self.outlook(rules, &case, now)
        };
        UserStanding {
            known: who.known,
            trust: who.in_network,
            by_system: who.by_system,
            outlook: outlook(Word::Rare(0)),
            word: outlook(Word::Common),
        }
    }

    pub(super) fn unnamed(
        &self,
        rules: &Rules,
        (client, country): (ClientKey, Located),
        now: Moment,
    ) -> Unnamed {
        let outlook = |known, word| {
            let who = Context {
                trust: Trust::Far,
                in_network: Trust::Far,
                by_system: false,
                device: DeviceTrust::Unknown,
                age: PairAge::Young,
                known,
                network: self.familiar.network_trust(client.network()),
                users: self.familiar.users(),
            };
            let case = hypothetical((client, country), NOBODY, [NOBODY; 2], word, who, now);
            self.outlook(rules, &case, now)
        };
        Unnamed {
            certain: self.peek(client, now),
            known: outlook(true, Word::Rare(0)),
            word: outlook(true, Word::Common),
            unknown: outlook(false, Word::Rare(0)),
        }
    }

    fn outlook(&self, rules: &Rules, case: &Case, now: Moment) -> Outlook {
        let ban = self.bans.of(case.client, now);
        let question = Question {
            gate: self,
            rules,
            client: case.client,
            attempt: Some(Named {
                case,
                past: &self.tries.past(case.client, case.user, None, now),
            }),
            network: case.who.network,
            ban: ban.as_ref(),
            settling: self.is_settling(rules, now),
            now,
        };
        question.outlook()
    }
}

/// An attempt that nobody has made.
fn hypothetical(
    (client, country): (ClientKey, Located),
    user: UserId,
    [payer, payer_if_unknown]: [UserId; 2],
    word: Word,
    who: Context,
    now: Moment,
) -> Case {
    Case {
        at: now,
        session: 0,
        door: Door::Own,
        client,
        country,
        system: None,
        network: client.network(),
        user,
        payer,
        payer_if_unknown,
        guess: None,
        secret: SecretKind::Passing,
        word,
        who,
        device: None,
    }
}
