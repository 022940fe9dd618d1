//! backend - the Postfix and the Dovecot that stand behind every peer
//!
//! One of each, with an entry for every way of announcing a client; own configuration, queue and run
//! folders, own ports. The machine's own Postfix and Dovecot are not touched. Every mail is taken in
//! whole and then discarded. Dovecot's penalty and its delay of failures are off: each peer is
//! measured at its best.

use std::fs::{self, File, Permissions};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use crate::BenchResult;
use crate::program::{Program, free_port, run};

const MASTER: &str = "/usr/lib/postfix/sbin/master";
pub(crate) const DOVECOT: &str = "/usr/sbin/dovecot";

/// How many users there are.
pub(crate) const USERS: usize = 40;

/// A user's name.
pub(crate) fn user(number: usize) -> String {
    format!("user{}@example.org", number % USERS)
}

/// A user's password: none is a word once digits are cut off at its ends.
pub(crate) fn password(number: usize) -> String {
    format!("Apfel{}quitte", number % USERS)
}

/// How Dovecot keeps its passwords.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PasswordHash {
    /// SHA256: microseconds.
    Sha256,
    /// bcrypt, cost 10: tens of milliseconds.
    Bcrypt,
}

/// Postfix's listeners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PostfixEntry {
    /// Wants the PROXY protocol.
    Proxy,
    /// Takes XCLIENT.
    Xclient,
    /// TLS in Postfix itself.
    Smtps,
    /// The same, with `smtpd_client_auth_rate_limit`.
    RateLimited,
}

impl PostfixEntry {
    const ALL: [Self; 4] = [Self::Proxy, Self::Xclient, Self::Smtps, Self::RateLimited];

    const fn name(self) -> &'static str {
        match self {
            Self::Proxy => "proxy",
            Self::Xclient => "xclient",
            Self::Smtps => "smtps",
            Self::RateLimited => "rate-limited",
        }
    }
}

/// A running Postfix and Dovecot.
#[derive(Debug)]
pub(crate) struct MailBackend {
    pub(crate) postfix: Program,
    pub(crate) dovecot: Program,
    /// How many processes each of Postfix's listeners has at most.
    pub(crate) processes: usize,
    ports: [u16; PostfixEntry::ALL.len()],
    folder: PathBuf,
}

impl MailBackend {
    /// Starts both in `folder`. Each of Postfix's listeners has at most `processes` processes.
    pub(crate) fn start(
        folder: &Path,
        pem: &Path,
        hash: PasswordHash,
        processes: usize,
    ) -> BenchResult<Self> {
        for inner in ["etc", "queue", "data", "dovecot/run", "dovecot/state"] {
            fs::create_dir_all(folder.join(inner))?;
        }
        fs::set_permissions(folder, Permissions::from_mode(0o755))?;
        run(Command::new("chown")
            .arg("postfix")
            .arg(folder.join("data")))?;
        let mut ports = [0; PostfixEntry::ALL.len()];
        for port in &mut ports {
            *port = free_port()?;
        }
        let fill = |template: &str| {
            let mut text = template
                .replace("{folder}", &folder.display().to_string())
                .replace("{pem}", &pem.display().to_string())
                .replace("{processes}", &processes.to_string())
                .replace("{max-idle}", if processes > 100 { "1s" } else { "100s" });
            for (entry, port) in PostfixEntry::ALL.iter().zip(ports) {
                text = text.replace(&format!("{{{}}}", entry.name()), &port.to_string());
            }
            text
        };
        fs::write(
            folder.join("etc/master.cf"),
            fill(include_str!("backend/master.cf")),
        )?;
        let main = folder.join("etc/main.cf");
        fs::write(&main, fill(include_str!("backend/main.cf")))?;
        // Postfix waits a while before it reads a file that was written just now.
        let file = File::options().append(true).open(&main)?;
        file.set_modified(SystemTime::UNIX_EPOCH)?;
        fs::write(
            folder.join("dovecot.conf"),
            fill(include_str!("backend/dovecot.conf")),
        )?;
        fs::write(folder.join("users"), passwords(hash)?)?;
        run(Command::new("postfix")
            .arg("-c")
            .arg(folder.join("etc"))
            .arg("check"))?;
        Ok(Self {
            dovecot: start_dovecot(folder)?,
            postfix: start_postfix(folder)?,
            processes,
            ports,
            folder: folder.to_owned(),
        })
    }

    /// Where one of Postfix's listeners is.
    pub(crate) fn address(&self, entry: PostfixEntry) -> SocketAddr {
        let found = PostfixEntry::ALL
            .iter()
            .zip(self.ports)
            .find(|(other, _)| **other == entry);
        (Ipv4Addr::LOCALHOST, found.map_or(0, |(_, port)| port)).into()
    }

    /// The passwd-file.
    pub(crate) fn users(&self) -> PathBuf {
        self.folder.join("users")
    }

    /// How many passwords Dovecot has found wrong so far.
    pub(crate) fn wrong_passwords(&self) -> usize {
        let log = fs::read_to_string(self.folder.join("dovecot.log")).unwrap_or_default();
        log.matches("Password mismatch").count()
    }
}

fn start_dovecot(folder: &Path) -> BenchResult<Program> {
    let config = folder.join("dovecot.conf").display().to_string();
    let arguments = ["-F", "-c", &config];
    let mut dovecot = Program::start("dovecot", Path::new(DOVECOT), &arguments, folder)?;
    let socket = folder.join("queue/private/auth");
    dovecot.until("Dovecot's start", || UnixStream::connect(&socket).is_ok())?;
    Ok(dovecot)
}

fn start_postfix(folder: &Path) -> BenchResult<Program> {
    let config = folder.join("etc").display().to_string();
    let arguments = ["-d", "-c", &config];
    let mut postfix = Program::start("postfix", Path::new(MASTER), &arguments, folder)?;
    let log = folder.join("postfix.log");
    postfix.until("Postfix's start", || {
        fs::read_to_string(&log).is_ok_and(|log| log.contains("daemon started"))
    })?;
    Ok(postfix)
}

/// The passwd-file.
fn passwords(hash: PasswordHash) -> BenchResult<String> {
    let mut text = String::new();
    for number in 0..USERS {
        let password = password(number);
        let mut command = Command::new("doveadm");
        command.arg("pw");
        match hash {
            PasswordHash::Sha256 => command.args(["-s", "SHA256"]),
            PasswordHash::Bcrypt => command.args(["-s", "BLF-CRYPT", "-r", "10"]),
        };
        let hashed = run(command.args(["-p", &password]))?;
        text.push_str(&format!("{}:{}\n", user(number), hashed.trim()));
    }
    Ok(text)
}
