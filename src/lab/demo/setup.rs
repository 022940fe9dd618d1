//! setup - what the demo runs on: a certificate, a backend, a config, and the Gatepost built from it
//!
//! All of it is in one folder of its own (0700), which is removed when the demo ends. The config is
//! `config/demo.toml` with this demo's ports and paths in place of its own; it is written into
//! the folder, so that `gatepost status --config` works beside the demo.
//! Not here: its clients (`actors`), what is shown of it (`view`).

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use toml::{Table, Value};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use super::actors;
use super::browser::{self, PageOpening};
use crate::backend::{self, Backend, BackendCounters};
use crate::botnet::{Target, TargetFault, TargetTls, TrustedCertificates};
use crate::certificate::{Authority, CertificateFault, Files};
use gatepost_core::moment::Moment;
use gatepost_daemon::clock::Clock;
use gatepost_daemon::config::{Config, ConfigFaults};
use gatepost_daemon::server::{Operator, PagePlace, Server, StartFault};

/// Where the demo listens, if it can.
const PORT: u16 = 4650;
/// The names that its certificate is for.
const NAMES: [&str; 4] = ["localhost", "127.0.0.1", "::1", "demo.gatepost.test"];

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
pub(super) enum DemoFault {
    #[error("{}: {cause}", path.display())]
    Folder { path: PathBuf, cause: io::Error },
    #[error(transparent)]
    Certificate(#[from] CertificateFault),
    #[error("no port on loopback: {0}")]
    Port(#[from] io::Error),
    #[error("config/demo.toml: {0}")]
    Template(String),
    #[error(transparent)]
    Config(#[from] ConfigFaults),
    #[error(transparent)]
    Start(#[from] StartFault),
    #[error(transparent)]
    Target(#[from] TargetFault),
}

/// Everything built and bound; nothing serves yet.
pub(super) struct DemoSetup {
    /// Gatepost.
    pub(super) server: Server,
    /// What stands behind it.
    pub(super) backend: Backend,
    /// What is shown of both.
    pub(super) info: DemoInfo,
    /// Removed last.
    pub(super) folder: TemporaryFolder,
}

/// What the view and the actors need to know of a [`DemoSetup`].
#[derive(Clone)]
pub(super) struct DemoInfo {
    /// Where Gatepost listens.
    pub(super) gatepost: SocketAddr,
    /// Where the backend listens.
    pub(super) behind: SocketAddr,
    /// Gatepost, as the simulated clients see it.
    pub(super) target: Target,
    /// Its certificate.
    pub(super) certificate: Files,
    /// Its config.
    pub(super) config: PathBuf,
    /// Its log; none where another log was started before.
    pub(super) log: Option<PathBuf>,
    /// Answers questions about it.
    pub(super) operator: Operator,
    /// Where its page is, and what makes links to it.
    pub(super) page: Option<PagePlace>,
    /// A link to it, which opens once.
    pub(super) link: Option<String>,
    /// What reached the backend.
    pub(super) counters: Arc<BackendCounters>,
}

impl DemoSetup {
    /// Builds and binds everything.
    pub(super) async fn build(clock: Clock) -> Result<Self, DemoFault> {
        let folder = TemporaryFolder::new()?;
        let log = start_log(folder.path())?;
        let authority = Authority::new(clock.now())?;
        let certificate = authority.issue(&NAMES)?.write(&authority, folder.path())?;
        let backend = Backend::bind(loopback(0), backend_settings()).await?;
        let behind = backend.address()?;
        let config_parts = GatepostSetup {
            folder: folder.path(),
            behind,
            certificate: &certificate,
        };
        let (config, server) = match config_parts.start(loopback(PORT), clock).await {
            // The port is taken, perhaps by another demo.
            Err(DemoFault::Start(StartFault::Bind(_))) => {
                config_parts.start(free_port()?, clock).await
            }
            started => started,
        }?;
        let gatepost = server.addresses().first().copied().unwrap_or(loopback(0));
        let trust = TrustedCertificates::Authority(authority.der());
        let info = DemoInfo {
            gatepost,
            behind,
            target: Target::new(gatepost, TargetTls::Implicit, &trust)?,
            certificate,
            config,
            log,
            operator: server.operator(),
            link: server.page().and_then(|page| page.link(clock.now())),
            page: server.page(),
            counters: backend.counters(),
        };
        Ok(Self {
            server,
            backend,
            info,
            folder,
        })
    }
}

impl DemoInfo {
    /// Opens the page by a link of its own, so that the one that is printed stays good.
    pub(super) fn open_page(&self, folder: &Path, now: Moment) -> PageOpening {
        let link = self.page.as_ref().and_then(|page| page.link(now));
        link.map_or(PageOpening::ByHand, |link| browser::open(&link, folder))
    }

    /// Whether the port is the one that the manual names.
    pub(super) fn has_usual_port(&self) -> bool {
        self.gatepost.port() == PORT
    }
}

/// A folder that is removed with this value.
pub(super) struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    fn new() -> Result<Self, DemoFault> {
        let mut random = [0; 6];
        // Not a secret: the folder is made anew, or not at all.
        let _ = getrandom::fill(&mut random);
        let number = random
            .iter()
            .fold(0_u64, |number, octet| number << 8 | u64::from(*octet));
        let path = std::env::temp_dir().join(format!("gatepost-demo-{number:012x}"));
        match std::fs::DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => Ok(Self(path)),
            Err(cause) => Err(DemoFault::Folder { path, cause }),
        }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // What cannot be removed is in the folder for temporary things.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The log of our own events into a file of `folder`.
fn start_log(folder: &Path) -> Result<Option<PathBuf>, DemoFault> {
    let path = folder.join("gatepost.log");
    let file = match File::create(&path) {
        Ok(file) => file,
        Err(cause) => return Err(DemoFault::Folder { path, cause }),
    };
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(Mutex::new(file))
        .with_target(false)
        .with_ansi(false)
        .with_filter(Targets::new().with_target("gatepost", LevelFilter::INFO));
    let started = tracing_subscriber::registry().with(layer).try_init();
    Ok(started.is_ok().then_some(path))
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// A free port. Should it be taken before the server binds it, the start fails with that error.
fn free_port() -> io::Result<SocketAddr> {
    TcpListener::bind(loopback(0))?.local_addr()
}

fn backend_settings() -> backend::BackendSettings {
    let accounts = actors::PEOPLE.iter().chain([&actors::VISITOR]);
    backend::BackendSettings {
        hostname: "behind.gatepost.test".to_owned(),
        users: accounts
            .map(|(user, password)| ((*user).to_owned(), (*password).to_owned()))
            .collect(),
        ..backend::BackendSettings::default()
    }
}

/// What the config of the demo refers to.
struct GatepostSetup<'a> {
    folder: &'a Path,
    behind: SocketAddr,
    certificate: &'a Files,
}

impl GatepostSetup<'_> {
    /// Writes the config and builds the Gatepost that it describes.
    async fn start(
        &self,
        listen: SocketAddr,
        clock: Clock,
    ) -> Result<(PathBuf, Server), DemoFault> {
        let text = self.config(listen).map_err(DemoFault::Template)?;
        let users = self.folder.join("users");
        let accounts = actors::PEOPLE.iter().chain([&actors::VISITOR]);
        let names = accounts.map(|(name, _)| format!("{name}\n"));
        if let Err(cause) = std::fs::write(&users, names.collect::<String>()) {
            return Err(DemoFault::Folder { path: users, cause });
        }
        let path = self.folder.join("gatepost.toml");
        if let Err(cause) = std::fs::write(&path, text) {
            return Err(DemoFault::Folder { path, cause });
        }
        let (config, _) = Config::load(&path, clock.now())?;
        let server = Server::start(config, clock).await?;
        Ok((path, server))
    }

    /// The demo's config with our ports and paths.
    fn config(&self, listen: SocketAddr) -> Result<String, String> {
        let mut config: Table = toml::from_str(include_str!("../../../config/demo.toml"))
            .map_err(|fault| fault.to_string())?;
        let in_folder = |name: &str| text(&self.folder.join(name));
        let behind = Value::Array(vec![self.behind.to_string().into()]);
        for (path, value) in [
            (&["listen", "address"][..], listen.to_string().into()),
            (
                &["tls", "certificate", "chain"],
                text(&self.certificate.chain),
            ),
            (&["tls", "certificate", "key"], text(&self.certificate.key)),
            (&["upstream", "addresses"], behind),
            (&["users"], in_folder("users")),
            (&["state", "directory"], in_folder("state")),
            (&["admin", "socket"], in_folder("admin.sock")),
        ] {
            *entry(&mut config, path).ok_or_else(|| format!("no key {}", path.join(".")))? = value;
        }
        toml::to_string(&config).map_err(|fault| fault.to_string())
    }
}

fn text(path: &Path) -> Value {
    path.display().to_string().into()
}

/// The value at `path`; of an array of tables, in its first.
fn entry<'a>(table: &'a mut Table, path: &[&str]) -> Option<&'a mut Value> {
    let (first, rest) = path.split_first()?;
    let value = table.get_mut(*first)?;
    if rest.is_empty() {
        return Some(value);
    }
    match value {
        Value::Table(table) => entry(table, rest),
        Value::Array(tables) => entry(tables.first_mut()?.as_table_mut()?, rest),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demos_config_takes_our_ports_and_paths_and_enforces_from_the_first_minute() {
        let folder = Path::new("/somewhere/private");
        let files = Files {
            authority: folder.join("authority.pem"),
            chain: folder.join("chain.pem"),
            key: folder.join("key.pem"),
        };
        let config_parts = GatepostSetup {
            folder,
            behind: loopback(7),
            certificate: &files,
        };
        let text = config_parts.config(loopback(4651)).unwrap();
        let (config, _) = Config::parse(Path::new("gatepost.toml"), &text).unwrap();
        assert_eq!(config.listeners[0].address, loopback(4651));
        assert_eq!(config.store.directory, folder.join("state"));
        assert_eq!(config.admin.socket, folder.join("admin.sock"));
        assert_eq!(config.tls.certificates[0].key, files.key);
        assert!(config.gate.settling.is_zero());
    }

    #[test]
    fn the_folder_is_ours_alone_and_goes() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = TemporaryFolder::new().unwrap();
        let path = folder.path().to_owned();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        std::fs::write(path.join("file"), "").unwrap();
        drop(folder);
        assert!(!path.exists());
    }
}
