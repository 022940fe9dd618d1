//! acts - what an operator changed, told to the log and to the history
//!
//! Not here: what is answered (`operator`).

use super::Operator;
use crate::admin::message::Response;
use crate::report::events;
use crate::report::record::RecordedEvent;
use gatepost_core::moment::Moment;

impl Operator {
    /// Tells what was done, if anything was, and `by` whom where that is known.
    pub(super) fn tell(&self, response: &Response, by: Option<&str>, now: Moment) {
        let mut did = match response {
            Response::Done { message }
            | Response::Ended { message, .. }
            | Response::NotKept { message } => message.clone(),
            Response::BansImported {
                banned, sessions, ..
            } if *banned > 0 => {
                format!("{banned} banned from a list; {sessions} sessions ended")
            }
            Response::Learnt(taught) if taught.changed() => {
                events::learnt(taught.pairs, taught.users);
                if taught.settling_ended {
                    events::settled();
                }
                let (pairs, users) = (taught.pairs, taught.users);
                let did =
                    format!("learnt: {pairs} pairs newly familiar, {users} users newly known");
                return self.keep(did, now);
            }
            _ => return,
        };
        if let Some(by) = by {
            did += &format!(" ({by})");
        }
        events::operator(&did);
        self.keep(did, now);
    }

    fn keep(&self, did: String, now: Moment) {
        let recorder = &self.context.services.judging.recorder;
        recorder.tell(now, RecordedEvent::Act(did));
    }
}
