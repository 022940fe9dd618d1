//! elsewhere - sessions that had logged in before a restart, and go on in processes that were stopped: they count, and give way
//!
//! Known as those processes tell them, every few seconds; there can only be fewer of them. One that gives way counts no more at once,
//! and ends as soon as its process was told. The sessions of a process that does not answer count, and do not give way.
//! Not here: who asks and tells those processes (`server::predecessors`), which session gives way (`room`, `work`).

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Notify;

use super::work::SessionWork;
use gatepost_core::gate::request::attempt::UserName;
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::keys::UserId;

/// A session as the next process asks for it, which may fold and hash names in another way.
#[derive(Clone, Debug)]
pub struct NumberedSession {
    /// In this process.
    pub number: u64,
    /// The user, as the client wrote the name.
    pub name: UserName,
    /// The client.
    pub client: ClientKey,
    /// How it works.
    pub work: SessionWork,
}

/// A session of a process that was stopped.
#[derive(Clone, Copy, Debug)]
pub struct SessionElsewhere {
    /// In its process.
    pub number: u64,
    /// By the rules of this process; none: that one does not tell.
    pub user: Option<UserId>,
    /// How it worked when that one answered.
    pub work: SessionWork,
}

/// What the processes that were stopped have answered, by their ids; none: nothing.
pub type ToldElsewhere = BTreeMap<u32, Option<Vec<SessionElsewhere>>>;

/// By user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ElsewhereKey {
    pub(super) user: Option<UserId>,
    process: u32,
    number: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Staying {
    /// It counts, and may give way.
    Counts,
    /// It has given way, and its process is still to be told.
    GivesWay,
    /// It counts, and nobody can tell its process anything.
    OutOfReach,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct LeftOverSessions {
    sessions: BTreeMap<ElsewhereKey, (SessionWork, Staying)>,
    wanted: Arc<Notify>,
}

impl LeftOverSessions {
    /// Takes over what was told. A process that is not named has ended; of one that did not answer all is as before.
    pub(super) fn take_over(&mut self, told: &ToldElsewhere) {
        let before = std::mem::take(&mut self.sessions);
        for (process, sessions) in told {
            for one in sessions.iter().flatten() {
                let key = ElsewhereKey {
                    user: one.user,
                    process: *process,
                    number: one.number,
                };
                let standing = match before.get(&key) {
                    Some((_, Staying::GivesWay)) => Staying::GivesWay,
                    _ => Staying::Counts,
                };
                self.sessions.insert(key, (one.work, standing));
            }
        }
        let silent = |key: &ElsewhereKey| matches!(told.get(&key.process), Some(None));
        let kept = before.into_iter().filter(|(key, _)| silent(key));
        let kept = kept.map(|(key, (work, _))| (key, (work, Staying::OutOfReach)));
        self.sessions.extend(kept);
    }

    /// Those that are to end, by process.
    pub(super) fn giving_way(&self) -> BTreeMap<u32, Vec<u64>> {
        let mut giving = BTreeMap::<_, Vec<u64>>::new();
        for (key, (_, standing)) in &self.sessions {
            if *standing == Staying::GivesWay {
                giving.entry(key.process).or_default().push(key.number);
            }
        }
        giving
    }

    /// What gave way at this process has ended there.
    pub(super) fn gave_way(&mut self, process: u32) {
        self.sessions
            .retain(|key, (_, standing)| key.process != process || *standing != Staying::GivesWay);
    }

    /// This process cannot be told anything.
    pub(super) fn out_of_reach(&mut self, process: u32) {
        for (key, (_, standing)) in &mut self.sessions {
            if key.process == process {
                *standing = Staying::OutOfReach;
            }
        }
    }

    /// This one gives way.
    pub(super) fn give_way(&mut self, key: ElsewhereKey) {
        if let Some((_, standing)) = self.sessions.get_mut(&key) {
            *standing = Staying::GivesWay;
            self.wanted.notify_one();
        }
    }

    /// What is notified when one gives way.
    pub(super) fn wanted(&self) -> Arc<Notify> {
        Arc::clone(&self.wanted)
    }

    /// How many there are, with those that give way.
    pub(super) fn open(&self) -> usize {
        self.sessions.len()
    }

    /// How many count.
    pub(super) fn all(&self) -> usize {
        self.counted().count()
    }

    /// How many of a user's count.
    pub(super) fn of(&self, user: UserId) -> usize {
        let own = self.counted().filter(|(key, ..)| key.user == Some(user));
        own.count()
    }

    /// Those that count.
    pub(super) fn counted(&self) -> impl Iterator<Item = (ElsewhereKey, SessionWork, GivesWay)> {
        self.sessions.iter().filter_map(|(key, (work, standing))| {
            let may = match standing {
                Staying::Counts => GivesWay::May,
                Staying::OutOfReach => GivesWay::Never,
                Staying::GivesWay => return None,
            };
            Some((*key, *work, may))
        })
    }
}

/// Whether a session may give way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GivesWay {
    May,
    Never,
}
