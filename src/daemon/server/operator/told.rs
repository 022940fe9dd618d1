//! told - what the operator changed, to the log
//!
//! Not here: the log's lines (`report::events`).

use crate::admin::message::Response;
use crate::report::events;

/// What the operator changed, to the log.
pub(super) fn tell(response: &Response) {
    match response {
        Response::Done { message }
        | Response::Ended { message, .. }
        | Response::NotKept { message } => events::operator(message),
        Response::BansImported {
            banned, sessions, ..
        } if *banned > 0 => {
            events::operator(&format!(
                "{banned} banned from a list; {sessions} sessions ended"
            ));
        }
        Response::Learnt(taught) if taught.changed() => {
            events::learnt(taught.pairs, taught.users);
            if taught.settling_ended {
                events::settled();
            }
        }
        _ => {}
    }
}
