//! punishment - what a refusal costs the client
//!
//! Not here: what refuses (`ladder`), strikes and bans (`trust::strikes`).

use super::{Evaluation, JudgementStage};
use crate::gate::buckets::spec::Bucket;
use crate::gate::case::Case;
use crate::gate::request::verdict::{BanCause, Reason, Refusal};
use crate::gate::trust::familiar::NetworkTrust;
use crate::gate::trust::strikes::Offender;

impl<S: JudgementStage> Evaluation<'_, S> {
    /// What a refusal costs the client.
    pub(super) fn punish(&mut self, refusal: &mut Refusal) {
        let client = self.case.client;
        let network = self.case.who.network;
        let offender = Offender { client, network };
        // A mail program that retries is no guesser. Hidden passwords may each be a new one.
        let new = !self.past.repeated;
        let (gate, now) = (self.gate, self.now);
        match refusal.reason {
            Reason::DenyList | Reason::Ban | Reason::Repeat | Reason::Outage => return,
            reason if reason == Reason::Trap || self.rules.is_decoy(self.case.user) => {
                refusal.wait = gate.touch_trap(self.rules, offender, now, self.changes);
                return;
            }
            Reason::Bucket(Bucket::Familiar) | Reason::Turn => {}
            // Behind one address may be an office: where somebody is familiar, a refusal costs nothing.
            _ if network == NetworkTrust::Familiar => {}
            Reason::Bucket(Bucket::Client) if new => {
                let cause = BanCause::Strikes;
                let ban = gate.strike(self.rules, offender, cause, now, self.changes);
                refusal.wait = refusal.wait.max(ban);
            }
            // No bucket was looked at yet: a client whose own is empty earns its strikes here.
            Reason::Country | Reason::UserRule | Reason::Stolen
                if new && self.take_of_client().is_err() =>
            {
                let cause = BanCause::Strikes;
                let ban = gate.strike(self.rules, offender, cause, now, self.changes);
                refusal.wait = refusal.wait.max(ban);
            }
            Reason::Country | Reason::UserRule | Reason::Stolen => {}
            // The client's own token stays spent: so hammering while all is empty earns strikes.
            _ if new => drop(self.take_of_client()),
            _ => {}
        }
        let Case { user, network, .. } = self.case;
        gate.tries.refused(client, user, self.case.guess, now);
        gate.seen.note(self.case.word, user, network, now);
    }
}
