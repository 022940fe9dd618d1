//! cluster - what does it cost an honest user that their machine is one of several?
//!
//! Familiar users send a mail of 4 KB: at one machine alone, at a second one alone (what differs between these two is the
//! measurement's), at one of three machines with a store that is near (the same machine), far (20 ms there and back, by a relay that
//! holds every octet for half of it) or dead (nobody listens there), and at one of three that are linked, of which one is away.
//! All run at the same time, so that whatever else the machine does meets all alike. CPU is measured in turns, a few sessions each, eight
//! at once; how long a session takes, by sessions at even times that go to one place after another, five a second to each.
//! Then each alone under callgrind: instructions of the process, without the kernel's.
//! Worrying: more than 1.02 of one machine alone, wherever the store is.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::honest::{log_everybody_in, session, sessions};
use super::millis;
use gatepost_lab::load::Percentiles;

use crate::BenchResult;
use crate::bench::{BackendKind, Bench, Measurement, micros_each};
use crate::client::{BenchClient, Tickets, letter};
use crate::instructions::Counted;
use crate::load::{JobTally, at_places_in_turn};
use crate::peer::{Peer, PeerFiles, PeerKind};
use crate::results::Results;

mod store;

use store::BenchStore;

/// Honest sessions a second at each place.
const RATE: f64 = 5.0;
const OCTETS: usize = 4 * 1024;
/// So often is the CPU of every place measured in a round, in turns.
const TURNS: usize = 10;

/// What the machine is one of, and where the store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClusterPlace {
    /// There is one machine alone.
    Nowhere,
    /// Another one alone.
    Again,
    Near,
    Far,
    Dead,
    /// There is none: the machines are linked.
    Linked,
}

impl ClusterPlace {
    const ALL: [Self; 6] = [
        Self::Nowhere,
        Self::Again,
        Self::Near,
        Self::Far,
        Self::Dead,
        Self::Linked,
    ];

    /// What its figures are filed under: CPU, two percentiles, instructions.
    const fn keys(self) -> [&'static str; 4] {
        match self {
            Self::Nowhere => ["alone-mail", "alone-p50", "alone-p99", "alone-instructions"],
            Self::Again => ["again-mail", "again-p50", "again-p99", "again-instructions"],
            Self::Near => ["near-mail", "near-p50", "near-p99", "near-instructions"],
            Self::Far => ["far-mail", "far-p50", "far-p99", "far-instructions"],
            Self::Dead => ["dead-mail", "dead-p50", "dead-p99", "dead-instructions"],
            Self::Linked => [
                "linked-mail",
                "linked-p50",
                "linked-p99",
                "linked-instructions",
            ],
        }
    }
}

/// A machine in its place, and what was measured in this round.
struct Placed<'a> {
    place: ClusterPlace,
    set: Measurement<'a>,
    /// The one that it is linked with.
    _other: Option<Peer>,
    cpu: Duration,
}

pub(super) fn play(bench: &Bench, results: &mut Results) -> BenchResult<()> {
    for (path, package) in [
        ("/usr/bin/redis-server", "redis-server"),
        ("/usr/bin/callgrind_control", "valgrind"),
    ] {
        if !Path::new(path).exists() {
            return Err(format!(
                "{package} is missing: apt-get install --no-install-recommends {package}"
            )
            .into());
        }
    }
    let store = BenchStore::start(bench)?;
    for round in 0..bench.extent.rounds {
        match play_round(bench, &store) {
            Ok(figures) => results.file(PeerKind::Gatepost, figures),
            Err(fault) => results.note(format!("round {}: {fault}", round + 1)),
        }
    }
    for place in ClusterPlace::ALL {
        match instructions(bench, &store, place) {
            Ok(figure) => results.file(PeerKind::Gatepost, vec![figure]),
            Err(fault) => results.note(format!(
                "{place:?}, instructions (under valgrind, of a build with RUSTFLAGS=\"--cfg rustix_use_libc\"): {fault}"
            )),
        }
    }
    Ok(())
}

