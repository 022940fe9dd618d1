//! doors - Dovecot's own doors beside Gatepost's: IMAP, POP3 and ManageSieve of a real Dovecot that asks Gatepost
//!
//! Dovecot's settings are those that `gatepost setup` prints. Not here: Postfix and its Dovecot (`mail`).

use std::fs::{self, Permissions};
use std::io::{self, BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::client::base64;
use super::mail::{Mail, User};
use super::ports;
use super::proxy::{Proxy, Setup};

/// Longer than any delay of Gatepost's and any wait of Dovecot's.
const HANG: Duration = Duration::from_secs(90);

/// The secret and the nonce of the tests.
pub(crate) const SECRET: &str = "a-secret-of-the-tests";
const NONCE: &str = "a-nonce-of-the-tests";

/// One of Dovecot's doors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    Imap,
    Pop3,
    Sieve,
}

impl Door {
    pub(crate) const ALL: [Self; 3] = [Self::Imap, Self::Pop3, Self::Sieve];
}

/// A mail server with all doors, and the ports of Dovecot's.
pub(crate) struct Doors {
    pub(crate) mail: Mail,
    ports: [u16; Door::ALL.len()],
    pub(crate) policy: SocketAddr,
}

impl Doors {
    /// Starts Postfix and Dovecot; `more` are more settings of Dovecot's. Gatepost is to be started with [`Doors::setup`].
    pub(crate) fn start(more: &str) -> Self {
        let ports = Door::ALL.map(|_| ports::free());
        let policy = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()));
        let asks = told_by_setup(policy);
        let [imap, pop3, sieve] = ports;
        let mail = Mail::with_dovecot(&format!(
            "protocols = imap pop3 sieve
             disable_plaintext_auth = no
             auth_verbose = yes
             mail_location = maildir:{{folder}}/mails/%u
             plugin {{
               sieve = file:{{folder}}/mails/%u.sieve;active={{folder}}/mails/%u.active
             }}
             service imap-login {{
               service_count = 0
               inet_listener imap {{
                 address = 127.0.0.1
                 port = {imap}
               }}
               inet_listener imaps {{
                 port = 0
               }}
             }}
             service pop3-login {{
               service_count = 0
               inet_listener pop3 {{
                 address = 127.0.0.1
                 port = {pop3}
               }}
               inet_listener pop3s {{
                 port = 0
               }}
             }}
             service managesieve-login {{
               service_count = 0
               inet_listener sieve {{
                 address = 127.0.0.1
                 port = {sieve}
               }}
             }}
             {asks}
             {more}"
        ));
        let mails = mail.dovecot_settings().with_file_name("mails");
        fs::create_dir(&mails).expect("a folder for mails");
        fs::set_permissions(&mails, Permissions::from_mode(0o777)).expect("open it");
        Self {
            mail,
            ports,
            policy,
        }
    }

    /// Gatepost before all of them.
    pub(crate) fn setup(&self) -> Setup {
        asked_at(Setup::before(&self.mail), self.policy)
    }

    /// Logs in at a door, or not: whether it was accepted. None: there was no answer.
    pub(crate) fn log_in(&self, door: Door, from: IpAddr, user: User<'_>) -> io::Result<bool> {
        let place = Door::ALL.iter().position(|other| *other == door);
        let port = self.ports[place.expect("ALL holds every door")];
        let mut session = Session::connect(from, (Ipv4Addr::LOCALHOST, port).into())?;
        match door {
            Door::Imap => session.imap(user),
            Door::Pop3 => session.pop3(user),
            Door::Sieve => session.sieve(user),
        }
    }

    /// How many passwords Dovecot has found wrong, whatever door they came to.
    pub(crate) fn wrong_passwords_checked(&self) -> usize {
        // The log is written behind the answers; this waits for it.
        let _ = self.mail.password_checks();
        let log = self.mail.dovecot_log();
        let is_check = |line: &&str| {
            line.contains("passwd-file(")
                && (line.contains("Password mismatch") || line.contains("unknown user"))
        };
        log.lines().filter(is_check).count()
    }
}

fn asked_at(setup: Setup, policy: SocketAddr) -> Setup {
    setup
        .with("auth-policy.listen", policy.to_string())
        .with("auth-policy.secret", SECRET)
        .with("auth-policy.nonce", NONCE)
}

/// Dovecot's settings about Gatepost, as `gatepost setup` prints them.
fn told_by_setup(policy: SocketAddr) -> String {
    let setup = asked_at(Setup::new("127.0.0.1:1"), policy);
    setup.write("main.cf", "compatibility_level = 3.6\n");
    setup.write("master.cf", "smtp inet n - y - - smtpd\n");
    let folder = setup.folder().display().to_string();
    let dovecot = format!("{folder}/dovecot.conf");
    let words = [
        "setup",
        "--postfix-config",
        &folder,
        "--dovecot-config",
        &dovecot,
    ];
    let ran = setup.command(&words);
    assert_eq!(ran.code, Some(0), "{}", ran.text);
    let asks = |line: &&str| line.starts_with("auth_policy_");
    let lines: Vec<&str> = ran.text.lines().filter(asks).collect();
    assert_eq!(lines.len(), 6, "{}", ran.text);
    lines.join("\n")
}

/// Waits until Gatepost answers Dovecot.
pub(crate) fn until_it_answers(proxy: &Proxy) {
    proxy.log().find("the door for Dovecot", |event| {
        event
            .message()
            .contains("listening for Dovecot's questions")
    });
}

/// A conversation in lines.
struct Session(BufReader<TcpStream>);

impl Session {
    fn connect(source: IpAddr, server: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(server), Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(source, 0).into())?;
        socket.connect(&server.into())?;
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(HANG))?;
        stream.set_write_timeout(Some(HANG))?;
        Ok(Self(BufReader::new(stream)))
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.0.read_line(&mut line)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line),
        }
    }

    /// The first line that begins with one of these words, and with which.
    fn until(&mut self, words: &[&str]) -> io::Result<usize> {
        loop {
            let line = self.line()?;
            if let Some(found) = words.iter().position(|word| line.starts_with(word)) {
                return Ok(found);
            }
        }
    }

    fn say(&mut self, line: &str) -> io::Result<()> {
        self.0.get_mut().write_all(format!("{line}\r\n").as_bytes())
    }

    fn imap(&mut self, User(name, password): User<'_>) -> io::Result<bool> {
        self.until(&["* OK"])?;
        self.say(&format!("a LOGIN \"{name}\" \"{password}\""))?;
        Ok(self.until(&["a OK", "a NO", "* BYE"])? == 0)
    }

    fn pop3(&mut self, User(name, password): User<'_>) -> io::Result<bool> {
        self.until(&["+OK"])?;
        self.say(&format!("USER {name}"))?;
        self.until(&["+OK"])?;
        self.say(&format!("PASS {password}"))?;
        Ok(self.until(&["+OK", "-ERR"])? == 0)
    }

    fn sieve(&mut self, User(name, password): User<'_>) -> io::Result<bool> {
        self.until(&["OK"])?;
        let message = base64(format!("\0{name}\0{password}"));
        self.say(&format!("AUTHENTICATE \"PLAIN\" \"{message}\""))?;
        Ok(self.until(&["OK", "NO", "BYE"])? == 0)
    }
}
