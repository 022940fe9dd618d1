//! filter - the listener filter: SYNs of the busiest banned clients, dropped by the kernel
//!
//! A classic BPF program on the listening socket, so that such a client costs us nothing at all and
//! waits for his own time-outs. Best effort, and off unless asked for: newer kernels want
//! CAP_NET_ADMIN for it. Accept and RST (`listener`) is the way that always works.
//!
//! Once dropped, a client is no longer seen: what was counted of it stands until its ban ends, or
//! until busier ones push it out.
//! Not here: who is banned (the caller asks the gate anew each time, so that nobody of a familiar
//! network stays in), when to refresh (at most once a second; `server` owns the timer), the
//! instructions (`program`).

mod program;
mod tally;

#[cfg(test)]
mod tests;

use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rustix::io::Errno;
use socket2::{SockFilter, SockRef, Socket};

use self::program::{Family, Instruction, LONGEST};
use self::tally::Tally;
use gatepost_core::gate::request::client::ClientKey;

/// Whether the filter is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Banned clients are accepted and reset.
    #[default]
    Off,
    /// The busiest of them are dropped by the kernel, where it lets us.
    On,
}

/// So many clients are dropped at most: what fits into the longest program, IPv4 all of them.
const MOST: usize = 3_000;

/// Why the kernel does not take the filter.
#[derive(Debug, thiserror::Error)]
pub enum FilterFault {
    /// It wants a capability that we do not have.
    #[error(
        "the kernel wants CAP_NET_ADMIN for the listener filter (EPERM): grant it, or set \
         admission.filter to false; banned clients are accepted and reset meanwhile"
    )]
    NotPermitted,
    /// It refuses for another reason, even the shortest program.
    #[error("the kernel refuses the listener filter: {0}; banned clients are accepted and reset")]
    Refused(io::Error),
}

/// The filter over all listeners.
#[derive(Debug)]
pub struct Filter {
    shutters: Vec<Arc<Shutter>>,
    tally: Mutex<Tally>,
    state: Mutex<State>,
}

/// How often the filter's bounds acted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections of banned clients that were not counted, for want of room.
    pub not_counted: u64,
    /// Times that the banned clients did not all fit into the kernel's program.
    pub not_fitting: u64,
}

#[derive(Debug)]
struct State {
    /// The clients dropped now, sorted; none while the listeners do not agree.
    dropped: Option<Vec<ClientKey>>,
    /// Half of what the kernel refused last: it charges a program to a small budget.
    fits: usize,
    /// How often that was less than all.
    not_fitting: u64,
    works: Works,
}

/// Whether the kernel takes a filter from us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Works {
    Yes,
    /// Told already.
    No,
}

impl Filter {
    /// A filter over these listeners, dropping nobody yet.
    pub fn new(shutters: Vec<Arc<Shutter>>) -> Self {
        Self {
            shutters,
            // limit: filter-counts
            tally: Mutex::new(Tally::new(4 * MOST)),
            state: Mutex::new(State {
                dropped: Some(Vec::new()),
                fits: MOST,
                not_fitting: 0,
                works: Works::Yes,
            }),
        }
    }

    /// Counts a connection of a banned client that was accepted and reset.
    pub fn reset(&self, client: ClientKey) {
        lock(&self.tally).count(client);
    }

    /// Brings the kernel's list in step with the bans; returns how many clients are dropped now.
    /// `banned` says of a client whether it still is banned and no familiar network's.
    ///
    /// # Errors
    /// The kernel takes no filter. Told once; from then on nobody is dropped, and that is no error.
    pub fn refresh(&self, banned: impl Fn(ClientKey) -> bool) -> Result<usize, FilterFault> {
        let mut state = lock(&self.state);
        if state.works == Works::No {
            return Ok(0);
        }
        let busiest = {
            let mut tally = lock(&self.tally);
            tally.retain(banned);
            tally.busiest(MOST)
        };
        self.apply(&mut state, busiest)
    }

    /// How often its bounds acted.
    pub fn counts(&self) -> Counts {
        Counts {
            not_counted: lock(&self.tally).left_out(),
            not_fitting: lock(&self.state).not_fitting,
        }
    }

    /// Drops nobody any more, and forgets what was counted.
    ///
    /// # Errors
    /// The kernel does not let go of the program.
    pub fn clear(&self) -> Result<(), FilterFault> {
        let mut state = lock(&self.state);
        lock(&self.tally).retain(|_| false);
        self.apply(&mut state, Vec::new()).map(|_| ())
    }

