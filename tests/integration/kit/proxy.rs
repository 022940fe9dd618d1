//! proxy - a running Gatepost, its config file and its log
//!
//! The program that cargo built, started with `run --config`, as an operator starts it.
//! Not here: the certificates (`authority`), what is behind it (`mail`, `impostor`).

mod asked;
mod log;

use std::env;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use tempfile::TempDir;
use toml::{Table, Value};

use super::authority::{Authority, Signed};
use super::client::{Client, Trust, auth_plain};
use super::mail::{Entry, Mail, User};
use super::program::{self, Daemon, Ran};
use super::{ports, wait};

pub(crate) use log::{Event, Log};

/// The program under test: the one that cargo built, or the one that `GATEPOST_PROGRAM` names, so that the
/// tests can be tried on another build.
pub(crate) fn gatepost() -> Command {
    Command::new(this_build())
}

fn this_build() -> OsString {
    let built = || env!("CARGO_BIN_EXE_gatepost").into();
    env::var_os("GATEPOST_PROGRAM").unwrap_or_else(built)
}

/// The name on the certificate.
pub(crate) const NAME: &str = "mail.example.org";

/// What plays systemd.
const MANAGER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/integration/kit/manager.py"
);

/// A command line that `manager.py` runs, to be appended, with these open ports.
pub(crate) fn under_manager(addresses: &str) -> Command {
    let mut command = Command::new("python3");
    command.args([MANAGER, addresses]);
    command
}

/// A config file in the making, and the folder that it and all that it names are in.
pub(crate) struct Setup {
    config: Table,
    folder: TempDir,
    authority: Authority,
    implicit: u16,
    starttls: u16,
    program: OsString,
    /// The program that starts Gatepost, with its arguments; empty: none.
    under: Vec<String>,
    supervised: bool,
}

impl Setup {
    /// The defaults, but for: an implicit TLS listener on all addresses and a STARTTLS listener on
    /// 127.0.0.1, a certificate for [`NAME`], a log in JSON at `debug`, no settling in, no delay of
    /// failures.
    pub(crate) fn new(upstream: &str) -> Self {
        let folder = TempDir::with_prefix("gatepost-proxy-").expect("a folder for Gatepost");
        let path = |name: &str| folder.path().join(name).display().to_string();
        let (implicit, starttls) = (ports::free(), ports::free());
        let config = toml::toml! {
            hostname = "mail.example.org"
            settling = "0s"
            listen = [
                { address = (format!("[::]:{implicit}")), tls = "implicit" },
                { address = (format!("127.0.0.1:{starttls}")), tls = "starttls" },
            ]
            tls = { certificate = [{ chain = (path("chain.pem")), key = (path("key.pem")) }] }
            upstream = { addresses = [upstream] }
            admission = { sessions = 1000 }
            timeouts = { failure-delay = "0s", drain = "5s" }
            state = { directory = (path("state")) }
            admin = { socket = (path("admin.sock")) }
            log = { format = "json", level = "debug" }
        };
        let setup = Self {
            config,
            folder,
            authority: Authority::new(),
            implicit,
            starttls,
            program: this_build(),
            under: Vec::new(),
            supervised: false,
        };
        setup.new_certificate();
        setup
    }

    /// In front of a real Postfix, through its listener for the PROXY protocol.
    pub(crate) fn before(mail: &Mail) -> Self {
        Self::new(&mail.address(Entry::ProxyProtocol).to_string())
    }

