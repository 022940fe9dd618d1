//! make - writes a development certificate: `cargo run --example certs -- DIRECTORY [NAME]...`
//!
//! Not here: how it is made (`gatepost_lab::certificate`).

use std::error::Error;
use std::io::Write as _;
use std::path::Path;

use gatepost_daemon::clock::Clock;
use gatepost_lab::certificate::Authority;

const USAGE: &str = "usage: cargo run --example certs -- DIRECTORY [NAME]...";

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (directory, names) = words.split_first().ok_or(USAGE)?;
    let names: Vec<&str> = match names {
        [] => vec!["localhost", "127.0.0.1", "::1"],
        names => names.iter().map(String::as_str).collect(),
    };
    let authority = Authority::new(Clock::start().now())?;
    let files = authority
        .issue(&names)?
        .write(&authority, Path::new(directory))?;
    for file in [files.authority, files.chain, files.key] {
        writeln!(std::io::stdout(), "{}", file.display())?;
    }
    Ok(())
}
