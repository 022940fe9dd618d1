//! scenario - how each scenario is played
//!
//! A file for a few that belong together. Not here: their names, rows and goals (`rows`).

use crate::BenchResult;
use crate::bench::Bench;
use crate::results::Results;
use crate::rows::BenchScenario;

mod cluster;
mod crowd;
mod doors;
mod flood;
mod guesses;
mod handshake;
mod honest;
mod idle;
mod known;
mod logins;
mod refused;
mod stalled;
mod start;
mod watched;

/// Plays one, and files its figures.
pub(crate) fn play(
    scenario: BenchScenario,
    bench: &Bench,
    results: &mut Results,
) -> BenchResult<()> {
    match scenario {
        BenchScenario::Refused => refused::play(bench, results),
        BenchScenario::Handshake => handshake::play(bench, results),
        BenchScenario::Honest => honest::mails(bench, results),
        BenchScenario::Bulk => honest::bulk(bench, results),
        BenchScenario::Guess => guesses::in_a_session(bench, results),
        BenchScenario::Attack => guesses::attack(bench, results),
        BenchScenario::AttackBcrypt => guesses::attack_bcrypt(bench, results),
        BenchScenario::Idle => idle::memory(bench, results),
        BenchScenario::Strangers => idle::strangers(bench, results),
        BenchScenario::Logins => logins::play(bench, results),
        BenchScenario::Growing => logins::growing(bench, results),
        BenchScenario::Stalled => stalled::play(bench, results),
        BenchScenario::Flood => flood::play(bench, results),
        BenchScenario::Herd => flood::herd(bench, results),
        BenchScenario::Watched => watched::play(bench, results),
        BenchScenario::Known => known::play(bench, results),
        BenchScenario::Start => start::play(bench, results),
        BenchScenario::Crowd => crowd::play(bench, results),
        BenchScenario::Doors => doors::play(bench, results),
        BenchScenario::Cluster => cluster::play(bench, results),
    }
}

fn millis(micros: u64) -> f64 {
    micros as f64 / 1000.0
}
