//! botnet - simulated attackers and honest users, over real TLS sockets, on loopback only
//!
//! Every simulated client has an address of its own out of 127.0.0.0/8, so that a server counts it as
//! one. Everything is bounded in count, in time and in sockets at once, and stops when the drain begins.
//! [`attack()`] guesses, [`visit`] logs in and sends mails; each keeps a tally of what it saw.
//! Not here: what reached the server behind (`backend::Counters`); attacks without sockets and on
//! simulated time (`traffic`). The client's side of SMTP is written anew here, so that it does not
//! share the proxy's mistakes.

pub use self::attack::{AttackPlan, BotHabits, attack, bot_address, is_bot};
pub use self::honest::{HonestFigures, HonestPlan, HonestTally, HonestUser, user_address, visit};
pub use self::outcome::LoginOutcome;
pub use self::tally::{AttemptFigures, AttemptTally};
pub use self::target::{Target, TargetFault, TargetTls, TrustedCertificates};
pub use self::wordlists::{NAMES, PASSWORDS};

mod attack;
mod connection;
mod honest;
mod outcome;
mod tally;
mod target;
mod wordlists;

#[cfg(test)]
mod tests;
