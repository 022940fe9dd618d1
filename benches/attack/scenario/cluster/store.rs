//! store - a redis-server near and far, an address where nobody listens, and where linked machines listen
//!
//! Also what stands in `[cluster]` of a machine in each place. Not here: what is measured there (`cluster`).

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

use super::ClusterPlace;
use crate::BenchResult;
use crate::bench::Bench;
use crate::peer::ConfigChanges;
use crate::program::{Program, free_port};

/// From the machine to a far store, and back again.
const ONE_WAY: Duration = Duration::from_millis(10);
/// Parts of a stream that are on their way at once.
const ON_THE_WAY: usize = 1024;
/// A part of each is enough for the first logins of all users, whatever store there is.
const LIMITS: &str = "[limits.strangers]\nburst = 6000\n[limits.unknown]\nburst = 6000\n";
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A redis-server, and a relay that makes it a far one; and where linked machines listen.
pub(super) struct BenchStore {
    _server: Program,
    near: SocketAddr,
    far: SocketAddr,
    dead: SocketAddr,
    secret: PathBuf,
    links: [SocketAddr; 3],
}

impl BenchStore {
    pub(super) fn start(bench: &Bench) -> BenchResult<Self> {
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

    pub(super) fn changes(&self, place: ClusterPlace) -> ConfigChanges {
        let store = match place {
            ClusterPlace::Nowhere | ClusterPlace::Again => return tables(LIMITS.to_owned()),
            ClusterPlace::Linked => return self.linked(0),
            ClusterPlace::Near => self.near,
            ClusterPlace::Far => self.far,
            ClusterPlace::Dead => self.dead,
        };
        // The near one and the far one share the store.
        let number = usize::from(place == ClusterPlace::Far);
        self.machine(number, &format!("store = \"redis://{store}\"\n"))
    }

    /// The machine of that number; at the last one's address nobody listens.
    pub(super) fn linked(&self, number: usize) -> ConfigChanges {
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
