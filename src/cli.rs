//! cli - a file a command

pub mod check;
