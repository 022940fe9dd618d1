//! scenario - how each scenario is played
//!
//! A file for a few that belong together. Not here: their names, rows and goals (`rows`).

use crate::Outcome;
use crate::results::Results;
use crate::rows::Scenario;
use crate::stage::Stage;

mod crowd;
mod guesses;
mod handshake;
mod honest;
mod idle;
mod known;
mod logins;
mod refused;
mod start;

/// Plays one, and files its figures.
pub(crate) fn play(scenario: Scenario, stage: &Stage, results: &mut Results) -> Outcome<()> {
    match scenario {
        Scenario::Refused => refused::play(stage, results),
        Scenario::Handshake => handshake::play(stage, results),
        Scenario::Honest => honest::mails(stage, results),
        Scenario::Bulk => honest::bulk(stage, results),
        Scenario::Guess => guesses::in_a_session(stage, results),
        Scenario::Attack => guesses::attack(stage, results),
        Scenario::AttackBcrypt => guesses::attack_bcrypt(stage, results),
        Scenario::Idle => idle::memory(stage, results),
        Scenario::Strangers => idle::strangers(stage, results),
        Scenario::Logins => logins::play(stage, results),
        Scenario::Growing => logins::growing(stage, results),
        Scenario::Known => known::play(stage, results),
        Scenario::Start => start::play(stage, results),
        Scenario::Crowd => crowd::play(stage, results),
    }
}
