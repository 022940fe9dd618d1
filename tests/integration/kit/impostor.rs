//! impostor - something behind Gatepost that is not the Postfix it should be
//!
//! Speaks just enough SMTP to let a session come as far as the test wants, then misbehaves as told;
//! how it behaves can be changed at any time. Gatepost must be set to announce nobody.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// How it behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conduct {
    /// As Postfix does; every login is accepted, in an exchange of SCRAM after two rounds.
    Honest,
    /// As `Honest`, but every login is rejected.
    Rejecting,
    /// As `Honest`, with this instead of the banner.
    AtConnect(Fault),
    /// As `Honest`, with this instead of the reply to EHLO.
    AtEhlo(Fault),
    /// As `Honest`, with this instead of the reply to AUTH.
    AtAuth(Fault),
}

/// What comes instead of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing, for as long as the other side waits.
    Silence,
    /// Octets that are no reply.
    Garbage,
    /// 100 MB of a reply that does not end.
    Flood,
    /// Half a reply, and the end of the connection.
    HalfReply,
    /// The end of the connection.
    HangUp,
}

impl Fault {
    /// Every fault.
    pub(crate) const ALL: [Self; 5] = [
        Self::Silence,
        Self::Garbage,
        Self::Flood,
        Self::HalfReply,
        Self::HangUp,
    ];
}

/// A listener on loopback, with a thread a connection.
pub(crate) struct Impostor {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    conduct: Conduct,
    open: bool,
    logins: u32,
}

impl Impostor {
    /// Listens.
    pub(crate) fn start(conduct: Conduct) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("a bound port");
        let shared = Arc::new(Mutex::new(Shared {
            conduct,
            open: true,
            logins: 0,
        }));
        let accepting = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let Shared { conduct, open, .. } = *accepting.lock().expect("nobody panics");
                if !open {
                    return;
                }
                let counting = Arc::clone(&accepting);
                // It ends when the other side closes, as Gatepost must.
                thread::spawn(move || {
                    serve(&stream, conduct, || {
                        counting.lock().expect("nobody panics").logins += 1;
                    })
                });
            }
        });
        Self {
            address,
            shared,
            thread: Some(thread),
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many logins were begun here.
    pub(crate) fn logins(&self) -> u32 {
        self.shared.lock().expect("nobody panics").logins
    }

    /// Behaves so from the next connection on.
    pub(crate) fn conduct(&self, conduct: Conduct) {
        self.shared.lock().expect("nobody panics").conduct = conduct;
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.shared.lock().expect("nobody panics").open = false;
        // Wakes the thread, so that it sees.
        TcpStream::connect(self.address).ok();
        self.thread.take().map(JoinHandle::join);
    }
}

/// Until one side has had enough.
fn serve(stream: &TcpStream, conduct: Conduct, login_begins: impl Fn()) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let answer = |fault: Option<Fault>, reply: &str| match fault {
        None => (&*stream).write_all(reply.as_bytes()).ok(),
        Some(fault) => misbehave(stream, fault),
    };
    let at = |stage: fn(Fault) -> Conduct| {
        let mut faults = Fault::ALL.into_iter();
        faults.find(|fault| stage(*fault) == conduct)
    };
    answer(at(Conduct::AtConnect), "220 impostor ESMTP\r\n")?;
    loop {
        let mut line = String::new();
        reader
            .read_line(&mut line)
            .ok()
            .filter(|count| *count > 0)?;
        if line.starts_with("AUTH") {
            login_begins();
        }
        match line.get(..4).unwrap_or_default() {
            "EHLO" => answer(
                at(Conduct::AtEhlo),
                "250-impostor\r\n250-PIPELINING\r\n250 AUTH PLAIN LOGIN SCRAM-SHA-256\r\n",
            )?,
            "AUTH" if line.contains("SCRAM") => {
                for round in ["334 cj1ub25jZQ==\r\n", "334 dj1wcm9vZg==\r\n"] {
                    answer(at(Conduct::AtAuth), round)?;
                    line.clear();
                    reader
                        .read_line(&mut line)
                        .ok()
                        .filter(|count| *count > 0)?;
                }
                answer(None, "235 2.7.0 welcome\r\n")?;
            }
            "AUTH" if conduct == Conduct::Rejecting => answer(None, "535 5.7.8 no\r\n")?,
            "AUTH" => answer(at(Conduct::AtAuth), "235 2.7.0 welcome\r\n")?,
            "QUIT" => return answer(None, "221 2.0.0 bye\r\n"),
            _ => answer(None, "250 2.0.0 yes\r\n")?,
        }
    }
}

/// Gives something only if the conversation may go on.
fn misbehave(mut stream: &TcpStream, fault: Fault) -> Option<()> {
    const LINE: &[u8] = b"250-more and more and more and more and more and more and more\r\n";
    match fault {
        Fault::Silence => {
            // Reads, and says nothing, until the other side goes.
            std::io::copy(&mut stream, &mut std::io::sink()).ok()?;
        }
        Fault::Garbage => stream
            .write_all(b"\x00\xff what? \x1b[31m\r\n\r\nno\r\n")
            .ok()?,
        Fault::Flood => {
            let chunk = LINE.repeat(1024);
            for _ in 0..100_000_000 / chunk.len() {
                stream.write_all(&chunk).ok()?;
            }
        }
        Fault::HalfReply => stream.write_all(b"250-and then").ok()?,
        Fault::HangUp => {}
    }
    None
}
