//! buckets - what is counted: tokens, tries, words, and what was decided
//!
//! `table` holds the keyed buckets in fixed memory, `limit` is one GCRA check, `bucket` puts the two
//! together, and `route` says which buckets an attempt pays. `tries`, `words` and `repeats` remember
//! passwords as keyed hashes. `counters` and `recent` are for the operator.
//! Not here: who is trusted (`gate::trust`), when a bucket is asked (`gate::judge`).

pub mod counters;
pub mod rate;
pub mod recent;

pub(in crate::gate) mod bucket;
pub(in crate::gate) mod limit;
pub(in crate::gate) mod repeats;
pub(in crate::gate) mod route;
pub(in crate::gate) mod table;
pub(in crate::gate) mod tries;
pub(in crate::gate) mod words;
