//! exit - exit codes, and the message of a failure
//!
//! 0: success; 1: a result is below its requirement (`simulate`, `replay`), or what was done is not on disk;
//! 2: usage, config or failure.

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

/// A result is below its requirement, or what was done is not on disk.
pub const BELOW_REQUIREMENT: u8 = 1;
/// Wrong usage, a fail config, or another failure.
pub const FAILURE: u8 = 2;

/// Prints the failure on standard error, and returns the exit code. A text of several lines, such as the
/// faults of a config, starts on a line of its own.
pub fn fail(fault: &dyn Display) -> ExitCode {
    let fault = fault.to_string();
    let gap = if fault.contains('\n') { '\n' } else { ' ' };
    let _ = writeln!(std::io::stderr(), "gatepost:{gap}{fault}");
    ExitCode::from(FAILURE)
}