    /// `busiest` stand in their order: the busiest first.
    fn apply(&self, state: &mut State, busiest: Vec<ClientKey>) -> Result<usize, FilterFault> {
        loop {
            let fitting = program::fitting(busiest.get(..state.fits).unwrap_or(&busiest));
            let mut clients = fitting.to_vec();
            clients.sort_unstable();
            let count = clients.len();
            if state.dropped.as_ref() == Some(&clients) {
                return Ok(count);
            }
            state.dropped = None;
            state.not_fitting += u64::from(count < busiest.len());
            match self.drop_all(&clients) {
                Ok(()) => {
                    state.dropped = Some(clients);
                    return Ok(count);
                }
                Err(Attach::TooLong(_)) if count > 1 => state.fits = count / 2,
                Err(Attach::TooLong(error)) => return Err(self.give_up(state, error)),
                Err(Attach::Refused(error)) => return Err(self.give_up(state, error)),
            }
        }
    }

    fn give_up(&self, state: &mut State, error: io::Error) -> FilterFault {
        state.works = Works::No;
        for shutter in &self.shutters {
            // What the kernel did take must not outlive the bans. It may refuse this too, but then
            // it has taken nothing.
            let _ = shutter.drop_all(&[]);
        }
        match Errno::from_io_error(&error) {
            Some(Errno::PERM | Errno::ACCESS) => FilterFault::NotPermitted,
            _ => FilterFault::Refused(error),
        }
    }

    fn drop_all(&self, clients: &[ClientKey]) -> Result<(), Attach> {
        self.shutters
            .iter()
            .try_for_each(|shutter| shutter.drop_all(clients))
    }
}

/// The listening socket, as the filter sees it. It does not keep the socket open.
#[derive(Debug)]
pub struct Shutter {
    socket: Weak<Socket>,
    family: Family,
    /// Whether a program was ever attached: accepted sockets may have inherited it.
    used: AtomicBool,
}

/// Why a program is not attached.
enum Attach {
    /// A shorter one may do.
    TooLong(io::Error),
    /// None will do.
    Refused(io::Error),
}

impl Shutter {
    /// For a listening socket.
    ///
    /// # Errors
    /// The socket does not tell its family.
    pub fn new(socket: &Arc<Socket>) -> io::Result<Self> {
        Ok(Self {
            socket: Arc::downgrade(socket),
            family: match socket.local_addr()?.is_ipv4() {
                true => Family::V4,
                false => Family::V6,
            },
            used: AtomicBool::new(false),
        })
    }

    /// Takes the program off an accepted socket, which inherited it from the listening one. Else it
    /// would run on every packet, and cut off a session whose client is banned later.
    pub fn lift(&self, accepted: &impl AsFd) {
        if self.used.load(Ordering::Acquire) {
            // An error says that there was none: accepted before the first program.
            let _ = SockRef::from(accepted).detach_filter();
        }
    }

    fn drop_all(&self, clients: &[ClientKey]) -> Result<(), Attach> {
        // A listener that is gone needs no filter.
        let Some(socket) = self.socket.upgrade() else {
            return Ok(());
        };
        if clients.is_empty() {
            return detach(&socket);
        }
        let program = program::build(clients, self.family);
        // The kernel's length has 16 bits, and the crate would cut a longer one in silence.
        if program.len() > LONGEST {
            return Err(Attach::TooLong(Errno::NOMEM.into()));
        }
        let program: Vec<SockFilter> = program.into_iter().map(raw).collect();
        self.used.store(true, Ordering::Release);
        socket
            .attach_filter(&program)
            .map_err(|error| match Errno::from_io_error(&error) {
                Some(Errno::NOMEM | Errno::INVAL) => Attach::TooLong(error),
                _ => Attach::Refused(error),
            })
    }
}

fn detach(socket: &Socket) -> Result<(), Attach> {
    match socket.detach_filter() {
        // There was none.
        Err(error) if Errno::from_io_error(&error) == Some(Errno::NOENT) => Ok(()),
        outcome => outcome.map_err(Attach::Refused),
    }
}

fn raw(instruction: Instruction) -> SockFilter {
    let Instruction { code, jt, jf, k } = instruction;
    SockFilter::new(code, jt, jf, k)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
