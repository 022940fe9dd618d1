//! line - what does it cost to cut octets into lines?
//!
//! `cargo bench --bench line`. Worrying: more than 300 ns for a short command, or an attacker who pays less
//! for sending octets one by one, or without an end, than we pay for taking them.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use gatepost_core::smtp::line::LineBuffer;

const LIMIT: usize = 2048;

fn lines(bench: &mut Criterion) {
    let mut group = bench.benchmark_group("line");
    group.bench_function("a short command", |bench| {
        bench.iter(|| {
            taken(
                &mut LineBuffer::new(),
                black_box(b"EHLO laptop.example.org\r\n"),
            )
        });
    });
    let pipelined = b"NOOP\r\n".repeat(100);
    group.throughput(Throughput::Elements(100));
    group.bench_function("100 commands in one piece", |bench| {
        bench.iter(|| taken(&mut LineBuffer::new(), black_box(&pipelined)));
    });
    group.throughput(Throughput::Bytes(100));
    group.bench_function("100 octets, one by one", |bench| {
        let command = [vec![b'x'; 98], b"\r\n".to_vec()].concat();
        bench.iter(|| {
            let mut buffer = LineBuffer::new();
            command
                .iter()
                .map(|octet| taken(&mut buffer, black_box(&[*octet])))
                .sum::<usize>()
        });
    });
    let endless = vec![b'x'; 64 * 1024];
    group.throughput(Throughput::Bytes(64 * 1024));
    group.bench_function("64 KB without an end", |bench| {
        bench.iter(|| {
            let mut buffer = LineBuffer::new();
            endless
                .chunks(1024)
                .map(|chunk| taken(&mut buffer, black_box(chunk)))
                .sum::<usize>()
        });
    });
    group.finish();
}

/// Octets of all lines that are whole now.
fn taken(buffer: &mut LineBuffer, octets: &[u8]) -> usize {
    buffer.push(octets);
    let mut length = 0;
    while let Ok(Some(line)) = buffer.next_line(LIMIT) {
        length += line.len();
    }
    length
}

fn quick() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(800))
}

criterion_group! { name = all; config = quick(); targets = lines }
criterion_main!(all);
