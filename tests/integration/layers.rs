//! layers - the house rules that a compiler does not know: who may import whom, headers, lengths
//!
//! Reads every file under `src`. The table says what the header of `src/lib.rs` says; where building
//! shows that it is wrong, both are changed in one commit.
//! Not here: paths by `super::`, for those stay in their room; what tests import.

use std::fs;
use std::path::{Path, PathBuf};

/// One row: these rooms, and what they may import beside themselves.
struct Row {
    name: &'static str,
    rooms: &'static [&'static str],
    may: &'static [&'static str],
    kind: Kind,
}

#[derive(PartialEq, Eq)]
enum Kind {
    /// No runtime, no log, no clock.
    Pure,
    Acting,
}

const fn pure(
    name: &'static str,
    rooms: &'static [&'static str],
    may: &'static [&'static str],
) -> Row {
    let kind = Kind::Pure;
    Row {
        name,
        rooms,
        may,
        kind,
    }
}

const fn acting(
    name: &'static str,
    rooms: &'static [&'static str],
    may: &'static [&'static str],
) -> Row {
    let kind = Kind::Acting;
    Row {
        name,
        rooms,
        may,
        kind,
    }
}

/// The layers. A path belongs to the row with its longest beginning. A row may import itself.
#[rustfmt::skip]
const TABLE: &[Row] = &[
    pure("words", &[
        "clock::Moment",
        "smtp", "smtp::line", "smtp::command", "smtp::reply", "smtp::capabilities", "smtp::sasl",
        "gate::client", "gate::attempt", "gate::verdict", "gate::settings",
        "admin", "admin::message",
    ], &[]),
    pure("dialogue", &["smtp::dialogue"], &["words"]),
    pure("gate",     &["gate"],           &["words"]),
    pure("history",  &["history"],        &["words"]),
    acting("clock",  &["clock", "drain", "report"], &["words", "gate"]),
    acting("doors",  &["store", "net", "admin::client"], &["words", "gate", "clock"]),
    acting("session", &["session"], &["words", "dialogue", "gate", "history", "clock", "doors"]),
    acting("config",  &["config"],  &["words", "dialogue", "gate", "history", "clock", "doors", "session"]),
    acting("server",  &["server"],  &["words", "dialogue", "gate", "history", "clock", "doors", "session", "config"]),
    acting("models",  &["lab::traffic", "lab::models", "lab::plot"], &["words", "gate", "history", "lab"]),
    acting("lab",     &["lab"], &["words", "clock", "models"]),
    acting("faces",   &["cli", "main"], &[
        "words", "dialogue", "gate", "history", "clock", "doors", "session", "config", "server", "models", "lab",
    ]),
];

/// Inside `net`, each may import what stands to its left.
const NET: [&str; 8] = [
    "proxy_header",
    "tls",
    "turns",
    "upstream",
    "splice",
    "filter",
    "admission",
    "listener",
];

/// A file longer than this has more than one duty; tests may be longer.
const LONGEST_FILE: usize = 400;

