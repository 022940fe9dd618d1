//! peer - Gatepost and those it is measured against: how each is configured, started and ended
//!
//! Not here: the Postfix behind them (`backend`). All get the same certificate, settings that do not limit
//! what the scenario is not about, and two threads or processes, where their number is theirs to choose.

use std::ffi::OsStr;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::BenchResult;
use crate::backend::{MailBackend, PostfixEntry};
use crate::program::{Program, free_port};

pub(crate) mod responder;

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum PeerKind {
    /// The Gatepost that cargo built with this bench.
    Gatepost,
    /// Another build of it (`--other`), to compare with.
    Other,
    /// HAProxy: TLS, PROXY v2, a stick table.
    #[value(name = "haproxy")]
    HaProxy,
    /// nginx's mail proxy: `auth_http`, XCLIENT.
    Nginx,
    /// stunnel: TLS, PROXY v1.
    Stunnel,
    /// Dovecot's submission proxy.
    Dovecot,
    /// Postfix alone, TLS in smtpd.
    Native,
    /// The same with `smtpd_client_auth_rate_limit`.
    #[value(name = "rate-limit")]
    RateLimited,
    /// What Dovecot asks instead of Gatepost: a server in the bench that allows every login (`scenario::doors`).
    #[value(name = "always-allows")]
    AlwaysAllows,
}

impl PeerKind {
    /// In the order of the report.
    pub(crate) const ALL: [Self; 9] = [
        Self::Gatepost,
        Self::Other,
        Self::HaProxy,
        Self::Nginx,
        Self::Stunnel,
        Self::Dovecot,
        Self::Native,
        Self::RateLimited,
        Self::AlwaysAllows,
    ];

    /// All that make the handshake in a program of their own, or in Postfix.
    pub(crate) const SERVERS: &'static [Self] = Self::ALL.split_at(7).0;
    /// All that take mail.
    pub(crate) const SUBMISSION: &'static [Self] = Self::ALL.split_at(8).0;
    /// All that stand before Postfix.
    pub(crate) const PROXIES: &'static [Self] = Self::ALL.split_at(6).0;

    /// In the report and on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Gatepost => "gatepost",
            Self::Other => "other",
            Self::HaProxy => "haproxy",
            Self::Nginx => "nginx",
            Self::Stunnel => "stunnel",
            Self::Dovecot => "dovecot",
            Self::Native => "native",
            Self::RateLimited => "rate-limit",
            Self::AlwaysAllows => "always-allows",
        }
    }

    /// Whether it is a Gatepost.
    pub(crate) const fn is_gatepost(self) -> bool {
        matches!(self, Self::Gatepost | Self::Other)
    }

    /// Whether its passwords are checked by Dovecot behind Postfix. nginx asks an `auth_http` instead.
    pub(crate) const fn asks_dovecot(self) -> bool {
        !matches!(self, Self::Nginx | Self::AlwaysAllows)
    }

    /// What it must have, and the package that has it.
    pub(crate) const fn needs(self) -> (&'static str, &'static str) {
        match self {
            Self::Gatepost | Self::Other => ("/usr/bin/setpriv", "util-linux"),
            Self::HaProxy => ("/usr/sbin/haproxy", "haproxy"),
            Self::Nginx => (
                "/usr/lib/nginx/modules/ngx_mail_module.so",
                "nginx libnginx-mod-mail",
            ),
            Self::Stunnel => ("/usr/bin/stunnel4", "stunnel4"),
            Self::Dovecot => ("/usr/lib/dovecot/submission-login", "dovecot-submissiond"),
            Self::Native | Self::RateLimited => ("/usr/lib/postfix/sbin/master", "postfix"),
            Self::AlwaysAllows => ("/usr/lib/dovecot/imap", "dovecot-imapd"),
        }
    }
}

/// What all peers of a run have in common.
#[derive(Clone, Debug)]
pub(crate) struct PeerFiles {
    /// Everything that is written is in here.
    pub(crate) scratch: PathBuf,
    /// Chain and key in one file.
    pub(crate) pem: PathBuf,
    /// The chain.
    pub(crate) chain: PathBuf,
    /// The key.
    pub(crate) key: PathBuf,
    /// How many files a process may have open.
    pub(crate) open_files: u64,
    /// The program of [`PeerKind::Gatepost`].
    pub(crate) gatepost: PathBuf,
    /// The program of [`PeerKind::Other`].
    pub(crate) other: Option<PathBuf>,
}

/// What a scenario wants changed in Gatepost's config; TOML, appended.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConfigChanges {
    /// Lines before the first table.
    pub(crate) top: String,
    /// More in `[admission]`, in place of generous limits.
    pub(crate) admission: Option<String>,
    /// Whole tables.
    pub(crate) tables: String,
    /// The state directory, where it is not to be a new one.
    pub(crate) state: Option<PathBuf>,
}

/// A running peer.
#[derive(Debug)]
pub(crate) struct Peer {
    /// Who.
    pub(crate) kind: PeerKind,
    /// Where clients connect, with TLS from the first octet.
    pub(crate) address: SocketAddr,
    /// Its process; none where Postfix itself answers.
    pub(crate) program: Option<Program>,
    /// Its configuration, and Gatepost's state and socket.
    pub(crate) folder: PathBuf,
}

impl Peer {
    /// Starts a peer in a new folder in front of `backend`, and waits until it listens.
    pub(crate) fn start(
        kind: PeerKind,
        files: &PeerFiles,
        backend: &MailBackend,
        changes: &ConfigChanges,
    ) -> BenchResult<Self> {
        let mut peer = Self::prepare(kind, files, backend, changes)?;
        peer.launch(files)?;
        Ok(peer)
    }

