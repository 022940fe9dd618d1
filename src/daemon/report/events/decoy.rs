//! decoy - the line about a right password for a mailbox that nobody has
//!
//! The fields are public API. Not bounded by itself: every place in the code is (`places`).
//! Not here: the line about the attempt, which reads as any wrong password's (`events`).

use tracing::error;

use super::Session;
use crate::places::Whereabouts;
use gatepost_core::gate::request::attempt::UserName;

/// `decoy opened`: somebody has the right password of a mailbox that nobody has.
pub fn decoy(session: &Session<'_>, user: &UserName, place: &Whereabouts) {
    error!(
        session = %session.id,
        client = %session.client,
        user = %user,
        place = place.shown(),
        "decoy opened: a client has the right password of a mailbox that nobody has, so somebody has read \
         what holds it. It was told that the password is wrong"
    );
}
