//! mesh - two to five machines of a cluster that are linked with each other directly, without a store
//!
//! Each dials the others and is dialled; of two links between two machines one stays. A link is TLS under a key that is derived from
//! the machines' secret, so that only a machine that has it gets through, and no authority is needed.
//! Without a store nothing is lent: each machine has its part of every shared bucket for good.
//! Not here: reading it from the file (`config::mesh`), the tasks and what is told (`server::sharing::by_mesh`).

use std::fmt;
use std::net::SocketAddr;

mod greeting;
mod health;
mod identity;
mod mesh_clock;
mod run;
mod visitors;

pub mod frame;
pub mod link;

pub use self::greeting::{Greeting, LinkRefusal};
pub use self::health::{LinkFacts, MeshFacts, MeshHealth};
pub use self::identity::LinkIdentity;
pub use self::link::{Dialler, LinkContext, LinkFault, MeshLink, resolve};
pub use self::mesh_clock::MeshClock;
pub use self::run::{LinkEvent, LinkId};
pub use self::visitors::{PortPlace, Visitors};

/// More machines than this are no mesh: every one has a link to every other.
pub const MOST_MACHINES: usize = 5;

/// Where this machine is linked with the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeshSettings {
    /// Where others dial this one; none: it is dialled by nobody.
    pub listen: Option<SocketAddr>,
    /// Where it dials the others. Its own place may be among them.
    pub peers: Vec<PeerAddress>,
}

/// Where a machine listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerAddress {
    /// A name or an address.
    pub host: String,
    /// A port.
    pub port: u16,
}

/// As the config has it.
impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        match host.contains(':') {
            true => write!(f, "[{host}]:{port}"),
            false => write!(f, "{host}:{port}"),
        }
    }
}
