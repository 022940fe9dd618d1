//! kept - bodies for what is read from disk: the gate's state, its journal, old logs
//!
//! A disk is no stranger, but a file may be half of one, another program's, or another version's.
//! Not here: damage to frames, which checksums keep out (`gate::state`'s own tests).

use std::time::Duration;

use gatepost_core::gate::Gate;
use gatepost_core::gate::request::attempt::AuthOutcome;
use gatepost_core::gate::request::keys::Keys;
use gatepost_core::gate::request::settings::GateSettings;
use gatepost_core::gate::state::file::{Form, JOURNAL_LINE, SNAPSHOT_LINE, StateFile};
use gatepost_core::gate::state::frame::push;
use gatepost_core::logs::collector::LogCollector;
use gatepost_core::logs::parser::MOST_ATTEMPTS_A_LINE;
use gatepost_core::logs::{LoggedAttempt, LoginHistory};
use gatepost_core::moment::Moment;
use jiff::tz::TimeZone;

/// 2026-11-24T00:00:00Z.
const NOW: Moment = Moment::from_seconds(1_795_478_400);

fn restored(files: &[StateFile]) -> Gate {
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
    Gate::restore(settings, keys, files, NOW).0
}

/// What would be lost or doubled: users, pairs and bans, and what the next snapshots hold.
fn kept(gate: &Gate) -> (usize, usize, usize, [usize; 2]) {
    let (users, pairs) = gate.known();
    let snapshots = gate.snapshots(NOW).expect("memory takes everything");
    let octets = snapshots.map(|file| file.octets.len());
    (users, pairs, gate.bans(NOW).len(), octets)
}

/// A file of sound frames: records, each behind an octet that gives its length and one that gives its kind.
fn file(form: Form, line: &str, octets: &[u8]) -> StateFile {
    let mut out = line.as_bytes().to_vec();
    let mut rest = octets;
    while let Some((&[length, kind], behind)) = rest.split_first_chunk() {
        let (record, behind) = behind.split_at(behind.len().min(usize::from(length)));
        push(&mut out, kind, record);
        rest = behind;
    }
    StateFile { form, octets: out }
}

/// A snapshot, as it is and as records in sound frames: taken over in a form that is taken over again without
/// a change.
pub fn image(octets: &[u8]) {
    let given = |form| StateFile {
        form,
        octets: octets.to_vec(),
    };
    for file in [
        file(Form::Snapshot, SNAPSHOT_LINE, octets),
        given(Form::Snapshot),
        given(Form::FirstSnapshot),
    ] {
        let gate = restored(&[file]);
        let snapshots = gate.snapshots(NOW).expect("memory takes everything");
        assert_eq!(kept(&restored(&snapshots)), kept(&gate));
    }
}

/// A journal, as it is and as records in sound frames: twice is as once.
pub fn journal(octets: &[u8]) {
    let given = |form| StateFile {
        form,
        octets: octets.to_vec(),
    };
    for file in [
        file(Form::Journal, JOURNAL_LINE, octets),
        given(Form::Journal),
        given(Form::FirstJournal),
    ] {
        let once = restored(std::slice::from_ref(&file));
        let twice = restored(&[file.clone(), file]);
        assert_eq!(kept(&twice), kept(&once));
    }
}

/// All that a state directory may hold: files of both formats in any number. Each begins with an octet for
/// its form and two for its length. A file that is there twice changes nothing in what is known and
/// banned, and what was taken over is taken over again without a change.
pub fn state(octets: &[u8]) {
    let mut files = Vec::new();
    let mut rest = octets;
    while let Some((&[form, high, low], behind)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([high, low]));
        let (octets, behind) = behind.split_at(behind.len().min(length));
        files.push(match form % 6 {
            0 => file(Form::Snapshot, SNAPSHOT_LINE, octets),
            1 => file(Form::Journal, JOURNAL_LINE, octets),
            other => StateFile {
                form: match other {
                    2 => Form::Snapshot,
                    3 => Form::Journal,
                    4 => Form::FirstSnapshot,
                    _ => Form::FirstJournal,
                },
                octets: octets.to_vec(),
            },
        });
        rest = behind;
    }
    let gate = restored(&files);
    let snapshots = gate.snapshots(NOW).expect("memory takes everything");
    if !files.is_empty() {
        assert_eq!(kept(&restored(&snapshots)), kept(&gate));
    }
    let twice = [files.as_slice(), files.as_slice()].concat();
    assert_eq!(who(&restored(&twice)), who(&gate));
}

/// Users, pairs and bans.
fn who(gate: &Gate) -> (usize, usize, usize) {
    let (users, pairs, bans, _) = kept(gate);
    (users, pairs, bans)
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
    for attempt in &history.attempts {
        let Some(name) = attempt.user.and_then(|id| history.names.get(id)) else {
            continue;
        };
        let shown = name.to_string();
        assert!(shown.bytes().all(|octet| matches!(octet, b' '..=b'~')));
    }
    assert!(stats.not_understood <= stats.unreadable);
    assert_eq!(
        self::history(octets, 2).attempts.len(),
        history.attempts.len()
    );
    // Successes are what is learnt, whatever else is in the log.
    let mut successes = LogCollector::of_successes(TimeZone::UTC);
    successes
        .read(octets, NOW, &mut |_| ())
        .expect("memory can be read");
    let accepted = |attempt: &&LoggedAttempt| attempt.outcome == AuthOutcome::Accept;
    assert_eq!(
        successes.into_history().attempts.len(),
        history.attempts.iter().filter(accepted).count()
    );
}
