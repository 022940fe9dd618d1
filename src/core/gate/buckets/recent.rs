//! recent - the last decisions, for an operator who asks why
//!
//! A ring of fixed length: a flood of refusals pushes older ones out, and nothing grows.
//! Not here: what is shown of them (`explain`).

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::gate::request::client::ClientKey;
use crate::gate::request::doors::Door;
use crate::gate::request::keys::UserId;
use crate::gate::request::verdict::Reason;
use crate::moment::Moment;

/// Decisions that are remembered: a day or two of a lively attack, in about 2 MB.
const REMEMBERED: usize = 32_768;

/// What the gate answered, or Postfix after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Forwarded to Postfix.
    Allow,
    /// Forwarded, though it would have been refused but for a dry run or settling in.
    WouldRefuse,
    /// Refused for now.
    Refuse,
    /// Answered with the rejection that the same password met a moment ago.
    Repeat,
    /// Postfix logged the user in.
    Accept,
    /// Postfix rejected the password.
    Reject,
    /// Postfix could not tell.
    Defer,
}

/// One decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// When.
    pub at: Moment,
    /// In which session.
    pub session: u64,
    /// At which door.
    pub door: Door,
    /// About which client.
    pub client: ClientKey,
    /// What was answered.
    pub answer: Answer,
    /// On what grounds.
    pub reason: Reason,
    /// How long the client had to wait at least; zero where nothing was refused.
    pub wait: Duration,
    pub(in crate::gate) user: UserId,
}

impl Decision {
    /// The user; none if the client did not come to the name.
    pub fn user(&self) -> Option<UserId> {
        (self.user != UserId(0)).then_some(self.user)
    }
}

#[derive(Default)]
pub(in crate::gate) struct Recent(Mutex<VecDeque<Decision>>);

impl Recent {
    pub(in crate::gate) fn push(&self, decision: Decision) {
        let mut ring = self.lock();
        if ring.len() == REMEMBERED {
            ring.pop_front();
        }
        ring.push_back(decision);
    }

    /// The last `most` decisions that `wanted` picks, the latest first.
    pub(in crate::gate) fn find(
        &self,
        most: usize,
        wanted: impl Fn(&Decision) -> bool,
    ) -> Vec<Decision> {
        let ring = self.lock();
        let found = ring.iter().rev().filter(|decision| wanted(decision));
        found.take(most).copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Decision>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answer {
    /// The log value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::WouldRefuse => "would-refuse",
            Self::Refuse => "refuse",
            Self::Repeat => "repeat",
            Self::Accept => "accept",
            Self::Reject => "reject",
            Self::Defer => "defer",
        }
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::buckets::spec::Bucket;

    #[test]
    fn the_ring_never_grows_and_shows_the_latest_first() {
        let recent = Recent::default();
        for session in 0..(REMEMBERED as u64 + 10) {
            recent.push(Decision {
                at: Moment::EPOCH,
                session,
                door: Door::Own,
                client: ClientKey::V4(session as u32 % 2),
                answer: Answer::Allow,
                reason: Reason::Bucket(Bucket::Client),
                wait: Duration::ZERO,
                user: UserId(0),
            });
        }
        assert_eq!(recent.lock().len(), REMEMBERED);
        let found = recent.find(2, |decision| decision.client == ClientKey::V4(1));
        let sessions: Vec<_> = found.iter().map(|decision| decision.session).collect();
        assert_eq!(sessions, [REMEMBERED as u64 + 9, REMEMBERED as u64 + 7]);
        assert!(recent.find(1, |decision| decision.session == 9).is_empty());
    }
}
