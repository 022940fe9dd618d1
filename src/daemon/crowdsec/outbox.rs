//! outbox - bans of ours on their way to the LAPI
//!
//! Of clients that Gatepost has banned itself: for strikes and for traps. Not what an operator has banned, which is theirs to tell, nor what other
//! machines of a cluster did, which tell it themselves, nor networks, whose clients are told one by one. Refusals by shared buckets are no bans.
//! Nobody waits: what finds it full is lost, and counted.
//! Not here: who empties it (`server::crowdsec`).

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::report::limits::{LimitCounters, ResourceLimit};
use gatepost_core::gate::request::change::{BanCause, Change, Fact, Origin, Subject};
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::settings::Mode;
use gatepost_core::moment::Moment;

/// Bans that wait.
const WAITING: usize = 4_096;

/// A ban that is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToldBan {
    /// Who is banned.
    pub client: ClientKey,
    /// Until when.
    pub until: Moment,
    /// What for.
    pub cause: BanCause,
}

impl ToldBan {
    /// None: it is none that others are told of.
    fn of(change: &Change) -> Option<Self> {
        let Fact::BanBegan(ban) = change.fact else {
            return None;
        };
        let is_ours = change.origin == Origin::HERE && ban.mode == Mode::Enforce;
        match (ban.subject, ban.cause) {
            (Subject::Client(client), BanCause::Strikes | BanCause::Trap) if is_ours => {
                Some(Self {
                    client,
                    until: ban.until,
                    cause: ban.cause,
                })
            }
            _ => None,
        }
    }
}

/// Where bans are left. Clones are the same.
#[derive(Clone, Debug)]
pub struct BanOutbox {
    /// None: there is nobody to tell.
    sender: Option<mpsc::Sender<ToldBan>>,
    limits: Arc<LimitCounters>,
}

/// Where they are taken from.
pub type ToldBans = mpsc::Receiver<ToldBan>;

impl BanOutbox {
    /// One that is emptied.
    pub fn channel(limits: &Arc<LimitCounters>) -> (Self, ToldBans) {
        // limit: crowdsec-bans
        let (sender, receiver) = mpsc::channel(WAITING);
        let outbox = Self {
            sender: Some(sender),
            limits: Arc::clone(limits),
        };
        (outbox, receiver)
    }

    /// One that takes nothing.
    pub fn closed(limits: &Arc<LimitCounters>) -> Self {
        Self {
            sender: None,
            limits: Arc::clone(limits),
        }
    }

    /// Leaves what CrowdSec is to know.
    pub fn leave(&self, changes: &[Change]) {
        let Some(sender) = &self.sender else { return };
        for ban in changes.iter().filter_map(ToldBan::of) {
            if let Err(TrySendError::Full(_)) = sender.try_send(ban) {
                self.limits.count(ResourceLimit::CrowdsecBans);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepost_core::gate::request::change::BanStart;

    fn began(subject: Subject, cause: BanCause, mode: Mode) -> Change {
        let ban = BanStart {
            subject,
            until: Moment::from_seconds(600),
            cause,
            mode,
            strikes: 3,
        };
        Change::here(Moment::EPOCH, Fact::BanBegan(ban))
    }

    fn client(n: u32) -> Subject {
        Subject::Client(ClientKey::V4(n))
    }

    fn channel() -> (BanOutbox, ToldBans, Arc<LimitCounters>) {
        let limits = Arc::new(LimitCounters::default());
        let (outbox, bans) = BanOutbox::channel(&limits);
        (outbox, bans, limits)
    }

    #[test]
    fn only_clients_that_gatepost_has_banned_itself_are_told() {
        let (outbox, mut bans, _) = channel();
        let network = Subject::Network(ClientKey::V4(1).network());
        let strikes = began(client(1), BanCause::Strikes, Mode::Enforce);
        outbox.leave(&[
            strikes,
            began(client(2), BanCause::Trap, Mode::Enforce),
            began(client(3), BanCause::Operator, Mode::Enforce),
            began(client(4), BanCause::List, Mode::Enforce),
            began(client(5), BanCause::Strikes, Mode::DryRun),
            began(network, BanCause::Neighbours, Mode::Enforce),
            Change {
                origin: Origin::ELSEWHERE,
                ..strikes
            },
            Change::here(Moment::EPOCH, Fact::BackendFailing),
        ]);
        let told = std::iter::from_fn(|| bans.try_recv().ok());
        let told: Vec<_> = told.map(|ban| (ban.client, ban.cause)).collect();
        assert_eq!(
            told,
            [
                (ClientKey::V4(1), BanCause::Strikes),
                (ClientKey::V4(2), BanCause::Trap)
            ]
        );
    }

    #[test]
    fn what_finds_it_full_is_counted() {
        let (outbox, mut bans, limits) = channel();
        let many = |n| began(client(n), BanCause::Strikes, Mode::Enforce);
        let all: Vec<_> = (0..=WAITING as u32).map(many).collect();
        outbox.leave(&all);
        assert_eq!(limits.get(ResourceLimit::CrowdsecBans), 1);
        assert_eq!(std::iter::from_fn(|| bans.try_recv().ok()).count(), WAITING);
    }
}
