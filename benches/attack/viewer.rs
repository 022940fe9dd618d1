//! viewer - one who looks: the page's stream of events, its report every half a minute, and metrics every five seconds
//!
//! By plain HTTP over loopback, in threads of the bench. Not here: a browser, which would cost more than all that is measured.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use gatepost_daemon::admin::client::AdminClient;
use gatepost_daemon::admin::message::{Request, Response};

use crate::BenchResult;

/// How long the stream may be silent: an event comes each second.
const PATIENCE: Duration = Duration::from_secs(10);

/// Looks until it is dropped.
#[derive(Debug)]
pub(crate) struct Viewer {
    ends: Arc<AtomicBool>,
    /// Events that came.
    events: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<()>>,
}

/// What a browser that came by a link sends with every request.
#[derive(Clone, Debug)]
struct Visit {
    address: String,
    fields: String,
}

impl Viewer {
    /// Opens the page by a link of its own.
    pub(crate) fn open(socket: &Path) -> BenchResult<Self> {
        let visit = Visit::begin(socket)?;
        let mut stream = visit.send("GET /events", "")?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let ends = Arc::new(AtomicBool::new(false));
        let events = Arc::new(AtomicUsize::new(0));
        let (stop, seen) = (Arc::clone(&ends), Arc::clone(&events));
        let follow = thread::spawn(move || {
            let mut octets = vec![0; 1 << 16];
            while !stop.load(Ordering::Relaxed) {
                match stream.read(&mut octets) {
                    Ok(0) | Err(_) => return,
                    Ok(length) => {
                        let octets = octets.get(..length).unwrap_or_default();
                        let begins = octets.windows(6).filter(|part| part == b"data: ");
                        seen.fetch_add(begins.count(), Ordering::Relaxed);
                    }
                }
            }
        });
        let stop = Arc::clone(&ends);
        let ask = thread::spawn(move || {
            for second in 0_u64.. {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                if second % 5 == 0 {
                    let _ = visit.get("GET /metrics", "");
                }
                if second % 30 == 0 {
                    let _ = visit.get("POST /ask", r#"{"do":"report","span_s":86400}"#);
                }
                thread::sleep(Duration::from_secs(1));
            }
        });
        Ok(Self {
            ends,
            events,
            threads: vec![follow, ask],
        })
    }

    /// Ends it; an error where it has seen little, for then nothing was measured.
    pub(crate) fn saw_it_all(mut self) -> BenchResult<()> {
        self.end();
        match self.events.load(Ordering::Relaxed) {
            0..5 => Err("the page has shown nothing".into()),
            _ => Ok(()),
        }
    }

    fn end(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.end();
    }
}

impl Visit {
    fn begin(socket: &Path) -> BenchResult<Self> {
        let request = Request::Dashboard {
            who: None,
            from: None,
        };
        let answer = AdminClient::connect(socket)?.ask(&request)?;
        let Response::Dashboard {
            address: Some(address),
            link,
        } = answer
        else {
            return Err(format!("no link to the page: {answer:?}").into());
        };
        let stranger = Self {
            address: address.trim_start_matches("http://").to_owned(),
            fields: String::new(),
        };
        let answer = stranger.get("POST /enter", &format!("{{\"link\":\"{link}\"}}"))?;
        let field = |name: &str| answer.lines().find_map(|line| line.strip_prefix(name));
        let cookie = field("set-cookie: ").and_then(|cookie| cookie.split(';').next());
        let token = answer.split('"').rev().nth(1);
        let (Some(cookie), Some(token)) = (cookie, token) else {
            return Err(format!("no visit: {answer}").into());
        };
        Ok(Self {
            fields: format!("Cookie: {cookie}\r\nX-Gatepost-Token: {token}\r\n"),
            ..stranger
        })
    }

    /// A whole answer.
    fn get(&self, what: &str, body: &str) -> io::Result<String> {
        let mut answer = String::new();
        self.send(what, body)?.read_to_string(&mut answer)?;
        Ok(answer)
    }

    fn send(&self, what: &str, body: &str) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(&self.address)?;
        let request = format!(
            "{what} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n{}\r\n{body}",
            self.address,
            body.len(),
            self.fields
        );
        stream.write_all(request.as_bytes())?;
        Ok(stream)
    }
}
