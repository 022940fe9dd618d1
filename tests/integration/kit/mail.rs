//! mail - a real Postfix with a real Dovecot behind it, for one test
//!
//! Own configuration, queue and run directories in a folder of its own, own ports, own logs; the
//! machine's Postfix is not touched. Both end with the test's thread, however that ends.
//! Not here: what a test may read of them (`mail::evidence`).
//! A mail that comes in is held in the queue, so that a test can compare it byte for byte.

mod evidence;

use std::fs::{self, File, Permissions};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::authority::Authority;
use super::program::{self, Daemon};
use super::{ports, wait};

pub(crate) use evidence::PasswordCheck;

/// Who has a mailbox, beside [`numbered`]. No password is a word once digits are trimmed.
pub(crate) const ANNA: User = User("anna@example.org", "Birnbaum7Kirsche");
/// Another one.
pub(crate) const BERT: User = User("bert@example.org", "Sanddorn4Holunder");
/// And another one.
pub(crate) const CARLA: User = User("carla@example.org", "Quitte9Mispel");

/// A user that only the kit knows (`evidence`).
const MARKER: User = User("marker@example.org", "Weissdorn3Schlehe");

/// How many [`numbered`] users most tests need, and how many there are.
pub(crate) const NUMBERED: usize = 40;
/// A crowd of them.
pub(crate) const CROWD: usize = 300;

const MASTER: &str = "/usr/lib/postfix/sbin/master";
const MECHANISMS: &str = "plain login scram-sha-1 scram-sha-256 cram-md5";

/// A name and a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct User<'a>(pub(crate) &'a str, pub(crate) &'a str);

/// One of the many: name and password.
pub(crate) fn numbered(number: usize) -> (String, String) {
    (
        format!("user{number}@example.org"),
        format!("Apfel{number}quitte"),
    )
}

/// The listeners of the test's Postfix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// Wants the PROXY protocol, version 1 or 2.
    ProxyProtocol,
    /// Takes XCLIENT from 127.0.0.1.
    Xclient,
    /// Takes the peer of the connection for the client.
    Plain,
    /// As `ProxyProtocol`, and wrongly offers STARTTLS.
    StartTls,
    /// The one that our manual gives old programs, past Gatepost.
    OldPrograms,
}

impl Entry {
    const ALL: [Self; 5] = [
        Self::ProxyProtocol,
        Self::Xclient,
        Self::Plain,
        Self::StartTls,
        Self::OldPrograms,
    ];

    /// The name in master.cf, in Postfix's log behind `postfix/`.
    const fn name(self) -> &'static str {
        match self {
            Self::ProxyProtocol => "proxy-protocol",
            Self::Xclient => "xclient",
            Self::Plain => "plain",
            Self::StartTls => "starttls",
            Self::OldPrograms => "old-programs",
        }
    }
}

/// How Dovecot keeps its passwords.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passwords {
    /// In clear, so that SCRAM and CRAM-MD5 can be checked.
    Clear,
    /// As bcrypt hashes, cost 10: a check takes tens of milliseconds. PLAIN and LOGIN only, and
    /// only the first few users.
    Bcrypt,
    /// A check takes a second and no computing, for any user, and finds every password right: a Dovecot whose
    /// database is slow, behind a Postfix of [`FEW`] processes. PLAIN and LOGIN only.
    Slow,
}

/// How many processes a Postfix has whose Dovecot is slow.
pub(crate) const FEW: usize = 20;

/// What Dovecot runs for a check where it is slow. Name and password come on descriptor 3, with NULs behind them.
const SLOW_CHECK: &str = "#!/bin/sh
USER=$(tr '\\0' '\\n' <&3 | head -n 1)
export USER
sleep 1
exec \"$@\"
";

/// A running Postfix and Dovecot.
pub(crate) struct Mail {
    postfix: Option<Daemon>,
    dovecot: Option<Daemon>,
    ports: [u16; Entry::ALL.len()],
    folder: TempDir,
}

impl Mail {
    /// Starts both, with passwords in clear.
    ///
    /// # Panics
    /// When Postfix or Dovecot is missing, or we are not root: these tests never pass by skipping.
    pub(crate) fn start() -> Self {
        Self::with_passwords(Passwords::Clear)
    }

    /// Starts both. Panics as [`Mail::start`] does.
    pub(crate) fn with_passwords(passwords: Passwords) -> Self {
        Self::with_settings(passwords, "")
    }

