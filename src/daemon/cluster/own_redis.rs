//! own_redis - a redis-server of a test's own, on a UNIX socket
//!
//! Not here: what is asked of it (`store`, `stream`).

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::sleep;

use super::store::connection::StoreConnection;
use super::store::{Lender, LenderAddress, LenderSettings};

/// A redis-server of our own, on a UNIX socket; it ends with the value.
pub(in crate::cluster) struct Redis {
    pub(in crate::cluster) folder: TempDir,
    pub(in crate::cluster) child: Child,
}

impl Redis {
    pub(in crate::cluster) async fn start(options: &[&str]) -> Self {
        let folder = TempDir::with_prefix("gatepost-redis-").unwrap();
        let child = launch(folder.path(), options);
        let redis = Self { folder, child };
        redis.wait().await;
        redis
    }

    async fn wait(&self) {
        for _ in 0..2_000 {
            if Lender::connect(&self.settings()).await.is_ok() {
                return;
            }
            sleep(Duration::from_millis(5)).await;
        }
        panic!("redis-server does not answer");
    }

    /// As after a crash or a restart of the machine: what it has not saved is lost.
    pub(in crate::cluster) async fn restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = launch(self.folder.path(), &[]);
        self.wait().await;
    }

    pub(in crate::cluster) fn settings(&self) -> LenderSettings {
        LenderSettings {
            address: LenderAddress::Unix(self.folder.path().join("redis.sock")),
            database: 0,
            user: None,
            password_file: None,
        }
    }

    pub(in crate::cluster) async fn lender(&self) -> Lender {
        Lender::connect(&self.settings()).await.unwrap()
    }

    /// Has it do this.
    pub(in crate::cluster) async fn ask(&self, command: &redis::Cmd) {
        let mut connection = StoreConnection::open(&self.settings()).await.unwrap();
        let _: redis::Value = connection.ask(command).await.unwrap();
    }

    pub(in crate::cluster) async fn run(&self, words: &[&str]) {
        let (first, rest) = words.split_first().unwrap();
        let mut command = redis::cmd(first);
        command.arg(rest);
        self.ask(&command).await;
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn launch(folder: &Path, options: &[&str]) -> Child {
    Command::new("redis-server")
        .args(["--port", "0", "--unixsocket", "redis.sock", "--save", ""])
        .arg("--dir")
        .arg(folder)
        .args(options)
        .current_dir(folder)
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is installed")
}
