//! processes - Postfix's processes, given out fairly by user
//!
//! Everybody who may log in needs a process of Postfix, and waits for one here and not inside Postfix, where
//! nobody is fair and a short deadline cuts the line. Few log in at once; relayed exchanges, in which a process
//! waits for the client, have a small number of their own; and all of them, with those who have logged in, are
//! never more than Postfix has processes. How many log in at once follows from how long checks take (`pace`), since
//! Postfix gives up on a Dovecot that has too many before it. Users wait in line, not attempts: one that got a process goes to the
//! back, so a user with a hundred devices delays nobody with one by more than one device.
//! Pure: waiters in, processes out. Not here: the waiting and its end (the caller leaves), who may try (`judge`),
//! the turns of strangers (`queue`), sessions by user (they are counted after the login).

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pace::{Occupancy, Pace};

use crate::gate::permit::Permit;
use crate::gate::request::attempt::Trust;
use crate::gate::request::client::NetworkKey;
use crate::gate::request::keys::UserId;
use crate::gate::request::settings::ProcessSettings;

mod pace;

/// Of those that log in, and of exchanges, one line holds this part at most: what it asks for may be slow.
const SHARE: usize = 4;
/// A user's phone does not wait for the same user's laptop.
const SMALLEST_SHARE: usize = 2;

/// The line in which an attempt waits.
///
/// Strangers who name a user wait apart from where the user is familiar: they hold up no owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProcessLine(LineOwner);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum LineOwner {
    Familiar(UserId),
    Stranger(UserId),
    Unnamed(NetworkKey),
}

/// What a process is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// A login that Postfix can decide without the client.
    Login,
    /// A relayed exchange, in which Postfix waits for the client.
    Exchange,
}

/// A place in a line: what its waiter leaves with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessTicket {
    key: LineKey,
    number: u64,
}

/// The right to one process of Postfix, until [`ProcessQueue::free`].
#[derive(Debug)]
#[must_use = "give it back, or nobody else ever has it"]
pub struct Process {
    /// None: it has logged in.
    before_login: Option<LineKey>,
}

/// How many processes are out, and for what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessCounts {
    /// Logins that Postfix decides.
    pub logins: usize,
    /// Relayed exchanges.
    pub exchanges: usize,
    /// Sessions that have logged in.
    pub logged_in: usize,
    /// Who waits for one.
    pub waiting: usize,
}

/// The processes there are, and who waits for one.
///
/// It holds one entry for every line that waits or is at Postfix, and one for every waiter, so never more
/// than there are sessions. Every method takes `&self`; none waits.
#[derive(Debug)]
pub struct ProcessQueue<W> {
    lines: Mutex<ProcessLines<W>>,
}

impl ProcessLine {
    /// The line of the user that a permit is for.
    pub fn of(permit: &Permit) -> Self {
        let case = &permit.claim.case;
        Self(match case.who.trust {
            Trust::Familiar => LineOwner::Familiar(case.user),
            Trust::Near | Trust::Far => LineOwner::Stranger(case.user),
        })
    }

    /// The line of a network, for an exchange that has not named its user yet.
    pub const fn unnamed(network: NetworkKey) -> Self {
        Self(LineOwner::Unnamed(network))
    }
}

impl<W> ProcessQueue<W> {
    /// All processes free.
    pub fn new(settings: ProcessSettings) -> Self {
        Self {
            lines: Mutex::new(ProcessLines {
                settings,
                next: 0,
                logged_in: 0,
                pace: Pace::new(),
                login: Pool::default(),
                exchange: Pool::default(),
                lines: HashMap::new(),
            }),
        }
    }

    /// Takes over new settings. What is out stays out. [`ProcessQueue::advance`] gives out what is more now.
    pub fn reconfigure(&self, settings: ProcessSettings) {
        self.lock().settings = settings;
    }

    /// A process that is free now, if nobody has to be served before.
    pub fn take(&self, line: ProcessLine, purpose: Purpose) -> Option<Process> {
        self.lock().take(LineKey { line, purpose })
    }

