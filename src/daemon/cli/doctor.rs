//! doctor - `gatepost doctor`: looks at the machine around Gatepost, a line each, and says what to do
//!
//! Reads Postfix's and Dovecot's settings by their own programs, connects to loopback, the backends and the operator's socket,
//! and changes nothing. What `check` finds in the config file stands in it as well.
//! Not here: each thing that is looked at (the files below).

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

use super::exit;
use super::postfix_files::PostfixFiles;
use crate::admin::client::{AdminClient, AdminFault};
use crate::admin::message::{Request, Response, StatusMessage};
use crate::clock::Clock;
use crate::config::mail_servers::MailServers;
use crate::config::{Config, Finding};

use diagnosis::{Condition, Diagnosis};

mod auth_policy;
mod backend;
mod bypass;
mod certificate;
mod cluster;
mod crowdsec;
mod diagnosis;
mod dovecot;
mod fail2ban;
mod machine;
mod mail_log;
mod sockets;
mod unit;

/// Look at this machine: Gatepost, Postfix, Dovecot, certificate, fail2ban; a line each
///
/// Exit code 0: nothing is wrong; 1: something is, with what to do; 2: it could not look. Run it as root. It changes nothing, and
/// sends no mail.
#[derive(Debug, clap::Args)]
pub struct DoctorArgs {
    /// The config file
    #[arg(long, value_name = "FILE", default_value = super::CONFIG)]
    config: PathBuf,
    #[command(flatten)]
    servers: MailServers,
    /// fail2ban's configuration directory, if not its default one
    #[arg(long, value_name = "DIR")]
    fail2ban_config: Option<PathBuf>,
    /// The mail log, if not where syslog puts it
    #[arg(long, value_name = "FILE")]
    mail_log: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl DoctorArgs {
    /// With this config, for the machine as it is.
    pub(super) fn of(config: &Path) -> Self {
        Self {
            config: config.to_owned(),
            servers: MailServers::default(),
            fail2ban_config: None,
            mail_log: None,
            json: false,
        }
    }
}

/// What is there, as far as it is known before anything is judged.
struct MailMachine {
    config: Config,
    /// None: no Postfix on this machine, or its files cannot be read.
    postfix: Option<PostfixFiles>,
    /// None: no gatepost answers.
    running: Option<RunningGatepost>,
    /// What is wrong with one that took the question and did not answer.
    silence: Option<AdminFault>,
}

/// The Gatepost that answers.
struct RunningGatepost {
    status: StatusMessage,
    process: i32,
    user: u32,
}

/// Looks, prints, and says by the exit code whether something is wrong.
pub fn run(args: &DoctorArgs) -> ExitCode {
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(fault) => return exit::fail(&fault),
    };
    let found = runtime.block_on(look(args));
    let wrong = |one: &&Diagnosis| one.state == Condition::Wrong;
    let code = match found.iter().filter(wrong).count() {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::from(exit::BELOW_REQUIREMENT),
    };
    let mut out = io::stdout().lock();
    let written = match args.json {
        true => {
            let ok = !found.iter().any(|one| wrong(&one));
            super::print_json(&mut out, &json!({ "ok": ok, "findings": found }))
        }
        false => print(&found, &mut out),
    };
    exit::after(written.and_then(|()| out.flush()), code)
}

async fn look(args: &DoctorArgs) -> Vec<Diagnosis> {
    let checked = Config::review(&args.config, Clock::wall(), &args.servers);
    let (config, remarks) = match checked {
        Ok((config, remarks)) => (config, remarks),
        Err(faults) => return faults.faults().iter().map(of_fault).collect(),
    };
    let mut found = vec![Diagnosis::good(
        "config",
        format!("{} is read", args.config.display()),
    )];
    found.extend(remarks.iter().map(of_remark));
    let (running, silence) = match ask_running(&config) {
        Ok(running) => (running, None),
        Err(fault) => (None, Some(fault)),
    };
    let around = MailMachine {
        running,
        silence,
        postfix: PostfixFiles::read(&args.servers),
        config,
    };
    found.extend(bypass::look(&around));
    found.extend(backend::look(&around).await);
    found.extend(certificate::look(&around.config));
    found.extend(dovecot::look(&args.servers));
    found.extend(auth_policy::look(&around.config, &args.servers));
    found.extend(crowdsec::look(&around));
    found.push(fail2ban::look(args.fail2ban_config.as_deref()));
    found.extend(machine::look(&around));
    found.extend(cluster::look(&around).await);
    found.push(mail_log::look(args.mail_log.as_deref()));
    found
}

/// The Gatepost behind the socket of the config; none: nobody is there.
///
/// # Errors
///
/// It is there, and does not answer.
fn ask_running(config: &Config) -> Result<Option<RunningGatepost>, AdminFault> {
    let asked = AdminClient::connect(&config.admin.socket).and_then(|mut client| {
        let peer = client.peer();
        Ok((client.ask(&Request::Status)?, peer))
    });
    match asked {
        Ok((Response::Status(status), Some((process, user)))) => Ok(Some(RunningGatepost {
            status: *status,
            process,
            user,
        })),
        Err(silent @ AdminFault::Silent { .. }) => Err(silent),
        _ => Ok(None),
    }
}

fn of_fault(fault: &Finding) -> Diagnosis {
    Diagnosis::wrong(
        "config",
        place(fault),
        fault.help().unwrap_or("`gatepost check` shows where"),
    )
}

fn of_remark(remark: &Finding) -> Diagnosis {
    match (remark.is_hint(), remark.help()) {
        (true, Some(help)) => Diagnosis::note("config", place(remark)).with_cure(help),
        (true, None) => Diagnosis::note("config", place(remark)),
        (false, help) => Diagnosis::wrong(
            "config",
            place(remark),
            help.unwrap_or("see the config file"),
        ),
    }
}

fn place(finding: &Finding) -> String {
    match finding.position() {
        Some((line, _)) => format!("{}:{line}: {}", finding.file(), finding.message()),
        None => finding.message().to_owned(),
    }
}

fn print(found: &[Diagnosis], out: &mut dyn Write) -> io::Result<()> {
    for one in found {
        let state = match one.state {
            Condition::Good => "good",
            Condition::Note => "note",
            Condition::Wrong => "WRONG",
        };
        writeln!(out, "{state:<6}{:<17}{}", one.topic, one.message)?;
        for line in one.cure.iter().flat_map(|cure| cure.lines()) {
            writeln!(out, "      -> {line}")?;
        }
    }
    let wrong = found.iter().filter(|one| one.state == Condition::Wrong);
    match wrong.count() {
        0 => writeln!(out, "nothing is wrong"),
        1 => writeln!(out, "1 thing is wrong"),
        many => writeln!(out, "{many} things are wrong"),
    }
}
