//! registry - the sessions that have logged in: bounded by user and by Postfix's processes, and how they end
//!
//! Each holds a process of Postfix until it ends, and before its login only its address bounds it. So a user has
//! `admission.per-user` of them. The last quarter of Postfix's processes is for users that hold fewer than two, and an
//! eighth is left free of sessions, so that passwords can be checked. A login that finds no room may take the place of a
//! session that does not work (`room` says which); else it is answered 454. Sessions that began before a restart count in all
//! of that (`elsewhere`).
//!
//! An operator's order ends sessions at once. Sessions that have not logged in watch for it; a login that is
//! on its way meanwhile is found by the epoch in which its session began.
//!
//! One lock, taken once when a session logs in and once when it ends.
//! Not here: connections before their login (`net::admission`), passwords and bans (`gate`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::drain::{Epoch, Recaller};
use crate::net::splice::{EndOrder, SpliceControl};
use gatepost_core::gate::request::attempt::UserName;
use gatepost_core::gate::request::change::{Expulsion, Subject};
use gatepost_core::gate::request::client::{ClientKey, NetworkKey};
use gatepost_core::gate::request::keys::UserId;
use gatepost_core::gate::request::settings::ProcessSettings;
use gatepost_core::moment::Moment;

mod elsewhere;
mod room;
mod work;

#[cfg(test)]
mod tests;

pub use elsewhere::{NumberedSession, SessionElsewhere, ToldElsewhere};
pub use work::SessionWork;

use elsewhere::LeftOverSessions;
use room::{FullRoom, HeldKey, HeldSession, Rooms};

/// How often [`SessionRegistry::sample`] ought to be called.
pub const SAMPLE: Duration = Duration::from_secs(5);

/// Orders by user that are remembered, for logins that are on their way meanwhile.
const ORDERS: usize = 256;

/// How many sessions may be logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegistrySettings {
    /// Of one user.
    pub per_user: usize,
    /// Postfix's processes, of which each takes one.
    pub processes: ProcessSettings,
}

/// Why a login found no room. The log values are public API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoom {
    /// The user holds as many sessions as a user may, and all of them work.
    PerUser,
    /// Postfix's processes are in use, and nobody gives way to this user.
    Processes,
    /// The operator ended this user's or this client's sessions while it logged in.
    Expelled,
}

impl NoRoom {
    /// The value in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PerUser => "per-user",
            Self::Processes => "processes",
            Self::Expelled => "expelled",
        }
    }
}

/// Whose sessions an operator ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// A user's, everywhere or from one network.
    User(UserId, Option<NetworkKey>),
    /// All of a client or a network.
    Place(Subject),
}

impl Whose {
    /// Whether a session of this user at this client is meant.
    pub fn is(self, user: Option<UserId>, client: ClientKey) -> bool {
        match self {
            Self::User(one, network) => {
                user == Some(one) && network.is_none_or(|network| network == client.network())
            }
            Self::Place(Subject::Client(one)) => one == client,
            Self::Place(Subject::Network(one)) => one == client.network(),
        }
    }
}

impl From<Expulsion> for Whose {
    fn from(whose: Expulsion) -> Self {
        match whose {
            Expulsion::User(user, network) => Self::User(user, network),
            Expulsion::Place(subject) => Self::Place(subject),
        }
    }
}

/// A session that has just logged in.
#[derive(Clone, Copy, Debug)]
pub struct Newcomer<'a> {
    /// The user, as the client wrote the name.
    pub name: &'a UserName,
    /// The user, as the gate knows one.
    pub user: UserId,
    /// How many sessions the owner has set for this user; none: as all users.
    pub own_limit: Option<usize>,
    /// The client.
    pub client: ClientKey,
    /// When the session began.
    pub epoch: Epoch,
}

/// All sessions that have logged in.
#[derive(Debug)]
pub struct SessionRegistry {
    book: Mutex<Book>,
    recaller: Recaller,
}

#[derive(Debug)]
struct Book {
    rooms: Rooms,
    /// By user, in the order of their logins; names with one local part stand together.
    held: BTreeMap<(UserId, u64), HeldSession>,
    elsewhere: LeftOverSessions,
    logins: u64,
    /// The last order's.
    epoch: Epoch,
    orders: VecDeque<(Epoch, Whose)>,
    /// Orders up to this one are not remembered any more.
    forgotten: Epoch,
}