    /// Sets the value at a dotted key.
    #[must_use]
    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.set(key, value);
        self
    }

    /// As [`Setup::with`].
    pub(crate) fn set(&mut self, key: &str, value: impl Into<Value>) {
        let mut path: Vec<&str> = key.split('.').collect();
        let last = path.pop().expect("a key");
        let mut table = &mut self.config;
        for name in path {
            let inner = table.entry(name).or_insert_with(|| Table::new().into());
            table = inner.as_table_mut().expect("a table on the way to the key");
        }
        table.insert(last.to_owned(), value.into());
    }

    /// Appends one more listener: `{ address, tls }` and what else the test wants.
    pub(crate) fn listen(&mut self, listener: Table) {
        let listeners = self.config.get_mut("listen").and_then(Value::as_array_mut);
        listeners
            .expect("there are listeners")
            .push(listener.into());
    }

    /// Signs a new certificate for [`NAME`] and puts it in the old one's place.
    pub(crate) fn new_certificate(&self) -> Signed {
        let signed = self
            .authority
            .sign(&[NAME, "localhost", "127.0.0.1", "::1"]);
        self.write("chain.pem", &signed.chain);
        self.write("key.pem", &signed.key);
        signed
    }

    /// Writes a file into the folder, for nobody else to read; says where.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).expect("write into Gatepost's folder");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("close the file");
        path
    }

    /// Another build of Gatepost: the one that `GATEPOST_OTHER_PROGRAM` names. Without that it is the same.
    #[must_use]
    pub(crate) fn of_other_build(mut self) -> Self {
        if let Some(program) = env::var_os("GATEPOST_OTHER_PROGRAM") {
            self.program = program;
        }
        self
    }

    /// From the next start on it is the program under test, with the same config and state.
    pub(crate) fn upgrade(&mut self) {
        self.program = this_build();
    }

    /// Has `gatepost run` started by another program that takes a command line.
    #[must_use]
    pub(crate) fn under(mut self, starter: &[&str]) -> Self {
        self.under = starter.iter().map(ToString::to_string).collect();
        self
    }

    /// Has it started as systemd starts it, by `manager.py`: with open ports, and supervised. SIGUSR1 restarts it then.
    /// The port for Dovecot's questions is one of them.
    #[must_use]
    pub(crate) fn managed(mut self) -> Self {
        let mut addresses = format!("[::]:{},127.0.0.1:{}", self.implicit, self.starttls);
        let policy = self.config.get("auth-policy");
        if let Some(policy) = policy.and_then(|table| table.get("listen")?.as_str()) {
            addresses += &format!(",{policy}");
        }
        self.under = vec!["python3".to_owned(), MANAGER.to_owned(), addresses];
        self.supervised = true;
        self
    }

    /// Teaches these logins, of yesterday, out of a log, as on the day of the install. Before the start.
    #[track_caller]
    pub(crate) fn learn_yesterdays(&self, logins: &[(&str, IpAddr)]) {
        let mut date = Command::new("date");
        date.args(["--utc", "--date=yesterday", "+%FT%T+00:00"]);
        let at = program::run(&mut date);
        let line = |(user, source): &(&str, IpAddr)| {
            format!(
                "{} mx dovecot: imap-login: Login: user=<{user}>, method=PLAIN, rip={source}, \
                 lip=127.0.0.1, mpid=1, TLS, session=<x>\n",
                at.trim()
            )
        };
        let log = self.write(
            "yesterday.log",
            &logins.iter().map(line).collect::<String>(),
        );
        let ran = self.command(&["learn", &log.display().to_string()]);
        assert_eq!(ran.code, Some(0), "{}", ran.text);
    }

    /// Writes the config file, whole or not at all, for a Gatepost may be reading it; says where.
    pub(crate) fn write_config(&self) -> PathBuf {
        let new = self.write("gatepost.toml.new", &self.config.to_string());
        let path = new.with_extension("");
        fs::rename(new, &path).expect("rename");
        path
    }

    /// Where the config file, the certificates and the state are.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What signed the certificate.
    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Runs a command of Gatepost with `--config` and this config, to its end.
    #[track_caller]
    pub(crate) fn command(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .arg("--config")
            .arg(self.write_config());
        program::with_input(&mut command, b"")
    }

    /// Starts `gatepost run` and waits until both listeners accept.
    #[track_caller]
    pub(crate) fn start(self) -> Proxy {
        let (daemon, log) = self.launch();
        Proxy {
            setup: self,
            daemon,
            log,
        }
    }

    /// As [`Setup::start`], with its two outputs for the test to read, or not.
    #[track_caller]
    pub(crate) fn start_unread(self) -> (Proxy, [Box<dyn Read + Send>; 2]) {
        let (daemon, outputs) = self.spawn();
        let log = Log::follow([]);
        let daemon = self.until_it_listens(daemon, &log);
        let proxy = Proxy {
            setup: self,
            daemon,
            log,
        };
        (proxy, outputs)
    }

    #[track_caller]
    fn launch(&self) -> (Daemon, Log) {
        let (daemon, outputs) = self.spawn();
        let log = Log::follow(outputs);
        (self.until_it_listens(daemon, &log), log)
    }

    #[track_caller]
    fn spawn(&self) -> (Daemon, [Box<dyn Read + Send>; 2]) {
        let mut command = Command::new(&self.program);
        command.arg("run").arg("--config").arg(self.write_config());
        if self.supervised {
            command.arg("--supervised");
        }
        let starter: Vec<&str> = self.under.iter().map(String::as_str).collect();
        let command = match starter.is_empty() {
            true => command,
            false => program::under(&starter, &command),
        };
        Daemon::spawn_with_output(&command)
    }

    #[track_caller]
    fn until_it_listens(&self, mut daemon: Daemon, log: &Log) -> Daemon {
        for port in [self.implicit, self.starttls] {
            wait::until("Gatepost listens", || {
                if let Some(status) = daemon.ended() {
                    panic!("Gatepost ended at once with {status}:\n{}", log.text());
                }
                TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
            });
        }
        daemon
    }
}

/// A running Gatepost. Dropped, it is killed.
pub(crate) struct Proxy {
    /// Its config, to be changed before [`Proxy::reload`].
    pub(crate) setup: Setup,
    daemon: Daemon,
    log: Log,
}

