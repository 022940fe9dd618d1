//! manuals - `gatepost manuals DIR`: man pages and completions, out of the program's own help and the commented config
//!
//! Only in builds with the feature `manuals`, which packages use once and do not install: what is shipped has no need of it.
//! man(7); gatepost.toml(5) is `config/gatepost.toml`, so that there is one manual.
//! Not here: what the help says (the daemon's `cli`, the lab).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};
use gatepost_daemon::cli::exit;

const CONFIG: &str = include_str!("../config/gatepost.toml");

/// Write man pages and completions
#[derive(Debug, clap::Args)]
pub(crate) struct ManualsArgs {
    /// Where to: the folder is made
    directory: PathBuf,
}

/// Writes all of them into the folder.
pub(crate) fn run(args: &ManualsArgs, command: Command) -> ExitCode {
    match write_all(&args.directory, command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => exit::fail(&fault),
    }
}

fn write_all(directory: &Path, mut command: Command) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut command, "gatepost", directory)?;
    }
    command.build();
    write_page(directory, command.clone().disable_help_subcommand(true))?;
    let shown = command.get_subcommands();
    for inner in shown.filter(|inner| !inner.is_hide_set() && inner.get_name() != "help") {
        let name = format!("gatepost-{}", inner.get_name());
        write_page(directory, inner.clone().display_name(name))?;
    }
    fs::write(directory.join("gatepost.toml.5"), config_page().render())
}

fn write_page(directory: &Path, command: Command) -> io::Result<()> {
    let name = command.get_display_name().unwrap_or("gatepost").to_owned();
    let mut page = Vec::new();
    Man::new(command).manual("Gatepost").render(&mut page)?;
    fs::write(directory.join(format!("{name}.1")), page)
}

/// The config's comments as text, its keys and examples as they stand.
fn config_page() -> Roff {
    let mut page = Roff::new();
    let title = ["gatepost.toml", "5", "", "Gatepost", "Gatepost"];
    page.control("TH", title);
    page.control("SH", ["NAME"]);
    page.text([roman("gatepost.toml - the config of Gatepost")]);
    page.control("SH", ["DESCRIPTION"]);
    let mut verbatim = Verbatim::No;
    // The first line is the name again.
    for line in CONFIG.lines().skip(1) {
        let comment = line
            .strip_prefix('#')
            .map(|text| text.strip_prefix(' ').unwrap_or(text));
        let wanted = match comment {
            Some(text) if !text.starts_with(' ') => Verbatim::No,
            _ => Verbatim::Yes,
        };
        let text = comment.unwrap_or(line);
        if text.is_empty() {
            verbatim.change(Verbatim::No, &mut page);
            page.control("PP", []);
            continue;
        }
        verbatim.change(wanted, &mut page);
        page.text([roman(text)]);
    }
    verbatim.change(Verbatim::No, &mut page);
    page.control("SH", ["SEE ALSO"]);
    page.text([roman("gatepost(1), gatepost-check(1)")]);
    page
}

/// Whether lines stand as they are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verbatim {
    Yes,
    No,
}

impl Verbatim {
    fn change(&mut self, wanted: Self, page: &mut Roff) {
        match (std::mem::replace(self, wanted), wanted) {
            (Self::No, Self::Yes) => {
                page.control("PP", []);
                page.control("RS", ["4"]);
                page.control("nf", []);
            }
            (Self::Yes, Self::No) => {
                page.control("fi", []);
                page.control("RE", []);
                page.control("PP", []);
            }
            _ => {}
        }
    }
}
