//! start - how long are clients turned away when Gatepost is started anew?
//!
//! From the start of the program to the first connection that is taken, with an empty state and with
//! 100,000 bans in it. Worrying: more than a client waits before it tries again.

use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::settings::GateSettings;
use gatepost_core::gate::request::verdict::Subject;
use gatepost_core::gate::{Gate, Keys};
use gatepost_daemon::store::{Store, StoreSettings};

use crate::BenchResult;
use crate::bench::{BackendKind, Bench};
use crate::peer::{ConfigChanges, Peer, PeerKind};
use crate::results::Results;

const BANS: u32 = 100_000;

pub(super) fn play(bench: &Bench, results: &mut Results) -> BenchResult<()> {
    let state = bench.folder("state-with-bans");
    save_bans(bench, &state)?;
    let backend = bench.backend(BackendKind::Sha256)?;
    let with_bans = ConfigChanges {
        state: Some(state),
        ..ConfigChanges::default()
    };
    for _ in 0..bench.extent.rounds * 3 {
        for &kind in &bench.extent.kinds {
            if !kind.is_gatepost() && kind != PeerKind::HaProxy {
                continue;
            }
            let empty = Peer::prepare(kind, &bench.files, backend, &ConfigChanges::default())?;
            results.file(kind, vec![("start", first_accept(bench, &empty)?)]);
            if kind.is_gatepost() {
                let full = Peer::prepare(kind, &bench.files, backend, &with_bans)?;
                results.file(kind, vec![("start-bans", first_accept(bench, &full)?)]);
            }
        }
    }
    Ok(())
}

/// Milliseconds from the start to the first connection.
fn first_accept(bench: &Bench, peer: &Peer) -> BenchResult<f64> {
    let began = bench.clock.now();
    // Without a control group: moving a process into one takes longer than all of this.
    let command = peer.command(&bench.files)?;
    let mut program = command
        .ok_or("nothing to start")?
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    for _ in 0..50_000 {
        if TcpStream::connect(peer.address).is_ok() {
            let took = bench.clock.now().since(began);
            program.kill()?;
            program.wait()?;
            return Ok(took.as_secs_f64() * 1000.0);
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    program.kill()?;
    program.wait()?;
    Err(format!("{} does not listen", peer.kind.name()).into())
}

/// A state directory as a Gatepost with so many bans leaves it.
fn save_bans(bench: &Bench, directory: &Path) -> BenchResult<()> {
    let settings = StoreSettings {
        directory: directory.to_owned(),
    };
    let (mut store, kept) = Store::open(&settings)?;
    let keys = Keys {
        users: kept.keys.users,
        passwords: [2; 16],
        table: kept.keys.rows,
    };
    let now = bench.clock.now();
    let gate = Gate::new(GateSettings::default(), keys, now);
    let mut changes = Vec::new();
    for number in 0..BANS {
        let address = IpAddr::V4(Ipv4Addr::from(0x0b00_0000 + number * 7));
        let subject = Subject::Client(ClientKey::new(address));
        gate.ban(
            subject,
            now + Duration::from_secs(86_400),
            now,
            &mut changes,
        );
        changes.clear();
    }
    store.save(&gate, now)?;
    Ok(())
}
