//! cluster - what does it cost an honest user that their machine is one of several?
//!
//! Familiar users send a mail of 4 KB, at one machine alone and at one of three machines with a store: near (the same machine), far
//! (20 ms there and back, by a relay that holds every octet for half of it), and dead (nobody listens there); and at one of three
//! that are linked, of which one is there, a Gatepost of its own, and one is away. In turns, each on a
//! newly started Gatepost; first CPU with eight sessions at once, then how long a session takes at 20 a second.
//! Worrying: more than 1.02 of one machine alone, wherever the store is.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gatepost_core::moment::Moment;
use gatepost_daemon::clock::Clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::honest::{log_everybody_in, sessions};
use super::millis;
use crate::BenchResult;
use crate::backend::user;
use crate::bench::{BackendKind, Bench, Measurement, micros_each};
use crate::client::{BenchClient, Tickets, letter};
use crate::load::at_even_times;
use crate::peer::{ConfigChanges, Peer, PeerKind};
use crate::program::{Program, free_port};
use crate::results::Results;

/// From the machine to a far store, and back again.
const ONE_WAY: Duration = Duration::from_millis(10);
/// Honest sessions a second.
const RATE: usize = 20;
/// Parts of a stream that are on their way at once.
const ON_THE_WAY: usize = 1024;
/// A part of each is enough for the first logins of all users, whatever store there is.
const LIMITS: &str = "[limits.strangers]\nburst = 6000\n[limits.unknown]\nburst = 6000\n";
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// What the machine is one of, and where the store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClusterPlace {
    /// There is one machine alone.
    Nowhere,
    Near,
    Far,
    Dead,
    /// There is none: the machines are linked.
    Linked,
}

impl ClusterPlace {
    const ALL: [Self; 5] = [
        Self::Nowhere,
        Self::Near,
        Self::Far,
        Self::Dead,
        Self::Linked,
    ];

    /// What its figures are filed under.
    const fn keys(self) -> [&'static str; 3] {
        match self {
            Self::Nowhere => ["alone-mail", "alone-p50", "alone-p99"],
            Self::Near => ["near-mail", "near-p50", "near-p99"],
            Self::Far => ["far-mail", "far-p50", "far-p99"],
            Self::Dead => ["dead-mail", "dead-p50", "dead-p99"],
            Self::Linked => ["linked-mail", "linked-p50", "linked-p99"],
        }
    }
}

/// A redis-server, and a relay that makes it a far one; and where linked machines listen.
struct BenchStore {
    _server: Program,
    near: SocketAddr,
    far: SocketAddr,
    dead: SocketAddr,
    secret: PathBuf,
    links: [SocketAddr; 3],
}

pub(super) fn play(bench: &Bench, results: &mut Results) -> BenchResult<()> {
    if !Path::new("/usr/bin/redis-server").exists() {
        return Err(
            "redis-server is missing: apt-get install --no-install-recommends redis-server".into(),
        );
    }
    let store = BenchStore::start(bench)?;
    for round in 0..bench.extent.rounds {
        let mut turns = ClusterPlace::ALL;
        // Who comes first, meets a colder machine.
        turns.rotate_left(round % ClusterPlace::ALL.len());
        for place in turns {
            match play_round(bench, &store, place) {
                Ok(figures) => results.file(PeerKind::Gatepost, figures),
                Err(fault) => results.note(format!("{place:?}, round {}: {fault}", round + 1)),
            }
        }
    }
    Ok(())
}

fn play_round(
    bench: &Bench,
    store: &BenchStore,
    place: ClusterPlace,
) -> BenchResult<Vec<(&'static str, f64)>> {
    let backend = bench.backend(BackendKind::Sha256)?;
    let start = |changes| Peer::start(PeerKind::Gatepost, &bench.files, backend, &changes);
    let peer = start(store.changes(place))?;
    let _linked = match place {
        ClusterPlace::Linked => Some(start(store.linked(1))?),
        _ => None,
    };
    let set = &Measurement {
        bench,
        peer,
        backend,
    };
    log_everybody_in(set)?;
    let count = bench.extent.count(1_600, 400);
    sessions(set, count / 4, 4 * 1024)?;
    let (cost, _) = set.cost(|| sessions(set, count, 4 * 1024))?;
    let client = BenchClient::new(set.peer.address, Tickets::Ignored)?;
    let text = std::sync::Arc::new(letter(4 * 1024));
    let all = bench.extent.count(600, 300);
    let job = move |number| {
        let (client, text) = (client.clone(), std::sync::Arc::clone(&text));
        async move {
            let mut talk = client.logged_in(number).await?;
            talk.mail(&user(number), &text).await?;
            talk.quit().await
        }
    };
    let timed = at_even_times(bench.clock, RATE as f64, |number| number < all, job);
    let times = bench.runtime.block_on(timed).all_done()?.percentiles();
    let [mail, p50, p99] = place.keys();
    Ok(vec![
        (mail, micros_each(cost.proxy, count)),
        (p50, millis(times.p50_us)),
        (p99, millis(times.p99_us)),
    ])
}

