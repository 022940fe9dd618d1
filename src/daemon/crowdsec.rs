//! crowdsec - CrowdSec beside Gatepost: its decisions taken over, and our bans told to it
//!
//! As a bouncer Gatepost asks the local API (LAPI) for decisions about addresses and ranges; as a machine it tells it of the clients that it has banned
//! itself. Either can be left out. What comes back of our own is left out. Nobody waits for any of it.
//! Not here: what a decision does (`gate::trust::feed`), the two tasks (`server::crowdsec`).
//! CrowdSec's local API, version 1, as 1.4 and later have it.

mod connection;
mod credentials;
mod duration;
mod health;

pub mod alerts;
pub mod decisions;
pub mod lapi;
pub mod outbox;

pub use self::credentials::{check_key, check_machine};
pub use self::health::{CrowdsecHealth, CrowdsecState, LapiState};

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use self::outbox::{BanOutbox, ToldBans};
use crate::http_url::HttpUrl;
use crate::report::limits::LimitCounters;

/// What our own decisions are known by.
pub const ORIGIN: &str = "gatepost";
/// What its decisions are called among the published lists. No list that an operator imports can have this name.
pub const SOURCE: &str = "[crowdsec]";

/// Where the LAPI is, and what it is asked and told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrowdsecSettings {
    /// Where it is.
    pub url: HttpUrl,
    /// Who may have signed its certificate; none: those that this machine trusts.
    pub authorities: Option<PathBuf>,
    /// The file with a bouncer's key; none: its decisions are not asked for.
    pub key: Option<PathBuf>,
    /// The file with a machine's name and password; none: it is told nothing.
    pub machine: Option<PathBuf>,
    /// From one question to the next.
    pub every: Duration,
}

/// CrowdSec, if there is one, and how Gatepost fares with it.
#[derive(Clone, Debug)]
pub struct Crowdsec {
    /// None: nobody has asked for it.
    pub settings: Option<Arc<CrowdsecSettings>>,
    /// How the LAPI answers.
    pub health: CrowdsecHealth,
    /// What it is to be told.
    pub outbox: BanOutbox,
}

impl Crowdsec {
    /// One that has not been asked yet; and what it is to be told, if anything.
    pub fn new(
        settings: Option<CrowdsecSettings>,
        limits: &Arc<LimitCounters>,
    ) -> (Self, Option<ToldBans>) {
        let is_told = settings.as_ref().is_some_and(|one| one.machine.is_some());
        let (outbox, bans) = match is_told {
            true => {
                let (outbox, bans) = BanOutbox::channel(limits);
                (outbox, Some(bans))
            }
            false => (BanOutbox::closed(limits), None),
        };
        let crowdsec = Self {
            settings: settings.map(Arc::new),
            health: CrowdsecHealth::default(),
            outbox,
        };
        (crowdsec, bans)
    }
}
