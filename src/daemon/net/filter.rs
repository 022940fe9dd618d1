//! filter - the listener filter: SYNs of the busiest refused clients, dropped by the kernel
//!
//! A classic BPF program on the listening socket, so that such a client costs us nothing and runs
//! into its own timeouts. Best effort, and off by default: newer kernels require
//! CAP_NET_ADMIN for it. Accept and RST (`listener`) always support.
//!
//! Banned clients are dropped while they are banned; any other that was refused more than fifty times in a
//! second, for ten seconds. A dropped client is no longer seen: its count stays as it is until then, or
//! until busier clients take its place.
//! Not here: how clients stand (the caller asks the gate again each time, so that a client of a
//! familiar network is removed), when to refresh (at most once a second; `server` owns the timer), the
//! instructions (`program`).

mod program;
mod refused_counts;

#[cfg(test)]
mod tests;

use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rustix::io::Errno;
use socket2::{SockFilter, SockRef, Socket};

use self::program::{Family, Instruction, LONGEST};
use self::refused_counts::RefusedCounts;
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::verdict::Standing;

pub use self::refused_counts::RefusedFor;

/// Whether the filter is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FilterMode {
    /// Refused clients are accepted and reset.
    #[default]
    Off,
    /// The busiest of them are dropped by the kernel, if it allows that.
    On,
}

/// The most clients that are dropped: what fits into the longest program if all are IPv4.
const MAX_CLIENTS: usize = 3_000;

/// Why the kernel does not accept the filter.
#[derive(Debug, thiserror::Error)]
pub enum FilterFault {
    /// It requires a capability that we do not have.
    #[error(
        "the kernel requires CAP_NET_ADMIN for the listener filter (EPERM): grant it, or set \
         admission.filter to false; refused clients are accepted and reset meanwhile"
    )]
    NotPermitted,
    /// It refuses even the shortest program, for another reason.
    #[error("the kernel refuses the listener filter: {0}; refused clients are accepted and reset")]
    Refused(io::Error),
}

/// The filter over all listeners.
#[derive(Debug)]
pub struct Filter {
    sockets: Vec<Arc<SocketFilter>>,
    counts: Mutex<RefusedCounts>,
    state: Mutex<FilterState>,
}

/// How often the limits of the filter acted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FilterCounts {
    /// Connections of refused clients that were not counted because the map was full.
    pub not_counted: u64,
    /// How often the refused clients did not all fit into the kernel's program.
    pub not_fitting: u64,
}

#[derive(Debug)]
struct FilterState {
    /// The clients dropped now, sorted; none while the listeners differ.
    dropped: Option<Vec<ClientKey>>,
    /// Half of the last length that the kernel refused: it charges programs to a small budget.
    fits: usize,
    /// How often not all clients fitted.
    not_fitting: u64,
    support: Support,
}

/// Whether the kernel accepts a filter from us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Support {
    Yes,
    /// Already reported.
    No,
}

impl Filter {
    /// A filter over these listeners that drops no client yet.
    pub fn new(sockets: Vec<Arc<SocketFilter>>) -> Self {
        Self {
            sockets,
            // limit: filter-counts
            counts: Mutex::new(RefusedCounts::new(4 * MAX_CLIENTS)),
            state: Mutex::new(FilterState {
                dropped: Some(Vec::new()),
                fits: MAX_CLIENTS,
                not_fitting: 0,
                support: Support::Yes,
            }),
        }
    }

    /// Counts a connection of a client that was accepted and reset.
    pub fn reset(&self, client: ClientKey, reason: RefusedFor) {
        lock(&self.counts).count(client, reason);
    }

    /// Updates the kernel's list; returns how many clients are dropped now. `standing` says how a client stands.
    ///
    /// # Errors
    /// The kernel accepts no filter. Returned once; after that no client is dropped, without an error.
    pub fn refresh(&self, standing: impl Fn(ClientKey) -> Standing) -> Result<usize, FilterFault> {
        let mut state = lock(&self.state);
        if state.support == Support::No {
            return Ok(0);
        }
        let busiest = {
            let mut counts = lock(&self.counts);
            counts.look(standing);
            counts.busiest(MAX_CLIENTS)
        };
        self.apply(&mut state, busiest)
    }

    /// How often the limits of the filter acted.
    pub fn counts(&self) -> FilterCounts {
        FilterCounts {
            not_counted: lock(&self.counts).left_out(),
            not_fitting: lock(&self.state).not_fitting,
        }
    }

