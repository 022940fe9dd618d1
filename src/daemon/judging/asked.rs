//! asked - what the gate is asked about an attempt, and where its client is
//!
//! A database is looked into once for each attempt: what it says is asked by the gate, and told in the end.
//! Not here: the databases (`places`), the way of an attempt (`attempt`).

use super::{Asker, Unjudged};
use crate::places::Whereabouts;
use gatepost_core::gate::request::attempt::{AuthAttempt, Password, UserName};

impl Unjudged {
    /// What the gate is asked.
    pub(super) fn attempt_of<'a>(
        &self,
        asker: &impl Asker,
        user: &'a UserName,
        password: Password<'a>,
    ) -> AuthAttempt<'a> {
        AuthAttempt {
            session: asker.session(),
            client: asker.client(),
            user,
            password,
            door: asker.door(),
            device: asker.device(),
            country: self.place(asker).country,
            system: self
                .place(asker)
                .system
                .as_ref()
                .map(|system| system.number),
        }
    }

    /// Where its client is.
    pub(super) fn place(&self, asker: &impl Asker) -> &Whereabouts {
        let places = &self.judging.places;
        self.place.get_or_init(|| places.find(asker.client()))
    }
}
