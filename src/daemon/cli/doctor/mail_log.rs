//! mail_log - the log from which `learn` will know the users
//!
//! Not here: reading it (`cli::logs`).

use std::path::{Path, PathBuf};

use super::diagnosis::Diagnosis;
use crate::cli::logs::{self, machine};
use crate::config::mail_servers::output_of;
use gatepost_core::logs::collector::LogCollector;

const TOPIC: &str = "mail log";

pub(super) fn look(given: Option<&Path>) -> Diagnosis {
    let places: Vec<PathBuf> = match given {
        Some(path) => vec![path.to_owned()],
        None => machine::PLACES.iter().map(PathBuf::from).collect(),
    };
    match places.into_iter().find(|path| path.exists()) {
        Some(path) => of_file(path),
        None => of_journal(),
    }
}

fn of_file(path: PathBuf) -> Diagnosis {
    let shown = path.display().to_string();
    let read = logs::read(&[path], LogCollector::of_successes(logs::zone()));
    let history = match read {
        Ok(read) => read.history,
        Err(fault) => return Diagnosis::note(TOPIC, fault.to_string()),
    };
    let logins = history.attempts.len();
    match (history.attempts.first(), history.attempts.last()) {
        (Some(first), Some(last)) => {
            let days = last.at.since(first.at).as_secs() / 86_400;
            let message =
                format!("{shown}: {logins} logins in {days} days; older ones in {shown}.*");
            Diagnosis::good(TOPIC, message)
        }
        _ => Diagnosis::note(
            TOPIC,
            format!("{shown} has no login that `gatepost learn` understands"),
        )
        .with_cure(
            "do Postfix and Dovecot log elsewhere? `doveconf log_path`, `postconf maillog_file`",
        ),
    }
}

fn of_journal() -> Diagnosis {
    let [program, lines @ ..] = machine::JOURNAL;
    let asked = [&["-n", "1"], &lines[..]].concat();
    match output_of(program, &asked) {
        Some(said) if !said.trim().is_empty() => Diagnosis::good(
            TOPIC,
            "it is in the journal: `gatepost learn` reads it there",
        ),
        _ => Diagnosis::note(
            TOPIC,
            "no mail log was found in /var/log, nor in the journal",
        )
        .with_cure("`gatepost learn FILE` reads it from wherever it is"),
    }
}
