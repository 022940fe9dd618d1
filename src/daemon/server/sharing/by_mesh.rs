//! by_mesh - tells linked machines directly what changed here, and takes in what they tell
//!
//! A machine that is linked is told all that this machine knows, and from then on what changes: so nothing needs to be kept for one that is
//! away, but operators' orders. What a link's queue does not take is made up for by telling all again.
//! Two machines that dial each other have two links for a moment: the one stays that the first of both has dialled.
//! Not here: links (`cluster::mesh`), dialling and listening (`doors`), what is told to one machine (`peer`), what is told at all (`telling`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::task::TaskTracker;
use tracing::{error, warn};

use super::orders::OrdersKept;
use super::settling_in::SignOfLife;
use super::telling::FactExchange;
use crate::cluster::common_clock::CommonClock;
use crate::cluster::mesh::frame::LinkFrame;
use crate::cluster::mesh::{
    LinkContext, LinkEvent, LinkFault, LinkId, LinkIdentity, LinkRefusal, MeshClock, MeshHealth,
    MeshLink, MeshSettings,
};
use crate::cluster::message::{ClusterLetter, ClusterTold, ProcessId};
use crate::cluster::secret::ClusterSecret;
use gatepost_core::moment::Moment;

mod doors;
mod in_flight;
mod peer;
mod standing;

use doors::MeshDoors;
use in_flight::SpentInFlight;
use peer::LinkedPeer;
use standing::yields;

/// From one look at what has changed here to the next.
const ROUND: Duration = Duration::from_millis(200);
/// Links on their way to the task that keeps them.
const ARRIVALS: usize = 16;
/// What links have told and is not taken in yet: of 16 KiB each at most.
const EVENTS: usize = 256;
/// How long the last words of links may take.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What the task works with.
struct MeshSharer {
    exchange: FactExchange,
    context: Arc<LinkContext>,
    health: MeshHealth,
    /// By the names of the machines.
    links: BTreeMap<String, LinkedPeer>,
    orders: OrdersKept,
    hello: SignOfLife,
    in_flight: SpentInFlight,
    events: mpsc::Sender<LinkEvent>,
    tasks: TaskTracker,
    last_id: LinkId,
    began: Moment,
    /// When somebody said last that another process has this machine's name.
    taken: Option<Moment>,
    /// Machines that were told to be without a link.
    missed: BTreeSet<String>,
    /// When lines about machines without a link were told.
    told: Vec<Moment>,
}

/// Tells and is told until the drain begins.
pub(super) async fn share(exchange: FactExchange, secret: &ClusterSecret, settings: &MeshSettings) {
    let identity = match LinkIdentity::of(secret) {
        Ok(identity) => identity,
        Err(why) => return error!("the machines of [cluster] cannot be linked: {why}"),
    };
    // limit: cluster-facts
    let (events, received) = mpsc::channel(EVENTS);
    // limit: cluster-visitors
    let (arrivals, arrived) = mpsc::channel(ARRIVALS);
    let sharer = MeshSharer::new(exchange, identity, events);
    let doors = MeshDoors::new(&sharer.exchange, &sharer.context, arrivals);
    let tasks = sharer.tasks.clone();
    let drain = sharer.exchange.drain();
    for peer in &settings.peers {
        tasks.spawn(doors.clone().dial(peer.clone(), drain.clone()));
    }
    if let Some(address) = settings.listen {
        let listens = doors.clone().listen(address, tasks.clone(), drain.clone());
        tasks.spawn(listens);
    }
    drop(doors);
    sharer.serve(received, arrived).await;
    tasks.close();
    // A link that takes nothing any more ends with the process.
    let _ = timeout(LAST_WORDS, tasks.wait()).await;
}

