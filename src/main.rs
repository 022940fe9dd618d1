//! main - the program: words in, exit code out
//!
//! Not here: what the commands do (`cli`, a file a command).

use std::process::ExitCode;

fn main() -> ExitCode {
    gatepost::cli::main()
}
