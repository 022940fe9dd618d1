//! known - does the gate stay small and quick when a million addresses have failed, and 100,000 are banned?
//!
//! In this process, without a network: the gate that the server uses, with its default capacity. What an
//! address takes is what the gate grows by beyond one that a single address has kept busy: the ring of the last
//! decisions is full then, and does not grow with the addresses. A million is more than a table of a million rows holds, so
//! that is divided by how many are held in the end.
//! Worrying: a check over 300 ns, or memory that goes on growing.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

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
use gatepost_daemon::clock::Clock;

use crate::BenchResult;
use crate::bench::Bench;
use crate::peer::PeerKind;
use crate::results::Results;

/// As many addresses as the config's default has rows for.
const ADDRESSES: u32 = 1_000_000;

pub(super) fn play(bench: &Bench, results: &mut Results) -> BenchResult<()> {
    let now = bench.clock.now();
    let before = resident()?;
    let gate = Gate::new(settings(), keys(), now);
    for number in 0..DECISIONS {
        fail(&gate, client(ADDRESSES), number, now);
    }
    let busy = resident()?;
    let rows_before = gate.status(now).rows_used;
    let mut known = 0;
    for so_many in [1, 10, 100, 1_000, 10_000, 100_000, ADDRESSES] {
        for number in known..so_many {
            fail(&gate, client(number), number, now);
        }
        known = so_many;
        // How a random one of the known addresses stands, and what its buckets hold.
        let nanos = each(bench.clock, known, |number| {
            black_box(gate.peek(client(number), now));
        });
        results.point("known", "a random address", (f64::from(known), nanos));
        let resident = resident()?;
        let octets = resident.saturating_sub(before);
        results.point(
            "known-memory",
            "the gate",
            (f64::from(known), octets as f64 / 1048576.0),
        );
        if so_many == ADDRESSES {
            let rows = gate.status(now).rows_used - rows_before;
            // Their networks and the last users to fail have rows, too.
            let held = rows.saturating_sub(ADDRESSES as usize / 256) as f64;
            let judged = each(bench.clock, known, |number| {
                fail(&gate, client(number), number, now);
            });
            results.file(
                PeerKind::Gatepost,
                vec![
                    ("known", resident.saturating_sub(busy) as f64 / held),
                    ("known-held", held),
                    ("check", nanos),
                    ("judge", judged),
                ],
            );
        }
    }
    drop(gate);
    banned(bench, results)
}

/// How the cost of knowing a banned client grows with the bans.
fn banned(bench: &Bench, results: &mut Results) -> BenchResult<()> {
    let now = bench.clock.now();
    let before = resident()?;
    let gate = Gate::new(settings(), keys(), now);
    let mut changes = Vec::new();
    let mut bans = 0;
    for so_many in [1, 10, 100, 1_000, 10_000, 100_000] {
        for number in bans..so_many {
            let subject = Subject::Client(client(number * 7));
            gate.ban(
                subject,
                now + Duration::from_secs(86_400),
                now,
                &mut changes,
            );
            changes.clear();
        }
        bans = so_many;
        let nanos = each(bench.clock, bans, |number| {
            black_box(gate.standing(client(number * 7), now));
        });
        let octets = resident()?.saturating_sub(before);
        let at = f64::from(bans);
        results.point("bans", "a random ban", (at, nanos));
        results.point("bans-memory", "the gate", (at, octets as f64 / 1048576.0));
    }
    Ok(())
}

/// More than the gate remembers.
const DECISIONS: u32 = 40_000;

/// Buckets so deep that every address gets as far as its failure.
fn settings() -> GateSettings {
    let mut settings = GateSettings {
        settling: Duration::ZERO,
        ..GateSettings::default()
    };
    let deep = Quota {
        burst: 10_000_000,
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
    settings
}

fn keys() -> Keys {
    Keys {
        users: [1; 16],
        passwords: [2; 16],
        table: [3; 16],
    }
}

/// Addresses from one network after the other.
fn client(number: u32) -> ClientKey {
    ClientKey::new(IpAddr::V4(Ipv4Addr::from(0x0b00_0000 + number)))
}

/// A wrong password from this client.
fn fail(gate: &Gate, client: ClientKey, number: u32, now: Moment) {
    let mut changes = Vec::new();
    let user = UserName::new(format!("user{}", number % 1000).as_bytes());
    let secret = Secret::new(format!("Raten{number}wieder").into_bytes());
    let attempt = AuthAttempt {
        client,
        user: &user,
        password: Password::Shown(&secret),
        session: u64::from(number),
        door: Door::Own,
        device: None,
        country: Located::default(),
        system: None,
    };
    if let Verdict::Allow(permit) =
        gate.judge_in_turn(&attempt, QueueClass::Ordinary, now, &mut changes)
    {
        let _ = gate.settle(permit, AuthOutcome::Reject, now, &mut changes);
    }
}

/// Nanoseconds that `check` takes for a random number below `known`.
fn each(clock: Clock, known: u32, check: impl Fn(u32)) -> f64 {
    const CHECKS: u32 = 400_000;
    let mut random = 0x9e37_79b9_u32;
    let began = clock.now();
    for _ in 0..CHECKS {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let number = (u64::from(random) * u64::from(known)) >> 32;
        check(u32::try_from(number).unwrap_or(0));
    }
    clock.now().since(began).as_secs_f64() * 1e9 / f64::from(CHECKS)
}

/// Of this process, in octets.
fn resident() -> BenchResult<u64> {
    let text = std::fs::read_to_string("/proc/self/statm")?;
    let pages = text
        .split_whitespace()
        .nth(1)
        .ok_or("statm has no second field")?;
    Ok(pages.parse::<u64>()? * 4096)
}
