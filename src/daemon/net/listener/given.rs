//! given - listening sockets that systemd made and passes on, so that the port stays open while we restart
//!
//! sd_listen_fds(3): they are the descriptors from 3 on, `LISTEN_FDS` says how many, `LISTEN_FDNAMES` how their unit calls
//! them. They are for us where `LISTEN_PID` is our process, or is not there (`run --supervised` takes it away for its child).
//! Not here: which of them is a listener's (by its address, [`GivenSockets::take`]), what a listener does with it.

use std::env;
use std::io;
use std::net::SocketAddr;

use listenfd::ListenFd;
use socket2::Socket;

use super::socket::local_address;

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
    #[error("socket {0} of those that systemd passes cannot be used: {1}")]
    Io(usize, io::Error),
    /// It is no listening TCP socket.
    #[error(
        "socket {0} of those that systemd passes is no listening TCP socket: gatepost.socket needs ListenStream=PORT"
    )]
    NotListening(usize),
    /// Clients would wait there for ever.
    #[error(
        "systemd listens on {address} ({name}) for us, and no [[listen]] nor [auth-policy] has this address: clients would wait there for ever. \
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
        let mut sockets = ListenFd::from_env();
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let given = (0..sockets.len()).map(|number| {
            let name = names.next().unwrap_or_default().to_owned();
            adopt(&mut sockets, number, name)
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

fn adopt(sockets: &mut ListenFd, number: usize, name: String) -> Result<GivenSocket, GivenFault> {
    // It refuses what is no listening TCP socket.
    let listener = sockets.take_tcp_listener(number).ok().flatten();
    let socket = Socket::from(listener.ok_or(GivenFault::NotListening(number))?);
    let io = |error| GivenFault::Io(number, error);
    // No child of ours has a use for it.
    socket.set_cloexec(true).map_err(io)?;
    let address = local_address(&socket).map_err(io)?;
    Ok(GivenSocket {
        name,
        address,
        socket,
    })
}
