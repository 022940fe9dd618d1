//! outages - when a backend stops and begins to be usable, for the history
//!
//! Not here: whether it is (`net::upstream`), the log about it (there too).

use std::collections::HashMap;

use crate::judging::Judging;
use crate::net::upstream::{Upstream, Usability};
use crate::report::record::{OutageRecord, RecordedEvent};

/// What was told last of each backend: whether it can be used.
#[derive(Debug, Default)]
pub(in crate::server) struct OutageWatch(HashMap<String, bool>);

impl OutageWatch {
    /// Tells what has changed since the last look. The first time each is told, for an earlier process may have ended in
    /// an outage. An outage of a backend that has left the config is over: nobody looks any more.
    pub(in crate::server) fn look(&mut self, upstream: &Upstream, judging: &Judging) {
        let found: Vec<_> = upstream.usability().collect();
        self.0.retain(|backend, is_usable| {
            let stays = found.iter().any(|(one, _)| one.to_string() == *backend);
            if !stays && !*is_usable {
                let event = RecordedEvent::BackendGone(backend.clone());
                judging.recorder.tell(judging.clock.now(), event);
            }
            stays
        });
        for (address, usability) in found {
            let (is_usable, why) = match usability {
                Usability::Unknown => continue,
                Usability::Usable { .. } => (true, None),
                Usability::Unusable { complaint, .. } => (false, Some(complaint.reason)),
            };
            let backend = address.to_string();
            if self.0.insert(backend.clone(), is_usable) != Some(is_usable) {
                let backend = Some(backend);
                let event = RecordedEvent::Outage(OutageRecord { backend, why });
                judging.recorder.tell(judging.clock.now(), event);
            }
        }
    }
}
