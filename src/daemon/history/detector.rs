//! detector - which of the things that the history is told an operator wants to know at once
//!
//! Pure. Not here: how often it is sent (`server::notify`).

use std::collections::HashMap;
use std::time::Duration;

use crate::report::occurrence::{Occurrence, OccurrenceKind};
use crate::report::record::{AttemptRecord, NamedUser, RecordedEvent};
use crate::report::verdicts::AttemptVerdict;
use gatepost_core::capacity::give_back;
use gatepost_core::gate::request::client::NetworkKey;
use gatepost_core::gate::request::settings::Mode;
use gatepost_core::gate::request::verdict::{BanCause, Reason, Subject};
use gatepost_core::moment::Moment;

/// Networks from which one account logs in within [`SPAN`]: more than home, office, phone and a train make.
const NETWORKS: usize = 6;
const SPAN: Duration = Duration::from_secs(3600);

/// Users whose networks are remembered.
const USERS: usize = 10_000;

/// Detects what is worth telling.
#[derive(Debug, Default)]
pub(super) struct Detector {
    /// Where each user has logged in within the last hour, and when last.
    logins: HashMap<u64, Vec<(NetworkKey, Moment)>>,
}

impl Detector {
    /// What one event comes to.
    pub(super) fn look(&mut self, event: &RecordedEvent, now: Moment) -> Option<Occurrence> {
        match event {
            RecordedEvent::Attempt(attempt) => self.attempt(attempt, now),
            RecordedEvent::Ban(ban) => match (ban.subject, ban.cause, ban.mode) {
                (Subject::Network(_), BanCause::Operator, _) | (Subject::Client(_), ..) => None,
                (_, _, Mode::DryRun) => None,
                (Subject::Network(network), cause, Mode::Enforce) => Some(Occurrence {
                    kind: OccurrenceKind::NetworkBanned,
                    subject: network.to_string(),
                    text: format!("the network {network} is banned ({cause})"),
                }),
            },
            RecordedEvent::Outage(outage) => {
                let backend = outage.backend.as_deref().unwrap_or("all backends");
                let (kind, text) = match &outage.why {
                    Some(why) => (
                        OccurrenceKind::BackendUnusable,
                        format!("logins do not work at {backend}: {why}"),
                    ),
                    None => (
                        OccurrenceKind::BackendUsable,
                        format!("logins work again at {backend}"),
                    ),
                };
                Some(Occurrence {
                    kind,
                    subject: backend.to_owned(),
                    text,
                })
            }
            RecordedEvent::Occurred(occurrence) => Some(occurrence.clone()),
            _ => None,
        }
    }

    fn attempt(&mut self, attempt: &AttemptRecord, now: Moment) -> Option<Occurrence> {
        let user = attempt.user.as_ref()?;
        let (name, client) = (&user.name, attempt.client);
        match (attempt.verdict, attempt.reason) {
            (_, Some(Reason::AllowList)) => None,
            (_, Some(reason)) if reason.is_ordered() => None,
            (AttemptVerdict::Refuse, Some(reason)) if user.trust.is_at_home() => Some(Occurrence {
                kind: OccurrenceKind::FamiliarRefused,
                subject: name.to_string(),
                text: format!(
                    "{name} was refused at {client}, where they are at home ({reason}): gatepost explain {name}"
                ),
            }),
            (AttemptVerdict::Accept, _) => self.login(user, attempt, now),
            _ => None,
        }
    }

    fn login(
        &mut self,
        user: &NamedUser,
        attempt: &AttemptRecord,
        now: Moment,
    ) -> Option<Occurrence> {
        let network = attempt.client.network();
        let id = user.id.code();
        if self.logins.len() >= USERS && !self.logins.contains_key(&id) {
            self.logins
                .retain(|_, places| places.iter().any(|(_, last)| now.since(*last) < SPAN));
            give_back(&mut self.logins);
            if self.logins.len() >= USERS {
                return None;
            }
        }
        let places = self.logins.entry(id).or_default();
        places.retain(|(place, last)| *place != network && now.since(*last) < SPAN);
        places.push((network, now));
        if places.len() < NETWORKS {
            return None;
        }
        // More are not needed, and an account that is passed around has thousands.
        places.remove(0);
        let name = &user.name;
        let place = attempt.place.shown().map(|place| format!(" ({place})"));
        let place = place.unwrap_or_default();
        Some(Occurrence {
            kind: OccurrenceKind::ManyNetworks,
            subject: name.to_string(),
            text: format!(
                "{name} has logged in from {NETWORKS} networks or more within an hour, last from {network}{place}: is the \
                 password stolen? gatepost explain {name}; gatepost expel {name}"
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places::Whereabouts;
    use gatepost_core::gate::request::attempt::{Trust, UserName};
    use gatepost_core::gate::request::settings::GateSettings;
    use gatepost_core::gate::{Gate, Keys};

    fn attempt(
        network: u8,
        trust: Trust,
        verdict: AttemptVerdict,
        reason: Reason,
    ) -> RecordedEvent {
        let keys = Keys {
            users: [1; 16],
            passwords: [2; 16],
            table: [3; 16],
        };
        let gate = Gate::new(GateSettings::default(), keys, Moment::EPOCH);
        let name = UserName::new(b"ann".to_vec());
        RecordedEvent::Attempt(AttemptRecord {
            ja4: None,
            door: "smtp",
            session: 1,
            client: format!("198.51.{network}.7").parse().unwrap(),
            place: Whereabouts::default(),
            user: Some(NamedUser {
                id: gate.user_id(&name),
                name,
                known: true,
                trust,
            }),
            verdict,
            reason: Some(reason),
            wait: Duration::ZERO,
            listed: None,
        })
    }

    fn login(detector: &mut Detector, network: u8, second: u64) -> Option<OccurrenceKind> {
        let event = attempt(network, Trust::Far, AttemptVerdict::Accept, Reason::Turn);
        let now = Moment::from_seconds(1_000_000 + second);
        detector.look(&event, now).map(|found| found.kind)
    }

    #[test]
    fn an_account_in_its_sixth_network_within_an_hour_is_told_of_and_a_traveller_is_not() {
        let mut detector = Detector::default();
        for network in 0..5 {
            assert_eq!(login(&mut detector, network, 0), None);
        }
        assert_eq!(
            login(&mut detector, 4, 1),
            None,
            "the same again is no new one"
        );
        assert_eq!(
            login(&mut detector, 5, 2),
            Some(OccurrenceKind::ManyNetworks)
        );
        let mut detector = Detector::default();
        for network in 0..50 {
            let hours = u64::from(network) * 901;
            assert_eq!(login(&mut detector, network, hours), None, "{network}");
        }
    }

    #[test]
    fn a_refusal_at_home_is_told_of_unless_the_operator_wants_it() {
        let mut detector = Detector::default();
        let mut look = |trust, reason| {
            let event = attempt(1, trust, AttemptVerdict::Refuse, reason);
            detector.look(&event, Moment::EPOCH).map(|found| found.kind)
        };
        let told = Some(OccurrenceKind::FamiliarRefused);
        assert_eq!(look(Trust::Familiar, Reason::Turn), told);
        assert_eq!(look(Trust::Unproven, Reason::Turn), told);
        assert_eq!(look(Trust::Near, Reason::Turn), None);
        assert_eq!(look(Trust::Familiar, Reason::Ban), None);
        assert_eq!(look(Trust::Familiar, Reason::DenyList), None);
    }
}
