//! server - assembly: builds all from the config, owns every task, reloads, drains, answers the operator
//!
//! [`Server::start`] makes everything that can fail before the first client comes, and binds last;
//! [`Server::run`] goes on until the drain. Each task has its owner here and its end.
//! Not here: signals (`cli::run`), what the tasks do (each in its own file).
//!
//! The drain: listeners close, dialogues are told 421, and the state is saved and released, so that the next process may
//! serve ([`Server::serve`] ends). Sessions that have logged in may finish until the grace ends ([`Leaving`]): nothing that
//! they do changes the state.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::clock::Clock;
use crate::cluster::{Cluster, OutboxFacts};
use crate::config::Config;
use crate::crowdsec::Crowdsec;
use crate::crowdsec::outbox::ToldBans;
use crate::drain::{self, Drain};
use crate::history::{Historian, HistoryReader};
use crate::judging::{Judging, Notices};
use crate::net::admission::{Admission, AdmissionSettings};
use crate::net::filter::Filter;
use crate::net::http::HttpBindFault;
use crate::net::listener::given::{GivenFault, GivenSockets};
use crate::net::listener::{self, BindFault, Listener, open_files};
use crate::net::tls::TlsFault;
use crate::net::unix_socket::SocketFault;
use crate::report::limits::LimitCounters;
use crate::report::record::Recorder;
use crate::report::setup::Log;
use crate::session::Services;
use crate::session::registry;
use crate::store::{StateHealth, StoreFault, key};
use gatepost_core::moment::Moment;

mod built;
mod certificates;
mod cluster_notices;
mod crowdsec;
mod keeping;
mod leaving;
mod lending;
mod listeners;
mod lists;
mod merging;
mod notify;
mod operator;
mod outages;
mod passwords;
mod persist;
mod places;
mod policy;
mod predecessors;
mod probe;
mod reload;
pub mod restore;
mod sharing;
mod socket;
mod tickets;
mod web_door;

pub use leaving::Leaving;
pub use operator::{Operator, PagePlace};
pub use reload::Reloader;

use listeners::ListenerContext;
use notify::Notifier;
use persist::Persister;
use policy::PolicyDoor;
use predecessors::Predecessors;
use socket::OperatorSocket;
use web_door::WebDoor;

/// Notices of the gate under way to the journal.
const NOTICES: usize = 4096;

/// How long the state waits for the doors, and then for the answers of a Postfix that is asked about a login. What comes
/// later is lost to it, and what was paid for it stays owed.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// How long the process waits until the state is saved; a disk that is dead would keep it for ever.
const LAST_SAVE: Duration = Duration::from_secs(20);

