//! kit - what the tests stand on: the programs around Gatepost, and Gatepost itself, running
//!
//! Everything is on loopback, on ports of its own, in folders that go with the test.
//! Not here: what is expected of them (the tests).

pub(crate) mod authority;
pub(crate) mod balancer;
pub(crate) mod browser;
pub(crate) mod client;
pub(crate) mod crowdsec;
pub(crate) mod doors;
pub(crate) mod http;
pub(crate) mod impostor;
pub(crate) mod machines;
pub(crate) mod mail;
pub(crate) mod network;
pub(crate) mod nginx;
pub(crate) mod other_clock;
pub(crate) mod ports;
pub(crate) mod program;
pub(crate) mod proxy;
pub(crate) mod records;
pub(crate) mod redis;
pub(crate) mod siege;
pub(crate) mod wait;
#[path = "../../src/daemon/places/tests/written.rs"]
pub(crate) mod written;