impl SessionRegistry {
    /// Nobody has logged in yet. By `recaller` those that have not are called to look whether they are meant.
    pub fn new(settings: RegistrySettings, recaller: Recaller) -> Self {
        Self {
            book: Mutex::new(Book {
                rooms: Rooms::new(settings),
                held: BTreeMap::new(),
                elsewhere: LeftOverSessions::default(),
                logins: 0,
                epoch: Epoch::default(),
                orders: VecDeque::new(),
                forgotten: Epoch::default(),
            }),
            recaller,
        }
    }

    /// Takes over new limits. Sessions beyond them stay.
    pub fn reconfigure(&self, settings: RegistrySettings) {
        self.lock().rooms = Rooms::new(settings);
    }

    /// A session has logged in. It may end one that does not work, whose place it takes.
    ///
    /// # Errors
    /// There is no room for it.
    pub fn enter(
        self: &Arc<Self>,
        newcomer: Newcomer<'_>,
        now: Moment,
    ) -> Result<SessionPlace, NoRoom> {
        let mut book = self.lock();
        if book.was_expelled(Some(newcomer.user), newcomer.client, newcomer.epoch) {
            return Err(NoRoom::Expelled);
        }
        book.make_room(newcomer, now)?;
        book.logins += 1;
        let key = (newcomer.user, book.logins);
        let control = Arc::new(SpliceControl::default());
        let held = HeldSession::new(newcomer, Arc::clone(&control), now);
        book.held.insert(key, held);
        drop(book);
        Ok(SessionPlace {
            registry: Arc::clone(self),
            key,
            control,
        })
    }

    /// Ends sessions at once, and has those that have not logged in look whether they are meant. How many
    /// were logged in.
    pub fn expel(&self, whose: Whose) -> usize {
        let mut book = self.lock();
        let ended = book.end(EndOrder::Expelled, |(user, _), client| {
            whose.is(Some(user), client)
        });
        let epoch = book.next_epoch();
        book.remember(epoch, whose);
        drop(book);
        self.recaller.recall(epoch);
        ended
    }

    /// Ends the sessions of all clients that are barred now, and has those that have not logged in look
    /// whether theirs is. How many were logged in.
    pub fn expel_barred(&self, bars: impl Fn(ClientKey) -> bool) -> usize {
        let mut book = self.lock();
        let ended = book.end(EndOrder::Expelled, |_, client| bars(client));
        let epoch = book.next_epoch();
        drop(book);
        self.recaller.recall(epoch);
        ended
    }

    /// All sessions that are logged in here, with their numbers.
    pub fn held(&self, now: Moment) -> Vec<NumberedSession> {
        let numbered = |(key, held): (&(UserId, u64), &mut HeldSession)| {
            held.look(now);
            NumberedSession {
                number: key.1,
                name: held.name().clone(),
                client: held.client(),
                work: held.work(now),
            }
        };
        self.lock().held.iter_mut().map(numbered).collect()
    }

    /// Ends the sessions with these numbers at once. How many there were.
    pub fn end_numbered(&self, numbers: &BTreeSet<u64>, why: EndOrder) -> usize {
        let mut book = self.lock();
        book.end(why, |(_, number), _| numbers.contains(&number))
    }

    /// Ends all sessions at once. How many there were.
    pub fn end_all(&self, why: EndOrder) -> usize {
        self.lock().end(why, |_, _| true)
    }

    /// Which sessions processes that were stopped still have: every [`SAMPLE`].
    pub fn take_over(&self, told: &ToldElsewhere) {
        self.lock().elsewhere.take_over(told);
    }

    /// Returns when one of their sessions has given way to a login here. Cancel-safe.
    pub async fn somebody_gives_way(&self) {
        let wanted = self.lock().elsewhere.wanted();
        wanted.notified().await;
    }

    /// Their sessions that have given way and are still to end, by process.
    pub fn giving_way(&self) -> BTreeMap<u32, Vec<u64>> {
        self.lock().elsewhere.giving_way()
    }

