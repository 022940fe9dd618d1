//! secrets - which parts of a config's text are never shown
//!
//! What is found here stands as `…` in every excerpt and message, so that a secret reaches neither a terminal nor a journal.
//! The text need not be valid TOML, and the less it is the more is hidden: a value that does not end hides the rest of the file, and
//! of what is none every value is hidden (`torn`).
//! Not here: how the rest is shown (`source`), what keys mean (`raw`).

use std::ops::Range;

use super::similar;

pub(super) mod torn;

/// The keys whose values are secrets, wholly or in a part.
const KEYS: [&str; 4] = ["secret", "nonce", "webhook", "command"];

/// A key with one of these in it may have been meant to hold a secret, wherever it stands.
const PARTS: [&str; 9] = [
    "secret",
    "nonce",
    "hook",
    "token",
    "passw",
    "pwd",
    "credential",
    "api-key",
    "apikey",
];

/// Whether the value of this key is hidden. The paths of files with secrets are not; nor is `socket`, which differs from `secret` by two letters.
pub(super) fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase().replace('_', "-");
    let is_other = key.ends_with("-file") || matches!(&*key, "passwords" | "socket");
    // An escape may stand for any letter.
    let is_meant = PARTS.iter().any(|part| key.contains(part)) || key.contains('\\');
    !is_other && (is_meant || similar::meant(&key, &KEYS).is_some())
}

/// The parts of a config file that are not shown, in no order; they may overlap.
pub(super) fn spans(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    of_keys(text, &mut found);
    for (start, line) in lines(text) {
        of_urls(line, start, &mut found);
        of_users(line, start, &mut found);
    }
    found
}

/// The parts of a list of names that are not shown: everything behind the first colon or blank, where a password file has hashes.
pub(super) fn spans_beside_names(text: &str) -> Vec<Range<usize>> {
    let behind = |(start, line): (usize, &str)| {
        let begin = line.len() - line.trim_start().len();
        let name = line.get(begin..)?;
        let end = name.find(|letter: char| letter == ':' || letter.is_whitespace())?;
        Some(start + begin + end + 1..start + line.trim_end().len())
    };
    let found = lines(text).filter_map(behind);
    found.filter(|span| !span.is_empty()).collect()
}

/// Where the value of the key at `key` stands; none: it is no key.
pub(super) fn value_of(text: &str, key: &Range<usize>) -> Option<Range<usize>> {
    value_start(text, key).map(|start| value(text, start))
}

/// Each line, with where it starts.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut next = 0;
    text.split_inclusive('\n').map(move |line| {
        let start = next;
        next += line.len();
        (start, line)
    })
}

/// The values of secret keys, also in comments and in other values: a string that does not end swallows the keys behind it.
fn of_keys(text: &str, found: &mut Vec<Range<usize>>) {
    let mut at = 0;
    while let Some(rest) = text.get(at..) {
        let Some(begin) = rest.find(in_key) else {
            return;
        };
        let (_, word) = rest.split_at(begin);
        let word = word.find(|letter| !in_key(letter)).map_or(word, |end| {
            let (word, _) = word.split_at(end);
            word
        });
        let span = at + begin..at + begin + word.len();
        at = span.end;
        if is_secret(word)
            && let Some(value) = value_of(text, &span)
        {
            at = at.max(value.end);
            found.push(value);
        }
    }
}

fn in_key(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | '-' | '\\')
}

fn is_blank(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\r')
}

fn is_quote(letter: char) -> bool {
    matches!(letter, '"' | '\'')
}

/// Where the value of the key at `word` starts; none: it is no key.
fn value_start(text: &str, word: &Range<usize>) -> Option<usize> {
    let (before, _) = text.split_at(word.start);
    let (_, behind) = text.split_at(word.end);
    let mut rest = behind.trim_start_matches(|one| is_blank(one) || is_quote(one));
    while let Some(tail) = rest.strip_prefix('.') {
        rest = tail.trim_start_matches(|one| in_key(one) || is_blank(one) || is_quote(one));
    }
    let value = match rest.strip_prefix(['=', ':']) {
        Some(value) => value.trim_start_matches(|one| is_blank(one) || one == '='),
        // The first word of a line is a key whose sign was forgotten.
        None => {
            let leads = |one| in_key(one) || is_blank(one) || is_quote(one) || one == '.';
            let line = before.rsplit('\n').next()?;
            Some(behind.trim_start_matches(is_blank)).filter(|_| line.chars().all(leads))?
        }
    };
    // What does not stand on this line may stand on the next.
    let value = value.trim_start();
    (!value.is_empty()).then(|| text.len() - value.len())
}

