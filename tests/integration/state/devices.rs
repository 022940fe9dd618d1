//! devices - users' devices as each version leaves them, in the snapshots and in the journal after them
//!
//! Not here: the rest of the state (`state`).

use super::*;
use gatepost_core::gate::ConnectedClient;
use gatepost_core::gate::request::device::DeviceTicket;

/// Where they log in, and where nobody ever did.
const HOME: &str = "203.0.114.7";
const FAR: &str = "198.51.100.200";

const USERS: [&str; 9] = [
    "anna", "bert", "carl", "dora", "emil", "frieda", "gustav", "hanna", "irma",
];

/// A world without countries.
fn nowhere(_: ClientKey) -> Located {
    Located::default()
}

fn device(number: u8, ticket: DeviceTicket) -> Option<Device> {
    Some(Device::new([number; 16], ticket))
}

/// In the snapshots: a device of anna's that came back, one of bert's that has not, one that carl's wrong passwords have used up nearly,
/// one of dora, and one that is none. In the journal after them: a new one of anna's, that of carl dropped, that of dora taken back, and
/// another that is none.
fn write(directory: &Path) {
    let (mut store, left) = open(directory);
    let gate = Gate::new(settings(Mode::Enforce), keys(&left), NOW);
    let second = Duration::from_secs(1);
    let login = |name, number, now| {
        let attempt = (name, HOME, device(number, DeviceTicket::Returned));
        let right = format!("Right-{name}-password");
        tried_there(&gate, attempt, (&right, AuthOutcome::Accept), now)
    };
    let guess = |number: u32, now| {
        let attempt = ("carl", FAR, device(3, DeviceTicket::Returned));
        let wrong = format!("Zwiebel{number}kuchen");
        tried_there(&gate, attempt, (&wrong, AuthOutcome::Reject), now)
    };
    login("anna", 1, NOW);
    let bert = ("bert", HOME, device(2, DeviceTicket::New));
    tried_there(
        &gate,
        bert,
        ("Right-bert-password", AuthOutcome::Accept),
        NOW,
    );
    login("carl", 3, NOW);
    login("dora", 4, NOW);
    for name in &USERS[4..9] {
        login(name, 5, NOW);
    }
    for number in 0..4 {
        guess(number, NOW + second);
    }
    store.save(&gate, NOW + second * 2).unwrap();
    let then = NOW + MINUTE;
    let mut changes = login("anna", 6, then);
    changes.extend(guess(4, then));
    gate.revoke(&user("dora"), None, then, &mut changes);
    for name in &USERS[4..9] {
        changes.extend(login(name, 7, then));
    }
    store.append(&changes).unwrap();
    store.sync().unwrap();
}

fn described_devices(gate: &Gate, now: Moment) -> String {
    let mut out = format!("devices {}\n", gate.status(now).devices);
    for name in USERS {
        for number in 1..8 {
            let visitor = ConnectedClient {
                client: client(FAR),
                device: device(number, DeviceTicket::Returned),
            };
            let trust = gate.acquaintance(&user(name), visitor, now).trust;
            if trust != gatepost_core::gate::request::attempt::Trust::Far {
                writeln!(out, "{name} {number} {trust}").unwrap();
            }
        }
        let told = gate.explain_user(&user(name), nowhere, now);
        for held in told.devices {
            let (back, failures) = (held.ticket == DeviceTicket::Returned, held.failures);
            writeln!(out, "{name} came back {back} failures {failures}").unwrap();
        }
    }
    out
}

#[track_caller]
fn check_devices(fixture: &Path) {
    let expected = fs::read_to_string(fixture.join("expected.txt")).unwrap();
    let directory = copy(fixture);
    let now = NOW + MINUTE * 5;
    let (mut store, gate, reports) = start(directory.path(), Mode::Enforce);
    assert!(reports.iter().all(|report| *report == WHOLE), "{reports:?}");
    assert_eq!(described_devices(&gate, now), expected);
    store.save(&gate, now).unwrap();
    drop((store, gate));
    let (_store, again, _) = start(directory.path(), Mode::Enforce);
    assert_eq!(described_devices(&again, now), expected);
}

#[test]
fn devices_of_every_version_are_read() {
    check_devices(&fixtures().join("v2-devices/enforce"));
}

#[test]
fn devices_that_this_version_writes_are_left_for_a_fixture() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("state/devices");
    let _ = fs::remove_dir_all(&directory);
    write(&directory);
    let expected = fixtures().join("v2-devices/enforce/expected.txt");
    fs::copy(expected, directory.join("expected.txt")).unwrap();
    check_devices(&directory);
    let journal = kinds(&fs::read(directory.join("changes.1")).unwrap());
    let known = kinds(&fs::read(directory.join("known")).unwrap());
    let written = [
        (40, &journal),
        (41, &journal),
        (42, &journal),
        (14, &known),
        (15, &known),
    ];
    assert!(
        written.iter().all(|(kind, kinds)| kinds.contains(kind)),
        "{written:?}"
    );
}

/// The failures that the snapshot has are not begun anew by an older login in a journal.
#[test]
fn a_device_with_four_failures_has_one_more_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, left) = open(directory.path());
    let gate = Gate::new(settings(Mode::Enforce), keys(&left), NOW);
    let laptop = device(1, DeviceTicket::Returned);
    let right = ("Right-anna-password", AuthOutcome::Accept);
    let login = tried_there(&gate, ("anna", HOME, laptop), right, NOW);
    for number in 0..4 {
        let wrong = format!("Zwiebel{number}kuchen");
        let then = NOW + Duration::from_secs(1);
        tried_there(
            &gate,
            ("anna", FAR, laptop),
            (&wrong, AuthOutcome::Reject),
            then,
        );
    }
    store.save(&gate, NOW + Duration::from_secs(2)).unwrap();
    store.append(&login).unwrap();
    drop((store, gate));
    let (_store, gate, _) = start(directory.path(), Mode::Enforce);
    let now = NOW + MINUTE * 5;
    assert_eq!(
        gate.explain_user(&user("anna"), nowhere, now).devices[0].failures,
        4
    );
    tried_there(
        &gate,
        ("anna", FAR, laptop),
        ("Zwiebel4kuchen", AuthOutcome::Reject),
        now,
    );
    assert_eq!(gate.explain_user(&user("anna"), nowhere, now).devices, []);
}
