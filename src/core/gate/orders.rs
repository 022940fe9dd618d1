//! orders - what the owner's word refuses before any bucket is looked at: countries, rules for one user, decoys, stolen passwords
//!
//! The lists of networks are asked by the client alone (`rules`); these need to know the user. Not here: in which order
//! they are asked (`ladder`), what a refusal costs (`judge`).

use crate::gate::ladder::{Named, Question};
use crate::gate::request::place::AtHome;
use crate::gate::request::suspicion::FarLogins;

impl Question<'_> {
    /// Whether the owner's rule for this user forbids it.
    pub(in crate::gate) fn is_against_user_rule(&self) -> bool {
        let Some(Named { case, .. }) = self.attempt else {
            return false;
        };
        let rule = self.rules.of_user(case.user);
        rule.is_some_and(|rule| rule.forbids(case.client, case.door, case.country))
    }

    /// Whether the owner lets nobody log in from there. Where somebody may be at home, it depends on the user.
    pub(in crate::gate) fn is_from_elsewhere(&self) -> bool {
        let Some(Named { case, .. }) = self.attempt else {
            return false;
        };
        let places = &self.rules.places;
        let is_spared = places.at_home == AtHome::Spare && case.who.trust.is_at_home();
        places.refuse(case.country, case.client.address()) && !is_spared
    }

    /// Whether it must wait because the user's password seems to be stolen, whatever password it brings.
    #[inline(always)]
    pub(in crate::gate) fn is_held(&self) -> bool {
        let Some(Named { case, .. }) = self.attempt else {
            return false;
        };
        let gate = self.gate;
        self.rules.stolen.far_logins == FarLogins::Hold
            && gate.new_places.holds(case, || gate.is_own_device(case))
            && !self.rules.is_unwatched(case.user)
    }

    /// Whether it is at a mailbox that nobody has, and may not be checked, because its client would learn that the
    /// password is right: by SCRAM's last message, or at Dovecot's doors by being logged in.
    pub(in crate::gate) fn is_hidden_decoy(&self) -> bool {
        let decoy = self
            .attempt
            .filter(|named| self.rules.is_decoy(named.case.user));
        decoy.is_some_and(|named| !named.case.may_be_compared())
    }
}
