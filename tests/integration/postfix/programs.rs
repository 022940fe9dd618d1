//! programs - how each mail program is told to send one mail through Gatepost
//!
//! Every one verifies the certificate, and comes from a loopback address of its own where it can be
//! told one. Not here: what must have arrived (`delivery`).

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use lettre::address::Envelope;
use lettre::transport::smtp::authentication::{self, Credentials};
use lettre::transport::smtp::client::{Certificate, SmtpConnection, TlsParameters};
use lettre::transport::smtp::extension::ClientId;

use crate::kit::client::loopback;
use crate::kit::mail::User;
use crate::kit::program::{self, Ran};
use crate::kit::proxy::{NAME, Proxy};

/// How TLS begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tls {
    /// As on port 465.
    Implicit,
    /// As on port 587.
    StartTls,
}

impl Tls {
    /// As the scripts are told.
    const fn word(self) -> &'static str {
        match self {
            Self::Implicit => "implicit",
            Self::StartTls => "starttls",
        }
    }
}

/// One mail to send.
pub(super) struct Job<'a> {
    /// The server.
    pub(super) proxy: &'a Proxy,
    /// To which listener.
    pub(super) tls: Tls,
    /// `PLAIN`, `LOGIN`, or another one that the program knows.
    pub(super) mechanism: &'a str,
    /// The user and the password.
    pub(super) user: User<'a>,
    /// The mail, header and body, lines ended by LF.
    pub(super) text: &'a str,
}

/// The envelope's recipient.
pub(super) const RECIPIENT: &str = "someone@example.net";

impl Job<'_> {
    fn port(&self) -> String {
        let address = match self.tls {
            Tls::Implicit => self.proxy.implicit(),
            Tls::StartTls => self.proxy.starttls(),
        };
        address.port().to_string()
    }

    fn root(&self) -> PathBuf {
        let authority = self.proxy.setup.authority();
        authority.write_root(self.proxy.setup.folder())
    }

    /// The mail as a file with CRLF, for programs that do not convert.
    fn file(&self) -> PathBuf {
        let text = self.text.replace('\n', "\r\n");
        self.proxy.setup.write("mail.eml", &text)
    }
}

/// Perl, with the oldest habits of all.
pub(super) fn swaks(job: &Job<'_>) -> Ran {
    let mut command = Command::new("swaks");
    command
        .args(["--server", "localhost", "--port", &job.port()])
        .arg(match job.tls {
            Tls::Implicit => "--tls-on-connect",
            Tls::StartTls => "--tls",
        })
        .args(["--tls-verify", "--tls-ca-path"])
        .arg(job.root())
        .args(["--local-interface", "127.11.0.1", "--helo", "laptop"])
        .args(["--auth", job.mechanism])
        .args(["--auth-user", job.user.0, "--auth-password", job.user.1])
        .args(["--from", job.user.0, "--to", RECIPIENT])
        .args(["--no-data-fixup", "--data", "@-"])
        .args(["--suppress-data", "--timeout", "60"]);
    // It does not double the dots of data that it is not to fix.
    let doubled = job.text.replace("\n.", "\n..").replace('\n', "\r\n");
    program::with_input(&mut command, format!("{doubled}.\r\n").as_bytes())
}

/// libcurl, and so many others.
pub(super) fn curl(job: &Job<'_>) -> Ran {
    let port = job.port();
    let url = match job.tls {
        Tls::Implicit => format!("smtps://127.0.0.1:{port}"),
        Tls::StartTls => format!("smtp://127.0.0.1:{port}"),
    };
    let mut command = Command::new("curl");
    command
        .args(["--silent", "--show-error", "--ssl-reqd", "--cacert"])
        .arg(job.root())
        .args(["--interface", "127.11.0.2"])
        .args(["--login-options", &format!("AUTH={}", job.mechanism)])
        .args(["--user", &format!("{}:{}", job.user.0, job.user.1)])
        .args(["--mail-from", job.user.0, "--mail-rcpt", RECIPIENT])
        .args(["--url", &url, "--upload-file"])
        .arg(job.file());
    program::with_input(&mut command, b"")
}

/// What cron jobs and mutt use.
pub(super) fn msmtp(job: &Job<'_>) -> Ran {
    let starttls = match job.tls {
        Tls::Implicit => "off",
        Tls::StartTls => "on",
    };
    let config = format!(
        "account default\nhost localhost\nport {}\nsource_ip 127.11.0.3\nfrom {1}\n\
         tls on\ntls_starttls {starttls}\ntls_trust_file {2}\n\
         auth {3}\nuser {1}\npassword {4}\nset_from_header off\nset_date_header off\n",
        job.port(),
        job.user.0,
        job.root().display(),
        job.mechanism.to_ascii_lowercase(),
        job.user.1,
    );
    let config = job.proxy.setup.write("msmtprc", &config);
    let mut command = Command::new("msmtp");
    command.arg("--file").arg(config).arg(RECIPIENT);
    program::with_input(&mut command, job.text.as_bytes())
}

