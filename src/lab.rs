//! lab - botnet, backend, certificate, traffic, models, plot: for demo, attack, simulate and benches
//!
//! Nothing here is part of the proxy, and nothing of the proxy's sockets or parsers is used here:
//! what stands in front of Gatepost and behind it must not share its mistakes.
//! Everything stays on loopback and is bounded in count and in time.

pub mod backend;
pub mod botnet;
pub mod certificate;
pub mod load;
pub mod models;
pub mod plot;
pub mod traffic;
mod wire;
