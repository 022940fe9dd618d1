//! buckets - what is counted: tokens, tries, words, and what was decided
//!
//! `spec` is the table of buckets with their `quota`, `key` says which row of a bucket an attempt pays from, `limit` decides
//! about one bucket, `table` holds the keyed ones in fixed memory, and `bucket` puts them together. `shared` is a bucket
//! that all clients pay, at a `level`; `division` says which part of it is this machine's own, `slice` what it was lent
//! of the rest. `route` holds the buckets that one attempt pays. `tries`, `words` and `repeats` remember passwords as
//! keyed hashes. `held` keeps the tokens of attempts without an outcome; `unsettled` counts the tokens of attempts that
//! may still have one; `spending` keeps what other machines are to be told. `counters` and `recent` are for the operator.
//! Not here: who is trusted (`gate::trust`), which buckets are asked, and when (`gate::ladder`).

pub mod counters;
pub mod credit;
pub mod division;
pub mod lender;
pub mod quota;
pub mod rate;
pub mod recent;
pub mod slice;
pub mod spec;

pub(in crate::gate) mod bucket;
pub(in crate::gate) mod held;
pub(in crate::gate) mod key;
pub(in crate::gate) mod level;
pub(in crate::gate) mod limit;
pub(in crate::gate) mod repeats;
pub(in crate::gate) mod route;
pub(in crate::gate) mod shared;
pub(in crate::gate) mod spending;
pub(in crate::gate) mod strike_count;
pub(in crate::gate) mod table;
pub(in crate::gate) mod tries;
pub(in crate::gate) mod unsettled;
pub(in crate::gate) mod words;
