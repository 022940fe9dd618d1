//! record - what the history is told, and the bounded channel to it
//!
//! Nobody waits: what finds the channel full is counted and lost. While the disk stands still, attempts leave an eighth of
//! it to the rest, so that a botnet takes no operator's act out of the history. Names are those that clients sent, and are
//! shown as `UserName` shows them.
//! Not here: what is kept of it (`history`), the log (`events`).

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;

use super::ja4::Ja4;
use super::limits::{LimitCounters, ResourceLimit};
use super::occurrence::Occurrence;
use super::verdicts::AttemptVerdict;
use crate::places::Whereabouts;
use gatepost_core::gate::request::attempt::{Trust, UserName};
use gatepost_core::gate::request::client::{ClientKey, NetworkKey};
use gatepost_core::gate::request::keys::UserId;
use gatepost_core::gate::request::settings::Mode;
use gatepost_core::gate::request::verdict::{BanCause, Reason, Subject};
use gatepost_core::moment::Moment;

/// Records under way to the history.
const RECORDS: usize = 2048;

/// Those of them that may be attempts.
const ATTEMPTS: usize = RECORDS / 8 * 7;

/// How long an operator waits until somebody is forgotten.
const FORGETTING: Duration = Duration::from_secs(10);

/// What happened, and when by the process's clock.
#[derive(Debug)]
pub struct Record {
    /// When.
    pub at: Moment,
    /// What.
    pub event: RecordedEvent,
    /// Of an attempt: its place among those under way.
    _place: Option<OwnedSemaphorePermit>,
}

#[cfg(test)]
impl Record {
    /// One that was under way in no channel.
    pub fn arrived(at: Moment, event: RecordedEvent) -> Self {
        Self {
            at,
            event,
            _place: None,
        }
    }
}

/// What happened.
#[derive(Debug)]
pub enum RecordedEvent {
    /// An attempt ended.
    Attempt(AttemptRecord),
    /// A ban began, or was extended.
    Ban(BanRecord),
    /// A ban ended, before its time or at its end.
    BanEnded(Subject),
    /// Logins stopped working, or work again.
    Outage(OutageRecord),
    /// The backend with this address is in the config no more.
    BackendGone(String),
    /// The password of an account is on the owner's list, or is no more.
    Listed(ListedRecord),
    /// Something else that an operator wants to be told.
    Occurred(Occurrence),
    /// An operator did something, in the words that they got.
    Act(String),
    /// An operator wants a user forgotten, in one network or everywhere, and is told what came of it.
    Forget(Forgotten, oneshot::Sender<Result<u64, String>>),
    /// The process ends.
    Stop,
}

/// One attempt.
#[derive(Debug)]
pub struct AttemptRecord {
    /// Which service the client asked.
    pub door: &'static str,
    /// The number of the session.
    pub session: u64,
    /// The client.
    pub client: ClientKey,
    /// Where it is.
    pub place: Whereabouts,
    /// The user; none if the client did not come to the name.
    pub user: Option<NamedUser>,
    /// How it ended.
    pub verdict: AttemptVerdict,
    /// What the verdict rests on.
    pub reason: Option<Reason>,
    /// How long the client should wait.
    pub wait: Duration,
    /// Whether the password, which is right, is on the owner's list; none: there is no list, or nothing was seen.
    pub listed: Option<bool>,
    /// The label of its program.
    pub ja4: Option<Ja4>,
}

/// A user, as an attempt named one.
#[derive(Clone, Debug)]
pub struct NamedUser {
    /// As the gate counts.
    pub id: UserId,
    /// As the client wrote it.
    pub name: UserName,
    /// Whether this user has ever logged in, was learnt, introduced or listed.
    pub known: bool,
    /// How far the user was trusted in the client's network then.
    pub trust: Trust,
}

/// A ban that began.
#[derive(Clone, Copy, Debug)]
pub struct BanRecord {
    /// The client or network.
    pub subject: Subject,
    /// When it ends.
    pub until: Moment,
    /// What it is for.
    pub cause: BanCause,
    /// Whether it is enforced.
    pub mode: Mode,
}

/// Logins do not work, or work again.
#[derive(Debug)]
pub struct OutageRecord {
    /// The backend's address; none: all of them, for users that logged in before are rejected.
    pub backend: Option<String>,
    /// Why; none: it is over.
    pub why: Option<String>,
}