    /// Joins a line. The process comes with [`ProcessQueue::advance`], which may be called at once.
    pub fn enter(&self, line: ProcessLine, purpose: Purpose, waiter: W) -> ProcessTicket {
        self.lock().enter(LineKey { line, purpose }, waiter)
    }

    /// Leaves the line. Nothing happens if the waiting is over already.
    pub fn leave(&self, ticket: ProcessTicket) {
        self.lock().leave(ticket);
    }

    /// Gives the free processes to the lines at the front.
    #[must_use = "a process may be in it"]
    pub fn advance(&self) -> Vec<(W, Process)> {
        let mut lines = self.lock();
        std::iter::from_fn(|| lines.grant()).collect()
    }

    /// Its session has logged in, and is none of those that log in any more.
    pub fn logged_in(&self, process: &mut Process) {
        self.lock().logged_in(process);
    }

    /// A login was answered after so long: accepted, or put off by Postfix. Wrong passwords say nothing, for they
    /// are delayed on purpose. [`ProcessQueue::advance`] gives out what is more now.
    pub fn answered(&self, took: Duration) {
        self.lock().answered(took);
    }

    /// Takes a process back. It is the next one's with [`ProcessQueue::advance`].
    pub fn free(&self, process: Process) {
        self.lock().free(process);
    }

    /// How many are out.
    pub fn counts(&self) -> ProcessCounts {
        let lines = self.lock();
        ProcessCounts {
            logins: lines.login.held,
            exchanges: lines.exchange.held,
            logged_in: lines.logged_in,
            waiting: lines.lines.values().map(|line| line.waiting.len()).sum(),
        }
    }

    /// A panic elsewhere leaves the lines as they were: every change is complete when the lock is let go.
    fn lock(&self) -> MutexGuard<'_, ProcessLines<W>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A line for one purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct LineKey {
    line: ProcessLine,
    purpose: Purpose,
}

#[derive(Debug)]
struct ProcessLines<W> {
    settings: ProcessSettings,
    /// Rises with every waiter and every line that joins an order: a ticket's number, and a place.
    next: u64,
    logged_in: usize,
    pace: Pace,
    login: Pool,
    exchange: Pool,
    lines: HashMap<LineKey, UserLine<W>>,
}

/// What is out for one purpose, and who is next.
#[derive(Debug, Default)]
struct Pool {
    held: usize,
    /// Lines that wait and may hold one more, by place.
    order: BTreeMap<u64, LineKey>,
}

/// The attempts of one line.
#[derive(Debug)]
struct UserLine<W> {
    held: usize,
    /// In its pool's order; none while nobody waits, or it holds its share.
    place: Option<u64>,
    /// By number.
    waiting: BTreeMap<u64, W>,
}

impl<W> ProcessLines<W> {
    /// How many may be out in all. One is left to the probe, which must not take a full Postfix for a dead one.
    fn most(&self) -> usize {
        let limit = self.settings.limit.unwrap_or(usize::MAX);
        limit.saturating_sub(1).max(1)
    }

    /// How many may be out for a purpose. Clients decide how long an exchange lasts, so exchanges leave most
    /// processes to others even where there are few.
    fn most_for(&self, purpose: Purpose) -> usize {
        let at_once = self.settings.at_once.min(self.most());
        match purpose {
            Purpose::Login => self.pace.at_once().min(at_once),
            Purpose::Exchange => at_once / SHARE,
        }
        .max(1)
    }

    fn share(&self, purpose: Purpose) -> usize {
        (self.most_for(purpose) / SHARE).max(SMALLEST_SHARE)
    }

    fn pool(&mut self, purpose: Purpose) -> &mut Pool {
        match purpose {
            Purpose::Login => &mut self.login,
            Purpose::Exchange => &mut self.exchange,
        }
    }

    fn is_free(&self, purpose: Purpose) -> bool {
        let pool = match purpose {
            Purpose::Login => &self.login,
            Purpose::Exchange => &self.exchange,
        };
        let out = self.login.held + self.exchange.held + self.logged_in;
        pool.held < self.most_for(purpose) && out < self.most()
    }

