//! redis - a redis-server of a test's own, on a UNIX socket, and in a network of its own on a port
//!
//! Debian 12 has no Valkey, which speaks alike.
//! Not here: what is asked of it (the daemon's `cluster::store`).

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{program, wait};

/// A running redis-server. Dropped, it is killed.
pub(crate) struct Redis {
    folder: TempDir,
    child: Child,
    port: u16,
}

/// Where one listens that is reached over a network.
pub(crate) const PORT: u16 = 6379;

impl Redis {
    /// Starts one that has nothing and saves nothing.
    #[track_caller]
    pub(crate) fn start() -> Self {
        Self::start_on(0)
    }

    /// The same, and on [`PORT`] of all addresses: for a network namespace of its own.
    #[track_caller]
    pub(crate) fn start_open() -> Self {
        Self::start_on(PORT)
    }

    #[track_caller]
    fn start_on(port: u16) -> Self {
        let folder = TempDir::with_prefix("gatepost-redis-").expect("a folder for redis-server");
        let child = launch(&folder, port);
        let redis = Self {
            folder,
            child,
            port,
        };
        redis.wait();
        redis
    }

    /// As `cluster.store` names it.
    pub(crate) fn address(&self) -> String {
        format!("unix:{}", self.socket().display())
    }

    /// Runs a command of redis-cli; what it printed.
    #[track_caller]
    pub(crate) fn command(&self, words: &[&str]) -> String {
        let mut command = Command::new("redis-cli");
        command.arg("-s").arg(self.socket()).args(words);
        program::run(&mut command)
    }

    /// Fills what it has to lend of a bucket, as if nobody had borrowed for long.
    #[track_caller]
    pub(crate) fn fill(&self, bucket: &str) {
        let server = self.command(&["INFO", "server"]);
        let run = server.lines().find_map(|line| line.strip_prefix("run_id:"));
        let run = run.expect("a run").trim();
        let key = format!("gatepost:1:lent:{bucket}");
        self.command(&[
            "HSET", &key, "run", run, "epoch", "1", "back", "0", "full", "0",
        ]);
    }

    /// Kills it.
    #[track_caller]
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("kill redis-server");
        self.child.wait().expect("redis-server has ended");
    }

    /// Kills it, and starts one that has nothing in its place.
    #[track_caller]
    pub(crate) fn restart_empty(&mut self) {
        self.kill();
        self.child = launch(&self.folder, self.port);
        self.wait();
    }

    /// Stops it without ending it, or lets it go on.
    #[track_caller]
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("signal redis-server");
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    #[track_caller]
    fn wait(&self) {
        wait::until("redis-server answers", || {
            let mut ping = Command::new("redis-cli");
            ping.arg("-s").arg(self.socket()).arg("PING");
            let answer = ping.stderr(Stdio::null()).output();
            answer.is_ok_and(|answer| answer.stdout.starts_with(b"PONG"))
        });
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have been killed before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn launch(folder: &TempDir, port: u16) -> Child {
    Command::new("redis-server")
        .args(["--unixsocket", "redis.sock", "--save", ""])
        .args(["--port", &port.to_string(), "--protected-mode", "no"])
        .arg("--dir")
        .arg(folder.path())
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is installed")
}
