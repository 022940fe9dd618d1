//! kept - bodies for what is read from disk: the gate's state, its journal, old logs
//!
//! A disk is no stranger, but a file may be half of one, another program's, or another version's.
//! Not here: frames and checksums, which keep most of it out (`store`'s own tests).

use std::time::Duration;

use gatepost_core::gate::request::keys::Keys;
use gatepost_core::gate::request::settings::GateSettings;
use gatepost_core::gate::{Gate, ImageFault};
use gatepost_core::logs::LoginHistory;
use gatepost_core::logs::collector::LogCollector;
use gatepost_core::logs::parser::MOST_ATTEMPTS_A_LINE;
use gatepost_core::moment::Moment;
use jiff::tz::TimeZone;

/// 2026-11-24T00:00:00Z.
const NOW: Moment = Moment::from_seconds(1_795_478_400);

fn restored(image: Option<&[u8]>, journal: &[&[u8]]) -> Result<Gate, ImageFault> {
    let mut settings = GateSettings {
        settling: Duration::ZERO,
        ..GateSettings::default()
    };
    settings.capacity.clients = 1_000;
    settings.capacity.pairs = 1_000;
    let keys = Keys {
        users: [1; 16],
        passwords: [2; 16],
        table: [3; 16],
    };
    Gate::restore(settings, keys, image, journal, NOW)
}

/// What would be lost or doubled: users, pairs and bans, and the size of the next image.
fn kept(gate: &Gate) -> (usize, usize, usize, usize) {
    let (users, pairs) = gate.acquaintances();
    (users, pairs, gate.bans(NOW).len(), gate.image(NOW).len())
}

/// An image: refused, or taken over in a form that is taken over again without a change.
pub fn image(octets: &[u8]) {
    let Ok(gate) = restored(Some(octets), &[]) else {
        return;
    };
    let again = restored(Some(&gate.image(NOW)), &[]).expect("what we wrote can be read");
    assert_eq!(kept(&again), kept(&gate));
}

/// Journal records, each behind an octet that gives its length: passed over, or replayed; twice is as once.
pub fn journal(octets: &[u8]) {
    let mut records = Vec::new();
    let mut rest = octets;
    while let Some((&length, behind)) = rest.split_first() {
        let (record, behind) = behind.split_at(behind.len().min(usize::from(length)));
        records.push(record);
        rest = behind;
    }
    let once = restored(None, &records).expect("a journal is no reason to start without it");
    let twice = restored(None, &[records.as_slice(), &records].concat());
    assert_eq!(kept(&twice.expect("as before")), kept(&once));
}

fn history(octets: &[u8], times: usize) -> LoginHistory {
    let mut collector = LogCollector::new(TimeZone::UTC);
    for _ in 0..times {
        collector
            .read(octets, NOW, &mut |_| ())
            .expect("memory can be read");
    }
    collector.into_history()
}

/// Logs: bounded, safe to print, and a copy of a file tells nothing new.
pub fn logs(octets: &[u8]) {
    let history = history(octets, 1);
    let stats = &history.stats;
    assert!(stats.unreadable <= stats.lines);
    assert!(history.attempts.len() as u64 <= stats.events * u64::from(MOST_ATTEMPTS_A_LINE));
    for sample in &stats.sample {
        assert!(sample.bytes().all(|octet| matches!(octet, b' '..=b'~')));
    }
    for login in &history.attempts {
        let Some(name) = login.user.and_then(|id| history.names.get(id)) else {
            continue;
        };
        let shown = name.to_string();
        assert!(shown.bytes().all(|octet| octet.is_ascii_graphic()));
    }
    assert_eq!(
        self::history(octets, 2).attempts.len(),
        history.attempts.len()
    );
}
