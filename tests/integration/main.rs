//! integration - Gatepost as a running program, among real and hostile peers
//!
//! One binary, a file a subject: `postfix` against the real Postfix and Dovecot, `session` and
//! `robust` against whatever a peer may do.
//! Not here: the dialogue as transcripts, the gate under a simulated clock (beside their rooms).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that does not find what it expects must panic"
)]

mod kit;
mod postfix;
mod robust;
mod session;
mod session_balancer;
mod session_config;
mod session_tls;
