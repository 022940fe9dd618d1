//! store - what is asked of the store that lends: a Redis or Valkey server
//!
//! Every question has its script, of one key. None is asked twice: a question whose answer does not come may have been
//! served, so what went with it is lost, and the connection is closed.
//! Not here: when to ask and what becomes of the answer (`server::lending`), records (`stream`), the connection itself (`connection`).

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use redis::{Cmd, FromRedisValue, Pipeline};
use tokio::time::timeout;

use self::connection::StoreConnection;
use gatepost_core::gate::buckets::slice::{Lend, LenderPoint, SliceRequest};

pub(in crate::cluster) mod connection;

mod entry;
pub mod survey;

/// How long the store may take to let us in.
pub(in crate::cluster) const ENTRY: Duration = Duration::from_secs(2);
/// A name of a machine that has been silent for this long, in milliseconds, may be another process's.
const NAME_IS_FREE_MS: u64 = 10_000;

const LEND: &str = include_str!("lend.lua");
const ANNOUNCE: &str = include_str!("announce.lua");
/// The machines that are there.
const MACHINES: &str = "gatepost:1:machines";

/// Where the store is, and how we are let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LenderSettings {
    /// Where it is.
    pub address: LenderAddress,
    /// The number of its database.
    pub database: i64,
    /// Its user for us; none: the default one.
    pub user: Option<String>,
    /// The file with that user's password.
    pub password_file: Option<PathBuf>,
}

/// Where a store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LenderAddress {
    /// A host and a port.
    Tcp(String, u16, LenderChannel),
    /// A UNIX socket.
    Unix(PathBuf),
}

/// How octets go to a store over TCP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LenderChannel {
    /// As they are.
    Clear,
    /// In TLS. Its certificate is of one of the authorities in this file; none: of one that this system trusts.
    Tls(Option<PathBuf>),
}

/// As the config has it.
impl fmt::Display for LenderAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(host, port, channel) => {
                let scheme = match channel {
                    LenderChannel::Clear => "redis",
                    LenderChannel::Tls(_) => "rediss",
                };
                match host.contains(':') {
                    true => write!(f, "{scheme}://[{host}]:{port}"),
                    false => write!(f, "{scheme}://{host}:{port}"),
                }
            }
        }
    }
}

/// Why the store does not lend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LenderFault {
    /// A file that it needs.
    #[error("{}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// It could not be reached.
    #[error("no connection: {0}")]
    Connect(String),
    /// It did not answer in time.
    #[error("no answer within {} s", .0.as_secs())]
    Silent(Duration),
    /// It has closed the connection.
    #[error("it closed the connection")]
    Closed,
    /// It refuses what it is asked.
    #[error("{0}")]
    Refused(String),
}

/// A machine that was seen at the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenMachine {
    /// Its name.
    pub name: String,
    /// How long ago.
    pub silent: Duration,
    /// Its version.
    pub version: String,
    /// A hash of the list of machines that it has.
    pub list: String,
}

/// Who is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterPresence {
    /// Whether this machine's name is its own; else another process has it.
    pub is_ours: bool,
    /// All machines that were here in the last day, this one too.
    pub machines: Vec<SeenMachine>,
}

/// A connection to the store.
pub struct Lender {
    connection: StoreConnection,
    lend: String,
    announce: String,
    /// Which run of the server it is: what another one has left in a bucket may be old.
    run: String,
}

impl fmt::Debug for Lender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lender(..)")
    }
}

impl Lender {
    /// Connects, and makes the scripts known.
    ///
    /// # Errors
    /// Why the store is not to be had; in two seconds at most.
    pub async fn connect(settings: &LenderSettings) -> Result<Self, LenderFault> {
        let entering = Box::pin(Self::enter(settings));
        let entered = timeout(ENTRY, entering).await;
        entered.unwrap_or(Err(LenderFault::Silent(ENTRY)))
    }

