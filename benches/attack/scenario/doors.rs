//! doors - what does Gatepost's answer cost a login at Dovecot's own door?
//!
//! IMAP logins of familiar users at a Dovecot that asks Gatepost, at one that asks a server of the bench which allows
//! every login (what weakforced's protocol costs with nothing behind it), and at one that asks nobody (`native`). Then
//! the answers alone, without Dovecot: a thousand requests a second, of familiar users and of guessers.
//! Worrying: a login that takes noticeably longer than with the server that always allows, or an answer above 1 ms.

use std::fs::{self, Permissions};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::millis;
use crate::BenchResult;
use crate::backend::{DOVECOT, USERS, password, user};
use crate::bench::{BackendKind, Bench, micros_each};
use crate::client::{attacker, home};
use crate::load::{at_even_times, run_at_once};
use crate::peer::{ConfigChanges, Peer, PeerKind};
use crate::program::{Program, free_port};
use crate::results::Results;

mod always_allows;

const SECRET: &str = "a-secret-of-the-bench";
const NONCE: &str = "a-nonce-of-the-bench";
/// Logins at once, for what they cost; and a second, for how long they take.
const AT_ONCE: usize = 4;
const RATE: f64 = 20.0;
/// Requests a second, and the connections that Dovecot would have for them.
const REQUESTS: f64 = 1_000.0;
const CONNECTIONS: usize = 20;
/// One request of so many is a guess.
const GUESSES: usize = 10;
/// As many guesses empty the buckets.
const SPENT: usize = 600;
const PATIENCE: Duration = Duration::from_secs(30);

const KINDS: [PeerKind; 4] = [
    PeerKind::Gatepost,
    PeerKind::Other,
    PeerKind::AlwaysAllows,
    PeerKind::Native,
];

pub(super) fn play(bench: &Bench, results: &mut Results) -> BenchResult<()> {
    for round in 0..bench.extent.rounds {
        for kind in KINDS {
            if !bench.extent.kinds.contains(&kind) {
                continue;
            }
            match measured(bench, kind) {
                Ok(figures) => results.file(kind, figures),
                Err(fault) => {
                    results.note(format!("{}, round {}: {fault}", kind.name(), round + 1));
                }
            }
        }
    }
    Ok(())
}

fn measured(bench: &Bench, kind: PeerKind) -> BenchResult<Vec<(&'static str, f64)>> {
    let asked = Asked::start(bench, kind)?;
    let mut dovecot = ImapDovecot::start(bench, asked.address())?;
    let mut figures = logins(bench, &mut dovecot, &asked)?;
    drop(dovecot);
    if let Some(address) = asked.address() {
        figures.extend(answers(bench, address, &asked)?);
    }
    Ok(figures)
}

/// What Dovecot asks.
enum Asked {
    /// A Gatepost, and where.
    Gatepost(Box<Peer>, SocketAddr),
    /// The server that always allows.
    AlwaysAllows(SocketAddr),
    Nobody,
}

impl Asked {
    fn start(bench: &Bench, kind: PeerKind) -> BenchResult<Self> {
        match kind {
            PeerKind::AlwaysAllows => Ok(Self::AlwaysAllows(always_allows::start()?)),
            PeerKind::Gatepost | PeerKind::Other => {
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
                let tables = format!(
                    "[auth-policy]\nlisten = \"{address}\"\nsecret = \"{SECRET}\"\nnonce = \"{NONCE}\"\n"
                );
                let changes = ConfigChanges {
                    tables,
                    ..ConfigChanges::default()
                };
                let backend = bench.backend(BackendKind::Sha256)?;
                let peer = Peer::start(kind, &bench.files, backend, &changes)?;
                Ok(Self::Gatepost(Box::new(peer), address))
            }
            _ => Ok(Self::Nobody),
        }
    }

    fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Gatepost(_, address) | Self::AlwaysAllows(address) => Some(*address),
            Self::Nobody => None,
        }
    }

    /// CPU time so far; of the server that always allows none, as it is in the bench.
    fn cpu(&self) -> BenchResult<Duration> {
        match self {
            Self::Gatepost(peer, _) => match &peer.program {
                Some(program) => program.group().cpu(),
                None => Err("Gatepost does not run".into()),
            },
            Self::AlwaysAllows(_) | Self::Nobody => Ok(Duration::ZERO),
        }
    }
}

