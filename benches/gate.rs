//! gate - what does a judgement cost, for 1 to 1,000,000 known addresses, alone and contended?
//!
//! `cargo bench --bench gate`. Worrying: a check over 300 ns on a random one of a million, a judgement over
//! 2 µs, or one that grows with what is known by more than the caches explain.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

use gatepost_core::gate::buckets::quota::Quota;
use gatepost_core::gate::buckets::spec::Bucket;
use gatepost_core::gate::permit::Verdict;
use gatepost_core::gate::queue::QueueClass;
use gatepost_core::gate::request::attempt::{AuthAttempt, AuthOutcome, Password, Secret, UserName};
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::doors::Door;
use gatepost_core::gate::request::place::Located;
use gatepost_core::gate::request::settings::GateSettings;
use gatepost_core::gate::request::verdict::Subject;
use gatepost_core::gate::{Gate, Keys};
use gatepost_core::moment::Moment;

const NOW: Moment = Moment::from_seconds(1_795_478_400);
const SIZES: [u32; 4] = [1, 1_000, 100_000, 1_000_000];

/// A gate that knows so many addresses, each with one failure.
fn knowing(addresses: u32) -> Gate {
    let mut settings = GateSettings {
        settling: Duration::ZERO,
        ..GateSettings::default()
    };
    let deep = Quota {
        burst: 100_000_000,
        every: Duration::from_secs(1),
    };
    let limits = &mut settings.limits;
    for bucket in [
        Bucket::Network,
        Bucket::UserNear,
        Bucket::Words,
        Bucket::Unknown,
        Bucket::Strangers,
    ] {
        limits.set(bucket, deep);
    }
    let keys = Keys {
        users: [1; 16],
        passwords: [2; 16],
        table: [3; 16],
    };
    let gate = Gate::new(settings, keys, NOW);
    for number in 0..addresses {
        try_once(&gate, number, AuthOutcome::Reject);
    }
    gate
}

fn client(number: u32) -> ClientKey {
    ClientKey::new(IpAddr::V4(Ipv4Addr::from(0x0b00_0000 + number)))
}

/// A judgement and, where it was allowed, its settlement.
fn try_once(gate: &Gate, number: u32, outcome: AuthOutcome) {
    let user = UserName::new(format!("user{}", number % 1000).as_bytes());
    let secret = Secret::new(format!("Raten{number}wieder").into_bytes());
    let attempt = AuthAttempt {
        client: client(number),
        user: &user,
        password: Password::Shown(&secret),
        session: 1,
        door: Door::Own,
        device: None,
        country: Located::default(),
        system: None,
    };
    let mut changes = Vec::new();
    if let Verdict::Allow(permit) =
        gate.judge_in_turn(&attempt, QueueClass::Ordinary, NOW, &mut changes)
    {
        let _ = gate.settle(permit, outcome, NOW, &mut changes);
    }
    black_box(changes);
}

/// Numbers below `below` without order.
fn random(below: u32) -> impl FnMut() -> u32 {
    let mut state = 0x9e37_79b9_u32;
    move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        u32::try_from((u64::from(state) * u64::from(below)) >> 32).unwrap_or(0)
    }
}

fn by_size(bench: &mut Criterion) {
    let mut group = bench.benchmark_group("gate");
    for size in SIZES {
        let gate = knowing(size);
        let mut known = random(size);
        group.bench_function(BenchmarkId::new("standing, hit", size), |bench| {
            bench.iter(|| gate.standing(client(known()), NOW));
        });
        let mut known = random(size);
        group.bench_function(BenchmarkId::new("check, hit", size), |bench| {
            bench.iter(|| gate.peek(client(known()), NOW));
        });
        let mut unknown = random(1 << 24);
        group.bench_function(BenchmarkId::new("check, miss", size), |bench| {
            bench.iter(|| gate.peek(client(0x1000_0000 + unknown()), NOW));
        });
        let mut known = random(size);
        group.bench_function(BenchmarkId::new("judge and settle", size), |bench| {
            bench.iter(|| try_once(&gate, known(), AuthOutcome::Defer));
        });
    }
    group.finish();
}

fn refused(bench: &mut Criterion) {
    let gate = knowing(1_000);
    let mut changes = Vec::new();
    for number in 0..100_000 {
        let until = NOW + Duration::from_secs(3600);
        gate.ban(Subject::Client(client(number)), until, NOW, &mut changes);
        changes.clear();
    }
    let mut banned = random(100_000);
    bench.bench_function("gate/standing, one of 100,000 banned", |bench| {
        bench.iter(|| gate.standing(client(banned()), NOW));
    });
    let mut banned = random(100_000);
    bench.bench_function("gate/judge, one of 100,000 banned", |bench| {
        bench.iter(|| try_once(&gate, banned(), AuthOutcome::Reject));
    });
}

fn contended(bench: &mut Criterion) {
    let gate = knowing(100_000);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut others = random(100_000);
            while !over.load(Ordering::Relaxed) {
                try_once(&gate, others(), AuthOutcome::Defer);
            }
        });
        let mut known = random(100_000);
        bench.bench_function("gate/judge and settle, another thread at it", |bench| {
            bench.iter(|| try_once(&gate, known(), AuthOutcome::Defer));
        });
        over.store(true, Ordering::Relaxed);
    });
}

fn quick() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(800))
}

criterion_group! { name = all; config = quick(); targets = by_size, refused, contended }
criterion_main!(all);
