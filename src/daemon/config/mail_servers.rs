//! mail_servers - the Postfix and the Dovecot of this machine, asked by their own programs
//!
//! postconf(1) and doveconf(1), with a deadline and a limit, for a person: `check`, `doctor` and `setup`. One that is not there, fails
//! or does not answer in time says nothing; no start depends on it.
//! Not here: what their settings mean (`postfix`, `dovecot`, and the commands).

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How long one call may take, in seconds: timeout(1) ends it then.
const PATIENCE: &str = "3";

/// No settings have so many octets.
const LONGEST: u64 = 1 << 20;

/// Where their settings are, if not where their programs look by themselves.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct MailServers {
    /// Postfix's configuration directory, if not its default one
    #[arg(long = "postfix-config", value_name = "DIR")]
    pub postfix: Option<PathBuf>,
    /// Dovecot's configuration file, if not its default one
    #[arg(long = "dovecot-config", value_name = "FILE")]
    pub dovecot: Option<PathBuf>,
}

impl MailServers {
    /// Whether other files are meant than those of the programs that run.
    pub const fn is_elsewhere(&self) -> bool {
        self.postfix.is_some() || self.dovecot.is_some()
    }

    /// The file that `gatepost setup` writes for Dovecot.
    pub fn dovecot_file(&self) -> PathBuf {
        let folder = match &self.dovecot {
            Some(file) => file.parent().unwrap_or(Path::new("")),
            None => Path::new("/etc/dovecot"),
        };
        folder.join("conf.d/99-gatepost.conf")
    }

    /// What postconf prints, if it is there and ends well.
    pub fn postconf(&self, arguments: &[&str]) -> Option<String> {
        let mut command = bounded("postconf");
        if let Some(folder) = &self.postfix {
            command.arg("-c").arg(folder);
        }
        ask(command.args(arguments))
    }

    /// What doveconf prints, if it is there and ends well.
    pub fn doveconf(&self, arguments: &[&str]) -> Option<String> {
        let mut command = bounded("doveconf");
        if let Some(file) = &self.dovecot {
            command.arg("-c").arg(file);
        }
        ask(command.args(arguments))
    }
}

/// What a program prints, if it is there, ends well and in time.
pub fn output_of(program: &str, arguments: &[&str]) -> Option<String> {
    ask(bounded(program).args(arguments))
}

fn bounded(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("timeout");
    command.args(["-s", "KILL", PATIENCE]).arg(program);
    command
}

fn ask(command: &mut Command) -> Option<String> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut said = Vec::new();
    // What is read is dropped at once, so that a program which writes on ends by it.
    let read = child
        .stdout
        .take()
        .map(|stdout| stdout.take(LONGEST).read_to_end(&mut said));
    let ended = child.wait().ok()?;
    let whole = ended.success() && matches!(read, Some(Ok(length)) if (length as u64) < LONGEST);
    whole.then(|| String::from_utf8_lossy(&said).into_owned())
}
