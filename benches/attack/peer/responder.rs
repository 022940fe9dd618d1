//! responder - what nginx's `auth_http` asks: a map in clear, so that its cost is not nginx's
//!
//! Every right password is let through to Postfix; a wrong one is answered `Invalid login`. A thread in
//! the bench itself, so that no peer is charged for it. Not a server for anything else.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;

use crate::BenchResult;
use crate::backend::{USERS, password, user};

/// Listens, and answers until the bench ends. Gives where.
pub(crate) fn start(postfix: SocketAddr) -> BenchResult<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // nginx asks once a connection; one that broke off asks no more.
            let _ = answer(stream, postfix);
        }
    });
    Ok(address)
}

fn answer(mut stream: TcpStream, postfix: SocketAddr) -> std::io::Result<()> {
    let (mut name, mut secret) = (String::new(), String::new());
    for line in BufReader::new(stream.try_clone()?).lines().take(50) {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("Auth-User: ") {
            value.clone_into(&mut name);
        }
        if let Some(value) = line.strip_prefix("Auth-Pass: ") {
            value.clone_into(&mut secret);
        }
    }
    let right = (0..USERS).any(|number| user(number) == name && password(number) == secret);
    let status = if right {
        format!(
            "OK\r\nAuth-Server: {}\r\nAuth-Port: {}",
            postfix.ip(),
            postfix.port()
        )
    } else {
        "Invalid login".to_owned()
    };
    let reply = format!("HTTP/1.0 200 OK\r\nAuth-Status: {status}\r\nConnection: close\r\n\r\n");
    stream.write_all(reply.as_bytes())
}
