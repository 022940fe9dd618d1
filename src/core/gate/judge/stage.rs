//! stage - the two stages of a judgement: before an attempt has a turn, and in it
//!
//! Not here: what is judged in each (`judge`), the turns (`queue`).

use crate::gate::permit::{First, Verdict};
use crate::gate::queue::QueueClass;

/// The two stages differ in their answers, so that only the first can tell anybody to wait.
pub(in crate::gate) trait JudgementStage {
    /// What is answered.
    type Answer: From<Verdict>;

    /// What is answered to an attempt that must wait for a turn. None: this is its turn.
    fn wait(&self, class: QueueClass) -> Option<Self::Answer>;

    /// The class in which it has waited. None: it has not.
    fn class(&self) -> Option<QueueClass>;

    /// Whether an attempt of this class may go on: none may use the turn of a better one.
    fn admits(&self, class: QueueClass) -> bool;
}

/// Nothing is taken from an attempt that must wait for a turn.
pub(in crate::gate) struct BeforeTurn;

impl JudgementStage for BeforeTurn {
    type Answer = First;

    fn wait(&self, class: QueueClass) -> Option<First> {
        Some(First::Wait(class))
    }

    fn class(&self) -> Option<QueueClass> {
        None
    }

    fn admits(&self, _: QueueClass) -> bool {
        true
    }
}

/// It has a turn of this class.
pub(in crate::gate) struct InTurn(pub(in crate::gate) QueueClass);

impl JudgementStage for InTurn {
    type Answer = Verdict;

    fn wait(&self, _: QueueClass) -> Option<Verdict> {
        None
    }

    fn class(&self) -> Option<QueueClass> {
        Some(self.0)
    }

    fn admits(&self, class: QueueClass) -> bool {
        class <= self.0
    }
}
