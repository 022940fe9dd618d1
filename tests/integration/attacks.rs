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

mod connection_flood;
mod crowd_memory;
mod expelled;
mod feigned_outage;
mod first_week;
mod full_disk;
mod herd;
mod infected_office;
mod late_greeting;
mod links_as_root;
mod log_flood;
mod many_names;
mod new_office;
mod one_account;
mod operators_ban;
mod own_fault;
mod own_logins;
mod replaced_directory;
mod stalled_handshakes;
mod wrong_clock;

use std::sync::atomic::{AtomicBool, Ordering};

use crate::kit::client::{Client, auth_plain, loopback};
use crate::kit::mail::User;
use crate::kit::proxy::Proxy;

/// Ends an attack that goes on beside a test, also when the test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Logs in from 127.`net`.0.`host`: the open session, or the code that it was told; none: it was not admitted.
fn log_in(proxy: &Proxy, (net, host): (u8, u8), user: User<'_>) -> Result<Client, Option<u16>> {
    let mut client = proxy.try_client(loopback(net, host)).map_err(|_| None)?;
    client.try_reply().map_err(|_| None)?;
    client
        .try_say("EHLO laptop.example.net")
        .map_err(|_| None)?;
    match client.try_say(&auth_plain(user)) {
        Ok(reply) if reply.code == 235 => Ok(client),
        Ok(reply) => Err(Some(reply.code)),
        Err(_) => Err(None),
    }
}

/// Whether a session is served.
fn is_open(client: &mut Client) -> bool {
    client.try_say("NOOP").is_ok_and(|reply| reply.code == 250)
}
