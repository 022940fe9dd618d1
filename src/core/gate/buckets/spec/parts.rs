//! parts - the table of buckets, or what a simulation leaves of it
//!
//! Not here: the table itself (`spec`), how words are folded (`words`).

use super::{BUCKETS, Bucket, BucketSpec, Payers, Reserve};

/// The buckets that attempts pay from, in their order, and what counts as a word. A simulation leaves
/// something out, to see what it is worth; else all of it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ladder {
    pub(in crate::gate) specs: [BucketSpec; BUCKETS.len()],
    pub(in crate::gate) folding: Folding,
    pub(in crate::gate) list: WordList,
}

/// What of a password is compared with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) enum Folding {
    /// Without the user's name, digits and signs.
    Cut,
    /// All of it.
    Whole,
}

/// Which passwords are words from the first attempt on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) enum WordList {
    /// The shipped list of common passwords.
    Common,
    Empty,
}

impl Default for Ladder {
    fn default() -> Self {
        Self {
            specs: BUCKETS,
            folding: Folding::Cut,
            list: WordList::Common,
        }
    }
}

impl Ladder {
    /// Without a bucket: its attempts pay from the next that fits.
    #[must_use]
    pub fn without_bucket(mut self, bucket: Bucket) -> Self {
        for spec in self.specs.iter_mut().filter(|spec| spec.bucket == bucket) {
            spec.payers = Payers::Nobody;
        }
        self
    }

    /// Without what some buckets keep for newcomers.
    #[must_use]
    pub fn without_newcomers(mut self) -> Self {
        for spec in &mut self.specs {
            spec.reserve = match spec.reserve {
                Reserve::Nothing | Reserve::Newcomers => Reserve::Nothing,
                Reserve::Retries | Reserve::Both => Reserve::Retries,
            };
        }
        self
    }

    /// Without what most buckets keep for attempts that were refused and come again.
    #[must_use]
    pub fn without_retries(mut self) -> Self {
        for spec in &mut self.specs {
            spec.reserve = match spec.reserve {
                Reserve::Nothing | Reserve::Retries => Reserve::Nothing,
                Reserve::Newcomers | Reserve::Both => Reserve::Newcomers,
            };
        }
        self
    }

    /// Without folding: only the very same password is the same word.
    #[must_use]
    pub fn without_folding(mut self) -> Self {
        self.folding = Folding::Whole;
        self
    }

    /// Without the list of common passwords.
    #[must_use]
    pub fn without_word_list(mut self) -> Self {
        self.list = WordList::Empty;
        self
    }
}
