//! processes - Postfix's processes, given out fairly by user
//!
//! Everybody who may log in needs a process of Postfix, and waits for one here and not inside Postfix, where
//! nobody is fair and a short deadline cuts the line. Few familiar users log in at once. Strangers, whose attempts
//! may be slow on purpose, and relayed exchanges, in which a process waits for the client, have places of their own and
//! take none of others. All of them, with those who have logged in, are never more than Postfix has processes.
//! How many log in at once follows from how long checks take (`pace`), since Postfix gives up on a Dovecot that has
//! too many before it. Users wait in line, not attempts: one that got a process goes to the back, so a user with a
//! hundred devices delays nobody with one by more than one device.
//! Pure: waiters in, processes out. Not here: the waiting and its end (the caller leaves), who may try (`judge`),
//! the turns of strangers (`queue`), sessions by user (they are counted after the login).

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use line::{LineKey, PoolKind};
use pace::{Occupancy, Pace};

use crate::capacity::give_back;
use crate::gate::request::settings::ProcessSettings;

mod line;
mod pace;

pub use line::{ProcessLine, Purpose};

/// Of the processes for logins, and of those for exchanges, one line holds at most this part: its attempts may be slow.
const SHARE: usize = 4;
/// A user's phone does not wait for the same user's laptop.
const SMALLEST_SHARE: usize = 2;

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
    /// Sessions that had logged in before a restart, at processes of ours that were stopped.
    pub elsewhere: usize,
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

impl<W> ProcessQueue<W> {
    /// All processes free.
    pub fn new(settings: ProcessSettings) -> Self {
        Self {
            lines: Mutex::new(ProcessLines {
                settings,
                next: 0,
                logged_in: 0,
                elsewhere: 0,
                pace: Pace::new(),
                familiar: Pool::default(),
                stranger: Pool::default(),
                exchange: Pool::default(),
                stranger_exchange: Pool::default(),
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

    /// So many are held by sessions of which only this number is known: those that began before a restart.
    /// [`ProcessQueue::advance`] gives out what is more now.
    pub fn elsewhere(&self, sessions: usize) {
        self.lock().elsewhere = sessions;
    }

    /// A login was answered after so long: accepted, or put off by Postfix. Wrong passwords say nothing, for they
    /// are delayed on purpose, and strangers' logins may be. [`ProcessQueue::advance`] gives out what is more now.
    pub fn answered(&self, line: ProcessLine, took: Duration) {
        if !line.is_strangers() {
            self.lock().answered(took);
        }
    }

    /// Takes a process back. It is the next one's with [`ProcessQueue::advance`].
    pub fn free(&self, process: Process) {
        self.lock().free(process);
    }

    /// How many are out.
    pub fn counts(&self) -> ProcessCounts {
        let lines = self.lock();
        ProcessCounts {
            logins: lines.familiar.held + lines.stranger.held,
            exchanges: lines.exchange.held + lines.stranger_exchange.held,
            logged_in: lines.logged_in,
            elsewhere: lines.elsewhere,
            waiting: lines.lines.values().map(|line| line.waiting.len()).sum(),
        }
    }

    /// A panic elsewhere leaves the lines as they were: every change is complete when the lock is let go.
    fn lock(&self) -> MutexGuard<'_, ProcessLines<W>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct ProcessLines<W> {
    settings: ProcessSettings,
    /// Rises with every waiter and every line that joins an order: a ticket's number, and a place.
    next: u64,
    logged_in: usize,
    elsewhere: usize,
    pace: Pace,
    familiar: Pool,
    stranger: Pool,
    exchange: Pool,
    stranger_exchange: Pool,
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

    /// How many may be out of a kind. Clients decide how long an exchange lasts, so exchanges leave most processes
    /// to others even where there are few.
    fn most_of(&self, kind: PoolKind) -> usize {
        let at_once = self.settings.at_once.min(self.most());
        match kind {
            PoolKind::Familiar => self.pace.at_once().min(at_once),
            PoolKind::Stranger => at_once,
            PoolKind::Exchange => at_once / SHARE,
            PoolKind::StrangerExchange => self.most(),
        }
        .max(1)
    }

    /// How many of them one line may hold.
    fn share(&self, kind: PoolKind) -> usize {
        let most = self.most_of(kind);
        let share = match kind {
            // Half of them while the pace is low, so that one user's devices still come forward.
            PoolKind::Familiar => (self.settings.at_once / SHARE).min(most / 2),
            PoolKind::Stranger | PoolKind::Exchange => most / SHARE,
            // Decided before, by client and by network.
            PoolKind::StrangerExchange => most,
        };
        share.max(SMALLEST_SHARE)
    }

    const fn pool(&self, kind: PoolKind) -> &Pool {
        match kind {
            PoolKind::Familiar => &self.familiar,
            PoolKind::Stranger => &self.stranger,
            PoolKind::Exchange => &self.exchange,
            PoolKind::StrangerExchange => &self.stranger_exchange,
        }
    }

    const fn pool_mut(&mut self, kind: PoolKind) -> &mut Pool {
        match kind {
            PoolKind::Familiar => &mut self.familiar,
            PoolKind::Stranger => &mut self.stranger,
            PoolKind::Exchange => &mut self.exchange,
            PoolKind::StrangerExchange => &mut self.stranger_exchange,
        }
    }

    fn is_free(&self, kind: PoolKind) -> bool {
        let pools = [
            &self.familiar,
            &self.stranger,
            &self.exchange,
            &self.stranger_exchange,
        ];
        let before_login: usize = pools.iter().map(|pool| pool.held).sum();
        let out = before_login + self.logged_in + self.elsewhere;
        self.pool(kind).held < self.most_of(kind) && out < self.most()
    }

    fn take(&mut self, key: LineKey) -> Option<Process> {
        if !self.is_free(key.kind()) || !self.pool(key.kind()).order.is_empty() {
            return None;
        }
        let share = self.share(key.kind());
        let line = self.lines.entry(key).or_insert_with(UserLine::new);
        // Below its share a line that waits stands in the order, which is empty.
        (line.held < share).then(|| self.give(key))
    }

    fn give(&mut self, key: LineKey) -> Process {
        if let Some(line) = self.lines.get_mut(&key) {
            line.held += 1;
        }
        self.pool_mut(key.kind()).held += 1;
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
        let kinds = [
            PoolKind::Familiar,
            PoolKind::Stranger,
            PoolKind::Exchange,
            PoolKind::StrangerExchange,
        ];
        let front = |kind: PoolKind| {
            let (place, _) = self.pool(kind).order.first_key_value()?;
            self.is_free(kind).then_some((*place, kind))
        };
        let (_, kind) = kinds
            .into_iter()
            .filter_map(front)
            .min_by_key(|(place, _)| *place)?;
        let (_, key) = self.pool_mut(kind).order.pop_first()?;
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
        let occupancy = match self.familiar.held + 1 >= self.most_of(PoolKind::Familiar) {
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
        let pool = self.pool_mut(key.kind());
        pool.held = pool.held.saturating_sub(1);
        if let Some(line) = self.lines.get_mut(&key) {
            line.held = line.held.saturating_sub(1);
        }
        self.put_in_order(key);
    }

    /// Puts a line into its order, at the back, or takes it out, as its attempts want it.
    fn put_in_order(&mut self, key: LineKey) {
        let share = self.share(key.kind());
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
            give_back(&mut self.lines);
        }
        match place {
            None if wants => {
                self.pool_mut(key.kind()).order.insert(number, key);
                self.next += 1;
            }
            Some(place) if !wants => {
                self.pool_mut(key.kind()).order.remove(&place);
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
