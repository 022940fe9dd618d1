//! layers - the rules that a compiler does not know: which room may import which, headers, lengths
//!
//! Reads every file under `src`. The table says what the header of `src/lib.rs` says; where building
//! shows that it is wrong, both are changed in one commit. That the core knows no runtime and no log,
//! and that nobody imports the lab, the three crates hold already. Between files that stand beside each
//! other imports go one way only; a file and those below it may know each other.
//! Not here: what tests import.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// One row: these rooms, and the rows that they import beside their own.
struct Row {
    name: &'static str,
    rooms: &'static [&'static str],
    imports: &'static [&'static str],
}

const fn row_of(
    name: &'static str,
    rooms: &'static [&'static str],
    imports: &'static [&'static str],
) -> Row {
    Row {
        name,
        rooms,
        imports,
    }
}

/// The layers. A path belongs to the row with its longest beginning. A row may import itself.
#[rustfmt::skip]
const TABLE: &[Row] = &[
    row_of("words", &[
        "core::moment", "core::capacity",
        "core::smtp", "core::smtp::line", "core::smtp::command", "core::smtp::reply", "core::smtp::capabilities",
        "core::smtp::sasl",
        "core::gate::request::attempt", "core::gate::request::client", "core::gate::request::device", "core::gate::request::doors", "core::gate::request::keys",
        "core::gate::request::change", "core::gate::request::lists", "core::gate::request::names", "core::gate::request::networks", "core::gate::request::place",
        "core::gate::request::settings", "core::gate::request::suspicion", "core::gate::request::user_rule",
        "core::gate::request::verdict", "core::gate::buckets::spec", "core::gate::buckets::key",
        "core::gate::buckets::quota",
    ], &[]),
    row_of("dialogue", &["core::smtp::dialogue"], &["words"]),
    row_of("gate",     &["core::gate"],           &["words"]),
    row_of("logs",     &["core::logs"],           &["words"]),
    row_of("messages", &["daemon::admin", "daemon::admin::message"], &[]),
    row_of("clock",    &["daemon::clock", "daemon::drain", "daemon::files", "daemon::http_url", "daemon::owner", "daemon::places", "daemon::report", "daemon::known_passwords"], &["words"]),
    row_of("edges",    &["daemon::store", "daemon::history", "daemon::net", "daemon::cluster", "daemon::crowdsec", "daemon::admin::client"], &["words", "gate", "clock"]),
    row_of("judging",  &["daemon::judging"], &["words", "gate", "clock"]),
    row_of("session",  &["daemon::session"], &["words", "dialogue", "clock", "edges", "judging"]),
    row_of("doors",    &["daemon::auth_policy"], &["words", "clock", "edges", "judging", "session"]),
    row_of("web",      &["daemon::web"],     &["words", "messages", "clock", "edges"]),
    row_of("config",   &["daemon::config"],  &["words", "messages", "clock", "edges", "session", "doors", "web"]),
    row_of("server",   &["daemon::server"],  &["words", "gate", "messages", "clock", "edges", "judging", "session", "doors", "web", "config"]),
    row_of("commands", &["daemon::cli"], &["words", "gate", "logs", "messages", "clock", "edges", "doors", "config", "server"]),
    row_of("models",   &["lab::traffic", "lab::models"], &["words", "gate"]),
    row_of("lab",      &[
        "lab::backend", "lab::botnet", "lab::certificate", "lab::any_certificate", "lab::load", "lab::wire",
        "lab::numbers", "lab::table", "lab::plot",
    ], &["clock", "words"]),
    row_of("faces",    &["lab", "main", "manuals"], &["words", "clock", "config", "server", "commands", "models", "lab"]),
];

/// Inside `net`, each may import what stands to its left.
const NET: [&str; 11] = [
    "unread",
    "proxy_header",
    "tls",
    "http_client",
    "upstream",
    "splice",
    "filter",
    "admission",
    "listener",
    "unix_socket",
    "http",
];

/// Files that still import each other, by their modules, and why. A row that is no longer true fails.
const CIRCLES: &[(&str, &str)] = &[];

/// Names that stand for a type in more than one room, and why.
const SHARED_NAMES: &[(&str, &str)] = &[];

/// A file longer than this has more than one duty; tests may be longer.
const LONGEST_FILE: usize = 400;

