//! stolen - the line about a password that seems to be stolen
//!
//! The fields are public API. Bounded by the gate: of one user it is told once, and again a week after at the earliest, or once
//! the operator has forgiven the user.
//! Not here: the line about the login (`events`), what was counted (`gate`).

use tracing::warn;

use super::Session;
use crate::places::Whereabouts;
use gatepost_core::gate::request::attempt::UserName;
use gatepost_core::gate::request::suspicion::{FarLogins, Suspicion};

/// `password suspected`: valid logins came from where their owner hardly was.
pub fn suspected(
    session: &Session<'_>,
    user: &UserName,
    place: &Whereabouts,
    suspicion: &Suspicion,
) {
    let held = match suspicion.far_logins {
        FarLogins::Hold => "its logins from other than familiar places wait",
        FarLogins::Tell => "nothing is held",
    };
    warn!(
        session = %session.id,
        client = %session.client,
        user = %user,
        place = place.shown(),
        cause = %suspicion.cause,
        places = suspicion.places.len(),
        "password suspected: it was right, and is used from where its owner hardly is, so it may be stolen; {held}"
    );
}
