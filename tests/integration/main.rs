//! integration - Gatepost from outside: its rooms by their public faces, and as a running program
//!
//! One binary, a file a subject. Not here: what one file alone must get right; its tests stand beside it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that does not find what it expects must panic"
)]

mod config;
mod dialogues;
mod history;
mod layers;
