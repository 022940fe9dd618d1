//! manuals - `gatepost manuals DIR`: man pages and completions, out of the program's own help, the commented config and config/manual
//!
//! Only in builds with the feature `manuals`, which packages use once and do not install: what is shipped has no need of it.
//! man(7); gatepost.toml(5) is `config/gatepost.toml`, so that there is one manual.
//! Not here: what the help says (the daemon's `cli`, the lab), Markdown (`page`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};
use gatepost_daemon::cli::exit;

use page::Page;

mod page;

const CONFIG: &str = include_str!("../config/gatepost.toml");
const OPERATING: &str = include_str!("../config/manual/gatepost.1.md");
/// Pages that stand by themselves.
const PAGES: [&str; 4] = [
    include_str!("../config/manual/gatepost-cluster.7.md"),
    include_str!("../config/manual/gatepost-doors.7.md"),
    include_str!("../config/manual/gatepost-judging.7.md"),
    include_str!("../config/manual/gatepost-migration.7.md"),
];

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
    let first = first_page(without_help(&command))?;
    fs::write(directory.join("gatepost.1"), first)?;
    write_below(directory, "gatepost", &command)?;
    for markdown in PAGES {
        let page = Page::new(markdown);
        fs::write(directory.join(page.file()), page.whole())?;
    }
    fs::write(directory.join("gatepost.toml.5"), config_page().render())
}

/// A page for each command below this one.
fn write_below(directory: &Path, above: &str, command: &Command) -> io::Result<()> {
    for inner in command.get_subcommands() {
        if inner.is_hide_set() || inner.get_name() == "help" {
            continue;
        }
        let name = format!("{above}-{}", inner.get_name());
        write_page(directory, without_help(inner).display_name(&name))?;
        write_below(directory, &name, inner)?;
    }
    Ok(())
}

/// Without the command `help`, which has no page.
fn without_help(command: &Command) -> Command {
    command
        .clone()
        .disable_help_subcommand(true)
        .mut_subcommands(|inner| match inner.get_name() {
            "help" => inner.hide(true),
            _ => inner,
        })
}

/// The page of the program: what its help says, and what is the same for all commands.
fn first_page(command: Command) -> io::Result<Vec<u8>> {
    let (description, sections) = Page::new(OPERATING).parts();
    let version = command.get_version().unwrap_or_default().to_owned();
    let man = Man::new(command)
        .manual("Gatepost")
        .source(format!("gatepost {version}"));
    let mut page = page::WITH_TABLES.as_bytes().to_vec();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    page.extend(description.into_bytes());
    man.render_options_section(&mut page)?;
    man.render_subcommands_section(&mut page)?;
    page.extend(sections.into_bytes());
    Ok(page)
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
    let title = ["gatepost.toml", "5", page::NO_DATE, "Gatepost", "Gatepost"];
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
    page.text([roman("gatepost(1), gatepost-check(1), gatepost-judging(7)")]);
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
