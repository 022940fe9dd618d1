//! feedback - how soon an honest client comes again, and with which password
//!
//! Not here: what it was answered (`run`).

use std::time::Duration;

use crate::traffic::planned::FirstTry;
use crate::traffic::random::Random;
use crate::traffic::scenario::Patience;
use crate::traffic::{HOUR, MINUTE, SECOND, SimulationPlan};

const RETYPED: Duration = SECOND.saturating_mul(20);
const RETYPED_LATEST: Duration = SECOND.saturating_mul(60);
const RETRY: Duration = MINUTE.saturating_mul(5);
const LONGEST: Duration = HOUR;

/// How soon honest clients come again.
#[derive(Debug)]
pub(super) struct Feedback {
    patience: Patience,
    random: Random,
}

impl Feedback {
    pub(super) fn new(patience: Patience, plan: &SimulationPlan) -> Self {
        let random = Random::new(plan.seed, "feedback");
        Self { patience, random }
    }

    /// After a mistyped password was rejected.
    pub(super) fn retyped(&mut self) -> Duration {
        match self.patience {
            Patience::Even => RETYPED,
            Patience::Doubling => self.random.between(RETYPED, RETYPED_LATEST),
        }
    }

    /// After so many refusals.
    pub(super) fn retry(&self, refusals: u32) -> Duration {
        match self.patience {
            Patience::Even => RETRY,
            Patience::Doubling => (RETRY * (1 << refusals.saturating_sub(1).min(8))).min(LONGEST),
        }
    }
}

/// The password that is tried after this one was wrong.
pub(super) fn next_try(wrong: FirstTry) -> FirstTry {
    match wrong {
        FirstTry::Former(left @ 2..) => FirstTry::Former(left - 1),
        FirstTry::Mistyped(left @ 2..) => FirstTry::Mistyped(left - 1),
        _ => FirstTry::Right,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::Beside;

    #[test]
    fn a_refused_client_comes_after_five_minutes_then_after_twice_as_long_up_to_an_hour() {
        let plan = SimulationPlan {
            mailboxes: 1,
            days: 1,
            seed: 1,
            daily: 1,
            pool: 1,
            without: None,
            beside: Beside::Nothing,
            machines: 1,
        };
        let minutes = |patience| {
            let feedback = Feedback::new(patience, &plan);
            [1, 2, 4, 5, 30].map(|refusals| feedback.retry(refusals).as_secs() / 60)
        };
        assert_eq!(minutes(Patience::Doubling), [5, 10, 40, 60, 60]);
        assert_eq!(minutes(Patience::Even), [5; 5]);
    }

    #[test]
    fn the_former_password_is_tried_as_often_as_it_is_said_and_then_the_right_one() {
        assert_eq!(next_try(FirstTry::Former(3)), FirstTry::Former(2));
        assert_eq!(next_try(FirstTry::Former(1)), FirstTry::Right);
        assert_eq!(next_try(FirstTry::Mistyped(1)), FirstTry::Right);
    }
}
