//! torn - which parts of a config that is no TOML are not shown: every value, and every line without a key or table that there is
//!
//! One sign too many, and a secret stands under no key that is known, or under none at all. So nothing is shown of such a file but
//! the names of keys and tables, as far as they are known, with a typing error or a stray sign in them at most. Line and column of
//! a fault are true ones all the same.
//! Not here: valid files (`secrets`), the faults (`read`).

use std::ops::Range;

use super::{is_blank, lines};
use crate::config::similar;

/// Every key and table there is stands here.
const MANUAL: &str = include_str!("../../../../config/gatepost.toml");

/// The parts of the text that are not shown.
pub(in crate::config) fn spans(text: &str) -> Vec<Range<usize>> {
    let names = names();
    let hidden = lines(text).map(|(start, line)| {
        let (shown, _) = line.split_at(name_end(line));
        let begin = match is_known(shown, &names) {
            true => shown.len(),
            false => 0,
        };
        start + begin..start + line.trim_end_matches(['\n', '\r']).len()
    });
    hidden.filter(|span| !span.is_empty()).collect()
}

/// Where the key or the table of a line ends, with the sign behind a key.
fn name_end(line: &str) -> usize {
    let begin = line.len() - line.trim_start().len();
    let (_, rest) = line.split_at(begin);
    let of_rest = match rest.starts_with('[') {
        true => match rest.find(['=', '"', '\'', '#', ',']) {
            Some(sign) => sign,
            None => rest.rfind(']').map_or(rest.trim_end().len(), |end| end + 1),
        },
        false => match rest.find(['=', ':']) {
            Some(sign) => {
                let (_, value) = rest.split_at(sign + 1);
                rest.len() - value.trim_start_matches(is_blank).len()
            }
            None => rest.find(char::is_whitespace).unwrap_or(rest.len()),
        },
    };
    begin + of_rest
}

/// Whether there is nothing in it but known names and signs.
fn is_known(shown: &str, names: &[&str]) -> bool {
    shown.split('.').all(|part| {
        let letter = |one: &char| one.is_alphanumeric() || matches!(one, '-' | '_');
        let name: String = part.chars().filter(letter).collect();
        similar::meant(&name, names).is_some()
    })
}

/// The names of all keys and tables.
fn names() -> Vec<&'static str> {
    let written = MANUAL
        .lines()
        .map(|line| line.trim_start_matches(['#', ' ']));
    let written = written.filter_map(|line| match line.strip_prefix('[') {
        Some(table) => table.split(']').next(),
        None => Some(line.split_once(" = ")?.0),
    });
    let names = written.flat_map(|line| line.split(['.', '[', '"', ' ']));
    names.filter(|name| !name.is_empty()).collect()
}
