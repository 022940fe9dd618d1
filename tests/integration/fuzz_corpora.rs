//! fuzz_corpora - the kept inputs of every fuzz target, replayed on stable
//!
//! What a fuzzer once found stays found: its input goes to `tests/fuzz/corpus`, and here it is run by
//! every `cargo test`, through the same functions.
//! Not here: looking for new inputs (`tests/fuzz`).

#[path = "../fuzz/bodies.rs"]
#[expect(unreachable_pub, reason = "it is a crate to the targets")]
pub(crate) mod bodies;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

type Body = fn(&[u8]);

/// The targets by their names.
const TARGETS: [(&str, Body); 15] = [
    ("line", bodies::line),
    ("command", bodies::command),
    ("reply", bodies::reply),
    ("sasl", bodies::sasl),
    ("dialogue", bodies::dialogue),
    ("policy", bodies::policy),
    ("proxy_header", bodies::proxy_header),
    ("hello", bodies::hello),
    ("ja4", bodies::ja4),
    ("link", bodies::link),
    ("image", bodies::image),
    ("journal", bodies::journal),
    ("logs", bodies::logs),
    ("session", bodies::session),
    ("state", bodies::state),
];

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz")
}

fn names(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect()
}

#[test]
fn every_kept_input_still_passes() {
    for (name, body) in TARGETS {
        let folder = fuzz().join("corpus").join(name);
        let mut inputs = 0;
        for entry in fs::read_dir(&folder).expect("a corpus") {
            let path = entry.expect("an entry").path();
            // Shown only if what follows fails.
            eprintln!("{}", path.display());
            body(&fs::read(&path).expect("an input"));
            inputs += 1;
        }
        assert!(inputs >= 5, "{name} keeps only {inputs} inputs");
    }
}

#[test]
fn every_target_has_a_corpus_and_is_replayed() {
    let replayed = TARGETS.map(|(name, _)| name.to_owned()).into();
    assert_eq!(names(&fuzz().join("targets")), replayed);
    assert_eq!(names(&fuzz().join("corpus")), replayed);
}
