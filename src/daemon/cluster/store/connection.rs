//! connection - one connection to a Redis or Valkey server, and a limit for every answer
//!
//! Not here: what is asked (`store`, `stream`), files and certificates (`entry`).

use std::fmt;
use std::future::Future;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue, Pipeline};
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::entry::{Driver, connector, login, open, unreachable};
use super::{LenderAddress, LenderChannel, LenderFault, LenderSettings};

/// How long the store may take to answer. Nobody waits for it but the one task that asks.
pub(in crate::cluster) const ANSWER: Duration = Duration::from_secs(1);

/// A connection.
pub(in crate::cluster) struct StoreConnection {
    connection: MultiplexedConnection,
    /// Moves octets as long as somebody waits for an answer.
    driver: Driver,
}

impl fmt::Debug for StoreConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreConnection(..)")
    }
}

impl StoreConnection {
    /// Connects and logs in.
    pub(in crate::cluster) async fn open(settings: &LenderSettings) -> Result<Self, LenderFault> {
        let login = login(settings).await?;
        let (connection, driver) = match &settings.address {
            LenderAddress::Unix(path) => {
                let stream = UnixStream::connect(path).await.map_err(unreachable)?;
                open(&login, stream).await?
            }
            LenderAddress::Tcp(host, port, channel) => {
                let stream = TcpStream::connect((host.as_str(), *port)).await;
                let stream = stream.map_err(unreachable)?;
                stream.set_nodelay(true).map_err(unreachable)?;
                match channel {
                    LenderChannel::Clear => open(&login, stream).await?,
                    LenderChannel::Tls(authorities) => {
                        let connector = connector(authorities.clone()).await?;
                        let name = ServerName::try_from(host.clone());
                        let name = name.map_err(|error| LenderFault::Connect(error.to_string()))?;
                        let stream = connector.connect(name, stream).await;
                        open(&login, stream.map_err(unreachable)?).await?
                    }
                }
            }
        };
        Ok(Self { connection, driver })
    }

    /// Makes a script known; its name.
    pub(in crate::cluster) async fn load(&mut self, script: &str) -> Result<String, LenderFault> {
        self.ask(redis::cmd("SCRIPT").arg("LOAD").arg(script)).await
    }

    /// The answer to one command.
    pub(in crate::cluster) async fn ask<T: FromRedisValue>(
        &mut self,
        command: &Cmd,
    ) -> Result<T, LenderFault> {
        let answer = command.query_async(&mut self.connection);
        within(&mut self.driver, answer).await
    }

    /// The answers to several.
    pub(in crate::cluster) async fn ask_all<T: FromRedisValue>(
        &mut self,
        commands: &Pipeline,
    ) -> Result<T, LenderFault> {
        let answer = commands.query_async(&mut self.connection);
        within(&mut self.driver, answer).await
    }
}

/// The answer, if it comes in time.
async fn within<T>(
    driver: &mut Driver,
    answer: impl Future<Output = redis::RedisResult<T>>,
) -> Result<T, LenderFault> {
    let answered = async {
        tokio::select! {
            biased;
            answer = answer => answer.map_err(|error| LenderFault::Refused(error.to_string())),
            () = driver => Err(LenderFault::Closed),
        }
    };
    let answered = timeout(ANSWER, answered).await;
    answered.unwrap_or(Err(LenderFault::Silent(ANSWER)))
}