    /// Everything but the process: its folder and its configuration.
    pub(crate) fn prepare(
        kind: PeerKind,
        files: &PeerFiles,
        backend: &MailBackend,
        changes: &ConfigChanges,
    ) -> BenchResult<Self> {
        let port = free_port()?;
        let folder = files.scratch.join(format!("{}-{port}", kind.name()));
        fs::create_dir_all(&folder)?;
        let address = match kind {
            PeerKind::Native => backend.address(PostfixEntry::Smtps),
            PeerKind::RateLimited => backend.address(PostfixEntry::RateLimited),
            _ => (Ipv4Addr::LOCALHOST, port).into(),
        };
        let entry = match kind {
            PeerKind::Nginx | PeerKind::Dovecot => PostfixEntry::Xclient,
            _ => PostfixEntry::Proxy,
        };
        let fill = |template: &str| {
            template
                .replace("{folder}", &folder.display().to_string())
                .replace("{pem}", &files.pem.display().to_string())
                .replace("{chain}", &files.chain.display().to_string())
                .replace("{key}", &files.key.display().to_string())
                .replace("{port}", &port.to_string())
                .replace("{connections}", &(files.open_files / 2 - 500).to_string())
                .replace("{postfix}", &backend.address(entry).port().to_string())
                .replace("{processes}", &processes_key(kind, backend))
        };
        let write = |name: &str, text: String| fs::write(folder.join(name), text);
        match kind {
            PeerKind::Gatepost | PeerKind::Other => {
                let config = gatepost_config(&fill, &folder, changes);
                write("gatepost.toml", config)?;
            }
            PeerKind::HaProxy => write("haproxy.cfg", fill(include_str!("peer/haproxy.cfg")))?,
            PeerKind::Nginx => {
                let responder = responder::start(backend.address(entry))?;
                let text = fill(include_str!("peer/nginx.conf"));
                write(
                    "nginx.conf",
                    text.replace("{auth_http}", &responder.to_string()),
                )?;
            }
            PeerKind::Stunnel => write("stunnel.conf", fill(include_str!("peer/stunnel.conf")))?,
            PeerKind::Dovecot => write("dovecot.conf", fill(include_str!("peer/dovecot.conf")))?,
            PeerKind::Native | PeerKind::RateLimited | PeerKind::AlwaysAllows => {}
        }
        Ok(Self {
            kind,
            address,
            program: None,
            folder,
        })
    }

    /// Starts the process and waits until it listens.
    pub(crate) fn launch(&mut self, files: &PeerFiles) -> BenchResult<()> {
        if let Some(mut program) = self.spawn(files)? {
            program.listens(self.address)?;
            // The look was a connection: let it pass.
            std::thread::sleep(Duration::from_millis(100));
            self.program = Some(program);
        }
        Ok(())
    }

    /// Starts the process in a control group, and does not wait.
    fn spawn(&self, files: &PeerFiles) -> BenchResult<Option<Program>> {
        let Some(command) = self.command(files)? else {
            return Ok(None);
        };
        let program = Path::new(command.get_program());
        let arguments: Vec<&str> = command.get_args().filter_map(OsStr::to_str).collect();
        Program::start(self.kind.name(), program, &arguments, &self.folder).map(Some)
    }

    /// What starts it; none where Postfix is all there is.
    pub(crate) fn command(&self, files: &PeerFiles) -> BenchResult<Option<Command>> {
        let file = |name: &str| self.folder.join(name).display().to_string();
        let line = |program: &Path, arguments: &[&str]| {
            let mut command = Command::new(program);
            command.args(arguments);
            Ok(Some(command))
        };
        match self.kind {
            PeerKind::Gatepost => line(
                &files.gatepost,
                &["run", "--config", &file("gatepost.toml")],
            ),
            PeerKind::Other => {
                let program = files.other.as_deref().ok_or("--other names no program")?;
                line(program, &["run", "--config", &file("gatepost.toml")])
            }
            PeerKind::HaProxy => line(
                Path::new("/usr/sbin/haproxy"),
                &["-db", "-f", &file("haproxy.cfg")],
            ),
            PeerKind::Nginx => line(
                Path::new("/usr/sbin/nginx"),
                &["-e", &file("error.log"), "-c", &file("nginx.conf")],
            ),
            PeerKind::Stunnel => line(Path::new("/usr/bin/stunnel4"), &[&file("stunnel.conf")]),
            PeerKind::Dovecot => line(
                Path::new("/usr/sbin/dovecot"),
                &["-F", "-c", &file("dovecot.conf")],
            ),
            PeerKind::Native | PeerKind::RateLimited | PeerKind::AlwaysAllows => Ok(None),
        }
    }
}

/// Limits that are not what most scenarios are about.
const GENEROUS: &str = "sessions = 200000\nper-client = 100000\nper-network = 100000\n\
                        connects = { burst = 100000, every = \"1s\" }\n";

/// How many processes Postfix has, where it is not the default. Another build may not know the key.
fn processes_key(kind: PeerKind, backend: &MailBackend) -> String {
    match (kind, backend.processes) {
        (PeerKind::Gatepost, processes) if processes != 100 => format!("processes = {processes}\n"),
        _ => String::new(),
    }
}

fn gatepost_config(
    fill: &dyn Fn(&str) -> String,
    folder: &Path,
    changes: &ConfigChanges,
) -> String {
    let state = changes
        .state
        .clone()
        .unwrap_or_else(|| folder.join("state"));
    fill(include_str!("peer/gatepost.toml"))
        .replace("{state}", &state.display().to_string())
        .replace("{top}", &changes.top)
        .replace(
            "{admission}",
            changes.admission.as_deref().unwrap_or(GENEROUS),
        )
        .replace("{tables}", &changes.tables)
}
