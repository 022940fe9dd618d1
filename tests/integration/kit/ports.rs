//! ports - free TCP ports for programs that must be told theirs
//!
//! Below the ports that the kernel gives to outgoing connections, or one of those could take a port
//! between our look and the program's bind.

use std::net::{Ipv4Addr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

const FIRST: u32 = 12_000;
const COUNT: u32 = 20_000;

/// A port that nobody listens on, and that this process has not handed out before.
pub(crate) fn free() -> u16 {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    // Two test runs side by side begin at different places.
    let start = process::id().wrapping_mul(61);
    for _ in 0..COUNT {
        let taken = TAKEN.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + start.wrapping_add(taken) % COUNT;
        let port = u16::try_from(port).expect("FIRST + COUNT is below 65,536");
        if TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            return port;
        }
    }
    panic!("no free port between {FIRST} and {}", FIRST + COUNT);
}
