//! listeners - one task a listener: every connection that is admitted gets a session
//!
//! Not here: accepting (`net::listener`), who is admitted (`gate`, `net::admission`), the session itself.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::lists::Lists;
use super::predecessors::{EndedSessions, Predecessors, SessionOrder};
use crate::cluster::Cluster;
use crate::crowdsec::Crowdsec;
use crate::drain::Drain;
use crate::history::HistoryReader;
use crate::net::admission::{Admission, Slot, TurnedAway};
use crate::net::filter::{self, Filter, FilterFault, RefusedFor};
use crate::net::listener::{
    AdmittedConnection, Arrival, Balancer, Listener, ListenerSettings, TlsStart,
};
use crate::report::occurrence::NoticeSettings;
use crate::session::{self, Services};
use crate::store::StateHealth;
use gatepost_core::gate::request::client::ClientKey;

/// What every listener needs.
#[derive(Clone, Debug)]
pub(in crate::server) struct ListenerContext {
    pub(in crate::server) services: Arc<Services>,
    pub(in crate::server) admission: Admission,
    pub(in crate::server) filter: Arc<Filter>,
    pub(in crate::server) sessions: TaskTracker,
    /// No new connections; dialogues end.
    pub(in crate::server) drain: Drain,
    /// Whether the disk keeps the state.
    pub(in crate::server) state: StateHealth,
    /// What was decided before.
    pub(in crate::server) history: HistoryReader,
    /// Where notices go.
    pub(in crate::server) notices: Arc<ArcSwap<NoticeSettings>>,
    /// Published lists of networks, and where that of known passwords is.
    pub(in crate::server) lists: Arc<Lists>,
    /// The machines that share the bound.
    pub(in crate::server) cluster: Cluster,
    /// CrowdSec beside us.
    pub(in crate::server) crowdsec: Crowdsec,
    /// Processes that were stopped, with the sessions that they still have.
    pub(in crate::server) predecessors: Predecessors,
}

impl ListenerContext {
    /// Ends the logged-in sessions of all that are banned by hand or denied, in whichever process.
    pub(in crate::server) async fn end_barred(&self) -> EndedSessions {
        let own = &self.services;
        let own = own.registry.expel_barred(|client| own.judging.bars(client));
        self.predecessors.end(SessionOrder::Barred).await.and(own)
    }

    /// Accepts clients until the drain begins; the listening socket is closed then.
    pub(in crate::server) async fn serve_listener(
        self,
        mut listener: Listener,
        mut settings: watch::Receiver<ListenerSettings>,
    ) {
        let mut drain = self.drain.clone();
        let mut tls = settings.borrow_and_update().tls;
        loop {
            let arrival = tokio::select! {
                biased;
                () = drain.begun() => return,
                Ok(()) = settings.changed() => {
                    let settings = settings.borrow_and_update();
                    tls = settings.tls;
                    listener.reconfigure(&settings);
                    continue;
                }
                arrival = listener.accept(|client| self.admit_or_note(client)) => arrival,
            };
            match arrival {
                Arrival::Client(connection) => self.spawn_session(connection, tls),
                Arrival::Balancer(balancer) => self.read_proxy_header(balancer, tls),
                Arrival::AcceptFailed(error) => warn!(
                    "no more connections can be accepted at {}: {error}. They wait in the kernel's queue; \
                     is LimitNOFILE high enough for [admission] sessions?",
                    listener.local_addr()
                ),
            }
        }
    }

    /// Once a second: the kernel's list of refused clients, where it is wanted.
    pub(in crate::server) async fn keep_filter(self) {
        let mut drain = self.drain.clone();
        let mut mode = filter::FilterMode::Off;
        loop {
            tokio::select! {
                () = sleep(Duration::from_secs(1)) => {}
                () = drain.begun() => return,
            }
            let before = std::mem::replace(&mut mode, self.services.config.load().filter);
            let kept = match (before, mode) {
                (filter::FilterMode::Off, filter::FilterMode::Off) => Ok(()),
                (filter::FilterMode::On, filter::FilterMode::Off) => self.filter.clear(),
                (_, filter::FilterMode::On) => self.refresh_filter(),
            };
            if let Err(fault) = kept {
                warn!("{fault}");
            }
        }
    }

    fn refresh_filter(&self) -> Result<(), FilterFault> {
        let now = self.services.judging.clock.now();
        let standing = |client| self.services.judging.gate().standing(client, now);
        self.filter.refresh(standing).map(|_| ())
    }

    /// Admits, and counts who is refused for the filter. Not for clients that a balancer announces: the kernel
    /// sees the balancer's address.
    fn admit_or_note(&self, client: ClientKey) -> Result<Slot, TurnedAway> {
        let admitted = self.admit(client);
        if let Err(reason) = &admitted
            && self.services.config.load().filter == filter::FilterMode::On
        {
            self.filter.reset(
                client,
                match reason {
                    TurnedAway::Deny | TurnedAway::Ban => RefusedFor::Ban,
                    _ => RefusedFor::Connections,
                },
            );
        }
        admitted
    }

    fn admit(&self, client: ClientKey) -> Result<Slot, TurnedAway> {
        let now = self.services.judging.clock.now();
        self.admission.admit(
            client,
            self.services.judging.gate().standing(client, now),
            now,
        )
    }

    fn spawn_session(&self, connection: AdmittedConnection, tls: TlsStart) {
        let services = Arc::clone(&self.services);
        let session = session::serve(connection, tls, services, self.drain.clone());
        self.sessions.spawn(session);
    }

    fn read_proxy_header(&self, balancer: Balancer, tls: TlsStart) {
        let context = self.clone();
        self.sessions.spawn(async move {
            let deadline = context.services.config.load().timeouts.handshake;
            let peer = balancer.peer();
            let mut drain = context.drain.clone();
            let read = tokio::select! {
                read = balancer.read_header(deadline, |client| context.admit(client)) => read,
                () = drain.begun() => return,
            };
            match read {
                Ok(connection) => {
                    let Self {
                        services, drain, ..
                    } = context;
                    session::serve(connection, tls, services, drain).await;
                }
                Err(fault) => debug!(balancer = %peer, fault = fault.to_string(), "balancer"),
            }
        });
    }
}
