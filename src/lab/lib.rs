//! lab - botnet, backend, certificate, traffic, models, plot: for demo, attack, simulate and benches
//!
//! Nothing here is part of the proxy, and nothing of the proxy's sockets or parsers is used here:
//! what stands in front of Gatepost and behind it must not share its mistakes.
//! Everything stays on loopback and is bounded in count and in time.

use std::process::ExitCode;

use clap::Subcommand;

pub mod any_certificate;
pub mod attack;
pub mod backend;
pub mod botnet;
pub mod certificate;
pub mod demo;
pub mod load;
pub mod models;
pub mod numbers;
pub mod plot;
pub mod simulate;
pub mod table;
pub mod traffic;

mod board;
mod screen;
mod wire;

/// The commands of the lab.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "clap takes a command's help from its Args")]
pub enum LabCommand {
    Demo(demo::DemoArgs),
    Attack(attack::AttackArgs),
    Simulate(simulate::SimulateArgs),
}

impl LabCommand {
    /// Runs the command to its end.
    pub fn run(&self) -> ExitCode {
        match self {
            Self::Demo(args) => demo::run(args),
            Self::Attack(args) => attack::run(args),
            Self::Simulate(args) => simulate::run(args),
        }
    }
}
