//! nginx - a real nginx of a test's own, with one server on a port of its own
//!
//! Debian's, with its own folders for what it keeps for a while. Not here: what is in front of what (the tests).

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::program::Daemon;
use super::{ports, wait};

/// A running nginx. Dropped, it is killed.
pub(crate) struct Nginx {
    pub(crate) port: u16,
    _daemon: Daemon,
    _folder: TempDir,
}

impl Nginx {
    /// Starts one whose server has these directives.
    #[track_caller]
    pub(crate) fn start(directives: &str) -> Self {
        Self::start_in(folder(), directives)
    }

    /// Starts one that serves these files, with their names.
    #[track_caller]
    pub(crate) fn publishing(files: &[(&str, &str)]) -> Self {
        let folder = folder();
        let root = folder.path().join("www");
        fs::create_dir(&root).expect("a folder");
        for (name, text) in files {
            fs::write(root.join(name), text).expect("a file to serve");
        }
        Self::start_in(folder, &format!("root {};", root.display()))
    }

    #[track_caller]
    fn start_in(folder: TempDir, directives: &str) -> Self {
        let port = ports::free();
        let path = folder.path().join("nginx.conf");
        fs::write(&path, config(folder.path(), port, directives)).expect("nginx's configuration");
        let mut command = Command::new("nginx");
        command.arg("-e").arg(folder.path().join("error.log"));
        command.arg("-c").arg(&path);
        let daemon = Daemon::spawn(command);
        wait::until("nginx listens", || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
        });
        Self {
            port,
            _daemon: daemon,
            _folder: folder,
        }
    }
}

#[track_caller]
fn folder() -> TempDir {
    TempDir::with_prefix("gatepost-nginx-").expect("a folder for nginx")
}

fn config(folder: &Path, port: u16, directives: &str) -> String {
    let place = folder.display();
    format!(
        "daemon off;
user root;
pid {place}/pid;
error_log {place}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {place}/body;
  proxy_temp_path {place}/proxy;
  fastcgi_temp_path {place}/fastcgi;
  uwsgi_temp_path {place}/uwsgi;
  scgi_temp_path {place}/scgi;
  server {{
    listen 127.0.0.1:{port};
    {directives}
  }}
}}
"
    )
}
