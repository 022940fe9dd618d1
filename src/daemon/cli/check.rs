//! check - `gatepost check`: the config file and all that it names, with carets
//!
//! What is wrong goes to standard error, as a compiler's messages do; with `--json` everything goes
//! to standard output, as one object.
//! Not here: what is wrong with a config (`config`).

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::exit;
use super::paint::Paint;
use crate::clock::Clock;
use crate::config::{Config, ConfigFaults, Finding};

/// Check a config file and all that it names, and start nothing
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The config file
    #[arg(long, value_name = "FILE", default_value = super::CONFIG)]
    pub config: PathBuf,
    /// Print one JSON object: ok, faults, warnings
    #[arg(long)]
    pub json: bool,
}

/// Checks, and prints what was found.
///
/// Exits with 0 if `run` would start with this file (there may be warnings), with 2 if it would
/// refuse it.
pub fn run(args: &Args) -> ExitCode {
    let paint = Paint::for_stream(&io::stderr());
    let checked = Config::load(&args.config, Clock::start().now());
    // A reader who hangs up takes nothing from the answer: the exit code gives it.
    let _ = tell(args, &checked, paint, &mut io::stdout(), &mut io::stderr());
    if checked.is_ok() && !args.json && rustix::process::geteuid().is_root() {
        let _ = writeln!(io::stderr(), "{AS_ROOT}");
    }
    exit_code(&checked)
}

/// Root may read every key.
const AS_ROOT: &str = "hint: this was checked as root; what the service's user may read shows \
    `runuser -u gatepost -- gatepost check`";

type Checked = Result<(Config, Vec<Finding>), ConfigFaults>;

fn exit_code(checked: &Checked) -> ExitCode {
    match checked {
        Ok(_) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(exit::FAILURE),
    }
}

fn tell(
    args: &Args,
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
        0 => writeln!(out, "{file} is good"),
        1 => writeln!(err, "{file} is refused for 1 fault"),
        many => writeln!(err, "{file} is refused for {many} faults"),
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

    const GOOD: &str = "
        hostname = 'mx.example.org'
        admission.sessions = 1
        tls.certificate = [{ chain = 'c', key = 'k' }]
        upstream.addresses = ['127.0.0.1:10465']
    ";

    #[track_caller]
    fn told(text: &str, json: bool) -> (String, String) {
        let args = Args {
            config: PathBuf::from("f.toml"),
            json,
        };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let checked = Config::parse(Path::new("f.toml"), text);
        tell(&args, &checked, Paint::Plain, &mut out, &mut err).unwrap();
        let text = |octets| String::from_utf8(octets).unwrap();
        (text(out), text(err))
    }

    #[test]
    fn a_good_file_is_called_good_with_its_hints() {
        let (out, err) = told(GOOD, false);
        assert_eq!(out, "f.toml is good\n");
        assert!(err.starts_with("hint: networks.allow is empty"), "{err}");
    }

    #[test]
    fn faults_go_to_standard_error_and_are_counted() {
        let (out, err) = told(&GOOD.replace("sessions = 1", "sessions = 0"), false);
        assert_eq!(out, "");
        assert!(err.contains("f.toml:3:30"), "{err}");
        assert!(err.ends_with("f.toml is refused for 1 fault\n"), "{err}");
    }

    #[test]
    fn json_is_one_object_on_standard_output() {
        let (out, err) = told("colour = 1", true);
        assert_eq!(err, "");
        let told: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(told["ok"], false);
        assert_eq!(told["faults"][0]["file"], "f.toml");
        assert_eq!(told["faults"][0]["line"], 1);
        assert_eq!(told["faults"][0]["column"], 1);
        assert_eq!(told["faults"][0]["message"], "unknown key `colour`");
        assert!(told["faults"][0]["help"].as_str().unwrap().contains("log"));
    }

    #[test]
    fn json_says_when_all_is_well() {
        let (out, _) = told(GOOD, true);
        let told: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(told["ok"], true);
        assert_eq!(told["faults"], json!([]));
        let hint = &told["warnings"][0];
        assert_eq!(hint["message"], "networks.allow is empty");
        assert_eq!(hint["line"], Value::Null);
    }

    #[test]
    fn the_exit_code_says_whether_run_would_start() {
        let code = |text| format!("{:?}", exit_code(&Config::parse(Path::new("f"), text)));
        assert_eq!(code(GOOD), format!("{:?}", ExitCode::SUCCESS));
        assert_eq!(code(""), format!("{:?}", ExitCode::from(2)));
    }
}
