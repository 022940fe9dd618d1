//! users - `gatepost users [NAMES]`: who is known, where from and since when
//!
//! Not here: one user in full (`explain`).

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{OperatorArgs, exit, print_json};
use crate::admin::message::{KnownUserMessage, Request, Response};

/// The longest list of names, in octets: what fits into a request.
const LONGEST: u64 = 600_000;

/// List the known users, with their networks and last login
///
/// The state has no names, only keyed hashes of them. Those who logged in since the start have their names here, and those that
/// the history has; to see the others, give yours: `doveadm user '*' | gatepost users -`. What remains is listed with its
/// hash, which is the same at every time.
#[derive(Debug, clap::Args)]
pub struct UsersArgs {
    /// A file with names, one a line, or - for standard input
    names: Option<PathBuf>,
    /// Only those with a name
    #[arg(long, requires = "names")]
    named: bool,
    #[command(flatten)]
    operator: OperatorArgs,
}

/// Sends the request to the running Gatepost.
pub fn run(args: &UsersArgs) -> ExitCode {
    let names = match args.names.as_deref().map(read).transpose() {
        Ok(text) => text.unwrap_or_default(),
        Err(fault) => return exit::fail(&fault),
    };
    let names = names.lines().map(|line| line.trim().to_owned()).collect();
    args.operator
        .send(&Request::Users { names }, |response, out| {
            show(response, args, out)
        })
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let source: Box<dyn Read> = match path.as_os_str() == "-" {
        true => Box::new(io::stdin().lock()),
        false => Box::new(std::fs::File::open(path).map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", path.display()))
        })?),
    };
    source.take(LONGEST + 1).read_to_string(&mut text)?;
    match text.len() as u64 > LONGEST {
        true => Err(io::Error::other(format!(
            "the names are more than {LONGEST} octets: give them in parts, with --named"
        ))),
        false => Ok(text),
    }
}

fn show(response: &Response, args: &UsersArgs, out: &mut dyn Write) -> io::Result<()> {
    let Response::Users(told) = response else {
        return print_json(out, response);
    };
    let named = told.users.iter().filter(|one| one.user.is_some()).count();
    for one in &told.users {
        if one.user.is_some() || !args.named {
            show_user(one, out)?;
        }
    }
    for name in &told.unknown {
        writeln!(out, "{name:<24} not known")?;
    }
    let nameless = told.users.len() - named;
    write!(out, "{} known users", told.users.len())?;
    match nameless {
        0 => writeln!(out),
        _ => writeln!(
            out,
            "; of {nameless} there is only the hash, for names are not kept: doveadm user '*' | gatepost users -"
        ),
    }
}

fn show_user(one: &KnownUserMessage, out: &mut dyn Write) -> io::Result<()> {
    let name = one.user.as_ref().unwrap_or(&one.id);
    let last = one.last_login.as_deref().unwrap_or("no login yet");
    write!(out, "{name:<24} {last:<22}")?;
    for place in &one.networks {
        write!(out, " {}", place.network)?;
    }
    match one.devices {
        0 => {}
        1 => write!(out, " and 1 device")?,
        devices => write!(out, " and {devices} devices")?,
    }
    if one.password_listed.is_some() {
        write!(out, "  its password is on the list")?;
    }
    writeln!(out)
}
