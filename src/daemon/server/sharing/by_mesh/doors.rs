//! doors - dials the other machines of a mesh, and listens for them; in tasks of their own
//!
//! A machine that is linked is not dialled. A place that cannot be had is tried every second: a network may come up later
//! than this process.
//! Not here: the link itself (`cluster::mesh::link`), what becomes of it (`by_mesh`).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::cluster::mesh::{
    Dialler, LinkContext, LinkFault, LinkRefusal, MeshHealth, MeshLink, PeerAddress, PortPlace,
    Visitors, resolve,
};
use crate::drain::Drain;
use crate::report::limits::{LimitCounters, ResourceLimit};
use crate::server::sharing::telling::FactExchange;

/// From one try to the next.
const PAUSE: Duration = Duration::from_secs(1);
/// The same, where this process itself was found.
const ITSELF: Duration = Duration::from_secs(60);
/// How long a visitor may say nothing.
const SILENCE: Duration = Duration::from_secs(5);

/// What dialling and listening work with. Clones are the same.
#[derive(Clone)]
pub(super) struct MeshDoors {
    context: Arc<LinkContext>,
    health: MeshHealth,
    visitors: Arc<Visitors>,
    limits: Arc<LimitCounters>,
    arrivals: mpsc::Sender<Box<MeshLink>>,
}

impl MeshDoors {
    pub(super) fn new(
        exchange: &FactExchange,
        context: &Arc<LinkContext>,
        arrivals: mpsc::Sender<Box<MeshLink>>,
    ) -> Self {
        let counters = &exchange.context.services.judging.counters;
        Self {
            context: Arc::clone(context),
            health: exchange.context.cluster.mesh.clone(),
            visitors: Arc::default(),
            limits: Arc::clone(&counters.limits),
            arrivals,
        }
    }

    /// Dials a machine whenever it is not linked, until the drain begins.
    pub(super) async fn dial(self, peer: PeerAddress, mut drain: Drain) {
        let mut known = None;
        loop {
            let tried = async {
                let pause = self.try_dial(&peer, &mut known).await;
                sleep(pause).await;
            };
            tokio::select! {
                () = tried => {}
                () = drain.begun() => return,
            }
        }
    }

    /// Dials once, if the machine that was found there before is not linked; how long to wait then.
    async fn try_dial(&self, peer: &PeerAddress, known: &mut Option<String>) -> Duration {
        let is_linked = |name: &String| self.health.is_linked(name);
        if known.as_ref().is_some_and(is_linked) {
            self.health.dialled(peer, None);
            return PAUSE;
        }
        match self.reach(peer).await {
            Ok(link) => {
                *known = Some(link.greeting.name.clone());
                self.health.dialled(peer, None);
                // Nobody takes it when the process stops.
                let _ = self.arrivals.send(Box::new(link)).await;
                PAUSE
            }
            Err(LinkFault::Itself) => {
                self.health.dialled(peer, None);
                ITSELF
            }
            Err(fault) => {
                self.health.dialled(peer, Some(fault.to_string()));
                self.tell(&peer.to_string(), &fault);
                PAUSE
            }
        }
    }

    async fn reach(&self, peer: &PeerAddress) -> Result<MeshLink, LinkFault> {
        let addresses = resolve(peer).await?;
        self.visitors.expect(addresses.iter().map(SocketAddr::ip));
        MeshLink::dial(&addresses, &self.context).await
    }

    /// Lets machines in until the drain begins.
    pub(super) async fn listen(self, address: SocketAddr, tasks: TaskTracker, mut drain: Drain) {
        let of_visits = drain.clone();
        tokio::select! {
            () = self.listen_on(address, &tasks, &of_visits) => {}
            () = drain.begun() => {}
        }
    }

