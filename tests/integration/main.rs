//! integration - Gatepost from outside: its rooms by their public faces, and as a running program
//!
//! One binary, a file a subject: `postfix` against the real Postfix and Dovecot, `session` and
//! `robust` against whatever a peer may do.
//! Not here: what one file alone must get right; its tests stand beside it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that does not find what it expects must panic"
)]

mod answers;
mod attacks;
mod ban_lists;
mod check_chains;
mod check_files;
mod config;
mod crowdsec;
mod demo;
mod dialogues;
mod documents;
mod fuzz_corpora;
mod guards;
mod history;
mod hostile;
mod ja4;
mod kit;
mod layers;
mod limits;
mod list_timer;
mod page;
mod postfix;
mod robust;
mod session;
mod session_balancer;
mod session_config;
mod session_crowd;
mod session_ends;
mod session_filter;
mod session_handshakes;
mod session_log;
mod session_octets;
mod session_reloads;
mod session_tls;
mod simulate;
mod soak;
mod state;
mod top;
mod web;
