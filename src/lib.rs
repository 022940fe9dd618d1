//! Gatepost: an SMTP submission proxy that judges every login attempt before Postfix sees it.
//!
//! The map of crates, modules and layers; the terms are explained in [`core`]. Three crates: [`core`] decides and touches nothing, [`daemon`] acts, [`lab`] imitates attackers
//! and backends for demo, attack, simulate and the benches. The way of one session:
//!
//! ```text
//! net::listener -> net::admission -> net::tls -> session -> net::upstream -> net::splice
//!                                                |     |
//!                                   smtp::dialogue     judging -> gate
//!                                what is answered      who may try a password,
//!                                  before a login      and what an outcome costs
//! ```
//!
//! Beside it go the gate's changes (a ban began): `judging` sends them to `server::persist`, which tells the log
//! and has `store::journal` and `store` write them to the disk. An operator's question comes over `admin`, and
//! `server::operator` answers it from the gate.
//!
//! | crate | module | duty | begin with |
//! |---|---|---|---|
//! | core | `moment` | a point in time, always an argument | |
//! | core | `capacity` | gives the memory of a hash map back when a crowd has left it | |
//! | core | `smtp` | the language: lines, commands, replies, capabilities, SASL; the dialogue before a login | `dialogue` |
//! | core | `gate` | the policy: `request` (what is asked), `buckets` (what is counted, and the wait for a token: `buckets::limit`), `trust` (who is familiar or banned), `state` (what is kept); `ladder`, `judge` and `settle` decide, `queue` and `sequence` put attempts in their order; `processes` shares out Postfix's | `judge`, `ladder`, `settle` |
//! | core | `logs` | old logs to login attempts, for `learn` and `replay` | `collector`, `parser` |
//! | daemon | `clock`, `drain` | moments; the end of the process | |
//! | daemon | `files`, `owner` | files that others may have prepared, read; directories of others, used as their owner | |
//! | daemon | `places` | where an address is in the world, by databases of the operator's | `Places` |
//! | daemon | `net` | everything that touches a client's or Postfix's socket; PROXY headers: `proxy_header` | `listener`, `upstream` |
//! | daemon | `judging` | the one way to judge a login: gate, queue, clock, and what is told of it | `Judging` |
//! | daemon | `auth_policy` | Dovecot's questions about logins at its own doors | `AuthPolicy` |
//! | daemon | `session` | one client, from handshake to ending; all that have logged in: `registry` | `serve` |
//! | daemon | `store` | what is kept over a restart: snapshot, journal, keys, lock | `Store` |
//! | daemon | `cluster` | the machines that have one bound together | |
//! | daemon | `crowdsec` | CrowdSec's local API, which is asked for decisions and told of bans | |
//! | daemon | `known_passwords` | the owner's list of passwords that are known elsewhere | |
//! | daemon | `history` | what an operator may ask about later: decisions, counters by the hour, outages, bans; in SQLite, by a thread of its own | `reader`, `historian` |
//! | daemon | `report` | what is told: log events and counters | `events` |
//! | daemon | `web` | what is answered over HTTP: metrics, health and the page | `WebHandler` |
//! | daemon | `config` | the file, checked, as each module's settings | `Config` |
//! | daemon | `admin` | the operator's socket: messages, and the client that asks | `message` |
//! | daemon | `server` | assembly: builds everything, owns every task, reloads, drains, answers operators | `Server` |
//! | daemon | `cli` | the commands, a file each | `run` |
//! | lab | `traffic`, `models` | synthetic months of honest users and attacks, for `simulate` | `traffic` |
//! | lab | `botnet`, `backend`, `certificate`, `any_certificate`, `load`, `wire` | the live attack and its surroundings, for `demo`, `attack` and the benches | `botnet` |
//! | lab | `numbers`, `table`, `plot`, `board`, `screen` | what was measured, as text and as pictures | |
//!
//! The layers, each importing only what stands above it. The core knows no runtime and no log, for its crate
//! depends on none, and reads no clock, which Clippy refuses (`disallowed-methods`). Its decisions never import each other. Inside `net`:
//! `proxy_header`, `tls`, `http_client`, `upstream`, `splice`, `filter`, `admission`, `listener`, `unix_socket`, `http`, each
//! importing only what stands to its left.
//!
//! | layer | modules |
//! |---|---|
//! | words | `moment`, `capacity`, `smtp::{line, command, reply, capabilities, sasl}`, `gate::request::{attempt, change, client, decided, device, doors, keys, lists, names, networks, place, settings, suspicion, user_rule, verdict}`, `gate::buckets::{key, quota, spec}` |
//! | decisions | `smtp::dialogue`; the rest of `gate`; `logs` |
//! | messages | `admin`, `admin::message`, beside the core: they import nothing of it |
//! | edges | `clock`, `drain`, `files`, `http_url`, `owner`, `places`, `report`, `known_passwords`; then `store`, `history`, `net`, `cluster`, `crowdsec`, `admin::client` |
//! | judging | `judging` |
//! | session | `session` |
//! | web | `web` |
//! | doors | `auth_policy` |
//! | config | `config` |
//! | server | `server` |
//! | faces | `cli`, `main`, `manuals`; `lab` beside them: its `traffic` and `models` may import the core, the rest words, `clock`, `drain` |
//!
//! The invariants: no password reaches Postfix without a `gate::permit::Permit`, and a permit is
//! settled whatever the client does; nothing that a stranger sends makes memory grow; not one octet is lost
//! at the hand-over; time comes in as a `moment::Moment`. `tests/integration/layers.rs` checks the table.
//!
//! The libraries are no API: what is public here may change with any release.

pub use gatepost_core as core;
pub use gatepost_daemon as daemon;
#[cfg(feature = "lab")]
pub use gatepost_lab as lab;