/// The value that starts at `start`, without the quotes around it where it surely ends there.
fn value(text: &str, start: usize) -> Range<usize> {
    let (_, rest) = text.split_at(start);
    let line_end = |from: usize| {
        let behind = text.get(from..).and_then(|rest| rest.find('\n'));
        behind.map_or(text.len(), |at| from + at)
    };
    let (begin, end, behind) = match rest.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let marks: String = [quote; 3].iter().collect();
            let is_long = rest.starts_with(&marks);
            let width = if is_long { 3 } else { 1 };
            let marks = marks.get(..width).unwrap_or_default();
            match string_end(rest, marks) {
                Some(end) => (start + width, start + end, start + end + width),
                None => return start + width..text.len(),
            }
        }
        Some('[' | '{') => match bracket_end(rest) {
            Some(end) => (start, start + end, start + end),
            None => return start..text.len(),
        },
        _ => return start..line_end(start),
    };
    let end_of_line = line_end(behind);
    match ends_cleanly(text.get(behind..end_of_line).unwrap_or_default()) {
        true => begin..end,
        false => begin..end_of_line,
    }
}

/// Where the string ends that starts with `marks`: the offset of its last marks.
fn string_end(text: &str, marks: &str) -> Option<usize> {
    let mut at = marks.len();
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with(marks) {
            return Some(at);
        }
        let letter = rest.chars().next()?;
        if letter == '\n' && marks.len() == 1 {
            return None;
        }
        at += letter.len_utf8();
        if letter == '\\' && marks.starts_with('"') {
            at += text.get(at..)?.chars().next().map_or(0, char::len_utf8);
        }
    }
    None
}

/// Behind the bracket that closes the first one.
fn bracket_end(text: &str) -> Option<usize> {
    let (mut depth, mut at) = (0_u32, 0);
    while let Some(letter) = text.get(at..)?.chars().next() {
        match letter {
            '"' | '\'' => {
                let (_, rest) = text.split_at(at);
                let mut mark = [0; 4];
                at += string_end(rest, letter.encode_utf8(&mut mark))?;
            }
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += letter.len_utf8();
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// Whether what stands behind a value belongs to it no more: nothing, the end of a table, or a further key.
fn ends_cleanly(behind: &str) -> bool {
    let behind = behind.trim();
    let is_key = |rest: &str| {
        let rest = rest.trim_start_matches(|one| is_blank(one) || is_quote(one));
        let key = rest.trim_start_matches(in_key);
        let sign = key.trim_start_matches(|one| is_blank(one) || is_quote(one));
        key.len() < rest.len() && sign.starts_with(['=', '.'])
    };
    behind.is_empty()
        || behind.starts_with(['}', ']'])
        || behind.strip_prefix(',').is_some_and(is_key)
}

/// Behind `://`: what stands before the last `@`, a port that is no number, and the query.
fn of_urls(line: &str, start: usize, found: &mut Vec<Range<usize>>) {
    for (at, marks) in line.match_indices("://") {
        let begin = at + marks.len();
        let (before, _) = line.split_at(at);
        let (_, rest) = line.split_at(begin);
        let scheme = |one: char| one.is_ascii_alphanumeric() || matches!(one, '+' | '-' | '.');
        let quote = before.trim_end_matches(scheme).chars().next_back();
        let url = match quote.filter(|one| is_quote(*one)) {
            Some(quote) => within(rest, quote),
            None => rest.trim_end(),
        };
        let (begin, end) = (start + begin, start + begin + url.len());
        let host = url.rfind('@').unwrap_or(0);
        let (_, behind) = url.split_at(host);
        let authority = behind.split(['/', '?', '#']).next().unwrap_or_default();
        found.push(match ends_in_port(authority.trim_start_matches('@')) {
            true => begin..begin + host,
            false => begin..end,
        });
        if let Some(query) = behind.find(['?', '#']) {
            found.push(begin + host + query + 1..end);
        }
    }
}

/// Whether nothing stands behind a host, or a port: what is no number may be a password whose `@` is lost.
fn ends_in_port(authority: &str) -> bool {
    let behind = match authority.strip_prefix('[') {
        Some(address) => address.split_once(']').map(|(_, behind)| behind),
        None => authority
            .find(':')
            .map_or(Some(""), |at| authority.get(at..)),
    };
    let is_port = |behind: &str| {
        behind
            .strip_prefix(':')
            .map(|port| port.parse::<u16>().is_ok())
    };
    behind.is_some_and(|behind| behind.is_empty() || is_port(behind) == Some(true))
}

/// What stands before the quote that ends a value; a quote with other things behind it may be part of it.
fn within(text: &str, quote: char) -> &str {
    let is_end = |at: &usize| {
        let behind = text.get(at + 1..).unwrap_or_default().trim_start();
        behind.is_empty() || behind.starts_with([',', ']', '}', '#'])
    };
    let mut quotes = text.match_indices(quote).map(|(at, _)| at);
    let end = quotes.find(is_end);
    end.and_then(|end| text.get(..end))
        .unwrap_or(text.trim_end())
}

/// `name:password@` without a scheme before it.
fn of_users(line: &str, start: usize, found: &mut Vec<Range<usize>>) {
    for (at, _) in line.match_indices('@') {
        let (before, _) = line.split_at(at);
        let parts = |one: char| one.is_whitespace() || is_quote(one) || ",[{(=".contains(one);
        let name = before.rsplit(parts).next().unwrap_or_default();
        if name.contains(':') && !name.contains("://") {
            found.push(start + at - name.len()..start + at);
        }
    }
}

#[cfg(test)]
mod tests;
