use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::database::Database;
use super::historian::Historian;
use super::place::HistoryPlace;
use super::schema::BOUNDS;
use super::*;
use crate::clock::Clock;
use crate::report::ja4::Ja4;
use crate::report::limits::{LimitCounters, ResourceLimit};
use crate::report::record::{
    AttemptRecord, BanRecord, Forgotten, NamedUser, OutageRecord, Record, RecordedEvent, Recorder,
};
use crate::report::verdicts::AttemptVerdict;
use gatepost_core::gate::Keys;
use gatepost_core::gate::request::attempt::{Trust, UserName};
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::settings::{GateSettings, Mode};
use gatepost_core::gate::request::verdict::{BanCause, Reason, Subject};
use gatepost_core::moment::Moment;

mod beside;
mod busy;
mod clock_set;
mod file;
mod flood;
mod found;
mod listed;
mod outages;
mod programs;
mod room;

const DAY: Duration = Duration::from_secs(86_400);

/// A historian on this thread, with what it is told.
struct Kept {
    folder: tempfile::TempDir,
    clock: Clock,
    limits: Arc<LimitCounters>,
    _recorder: Recorder,
    historian: Historian,
    written: WrittenTotals,
    gate: gatepost_core::gate::Gate,
}

impl Kept {
    fn new() -> Self {
        Self::in_folder(tempfile::tempdir().unwrap(), Some(30 * DAY))
    }

    fn in_folder(folder: tempfile::TempDir, keep: Option<Duration>) -> Self {
        let (clock, limits) = (Clock::start(), Arc::new(LimitCounters::default()));
        let (recorder, records) = Recorder::channel(&limits);
        let settings = HistorySettings {
            directory: folder.path().to_owned(),
            keep,
        };
        let written = WrittenTotals::default();
        let counted = (
            Box::new(Totals::new) as Box<dyn Fn() -> Totals + Send>,
            written.clone(),
        );
        let keys = Keys {
            users: [1; 16],
            passwords: [2; 16],
            table: [3; 16],
        };
        Self {
            historian: Historian::new(settings, (records, unread()), counted, clock, &limits),
            gate: gatepost_core::gate::Gate::new(GateSettings::default(), keys, clock.now()),
            folder,
            clock,
            limits,
            written,
            _recorder: recorder,
        }
    }

    fn reader(&self) -> HistoryReader {
        HistoryReader::new(&HistorySettings {
            directory: self.folder.path().to_owned(),
            keep: Some(DAY),
        })
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn tell(&mut self, event: RecordedEvent) {
        let at = self.clock.now();
        assert!(self.historian.take(Record::arrived(at, event)));
    }

    /// As many rounds as it takes for everything to be written.
    fn write(&mut self) {
        for _ in 0..10 {
            self.historian.round();
        }
    }

    fn user(&self, name: &str, trust: Option<Trust>) -> NamedUser {
        let name = UserName::new(name.as_bytes());
        NamedUser {
            id: self.gate.user_id(&name),
            known: trust.is_some(),
            trust: trust.unwrap_or(Trust::Far),
            name,
        }
    }

    fn attempt(&mut self, client: &str, user: NamedUser, verdict: AttemptVerdict) {
        self.attempt_of(None, client, user, verdict);
    }

    /// By the program with this label.
    fn attempt_of(
        &mut self,
        label: Option<&str>,
        client: &str,
        user: NamedUser,
        verdict: AttemptVerdict,
    ) {
        let label = label.map(|label| label.as_bytes().try_into().unwrap());
        self.tell(RecordedEvent::Attempt(AttemptRecord {
            ja4: label.and_then(Ja4::new),
            ..attempt_at(client, user, verdict)
        }));
    }

    /// A login with a password that is on the owner's list, or is not.
    fn login_with(&mut self, name: &str, listed: Option<bool>) {
        let user = self.user(name, Some(Trust::Familiar));
        self.tell(RecordedEvent::Attempt(AttemptRecord {
            ja4: None,
            door: "smtp",
            session: 7,
            client: "198.51.100.7".parse().unwrap(),
            user: Some(user),
            verdict: AttemptVerdict::Accept,
            reason: Some(Reason::Turn),
            wait: Duration::ZERO,
            listed,
            place: crate::places::Whereabouts::default(),
        }));
    }

    fn listed(&self) -> Vec<String> {
        let all = self.reader().listed(1_000).unwrap().into_iter();
        all.map(|one| one.user).collect()
    }

    fn decisions(&self, of: DecisionsOf) -> Vec<PastDecision> {
        self.reader().decisions(of, Moment::EPOCH, 1_000).unwrap()
    }
}

fn attempt_at(client: &str, user: NamedUser, verdict: AttemptVerdict) -> AttemptRecord {
    AttemptRecord {
        ja4: None,
        door: "smtp",
        session: 7,
        client: client.parse().unwrap(),
        place: crate::places::Whereabouts::default(),
        user: Some(user),
        verdict,
        reason: Some(Reason::Turn),
        wait: Duration::from_secs(9),
        listed: None,
    }
}

/// Where occurrences go that nobody reads.
fn unread() -> tokio::sync::mpsc::Sender<crate::report::occurrence::Occurrence> {
    tokio::sync::mpsc::channel(1).0
}
