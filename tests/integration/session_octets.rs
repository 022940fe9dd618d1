//! session_octets - what leaves a logged-in session is what entered it, octet for octet, both ways
//!
//! Through the program as it runs, TLS and sockets included: octets of every value from a seed, in pieces of odd sizes,
//! some of them behind the login in one segment with it. What is behind Gatepost reads and writes by a script of its own.
//! Not here: every split in memory (beside `splice`), what Postfix makes of a session (`postfix::handover`).

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use crate::kit::client::{auth_plain, loopback};
use crate::kit::mail::ANNA;
use crate::kit::proxy::Setup;

/// Numbers from a seed. SplitMix64.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn octets(&mut self, count: usize) -> Vec<u8> {
        let numbers = (0..count.div_ceil(8)).flat_map(|_| self.next().to_le_bytes());
        numbers.take(count).collect()
    }

    /// `octets` in pieces: single ones, some of about a line, some larger than any buffer.
    fn pieces<'a>(&mut self, mut octets: &'a [u8]) -> Vec<&'a [u8]> {
        let mut pieces = Vec::new();
        while !octets.is_empty() {
            let size = match self.next() % 8 {
                0 | 1 => 1,
                2..=5 => 1 + self.next() as usize % 100,
                6 => 1 + self.next() as usize % 5_000,
                _ => 1 + self.next() as usize % 70_000,
            };
            let (piece, rest) = octets.split_at(size.min(octets.len()));
            pieces.push(piece);
            octets = rest;
        }
        pieces
    }
}

/// Takes probes and one login, then sends `down` in pieces, and gives what it read to the client's end.
fn backend(seed: u64, down: Vec<u8>) -> (SocketAddr, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("a bound port");
    let thread = thread::spawn(move || {
        loop {
            let (stream, _) = listener.accept().expect("a connection");
            let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
            if log_in(&stream, &mut reader).is_some() {
                return exchange(&stream, reader, seed, &down);
            }
        }
    });
    (address, thread)
}

fn log_in(mut stream: &TcpStream, reader: &mut BufReader<TcpStream>) -> Option<()> {
    stream.write_all(b"220 backend ESMTP\r\n").ok()?;
    loop {
        let mut line = String::new();
        reader
            .read_line(&mut line)
            .ok()
            .filter(|count| *count > 0)?;
        match line.get(..4)? {
            "EHLO" => stream
                .write_all(b"250-backend\r\n250 AUTH PLAIN\r\n")
                .ok()?,
            "AUTH" => return stream.write_all(b"235 2.7.0 welcome\r\n").ok(),
            _ => return None,
        }
    }
}

fn exchange(
    mut stream: &TcpStream,
    mut reader: BufReader<TcpStream>,
    seed: u64,
    down: &[u8],
) -> Vec<u8> {
    thread::scope(|scope| {
        scope.spawn(|| {
            for piece in Numbers(seed).pieces(down) {
                stream.write_all(piece).expect("Gatepost reads");
            }
            stream.shutdown(Shutdown::Write).expect("half close");
        });
        let mut up = Vec::new();
        reader.read_to_end(&mut up).expect("Gatepost writes");
        up
    })
}

#[test]
fn octets_of_every_value_cross_in_order_in_whatever_pieces_they_come() {
    for (seed, up, down) in [
        (1, 300_000, 200_000),
        (2, 1_000, 700_000),
        (3, 700_000, 0),
        (4, 0, 1),
    ] {
        let mut numbers = Numbers(seed);
        let (up, down) = (numbers.octets(up), numbers.octets(down));
        let (address, backend) = backend(seed, down.clone());
        let setup = Setup::new(&address.to_string()).with("upstream.announce", "none");
        let proxy = setup.start();
        let mut client = proxy.client(loopback(13, 1));
        client.greet();
        // As much as a client may send behind its login.
        let (crossing, rest) = up.split_at(up.len().min(1_500));
        let login = [auth_plain(ANNA).as_bytes(), b"\r\n", crossing].concat();
        client.send(&login);
        assert_eq!(client.reply().code, 235);
        for piece in numbers.pieces(rest) {
            client.send(piece);
        }
        client.finish_sending();
        assert!(
            client.rest().expect("the backend's octets") == down,
            "seed {seed}: to the client"
        );
        assert!(
            backend.join().expect("no panic") == up,
            "seed {seed}: to Postfix"
        );
    }
}
