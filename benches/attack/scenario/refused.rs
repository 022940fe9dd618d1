//! refused - what does a banned client cost?
//!
//! Gatepost accepts and resets; HAProxy rejects by its stick table, with the same addresses in it. With
//! the listener filter the kernel drops the client's first packet: on loopback in the client's own time, so what
//! both ends spend is measured too, with clients that begin a connection and look at it half a second later.
//! Worrying: more than HAProxy's; the kernel's accept and close are the floor.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use gatepost_daemon::admin::client::AdminClient;
use gatepost_daemon::admin::message::{Request, Response};
use socket2::{Domain, Socket, Type};

use crate::BenchResult;
use crate::bench::{BackendKind, Bench, Measurement, micros_each};
use crate::client::attacker;
use crate::peer::{ConfigChanges, Peer, PeerKind};
use crate::results::Results;

/// Addresses that are banned.
const BANNED: usize = 1_000;
/// Connections that are begun and left.
const IN_VAIN: usize = 4_000;
/// Threads that connect.
const THREADS: usize = 8;
/// Connections that a thread has open.
const AT_ONCE: usize = 100;

pub(super) fn play(bench: &Bench, results: &mut Results) -> BenchResult<()> {
    let kinds = [PeerKind::Gatepost, PeerKind::Other, PeerKind::HaProxy];
    let setting = (BackendKind::Sha256, &ConfigChanges::default());
    bench.in_turns(results, &kinds, setting, |set| {
        ban(&set.peer)?;
        let count = bench.extent.count(24_000, 8_000);
        connect_banned(set.peer.address, 400)?;
        let (cost, ()) = set.cost(|| connect_banned(set.peer.address, count))?;
        let both = both_ends(set)?;
        Ok(vec![
            ("refused", micros_each(cost.proxy, count)),
            ("refused-both", both),
        ])
    })?;
    let filter = ConfigChanges {
        admission: Some("filter = true\n".to_owned()),
        ..ConfigChanges::default()
    };
    let setting = (BackendKind::Sha256, &filter);
    bench.in_turns(results, &kinds[..2], setting, |set| {
        ban(&set.peer)?;
        // The filter takes those that came, and follows once a second.
        connect_banned(set.peer.address, 4 * BANNED)?;
        thread::sleep(Duration::from_millis(2500));
        let (cost, answered) = set.cost(|| connect_dropped(set.peer.address, IN_VAIN))?;
        if answered > 0 {
            return Err(format!("{answered} of {IN_VAIN} banned connections came through").into());
        }
        let both = both_ends(set)?;
        Ok(vec![
            ("dropped", micros_each(cost.proxy, IN_VAIN)),
            ("dropped-both", both),
        ])
    })
}

/// Microseconds that a connection takes of this thread and the server together.
fn both_ends(set: &Measurement<'_>) -> BenchResult<f64> {
    let before = own_cpu()?;
    let (cost, _) = set.cost(|| connect_dropped(set.peer.address, IN_VAIN))?;
    let spent = cost.proxy + own_cpu()?.saturating_sub(before);
    Ok(micros_each(spent, IN_VAIN))
}

/// CPU time of this thread, with what the kernel did in it for others.
fn own_cpu() -> BenchResult<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = text.split_whitespace().next().unwrap_or_default();
    Ok(Duration::from_nanos(nanos.parse()?))
}

/// Bans the first attackers.
fn ban(peer: &Peer) -> BenchResult<()> {
    if peer.kind == PeerKind::HaProxy {
        for number in 0..BANNED {
            let mut socket = UnixStream::connect(peer.folder.join("haproxy.sock"))?;
            let address = attacker(number);
            writeln!(socket, "set table submissions key {address} data.gpc0 1")?;
            socket.shutdown(Shutdown::Write)?;
            socket.set_read_timeout(Some(Duration::from_secs(1)))?;
            let mut said = String::new();
            // Sometimes it leaves the socket open; no more comes then.
            let _ = socket.read_to_string(&mut said);
            if !said.trim().is_empty() {
                return Err(format!("HAProxy does not ban: {said}").into());
            }
        }
        return Ok(());
    }
    let mut operator = AdminClient::connect(&peer.folder.join("admin.sock"))?;
    for number in 0..BANNED {
        let ban = Request::BansAdd {
            subject: attacker(number).to_string(),
            seconds: 3600,
            own: true,
        };
        if let Response::Refused { message } = operator.ask(&ban)? {
            return Err(message.into());
        }
    }
    Ok(())
}

/// Connects so often, a few at once, and waits each time until they are closed: Gatepost lets them wait.
fn connect_banned(server: SocketAddr, count: usize) -> BenchResult<()> {
    let each = count / THREADS;
    let worker = |first: usize| {
        move || -> BenchResult<()> {
            let numbers: Vec<usize> = (first * each..(first + 1) * each).collect();
            for numbers in numbers.chunks(AT_ONCE) {
                let sockets = numbers.iter().map(|number| banned(*number, server));
                for socket in sockets.collect::<BenchResult<Vec<_>>>()?.iter().flatten() {
                    let mut socket: &Socket = socket;
                    let read = socket.read(&mut [0; 8]);
                    if matches!(read, Ok(octets) if octets > 0) {
                        return Err("a banned client was served".into());
                    }
                }
            }
            Ok(())
        }
    };
    let workers: Vec<_> = (0..THREADS)
        .map(|first| thread::spawn(worker(first)))
        .collect();
    for worker in workers {
        worker.join().map_err(|_| "a worker died")??;
    }
    Ok(())
}

/// A banned client's connection; none, when it was reset already.
fn banned(number: usize, server: SocketAddr) -> BenchResult<Option<Socket>> {
    let socket = from(attacker(number % BANNED))?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    Ok(socket.connect(&server.into()).is_ok().then_some(socket))
}

/// Begins so many connections and gives how many were answered, with whatever, in half a second:
/// before the kernel sends a first packet again.
fn connect_dropped(server: SocketAddr, count: usize) -> BenchResult<usize> {
    let mut sockets = Vec::with_capacity(count);
    for number in 0..count {
        let socket = from(attacker(number % BANNED))?;
        socket.set_nonblocking(true)?;
        let _ = socket.connect(&server.into());
        sockets.push(socket);
    }
    thread::sleep(Duration::from_millis(500));
    // Reset, or connected: either is an answer.
    let answered =
        |socket: &&Socket| socket.peer_addr().is_ok() || !matches!(socket.take_error(), Ok(None));
    Ok(sockets.iter().filter(answered).count())
}

fn from(source: Ipv4Addr) -> BenchResult<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((source, 0)).into())?;
    Ok(socket)
}