impl MeshSharer {
    fn new(
        exchange: FactExchange,
        identity: LinkIdentity,
        events: mpsc::Sender<LinkEvent>,
    ) -> Self {
        let settings = &exchange.settings;
        let clock = exchange.clock();
        let began = clock.now();
        let context = Arc::new(LinkContext {
            identity,
            name: settings.name.clone(),
            machines: settings.machines.clone(),
            list: settings.list_number(),
            process: exchange.process,
            clock,
            began,
            common: MeshClock::new(&settings.name),
        });
        Self {
            health: exchange.context.cluster.mesh.clone(),
            context,
            links: BTreeMap::new(),
            orders: OrdersKept::default(),
            hello: SignOfLife::default(),
            in_flight: SpentInFlight::default(),
            events,
            tasks: TaskTracker::new(),
            last_id: 0,
            began,
            taken: None,
            missed: BTreeSet::new(),
            told: Vec::new(),
            exchange,
        }
    }

    async fn serve(
        mut self,
        mut events: mpsc::Receiver<LinkEvent>,
        mut arrivals: mpsc::Receiver<Box<MeshLink>>,
    ) {
        let mut drain = self.exchange.drain();
        let mut round = interval(ROUND);
        round.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Some(event) = events.recv() => self.note(event).await,
                Some(link) = arrivals.recv() => self.arrive(*link),
                _ = round.tick() => self.round(),
                // What is not taken in now is told to the next process.
                () = drain.begun() => return self.tell_news(),
            }
        }
    }

    fn round(&mut self) {
        self.tell_news();
        let common = self.context.common.get();
        self.greet(common);
        for peer in self.links.values_mut() {
            peer.tell_more(&mut self.exchange, &self.orders, common);
        }
        self.stand(common);
    }

    /// Tells all that are linked whether this machine settles in.
    fn greet(&mut self, common: CommonClock) {
        let now = self.exchange.clock().now();
        let moments = (now, common.of(now));
        if let Some(told) = self.hello.due(self.exchange.gate(), moments) {
            let frame = letter(self.exchange.process, told);
            for peer in self.links.values_mut() {
                peer.offer(&frame, &self.exchange);
            }
        }
    }

    /// Tells what has changed here to all that are linked.
    fn tell_news(&mut self) {
        let common = self.context.common.get();
        let now = self.exchange.clock().now();
        let (news, has_lost) = self.exchange.changed_here();
        self.orders.keep(&news, now);
        if self.links.is_empty() {
            // A new machine is told all; what was spent waits.
            return;
        }
        let facts = self.exchange.entries(&news, common.ahead());
        self.exchange.health.told(news.len() as u64);
        let process = self.exchange.process;
        let told = facts.into_iter().map(|told| letter(process, told));
        let mut frames: Vec<Arc<[u8]>> = told.collect();
        for told in self.exchange.spent(common) {
            let frame = letter(process, told);
            self.in_flight.told(&frame, now);
            frames.push(frame);
        }
        for peer in self.links.values_mut() {
            if has_lost {
                peer.tell_all_again();
            }
            for frame in &frames {
                peer.offer(frame, &self.exchange);
            }
        }
    }

    /// Takes in what a link tells.
    async fn note(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Letter(id, octets) => self.take(id, &octets).await,
            LinkEvent::Skipped(id) => self.skip(id),
            LinkEvent::Ended(id, fault) => self.end(id, &fault),
        }
    }

    async fn take(&mut self, id: LinkId, octets: &[u8]) {
        let Some(machine) = self.machine(id) else {
            return;
        };
        let Some(letter) = ClusterLetter::read(octets) else {
            return self.skip(id);
        };
        let now = self.exchange.clock().now();
        let common = self.context.common.get();
        self.exchange.health.noted(&machine, None, now);
        self.exchange.take(&machine, &letter, common, now).await;
        if let ClusterTold::Ends(_) = letter.told
            && let Some(peer) = self.links.get_mut(&machine)
        {
            peer.has_told_all(&self.exchange);
        }
    }

    /// Counts what makes no sense, and tells it once an hour.
    fn skip(&self, id: LinkId) {
        self.exchange.health.dropped();
        let Some(machine) = self.machine(id) else {
            return;
        };
        let now = self.exchange.clock().now();
        if self.health.is_due(&machine, "skipped", now) {
            warn!(
                machine,
                "this machine of [cluster] tells what is damaged, or of a later version: it is passed over"
            );
        }
    }

    fn end(&mut self, id: LinkId, fault: &LinkFault) {
        let now = self.exchange.clock().now();
        if let LinkFault::Refused(LinkRefusal::NameTaken) = fault {
            self.taken = Some(now);
        }
        let Some(machine) = self.machine(id) else {
            return;
        };
        if let Some(peer) = self.links.remove(&machine) {
            self.in_flight.lost(&machine, peer.process, now);
        }
        self.health.unlinked(&machine, fault.to_string(), now);
        if let LinkFault::Damaged(why) = fault
            && self.health.is_due(&machine, fault.kind(), now)
        {
            warn!(
                machine,
                "the link with this machine of [cluster] is cut, for what it says makes no sense: {why}"
            );
        }
    }

    /// A machine has dialled, or was reached.
    fn arrive(&mut self, link: MeshLink) {
        let now = self.exchange.clock().now();
        if let Some(why) = self.refusal(&link, now) {
            self.tasks.spawn(link.refuse(why));
            return;
        }
        let name = link.greeting.name.clone();
        if let Some(before) = self.links.remove(&name) {
            self.in_flight.lost(&name, before.process, now);
            let why = match before.process == link.greeting.process {
                true => LinkRefusal::Twice,
                false => LinkRefusal::NameTaken,
            };
            before.offer_last(&LinkFrame::Refusal(why).octets().into());
        }
        let heard = self.health.linked(&link.greeting, link.address, now);
        self.compare_lists(&link, now);
        self.last_id += 1;
        let (mut peer, outgoing) = LinkedPeer::new(self.last_id, &link, now);
        for frame in self.in_flight.again(&name, peer.process) {
            peer.offer(&frame, &self.exchange);
        }
        self.links.insert(name, peer);
        self.hello.again();
        let ends = (self.events.clone(), outgoing);
        let context = Arc::clone(&self.context);
        self.tasks
            .spawn(link.run(self.last_id, context, ends, heard));
    }

    /// Why there is to be no link with a machine, if there is not.
    fn refusal(&mut self, link: &MeshLink, now: Moment) -> Option<LinkRefusal> {
        let name = &link.greeting.name;
        if *name == self.context.name {
            let other = (link.began(now), link.greeting.process);
            if yields((self.began, self.context.process), other) {
                self.taken = Some(now);
            }
            return Some(LinkRefusal::SameName);
        }
        let held = self.links.get(name)?;
        if held.process != link.greeting.process {
            if self.health.is_due(name, "taken", now) {
                let address = link.address;
                error!(
                    machine = name,
                    %address,
                    "two processes have this name in [cluster]: the younger one is not linked"
                );
            }
            let is_younger = yields((link.began(now), link.greeting.process), held.age());
            return is_younger.then_some(LinkRefusal::NameTaken);
        }
        let first_dials = |dialler| doors::is_first(dialler, &self.context.name, name);
        let keeps = first_dials(held.dialler) && !first_dials(link.dialler);
        keeps.then_some(LinkRefusal::Twice)
    }

    fn machine(&self, id: LinkId) -> Option<String> {
        let mut links = self.links.iter();
        let found = links.find(|(_, peer)| peer.id == id);
        found.map(|(name, _)| name.clone())
    }
}

/// What is told, as a frame.
fn letter(process: ProcessId, told: ClusterTold) -> Arc<[u8]> {
    let letter = ClusterLetter { process, told };
    LinkFrame::Letter(letter.octets()).octets().into()
}
