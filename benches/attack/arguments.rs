//! arguments - what the command line asks for, and what the machine lacks for it
//!
//! Not here: installing anything. What is missing is named with the line that installs it.

use std::path::{Path, PathBuf};

use crate::bench::{BenchExtent, BenchSize, Programs, ScratchFolder};
use crate::peer::PeerKind;
use crate::rows::BenchScenario;

/// Gatepost beside its peers, under load and under attack
#[derive(Debug, clap::Parser)]
#[command(name = "attack")]
pub(crate) struct Arguments {
    /// Only these scenarios; default: all
    #[arg(value_name = "SCENARIO")]
    named: Vec<BenchScenario>,
    /// One round, smaller counts: for a first look, not for publication
    #[arg(long)]
    quick: bool,
    /// Rounds in turns; a figure is their median
    #[arg(long, value_name = "COUNT", default_value_t = 3)]
    rounds: usize,
    /// Only these peers, with commas between
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    peers: Vec<PeerKind>,
    /// Another build of Gatepost, measured as `other`
    #[arg(long, value_name = "PROGRAM")]
    other: Option<PathBuf>,
    /// The Gatepost to measure; without this, the one that cargo built with the bench
    #[arg(long, value_name = "PROGRAM", default_value = env!("CARGO_BIN_EXE_gatepost"))]
    gatepost: PathBuf,
    /// Write all figures there
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write table and plots there
    #[arg(long, value_name = "FOLDER")]
    pub(crate) report: Option<PathBuf>,
    /// Keep the servers' configurations and logs
    #[arg(long)]
    keep: bool,
    /// Cargo passes this to every bench
    #[arg(long, hide = true)]
    bench: bool,
}

impl Arguments {
    /// What is to be played, in the order of the list.
    pub(crate) fn scenarios(&self) -> Vec<BenchScenario> {
        let wanted =
            |scenario: &BenchScenario| self.named.is_empty() || self.named.contains(scenario);
        BenchScenario::ALL.into_iter().filter(wanted).collect()
    }

    /// What to measure, how often and how much of it.
    pub(crate) fn extent(&self) -> BenchExtent {
        BenchExtent {
            kinds: self.kinds(),
            rounds: if self.quick { 1 } else { self.rounds.max(1) },
            size: if self.quick {
                BenchSize::Quick
            } else {
                BenchSize::Full
            },
        }
    }

    /// What is measured, and whether its files are kept.
    pub(crate) fn programs(&self) -> Programs {
        Programs {
            gatepost: self.gatepost.clone(),
            other: self.other.clone(),
            scratch: if self.keep {
                ScratchFolder::Kept
            } else {
                ScratchFolder::Removed
            },
        }
    }

    fn kinds(&self) -> Vec<PeerKind> {
        let there = |kind: &PeerKind| *kind != PeerKind::Other || self.other.is_some();
        let named = |kind: &PeerKind| self.peers.is_empty() || self.peers.contains(kind);
        PeerKind::ALL
            .into_iter()
            .filter(|kind| there(kind) && named(kind))
            .collect()
    }

    /// Debian's packages that are missing.
    pub(crate) fn missing(&self) -> Vec<&'static str> {
        let backend = [
            ("/usr/lib/postfix/sbin/master", "postfix"),
            ("/usr/sbin/dovecot", "dovecot-core"),
        ];
        let needs = self.kinds().into_iter().map(PeerKind::needs);
        let mut packages: Vec<&str> = backend
            .into_iter()
            .chain(needs)
            .filter(|(path, _)| !Path::new(path).exists())
            .map(|(_, package)| package)
            .collect();
        packages.sort_unstable();
        packages.dedup();
        packages
    }
}
