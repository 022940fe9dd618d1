//! queue - at most a few unfamiliar attempts at Postfix at once, and one a network, or as many as its [`Share`] says
//!
//! A password check is expensive: one bcrypt takes Dovecot 45 ms in its one process. An attempt that is not
//! familiar therefore waits for a [`Turn`], up to a deadline. Networks wait in line, not attempts: one that had
//! its turn goes to the back, so a crowd from one network holds up nobody else; while half of the turns are free, it
//! may have a second one. Within a network, a client that says
//! which client it is waits behind that client's own attempts only ([`Queue::enter_as`]). The lines are served by
//! their [`QueueClass`]; while ordinary attempts wait, every second turn is theirs. Attempts that are only forgiven have at most one
//! turn of four, as have users who were let in often, so that a turn is free for all others. The line of the forgiven is
//! short: a botnet may fill it in no time, and an attempt that would wait there for nothing is better told at once.
//! Pure: waiters in, turns out, moments as arguments. A waiter is what the caller wants back with its
//! turn: a channel, an attempt. Not here: who has to wait (`judge`), the waiting itself (the callers).

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::capacity::give_back;
use crate::gate::request::client::{ClientKey, NetworkKey};
use crate::gate::request::settings::QueueSettings;
use crate::moment::Moment;

mod class;
mod line;

pub use class::QueueClass;
use class::{MOST_FORGIVEN, TURNS_PER_LOW_CLASS};
use line::{Holder, LineWaiter, NetworkLine, NetworkPlace, WaiterOrder, first_of};

/// How many turns a network may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// One, and more while at least half of all are free. Where somebody has logged in, half of all: then a crowd that
    /// comes at once need not wait for each wrong password, and the next client finds a turn.
    One,
    /// Half of all, and one at least.
    Half,
    /// All.
    All,
}

/// A place in the queue: what its waiter leaves with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    network: NetworkKey,
    order: WaiterOrder,
    deadline: Moment,
}

/// The right of one attempt to be at Postfix, until [`Queue::free`].
#[derive(Debug)]
#[must_use = "give it back, or nobody else ever has it"]
pub struct Turn {
    network: NetworkKey,
    class: QueueClass,
}

/// A waiter whose waiting is over.
#[derive(Debug)]
#[must_use]
pub enum Woken<W> {
    /// It is its turn.
    Turn(W, Turn),
    /// No turn came before the deadline.
    Missed(W),
}

/// The turns there are, and who waits for one.
///
/// It holds one entry for every network that waits or is at Postfix, and one for every waiter, so never
/// more than there are sessions. Every method takes `&self`; none waits.
#[derive(Debug)]
pub struct Queue<W> {
    lines: Mutex<Lines<W>>,
}

impl Ticket {
    /// When its waiting ends without a turn.
    pub const fn deadline(self) -> Moment {
        self.deadline
    }
}

impl Turn {
    /// The class of the attempt that it was given to.
    pub const fn class(&self) -> QueueClass {
        self.class
    }
}

impl<W> Queue<W> {
    /// All turns free, and one for each network. Without any (`at_once` 0), nobody ever gets one.
    pub fn new(settings: QueueSettings) -> Self {
        Self::with_share(settings, Share::One)
    }

    /// All turns free, and so many of them for each network.
    pub fn with_share(settings: QueueSettings, share: Share) -> Self {
        Self {
            lines: Mutex::new(Lines {
                settings,
                share,
                held: 0,
                forgiven: 0,
                frequent: 0,
                owes_ordinary: false,
                next: 0,
                networks: HashMap::new(),
                order: BTreeMap::new(),
                deadlines: BTreeMap::new(),
            }),
        }
    }

    /// Takes over new settings. Turns that are held stay held; a waiter keeps its deadline.
    pub fn reconfigure(&self, settings: QueueSettings) {
        self.lock().settings = settings;
    }

    /// Joins the line. The turn comes with [`Queue::advance`], which may be called at once. Where too many are
    /// before it, its deadline is now.
    pub fn enter(&self, network: NetworkKey, class: QueueClass, waiter: W, now: Moment) -> Ticket {
        self.lock().enter((network, None), class, waiter, now)
    }

    /// As [`enter`](Self::enter), behind no more attempts of another client of the network than of its own.
    pub fn enter_as(&self, client: ClientKey, class: QueueClass, waiter: W, now: Moment) -> Ticket {
        let owner = (client.network(), Some(client));
        self.lock().enter(owner, class, waiter, now)
    }

