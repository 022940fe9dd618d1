//! plan - what `setup` changes on this machine: Postfix's entries, Dovecot's file, certbot's hook
//!
//! Not here: the options of Postfix's entry (`entry`), doing it (`change`).

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Fault;
use super::certificate::{self, CertificateSource};
use super::change::FileChange;
use super::entry::NewEntry;
use super::own::{OwnChanges, OwnFile};
use super::scratch::Scratch;
use crate::cli::dovecot_policy::{self, DovecotVersion};
use crate::cli::postfix_files::{MasterEntry, PostfixFiles};
use crate::config::Config;
use crate::config::mail_servers::{self, MailServers};
use crate::net::tls::CertificateFiles;
use crate::net::upstream::UpstreamAddress;

const DOVECOT: &str = "\
# Written by `gatepost setup`: Gatepost delays the reply to a wrong password by itself.
auth_failure_delay = 0
# Dovecot's own penalty delays every login from an address that failed, also with the right password.
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
";

/// All changes.
pub(super) struct SetupPlan {
    /// Arguments of postconf, a call each.
    postconf: Vec<Vec<String>>,
    dovecot: PathBuf,
    /// What stands in it.
    dovecot_text: String,
    /// What only root may read, and where; none: Dovecot asks nobody.
    secrets: Option<(PathBuf, String)>,
    /// None: Gatepost has one, or there is none to be found.
    certificate: Option<CertificateSource>,
    /// Where Gatepost reads it.
    own: Option<CertificateFiles>,
    /// What changes in Gatepost's own files.
    gatepost: OwnChanges,
    remarks: Vec<String>,
}

impl SetupPlan {
    /// For the config at `path`.
    pub(super) fn new(
        path: &Path,
        config: &Config,
        files: &PostfixFiles,
        servers: &MailServers,
    ) -> Self {
        let gatepost = OwnChanges::new(path, config, files, servers);
        let listens =
            |entry: &&MasterEntry| entry.port().is_some_and(|port| gatepost.listens_at(port));
        let replaced: Vec<&MasterEntry> = files.entries.iter().filter(listens).collect();
        let mut postconf = Vec::new();
        let old = replaced.first().copied();
        let mut remarks = Vec::new();
        for address in &config.upstream.addresses {
            let entry = NewEntry::new(address, config.upstream.announce, files, old);
            remarks.extend(entry.remarks());
            postconf.extend(entry.calls());
        }
        for entry in &replaced {
            postconf.push(vec!["-M#".to_owned(), entry.name()]);
        }
        let (off, left) = others(config, files, &replaced);
        remarks.extend(left);
        postconf.extend(off);
        postconf.push(settings(files));
        let dovecot = servers.dovecot_file();
        let folder = dovecot.parent().and_then(Path::parent);
        let secrets = folder
            .unwrap_or(Path::new(""))
            .join("gatepost-policy.conf.ext");
        let mut dovecot_text = DOVECOT.to_owned();
        if let Some(policy) = &config.auth_policy {
            let version = mail_servers::output_of("dovecot", &["--version"]).unwrap_or_default();
            let version = DovecotVersion::of(&version);
            dovecot_text += &dovecot_policy::settings(policy, version, &secrets);
        }
        let policy = config.auth_policy.as_ref();
        let certificate = match servers.is_elsewhere() {
            true => None,
            false => certificate::find(config, &gatepost.hostname, files, old),
        };
        let own = config.tls.certificates.first().cloned();
        Self {
            postconf,
            dovecot,
            dovecot_text,
            secrets: policy.map(|policy| (secrets, dovecot_policy::secrets(policy))),
            certificate,
            own,
            gatepost,
            remarks,
        }
    }

    /// What Gatepost's config will say, where that changes.
    pub(super) fn config_text(&self) -> Option<&str> {
        self.gatepost.config.as_ref().map(|file| file.text.as_str())
    }

    /// Where the certificate is now that this brings to where Gatepost reads it.
    pub(super) fn brought(&self) -> Option<CertificateFiles> {
        self.certificate.as_ref().map(CertificateSource::files)
    }

    /// Everything, to be typed or pasted.
    pub(super) fn show(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(
            out,
            "# Postfix: an entry for Gatepost; its ports; no login elsewhere"
        )?;
        for arguments in &self.postconf {
            let words: Vec<String> = arguments.iter().map(|word| quoted(word)).collect();
            writeln!(out, "postconf {}", words.join(" "))?;
        }
        for file in self.of_gatepost() {
            let (path, added) = (file.path.display(), &file.added);
            write!(out, "\n# Gatepost: {path}\n{added}")?;
        }
        let (dovecot, text) = (self.dovecot.display(), &self.dovecot_text);
        writeln!(out, "\n# Dovecot: {dovecot}\n{text}")?;
        if let Some((path, text)) = &self.secrets {
            writeln!(out, "# Dovecot: {}, mode 0600\n{text}", path.display())?;
        }
        if let Some((path, text)) = self.hook() {
            writeln!(out, "# certbot: {}, executable\n{text}", path.display())?;
        }
        writeln!(out, "# Then:")?;
        for command in self.restarts() {
            writeln!(out, "{command}")?;
        }
        writeln!(
            out,
            "gatepost learn   # who has logged in until now is no stranger"
        )?;
        self.remarks(out)?;
        writeln!(
            out,
            "\n# The way back by hand: keep /etc/postfix/main.cf and master.cf before, put them back, remove {}, then\n\
             # systemctl disable --now gatepost.socket gatepost.service; systemctl restart dovecot postfix",
            self.dovecot.display()
        )
    }