    /// Starts both, with more settings for Dovecot. Every user has a second name, without the domain, and with the
    /// same password. Panics as [`Mail::start`] does.
    pub(crate) fn with_dovecot(settings: &str) -> Self {
        Self::with_settings(Passwords::Clear, settings)
    }

    fn with_settings(passwords: Passwords, dovecot: &str) -> Self {
        demand_programs();
        let folder = TempDir::with_prefix("gatepost-mail-").expect("a folder for Postfix");
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("open the folder");
        let ports = Entry::ALL.map(|_| ports::free());
        write_configuration(folder.path(), &ports, passwords);
        if !dovecot.is_empty() {
            add_settings(folder.path(), dovecot);
        }
        program::run(
            Command::new("postfix")
                .arg("-c")
                .arg(folder.path().join("etc"))
                .arg("check"),
        );
        let mut mail = Self {
            postfix: None,
            dovecot: None,
            ports,
            folder,
        };
        mail.start_dovecot();
        mail.start_postfix();
        mail
    }

    /// Where one of its listeners is, whether Postfix runs or not.
    pub(crate) fn address(&self, entry: Entry) -> SocketAddr {
        let place = Entry::ALL.iter().position(|other| *other == entry);
        let port = self.ports[place.expect("ALL holds every entry")];
        (Ipv4Addr::LOCALHOST, port).into()
    }

    /// One more listener on 127.0.0.1, with these options; `program` is what answers there, `smtpd` mostly.
    pub(crate) fn add_entry(&self, program: &str, options: &[&str]) -> SocketAddr {
        self.add_entry_at("127.0.0.1", program, options)
    }

    /// As [`Mail::add_entry`], on any address that 127.0.0.1 leads to.
    pub(crate) fn add_entry_at(&self, host: &str, program: &str, options: &[&str]) -> SocketAddr {
        let port = ports::free();
        let path = self.folder.path().join("etc/master.cf");
        let most = if program == "postscreen" { "1" } else { "-" };
        let mut entries = fs::read_to_string(&path).expect("read master.cf");
        entries += &format!("{host}:{port} inet n - n - {most} {program}\n");
        entries.extend(options.iter().map(|option| format!("  -o {option}\n")));
        fs::write(&path, entries).expect("write master.cf");
        let address = (Ipv4Addr::LOCALHOST, port).into();
        self.reload_until_it_listens(address);
        address
    }

    /// Postfix reads its files anew; one of its entries is there now.
    pub(crate) fn reload_until_it_listens(&self, address: SocketAddr) {
        self.postfix
            .as_ref()
            .expect("Postfix runs")
            .signal(Signal::HUP);
        wait::until("Postfix listens there", || {
            TcpStream::connect(address).is_ok()
        });
    }

    /// Postfix's configuration directory.
    pub(crate) fn postfix_config(&self) -> PathBuf {
        self.folder.path().join("etc")
    }

    /// Dovecot's config file.
    pub(crate) fn dovecot_settings(&self) -> PathBuf {
        self.folder.path().join("dovecot.conf")
    }

