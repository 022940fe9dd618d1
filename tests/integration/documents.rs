//! documents - README and manual say what is so: their links lead somewhere, their commands exist, their figures are those of the tables
//!
//! Not here: what the manual pages look like (`tests/manuals`), the commands of the installation (`tests/package/run` runs them).

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::kit::program;

const WITH_LINKS: [&str; 11] = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "benches/COMPARED.md",
    "benches/RESULTS.md",
    "config/manual/gatepost.1.md",
    "config/manual/gatepost-cluster.7.md",
    "config/manual/gatepost-doors.7.md",
    "config/manual/gatepost-judging.7.md",
    "config/manual/gatepost-migration.7.md",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|fault| panic!("{name}: {fault}"))
}

/// What stands in `](...)`.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| {
        let (link, _) = rest.split_once(')')?;
        Some(link)
    })
}

#[test]
fn every_link_leads_to_a_file() {
    for name in WITH_LINKS {
        let folder = root().join(name).parent().unwrap().to_owned();
        let text = text(name);
        for link in links(&text).filter(|link| !link.contains("://") && !link.starts_with('#')) {
            let file = link.split('#').next().unwrap();
            assert!(folder.join(file).exists(), "{name} links to {link}");
        }
    }
}

#[test]
fn the_readme_is_short() {
    let readme = text("README.md");
    let words = readme.split_whitespace().count();
    assert!(
        words < 1_550,
        "{words} words: what is too much for it belongs into config/manual"
    );
}

/// The commands that `--help` lists.
fn commands() -> BTreeSet<String> {
    let help = program::run(Command::new(env!("CARGO_BIN_EXE_gatepost")).arg("--help"));
    let (_, listed) = help.split_once("Commands:").expect("a list of commands");
    let listed = listed.split("Options:").next().unwrap();
    let first = |line: &str| Some(line.split_whitespace().next()?.to_owned());
    listed.lines().filter_map(first).collect()
}

#[test]
fn every_command_of_readme_and_manual_exists_and_the_manual_has_all() {
    let there = commands();
    let named = |text: &str| -> BTreeSet<String> {
        let lines = text
            .lines()
            .filter_map(|line| line.strip_prefix("gatepost "));
        let word = |line: &str| Some(line.split_whitespace().next()?.to_owned());
        lines.filter_map(word).collect()
    };
    for name in ["README.md", "config/manual/gatepost.1.md"] {
        let named = named(&text(name));
        assert!(
            named.len() > 5 && named.is_subset(&there),
            "{name}: {named:?} of {there:?}"
        );
    }
    let manual = named(&text("config/manual/gatepost.1.md"));
    // What is for trying out stands in the README.
    for command in there
        .iter()
        .filter(|command| !["demo", "help"].contains(&command.as_str()))
    {
        assert!(
            manual.contains(command),
            "gatepost(1) does not list {command}"
        );
    }
}

/// The cells of a table's row.
fn cells(line: &str) -> Vec<&str> {
    line.trim_matches('|').split('|').map(str::trim).collect()
}

#[test]
fn the_readmes_figures_are_those_of_the_whole_table() {
    let compared = text("benches/COMPARED.md");
    let row = |scenario: &str| {
        let line = compared
            .lines()
            .find(|line| line.starts_with(&format!("| {scenario} |")));
        cells(line.unwrap_or_else(|| panic!("{scenario} is not in the table")))
    };
    let head = row("scenario");
    let readme = text("README.md");
    let table = readme
        .lines()
        .skip_while(|line| !line.starts_with("| attack |"));
    let table: Vec<_> = table
        .take_while(|line| line.starts_with('|'))
        .map(cells)
        .collect();
    let scenarios = ["loud", "pool-10k", "one-account", "unique-fresh", "office"];
    assert_eq!(table.len(), 2 + scenarios.len());
    for (scenario, told) in scenarios.iter().zip(&table[2..]) {
        let row = row(scenario);
        for (column, figure) in table[0].iter().zip(told).skip(1) {
            let place = head
                .iter()
                .position(|name| name == column)
                .unwrap_or_else(|| panic!("{column}"));
            assert_eq!(row[place], *figure, "{scenario}, {column}");
        }
    }
}
