//! http - one request over HTTP, as a program writes it, and the answer
//!
//! Without a library, so that a test can send what no library would.

use std::io::{BufRead, BufReader, Read, Write};
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
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        let octets = reader.read_line(&mut head).expect("a head");
        assert!(octets > 0, "the head ends early: {head}");
    }
    let status = head.split(' ').nth(1).expect("a status");
    let status = status.parse().expect("a number");
    let head = head.to_ascii_lowercase();
    // Not every server closes when it is asked to.
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"));
    let length = length.map_or(u64::MAX, |length| length.trim().parse().expect("a length"));
    let mut body = String::new();
    let mut rest = reader.take(length);
    rest.read_to_string(&mut body).expect("a body");
    HttpAnswer { status, head, body }
}

/// Sends JSON.
#[track_caller]
pub(crate) fn post(server: SocketAddr, path: &str, body: &str) -> HttpAnswer {
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    send(server, &request)
}
