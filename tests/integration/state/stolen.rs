//! stolen - new places of users and suspicions as each version leaves them, in the snapshots and in the journal after them
//!
//! Not here: the rest of the state (`state`).

use super::*;
use gatepost_core::gate::request::place::Country;
use gatepost_core::gate::request::suspicion::FarLogins;

const HOME: &str = "203.0.114.7";
const USERS: [&str; 4] = ["anna", "bert", "carl", "dora"];

/// A world without countries.
fn nowhere(_: ClientKey) -> Located {
    Located::default()
}

fn holding() -> GateSettings {
    let mut settings = settings(Mode::Enforce);
    settings.stolen.far_logins = FarLogins::Hold;
    settings
}

/// A valid login from the n-th far network, in IPv6 if that is odd, of a country and a system that are this one's alone if it is even.
fn login(gate: &Gate, name: &str, n: u32, now: Moment) -> Vec<Change> {
    let from = match n % 2 {
        0 => format!("198.{n}.7.9"),
        _ => format!("2001:{n:x}::1"),
    };
    let country = ["BR", "VN", "IN", "ZA", "US", "DE"][(n / 2 % 6) as usize];
    let (user, secret) = (
        user(name),
        Secret::new(b"Right-password-of-theirs".to_vec()),
    );
    let attempt = AuthAttempt {
        session: 3,
        client: client(&from),
        user: &user,
        password: Password::Shown(&secret),
        door: Door::Own,
        device: None,
        country: match n % 2 {
            0 => Located::In(Country::new(country).unwrap()),
            _ => Located::default(),
        },
        system: n.is_multiple_of(2).then_some(64_500 + n),
    };
    let mut changes = Vec::new();
    match gate.judge_in_turn(&attempt, QueueClass::Ordinary, now, &mut changes) {
        Verdict::Allow(permit) => {
            drop(gate.settle(permit, AuthOutcome::Accept, now, &mut changes));
        }
        other => panic!("{name}: {other:?}"),
    }
    changes
}

/// In the snapshots: anna is suspected, bert has two new places, dora is suspected. In the journal after them: bert is suspected, carl has a
/// new place, dora is forgiven.
fn write(directory: &Path) {
    let (mut store, left) = open(directory);
    let gate = Gate::new(settings(Mode::Enforce), keys(&left), NOW);
    for name in USERS {
        gate.learn(&user(name), client(HOME), NOW - DAY, NOW, &mut Vec::new());
    }
    for n in 1..9 {
        login(&gate, "anna", n, NOW);
        login(&gate, "dora", n, NOW);
    }
    for n in 1..3 {
        login(&gate, "bert", n, NOW);
    }
    store.save(&gate, NOW + Duration::from_secs(2)).unwrap();
    let then = NOW + MINUTE;
    let mut changes = Vec::new();
    for n in 3..9 {
        changes.extend(login(&gate, "bert", n, then));
    }
    changes.extend(login(&gate, "carl", 1, then));
    gate.forgive_user(&user("dora"), then, &mut changes);
    store.append(&changes).unwrap();
    store.sync().unwrap();
}

fn start_holding(directory: &Path, now: Moment) -> (Store, Gate, Vec<FileReport>) {
    let (store, left) = open(directory);
    let keys = keys(&left);
    let files: Vec<_> = left.files.into_iter().map(|found| found.file).collect();
    let (gate, reports) = Gate::restore(holding(), keys, &files, now);
    (store, gate, reports)
}

fn described(gate: &Gate, now: Moment) -> String {
    let mut out = format!("suspected {}\n", gate.status(now).suspected);
    for name in USERS {
        let told = gate.explain_user(&user(name), nowhere, now);
        let Some(suspicion) = told.suspicion else {
            continue;
        };
        let ago = now.since(suspicion.since).as_secs();
        writeln!(out, "{name} {} {ago} s ago", suspicion.cause).unwrap();
        for place in suspicion.places {
            let (country, system) = (place.country, place.system);
            let ago = now.since(place.at).as_secs();
            writeln!(out, "  {} {country:?} {system:?} {ago} s ago", place.region).unwrap();
        }
        let from_home = told
            .networks
            .iter()
            .find(|one| one.network.to_string() == "203.0.114.0/24");
        writeln!(out, "  at home {}", from_home.unwrap().outlook.is_ok()).unwrap();
        let afar = gate.explain(client("198.99.1.1"), Some(&user(name)), now);
        writeln!(
            out,
            "  afar {:?}",
            afar.user
                .unwrap()
                .outlook
                .map_err(|no| no.reason.to_string())
        )
        .unwrap();
    }
    out
}

#[track_caller]
fn check_suspicions(fixture: &Path) {
    let expected = fs::read_to_string(fixture.join("expected.txt")).unwrap();
    let directory = copy(fixture);
    let now = NOW + MINUTE * 5;
    let (mut store, gate, reports) = start_holding(directory.path(), now);
    assert!(reports.iter().all(|report| *report == WHOLE), "{reports:?}");
    assert_eq!(described(&gate, now), expected);
    store.save(&gate, now).unwrap();
    drop((store, gate));
    let (_store, again, _) = start_holding(directory.path(), now);
    assert_eq!(described(&again, now), expected);
}

#[test]
fn suspicions_of_every_version_are_read() {
    check_suspicions(&fixtures().join("v2-stolen/enforce"));
}

#[test]
fn suspicions_that_this_version_writes_are_left_for_a_fixture() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("state/stolen");
    let _ = fs::remove_dir_all(&directory);
    write(&directory);
    let expected = fixtures().join("v2-stolen/enforce/expected.txt");
    fs::copy(expected, directory.join("expected.txt")).unwrap();
    check_suspicions(&directory);
    let journal = kinds(&fs::read(directory.join("changes.1")).unwrap());
    let known = kinds(&fs::read(directory.join("known")).unwrap());
    let written = [
        (52, &journal),
        (53, &journal),
        (54, &journal),
        (50, &known),
        (51, &known),
    ];
    assert!(
        written.iter().all(|(kind, kinds)| kinds.contains(kind)),
        "{written:?}"
    );
}