/// Whether an account's password is on the owner's list.
#[derive(Debug)]
pub struct ListedRecord {
    /// As the gate counts.
    pub user: UserId,
    /// As the client wrote it.
    pub name: UserName,
    /// Whether it is.
    pub listed: bool,
}

/// What the history forgets.
#[derive(Clone, Copy, Debug)]
pub struct Forgotten {
    /// The user.
    pub user: UserId,
    /// Only what came from there; none: everything.
    pub network: Option<NetworkKey>,
}

/// The sending end. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Recorder {
    sender: SyncSender<Record>,
    attempts: Arc<Semaphore>,
    limits: Arc<LimitCounters>,
}

impl Recorder {
    /// A channel. What is lost is counted in `limits`.
    pub fn channel(limits: &Arc<LimitCounters>) -> (Self, Receiver<Record>) {
        // limit: history
        let (sender, receiver) = sync_channel(RECORDS);
        let recorder = Self {
            sender,
            // limit: history
            attempts: Arc::new(Semaphore::new(ATTEMPTS)),
            limits: Arc::clone(limits),
        };
        (recorder, receiver)
    }

    /// Tells what happened. Never waits.
    pub fn tell(&self, at: Moment, event: RecordedEvent) {
        let place = match event {
            RecordedEvent::Attempt(_) => match Arc::clone(&self.attempts).try_acquire_owned() {
                Ok(place) => Some(place),
                Err(_) => return self.limits.count(ResourceLimit::History),
            },
            _ => None,
        };
        let record = Record {
            at,
            event,
            _place: place,
        };
        // A history that has ended at the end of the process loses nothing that anybody counts.
        if let Err(TrySendError::Full(_)) = self.sender.try_send(record) {
            self.limits.count(ResourceLimit::History);
        }
    }

    /// Has the history forget a user, and says how many rows that were.
    ///
    /// # Errors
    ///
    /// What the disk said, or that it says nothing.
    pub async fn forget(&self, at: Moment, forgotten: Forgotten) -> Result<u64, String> {
        let (told, answer) = oneshot::channel();
        let event = RecordedEvent::Forget(forgotten, told);
        if self
            .sender
            .try_send(Record {
                at,
                event,
                _place: None,
            })
            .is_err()
        {
            return Err("it has too much to do; try again".to_owned());
        }
        match timeout(FORGETTING, answer).await {
            Ok(Ok(done)) => done,
            Ok(Err(_)) => Err("Gatepost is stopping".to_owned()),
            Err(_) => Err("the disk does not answer".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_the_channel_full_is_counted_and_nobody_waits() {
        let limits = Arc::new(LimitCounters::default());
        let (recorder, received) = Recorder::channel(&limits);
        for _ in 0..RECORDS {
            recorder.tell(Moment::EPOCH, RecordedEvent::Act(String::new()));
        }
        assert_eq!(limits.get(ResourceLimit::History), 0);
        recorder.tell(Moment::EPOCH, RecordedEvent::Act(String::new()));
        assert_eq!(limits.get(ResourceLimit::History), 1);
        assert_eq!(received.try_iter().count(), RECORDS);
        drop(received);
        recorder.tell(Moment::EPOCH, RecordedEvent::Act(String::new()));
        assert_eq!(limits.get(ResourceLimit::History), 1);
    }

    #[test]
    fn a_botnet_leaves_room_for_what_an_operator_does() {
        let limits = Arc::new(LimitCounters::default());
        let (recorder, received) = Recorder::channel(&limits);
        let attempt = || {
            RecordedEvent::Attempt(AttemptRecord {
                door: "smtp",
                session: 1,
                client: "192.0.2.1".parse().unwrap(),
                place: Whereabouts::default(),
                user: None,
                verdict: AttemptVerdict::Refuse,
                reason: None,
                wait: Duration::ZERO,
                listed: None,
                ja4: None,
            })
        };
        for _ in 0..RECORDS {
            recorder.tell(Moment::EPOCH, attempt());
        }
        let lost = (RECORDS - ATTEMPTS) as u64;
        assert_eq!(limits.get(ResourceLimit::History), lost);
        recorder.tell(Moment::EPOCH, RecordedEvent::Act("bans add".to_owned()));
        assert_eq!(limits.get(ResourceLimit::History), lost);
        let is_act = |record: &Record| matches!(record.event, RecordedEvent::Act(_));
        assert_eq!(received.try_iter().filter(is_act).count(), 1);
        // What has been taken out makes room.
        recorder.tell(Moment::EPOCH, attempt());
        assert_eq!(limits.get(ResourceLimit::History), lost);
    }
}