#[test]
fn no_room_imports_what_stands_below_it() {
    let mut wrong = Vec::new();
    for file in sources().into_iter().filter(File::stands_in_a_row) {
        let row = row(&file.module);
        for path in paths(&file.code) {
            let target = self::row(&path);
            if target.name != row.name && !row.may.contains(&target.name) {
                wrong.push(format!(
                    "{} ({}) imports crate::{path} ({})",
                    file.name, row.name, target.name
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn inside_net_nobody_imports_his_right_neighbours() {
    let mut wrong = Vec::new();
    for file in sources() {
        let Some(own) = door(&file.module) else {
            continue;
        };
        for path in paths(&file.code) {
            if door(&path).is_some_and(|other| other > own) {
                wrong.push(format!("{} imports crate::{path}", file.name));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn words_and_decisions_know_no_runtime_no_log_and_no_clock() {
    let mut wrong = Vec::new();
    for file in sources().into_iter().filter(File::stands_in_a_row) {
        let impure = ["tokio", "tracing", "SystemTime"];
        for word in impure
            .into_iter()
            .filter(|_| row(&file.module).kind == Kind::Pure)
        {
            if words(&file.code).any(|found| found == word) {
                wrong.push(format!("{} names {word}", file.name));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_file_opens_with_its_name_and_its_duty() {
    let mut wrong = Vec::new();
    for file in sources() {
        let stem = Path::new(&file.name).file_stem().unwrap().to_str().unwrap();
        let first = file.text.lines().next().unwrap_or_default();
        // The map of the house has a title, and tests belong to the file beside them.
        let is_free = stem == "lib" || is_for_tests(&file.module);
        let opens = first
            .strip_prefix(&format!("//! {stem} - "))
            .is_some_and(|duty| !duty.trim().is_empty());
        if !opens && !is_free {
            wrong.push(format!("{}: {first:?}", file.name));
        }
    }
    assert!(
        wrong.is_empty(),
        "want `//! name - duty`:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn no_file_is_longer_than_its_duty() {
    let mut wrong = Vec::new();
    for file in sources() {
        let lines = file.text.lines().count();
        if lines > LONGEST_FILE && !is_for_tests(&file.module) {
            wrong.push(format!("{}: {lines} lines", file.name));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_table_of_the_map_names_every_room_of_this_one() {
    let map = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let map: Vec<&str> = map
        .lines()
        .filter(|line| line.starts_with("//! |"))
        .collect();
    let map = map.join("\n");
    for room in TABLE.iter().flat_map(|row| row.rooms) {
        let last = room.rsplit("::").next().unwrap();
        assert!(
            words(&map).any(|word| word == last),
            "{room} is missing in src/lib.rs"
        );
    }
}

struct File {
    /// From the project's folder.
    name: String,
    /// `net::tls::resolver`.
    module: String,
    text: String,
    /// Without comments and tests; empty in a file for tests.
    code: String,
}

impl File {
    /// All but the map of the house.
    fn stands_in_a_row(&self) -> bool {
        self.module != "lib"
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<File> {
    let mut files = Vec::new();
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.extension() {
                _ if path.is_dir() => folders.push(path),
                Some(extension) if extension == "rs" => files.push(source(path)),
                _ => {}
            }
        }
    }
    assert!(files.len() > 20, "only {} files", files.len());
    files
}

fn source(path: PathBuf) -> File {
    let text = fs::read_to_string(&path).unwrap();
    let name = path.strip_prefix(root()).unwrap().display().to_string();
    let module = name
        .trim_start_matches("src/")
        .trim_end_matches(".rs")
        .replace('/', "::");
    let code = match is_for_tests(&module) {
        true => String::new(),
        false => code(&text),
    };
    File {
        name,
        module,
        text,
        code,
    }
}

fn is_for_tests(module: &str) -> bool {
    module
        .split("::")
        .any(|part| part == "tests" || part == "testing")
}

/// The lines that are no comments, up to the tests, which stand last.
fn code(text: &str) -> String {
    let mut code = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let begins_tests = line == "#[cfg(test)]"
            && lines
                .peek()
                .is_some_and(|next| next.starts_with("mod ") && next.ends_with('{'));
        if begins_tests {
            break;
        }
        if !line.trim_start().starts_with("//") {
            code += line;
            code.push('\n');
        }
    }
    code
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_')
}

/// The row that a path or a module belongs to.
#[track_caller]
fn row(path: &str) -> &'static Row {
    let is_in = |room: &&&str| {
        path.strip_prefix(**room)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    let longest = |row: &'static Row| {
        let rooms = row.rooms.iter().filter(is_in);
        rooms
            .map(|room| room.len())
            .max()
            .map(|length| (length, row))
    };
    let rows = TABLE.iter().filter_map(longest);
    rows.max_by_key(|(length, _)| *length)
        .unwrap_or_else(|| panic!("{path} stands in no row of the table"))
        .1
}

/// The place in [`NET`] of a path below `net`.
fn door(path: &str) -> Option<usize> {
    let door = path.strip_prefix("net::")?.split("::").next()?;
    let place = NET.iter().position(|name| *name == door);
    assert!(
        place.is_some(),
        "net::{door} stands nowhere in the order of net"
    );
    place
}

/// Every path that begins with `crate::`, without that; braces are opened.
fn paths(code: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for (at, found) in code.match_indices("crate::") {
        let before = &code[..at];
        let is_name = |letter: char| letter.is_alphanumeric() || letter == '_';
        // `pub(in crate::gate)` says who may see something, and imports nothing.
        if !before.ends_with(is_name) && !before.ends_with("(in ") {
            tree(&code[at + found.len()..], "", &mut paths);
        }
    }
    paths
}

/// Reads one path, or a tree in braces, below `above`. Returns what stands behind it.
fn tree<'a>(text: &'a str, above: &str, paths: &mut Vec<String>) -> &'a str {
    let mut rest = text.trim_start();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside.trim_start();
        while !rest.is_empty() && !rest.starts_with('}') {
            rest = tree(rest, above, paths).trim_start();
            rest = rest.trim_start_matches(',').trim_start();
        }
        return rest.trim_start_matches('}');
    }
    let end = rest
        .find(|letter: char| !letter.is_alphanumeric() && letter != '_' && letter != '*')
        .unwrap_or(rest.len());
    let (name, behind) = rest.split_at(end);
    let path = match (above, name) {
        ("", _) => name.to_owned(),
        (_, "self" | "*") => above.to_owned(),
        _ => format!("{above}::{name}"),
    };
    match behind.strip_prefix("::") {
        Some(below) if !below.starts_with('<') => tree(below, &path, paths),
        _ => {
            paths.push(path);
            // What follows up to the comma: ` as other`, or nothing. At least one letter is taken.
            let comma = behind.find([',', '}', ';', '\n']).unwrap_or(behind.len());
            match behind.get(comma..) {
                Some(next) if end > 0 || comma > 0 => next,
                _ => behind.get(1..).unwrap_or_default(),
            }
        }
    }
}

#[test]
fn nested_imports_are_opened() {
    let code = "
        use crate::{drain, net::{self, tls::{Tls, Settings as Ours}, *}, smtp::sasl::Mechanism};
        pub(in crate::gate) struct X(crate::clock::Moment, Vec<crate::report::Level>);
        fn f() { crate::store::open::<u8>(1); not_crate::x; }
    ";
    let expected = [
        "drain",
        "net",
        "net::tls::Tls",
        "net::tls::Settings",
        "net",
        "smtp::sasl::Mechanism",
        "clock::Moment",
        "report::Level",
        "store::open",
    ];
    assert_eq!(paths(code), expected);
}

#[test]
fn the_longest_beginning_decides() {
    assert_eq!(row("clock::Moment").name, "words");
    assert_eq!(row("clock::Clock").name, "clock");
    assert_eq!(row("gate::client::ClientKey").name, "words");
    assert_eq!(row("gate::clientele").name, "gate");
    assert_eq!(row("smtp::dialogue::Action").name, "dialogue");
}

#[test]
fn comments_and_tests_are_no_code() {
    let text = "//! crate::a\n#[cfg(test)]\nmod tests;\nuse crate::b;\n// crate::c\n#[cfg(test)]\nmod tests {\n    use crate::d;\n}\n";
    assert_eq!(paths(&code(text)), ["b"]);
}
