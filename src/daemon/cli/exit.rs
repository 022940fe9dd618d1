//! exit - exit codes, and the last words before them
//!
//! 0 done; 1 found wanting (`simulate`, `replay`); 2 usage, config or failure.

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

/// Found wanting.
pub const WANTING: u8 = 1;
/// Usage, config or failure.
pub const FAILURE: u8 = 2;

/// Tells on standard error why nothing was done; what has several lines, as a config's faults have, below
/// the name.
pub fn refused(fault: &dyn Display) -> ExitCode {
    let fault = fault.to_string();
    let gap = if fault.contains('\n') { '\n' } else { ' ' };
    let _ = writeln!(std::io::stderr(), "gatepost:{gap}{fault}");
    ExitCode::from(FAILURE)
}
