//! botnet - simulated attackers and honest users, over real TLS sockets, on loopback only
//!
//! Every simulated client has an address of its own out of 127.0.0.0/8, so that a server counts it as
//! one. All is bounded in count, in time and in sockets at once, and stops when the drain begins.
//! [`attack()`] guesses, [`visit`] logs in and sends mails; each keeps a tally of what it saw.
//! Not here: what reached the server behind (`backend::Counters`); attacks without sockets and on
//! simulated time (`traffic`). The client's side of SMTP is written anew here, so that it does not
//! share the proxy's mistakes.

pub use self::attack::{Attack, Habits, attack, bot_address, is_bot};
pub use self::dictionary::{NAMES, PASSWORDS};
pub use self::honest::{Honest, HonestFigures, HonestTally, Person, person_address, visit};
pub use self::outcome::Outcome;
pub use self::tally::{Figures, Tally};
pub use self::target::{Target, TargetFault, TlsBegins, Trust};

mod attack;
mod connection;
mod dictionary;
mod honest;
mod outcome;
mod tally;
mod target;

#[cfg(test)]
mod tests;
