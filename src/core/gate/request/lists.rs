//! lists - what a published list of networks may be, and what is told of one
//!
//! Not here: which client is on one (`trust::lists`).

use ipnet::IpNet;

use crate::gate::request::networks::canonical;
use crate::moment::Moment;

/// Sources that are kept.
pub const MOST_SOURCES: usize = 16;
/// Networks of one source.
pub const MOST_NETWORKS: usize = 200_000;
/// No network is wider than these.
const WIDEST_V4: u8 = 8;
const WIDEST_V6: u8 = 19;

/// Why a list is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListRefusal {
    /// One of its networks is wider than a list may name.
    Wide(IpNet),
    /// It has more networks than there is room for.
    Long,
    /// There are as many sources as there is room for.
    Sources,
}

/// One source's list, as the operator is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListEntry {
    /// What the operator calls it.
    pub source: String,
    /// Networks and addresses.
    pub networks: usize,
    /// When it ends.
    pub until: Moment,
}

/// A network on a list of which each entry has its own end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The network, or an address as a network of one.
    pub network: IpNet,
    /// When it ends.
    pub until: Moment,
}

/// What the keeper of such a list tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListingNews {
    /// All of it, in place of what was told before.
    Whole(Vec<Listing>),
    /// What has changed since it was last asked.
    Since {
        /// Not listed any more.
        ended: Vec<IpNet>,
        /// Listed since, or for longer.
        begun: Vec<Listing>,
    },
}

impl ListingNews {
    /// Whether it begins nothing.
    pub const fn is_empty(&self) -> bool {
        match self {
            Self::Whole(begun) | Self::Since { begun, .. } => begun.is_empty(),
        }
    }
}

/// What became of the news.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListingCounts {
    /// Networks that are held now.
    pub held: usize,
    /// Left out: wider than a list may name.
    pub wide: usize,
    /// Left out: there is no room for more.
    pub surplus: usize,
}

/// Whether a list may name this network.
pub fn is_narrow(network: IpNet) -> bool {
    match canonical(network) {
        IpNet::V4(v4) => v4.prefix_len() >= WIDEST_V4,
        IpNet::V6(v6) => v6.prefix_len() >= WIDEST_V6,
    }
}
