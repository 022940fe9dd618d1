//! guards - the table of guards fits the tree: every text is found once, and every test is there
//!
//! `tests/guards` takes the guards out and runs the tests; that takes long, and is done apart. This keeps
//! the table from rotting meanwhile.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rows() -> Vec<Table> {
    let text = fs::read_to_string(root().join("tests/guards.toml")).expect("the table");
    let table: Table = text.parse().expect("TOML");
    let rows = table["guard"].as_array().expect("rows").iter();
    rows.map(|row| row.as_table().expect("a row").clone())
        .collect()
}

fn text<'a>(row: &'a Table, key: &str) -> &'a str {
    let value = row.get(key).and_then(Value::as_str);
    value.unwrap_or_else(|| panic!("{key} is missing in {row}"))
}

fn tests(row: &Table) -> impl Iterator<Item = &str> {
    let tests = row["tests"].as_array().expect("a list of tests");
    assert!(!tests.is_empty(), "no test in {row}");
    tests.iter().map(|test| test.as_str().expect("a test"))
}

/// The file of a module, or that of the module around it: tests may stand in the same file.
fn file_of(folder: &Path, modules: &[&str]) -> Option<PathBuf> {
    (1..=modules.len()).rev().find_map(|length| {
        let file = folder
            .join(modules[..length].join("/"))
            .with_extension("rs");
        file.exists().then_some(file)
    })
}

/// Whether a test is there: `daemon net::splice::tests::name`, `integration robust::name`.
fn is_there(test: &str) -> bool {
    let (place, path) = test.split_once(' ').expect("a place and a name");
    let folder = match place {
        "integration" => root().join("tests/integration"),
        crate_name => root().join("src").join(crate_name),
    };
    let parts: Vec<&str> = path.split("::").collect();
    let (name, modules) = parts.split_last().expect("a name");
    let file = file_of(&folder, modules).map(|file| fs::read_to_string(file).expect("a source"));
    file.is_some_and(|source| source.contains(&format!("fn {name}(")))
}

#[test]
fn every_guard_of_the_table_stands_once_where_it_says() {
    let mut stale = Vec::new();
    for row in rows() {
        let (name, file) = (text(&row, "name"), text(&row, "file"));
        let source = fs::read_to_string(root().join(file)).unwrap_or_default();
        match source.matches(text(&row, "find")).count() {
            1 => {}
            count => stale.push(format!("{name}: found {count} times in {file}")),
        }
        for test in tests(&row).filter(|test| !is_there(test)) {
            stale.push(format!("{name}: no test {test}"));
        }
    }
    assert!(stale.is_empty(), "{}", stale.join("\n"));
}

#[test]
fn every_test_that_the_promises_name_is_there() {
    let promises = fs::read_to_string(root().join("SECURITY.md")).expect("the promises");
    let rows = promises.lines().filter(|line| line.starts_with('|'));
    let named = rows.flat_map(|row| row.split('`').filter(|part| part.contains("::")));
    let paths = named.filter(|part| !part.ends_with("::"));
    let tests: Vec<String> = paths
        .map(|path| format!("integration attacks::{path}"))
        .collect();
    assert!(!tests.is_empty(), "no promise names a test");
    let missing: Vec<_> = tests.iter().filter(|test| !is_there(test)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_row_says_what_changes_and_what_nobody_would_notice() {
    let rows = rows();
    for row in &rows {
        assert_ne!(text(row, "find"), text(row, "replace"), "{row}");
        assert!(!text(row, "unnoticed").is_empty(), "{row}");
        assert_eq!(row.len(), 6, "an unknown key in {row}");
    }
    let names: BTreeSet<&str> = rows.iter().map(|row| text(row, "name")).collect();
    assert_eq!(names.len(), rows.len(), "a name stands twice");
}