fn play_round(bench: &Bench, store: &BenchStore) -> BenchResult<Vec<(&'static str, f64)>> {
    let mut machines = ClusterPlace::ALL
        .into_iter()
        .map(|place| Placed::start(bench, &bench.files, store, place))
        .collect::<BenchResult<Vec<_>>>()?;
    let (at_once, at_times) = (bench.extent.count(120, 40), bench.extent.count(2000, 300));
    for machine in &machines {
        sessions(&machine.set, at_once, OCTETS)?;
    }
    for turn in 0..TURNS {
        // Who comes first, meets a colder machine.
        machines.rotate_left(turn % 2 + 1);
        for machine in &mut machines {
            let (cost, _) = machine
                .set
                .cost(|| sessions(&machine.set, at_once, OCTETS))?;
            machine.cpu += cost.proxy;
        }
    }
    let mut figures = Vec::new();
    for (machine, times) in machines.iter().zip(times(bench, &machines, at_times)?) {
        let [mail, p50, p99, _] = machine.place.keys();
        figures.extend([
            (mail, micros_each(machine.cpu, at_once * TURNS)),
            (p50, millis(times.p50_us)),
            (p99, millis(times.p99_us)),
        ]);
    }
    Ok(figures)
}

/// How long sessions take at each place, `count` at each.
fn times(bench: &Bench, machines: &[Placed<'_>], count: usize) -> BenchResult<Vec<Percentiles>> {
    let text = Arc::new(letter(OCTETS));
    let clients = machines
        .iter()
        .map(|machine| BenchClient::new(machine.set.peer.address, Tickets::Ignored))
        .collect::<BenchResult<Vec<_>>>()?;
    let places = clients.len();
    let job = move |place: usize, number| {
        let client = clients.get(place).cloned();
        let text = Arc::clone(&text);
        async move {
            let client = client.ok_or(io::ErrorKind::NotFound)?;
            session(client, text, number).await
        }
    };
    let rate = RATE * places as f64;
    let tallies = at_places_in_turn(bench.clock, rate, (places, count), job);
    let done = |tally: JobTally| Ok(tally.all_done()?.percentiles());
    let tallies = bench.runtime.block_on(tallies).into_iter();
    tallies.map(done).collect()
}

/// Thousands of instructions of a session, in the process: what runs for each session, and not for each second.
fn instructions(
    bench: &Bench,
    store: &BenchStore,
    place: ClusterPlace,
) -> BenchResult<(&'static str, f64)> {
    let counted = Counted::prepare(&bench.folder("callgrind"), &bench.files.gatepost)?;
    let files = PeerFiles {
        gatepost: counted.program().to_owned(),
        ..bench.files.clone()
    };
    let machine = Placed::start(bench, &files, store, place)?;
    let count = bench.extent.count(400, 100);
    sessions(&machine.set, count / 4, OCTETS)?;
    let program = machine.set.peer.program.as_ref().ok_or("no program")?;
    let used = counted.during(program, bench.clock, || {
        sessions(&machine.set, count, OCTETS).map(drop)
    })?;
    let [.., key] = place.keys();
    Ok((key, used / count as f64 / 1000.0))
}

impl<'a> Placed<'a> {
    /// A machine on which every user is familiar.
    fn start(
        bench: &'a Bench,
        files: &PeerFiles,
        store: &BenchStore,
        place: ClusterPlace,
    ) -> BenchResult<Self> {
        let backend = bench.backend(BackendKind::Sha256)?;
        let start = |files, changes| Peer::start(PeerKind::Gatepost, files, backend, &changes);
        let peer = start(files, store.changes(place))?;
        let other = match place {
            ClusterPlace::Linked => Some(start(&bench.files, store.linked(1))?),
            _ => None,
        };
        let set = Measurement {
            bench,
            peer,
            backend,
        };
        log_everybody_in(&set)?;
        Ok(Self {
            place,
            set,
            _other: other,
            cpu: Duration::ZERO,
        })
    }
}
