//! cluster - what does it cost an honest user that their machine is one of several?
//!
//! Familiar users send a mail of 4 KB: at one machine alone, at a second one alone (what differs between these two is the
//! measurement's), at one of three machines with a store that is near (the same machine), far (20 ms there and back, by a relay that
//! holds every octet for half of it) or dead (nobody listens there), and at one of three that are linked, of which one is away.
//! All run at the same time and are measured in turns, a few sessions each, so that whatever else the machine does meets all alike:
//! CPU with eight sessions at once, then how long a session takes at 20 a second. Then each alone under callgrind: instructions
//! of the process, without the kernel's.
//! Worrying: more than 1.02 of one machine alone, wherever the store is.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::honest::{log_everybody_in, session, sessions};
use super::millis;
use crate::BenchResult;
use crate::bench::{BackendKind, Bench, Measurement, micros_each};
use crate::client::{BenchClient, Tickets, letter};
use crate::instructions::Counted;
use crate::load::{JobTally, at_even_times};
use crate::peer::{Peer, PeerFiles, PeerKind};
use crate::results::Results;

mod store;

use store::BenchStore;

/// Honest sessions a second.
const RATE: usize = 20;
const OCTETS: usize = 4 * 1024;
/// So often is every place measured in a round, in turns.
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
    times: JobTally,
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
    let (at_once, at_times) = (bench.extent.count(120, 40), bench.extent.count(60, 30));
    for machine in &machines {
        sessions(&machine.set, at_once, OCTETS)?;
    }
    for turn in 0..TURNS {
        // Who comes first, meets a colder machine.
        machines.rotate_left(turn % 2 + 1);
        for machine in &mut machines {
            machine.measure(at_once, at_times)?;
        }
    }
    let figures = machines.iter().flat_map(|machine| {
        let [mail, p50, p99, _] = machine.place.keys();
        let times = machine.times.percentiles();
        [
            (mail, micros_each(machine.cpu, at_once * TURNS)),
            (p50, millis(times.p50_us)),
            (p99, millis(times.p99_us)),
        ]
    });
    Ok(figures.collect())
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
            times: JobTally::default(),
        })
    }

    /// One turn: so many sessions, eight at once, and then so many at even times.
    fn measure(&mut self, at_once: usize, at_times: usize) -> BenchResult<()> {
        let (cost, _) = self.set.cost(|| sessions(&self.set, at_once, OCTETS))?;
        self.cpu += cost.proxy;
        let bench = self.set.bench;
        let client = BenchClient::new(self.set.peer.address, Tickets::Ignored)?;
        let text = Arc::new(letter(OCTETS));
        let job = move |number| session(client.clone(), Arc::clone(&text), number);
        let timed = at_even_times(bench.clock, RATE as f64, |number| number < at_times, job);
        self.times.join(bench.runtime.block_on(timed).all_done()?);
        Ok(())
    }
}
