//! check - `gatepost check`: checks the config file and the files that it names
//!
//! Faults go to standard error, with carets, like a compiler's messages. With `--json` everything goes
//! to standard output, as one object.
//! Not here: the checks (`config`).

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::exit;
use super::paint::Paint;
use crate::clock::Clock;
use crate::config::guesses::GuessBound;
use crate::config::mail_servers::MailServers;
use crate::config::{Config, ConfigFaults, Finding};

/// Check a config file and the files that it names, without starting anything
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// The config file
    #[arg(long, value_name = "FILE", default_value = super::CONFIG)]
    pub config: PathBuf,
    /// Print one JSON object: ok, faults, warnings
    #[arg(long)]
    pub json: bool,
}

/// Checks, and prints the findings.
///
/// Exits with 0 if `run` would start with this file (perhaps with warnings), with 2 if it would
/// refuse it.
pub fn run(args: &CheckArgs) -> ExitCode {
    let paint = Paint::for_stream(&io::stderr());
    let path = args.config.clone();
    let Some(checked) = within(PATIENCE, move || {
        Config::review(&path, Clock::wall(), &MailServers::default())
    }) else {
        let seconds = PATIENCE.as_secs();
        return exit::fail(&format!(
            "{}: its files were not read within {seconds} s; is one of them on a mount that does not answer?",
            args.config.display()
        ));
    };
    let printed = print(args, &checked, paint, &mut io::stdout(), &mut io::stderr());
    if checked.is_ok() && !args.json && rustix::process::geteuid().is_root() {
        let _ = writeln!(io::stderr(), "{AS_ROOT}");
    }
    exit::after(printed, exit_code(&checked))
}

/// How long the files may take, and the questions to Postfix and Dovecot.
const PATIENCE: Duration = Duration::from_secs(60);

/// What comes of `work` in time. A disk that does not answer keeps a thread, which ends with the process.
fn within<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let shared = Arc::new((Mutex::new(None), Condvar::new()));
    let theirs = Arc::clone(&shared);
    thread::spawn(move || {
        let result = work();
        let (slot, done) = &*theirs;
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        done.notify_one();
    });
    let (slot, done) = &*shared;
    let empty = slot.lock().unwrap_or_else(PoisonError::into_inner);
    let waited = done.wait_timeout_while(empty, limit, |result| result.is_none());
    let (mut result, _) = waited.unwrap_or_else(PoisonError::into_inner);
    result.take()
}

/// A hint for root, who can read every key.
const AS_ROOT: &str = "hint: this was checked as root; to check what the service's user can read, run \
    `runuser -u gatepost -- gatepost check`";

type Checked = Result<(Config, Vec<Finding>), ConfigFaults>;

fn exit_code(checked: &Checked) -> ExitCode {
    match checked {
        Ok(_) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(exit::FAILURE),
    }
}

fn print(
    args: &CheckArgs,
    checked: &Checked,
    paint: Paint,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<()> {
    let (faults, warnings) = match checked {
        Ok((_, warnings)) => (&[][..], warnings.as_slice()),
        Err(refused) => (refused.faults(), refused.warnings()),
    };
    if args.json {
        return writeln!(out, "{}", as_json(faults, warnings));
    }
    for finding in faults.iter().chain(warnings) {
        match paint {
            Paint::Plain => writeln!(err, "{finding}\n")?,
            Paint::Colours => writeln!(err, "{finding:#}\n")?,
        }
    }
    let file = args.config.display();
    match faults.len() {
        0 => {
            writeln!(out, "{file}: OK")?;
            match checked {
                Ok((config, _)) => writeln!(
                    out,
                    "guesses by strangers: {}",
                    GuessBound::of(&config.gate.limits)
                ),
                Err(_) => Ok(()),
            }
        }
        1 => writeln!(err, "{file}: refused, 1 fault"),
        many => writeln!(err, "{file}: refused, {many} faults"),
    }
}

fn as_json(faults: &[Finding], warnings: &[Finding]) -> Value {
    let list = |findings: &[Finding]| findings.iter().map(entry).collect::<Vec<_>>();
    json!({
        "ok": faults.is_empty(),
        "faults": list(faults),
        "warnings": list(warnings),
    })
}

/// `line` and `column` are null where the finding is about the file as a whole.
fn entry(finding: &Finding) -> Value {
    let position = finding.position();
    json!({
        "file": finding.file(),
        "line": position.map(|(line, _)| line),
        "column": position.map(|(_, column)| column),
        "message": finding.message(),
        "help": finding.help(),
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const VALID: &str = "
        hostname = 'mx.example.org'
        admission.sessions = 1
        tls.certificate = [{ chain = 'c', key = 'k' }]
        upstream.addresses = ['127.0.0.1:10465']
    ";

    #[track_caller]
    fn printed(text: &str, json: bool) -> (String, String) {
        let args = CheckArgs {
            config: PathBuf::from("f.toml"),
            json,
        };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let checked = Config::parse(Path::new("f.toml"), text);
        print(&args, &checked, Paint::Plain, &mut out, &mut err).unwrap();
        let text = |octets| String::from_utf8(octets).unwrap();
        (text(out), text(err))
    }

    #[test]
    fn what_never_answers_is_not_waited_for() {
        let (_never, waits) = std::sync::mpsc::channel::<()>();
        assert_eq!(within(Duration::from_millis(1), move || waits.recv()), None);
        assert_eq!(within(PATIENCE, || 1), Some(1));
    }

    #[test]
    fn a_valid_file_is_ok_and_its_bound_is_shown() {
        let (out, err) = printed(VALID, false);
        assert_eq!(err, "");
        let (ok, bound) = out.split_once('\n').unwrap();
        assert_eq!(ok, "f.toml: OK");
        assert!(
            bound.starts_with("guesses by strangers: at most 1632 a day"),
            "{bound}"
        );
    }

    #[test]
    fn faults_go_to_standard_error_and_are_counted() {
        let (out, err) = printed(&VALID.replace("sessions = 1", "sessions = 0"), false);
        assert_eq!(out, "");
        assert!(err.contains("f.toml:3:30"), "{err}");
        assert!(err.ends_with("f.toml: refused, 1 fault\n"), "{err}");
    }

    #[test]
    fn json_is_one_object_on_standard_output() {
        let (out, err) = printed("colour = 1", true);
        assert_eq!(err, "");
        let printed: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(printed["ok"], false);
        assert_eq!(printed["faults"][0]["file"], "f.toml");
        assert_eq!(printed["faults"][0]["line"], 1);
        assert_eq!(printed["faults"][0]["column"], 1);
        assert_eq!(printed["faults"][0]["message"], "unknown key `colour`");
        assert!(
            printed["faults"][0]["help"]
                .as_str()
                .unwrap()
                .contains("log")
        );
    }

    #[test]
    fn json_says_when_there_is_no_fault() {
        let (out, _) = printed(VALID, true);
        let printed: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(printed["ok"], true);
        assert_eq!(printed["faults"], json!([]));
        assert_eq!(printed["warnings"], json!([]));
    }

    #[test]
    fn the_exit_code_says_whether_run_would_start() {
        let code = |text| format!("{:?}", exit_code(&Config::parse(Path::new("f"), text)));
        assert_eq!(code(VALID), format!("{:?}", ExitCode::SUCCESS));
        assert_eq!(code(""), format!("{:?}", ExitCode::from(2)));
    }
}
