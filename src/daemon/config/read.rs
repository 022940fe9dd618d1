//! read - TOML to the raw keys; reports every unknown key and every wrong type
//!
//! serde stops at its first fault. So the faulty entry is reported and removed, and the rest is read
//! again. Each round removes one entry, so there are no more rounds than entries.
//! Not here: the keys (`raw`), and the meaning of their values (`sections`, `rules`). TOML 1.0.

use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Deserializer};

use super::finding::{Findings, Remark};
use super::{raw, secrets, similar};

/// The keys of the file. Those that cannot be read are left out and reported.
pub(super) fn read(text: &str, findings: &mut Findings) -> raw::RawFile {
    let (mut root, syntax) = DeTable::parse_recoverable(text);
    if !syntax.is_empty() {
        for fault in &syntax {
            let span = fault.span().unwrap_or(text.len()..text.len());
            let remark = Remark::at(span, fault.message());
            findings.refuse(match fault.message() {
                "duplicate key" => remark.help("keep one of the two"),
                _ => remark,
            });
        }
        for span in secrets::torn::spans(text) {
            findings.hide(span);
        }
        findings.note_partial();
        // After a syntax error, a key may seem to be in another table.
        return raw::RawFile::default();
    }
    loop {
        let fault = match raw::RawFile::deserialize(Deserializer::from(root.clone())) {
            Ok(file) => return file,
            Err(fault) => fault,
        };
        findings.note_partial();
        let span = fault.span().unwrap_or_default();
        findings.refuse(explain(fault.message(), span.clone()));
        // Under a mistyped key may stand what must not be shown.
        if fault.message().starts_with("unknown field ")
            && let Some(value) = secrets::value_of(text, &span)
        {
            findings.hide(value);
        }
        if !take_out_of_table(root.get_mut(), &span) {
            return raw::RawFile::default();
        }
    }
}

/// Whether this is not valid TOML, so that nothing in it can be relied on.
pub(super) fn is_malformed(text: &str) -> bool {
    !DeTable::parse_recoverable(text).1.is_empty()
}

/// Removes the innermost entry whose key or value is at `span`; false if there is none.
fn take_out_of_table(table: &mut DeTable<'_>, span: &Range<usize>) -> bool {
    if table
        .iter_mut()
        .any(|(_, value)| take_out_of_value(value.get_mut(), span))
    {
        return true;
    }
    let found = table
        .iter()
        .find(|(key, value)| covers(key, span) || covers(value, span))
        .map(|(key, _)| key.clone());
    found.is_some_and(|key| table.remove(&key).is_some())
}

fn take_out_of_value(value: &mut DeValue<'_>, span: &Range<usize>) -> bool {
    match value {
        DeValue::Table(table) => take_out_of_table(table, span),
        DeValue::Array(array) => take_out_of_array(array, span),
        _ => false,
    }
}

fn take_out_of_array(array: &mut DeArray<'_>, span: &Range<usize>) -> bool {
    if array
        .iter_mut()
        .any(|value| take_out_of_value(value.get_mut(), span))
    {
        return true;
    }
    let Some(at) = array.iter().position(|value| covers(value, span)) else {
        return false;
    };
    let mut rest = DeArray::new();
    for (index, value) in std::mem::replace(array, DeArray::new())
        .into_iter()
        .enumerate()
    {
        if index != at {
            rest.push(value);
        }
    }
    *array = rest;
    true
}

fn covers<T>(entry: &Spanned<T>, span: &Range<usize>) -> bool {
    let entry = entry.span();
    entry.start <= span.start && span.end <= entry.end
}

/// Rewords serde's messages. They have three forms: an unknown key, a value that is none of the choices
/// (both with the valid ones in backticks), and "found this, expected that".
fn explain(message: &str, span: Range<usize>) -> Remark {
    let Some((found, expected)) = message.split_once(", expected ") else {
        return Remark::at(span, message);
    };
    if let Some(key) = found.strip_prefix("unknown field ") {
        let remark = Remark::at(span, format!("unknown key {key}"));
        return remark.help(suggestion(key, expected, "the keys here are"));
    }
    if found.starts_with("unknown value ") {
        let value = found.trim_start_matches("unknown value ");
        return Remark::at(span, found).help(suggestion(value, expected, "write one of"));
    }
    let found = found
        .trim_start_matches("invalid type: ")
        .trim_start_matches("invalid value: ");
    let found = match found {
        "sequence" => "a list",
        "map" => "a table",
        other => other,
    };
    let expected = match expected {
        "a sequence" => "a list in brackets",
        "a boolean" => "true or false",
        "a string" => "a text in quotes",
        other => other,
    };
    match expected.split_once(", like ") {
        Some((expected, example)) => {
            Remark::at(span, format!("expected {expected}, found {found}"))
                .help(format!("for example {example}"))
        }
        None => Remark::at(span, format!("expected {expected}, found {found}")),
    }
}

/// "did you mean", where a valid name is similar, and all valid names.
fn suggestion(given: &str, expected: &str, introduction: &str) -> String {
    let valid: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    let all = format!("{introduction} `{}`", valid.join("`, `"));
    match similar::meant(given.trim_matches('`'), &valid) {
        Some(name) => format!("did you mean `{name}`? {all}"),
        None => all,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::source::Source;

    #[track_caller]
    fn faults(text: &str) -> Vec<String> {
        let source = Source::new(Path::new("f"), text.to_owned());
        let mut findings = Findings::new(source);
        read(text, &mut findings);
        match findings.conclude() {
            Ok(_) => Vec::new(),
            Err(faults) => faults.faults().iter().map(|f| f.summary()).collect(),
        }
    }

    #[test]
    fn every_fault_is_reported_in_the_order_of_the_file() {
        let text = "
            hostnam = 'a.example'
            dry-run = 'yes'
            [limits.client]
            burst = '10'
            every = 30
            [[listen]]
            address = ':465'
            port = 465
            [upstream]
            addresses = ['127.0.0.1:10465', 'localhost']
            announce = 'proxyv2'
        ";
        let faults = faults(text);
        let lines: Vec<_> = faults.iter().map(|f| f.split(':').nth(1)).collect();
        let expected = ["2", "3", "5", "6", "8", "9", "11", "12"].map(Some);
        assert_eq!(lines, expected, "{faults:#?}");
    }

    #[test]
    fn a_file_with_only_faults_is_read_to_its_end() {
        let mut text = String::new();
        for index in 0..200 {
            text += &format!("unknown-{index} = {{ a = [{index}] }}\n");
        }
        assert_eq!(faults(&text).len(), 200);
    }

    #[test]
    fn a_file_with_a_syntax_error_is_refused_for_that_alone() {
        let faults = faults("hostname = \"a\nunknown = 1\n");
        assert_eq!(faults.len(), 1, "{faults:#?}");
    }
}
