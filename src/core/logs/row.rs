//! row - one parsed event, kept in 40 octets
//!
//! Not here: gathering rows (`collector`), which of them are one attempt (`merge`).

use std::time::Duration;

use super::names::NameId;
use super::parser::ParsedEvent;
use super::{LogSource, Service};
use crate::gate::request::attempt::AuthOutcome;
use crate::gate::request::client::ClientKey;
use crate::moment::Moment;

/// One event, kept until all logs are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogRow {
    pub(super) at: Moment,
    pub(super) client: ClientKey,
    user: Option<NameId>,
    attempts: u16,
    within_seconds: u16,
    service: Service,
    outcome: AuthOutcome,
    source: LogSource,
    lacks_year: bool,
}

impl LogRow {
    pub(super) fn new(event: &ParsedEvent<'_>, user: Option<NameId>) -> Self {
        let report = event.report;
        Self {
            at: event.at,
            client: report.client,
            user,
            attempts: u16::try_from(report.attempts).unwrap_or(u16::MAX),
            within_seconds: within_seconds(report.within),
            service: report.service,
            outcome: report.outcome,
            source: report.source,
            lacks_year: event.lacks_year,
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

    /// Of a login: when the password was right at the earliest; none: nobody knows.
    pub(super) fn earliest(&self) -> Option<Moment> {
        let is_dated = self.outcome == AuthOutcome::Accept && self.within_seconds < u16::MAX;
        is_dated.then(|| self.at - self.within())
    }

    pub(super) fn service(&self) -> Service {
        self.service
    }

    pub(super) fn outcome(&self) -> AuthOutcome {
        self.outcome
    }

    pub(super) fn source(&self) -> LogSource {
        self.source
    }

    /// Whether the line left its year out.
    pub(super) fn lacks_year(&self) -> bool {
        self.lacks_year
    }
}

/// Rounded up; what is longer than a row can say is all of the time.
fn within_seconds(within: Duration) -> u16 {
    let seconds = within
        .as_secs()
        .saturating_add(u64::from(within.subsec_nanos() > 0));
    u16::try_from(seconds).unwrap_or(u16::MAX)
}
