//! Gatepost: an SMTP submission proxy that judges every login attempt before Postfix sees it.
//!
//! The map. The way of one session:
//!
//! ```text
//! net::listener -> net::admission -> net::tls -> session -> net::upstream -> net::splice
//!                                                |     |
//!                                   smtp::dialogue     gate
//!                                what is answered      who may try a password,
//!                                  before a login      and what an outcome costs
//! ```
//!
//! Beside it go the gate's events (a ban began): `session` hands them to `server::keeper`, which writes the
//! journal and the snapshots of `store` and tells the log. An operator's question comes over `admin`, and
//! `server::operator` answers it from the gate.
//!
//! | room | duty | begin with |
//! |---|---|---|
//! | `smtp` | the language: lines, commands, replies, capabilities, SASL; the dialogue before a login | `dialogue` |
//! | `gate` | the judge: buckets, familiar pairs, words, bans, and its state as octets | `judge`, `settle` |
//! | `history` | old logs to login attempts, for `learn` and `replay` | `listen` |
//! | `net` | the doors: everything that touches a client's or Postfix's socket | `listener`, `upstream` |
//! | `session` | one client, from handshake to ending | `serve` |
//! | `store` | what is kept over a restart: snapshot, journal, keys, lock | `Store` |
//! | `report` | what is told: log events and counters | `events` |
//! | `config` | the file, checked, as each room's settings | `Config` |
//! | `admin` | the operator's socket: messages, and the client that asks | `message` |
//! | `server` | assembly: builds everything, owns every task, reloads, drains, answers operators | `Server` |
//! | `lab` | botnet, backend and synthetic months, for demo, attack, simulate and the benches | `traffic`, `botnet` |
//! | `cli` | the commands, a file each | `run` |
//!
//! The layers, each importing only what stands above it. Words and decisions know no runtime, no log and no
//! clock, and decisions never import each other. Inside `net`: `proxy_header`, `tls`, `turns`, `upstream`,
//! `splice`, `filter`, `admission`, `listener`, each importing only what stands to its left.
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
//! The invariants: no password reaches Postfix without a [`gate::verdict::Permit`], and a permit is settled
//! whatever the client does; nothing that a stranger sends makes memory grow; not one octet is lost at the
//! hand-over; time comes in as a [`clock::Moment`]. `tests/integration/layers.rs` holds the house to the table.

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