/// How often the lines that were only counted are summed up.
const SUMMARY: Duration = Duration::from_secs(60);

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum StartFault {
    /// The certificates.
    #[error(transparent)]
    Tls(#[from] TlsFault),
    /// The state directory.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// A listening address.
    #[error(transparent)]
    Bind(#[from] BindFault),
    /// A listening socket that systemd passes.
    #[error(transparent)]
    Given(#[from] GivenFault),
    /// The operator's socket.
    #[error(transparent)]
    Socket(#[from] SocketFault),
    /// A door that speaks HTTP.
    #[error(transparent)]
    Http(#[from] HttpBindFault),
}

/// A listener, and the two ends of what changes its settings.
type Bound = (
    Listener,
    watch::Sender<listener::ListenerSettings>,
    watch::Receiver<listener::ListenerSettings>,
);

/// A Gatepost, built and bound, not yet serving.
#[derive(Debug)]
pub struct Server {
    context: ListenerContext,
    listeners: Vec<Bound>,
    persister: Persister,
    historian: Historian,
    notifier: Notifier,
    socket: OperatorSocket,
    web: Option<WebDoor>,
    policy: PolicyDoor,
    config: Arc<ArcSwap<Config>>,
    drainer: drain::Drainer,
    outbox: Option<OutboxFacts>,
    bans: Option<ToldBans>,
    began: Moment,
}

impl Server {
    /// Builds everything, restores the state, and binds.
    ///
    /// # Errors
    ///
    /// As [`Server::start_on`].
    pub async fn start(config: Config, clock: Clock) -> Result<Self, StartFault> {
        Self::start_on(config, clock, GivenSockets::default()).await
    }

    /// As [`Server::start`], but for the addresses that `given` listens on already.
    ///
    /// Must be called inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// Whatever `gatepost check` would have found, and an address, state directory or socket that is not to
    /// be had. Nothing is left behind.
    pub async fn start_on(
        config: Config,
        clock: Clock,
        mut given: GivenSockets,
    ) -> Result<Self, StartFault> {
        let (began, shown) = (clock.now(), Clock::wall());
        let tls = built::tls(&config)?;
        let (mut store, gate) = restore::restore(&config, began)?;
        tickets::take_over(&tls, &mut store);
        let socket = OperatorSocket::bind(&config.admin)?;
        let limits = Arc::new(LimitCounters::default());
        let (notices, received) = Notices::channel(NOTICES, &limits);
        let (drainer, drain) = drain::channel();
        let (recorder, records) = Recorder::channel(&limits);
        let judging = Judging::new(gate, config.turns, clock, (notices, recorder), &limits);
        let services = built::services(&config, tls, judging, &drainer, began);
        let (cluster, outbox) = Cluster::new(config.cluster.clone(), &limits);
        let (crowdsec, bans) = Crowdsec::new(config.crowdsec.clone(), &limits);
        let policy = PolicyDoor::bind(&config, &services, &mut given, &drain)?;
        let listeners = bind_all(&config, given, &limits)?;
        let web = WebDoor::bind(config.web.as_ref(), &limits)?;
        let context = ListenerContext {
            services: Arc::clone(&services),
            filter: filter(&listeners),
            admission: Admission::new(&admission_settings(&config), &key::random()),
            sessions: TaskTracker::new(),
            drain,
            state: StateHealth::default(),
            history: HistoryReader::new(&config.history),
            notices: Arc::new(ArcSwap::from_pointee(config.notices.clone())),
            lists: built::lists(&config, &services),
            cluster,
            crowdsec,
            predecessors: Predecessors::of(&config.store, &services),
        };
        let (historian, occurrences) = keeping::historian(&config.history, records, &context);
        Ok(Self {
            persister: Persister::new(&context, (received, store), (began, shown)),
            notifier: Notifier::new(occurrences, context.clone()),
            context,
            listeners,
            historian,
            socket,
            web,
            policy,
            config: Arc::new(ArcSwap::from_pointee(config)),
            drainer,
            outbox,
            bans,
            began,
        })
    }

    /// Where it listens, in the order of the config, with the ports that the kernel chose.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners
            .iter()
            .map(|(listener, ..)| listener.local_addr())
            .collect()
    }

    /// What answers questions about this Gatepost in this process: for the demo and the benches.
    pub fn operator(&self) -> Operator {
        Operator::new(&self.context, self.began, self.page())
    }

    /// Where the page is, if the config asks for it.
    pub fn page(&self) -> Option<PagePlace> {
        self.web.as_ref().map(WebDoor::page)
    }

    /// What reads the config anew.
    pub fn reloader(&self, path: PathBuf, log: Log) -> Reloader {
        Reloader {
            path,
            log,
            context: self.context.clone(),
            config: Arc::clone(&self.config),
            listeners: self
                .listeners
                .iter()
                .map(|(_, sender, _)| sender.clone())
                .collect(),
        }
    }

    /// Serves until `drain` begins, saves the state, and stays until the last session is over, or the grace.
    pub async fn run(self, drain: Drain) {
        self.serve(drain).await.end().await;
    }

    /// Serves until `drain` begins; then ends all but the sessions that have logged in, and gives up listeners,
    /// operator's socket and state, which is saved.
    pub async fn serve(self, mut drain: Drain) -> Leaving {
        let (stopper, stop) = drain::channel();
        let operator = self.operator();
        let persister = tokio::spawn(self.persister.run(stop));
        let history = keeping::start(self.historian);
        let places = self.config.load().places.clone();
        places::take_over(&self.context.services.judging, &places).await;
        // Before anybody logs in: what an earlier process still has counts.
        self.context.predecessors.count().await;
        let tasks = background(&self.context, self.outbox, self.bans);
        if let Some(door) = self.web {
            tasks.spawn(door.serve(operator.clone(), self.context.drain.clone()));
        }
        tasks.spawn(self.notifier.run());
        tasks.spawn(self.socket.serve(operator, self.context.drain.clone()));
        self.policy.serve(&tasks, &self.context.drain);
        for (listener, _, settings) in self.listeners {
            info!(address = %listener.local_addr(), "listening");
            tasks.spawn(self.context.clone().serve_listener(listener, settings));
        }
        drain.begun().await;
        self.drainer.begin();
        tasks.close();
        // Each bounds what it waits for; no door decides when the state is saved.
        let _ = timeout(LAST_ANSWERS, tasks.wait()).await;
        // Dialogues end at once, attempts with Postfix's answer.
        let services = Arc::clone(&self.context.services);
        services.before_login.close();
        if timeout(LAST_ANSWERS, services.before_login.wait())
            .await
            .is_err()
        {
            let attempts = services.before_login.len();
            warn!(
                attempts,
                "the state is saved without the outcome of logins that are under way"
            );
        }
        let judging = &services.judging;
        judging.reporter.summary(judging.clock.now());
        stopper.begin();
        // A release build ends at the first panic: it never comes here after one.
        if timeout(LAST_SAVE, persister).await.is_err() {
            error!("the state is not saved: the disk does not answer");
        }
        keeping::stop(&self.context, history).await;
        let operator = Operator::new(&self.context, self.began, None);
        Leaving::begin(
            services,
            self.context.sessions,
            operator,
            &self.config.load().store,
        )
    }
}

/// Starts what goes on by itself until the drain begins.
fn background(
    context: &ListenerContext,
    outbox: Option<OutboxFacts>,
    bans: Option<ToldBans>,
) -> TaskTracker {
    let tasks = TaskTracker::new();
    let services = || Arc::clone(&context.services);
    let drain = || context.drain.clone();
    tasks.spawn(summarise(services(), drain()));
    tasks.spawn(sample_sessions(services(), drain()));
    tasks.spawn(context.predecessors.clone().follow(drain()));
    tasks.spawn(probe::probe(services(), drain()));
    tasks.spawn(passwords::keep(context.clone()));
    tasks.spawn(certificates::watch_in_use(context.clone()));
    tasks.spawn(notify::watch_strangers(context.clone()));
    tasks.spawn(context.clone().keep_filter());
    tasks.spawn(lending::lend(context.clone()));
    tasks.spawn(cluster_notices::watch(context.clone()));
    tasks.spawn(places::watch(context.clone()));
    tasks.spawn(crowdsec::follow(context.clone()));
    tasks.spawn(crowdsec::tell(context.clone(), bans));
    tasks.spawn(sharing::share(context.clone(), outbox));
    tasks
}

/// Binds every listener of the config that was not given a socket, in its order.
fn bind_all(
    config: &Config,
    mut given: GivenSockets,
    limits: &Arc<LimitCounters>,
) -> Result<Vec<Bound>, StartFault> {
    let mut bound = Vec::new();
    for settings in &config.listeners {
        let listener = match given.take(settings.address) {
            Some(socket) => Listener::adopt(settings, socket, limits)?,
            None => Listener::bind(settings, limits)?,
        };
        let (sender, receiver) = watch::channel(settings.clone());
        bound.push((listener, sender, receiver));
    }
    given.all_taken()?;
    Ok(bound)
}

/// The kernel's filter, for all listeners.
fn filter(listeners: &[Bound]) -> Arc<Filter> {
    let sockets = listeners.iter().map(|(bound, ..)| bound.socket_filter());
    Arc::new(Filter::new(sockets.collect()))
}

/// The limits on connections, with as many sessions as there can be open files. Says so where that is fewer.
fn admission_settings(config: &Config) -> AdmissionSettings {
    let mut settings = config.admission;
    let limit = open_files::raise().unwrap_or_else(|error| {
        warn!("the limit on open files cannot be raised: {error}");
        open_files::limit()
    });
    if let Some(shortage) = open_files::shortage(settings.sessions, limit) {
        warn!("{shortage}");
        settings.sessions = shortage.sessions_that_fit();
    }
    settings
}

/// Notes every few seconds which of the sessions that have logged in work.
async fn sample_sessions(services: Arc<Services>, mut drain: Drain) {
    loop {
        tokio::select! {
            () = sleep(registry::SAMPLE) => services.registry.sample(services.judging.clock.now()),
            () = drain.begun() => return,
        }
    }
}

/// Once a minute: how many lines about refused clients were only counted.
async fn summarise(services: Arc<Services>, mut drain: Drain) {
    loop {
        tokio::select! {
            () = sleep(SUMMARY) => services.judging.reporter.summary(services.judging.clock.now()),
            () = drain.begun() => return,
        }
    }
}
