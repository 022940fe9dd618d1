//! crowdsec - a CrowdSec of a test's own: its local API on a port of its own, its database, its `cscli`
//!
//! Debian's, with no part that reads logs, and none that speaks to the network.
//! Not here: what is asked of it (the daemon's `crowdsec`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::authority::{Authority, Signed};
use super::{ports, program, wait};

/// A running LAPI. Dropped, it is killed.
pub(crate) struct Crowdsec {
    folder: TempDir,
    child: Child,
    port: u16,
    scheme: &'static str,
}

/// The names on its certificate.
const NAMES: [&str; 2] = ["127.0.0.1", "localhost"];

impl Crowdsec {
    /// Starts one that has decided nothing, with a bouncer and a machine for Gatepost.
    #[track_caller]
    pub(crate) fn start() -> Self {
        let folder = TempDir::with_prefix("gatepost-crowdsec-").expect("a folder for crowdsec");
        Self::start_in(folder, "http", "")
    }

    /// As [`Crowdsec::start`], over https with a certificate that this authority has signed.
    #[track_caller]
    pub(crate) fn start_https(authority: &Authority) -> Self {
        let folder = TempDir::with_prefix("gatepost-crowdsec-").expect("a folder for crowdsec");
        write_certificate(folder.path(), &authority.sign(&NAMES));
        let place = folder.path().display();
        let tls = format!(
            "    tls:\n      cert_file: {place}/chain.pem\n      key_file: {place}/server-key.pem\n"
        );
        Self::start_in(folder, "https", &tls)
    }

    #[track_caller]
    fn start_in(folder: TempDir, scheme: &'static str, tls: &str) -> Self {
        let port = ports::free();
        let config = config(&folder.path().display().to_string(), port, tls);
        let write = |name: &str, text: &str| {
            fs::write(folder.path().join(name), text).expect("write into CrowdSec's folder");
        };
        write("config.yaml", &config);
        write("simulation.yaml", "simulation: false\n");
        write("profiles.yaml", PROFILE);
        write("cscli.yaml", "");
        let command = launch(&folder);
        let crowdsec = Self {
            folder,
            child: command,
            port,
            scheme,
        };
        crowdsec.wait();
        let file = |name: &str| crowdsec.path(name).display().to_string();
        for (machine, path) in [("cscli", file("cscli.yaml")), ("mx1", file("machine.yaml"))] {
            let words = ["machines", "add", machine, "--auto", "--force", "--file"];
            crowdsec.cscli(&[&words[..], &[&path, "--url", &crowdsec.url()]].concat());
        }
        let key = crowdsec.cscli(&["bouncers", "add", "gatepost", "--output", "raw"]);
        write_secret(&crowdsec.key_file(), &key);
        crowdsec
    }

    /// As `crowdsec.url` names it.
    pub(crate) fn url(&self) -> String {
        format!("{}://127.0.0.1:{}", self.scheme, self.port)
    }

    /// Puts a certificate that this authority has signed in the old one's place. It takes a start.
    #[track_caller]
    pub(crate) fn change_certificate(&self, authority: &Authority) {
        write_certificate(self.folder.path(), &authority.sign(&NAMES));
    }

    /// The file with the bouncer's key.
    pub(crate) fn key_file(&self) -> PathBuf {
        self.path("key")
    }

    /// The file with the machine's name and password, as cscli wrote it.
    pub(crate) fn machine_file(&self) -> PathBuf {
        self.path("machine.yaml")
    }

    /// Runs a command of cscli; what it printed.
    #[track_caller]
    pub(crate) fn cscli(&self, words: &[&str]) -> String {
        let mut command = Command::new("cscli");
        command.arg("--config").arg(self.path("config.yaml"));
        program::run(command.args(words))
    }

    /// Changes what it has decided, by a command of `cscli decisions`.
    #[track_caller]
    pub(crate) fn decide(&self, words: &str) {
        let words: Vec<&str> = words.split(' ').collect();
        self.cscli(&[&["decisions"], &words[..]].concat());
    }

    /// Imports so many decisions about addresses from 16.0.0.0 on.
    #[track_caller]
    pub(crate) fn import(&self, count: u32) {
        let lines = (0..count).map(|n| {
            let address = std::net::Ipv4Addr::from_bits(1 << 28 | n);
            format!("24h,Ip,{address},many\n")
        });
        let text = "duration,scope,value,reason\n".to_owned() + &lines.collect::<String>();
        let path = self.path("many.csv");
        fs::write(&path, text).expect("write into CrowdSec's folder");
        self.cscli(&["decisions", "import", "-i", &path.display().to_string()]);
    }

    /// Kills it.
    #[track_caller]
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("kill crowdsec");
        self.child.wait().expect("crowdsec has ended");
    }

    /// Starts it again, with what it had decided.
    #[track_caller]
    pub(crate) fn start_again(&mut self) {
        self.child = launch(&self.folder);
        self.wait();
    }

    /// Stops it without ending it, or lets it go on.
    #[track_caller]
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("signal crowdsec");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    #[track_caller]
    fn wait(&self) {
        wait::until("CrowdSec's local API listens", || {
            std::net::TcpStream::connect((std::net::Ipv4Addr::LOCALHOST, self.port)).is_ok()
        });
    }
}

impl Drop for Crowdsec {
    fn drop(&mut self) {
        // It may have been killed before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn launch(folder: &TempDir) -> Child {
    let output = fs::File::create(folder.path().join("log")).expect("a log");
    Command::new("crowdsec")
        .arg("-c")
        .arg(folder.path().join("config.yaml"))
        .arg("-no-cs")
        .current_dir(folder.path())
        .stdout(output)
        .stderr(Stdio::null())
        .spawn()
        .expect("crowdsec is installed")
}

#[track_caller]
fn write_certificate(folder: &Path, signed: &Signed) {
    fs::write(folder.join("chain.pem"), &signed.chain).expect("write the certificate");
    write_secret(&folder.join("server-key.pem"), &signed.key);
}

fn write_secret(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, text).expect("write into CrowdSec's folder");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("close the file");
}

const PROFILE: &str =
    "name: nothing\nfilters:\n - \"false\"\ndecisions:\n - type: ban\n   duration: 4h\n";

fn config(folder: &str, port: u16, tls: &str) -> String {
    format!(
        "common:
  daemonize: false
  log_media: stdout
  log_level: info
config_paths:
  config_dir: {folder}
  data_dir: {folder}
  simulation_path: {folder}/simulation.yaml
  hub_dir: {folder}
  index_path: /usr/share/crowdsec/hub/.index.json
db_config:
  type: sqlite
  use_wal: true
  db_path: {folder}/crowdsec.db
api:
  client:
    insecure_skip_verify: true
    credentials_path: {folder}/cscli.yaml
  server:
    log_level: info
    listen_uri: 127.0.0.1:{port}
    profiles_path: {folder}/profiles.yaml
{tls}prometheus:
  enabled: false
"
    )
}
