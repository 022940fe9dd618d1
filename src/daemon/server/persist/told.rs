//! told - what log and history are told of the gate's changes
//!
//! Not here: what a line has in it (`report::events`), the rows of the history (`history`).

use std::path::Path;

use tracing::error;

use crate::judging::Judging;
use crate::report::events;
use crate::report::record::{BanRecord, OutageRecord, RecordedEvent};
use gatepost_core::gate::request::change::{Change, Fact};

/// Why logins do not work while a backend fails, as the history says it.
const REJECTS: &str = "users who had logged in before were rejected one after the other";

/// Tells where a file of another state is now. One that was the same as ours has kept its name, so nothing but journals is to be removed.
pub(super) fn set_aside(path: &Path) {
    error!(
        path = %path.display(),
        "a file of another state was in the state directory, and is kept under this name: to go on with that state, stop \
         gatepost, remove the files `changes.N`, take `.found-N` off the names of all files that have the same ending, over those that \
         are there, and start it"
    );
}

/// Tells log and history what an operator wants to know.
pub(super) fn log(judging: &Judging, changes: &[Change]) {
    let reporter = &judging.reporter;
    let record = |at, event| judging.recorder.tell(at, event);
    let outage = |why: Option<&str>| OutageRecord {
        backend: None,
        why: why.map(ToOwned::to_owned),
    };
    for change in changes {
        match change.fact {
            Fact::BanBegan(ban) => {
                let until = judging.clock.on_wall(ban.until);
                reporter.ban_began(ban.subject, until, ban.cause, ban.mode, change.at);
                let ban = BanRecord {
                    subject: ban.subject,
                    until: ban.until,
                    cause: ban.cause,
                    mode: ban.mode,
                };
                record(change.at, RecordedEvent::Ban(ban));
            }
            Fact::BanEnded(end) => {
                reporter.ban_ended(end.subject, change.at);
                record(change.at, RecordedEvent::BanEnded(end.subject));
            }
            Fact::BackendFailing => {
                events::backend_outage();
                record(change.at, RecordedEvent::Outage(outage(Some(REJECTS))));
            }
            Fact::BackendRecovered => {
                events::backend_recovered();
                record(change.at, RecordedEvent::Outage(outage(None)));
            }
            Fact::SharedBucket(_)
            | Fact::UserKnown(_)
            | Fact::PairFamiliar(_)
            | Fact::Forgiven(_)
            | Fact::PasswordChanged(_)
            | Fact::TrustRevoked(_)
            | Fact::UserForgotten(_)
            | Fact::DeviceFamiliar(_)
            | Fact::DeviceDropped(_)
            | Fact::DeviceShared(_)
            | Fact::PlaceNew(_)
            | Fact::StolenSuspected(_)
            | Fact::StolenCleared(_)
            | Fact::SettlingEnded
            | Fact::Expelled(_) => {}
        }
    }
}