    /// Leaves the line. Nothing happens if the waiting is over already.
    pub fn leave(&self, ticket: Ticket) {
        drop(self.lock().take_out(ticket));
    }

    /// Ends the waiting of those whose deadline has come, in its order, then gives the free turns to the
    /// networks at the front.
    #[must_use = "a turn may be in it"]
    pub fn advance(&self, now: Moment) -> Vec<Woken<W>> {
        self.lock().advance(now)
    }

    /// Whether a network holds as many turns as it may.
    pub fn holds_share(&self, network: NetworkKey) -> bool {
        let lines = self.lock();
        let held = lines.networks.get(&network).map_or(0, |line| line.held);
        held >= lines.share_of_network()
    }

    /// Whether a network holds any turn.
    pub fn holds_any(&self, network: NetworkKey) -> bool {
        let lines = self.lock();
        lines
            .networks
            .get(&network)
            .is_some_and(|line| line.held > 0)
    }

    /// When [`Queue::advance`] has a waiter to send away, if nothing else happens.
    pub fn next_deadline(&self) -> Option<Moment> {
        let lines = self.lock();
        lines.deadlines.keys().next().map(|(deadline, _)| *deadline)
    }

    /// Takes a turn back. It is the next one's with [`Queue::advance`].
    pub fn free(&self, turn: Turn) {
        self.lock().free(&turn);
    }

    /// A panic elsewhere leaves the lines as they were: every change is complete when the lock is let go.
    fn lock(&self) -> MutexGuard<'_, Lines<W>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Networks, in line.
#[derive(Debug)]
struct Lines<W> {
    settings: QueueSettings,
    share: Share,
    /// Turns that are out.
    held: usize,
    /// Turns held by attempts that are only forgiven.
    forgiven: usize,
    /// Turns held by users who were let in often.
    frequent: usize,
    /// Whether the next turn is for an ordinary attempt, if one waits: the last turn went to an attempt of a better
    /// class.
    owes_ordinary: bool,
    /// Rises with every waiter and every network that joins the line: a ticket's number, and a place.
    next: u64,
    networks: HashMap<NetworkKey, NetworkLine<W>>,
    /// Networks that wait and may be given a turn, by the best class of their attempts, those with less than their
    /// share before others, and by place.
    order: BTreeMap<NetworkPlace, NetworkKey>,
    /// All waiters' networks and places there, by deadline and number.
    deadlines: BTreeMap<(Moment, u64), (NetworkKey, WaiterOrder)>,
}

impl<W> Lines<W> {
    fn enter(
        &mut self,
        (network, client): (NetworkKey, Option<ClientKey>),
        class: QueueClass,
        waiter: W,
        now: Moment,
    ) -> Ticket {
        let deadline = match class == QueueClass::Forgiven && self.is_crowded() {
            true => now,
            false => now + self.settings.deadline,
        };
        let number = self.next;
        self.next += 1;
        let line = self.networks.entry(network).or_insert_with(|| NetworkLine {
            held: 0,
            place: None,
            is_lifted: false,
            waiting: BTreeMap::new(),
        });
        line.is_lifted |= class.leaves_turns();
        let class = match class {
            QueueClass::Neighbour => QueueClass::Ordinary,
            class => class,
        };
        let is_own = |other: &&LineWaiter<W>| client.is_some() && other.client == client;
        let order = WaiterOrder {
            class,
            of_client: line.waiting.values().filter(is_own).count(),
            number,
        };
        let waits = LineWaiter {
            client,
            deadline,
            waiter,
        };
        line.waiting.insert(order, waits);
        self.deadlines.insert((deadline, number), (network, order));
        self.put_in_order(network);
        Ticket {
            network,
            order,
            deadline,
        }
    }

    /// Whether as many networks wait with forgiven attempts as may.
    fn is_crowded(&self) -> bool {
        let waiting = self
            .order
            .range(first_of(QueueClass::Forgiven)..first_of(QueueClass::Frequent));
        waiting.take(MOST_FORGIVEN).count() == MOST_FORGIVEN
    }

    fn advance(&mut self, now: Moment) -> Vec<Woken<W>> {
        let mut woken = Vec::new();
        while let Some((&(deadline, _), &(network, order))) = self.deadlines.first_key_value() {
            if deadline > now {
                break;
            }
            let ticket = Ticket {
                network,
                order,
                deadline,
            };
            woken.extend(self.take_out(ticket).map(Woken::Missed));
        }
        while self.held < self.settings.at_once
            && let Some((waiter, turn)) = self.grant()
        {
            woken.push(Woken::Turn(waiter, turn));
        }
        woken
    }

