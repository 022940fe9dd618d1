//! queue - at most a few unfamiliar attempts at Postfix at once, and one a network
//!
//! A password check is dear: one bcrypt takes Dovecot 45 ms in its one process. Who is not familiar
//! therefore waits for a [`Turn`], up to a deadline. Networks wait in line, not attempts: one that had
//! its turn goes to the back, so a crowd from one network holds up nobody else. The lines are served by
//! their [`QueueClass`]. Who is only forgiven has one turn of four, so that a turn is free for all others, and
//! its line is short: a botnet may fill it in no time, and who waits there for nothing is better told at once.
//! Pure: waiters in, turns out, moments as arguments. A waiter is what the caller wants back with its
//! turn: a channel, an attempt. Not here: who has to wait (`judge`), the waiting itself (the callers).

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::gate::request::client::NetworkKey;
use crate::gate::request::settings::QueueSettings;
use crate::moment::Moment;

/// Networks that may wait with attempts that are only forgiven. At one turn and 500 ms for a wrong password
/// the last of them waits 4 s.
const MOST_FORGIVEN: usize = 8;
/// One turn of so many, and one at least, is for attempts that are only forgiven.
const TURNS_PER_FORGIVEN: usize = 4;

/// Which attempts go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QueueClass {
    /// A familiar pair while the backend is suspected to fail: its success shows that it works.
    Probe,
    /// No bucket refuses it, or there is reason to think that it is honest.
    Ordinary,
    /// A bucket would refuse it, but for settling in or a dry run.
    Forgiven,
}

/// A place in the queue: what its waiter leaves with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    network: NetworkKey,
    class: QueueClass,
    number: u64,
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
    /// All turns free. Without any (`at_once` 0), nobody ever gets one.
    pub fn new(settings: QueueSettings) -> Self {
        Self {
            lines: Mutex::new(Lines {
                settings,
                held: 0,
                forgiven: 0,
                next: 0,
                networks: HashMap::new(),
                order: BTreeMap::new(),
                deadlines: BTreeMap::new(),
            }),
        }
    }

    /// Takes over new settings. Turns that are held stay held; who waits keeps its deadline.
    pub fn reconfigure(&self, settings: QueueSettings) {
        self.lock().settings = settings;
    }

    /// Joins the line. The turn comes with [`Queue::advance`], which may be called at once. Where too many are
    /// before it, its deadline is now.
    pub fn enter(&self, network: NetworkKey, class: QueueClass, waiter: W, now: Moment) -> Ticket {
        self.lock().enter(network, class, waiter, now)
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
    /// Turns that are out.
    held: usize,
    /// Those of them that attempts have which are only forgiven.
    forgiven: usize,
    /// Rises with every waiter and every network that joins the line: a ticket's number, and a place.
    next: u64,
    networks: HashMap<NetworkKey, NetworkLine<W>>,
    /// Networks that wait and have nobody at Postfix, by the best class of their attempts and by place.
    order: BTreeMap<(QueueClass, u64), NetworkKey>,
    /// All waiters' networks and classes, by deadline and number.
    deadlines: BTreeMap<(Moment, u64), (NetworkKey, QueueClass)>,
}

/// The attempts of one network.
#[derive(Debug)]
struct NetworkLine<W> {
    at_postfix: bool,
    /// In `order`; none while the network is at Postfix, or nobody waits.
    place: Option<(QueueClass, u64)>,
    /// By class and number, with their deadlines.
    waiting: BTreeMap<(QueueClass, u64), (Moment, W)>,
}

impl<W> Lines<W> {
    fn enter(&mut self, network: NetworkKey, class: QueueClass, waiter: W, now: Moment) -> Ticket {
        let ticket = Ticket {
            network,
            class,
            number: self.next,
            deadline: match class == QueueClass::Forgiven && self.is_crowded() {
                true => now,
                false => now + self.settings.deadline,
            },
        };
        self.next += 1;
        let line = self.networks.entry(network).or_insert_with(|| NetworkLine {
            at_postfix: false,
            place: None,
            waiting: BTreeMap::new(),
        });
        line.waiting
            .insert((class, ticket.number), (ticket.deadline, waiter));
        self.deadlines
            .insert((ticket.deadline, ticket.number), (network, class));
        self.put_in_order(network);
        ticket
    }

    /// Whether as many networks wait with forgiven attempts as may.
    fn is_crowded(&self) -> bool {
        let waiting = self.order.range((QueueClass::Forgiven, 0)..);
        waiting.take(MOST_FORGIVEN).count() == MOST_FORGIVEN
    }

    fn advance(&mut self, now: Moment) -> Vec<Woken<W>> {
        let mut woken = Vec::new();
        while let Some((&(deadline, number), &(network, class))) = self.deadlines.first_key_value()
        {
            if deadline > now {
                break;
            }
            let ticket = Ticket {
                network,
                class,
                number,
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

    /// A turn for the network at the front.
    fn grant(&mut self) -> Option<(W, Turn)> {
        let (&(class, _), _) = self.order.first_key_value()?;
        let most = self.settings.at_once.div_ceil(TURNS_PER_FORGIVEN);
        if class == QueueClass::Forgiven && self.forgiven >= most {
            return None;
        }
        let (_, network) = self.order.pop_first()?;
        let line = self.networks.get_mut(&network)?;
        line.place = None;
        let ((class, number), (deadline, waiter)) = line.waiting.pop_first()?;
        line.at_postfix = true;
        self.deadlines.remove(&(deadline, number));
        self.held += 1;
        self.forgiven += usize::from(class == QueueClass::Forgiven);
        Some((waiter, Turn { network, class }))
    }

    fn free(&mut self, turn: &Turn) {
        self.held = self.held.saturating_sub(1);
        if turn.class == QueueClass::Forgiven {
            self.forgiven = self.forgiven.saturating_sub(1);
        }
        if let Some(line) = self.networks.get_mut(&turn.network) {
            line.at_postfix = false;
        }
        self.put_in_order(turn.network);
    }

    fn take_out(&mut self, ticket: Ticket) -> Option<W> {
        let Ticket {
            network,
            class,
            number,
            deadline,
        } = ticket;
        self.deadlines.remove(&(deadline, number));
        let line = self.networks.get_mut(&network)?;
        let (_, waiter) = line.waiting.remove(&(class, number))?;
        self.put_in_order(network);
        Some(waiter)
    }

    /// Puts a network into the line of its best attempt, at the back, or takes it out, as its attempts want it.
    fn put_in_order(&mut self, network: NetworkKey) {
        let Some(line) = self.networks.get_mut(&network) else {
            return;
        };
        let first = line.waiting.first_key_value();
        let wanted = first
            .map(|((class, _), _)| *class)
            .filter(|_| !line.at_postfix);
        if line.place.map(|(class, _)| class) != wanted {
            if let Some(place) = line.place.take() {
                self.order.remove(&place);
            }
            if let Some(class) = wanted {
                line.place = Some((class, self.next));
                self.order.insert((class, self.next), network);
                self.next += 1;
            }
        }
        if !line.at_postfix && line.waiting.is_empty() {
            self.networks.remove(&network);
        }
    }
}

#[cfg(test)]
mod tests;