/// A Dovecot with an IMAP door, on the users of the other one.
struct ImapDovecot {
    program: Program,
    address: SocketAddr,
}

impl ImapDovecot {
    fn start(bench: &Bench, asks: Option<SocketAddr>) -> BenchResult<Self> {
        let users = bench.backend(BackendKind::Sha256)?.users();
        let port = free_port()?;
        let folder = bench.folder(&format!("imap-{port}"));
        let mails = folder.join("mails");
        fs::create_dir_all(&mails)?;
        fs::set_permissions(&mails, Permissions::from_mode(0o777))?;
        let text = include_str!("../backend/imap.conf")
            .replace("{folder}", &folder.display().to_string())
            .replace("{users}", &users.display().to_string())
            .replace("{port}", &port.to_string())
            .replace("{asks}", &asks.map(settings).unwrap_or_default());
        let config = folder.join("dovecot.conf");
        fs::write(&config, text)?;
        let arguments = ["-F", "-c", &config.display().to_string()];
        let mut program = Program::start("imap", Path::new(DOVECOT), &arguments, &folder)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        program.listens(address)?;
        Ok(Self { program, address })
    }
}

/// As `gatepost setup` writes them.
fn settings(asked: SocketAddr) -> String {
    format!(
        "auth_policy_server_url = http://{asked}/\n\
         auth_policy_hash_truncate = 0\n\
         auth_policy_check_after_auth = no\n\
         auth_policy_server_api_header = X-API-Key: {SECRET}\n\
         auth_policy_hash_nonce = {NONCE}\n\
         auth_policy_request_attributes = login=%{{requested_username}} orig=%{{orig_user}} pwhash=%{{hashed_password}} \
         remote=%{{rip}} device_id=%{{client_id}} protocol=%s session_id=%{{session}} mech=%m\n"
    )
}

/// What logins cost, and how long they take.
fn logins(
    bench: &Bench,
    dovecot: &mut ImapDovecot,
    asked: &Asked,
) -> BenchResult<Vec<(&'static str, f64)>> {
    let address = dovecot.address;
    let job = move |number| log_in(address, number);
    let crowd = |count| {
        let tally = run_at_once(bench.clock, AT_ONCE, count, job);
        bench.runtime.block_on(tally).all_done()
    };
    // Everybody is familiar then, and has a mailbox.
    crowd(USERS * 2)?;
    let count = bench.extent.count(600, 160);
    let used = || -> BenchResult<_> { Ok((dovecot.program.group().cpu()?, asked.cpu()?)) };
    let before = used()?;
    crowd(count)?;
    std::thread::sleep(Duration::from_millis(300));
    let after = used()?;
    let seconds = bench.extent.count(20, 5);
    let more = move |number| number < seconds * RATE as usize;
    let tally = at_even_times(bench.clock, RATE, more, job);
    let took = bench.runtime.block_on(tally).all_done()?.percentiles();
    let mut figures = vec![
        (
            "imap-dovecot",
            micros_each(after.0.saturating_sub(before.0), count),
        ),
        ("imap-p50", millis(took.p50_us)),
        ("imap-p99", millis(took.p99_us)),
    ];
    if matches!(asked, Asked::Gatepost(..)) {
        figures.push((
            "imap-answers",
            micros_each(after.1.saturating_sub(before.1), count),
        ));
    }
    Ok(figures)
}

/// A login of the user with this number at home.
async fn log_in(address: SocketAddr, number: usize) -> io::Result<()> {
    let login = async {
        let socket = TcpSocket::new_v4()?;
        socket.bind((home(number % USERS), 0).into())?;
        let mut lines = BufReader::new(socket.connect(address).await?);
        until(&mut lines, "* OK").await?;
        let (name, password) = (user(number), password(number));
        let line = format!("a LOGIN \"{name}\" \"{password}\"\r\n");
        lines.write_all(line.as_bytes()).await?;
        until(&mut lines, "a OK").await?;
        lines.write_all(b"b LOGOUT\r\n").await
    };
    timeout(PATIENCE, login).await?
}

