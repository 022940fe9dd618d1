//! smtp - the language: lines, commands, replies, capabilities, SASL, and the dialogue before login
//!
//! Pure: octets in, decisions out. Not here: sockets and timeouts (`session`), who may log in (`gate`).

pub mod capabilities;
pub mod command;
pub mod dialogue;
pub mod line;
pub mod reply;
pub mod sasl;