/// Python's standard library.
pub(super) fn smtplib(job: &Job<'_>) -> Ran {
    let mut command = Command::new("python3");
    command
        .args(["-c", include_str!("smtplib_send.py")])
        .arg(job.tls.word())
        .arg(job.port())
        .arg(job.root())
        .args([job.mechanism, job.user.0, job.user.1, RECIPIENT]);
    program::with_input(&mut command, job.text.as_bytes())
}

/// JavaScript's best known.
pub(super) fn nodemailer(job: &Job<'_>) -> Ran {
    let mut command = Command::new("node");
    command
        .env("NODE_PATH", "/usr/share/nodejs")
        .env("NODE_EXTRA_CA_CERTS", job.root())
        .args(["--eval", include_str!("nodemailer_send.js"), "--"])
        .arg(job.tls.word())
        .arg(job.port())
        .args([job.mechanism, job.user.0, job.user.1, RECIPIENT]);
    program::with_input(&mut command, job.text.as_bytes())
}

/// Perl's own.
pub(super) fn net_smtp(job: &Job<'_>) -> Ran {
    let mut command = Command::new("perl");
    command
        .args(["-e", include_str!("net_smtp_send.pl"), "--"])
        .arg(job.tls.word())
        .arg(job.port())
        .arg(job.root())
        .args([job.mechanism, job.user.0, job.user.1, RECIPIENT]);
    program::with_input(&mut command, job.text.as_bytes())
}

/// The file in which git keeps the password, if it does.
pub(super) fn git_passwords(proxy: &Proxy) -> PathBuf {
    proxy.setup.folder().join("git-credentials")
}

/// Developers', which asks git for the password and tells it what came of that.
pub(super) fn git_send_email(job: &Job<'_>) -> Ran {
    let (folder, passwords) = (job.proxy.setup.folder(), git_passwords(job.proxy));
    let User(name, password) = job.user;
    let user = name.replace('@', "%40");
    let kept = format!("smtp://{user}:{password}@localhost%3a{}\n", job.port());
    fs::write(&passwords, kept).expect("keep a password");
    let helper = format!("credential.helper=store --file={}", passwords.display());
    let mut command = Command::new("git");
    command
        .current_dir(folder)
        .env("HOME", folder)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .args(["--exec-path=/usr/lib/git-core", "-c", &helper, "send-email"])
        .args([
            "--smtp-server",
            "localhost",
            "--smtp-server-port",
            &job.port(),
        ])
        .args([
            "--smtp-encryption",
            match job.tls {
                Tls::Implicit => "ssl",
                Tls::StartTls => "tls",
            },
        ])
        .arg("--smtp-ssl-cert-path")
        .arg(job.root())
        .args(["--smtp-user", name, "--smtp-auth", job.mechanism])
        .args(["--from", name, "--to", RECIPIENT, "--confirm", "never"])
        .args(["--suppress-cc", "all", "--quiet", "--no-validate"])
        .arg(job.file());
    program::with_input(&mut command, b"")
}

/// Rust's.
pub(super) fn lettre(job: &Job<'_>) -> Ran {
    let sent = lettre_connection(job).and_then(|mut connection| {
        let mechanism = match job.mechanism {
            "LOGIN" => authentication::Mechanism::Login,
            _ => authentication::Mechanism::Plain,
        };
        let User(name, password) = job.user;
        connection.auth(&[mechanism], &Credentials::from((name, password)))?;
        let sender = name.parse().expect("an address");
        let recipient = RECIPIENT.parse().expect("an address");
        let envelope = Envelope::new(Some(sender), vec![recipient]).expect("an envelope");
        // It puts a line end behind every message, whether there is one or not.
        let text = job.text.trim_end().replace('\n', "\r\n");
        connection.send(&envelope, text.as_bytes())?;
        connection.quit()
    });
    Ran {
        success: sent.is_ok(),
        code: None,
        text: format!("{sent:?}"),
    }
}

fn lettre_connection(job: &Job<'_>) -> Result<SmtpConnection, lettre::transport::smtp::Error> {
    let root = fs::read(job.root()).expect("the root certificate");
    let tls = TlsParameters::builder(NAME.to_owned())
        .add_root_certificate(Certificate::from_pem(&root)?)
        .build()?;
    let address = match job.tls {
        Tls::Implicit => job.proxy.implicit(),
        Tls::StartTls => job.proxy.starttls(),
    };
    let hello = ClientId::Domain("laptop".to_owned());
    let wrapped = (job.tls == Tls::Implicit).then_some(&tls);
    let source = Some(loopback(11, 6));
    let deadline = Some(Duration::from_secs(60));
    let mut connection = SmtpConnection::connect(address, deadline, &hello, wrapped, source)?;
    if job.tls == Tls::StartTls {
        connection.starttls(&tls, &hello)?;
    }
    Ok(connection)
}
