//! row - one telling, kept in 40 octets
//!
//! Not here: gathering rows (`record`), which of them are one attempt (`merge`).

use std::time::Duration;

use super::listen::Overheard;
use super::names::NameId;
use super::{Service, Teller};
use crate::gate::request::attempt::AuthOutcome;
use crate::gate::request::client::ClientKey;
use crate::moment::Moment;

/// One telling, kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub(super) at: Moment,
    pub(super) client: ClientKey,
    user: Option<NameId>,
    attempts: u16,
    within_seconds: u16,
    service: Service,
    outcome: AuthOutcome,
    teller: Teller,
    lacks_year: bool,
}

impl Record {
    pub(super) fn new(overheard: &Overheard<'_>, user: Option<NameId>) -> Self {
        let told = overheard.telling.told;
        Self {
            at: overheard.telling.at,
            client: told.client,
            user,
            attempts: u16::try_from(told.attempts).unwrap_or(u16::MAX),
            within_seconds: u16::try_from(told.within.as_secs()).unwrap_or(u16::MAX),
            service: told.service,
            outcome: told.outcome,
            teller: told.teller,
            lacks_year: overheard.lacks_year,
        }
    }

    pub(super) fn user(&self) -> Option<NameId> {
        self.user
    }

    pub(super) fn attempts(&self) -> u16 {
        self.attempts
    }

    pub(super) fn within(&self) -> Duration {
        Duration::from_secs(self.within_seconds.into())
    }

    pub(super) fn service(&self) -> Service {
        self.service
    }

    pub(super) fn outcome(&self) -> AuthOutcome {
        self.outcome
    }

    pub(super) fn teller(&self) -> Teller {
        self.teller
    }

    /// Whether the line left its year out.
    pub(super) fn lacks_year(&self) -> bool {
        self.lacks_year
    }
}
