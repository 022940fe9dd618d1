//! daemon - what acts: sockets, sessions, files, the log, the config, and the operator's commands
//!
//! What is decided, `gatepost-core` decides. Not here: imitated attacks and backends (`gatepost-lab`).

pub mod admin;
pub mod auth_policy;
pub mod cli;
pub mod clock;
pub mod cluster;
pub mod config;
pub mod crowdsec;
pub mod drain;
mod files;
pub mod history;
pub mod http_url;
pub mod judging;
pub mod known_passwords;
pub mod net;
mod owner;
pub mod places;
pub mod report;
pub mod server;
pub mod session;
pub mod store;
pub mod web;