    fn take(&mut self, key: LineKey) -> Option<Process> {
        if !self.is_free(key.purpose) || !self.pool(key.purpose).order.is_empty() {
            return None;
        }
        let share = self.share(key.purpose);
        let line = self.lines.entry(key).or_insert_with(UserLine::new);
        // Below its share a line that waits stands in the order, which is empty.
        (line.held < share).then(|| self.give(key))
    }

    fn give(&mut self, key: LineKey) -> Process {
        if let Some(line) = self.lines.get_mut(&key) {
            line.held += 1;
        }
        self.pool(key.purpose).held += 1;
        self.put_in_order(key);
        Process {
            before_login: Some(key),
        }
    }

    fn enter(&mut self, key: LineKey, waiter: W) -> ProcessTicket {
        let number = self.number();
        let line = self.lines.entry(key).or_insert_with(UserLine::new);
        line.waiting.insert(number, waiter);
        self.put_in_order(key);
        ProcessTicket { key, number }
    }

    fn leave(&mut self, ticket: ProcessTicket) {
        if let Some(line) = self.lines.get_mut(&ticket.key) {
            line.waiting.remove(&ticket.number);
            self.put_in_order(ticket.key);
        }
    }

    /// A process for the line that has waited longest at the front of an order.
    fn grant(&mut self) -> Option<(W, Process)> {
        let front = |pool: &Pool| pool.order.first_key_value().map(|(place, _)| *place);
        let waiting = [
            (Purpose::Login, front(&self.login)),
            (Purpose::Exchange, front(&self.exchange)),
        ];
        let (purpose, _) = waiting
            .into_iter()
            .filter(|(purpose, place)| place.is_some() && self.is_free(*purpose))
            .min_by_key(|(_, place)| *place)?;
        let (_, key) = self.pool(purpose).order.pop_first()?;
        let line = self.lines.get_mut(&key)?;
        line.place = None;
        let (_, waiter) = line.waiting.pop_first()?;
        Some((waiter, self.give(key)))
    }

    fn logged_in(&mut self, process: &mut Process) {
        if let Some(key) = process.before_login.take() {
            self.give_up(key);
            self.logged_in += 1;
        }
    }

    fn answered(&mut self, took: Duration) {
        let occupancy = match self.login.held + 1 >= self.most_for(Purpose::Login) {
            true => Occupancy::Full,
            false => Occupancy::Free,
        };
        self.pace.answered(took, occupancy, self.settings.at_once);
    }

    fn free(&mut self, process: Process) {
        match process.before_login {
            Some(key) => self.give_up(key),
            None => self.logged_in = self.logged_in.saturating_sub(1),
        }
    }

    fn give_up(&mut self, key: LineKey) {
        let pool = self.pool(key.purpose);
        pool.held = pool.held.saturating_sub(1);
        if let Some(line) = self.lines.get_mut(&key) {
            line.held = line.held.saturating_sub(1);
        }
        self.put_in_order(key);
    }

    /// Puts a line into its order, at the back, or takes it out, as its attempts want it.
    fn put_in_order(&mut self, key: LineKey) {
        let share = self.share(key.purpose);
        let number = self.next;
        let Some(line) = self.lines.get_mut(&key) else {
            return;
        };
        let wants = line.held < share && !line.waiting.is_empty();
        let (place, is_over) = (line.place, line.held == 0 && line.waiting.is_empty());
        line.place = match wants {
            true => Some(place.unwrap_or(number)),
            false => None,
        };
        if is_over {
            self.lines.remove(&key);
        }
        match place {
            None if wants => {
                self.pool(key.purpose).order.insert(number, key);
                self.next += 1;
            }
            Some(place) if !wants => {
                self.pool(key.purpose).order.remove(&place);
            }
            _ => {}
        }
    }

    fn number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }
}

impl<W> UserLine<W> {
    const fn new() -> Self {
        Self {
            held: 0,
            place: None,
            waiting: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests;
