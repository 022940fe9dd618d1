//! given - listening sockets that systemd made and passes on, so that the port stays open while we restart
//!
//! sd_listen_fds(3): they are the descriptors from 3 on, `LISTEN_FDS` says how many, `LISTEN_FDNAMES` how their unit calls
//! them. They are for us where `LISTEN_PID` is our process, or the one that started us and waits for our end (`run
//! --supervised`).
//! Not here: which of them is a listener's (by its address, [`GivenSockets::take`]), what a listener does with it.

use std::env;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use nix::unistd;
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, getppid, pidfd_getfd, pidfd_open};
use socket2::Socket;

use super::socket::local_address;

/// The first descriptor that is passed.
const FIRST: i32 = 3;

/// More than any unit has: a number in the environment is no reason to go through all descriptors.
const MOST: i32 = 64;

/// Sockets that no listener has taken yet.
#[derive(Debug, Default)]
pub struct GivenSockets(Vec<GivenSocket>);

#[derive(Debug)]
struct GivenSocket {
    name: String,
    address: SocketAddr,
    socket: Socket,
}

/// Why what was passed is of no use.
#[derive(Debug, thiserror::Error)]
pub enum GivenFault {
    /// The kernel refused.
    #[error("descriptor {0}, which systemd passes, cannot be used: {1}")]
    Io(i32, io::Error),
    /// It is no listening TCP socket.
    #[error(
        "descriptor {0}, which systemd passes, is no listening TCP socket: gatepost.socket needs ListenStream=PORT"
    )]
    NotListening(i32),
    /// Clients would wait there for ever.
    #[error(
        "systemd listens on {address} ({name}) for us, and no [[listen]] has this address: clients would wait there for ever. \
         Write address = \"{address}\" into the config, or take that ListenStream= out of gatepost.socket"
    )]
    Unused {
        /// Where it listens.
        address: SocketAddr,
        /// What its unit calls it.
        name: String,
    },
}

impl GivenSockets {
    /// Takes the sockets that were passed to this process; none where it was not started so. To be called once.
    ///
    /// # Errors
    /// A descriptor that is no listening socket.
    pub fn from_environment() -> Result<Self, GivenFault> {
        let count = number("LISTEN_FDS").unwrap_or(0).clamp(0, MOST);
        if count == 0 || !are_ours(number("LISTEN_PID")) {
            return Ok(Self::default());
        }
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let given = (FIRST..FIRST + count).map(|descriptor| {
            let name = names.next().unwrap_or_default().to_owned();
            adopt(descriptor, name)
        });
        Ok(Self(given.collect::<Result<_, _>>()?))
    }

    /// The socket that listens on this address.
    pub fn take(&mut self, address: SocketAddr) -> Option<Socket> {
        let at = self.0.iter().position(|given| given.address == address)?;
        Some(self.0.swap_remove(at).socket)
    }

    /// Whether every socket was taken.
    ///
    /// # Errors
    /// The first that was not.
    pub fn all_taken(mut self) -> Result<(), GivenFault> {
        match self.0.pop() {
            None => Ok(()),
            Some(GivenSocket { name, address, .. }) => Err(GivenFault::Unused { address, name }),
        }
    }
}

fn number(variable: &str) -> Option<i32> {
    env::var(variable).ok()?.parse().ok()
}

fn are_ours(owner: Option<i32>) -> bool {
    let parent = getppid().map(|pid| pid.as_raw_nonzero().get());
    owner.is_some_and(|owner| owner == getpid().as_raw_nonzero().get() || Some(owner) == parent)
}

/// Makes an owned descriptor of a number, by way of the kernel, which knows whether there is one; then closes the
/// first, which every child of ours would inherit.
fn adopt(descriptor: i32, name: String) -> Result<GivenSocket, GivenFault> {
    let io = |error: io::Error| GivenFault::Io(descriptor, error);
    let own = || -> io::Result<OwnedFd> {
        let ourselves = pidfd_open(getpid(), PidfdFlags::empty())?;
        let owned = pidfd_getfd(ourselves, descriptor, PidfdGetfdFlags::empty())?;
        unistd::close(descriptor)?;
        Ok(owned)
    };
    let socket = Socket::from(own().map_err(io)?);
    let listens = socket.is_listener().unwrap_or(false);
    let address = local_address(&socket);
    match (listens, address) {
        (true, Ok(address)) => Ok(GivenSocket {
            name,
            address,
            socket,
        }),
        _ => Err(GivenFault::NotListening(descriptor)),
    }
}