    /// The UNIX socket of one more listener, which wants the PROXY protocol.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("queue/public/submit")
    }

    /// Ends Postfix with all its processes, sessions in the middle included.
    pub(crate) fn stop_postfix(&mut self) {
        self.postfix.take().expect("Postfix runs").end(Signal::TERM);
        let address = self.address(Entry::Plain);
        wait::until("all of Postfix ends", || {
            TcpStream::connect(address).is_err()
        });
    }

    /// Starts Postfix (again) and waits until it listens. No smtpd has been started then.
    pub(crate) fn start_postfix(&mut self) {
        let mut command = Command::new(MASTER);
        command
            .arg("-d")
            .arg("-c")
            .arg(self.folder.path().join("etc"));
        let starts = |log: String| log.matches("daemon started").count();
        let before = starts(self.postfix_log());
        self.postfix = Some(Daemon::spawn(command));
        wait::until("Postfix starts", || starts(self.postfix_log()) > before);
    }

    /// Stops all processes of Postfix in the middle of what they do; the kernel goes on accepting for them.
    pub(crate) fn freeze_postfix(&self) {
        self.postfix
            .as_ref()
            .expect("Postfix runs")
            .signal_group(Signal::STOP);
    }

    /// Undoes [`Mail::freeze_postfix`].
    pub(crate) fn thaw_postfix(&self) {
        self.postfix
            .as_ref()
            .expect("Postfix runs")
            .signal_group(Signal::CONT);
    }

    /// Ends Dovecot with all its processes; nobody listens on its socket any more.
    pub(crate) fn stop_dovecot(&mut self) {
        // Asked to end, it would leave behind an auth process that serves on while it has clients.
        drop(self.dovecot.take().expect("Dovecot runs"));
        let socket = self.folder.path().join("queue/private/auth");
        wait::until("all of Dovecot ends", || {
            UnixStream::connect(&socket).is_err()
        });
    }

    /// Starts Dovecot (again) and waits for its socket.
    pub(crate) fn start_dovecot(&mut self) {
        let mut command = Command::new("dovecot");
        command
            .arg("-F")
            .arg("-c")
            .arg(self.folder.path().join("dovecot.conf"));
        self.dovecot = Some(Daemon::spawn(command));
        let socket = self.folder.path().join("queue/private/auth");
        wait::until("Dovecot listens", || UnixStream::connect(&socket).is_ok());
    }

    /// Makes every check of a password fail for Dovecot's own reasons, as a lost database does;
    /// returns when it does. Dovecot's log has some checks of Anna's password more then.
    pub(crate) fn break_passwords(&self) {
        let users = self.folder.path().join("users");
        fs::rename(&users, users.with_extension("away")).expect("take the passwords away");
        fs::write(&users, "").expect("put something in their place");
        fs::set_permissions(&users, Permissions::from_mode(0o000)).expect("forbid reading it");
        wait::until("Dovecot fails", || {
            self.dovecot_says(ANNA).contains("code=temp_fail")
        });
    }

    /// Undoes [`Mail::break_passwords`]; returns when Dovecot accepts again.
    pub(crate) fn mend_passwords(&self) {
        let users = self.folder.path().join("users");
        fs::rename(users.with_extension("away"), &users).expect("bring the passwords back");
        wait::until("Dovecot recovers", || {
            self.dovecot_says(ANNA).contains("auth succeeded")
        });
    }

    /// Gives a user another password; returns when Dovecot takes it. Dovecot's log has some checks more then.
    pub(crate) fn change_password(&self, User(name, password): User<'_>) {
        let users = self.folder.path().join("users");
        let old = fs::read_to_string(&users).expect("read the passwords");
        let lines = old.lines().map(|line| match line.split_once(':') {
            Some((user, _)) if user == name => format!("{name}:{{PLAIN}}{password}\n"),
            _ => format!("{line}\n"),
        });
        let new = users.with_extension("new");
        fs::write(&new, lines.collect::<String>()).expect("write the passwords");
        fs::rename(&new, &users).expect("put the new passwords in their place");
        wait::until("Dovecot takes the new password", || {
            self.dovecot_says(User(name, password))
                .contains("auth succeeded")
        });
    }

    /// Stops the processes that check passwords in the middle of what they do, or lets them go on.
    pub(crate) fn suspend_dovecot(&self, signal: Signal) {
        let master = self.dovecot.as_ref().expect("Dovecot runs").id();
        let checkers = evidence::children(master, "auth");
        assert!(!checkers.is_empty(), "Dovecot has processes that check");
        for checker in checkers {
            let pid = Pid::from_raw(checker).expect("a process id");
            kill_process(pid, signal).expect("signal our own Dovecot");
        }
    }

    /// What Dovecot says to a password.
    fn dovecot_says(&self, User(name, password): User<'_>) -> String {
        let mut command = Command::new("doveadm");
        command
            .arg("-c")
            .arg(self.folder.path().join("dovecot.conf"));
        command.args(["auth", "test", name, password]);
        program::with_input(&mut command, b"").text
    }
}

fn add_settings(folder: &Path, dovecot: &str) {
    let path = folder.join("dovecot.conf");
    let settings = fs::read_to_string(&path).expect("Dovecot's settings");
    let dovecot = dovecot.replace("{folder}", &folder.display().to_string());
    fs::write(&path, format!("{settings}\n{dovecot}\n")).expect("add to Dovecot's settings");
    let path = folder.join("users");
    let users = fs::read_to_string(&path).expect("the users");
    let bare = users
        .lines()
        .map(|line| line.replacen("@example.org", "", 1) + "\n");
    fs::write(&path, bare.chain([users.clone()]).collect::<String>()).expect("add to the users");
}

/// # Panics
/// Saying what to do, when these tests cannot run here.
fn demand_programs() {
    assert!(
        rustix::process::geteuid().is_root(),
        "the tests against Postfix must run as root: Postfix starts its processes as other users"
    );
    for program in [MASTER, "/usr/sbin/postfix", "/usr/sbin/dovecot"] {
        assert!(
            Path::new(program).exists(),
            "{program} is missing: tests/run installs what the tests need"
        );
    }
}

