//! testing - what the unit tests of `config` share
//!
//! Not here: the files of the tests (`tests/config`).

use std::path::Path;

use toml::Spanned;

use super::finding::Findings;
use super::source::Source;
use super::value::Given;

/// Findings on an empty file.
pub(super) fn findings() -> Findings {
    Findings::new(Source::new(Path::new("test.toml"), String::new()))
}

/// A value with a position in the file.
pub(super) fn given<T>(value: T) -> Given<T> {
    Some(Spanned::new(0..0, value))
}
