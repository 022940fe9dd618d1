//! parts - what `status` shows of a backend, a certificate, the disk, a table, the process
//!
//! Not here: the whole of it (`message`).

use serde::{Deserialize, Serialize};

/// One address of Postfix.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpstreamMessage {
    /// As the config has it.
    pub address: String,
    /// `usable`, `unusable`, or `not-asked` before the first answer.
    pub state: String,
    /// Since when, RFC 3339.
    pub since: Option<String>,
    /// Why it cannot be used.
    pub reason: Option<String>,
    /// What to do.
    pub cure: Option<String>,
}

/// A certificate in use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateMessage {
    /// Its names.
    pub names: Vec<String>,
    /// The file of its chain.
    pub chain: String,
    /// When it expires, RFC 3339.
    pub expires: String,
    /// Whole days until then; 0 on the last one and after.
    pub days_left: u64,
    /// Whether it should have been renewed by now.
    pub is_due: bool,
    /// Why clients refuse it for its dates, if they do.
    pub problem: Option<String>,
}

/// The disk does not take the state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotKeptMessage {
    /// Since when, RFC 3339.
    pub since: String,
    /// What the disk said last.
    pub why: String,
}

/// The machines that share one bound.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterMessage {
    /// This machine.
    pub name: String,
    /// All of them.
    pub machines: Vec<String>,
    /// What of the shared buckets this machine may spend: `its-part`, `its-part-and-loans`, `loans` or `nothing`.
    pub in_force: String,
    /// The store that lends, if there is one.
    pub store: Option<LenderMessage>,
    /// The machines that the store has seen in the last day.
    pub seen: Vec<SeenMessage>,
    /// What the machines tell one another; none: nothing, for there is no `secret-file`.
    #[serde(default)]
    pub sharing: Option<SharingMessage>,
    /// The links between the machines, if they are linked directly.
    #[serde(default)]
    pub mesh: Option<MeshMessage>,
}

/// The links of a machine with the others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeshMessage {
    /// Where this machine listens for the others, if it does.
    pub listen: Option<String>,
    /// Why it cannot.
    pub unbound: Option<String>,
    /// The machine whose clock all have in common.
    pub clock: String,
    /// All other machines on the list.
    pub links: Vec<LinkMessage>,
    /// Places that are dialled in vain.
    pub without: Vec<PeerMessage>,
}

/// Another machine of a mesh.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkMessage {
    /// Its name.
    pub name: String,
    /// Whether it is linked.
    pub linked: bool,
    /// Since when it is, or is not, RFC 3339; none: it never was since this process began.
    pub since: Option<String>,
    /// Seconds since it said something.
    pub seen_s: Option<u64>,
    /// Where it is.
    pub address: Option<String>,
    /// The version of its gatepost.
    pub version: Option<String>,
    /// Whether it has the same list of machines.
    pub same_list: Option<bool>,
    /// Why it is not linked any more.
    pub reason: Option<String>,
}

/// A place that is dialled in vain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerMessage {
    /// As the config has it.
    pub address: String,
    /// Why there is no link.
    pub reason: String,
}

/// What machines tell one another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharingMessage {
    /// `shares`, `cut-off`, `in-part` where only some of the machines are linked, or `not-asked` before the first answer.
    pub state: String,
    /// Since when, RFC 3339.
    pub since: Option<String>,
    /// Why it is cut off.
    pub reason: Option<String>,
    /// Whether this machine has been told all that the others knew when it began, or missed something.
    pub whole: bool,
    /// Seconds by which the clock of the store, or of `mesh.clock`, is ahead of this machine's; negative: behind.
    pub clock_ahead_s: i64,
    /// Facts that this machine has told since its start.
    pub told: u64,
    /// Facts of others that were news here.
    pub taken: u64,
    /// Records that were damaged, or of no machine with this secret.
    pub dropped: u64,
    /// Machines with another secret.
    pub other_secret: Vec<String>,
}

/// The store that lends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LenderMessage {
    /// As the config has it.
    pub address: String,
    /// `lends`, `cut-off`, or `not-asked` before the first answer.
    pub state: String,
    /// Since when, RFC 3339.
    pub since: Option<String>,
    /// Why it does not lend.
    pub reason: Option<String>,
}

/// A machine that the store has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenMessage {
    /// Its name.
    pub name: String,
    /// Seconds since it was there.
    pub seen_s: u64,
    /// The version of its gatepost.
    pub version: String,
    /// Whether it has the same list of machines.
    pub same_list: bool,
}

/// The rows of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill {
    /// Used rows.
    pub used: u64,
    /// Available rows.
    pub capacity: u64,
    /// Rows evicted to make room, since the start.
    pub evicted: u64,
}

/// A database of `[places]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseMessage {
    /// Its path.
    pub path: String,
    /// What is in use: its kind and the day when it was made; none: nothing.
    pub in_use: Option<String>,
    /// Why the file that stands there is not in use.
    pub fault: Option<String>,
}

/// What a process takes of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProcessMessage {
    /// Memory that is in use, in octets.
    pub resident_octets: u64,
    /// Addresses that are in use, in octets.
    pub virtual_octets: u64,
    /// Processor time, in seconds.
    pub cpu_s: f64,
    /// Open files.
    pub open_files: u64,
    /// How many there may be.
    pub open_files_limit: u64,
}