impl Proxy {
    /// Where clients with implicit TLS connect.
    pub(crate) fn implicit(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.setup.implicit).into()
    }

    /// Where clients with STARTTLS connect.
    pub(crate) fn starttls(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.setup.starttls).into()
    }

    /// Its process id.
    pub(crate) fn process_id(&self) -> u32 {
        self.daemon.id()
    }

    /// All events that fit, of all that it had to log by now. Its log is written by a thread of its own, and read
    /// by one of ours: so this bans an address that no test uses, and reads up to that line.
    #[track_caller]
    pub(crate) fn logged(&self, fits: impl Fn(&Event) -> bool) -> Vec<Event> {
        let bans = |event: &Event| event.message() == "ban began";
        let [.., high, low] = self.log.events(bans).len().to_be_bytes();
        let marker = format!("100.127.{high}.{low}");
        let ran = self.setup.command(&["bans", "add", &marker, "--for", "1m"]);
        assert_eq!(ran.code, Some(0), "{}", ran.text);
        self.log.find("the ban", |event| {
            bans(event) && event.field("subject") == marker
        });
        self.log.events(fits)
    }

    /// Its log.
    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// The memory that it has now, in KiB (the kernel's VmRSS).
    #[track_caller]
    pub(crate) fn resident_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.daemon.id());
        let status = fs::read_to_string(path).expect("it runs");
        let resident = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.strip_suffix("kB"));
        let number = resident.and_then(|number| number.trim().parse().ok());
        number.expect("a number of the kernel")
    }

    /// What a client needs to trust it.
    pub(crate) fn trust(&self) -> Trust {
        Trust::new(self.setup.authority.roots())
    }

    /// A client from `source` on the implicit TLS listener, after the handshake.
    #[track_caller]
    pub(crate) fn client(&self, source: IpAddr) -> Client {
        self.try_client(source).expect("connect to Gatepost")
    }

    /// As [`Proxy::client`], where being turned away is an answer.
    pub(crate) fn try_client(&self, source: IpAddr) -> io::Result<Client> {
        let mut client = Client::connect(source, self.implicit())?;
        client.secure(&self.trust(), NAME)?;
        Ok(client)
    }

    /// One that was greeted and has said EHLO; none if it was cut off before, as it may be where deadlines are short.
    pub(crate) fn try_greeted(&self, source: IpAddr) -> Option<Client> {
        let mut client = self.try_client(source).ok()?;
        let banner = client.try_reply().ok()?;
        let hello = client.try_say("EHLO laptop.example.net").ok()?;
        (banner.code == 220 && hello.code == 250).then_some(client)
    }

    /// The code that a login in a session of its own got; none if the session ended before.
    pub(crate) fn log_in(&self, source: IpAddr, user: User<'_>) -> Option<u16> {
        let mut client = self.try_client(source).ok()?;
        client.try_reply().ok()?;
        client.try_say("EHLO laptop.example.net").ok()?;
        let reply = client.try_say(&auth_plain(user)).ok()?;
        client.try_say("QUIT").ok();
        Some(reply.code)
    }

    /// A client from `source` on the STARTTLS listener, after STARTTLS and the handshake.
    #[track_caller]
    pub(crate) fn starttls_client(&self, source: IpAddr) -> Client {
        let mut client = Client::connect(source, self.starttls()).expect("connect to Gatepost");
        client.greet();
        client.expect("STARTTLS", 220);
        client
            .secure(&self.trust(), NAME)
            .expect("TLS after STARTTLS");
        client
    }

    /// Writes the config as it is in `setup` now and sends SIGHUP. Does not wait.
    pub(crate) fn reload(&self) {
        self.setup.write_config();
        self.daemon.signal(Signal::HUP);
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.daemon.id()
    }

    /// Sends it a signal. Does not wait.
    pub(crate) fn signal(&self, signal: Signal) {
        self.daemon.signal(signal);
    }

    /// Sends SIGTERM. Does not wait.
    pub(crate) fn terminate(&self) {
        self.daemon.signal(Signal::TERM);
    }

    /// Waits for the end that [`Proxy::terminate`] asked for; it must be exit code 0.
    #[track_caller]
    pub(crate) fn ends_well(&mut self) {
        let status = wait::find("Gatepost ends", || self.daemon.ended());
        assert!(status.success(), "{status}:\n{}", self.log.text());
    }

    /// SIGTERM, exit code 0, and a start with the same config and state.
    #[track_caller]
    pub(crate) fn restart(&mut self) {
        self.terminate();
        self.ends_well();
        (self.daemon, self.log) = self.setup.launch();
    }

    /// A start with the same config and state, after an end.
    #[track_caller]
    pub(crate) fn start_again(&mut self) {
        (self.daemon, self.log) = self.setup.launch();
    }

    /// SIGKILL, and a start with the same config and state.
    #[track_caller]
    pub(crate) fn kill_and_start(&mut self) {
        self.daemon.signal(Signal::KILL);
        self.daemon.wait();
        (self.daemon, self.log) = self.setup.launch();
    }
}
