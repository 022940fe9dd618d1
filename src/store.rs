//! store - what we keep: snapshot, journal, lock

use std::path::PathBuf;

/// Where the state is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The state directory, ours alone.
    pub directory: PathBuf,
}
