//! own - the rules that the owner has set for single users, made ready to be asked on every attempt
//!
//! Not here: what they say (`request::user_rule`), what follows (`ladder`, `settle`).

use std::collections::HashMap;

use super::Networks;
use crate::gate::request::attempt::UserName;
use crate::gate::request::client::ClientKey;
use crate::gate::request::doors::Door;
use crate::gate::request::keys::{Keys, UserId};
use crate::gate::request::names::NameFolding;
use crate::gate::request::place::{Located, PlaceRules};
use crate::gate::request::user_rule::{Mailbox, UserRule};

/// By user.
pub(super) struct OwnRules(HashMap<UserId, OwnRule>);

/// The rule for one user.
pub(in crate::gate) struct OwnRule {
    /// As the owner wrote it.
    pub(in crate::gate) written: UserRule,
    /// None: from everywhere.
    networks: Option<Networks>,
    countries: PlaceRules,
}

impl OwnRules {
    pub(super) fn new(rules: &[UserRule], names: &NameFolding, keys: &Keys) -> Self {
        let user = |name: &str| keys.user(&names.fold(&UserName::new(name.as_bytes())));
        let rules = rules.iter();
        Self(
            rules
                .map(|one| (user(&one.name), OwnRule::new(one)))
                .collect(),
        )
    }

    #[inline(always)]
    pub(super) fn of(&self, user: UserId) -> Option<&OwnRule> {
        match self.0.is_empty() {
            true => None,
            false => self.0.get(&user),
        }
    }
}

impl OwnRule {
    fn new(written: &UserRule) -> Self {
        let networks = &written.networks;
        Self {
            networks: (!networks.is_empty()).then(|| Networks::new(networks)),
            countries: PlaceRules {
                only: written.countries.clone(),
                ..PlaceRules::default()
            },
            written: written.clone(),
        }
    }

    /// Whether this user may not log in from there, or by this door.
    pub(in crate::gate) fn forbids(&self, client: ClientKey, door: Door, country: Located) -> bool {
        let is_outside = |networks: &Networks| !networks.contains(client);
        self.written.closed.contains(&door)
            || self.networks.as_ref().is_some_and(is_outside)
            || self.countries.refuse(country, client.address())
    }

    pub(in crate::gate) fn is_decoy(&self) -> bool {
        self.written.mailbox == Mailbox::Decoy
    }
}