/// Reads lines to the one that begins so.
async fn until(lines: &mut BufReader<TcpStream>, wanted: &str) -> io::Result<()> {
    loop {
        let mut line = String::new();
        let length = lines.read_line(&mut line).await?;
        if line.starts_with(wanted) {
            return Ok(());
        }
        if length == 0 || line.starts_with("a ") {
            return Err(io::Error::other(format!("instead of {wanted}: {line}")));
        }
    }
}

/// A thousand requests a second: how long an answer takes, and what it costs.
fn answers(
    bench: &Bench,
    address: SocketAddr,
    asked: &Asked,
) -> BenchResult<Vec<(&'static str, f64)>> {
    let door = DoorConnections::all(address);
    let job = move |number| {
        let door = Arc::clone(&door);
        async move { timeout(PATIENCE, door.ask(number)).await? }
    };
    // All that guessers may have at once is spent before, so that none waits for a turn.
    let spent = run_at_once(bench.clock, 8, SPENT * GUESSES, job.clone());
    bench.runtime.block_on(spent).all_done()?;
    let count = bench.extent.count(20, 4) * REQUESTS as usize;
    let before = asked.cpu()?;
    let tally = at_even_times(bench.clock, REQUESTS, move |number| number < count, job);
    let took = bench.runtime.block_on(tally).all_done()?.percentiles();
    let used = asked.cpu()?.saturating_sub(before);
    let mut figures = vec![
        ("answer-p50", millis(took.p50_us)),
        ("answer-p99", millis(took.p99_us)),
    ];
    if matches!(asked, Asked::Gatepost(..)) {
        figures.push(("answer-cpu", micros_each(used, count)));
    }
    Ok(figures)
}

/// Connections that stay, as Dovecot's do.
struct DoorConnections {
    address: SocketAddr,
    connections: Vec<Mutex<Option<BufReader<TcpStream>>>>,
}

impl DoorConnections {
    fn all(address: SocketAddr) -> Arc<Self> {
        let connections = (0..CONNECTIONS).map(|_| Mutex::new(None)).collect();
        Arc::new(Self {
            address,
            connections,
        })
    }

    /// One request and its answer: of a familiar user's login the first question, the second, or the report; or a guess.
    async fn ask(&self, number: usize) -> io::Result<()> {
        let place = self.connections.get(number % CONNECTIONS);
        let mut place = place
            .ok_or_else(|| io::Error::other("no connections"))?
            .lock()
            .await;
        let connection = match &mut *place {
            Some(connection) => connection,
            none => {
                let stream = TcpStream::connect(self.address).await?;
                stream.set_nodelay(true)?;
                none.insert(BufReader::new(stream))
            }
        };
        connection.write_all(request(number).as_bytes()).await?;
        let mut length = 0;
        loop {
            let mut line = String::new();
            if connection.read_line(&mut line).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(octets) = line.strip_prefix("content-length: ") {
                length = octets.parse().map_err(io::Error::other)?;
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        connection.read_exact(&mut body).await?;
        match body.starts_with(b"{\"status\":") {
            true => Ok(()),
            false => Err(io::Error::other(
                String::from_utf8_lossy(&body).into_owned(),
            )),
        }
    }
}

/// The request with this number, as Dovecot writes them.
fn request(number: usize) -> String {
    let (login, step) = (number / 3, number % 3);
    let is_guess = number.is_multiple_of(GUESSES);
    let (name, hash, from) = match is_guess {
        true => (user(number), 0x1000_0000 + number, attacker(number)),
        false => (user(login), login % USERS, home(login % USERS)),
    };
    let (command, outcome) = match step {
        2 if !is_guess => ("report", ",\"success\":true,\"policy_reject\":false"),
        _ => ("allow", ""),
    };
    let body = format!(
        "{{\"device_id\":\"\",\"login\":\"{name}\",\"mech\":\"PLAIN\",\"orig\":\"{name}\",\"protocol\":\"imap\",\
         \"pwhash\":\"{hash:064x}\",\"remote\":\"{from}\",\"session_id\":\"session{login}\"{outcome},\"tls\":false}}"
    );
    format!(
        "POST /?command={command} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
         X-API-Key: {SECRET}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