fn write_configuration(folder: &Path, ports: &[u16], passwords: Passwords) {
    for inner in ["etc", "queue", "data", "dovecot/run", "dovecot/state"] {
        fs::create_dir_all(folder.join(inner)).expect("make Postfix's folders");
    }
    program::run(
        Command::new("chown")
            .arg("postfix")
            .arg(folder.join("data")),
    );
    let fill = |template: &str| {
        let mut text = template
            .replace("{old-options}", &old_options())
            .replace("{folder}", &folder.display().to_string())
            .replace("{mechanisms}", mechanisms(passwords))
            .replace("{passwords}", &passdb(folder, passwords))
            .replace("{processes}", &processes(passwords).to_string());
        for (entry, port) in Entry::ALL.iter().zip(ports) {
            text = text.replace(&format!("{{{}}}", entry.name()), &port.to_string());
        }
        text
    };
    let write = |name: &str, text: &str| {
        fs::write(folder.join(name), text).expect("write Postfix's configuration");
    };
    write("etc/main.cf", &fill(include_str!("mail/main.cf")));
    write("etc/master.cf", &fill(include_str!("mail/master.cf")));
    // Postfix waits a while before it reads a file that was written just now.
    let main = File::options()
        .append(true)
        .open(folder.join("etc/main.cf"));
    let aged = main.and_then(|file| file.set_modified(SystemTime::UNIX_EPOCH));
    aged.expect("age Postfix's configuration");
    write("dovecot.conf", &fill(include_str!("mail/dovecot.conf")));
    write("users", &passwd_file(passwords));
    write("check", SLOW_CHECK);
    let check = Permissions::from_mode(0o755);
    fs::set_permissions(folder.join("check"), check).expect("let Dovecot run it");
    let signed = Authority::new().sign(&["mail.example.org"]);
    write("postfix.pem", &format!("{}{}", signed.key, signed.chain));
}

/// The options of the entry for old programs, as `config/master.cf` has them.
fn old_options() -> String {
    let manual = include_str!("../../../config/master.cf").lines();
    let entry = manual.skip_while(|line| !line.starts_with("#192.168.1.10:5465 inet"));
    let options = entry.skip(1).map_while(|line| line.strip_prefix("#  -o "));
    let options: String = options.map(|option| format!("  -o {option}\n")).collect();
    assert!(options.contains("smtpd_tls_wrappermode"), "{options}");
    options
}

const fn mechanisms(passwords: Passwords) -> &'static str {
    match passwords {
        Passwords::Clear => MECHANISMS,
        Passwords::Bcrypt | Passwords::Slow => "plain login",
    }
}

/// How many processes Postfix has for each entry.
const fn processes(passwords: Passwords) -> usize {
    match passwords {
        Passwords::Clear | Passwords::Bcrypt => 100,
        Passwords::Slow => FEW,
    }
}

/// Dovecot's driver for passwords, and its argument.
fn passdb(folder: &Path, passwords: Passwords) -> String {
    let (driver, argument) = match passwords {
        Passwords::Clear | Passwords::Bcrypt => ("passwd-file", "users"),
        Passwords::Slow => ("checkpassword", "check"),
    };
    let argument = folder.join(argument);
    format!("driver = {driver}\n  args = {}", argument.display())
}

fn passwd_file(passwords: Passwords) -> String {
    let named = [ANNA, BERT, CARLA].map(|User(name, password)| (name.into(), password.into()));
    let everybody: Vec<(String, String)> = match passwords {
        Passwords::Clear => named.into_iter().chain((0..CROWD).map(numbered)).collect(),
        Passwords::Bcrypt | Passwords::Slow => named.into(),
    };
    let line = |(name, password): (String, String)| match passwords {
        Passwords::Clear | Passwords::Slow => format!("{name}:{{PLAIN}}{password}\n"),
        Passwords::Bcrypt => format!("{name}:{}\n", bcrypt(&password)),
    };
    let marker = format!("{}:{{PLAIN}}{}\n", MARKER.0, MARKER.1);
    everybody.into_iter().map(line).chain([marker]).collect()
}

fn bcrypt(password: &str) -> String {
    let mut command = Command::new("doveadm");
    command.args(["pw", "-s", "BLF-CRYPT", "-r", "10", "-p", password]);
    program::run(&mut command).trim().to_owned()
}