    /// A turn for the first network that may have one. At most as many hold their share as there are turns, so the
    /// search is short.
    fn grant(&mut self) -> Option<(W, Turn)> {
        let most = self.settings.at_once.div_ceil(TURNS_PER_LOW_CLASS);
        let may = |(class, holding, _): &&NetworkPlace| {
            (*class != QueueClass::Forgiven || self.forgiven < most)
                && (*holding == Holder::BelowShare || self.held < self.settings.at_once / 2)
        };
        let mut places = match self.frequent < most {
            true => self.order.range(..),
            false => self.order.range(..first_of(QueueClass::Frequent)),
        };
        let first = *places.find(|(place, _)| may(place))?.0;
        let place = self.owed(first, may).unwrap_or(first);
        let network = self.order.remove(&place)?;
        let line = self.networks.get_mut(&network)?;
        line.place = None;
        let (order, waits) = line.waiting.pop_first()?;
        line.held += 1;
        self.deadlines.remove(&(waits.deadline, order.number));
        self.held += 1;
        // A probe goes before all, and takes nobody's turn: what was owed is owed still.
        if place.0 != QueueClass::Probe {
            self.owes_ordinary = place.0.leaves_turns();
        }
        let class = order.class;
        self.forgiven += usize::from(class == QueueClass::Forgiven);
        self.frequent += usize::from(class == QueueClass::Frequent);
        self.put_in_order(network);
        Some((waits.waiter, Turn { network, class }))
    }

    /// The ordinary network whose turn it is although `first` would come before it.
    fn owed(
        &self,
        first: NetworkPlace,
        may: impl Fn(&&NetworkPlace) -> bool,
    ) -> Option<NetworkPlace> {
        if !self.owes_ordinary || !first.0.leaves_turns() {
            return None;
        }
        let ordinary = first_of(QueueClass::Ordinary)..first_of(QueueClass::Forgiven);
        let mut ordinary = self.order.range(ordinary).map(|(place, _)| place);
        ordinary.find(may).copied()
    }

    fn free(&mut self, turn: &Turn) {
        self.held = self.held.saturating_sub(1);
        match turn.class {
            QueueClass::Forgiven => self.forgiven = self.forgiven.saturating_sub(1),
            QueueClass::Frequent => self.frequent = self.frequent.saturating_sub(1),
            _ => {}
        }
        if let Some(line) = self.networks.get_mut(&turn.network) {
            line.held = line.held.saturating_sub(1);
        }
        self.put_in_order(turn.network);
    }

    fn take_out(&mut self, ticket: Ticket) -> Option<W> {
        let Ticket {
            network,
            order,
            deadline,
        } = ticket;
        self.deadlines.remove(&(deadline, order.number));
        let line = self.networks.get_mut(&network)?;
        let waits = line.waiting.remove(&order)?;
        self.put_in_order(network);
        Some(waits.waiter)
    }

    /// How many turns one network may hold.
    fn share_of_network(&self) -> usize {
        match self.share {
            Share::One => 1,
            Share::Half => (self.settings.at_once / 2).max(1),
            Share::All => self.settings.at_once,
        }
    }

    /// Puts a network into the line of its best attempt, at the back, or takes it out, as its attempts want it.
    fn put_in_order(&mut self, network: NetworkKey) {
        let (share, half) = (self.share_of_network(), self.settings.at_once / 2);
        let Some(line) = self.networks.get_mut(&network) else {
            return;
        };
        // There are few networks where somebody has logged in.
        let share = match line.is_lifted {
            true => share.max(half),
            false => share,
        };
        let holding = match line.held < share {
            true => Holder::BelowShare,
            false => Holder::AtShare,
        };
        let first = line.waiting.first_key_value();
        let wanted = first
            .map(|(order, _)| (line.lifted(order.class), holding))
            .filter(|_| holding == Holder::BelowShare || self.share == Share::One);
        if line.place.map(|(class, holding, _)| (class, holding)) != wanted {
            if let Some(place) = line.place.take() {
                self.order.remove(&place);
            }
            if let Some((class, holding)) = wanted {
                let place = (class, holding, self.next);
                line.place = Some(place);
                self.order.insert(place, network);
                self.next += 1;
            }
        }
        if line.held == 0 && line.waiting.is_empty() {
            self.networks.remove(&network);
            give_back(&mut self.networks);
        }
    }
}

#[cfg(test)]
mod tests;