    async fn enter(settings: &LenderSettings) -> Result<Self, LenderFault> {
        let mut connection = StoreConnection::open(settings).await?;
        let server: String = connection.ask(redis::cmd("INFO").arg("server")).await?;
        let run = run_of(&server)
            .ok_or_else(|| LenderFault::Refused("INFO server tells no run_id".to_owned()))?;
        Ok(Self {
            lend: connection.load(LEND).await?,
            announce: connection.load(ANNOUNCE).await?,
            run,
            connection,
        })
    }

    /// Gives back and borrows; what was lent, in the order of the requests.
    ///
    /// # Errors
    /// Whatever went with the requests is lost then.
    pub async fn exchange(&mut self, requests: &[SliceRequest]) -> Result<Vec<Lend>, LenderFault> {
        let mut pipeline = Pipeline::with_capacity(requests.len());
        for request in requests {
            pipeline.add_command(self.request(request));
        }
        let lent: Vec<(u32, u32, u64, u64, u64)> = self.connection.ask_all(&pipeline).await?;
        let lend = |(tokens, left, epoch, back, until)| Lend {
            tokens,
            left,
            point: LenderPoint { epoch, back },
            until,
        };
        Ok(lent.into_iter().map(lend).collect())
    }

    fn request(&self, request: &SliceRequest) -> Cmd {
        let bucket = request.bucket.spec().reason;
        let mut command = redis::cmd("EVALSHA");
        command
            .arg(&self.lend)
            .arg(1)
            .arg(format!("gatepost:1:lent:{bucket}"))
            .arg(request.limit.burst)
            .arg(request.wanted)
            .arg(&self.run)
            .arg(request.claim.epoch)
            .arg(request.claim.back);
        for back in [request.unspent, request.refunded] {
            command
                .arg(back.tokens)
                .arg(back.until.epoch)
                .arg(back.until.back);
        }
        command
    }

    /// Says that this process is the machine `name`, and asks who else is there.
    ///
    /// # Errors
    /// Why the store does not say.
    pub async fn announce(
        &mut self,
        name: &str,
        process: &str,
        list: &str,
    ) -> Result<ClusterPresence, LenderFault> {
        let mut command = self.presence(name, process);
        let command = command
            .arg(env!("CARGO_PKG_VERSION"))
            .arg(list)
            .arg(NAME_IS_FREE_MS);
        let told: Vec<redis::Value> = self.connection.ask(command).await?;
        presence(&told).ok_or_else(|| LenderFault::Refused("its answer makes no sense".to_owned()))
    }

    /// Says that this process is no machine any more.
    ///
    /// # Errors
    /// Why the store does not take it.
    pub async fn leave(&mut self, name: &str, process: &str) -> Result<(), LenderFault> {
        let command = self.presence(name, process);
        self.connection.ask(&command).await
    }

    fn presence(&self, name: &str, process: &str) -> Cmd {
        let mut command = redis::cmd("EVALSHA");
        command.arg(&self.announce).arg(1).arg(MACHINES);
        command.arg(name).arg(process);
        command
    }
}

/// The number of the server's run, as INFO tells it.
fn run_of(server: &str) -> Option<String> {
    let run = server.lines().find_map(|line| line.strip_prefix("run_id:"));
    run.map(|run| run.trim().to_owned())
        .filter(|run| !run.is_empty())
}

fn presence(told: &[redis::Value]) -> Option<ClusterPresence> {
    let (first, rest) = told.split_first()?;
    let is_ours = i64::from_redis_value_ref(first).ok()? == 1;
    let machine = |four: &[redis::Value]| {
        let [name, silent, version, list] = four else {
            return None;
        };
        let text = |value| String::from_redis_value_ref(value).ok();
        Some(SeenMachine {
            name: text(name)?,
            silent: Duration::from_millis(u64::from_redis_value_ref(silent).ok()?),
            version: text(version)?,
            list: text(list)?,
        })
    };
    Some(ClusterPresence {
        is_ours,
        machines: rest.chunks(4).map(machine).collect::<Option<_>>()?,
    })
}

#[cfg(test)]
mod tests;