    /// Whether those have ended at one of these processes.
    pub fn told(&self, process: u32, told: &io::Result<usize>) {
        let mut book = self.lock();
        match told {
            Ok(_) => book.elsewhere.gave_way(process),
            Err(_) => book.elsewhere.out_of_reach(process),
        }
    }

    /// How many sessions go on in processes that were stopped.
    pub fn elsewhere(&self) -> usize {
        self.lock().elsewhere.open()
    }

    /// Whether an order since `epoch` was about all of this client's sessions.
    pub fn was_expelled(&self, client: ClientKey, epoch: Epoch) -> bool {
        self.lock().was_expelled(None, client, epoch)
    }

    /// Notes which sessions have worked since the last call: every [`SAMPLE`].
    pub fn sample(&self, now: Moment) {
        for held in self.lock().held.values_mut() {
            held.sample(now);
        }
    }

    /// How many sessions are logged in here.
    pub fn logged_in(&self) -> usize {
        self.lock().held.len()
    }

    /// How many sessions a user holds, with those elsewhere.
    pub fn of_user(&self, user: UserId) -> usize {
        self.lock().of(user)
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn of(&self, user: UserId) -> usize {
        let here = self.held.range((user, 0)..=(user, u64::MAX)).count();
        here + self.elsewhere.of(user)
    }

    fn make_room(&mut self, newcomer: Newcomer<'_>, now: Moment) -> Result<(), NoRoom> {
        let user = newcomer.user;
        let own = self.of(user);
        let all = self.held.len() + self.elsewhere.all();
        let Some(short) = self.rooms.short_of((own, newcomer.own_limit), all) else {
            return Ok(());
        };
        let looked_at = match short {
            FullRoom::OwnLimit => self.held.range_mut((user, 0)..=(user, u64::MAX)),
            FullRoom::Common(_) | FullRoom::All(_) => self.held.range_mut(..),
        };
        for (_, held) in looked_at {
            held.look(now);
        }
        let everybody = room::everybody(&self.held, &self.elsewhere, now);
        let gives_way = room::gives_way(&everybody, short, user, self.rooms.per_user());
        match gives_way.ok_or(short.reason())? {
            HeldKey::Elsewhere(key) => self.elsewhere.give_way(key),
            HeldKey::Here(key) => {
                if let Some(held) = self.held.remove(&key) {
                    held.control().end(EndOrder::GaveWay);
                }
            }
        }
        Ok(())
    }

    fn next_epoch(&mut self) -> Epoch {
        self.epoch.0 += 1;
        self.epoch
    }

    fn end(&mut self, why: EndOrder, ends: impl Fn((UserId, u64), ClientKey) -> bool) -> usize {
        let before = self.held.len();
        self.held.retain(|key, held| {
            let ends = ends(*key, held.client());
            if ends {
                held.control().end(why);
            }
            !ends
        });
        before - self.held.len()
    }

    fn remember(&mut self, epoch: Epoch, whose: Whose) {
        self.orders.push_back((epoch, whose));
        if self.orders.len() > ORDERS
            && let Some((epoch, _)) = self.orders.pop_front()
        {
            self.forgotten = epoch;
        }
    }

    /// Whether an order since `epoch` was about this session; also if that is not known any more.
    fn was_expelled(&self, user: Option<UserId>, client: ClientKey, epoch: Epoch) -> bool {
        epoch < self.forgotten
            || self
                .orders
                .iter()
                .rev()
                .take_while(|(at, _)| *at > epoch)
                .any(|(_, whose)| whose.is(user, client))
    }
}

/// The place of one session that has logged in. Dropping it frees the place.
#[must_use = "dropping it frees the place"]
#[derive(Debug)]
pub struct SessionPlace {
    registry: Arc<SessionRegistry>,
    key: (UserId, u64),
    control: Arc<SpliceControl>,
}

impl SessionPlace {
    /// What the session's splice tells, and is ordered.
    pub fn control(&self) -> &SpliceControl {
        &self.control
    }
}

impl Drop for SessionPlace {
    fn drop(&mut self) {
        self.registry.lock().held.remove(&self.key);
    }
}
