//! splice - what does it cost to pass a megabyte on, without TLS and without sockets?
//!
//! `cargo bench --bench splice`. Worrying: more than 100 µs a megabyte, which is a copy too many: TLS and the
//! kernel take 500.

use std::io;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio::runtime::{Builder, Runtime};

use gatepost_daemon::drain;
use gatepost_daemon::net::splice::{Handover, SpliceControl, SpliceLimits, splice};

const MEGABYTE: usize = 1 << 20;
const LIMITS: SpliceLimits = SpliceLimits {
    idle: Duration::from_secs(600),
    grace: Duration::from_secs(30),
};

/// A session that sends `octets` in pieces of `piece`, to its end.
async fn session(octets: usize, piece: usize) -> io::Result<u64> {
    let (mut client, mut near) = duplex(64 * 1024);
    let (mut upstream, mut far) = duplex(64 * 1024);
    let (_drainer, mut drain) = drain::channel();
    let control = SpliceControl::default();
    let sending = async {
        let piece = vec![b'x'; piece];
        for _ in 0..octets / piece.len() {
            client.write_all(&piece).await?;
        }
        client.shutdown().await?;
        client.read_to_end(&mut Vec::new()).await
    };
    let receiving = async {
        let mut buffer = vec![0; 64 * 1024];
        while far.read(&mut buffer).await? > 0 {}
        far.shutdown().await
    };
    let passing = splice(
        &mut near,
        &mut upstream,
        Handover::default(),
        LIMITS,
        &control,
        &mut drain,
    );
    let (sent, received, (tally, _)) = tokio::join!(sending, receiving, passing);
    sent?;
    received?;
    Ok(tally.from_client)
}

fn splices(bench: &mut Criterion) {
    let runtime: Runtime = match Builder::new_current_thread().enable_time().build() {
        Ok(runtime) => runtime,
        Err(fault) => panic!("no runtime: {fault}"),
    };
    let mut group = bench.benchmark_group("splice");
    group.throughput(Throughput::Bytes(MEGABYTE as u64));
    for (name, piece) in [("64 KB", 64 * 1024), ("16 KB", 16 * 1024), ("1 KB", 1024)] {
        group.bench_function(format!("a megabyte in pieces of {name}"), |bench| {
            bench.iter(|| runtime.block_on(session(MEGABYTE, piece)));
        });
    }
    group.throughput(Throughput::Elements(1));
    group.bench_function("a session of one octet", |bench| {
        bench.iter(|| runtime.block_on(session(1, 1)));
    });
    group.finish();
}

fn quick() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(800))
}

criterion_group! { name = all; config = quick(); targets = splices }
criterion_main!(all);