impl BenchStore {
    fn start(bench: &Bench) -> BenchResult<Self> {
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let free = || free_port().map(local);
        let folder = bench.folder("store");
        std::fs::create_dir_all(&folder)?;
        let secret = folder.join("cluster.secret");
        std::fs::write(&secret, SECRET)?;
        std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o600))?;
        let [near, far] = [free()?, free()?];
        let port = near.port().to_string();
        let options = ["--port", &port, "--bind", "127.0.0.1", "--save", ""];
        let program = Path::new("/usr/bin/redis-server");
        let mut server = Program::start("redis", program, &options, &folder)?;
        server.listens(near)?;
        let listener = bench.runtime.block_on(TcpListener::bind(far))?;
        bench.runtime.spawn(relay(listener, near, bench.clock));
        Ok(Self {
            _server: server,
            near,
            far,
            dead: free()?,
            secret,
            links: [free()?, free()?, free()?],
        })
    }

    fn changes(&self, place: ClusterPlace) -> ConfigChanges {
        let store = match place {
            ClusterPlace::Nowhere => return tables(LIMITS.to_owned()),
            ClusterPlace::Linked => return self.linked(0),
            ClusterPlace::Near => self.near,
            ClusterPlace::Far => self.far,
            ClusterPlace::Dead => self.dead,
        };
        self.machine(0, &format!("store = \"redis://{store}\"\n"))
    }

    /// The machine of that number; at the last one's address nobody listens.
    fn linked(&self, number: usize) -> ConfigChanges {
        let [first, second, third] = self.links;
        let listen = if number == 0 { first } else { second };
        let peers = format!("peers = [\"{first}\", \"{second}\", \"{third}\"]\n");
        self.machine(number, &format!("listen = \"{listen}\"\n{peers}"))
    }

    fn machine(&self, number: usize, more: &str) -> ConfigChanges {
        let secret = self.secret.display();
        tables(format!(
            "{LIMITS}[cluster]\nmachines = [\"mx0\", \"mx1\", \"mx2\"]\nname = \"mx{number}\"\n{more}secret-file = \"{secret}\"\n"
        ))
    }
}

fn tables(tables: String) -> ConfigChanges {
    ConfigChanges {
        tables,
        ..ConfigChanges::default()
    }
}

/// Passes every connection on to `to`, each octet so much later.
async fn relay(listener: TcpListener, to: SocketAddr, clock: Clock) {
    while let Ok((near, _)) = listener.accept().await {
        let Ok(far) = TcpStream::connect(to).await else {
            continue;
        };
        for stream in [&near, &far] {
            // Without it the far store is only farther.
            let _ = stream.set_nodelay(true);
        }
        let ((near_read, near_write), (far_read, far_write)) =
            (near.into_split(), far.into_split());
        delay(near_read, far_write, clock);
        delay(far_read, near_write, clock);
    }
}

fn delay(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, clock: Clock) {
    let (sender, mut parts) = mpsc::channel::<(Moment, Vec<u8>)>(ON_THE_WAY);
    tokio::spawn(async move {
        let mut part = vec![0; 64 * 1024];
        while let Ok(length) = from.read(&mut part).await {
            let Some(octets) = part.get(..length).filter(|octets| !octets.is_empty()) else {
                return;
            };
            let due = clock.now() + ONE_WAY;
            if sender.send((due, octets.to_vec())).await.is_err() {
                return;
            }
        }
    });
    tokio::spawn(async move {
        while let Some((due, octets)) = parts.recv().await {
            sleep(due.since(clock.now())).await;
            if to.write_all(&octets).await.is_err() {
                return;
            }
        }
    });
}
