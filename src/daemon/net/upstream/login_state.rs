//! login_state - whether logins work at an address of Postfix
//!
//! A fault at AUTH may be the doing of one client: of a message that Postfix or Dovecot cannot take, of an account that is broken. So
//! one network's fault counts only when it meets another's, or its own of a minute ago, and nobody was answered in between.
//! Not here: the greeting, and what is logged (`health`).

use std::time::Duration;

use crate::net::upstream::UpstreamFault;
use crate::net::upstream::fault_changes::{CheckState, HealthChange};
use crate::net::upstream::usable::Usability;
use gatepost_core::gate::request::client::NetworkKey;
use gatepost_core::moment::Moment;

/// How long a fault at AUTH counts: on a quiet server the next login that shows it mended may be hours away.
const FAULT_HOLDS: Duration = Duration::from_secs(300);
/// After so long a second fault of one network counts: on a small server nobody else may try.
const OF_ONE_NETWORK: Duration = Duration::from_secs(60);

/// The state of an address's logins.
#[derive(Debug, Default)]
pub(super) struct LoginState {
    check: CheckState,
    usability: Usability,
    faults: Option<LoginFaults>,
}

/// The faults since somebody was answered.
#[derive(Debug)]
struct LoginFaults {
    first: Moment,
    /// Where the first was met.
    network: NetworkKey,
    last: Moment,
    /// Whether they say something of the backend.
    count: bool,
}

impl LoginState {
    /// Takes in the result of an AUTH for a client of this network; no fault: Postfix answered.
    pub(super) fn note(
        &mut self,
        network: NetworkKey,
        fault: Option<&UpstreamFault>,
        now: Moment,
    ) -> HealthChange {
        match fault {
            None => self.faults = None,
            Some(_) => {
                let faults = self.faults.get_or_insert(LoginFaults {
                    first: now,
                    network,
                    last: now,
                    count: false,
                });
                faults.last = now;
                faults.count |=
                    faults.network != network || now.since(faults.first) >= OF_ONE_NETWORK;
                if !faults.count {
                    return HealthChange::None;
                }
            }
        }
        self.usability.found(fault, now);
        self.check.note(fault)
    }

    /// What is wrong with logins, unless nobody has tried for long.
    pub(super) fn failing(&self, now: Moment) -> Option<Usability> {
        let faults = self.faults.as_ref().filter(|faults| faults.count)?;
        (now.since(faults.last) < FAULT_HOLDS).then(|| self.usability.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::upstream::UpstreamStep;
    use gatepost_core::gate::request::client::ClientKey;

    const FAULT: UpstreamFault = UpstreamFault::Closed(UpstreamStep::Auth);

    fn network(n: u8) -> NetworkKey {
        ClientKey::new([192, 0, n, 1].into()).network()
    }

    fn at(seconds: u64) -> Moment {
        Moment::from_seconds(seconds)
    }

    #[test]
    fn a_fault_at_auth_counts_until_a_login_works_or_nobody_has_tried_for_long() {
        let mut login = LoginState::default();
        login.note(network(1), Some(&FAULT), at(9));
        login.note(network(2), Some(&FAULT), at(10));
        assert!(login.failing(at(309)).is_some());
        assert!(login.failing(at(310)).is_none());
        login.note(network(3), None, at(20));
        assert!(login.failing(at(21)).is_none());
    }

    #[test]
    fn one_network_alone_does_not_say_that_nobody_can_log_in() {
        let mut login = LoginState::default();
        for second in 0..60 {
            let change = login.note(network(1), Some(&FAULT), at(second));
            assert_eq!(change, HealthChange::None);
            assert!(login.failing(at(second)).is_none());
        }
        login.note(network(2), None, at(60));
        let change = login.note(network(1), Some(&FAULT), at(61));
        assert_eq!(change, HealthChange::None, "others were answered");
        assert!(login.failing(at(61)).is_none());
        let change = login.note(network(1), Some(&FAULT), at(121));
        assert_eq!(change, HealthChange::Fault, "nobody was for a minute");
        assert!(login.failing(at(121)).is_some());
    }
}
