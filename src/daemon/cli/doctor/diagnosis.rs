//! diagnosis - one thing that `gatepost doctor` has looked at, and how it is
//!
//! Not here: what is looked at (the files beside this one), how it is printed (`doctor`).

use serde::Serialize;

/// How a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Condition {
    /// As it must be.
    Good,
    /// Could not be looked at, or could be better.
    Note,
    /// Must be changed.
    Wrong,
}

/// One line of the doctor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Diagnosis {
    /// What was looked at, in a word or two.
    pub(super) topic: &'static str,
    /// How it is.
    pub(super) state: Condition,
    /// What was found.
    pub(super) message: String,
    /// What to do.
    pub(super) cure: Option<String>,
}

impl Diagnosis {
    pub(super) fn good(topic: &'static str, message: impl Into<String>) -> Self {
        Self {
            topic,
            state: Condition::Good,
            message: message.into(),
            cure: None,
        }
    }

    pub(super) fn note(topic: &'static str, message: impl Into<String>) -> Self {
        Self {
            state: Condition::Note,
            ..Self::good(topic, message)
        }
    }

    pub(super) fn wrong(
        topic: &'static str,
        message: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        Self {
            state: Condition::Wrong,
            ..Self::good(topic, message)
        }
        .with_cure(cure)
    }

    pub(super) fn with_cure(mut self, cure: impl Into<String>) -> Self {
        self.cure = Some(cure.into());
        self
    }
}