    /// Stops dropping clients, and clears the counts.
    ///
    /// # Errors
    /// The kernel does not detach the program.
    pub fn clear(&self) -> Result<(), FilterFault> {
        let mut state = lock(&self.state);
        lock(&self.counts).clear();
        self.apply(&mut state, Vec::new()).map(|_| ())
    }

    /// `busiest` is sorted: the busiest first.
    fn apply(
        &self,
        state: &mut FilterState,
        busiest: Vec<ClientKey>,
    ) -> Result<usize, FilterFault> {
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
            match self.attach_all(&clients) {
                Ok(()) => {
                    state.dropped = Some(clients);
                    return Ok(count);
                }
                Err(AttachFault::TooLong(_)) if count > 1 => state.fits = count / 2,
                Err(AttachFault::TooLong(error)) => return Err(self.give_up(state, error)),
                Err(AttachFault::Refused(error)) => return Err(self.give_up(state, error)),
            }
        }
    }

    fn give_up(&self, state: &mut FilterState, error: io::Error) -> FilterFault {
        state.support = Support::No;
        for socket in &self.sockets {
            // A program that the kernel did accept must not outlive the bans. The kernel may refuse this too, but
            // then no program is attached.
            let _ = socket.attach(&[]);
        }
        match Errno::from_io_error(&error) {
            Some(Errno::PERM | Errno::ACCESS) => FilterFault::NotPermitted,
            _ => FilterFault::Refused(error),
        }
    }

    fn attach_all(&self, clients: &[ClientKey]) -> Result<(), AttachFault> {
        self.sockets
            .iter()
            .try_for_each(|socket| socket.attach(clients))
    }
}

/// The filter's handle on one listening socket. It does not keep the socket open.
#[derive(Debug)]
pub struct SocketFilter {
    socket: Weak<Socket>,
    family: Family,
    /// Whether a program was ever attached: accepted sockets may have inherited it.
    used: AtomicBool,
}

/// Why a program is not attached.
enum AttachFault {
    /// A shorter one may be accepted.
    TooLong(io::Error),
    /// No program is accepted.
    Refused(io::Error),
}

impl SocketFilter {
    /// For a listening socket.
    ///
    /// # Errors
    /// The socket's family cannot be read.
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

    /// Detaches the program that an earlier process has left on a listening socket that outlived it. Connections that
    /// wait there have inherited it.
    pub fn clear_inherited(&self) {
        if let Some(socket) = self.socket.upgrade() {
            self.used.store(true, Ordering::Release);
            // An error means that there was none.
            let _ = socket.detach_filter();
        }
    }

    /// Detaches the program from an accepted socket, which inherits it from the listening one. Otherwise it
    /// would run on every packet, and cut off a session whose client is banned later.
    pub fn detach(&self, accepted: &impl AsFd) {
        if self.used.load(Ordering::Acquire) {
            // An error means that there was none: accepted before the first program.
            let _ = SockRef::from(accepted).detach_filter();
        }
    }

    fn attach(&self, clients: &[ClientKey]) -> Result<(), AttachFault> {
        // A closed listener needs no filter.
        let Some(socket) = self.socket.upgrade() else {
            return Ok(());
        };
        if clients.is_empty() {
            return detach(&socket);
        }
        let program = program::build(clients, self.family);
        // The kernel's length has 16 bits, and the crate would truncate a longer one without an error.
        if program.len() > LONGEST {
            return Err(AttachFault::TooLong(Errno::NOMEM.into()));
        }
        let program: Vec<SockFilter> = program.into_iter().map(raw).collect();
        self.used.store(true, Ordering::Release);
        socket
            .attach_filter(&program)
            .map_err(|error| match Errno::from_io_error(&error) {
                Some(Errno::NOMEM | Errno::INVAL) => AttachFault::TooLong(error),
                _ => AttachFault::Refused(error),
            })
    }
}

fn detach(socket: &Socket) -> Result<(), AttachFault> {
    match socket.detach_filter() {
        // None was attached.
        Err(error) if Errno::from_io_error(&error) == Some(Errno::NOENT) => Ok(()),
        outcome => outcome.map_err(AttachFault::Refused),
    }
}

fn raw(instruction: Instruction) -> SockFilter {
    let Instruction { code, jt, jf, k } = instruction;
    SockFilter::new(code, jt, jf, k)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
