//! core - what decides: the language of SMTP, the gate, the readers of old logs
//!
//! Pure: no runtime, no log, no file, no clock; time comes in as a [`moment::Moment`].

pub mod gate;
pub mod logs;
pub mod moment;
pub mod smtp;
