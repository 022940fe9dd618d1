//! attack - Gatepost beside its peers, under load and under attack: what does a session cost?
//!
//! `cargo bench --bench attack -- [SCENARIO…] [--quick] [--peers a,b] [--json FILE] [--report FOLDER]`
//!
//! Worrying: a ratio above its goal, which stands beside it in the table.
//! Everything runs on loopback, in a scratch folder, in control groups of its own; every server is
//! ended by its process id. Peers are measured in turns, and a figure is the median of the rounds.
//! Not here: the hot paths one by one (the other files in this folder).

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench prints what it measured"
)]

use std::process::ExitCode;

use clap::Parser as _;

mod arguments;
mod backend;
mod bench;
mod client;
mod cores;
mod group;
mod instructions;
mod load;
mod peer;
mod program;
mod report;
mod results;
mod rows;
mod scenario;
mod viewer;

/// Any error, ours, the system's or a server's: it is printed, and the bench goes on or ends.
type BenchResult<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> ExitCode {
    let arguments = arguments::Arguments::parse();
    match run(&arguments) {
        Ok(code) => code,
        Err(fault) => {
            eprintln!("attack: {fault}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &arguments::Arguments) -> BenchResult<ExitCode> {
    let missing = arguments.missing();
    if !missing.is_empty() {
        eprintln!("attack: these are missing, or name the peers you have with --peers:");
        eprintln!(
            "  apt-get install --no-install-recommends {}",
            missing.join(" ")
        );
        return Ok(ExitCode::from(2));
    }
    let bench = bench::Bench::build(arguments.programs(), arguments.extent())?;
    let mut results = results::Results::default();
    for scenario in arguments.scenarios() {
        eprintln!("== {}", scenario.name());
        if let Err(fault) = scenario::play(scenario, &bench, &mut results) {
            results.note(format!("{}: {fault}", scenario.name()));
        }
        print!("{}", results.table_of(scenario));
    }
    report::write(arguments, &bench, &results)?;
    Ok(ExitCode::SUCCESS)
}