    async fn listen_on(&self, address: SocketAddr, tasks: &TaskTracker, drain: &Drain) {
        let listener = loop {
            match TcpListener::bind(address).await {
                Ok(listener) => break listener,
                Err(why) => {
                    self.health.listens(Some(why.to_string()));
                    let now = self.context.clock.now();
                    if self.health.is_due("", "unbound", now) {
                        error!(%address, "cannot listen for the other machines of [cluster]: {why}; it is tried again every second");
                    }
                }
            }
            sleep(PAUSE).await;
        };
        self.health.listens(None);
        info!(%address, "listening for the other machines of [cluster]");
        loop {
            match listener.accept().await {
                Ok((stream, from)) => self.visit(stream, from, tasks, drain.clone()),
                Err(why) => {
                    let now = self.context.clock.now();
                    if self.health.is_due("", "accept", now) {
                        warn!(%address, "no connection of another machine of [cluster] can be accepted: {why}");
                    }
                    sleep(PAUSE).await;
                }
            }
        }
    }

    fn visit(&self, stream: TcpStream, from: SocketAddr, tasks: &TaskTracker, mut drain: Drain) {
        let Some(visit) = self.visitors.admit(from.ip()) else {
            return self.turn_away(&stream);
        };
        let doors = self.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = doors.let_in(stream, from, visit) => {}
                () = drain.begun() => {}
            }
        });
    }

    /// Closes with a reset: nothing of it stays here.
    fn turn_away(&self, stream: &TcpStream) {
        self.limits.count(ResourceLimit::ClusterVisitors);
        let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
    }

    /// Waits until a visitor has said something; whether a handshake may begin then.
    async fn may_begin(&self, stream: &TcpStream, from: SocketAddr, visit: &PortPlace) -> bool {
        let mut octet = [0];
        let heard = tokio::select! {
            heard = timeout(SILENCE, stream.peek(&mut octet)) => heard,
            () = visit.wanted() => return false,
        };
        match heard {
            Ok(Ok(1..)) => return visit.speaks(self.context.clock.now()),
            Ok(_) => self.tell_visit(from, &LinkFault::Closed),
            Err(_) => self.tell_visit(from, &LinkFault::Silent(SILENCE)),
        }
        false
    }

    async fn let_in(&self, stream: TcpStream, from: SocketAddr, visit: PortPlace) {
        if !self.may_begin(&stream, from, &visit).await {
            return self.turn_away(&stream);
        }
        match MeshLink::accept(stream, &self.context).await {
            Ok(link) => {
                drop(visit);
                // It has shown the secret: from there it comes before strangers.
                self.visitors.expect([from.ip()]);
                // Nobody takes it when the process stops.
                let _ = self.arrivals.send(Box::new(link)).await;
            }
            Err(LinkFault::Itself) => {}
            Err(fault) => self.tell_visit(from, &fault),
        }
    }

    /// Tells a fault once an hour, by its kind: strangers may come from anywhere.
    fn tell_visit(&self, from: SocketAddr, fault: &LinkFault) {
        match fault {
            LinkFault::Connect(_)
            | LinkFault::Silent(_)
            | LinkFault::Closed
            | LinkFault::Stranger(_) => {
                let now = self.context.clock.now();
                if self.health.is_due("", "stranger", now) {
                    warn!(
                        %from,
                        "a connection to the port for the other machines of [cluster] that is none of theirs: {fault}. Let nobody else reach that port"
                    );
                }
            }
            _ => self.tell("", fault),
        }
    }

    /// Tells a fault that somebody must mend once an hour for each place.
    fn tell(&self, place: &str, fault: &LinkFault) {
        let now = self.context.clock.now();
        let is_due = || self.health.is_due(place, fault.kind(), now);
        match fault {
            // The machine is told of as one without a link.
            LinkFault::Connect(_) | LinkFault::Silent(_) | LinkFault::Closed => {}
            LinkFault::OtherSecret if is_due() => error!(
                place,
                "another secret of [cluster] there: until it is the same nothing is shared with that machine"
            ),
            LinkFault::Refuses {
                machine,
                why: LinkRefusal::NotListed,
            } if is_due() => error!(
                place,
                machine, "a machine that is not one of cluster.machines here: it is not linked"
            ),
            _ if is_due() => warn!(place, "no link with a machine of [cluster]: {fault}"),
            _ => {}
        }
    }
}

/// Whether a link was dialled by the first of two machines, in the order of their names.
pub(super) fn is_first(dialler: Dialler, own: &str, other: &str) -> bool {
    match dialler {
        Dialler::Here => own < other,
        Dialler::There => other < own,
    }
}