#[test]
fn every_room_imports_what_its_row_lists_and_nothing_else() {
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for file in sources().into_iter().filter(File::stands_in_a_row) {
        let row = row(&file.module);
        for path in paths(&file.code, file.crate_name()) {
            let target = self::row(&path);
            used.insert((row.name, target.name));
            if target.name != row.name && !row.imports.contains(&target.name) {
                wrong.push(format!(
                    "{} ({}) imports {path} ({})",
                    file.name, row.name, target.name
                ));
            }
        }
    }
    for row in TABLE {
        for import in row.imports {
            if !used.contains(&(row.name, *import)) {
                wrong.push(format!("{} imports nothing of {import}", row.name));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn inside_net_each_imports_only_what_stands_to_its_left() {
    let mut wrong = Vec::new();
    for file in sources() {
        let Some(own) = place(&file.module) else {
            continue;
        };
        for path in paths(&file.code, file.crate_name()) {
            if place(&path).is_some_and(|other| other > own) {
                wrong.push(format!("{} imports {path}", file.name));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn files_that_stand_beside_each_other_import_one_way_only() {
    let found = circles(&sources());
    let known: BTreeSet<&str> = CIRCLES.iter().map(|(members, _)| *members).collect();
    let new = found.iter().filter(|circle| !known.contains(&***circle));
    let new: Vec<&String> = new.collect();
    assert!(new.is_empty(), "files import each other: {new:#?}");
    for circle in known {
        assert!(found.contains(circle), "no circle any more: {circle}");
    }
}

#[test]
fn the_core_reads_no_clock() {
    let mut wrong = Vec::new();
    for file in sources() {
        if file.crate_name() == "core" && file.code.contains("SystemTime::now") {
            wrong.push(file.name);
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn one_name_stands_for_one_type() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in sources() {
        for name in types(&file.code) {
            places.entry(name).or_default().push(file.name.clone());
        }
    }
    let is_shared = |(name, files): &(String, Vec<String>)| {
        let is_known = SHARED_NAMES.iter().any(|(shared, _)| shared == name);
        files.len() > 1 && !is_known
    };
    let shared: Vec<_> = places.into_iter().filter(is_shared).collect();
    assert!(shared.is_empty(), "{shared:#?}");
}

#[test]
fn every_file_opens_with_its_name_and_its_duty() {
    let mut wrong = Vec::new();
    for file in sources() {
        let stem = Path::new(&file.name).file_stem().unwrap().to_str().unwrap();
        let first = file.text.lines().next().unwrap_or_default();
        // The map has a title, and tests belong to the file beside them.
        let stem = match (stem, file.crate_name()) {
            ("lib", name) if !name.is_empty() => name,
            _ => stem,
        };
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

/// The sets of files that import each other, each by its modules with commas between. A file and those
/// below it may know each other.
fn circles(files: &[File]) -> BTreeSet<String> {
    let modules: BTreeSet<&str> = files.iter().map(File::path).collect();
    let mut imports: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for file in files {
        let mut paths = paths(&file.code, file.crate_name());
        paths.extend(relative_paths(&file.code, file.path()));
        let targets = paths.iter().filter_map(|path| module_of(path, &modules));
        let beside = targets.filter(|target| !is_above(target, file.path()));
        let beside = beside.filter(|target| !is_above(file.path(), target));
        imports.entry(file.path()).or_default().extend(beside);
    }
    let reach: BTreeMap<&str, BTreeSet<&str>> = imports
        .keys()
        .map(|from| (*from, reached(&imports, from)))
        .collect();
    let in_circle = |(one, others): (&&str, &BTreeSet<&str>)| {
        let back = |other: &&&str| reach.get(**other).is_some_and(|all| all.contains(one));
        let members: Vec<&str> = others.iter().filter(back).copied().collect();
        others.contains(one).then(|| members.join(", "))
    };
    reach.iter().filter_map(in_circle).collect()
}

/// Whether `module` is `other`, or `other` stands somewhere in it.
fn is_above(module: &str, other: &str) -> bool {
    other
        .strip_prefix(module)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// All that is imported from `start` on, by others in between too.
fn reached<'a>(imports: &BTreeMap<&'a str, BTreeSet<&'a str>>, start: &str) -> BTreeSet<&'a str> {
    let mut all = BTreeSet::new();
    let mut next: Vec<&str> = imports.get(start).into_iter().flatten().copied().collect();
    while let Some(module) = next.pop() {
        if all.insert(module) {
            next.extend(imports.get(module).into_iter().flatten());
        }
    }
    all
}

/// The file that a path leads into.
fn module_of<'a>(path: &str, modules: &BTreeSet<&'a str>) -> Option<&'a str> {
    let mut path = path;
    loop {
        if let Some(module) = modules.get(path) {
            return Some(module);
        }
        path = path.rsplit_once("::")?.0;
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
    /// All but the map and the crates' roots that only list modules.
    fn stands_in_a_row(&self) -> bool {
        !matches!(&*self.module, "lib" | "core::lib" | "daemon::lib")
    }

    /// Its module as others write it: the crate's root has the crate's name.
    fn path(&self) -> &str {
        self.module.strip_suffix("::lib").unwrap_or(&self.module)
    }

    /// `core`, `daemon`, `lab`; empty for the program.
    fn crate_name(&self) -> &str {
        self.module.split_once("::").map_or("", |(name, _)| name)
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

/// The types that are defined at the outermost level of a file.
fn types(code: &str) -> impl Iterator<Item = String> {
    code.lines().filter_map(|line| {
        let line = match line.strip_prefix("pub") {
            Some(rest) => rest.split_once(' ')?.1,
            None => line,
        };
        // `pub(in crate::gate) struct`: what stands in the brackets has a blank.
        let line = line.split_once(") ").map_or(line, |(_, rest)| rest);
        let (kind, rest) = line.split_once(' ')?;
        let is_type = matches!(kind, "struct" | "enum" | "trait" | "type");
        is_type.then(|| words(rest).next().unwrap_or_default().to_owned())
    })
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
fn place(path: &str) -> Option<usize> {
    let name = path.strip_prefix("daemon::net::")?.split("::").next()?;
    let place = NET.iter().position(|other| *other == name);
    assert!(
        place.is_some(),
        "net::{name} stands nowhere in the order of net"
    );
    place
}

/// Every path into one of the crates, from the crate `own`; braces are opened.
fn paths(code: &str, own: &str) -> Vec<String> {
    let mut paths = Vec::new();
    let beginnings = [
        ("crate::", own),
        ("gatepost_core::", "core"),
        ("gatepost_daemon::", "daemon"),
        ("gatepost_lab::", "lab"),
    ];
    for (beginning, name) in beginnings {
        for (at, found) in code.match_indices(beginning) {
            let before = &code[..at];
            let is_name = |letter: char| letter.is_alphanumeric() || letter == '_';
            // `pub(in crate::gate)` says who may see something, and imports nothing.
            if !before.ends_with(is_name) && !before.ends_with("(in ") {
                tree(&code[at + found.len()..], name, &mut paths);
            }
        }
    }
    paths
}

/// Every path that begins with `super::` or `self::` in the file of the module `own`.
fn relative_paths(code: &str, own: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for (at, found) in code
        .match_indices("super::")
        .chain(code.match_indices("self::"))
    {
        let before = &code[..at];
        let is_inside = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':';
        if before.ends_with(is_inside) || before.ends_with("(in ") {
            continue;
        }
        let (mut above, mut rest) = (own, &code[at..]);
        if found == "self::" {
            rest = &rest[found.len()..];
        }
        while let Some(behind) = rest.strip_prefix("super::") {
            rest = behind;
            above = above.rsplit_once("::").map_or("", |(above, _)| above);
        }
        tree(rest, above, &mut paths);
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
        return rest.strip_prefix('}').unwrap_or(rest);
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
        use crate::{drain, net::{self, tls::{Tls, TlsSettings as Ours}, *}};
        use gatepost_core::smtp::sasl::Mechanism;
        pub(in crate::gate) struct X(gatepost_core::moment::Moment, Vec<crate::report::Level>);
        fn f() { crate::store::open::<u8>(1); not_crate::x; }
    ";
    let expected = [
        "daemon::drain",
        "daemon::net",
        "daemon::net::tls::Tls",
        "daemon::net::tls::TlsSettings",
        "daemon::net",
        "daemon::report::Level",
        "daemon::store::open",
        "core::smtp::sasl::Mechanism",
        "core::moment::Moment",
    ];
    assert_eq!(paths(code, "daemon"), expected);
}

#[test]
fn relative_paths_are_followed_upwards() {
    let code = "
        use super::{a, b};
        use super::super::c::D;
        use self::e::F;
        pub(in super::g) fn f() { super::h(); crate::super_::i; }
    ";
    let expected = ["x::y::a", "x::y::b", "x::c::D", "x::y::h", "x::y::z::e::F"];
    assert_eq!(relative_paths(code, "x::y::z"), expected);
}

#[test]
fn circles_are_found_over_files_in_between() {
    let file = |module: &str, code: &str| File {
        name: String::new(),
        module: module.to_owned(),
        text: String::new(),
        code: code.to_owned(),
    };
    let files = [
        file("core::a", "use super::b::X;"),
        file("core::b", "use self::inner::Y; use crate::c;"),
        file("core::b::inner", "use super::X; use crate::free::Z;"),
        file("core::c", "use super::a;"),
        file("core::free", ""),
        file("core::lib", "use crate::a; use crate::b;"),
    ];
    assert_eq!(
        circles(&files),
        BTreeSet::from(["core::a, core::b, core::c".to_owned()])
    );
}

#[test]
fn the_longest_beginning_decides() {
    assert_eq!(row("core::gate::request::client::ClientKey").name, "words");
    assert_eq!(row("core::gate::requests").name, "gate");
    assert_eq!(row("core::smtp::dialogue::Action").name, "dialogue");
    assert_eq!(row("lab::traffic::run").name, "models");
    assert_eq!(row("lab::demo").name, "faces");
}

#[test]
fn comments_and_tests_are_no_code() {
    let text = "//! crate::a\n#[cfg(test)]\nmod tests;\nuse crate::b;\n// crate::c\n#[cfg(test)]\nmod tests {\n    use crate::d;\n}\n";
    assert_eq!(paths(&code(text), "core"), ["core::b"]);
}
