//! http - one request over HTTP, as a program writes it, and the answer
//!
//! Without a library, so that a test can send what no library would.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// An answer.
#[derive(Debug)]
pub(crate) struct HttpAnswer {
    /// 200, 421 and so on.
    pub(crate) status: u16,
    /// The fields of its head, as they came.
    pub(crate) head: String,
    /// What follows.
    pub(crate) body: String,
}

/// Asks for `path`, with these lines as further fields.
#[track_caller]
pub(crate) fn get(server: SocketAddr, path: &str, fields: &[&str]) -> HttpAnswer {
    let mut request = format!("GET {path} HTTP/1.1\r\nConnection: close\r\n");
    if !fields.iter().any(|field| field.starts_with("Host:")) {
        request += &format!("Host: {server}\r\n");
    }
    for field in fields {
        request += &format!("{field}\r\n");
    }
    send(server, &(request + "\r\n"))
}

/// Sends this and reads up to the end.
#[track_caller]
pub(crate) fn send(server: SocketAddr, request: &str) -> HttpAnswer {
    let mut stream = TcpStream::connect(server).expect("connect by HTTP");
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .expect("a time limit");
    stream.write_all(request.as_bytes()).expect("send");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).expect("a status");
    HttpAnswer {
        status: status.parse().expect("a number"),
        head: head.to_ascii_lowercase(),
        body: body.to_owned(),
    }
}
