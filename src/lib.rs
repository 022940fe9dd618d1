//! Gatepost: an SMTP submission proxy that judges every login attempt before Postfix sees it.
//!
//! The map. The data's way of one session:
//!
//! ```text
//! net::listener -> net::admission -> net::tls -> session (smtp::dialogue) -> gate -> net::upstream -> net::splice
//! ```
//!
//! The layers, each importing only what stands above it:
//!
//! | layer | rooms |
//! |---|---|
//! | words | `clock::Moment`, `smtp::{line, command, reply, capabilities, sasl}`, `gate::{client, attempt, verdict, settings}`, `admin::message` |
//! | decisions | `smtp::dialogue`; the rest of `gate`; `history` |
//! | doors | `clock`, `drain`, `report`; then `store`, `net`, `admin::client` |
//! | session | `session` |
//! | config | `config` |
//! | server | `server` |
//! | lab | `lab`: its `traffic`, `models` and `plot` may import words, `gate`, `history`; the rest words, `clock`, `drain` |
//! | faces | `cli`, `main` |
//!
//! The invariants: no password reaches Postfix without a [`gate::verdict::Permit`]; nothing that a
//! stranger sends makes memory grow; time comes in as a [`clock::Moment`].

pub mod admin;
pub mod cli;
pub mod clock;
pub mod config;
pub mod drain;
pub mod gate;
pub mod history;
pub mod lab;
pub mod net;
pub mod report;
pub mod server;
pub mod session;
pub mod smtp;
pub mod store;
