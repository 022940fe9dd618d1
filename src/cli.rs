//! cli - a file a command

pub mod attack;
mod board;
pub mod check;
pub mod exit;
mod screen;
