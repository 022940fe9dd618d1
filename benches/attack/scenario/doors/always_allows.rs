//! always_allows - a server for Dovecot's questions that knows nothing and allows every login
//!
//! Threads in the bench itself, so that nobody is charged for it. Not a server for anything else.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;

use crate::BenchResult;

/// Longer bodies do not come.
const MOST: usize = 64 * 1024;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{\"status\":0}";

/// Listens, and answers until the bench ends. Gives where.
pub(super) fn start() -> BenchResult<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A connection that broke off asks no more.
            thread::spawn(|| drop(answer(stream)));
        }
    });
    Ok(address)
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut lines = BufReader::new(stream.try_clone()?);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if lines.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(octets) = line.strip_prefix("content-length: ") {
                length = octets.parse().unwrap_or(0).min(MOST);
            }
            if line.is_empty() {
                break;
            }
        }
        lines.read_exact(&mut vec![0; length])?;
        stream.write_all(ANSWER)?;
    }
}