    fn of_gatepost(&self) -> impl Iterator<Item = &OwnFile> {
        self.gatepost.config.iter().chain(&self.gatepost.socket)
    }

    fn hook(&self) -> Option<(PathBuf, String)> {
        self.certificate.as_ref()?.hook()
    }

    /// What setup does not decide.
    pub(super) fn remarks(&self, out: &mut dyn Write) -> io::Result<()> {
        let sources = self.certificate.iter().zip(&self.own);
        let of_source = sources.filter_map(|(source, own)| source.remark(own));
        of_source
            .chain(self.remarks.iter().cloned())
            .try_for_each(|remark| writeln!(out, "# NOTE: {remark}"))
    }

    /// In their order: Dovecot before Postfix, Postfix lets go of the ports before Gatepost takes them.
    pub(super) fn restarts(&self) -> Vec<String> {
        let mut commands = vec![
            "systemctl stop dovecot; rm -f /run/dovecot/anvil-auth-penalty; systemctl start dovecot".to_owned(),
            "systemctl restart postfix".to_owned(),
        ];
        if let (Some(source), Some(own)) = (&self.certificate, &self.own) {
            commands.push(source.command(own));
        }
        if self.gatepost.socket.is_some() {
            // systemd opens the ports of a socket unit at its start only.
            commands.push("systemctl daemon-reload; systemctl stop gatepost.socket".to_owned());
        }
        commands.push("systemctl enable gatepost; systemctl restart gatepost".to_owned());
        commands
    }

    /// The files as they are, and as they would be: postconf works on a copy.
    pub(super) fn changes(&self, servers: &MailServers) -> Result<Vec<FileChange>, Fault> {
        let folder = match &servers.postfix {
            Some(folder) => folder.clone(),
            None => PathBuf::from("/etc/postfix"),
        };
        let copy = Scratch::new()?;
        let names = ["main.cf", "master.cf"];
        for name in names {
            fs::copy(folder.join(name), copy.0.join(name))?;
        }
        for arguments in &self.postconf {
            let mut command = Command::new("postconf");
            let said = command.arg("-c").arg(&copy.0).args(arguments).output()?;
            if !said.status.success() {
                let why = String::from_utf8_lossy(&said.stderr).into_owned();
                return Err(format!("postconf {}: {why}", arguments.join(" ")).into());
            }
        }
        let mut changes = Vec::new();
        for name in names {
            let after = fs::read(copy.0.join(name))?;
            changes.push(FileChange::new(&folder.join(name), after, 0o644)?);
        }
        let text = self.dovecot_text.clone().into_bytes();
        changes.push(FileChange::new(&self.dovecot, text, 0o644)?);
        if let Some((path, text)) = &self.secrets {
            changes.push(FileChange::new(path, text.clone().into_bytes(), 0o600)?);
        }
        if let Some((path, text)) = self.hook() {
            changes.push(FileChange::new(&path, text.into(), 0o755)?);
        }
        for file in self.of_gatepost() {
            let text = file.text.clone().into_bytes();
            changes.push(FileChange::new(&file.path, text, 0o644)?);
        }
        Ok(changes)
    }
}

/// Login at entries that are not replaced: off at port 25; what is said of other ports.
fn others(
    config: &Config,
    files: &PostfixFiles,
    replaced: &[&MasterEntry],
) -> (Vec<Vec<String>>, Vec<String>) {
    let (mut off, mut remarks) = (Vec::new(), Vec::new());
    for entry in &files.entries {
        let is_ours = |address: &UpstreamAddress| files.entry_at(address) == Some(entry);
        if !files.offers_auth(entry)
            || replaced.contains(&entry)
            || config.upstream.addresses.iter().any(is_ours)
        {
            continue;
        }
        match entry.port() {
            Some(port) if port != 25 => remarks.push(format!(
                "port {port} ({}) offers login past Gatepost, and was left, for users may need it: add a [[listen]] for \
                 it to gatepost.toml; then `gatepost setup --undo` and `gatepost setup --apply`",
                entry.name()
            )),
            _ => off.push(vec![
                "-P".to_owned(),
                format!("{}/smtpd_sasl_auth_enable=no", entry.name()),
            ]),
        }
    }
    (off, remarks)
}

/// The settings of main.cf.
fn settings(files: &PostfixFiles) -> Vec<String> {
    let mut call = vec![
        "-e".to_owned(),
        "service_throttle_time=2s".to_owned(),
        "smtpd_client_port_logging=yes".to_owned(),
    ];
    // Postfix's default.
    if files.setting("message_size_limit") == "10240000" {
        call.push("message_size_limit=52428800".to_owned());
    }
    call
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=,@".contains(letter);
    match word.chars().all(is_plain) && !word.is_empty() {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}
