//! exit - exit codes, and the message of a failure
//!
//! 0: success; 1: a result is below its requirement (`simulate`, `replay`, `status`, `doctor`), nothing was there to
//! remove or explain, or what was done is not on disk; 2: usage, config or failure, and a result that cannot be written.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

/// A result is below its requirement, or what was done is not on disk.
pub const BELOW_REQUIREMENT: u8 = 1;
/// Wrong usage, a refused config, or another failure.
pub const FAILURE: u8 = 2;

/// Prints the failure on standard error, and returns the exit code. A text of several lines, such as the
/// faults of a config, starts on a line of its own.
pub fn fail(fault: &dyn Display) -> ExitCode {
    let fault = fault.to_string();
    let gap = if fault.contains('\n') { '\n' } else { ' ' };
    let _ = writeln!(std::io::stderr(), "gatepost:{gap}{fault}");
    ExitCode::from(FAILURE)
}

/// `code`, once the result was `written`.
pub fn after(written: io::Result<()>, code: ExitCode) -> ExitCode {
    match unless_closed(written) {
        Err(error) => fail(&error),
        Ok(()) => code,
    }
}

/// What came of writing a result. A reader that has closed the pipe needs no more; a disk that is full keeps no result.
///
/// # Errors
/// Every other fault.
pub fn unless_closed(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            let told = format!("the result cannot be written: {error}");
            Err(io::Error::new(error.kind(), told))
        }
        _ => Ok(()),
    }
}
