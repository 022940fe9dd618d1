//! attacks - somebody who has read the source, against what is promised: a file an attack
//!
//! Each plays one attack as a script against the running program, with the real Postfix and Dovecot behind it
//! wherever they matter, and asserts the promise that the attack aimed at. All of them by one command:
//! `cargo test --test integration attacks::`. Each was seen to succeed against the build before its repair;
//! `GATEPOST_PROGRAM=/path/to/gatepost` before that command tries another build.
//! Not here: what a client may do by accident (`hostile`, `robust`).

mod broken_exchange;
mod names_by_reply;
mod names_by_time;
mod repeated_password;
mod slow_backend;
mod stolen_password;
