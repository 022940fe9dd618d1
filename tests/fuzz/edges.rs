//! edges - bodies for what a stranger's connection opens with: a PROXY header, a ClientHello and its label
//!
//! Read from a stream that has every octet at hand, so that a future which waits has hung.
//! Not here: what follows the opening (`bodies`).

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use gatepost::daemon::net::proxy_header::{self, Announced, Version};
use gatepost::daemon::net::tls::{hello, ja4};
use gatepost::daemon::report::ja4::Ja4;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Octets that come so many at a time; what is written is thrown away.
pub(super) struct Stream<'a> {
    octets: &'a [u8],
    step: usize,
}

impl<'a> Stream<'a> {
    pub(super) fn new(octets: &'a [u8], step: usize) -> Self {
        Self { octets, step }
    }
}

impl AsyncRead for Stream<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let count = self.octets.len().min(self.step).min(buffer.remaining());
        let (now, later) = self.octets.split_at(count);
        buffer.put_slice(now);
        self.octets = later;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream<'_> {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The outcome of a future that has nothing to wait for.
pub(super) fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("it waits though all octets are there"),
    }
}

/// What is announced, and how many octets that took.
fn announced(octets: &[u8], step: usize) -> Option<(Announced, usize)> {
    let mut stream = Stream { octets, step };
    let announced = now(proxy_header::read(&mut stream)).ok()?;
    Some((announced, octets.len() - stream.octets.len()))
}

/// PROXY headers: bounded, read to the last octet and no further, and the same when we say them.
pub fn proxy_header(octets: &[u8]) {
    let read = announced(octets, usize::MAX);
    assert_eq!(announced(octets, 1), read);
    let Some((told, taken)) = read else { return };
    assert!(taken <= 16 + 4096);
    assert_eq!(announced(&octets[..taken], usize::MAX), read);
    assert!(announced(&octets[..taken - 1], usize::MAX).is_none());
    let Announced::Client {
        source,
        destination,
    } = told
    else {
        return;
    };
    for version in [Version::V1, Version::V2] {
        let mut header = Vec::new();
        proxy_header::announce(version, source, destination, &mut header);
        let again = announced(&header, usize::MAX);
        assert!(
            matches!(again, Some((Announced::Client { source: same, .. }, _)) if same == source)
        );
    }
}

/// The name that a ClientHello asks for, if it is whole and sound; and how many octets were read.
fn asked_for(octets: &[u8], step: usize) -> (Option<Option<String>>, usize) {
    let mut stream = Stream { octets, step };
    let accepted = now(hello::read(&mut stream)).ok();
    let name = accepted.map(|read| {
        read.accepted
            .client_hello()
            .server_name()
            .map(str::to_owned)
    });
    (name, octets.len() - stream.octets.len())
}

/// A ClientHello: bounded, and the same in whatever pieces it comes.
pub fn hello(octets: &[u8]) {
    let (name, taken) = asked_for(octets, usize::MAX);
    assert!(taken < hello::LIMIT + 1024);
    if octets.len() < hello::LIMIT {
        assert_eq!(asked_for(octets, 1).0, name);
    }
}

/// The label of a ClientHello: of its form, and of the whole message alone.
pub fn ja4(octets: &[u8]) {
    let Some(label) = ja4::label(octets) else {
        return;
    };
    let shown = label.as_str();
    assert_eq!(shown.len(), Ja4::OCTETS);
    let parts: Vec<&str> = shown.split('_').collect();
    let [first, suites, extensions] = parts[..] else {
        panic!("{shown}");
    };
    assert!(first.starts_with('t') && first.len() == 10);
    for hash in [suites, extensions] {
        assert!(hash.len() == 12 && hash.bytes().all(|octet| octet.is_ascii_hexdigit()));
    }
    for end in [0, 4, 38, octets.len() / 2, octets.len() - 1] {
        assert_eq!(ja4::label(&octets[..end.min(octets.len() - 1)]), None);
    }
    // Its random octets say nothing of the program.
    let mut other = octets.to_vec();
    other[6..38].iter_mut().for_each(|octet| *octet ^= 0xff);
    assert_eq!(ja4::label(&other), Some(label));
}
