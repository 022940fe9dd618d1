use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::database::Database;
use super::historian::Historian;
use super::place::HistoryPlace;
use super::schema::BOUNDS;
use super::*;
use crate::clock::Clock;
use crate::report::ja4::Ja4;
use crate::report::limits::{LimitCounters, ResourceLimit};
use crate::report::record::{
    AttemptRecord, BanRecord, Forgotten, NamedUser, OutageRecord, Record, RecordedEvent, Recorder,
};
use crate::report::verdicts::AttemptVerdict;
use gatepost_core::gate::Keys;
use gatepost_core::gate::request::attempt::{Trust, UserName};
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::settings::{GateSettings, Mode};
use gatepost_core::gate::request::verdict::{BanCause, Reason, Subject};
use gatepost_core::moment::Moment;

const DAY: Duration = Duration::from_secs(86_400);

/// A historian on this thread, with what it is told.
struct Kept {
    folder: tempfile::TempDir,
    clock: Clock,
    limits: Arc<LimitCounters>,
    _recorder: Recorder,
    historian: Historian,
    written: WrittenTotals,
    gate: gatepost_core::gate::Gate,
}

impl Kept {
    fn new() -> Self {
        Self::in_folder(tempfile::tempdir().unwrap(), Some(30 * DAY))
    }

    fn in_folder(folder: tempfile::TempDir, keep: Option<Duration>) -> Self {
        let (clock, limits) = (Clock::start(), Arc::new(LimitCounters::default()));
        let (recorder, records) = Recorder::channel(&limits);
        let settings = HistorySettings {
            directory: folder.path().to_owned(),
            keep,
        };
        let written = WrittenTotals::default();
        let counted = (
            Box::new(Totals::new) as Box<dyn Fn() -> Totals + Send>,
            written.clone(),
        );
        let keys = Keys {
            users: [1; 16],
            passwords: [2; 16],
            table: [3; 16],
        };
        Self {
            historian: Historian::new(settings, (records, unread()), counted, clock, &limits),
            gate: gatepost_core::gate::Gate::new(GateSettings::default(), keys, clock.now()),
            folder,
            clock,
            limits,
            written,
            _recorder: recorder,
        }
    }

    fn reader(&self) -> HistoryReader {
        HistoryReader::new(&HistorySettings {
            directory: self.folder.path().to_owned(),
            keep: Some(DAY),
        })
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn tell(&mut self, event: RecordedEvent) {
        let at = self.clock.now();
        assert!(self.historian.take(Record::arrived(at, event)));
    }

    /// As many rounds as it takes for everything to be written.
    fn write(&mut self) {
        for _ in 0..10 {
            self.historian.round();
        }
    }

    fn user(&self, name: &str, trust: Option<Trust>) -> NamedUser {
        let name = UserName::new(name.as_bytes());
        NamedUser {
            id: self.gate.user_id(&name),
            known: trust.is_some(),
            trust: trust.unwrap_or(Trust::Far),
            name,
        }
    }

    fn attempt(&mut self, client: &str, user: NamedUser, verdict: AttemptVerdict) {
        self.attempt_of(None, client, user, verdict);
    }

    /// By the program with this label.
    fn attempt_of(
        &mut self,
        label: Option<&str>,
        client: &str,
        user: NamedUser,
        verdict: AttemptVerdict,
    ) {
        let label = label.map(|label| label.as_bytes().try_into().unwrap());
        self.tell(RecordedEvent::Attempt(AttemptRecord {
            ja4: label.and_then(Ja4::new),
            door: "smtp",
            session: 7,
            client: client.parse().unwrap(),
            place: crate::places::Whereabouts::default(),
            user: Some(user),
            verdict,
            reason: Some(Reason::Turn),
            wait: Duration::from_secs(9),
            listed: None,
        }));
    }

    /// A login with a password that is on the owner's list, or is not.
    fn login_with(&mut self, name: &str, listed: Option<bool>) {
        let user = self.user(name, Some(Trust::Familiar));
        self.tell(RecordedEvent::Attempt(AttemptRecord {
            ja4: None,
            door: "smtp",
            session: 7,
            client: "198.51.100.7".parse().unwrap(),
            user: Some(user),
            verdict: AttemptVerdict::Accept,
            reason: Some(Reason::Turn),
            wait: Duration::ZERO,
            listed,
            place: crate::places::Whereabouts::default(),
        }));
    }

    fn listed(&self) -> Vec<String> {
        let all = self.reader().listed(1_000).unwrap().into_iter();
        all.map(|one| one.user).collect()
    }

    fn decisions(&self, of: DecisionsOf) -> Vec<PastDecision> {
        self.reader().decisions(of, Moment::EPOCH, 1_000).unwrap()
    }
}

/// Where occurrences go that nobody reads.
fn unread() -> tokio::sync::mpsc::Sender<crate::report::occurrence::Occurrence> {
    tokio::sync::mpsc::channel(1).0
}

#[test]
fn what_an_administrator_may_be_asked_about_is_found_by_user_client_and_network() {
    let mut kept = Kept::new();
    let alice = kept.user("Alice", Some(Trust::Familiar));
    for _ in 0..3 {
        kept.attempt("203.0.113.7", alice.clone(), AttemptVerdict::Refuse);
    }
    let bob = kept.user("bob", Some(Trust::Far));
    kept.attempt("198.51.100.9", bob, AttemptVerdict::Accept);
    kept.attempt("203.0.113.8", alice.clone(), AttemptVerdict::Accept);
    kept.write();
    let own = kept.user("alice", None);
    let found = kept.decisions(DecisionsOf::User(own.id));
    assert_eq!(found.len(), 1, "a login at home is no news: {found:?}");
    assert_eq!((found[0].count, found[0].wait_s), (3, 9));
    assert_eq!(found[0].user.as_deref(), Some("Alice"));
    assert_eq!(found[0].reason.as_deref(), Some("turn"));
    let of = |of| kept.decisions(of).len();
    assert_eq!(of(DecisionsOf::Client("203.0.113.7".parse().unwrap())), 1);
    assert_eq!(
        of(DecisionsOf::Network("203.0.113.0/24".parse().unwrap())),
        1
    );
    assert_eq!(
        of(DecisionsOf::Network("203.0.112.0/24".parse().unwrap())),
        0
    );
    let new = kept.decisions(DecisionsOf::Network("198.51.100.0/24".parse().unwrap()));
    assert!(new[0].is_new_place && new[0].verdict == "accept");
}

#[test]
fn a_row_that_was_written_gets_the_count_of_what_came_later() {
    let mut kept = Kept::new();
    let alice = kept.user("alice", Some(Trust::Familiar));
    kept.attempt("203.0.113.7", alice.clone(), AttemptVerdict::Refuse);
    kept.write();
    kept.attempt("203.0.113.7", alice, AttemptVerdict::Refuse);
    kept.write();
    let found = kept.decisions(DecisionsOf::Everybody);
    assert_eq!((found.len(), found[0].count), (1, 2));
}

#[test]
fn a_flood_becomes_counts_and_hides_nobody() {
    let mut kept = Kept::new();
    let stranger = kept.user("nobody-here", None);
    let attacked = kept.user("bob", Some(Trust::Far));
    for number in 0..20_000_u32 {
        let client = std::net::Ipv4Addr::from_bits(0x0b00_0000 + number * 256).to_string();
        let user = if number % 2 == 0 {
            &stranger
        } else {
            &attacked
        };
        kept.attempt(&client, user.clone(), AttemptVerdict::Refuse);
    }
    let alice = kept.user("alice", Some(Trust::Familiar));
    kept.attempt("203.0.113.7", alice.clone(), AttemptVerdict::Refuse);
    kept.write();
    assert_eq!(kept.decisions(DecisionsOf::User(alice.id)).len(), 1);
    assert_eq!(kept.decisions(DecisionsOf::User(attacked.id)).len(), 60);
    let rows = kept.decisions(DecisionsOf::Everybody).len();
    assert!((261..300).contains(&rows), "{rows}");
    let lost = kept.limits.get(ResourceLimit::History);
    assert_eq!(lost + rows as u64, 20_001, "each is a row or counted");
    let attacks = kept.reader().attacked(Moment::EPOCH, 10).unwrap();
    assert_eq!((attacks.len(), attacks[0].refused), (1, 10_000));
    assert_eq!(attacks[0].user, "bob");
}

#[test]
fn guesses_at_a_user_hide_neither_a_refusal_at_home_nor_the_login_that_they_lead_to() {
    let mut kept = Kept::new();
    let elsewhere = kept.user("alice", Some(Trust::Far));
    let at_home = kept.user("alice", Some(Trust::Familiar));
    for number in 0..100 {
        let client = format!("198.51.{number}.9");
        kept.attempt(&client, elsewhere.clone(), AttemptVerdict::Refuse);
        // A neighbour behind the same address translation.
        let client = format!("203.0.113.{number}");
        kept.attempt(&client, at_home.clone(), AttemptVerdict::Reject);
    }
    kept.attempt("192.0.2.77", elsewhere.clone(), AttemptVerdict::Accept);
    kept.write();
    let found = kept.decisions(DecisionsOf::NewPlaces);
    assert_eq!(found.len(), 1, "{found:?}");
    // A user has the same share of each, not more.
    let at = |network: &str| kept.decisions(DecisionsOf::Client(network.parse().unwrap()));
    assert_eq!(at("198.51.59.9").len() + at("203.0.113.59").len(), 2);
    assert_eq!(kept.decisions(DecisionsOf::User(at_home.id)).len(), 121);
    for number in 0..100 {
        let client = format!("192.0.{number}.78");
        kept.attempt(&client, elsewhere.clone(), AttemptVerdict::Accept);
    }
    kept.write();
    assert_eq!(kept.decisions(DecisionsOf::NewPlaces).len(), 60);
}

#[test]
fn while_the_disk_takes_nothing_a_botnet_pushes_out_nothing_that_matters() {
    let mut kept = Kept::new();
    // Nothing can be opened there.
    let place = kept.folder.path().to_owned();
    std::fs::remove_dir(&place).unwrap();
    std::fs::write(&place, "").unwrap();
    let stranger = kept.user("nobody-here", None);
    for number in 0..3_000_u32 {
        let client =
            ClientKey::new(std::net::Ipv4Addr::from_bits(0x0b00_0000 + number * 256).into());
        kept.tell(RecordedEvent::Ban(BanRecord {
            subject: Subject::Client(client),
            until: kept.clock.now() + DAY,
            cause: BanCause::Strikes,
            mode: Mode::Enforce,
        }));
        let known = kept.user(&format!("user{number}"), Some(Trust::Far));
        kept.attempt(&client.to_string(), known, AttemptVerdict::Refuse);
        kept.attempt(
            &client.to_string(),
            stranger.clone(),
            AttemptVerdict::Refuse,
        );
    }
    // A list by hand.
    for number in 0..3_000_u32 {
        let client =
            ClientKey::new(std::net::Ipv4Addr::from_bits(0x0c00_0000 + number * 256).into());
        kept.tell(RecordedEvent::Ban(BanRecord {
            subject: Subject::Client(client),
            until: kept.clock.now() + DAY,
            cause: BanCause::Operator,
            mode: Mode::Enforce,
        }));
    }
    kept.tell(RecordedEvent::Act("did this".to_owned()));
    let alice = kept.user("alice", Some(Trust::Familiar));
    kept.attempt("203.0.113.7", alice.clone(), AttemptVerdict::Refuse);
    kept.historian.round();
    assert!(kept.historian.fault.is_some());
    let told = kept.written.fault().unwrap();
    assert!(told.contains("directory"), "{told}");
    std::fs::remove_file(&place).unwrap();
    for _ in 0..30 {
        kept.historian.round();
    }
    assert_eq!((&kept.historian.fault, kept.written.fault()), (&None, None));
    assert_eq!(kept.decisions(DecisionsOf::User(alice.id)).len(), 1);
    let reader = kept.reader();
    assert_eq!(reader.acts(Moment::EPOCH, 10).unwrap().len(), 1);
    assert_eq!(reader.bans(Moment::EPOCH, 1_000).unwrap().len(), 192);
}

#[test]
fn what_came_in_the_last_seconds_of_an_hour_is_counted() {
    let mut kept = Kept::new();
    let bob = kept.user("bob", Some(Trust::Far));
    let next_hour = Clock::wall() + Duration::from_secs(3600);
    kept.attempt("198.51.100.9", bob, AttemptVerdict::Reject);
    kept.historian.round_at(next_hour);
    let found = kept.reader().attacked(Moment::EPOCH, 10).unwrap();
    assert_eq!((found.len(), found[0].rejected), (1, 1), "{found:?}");
}

#[test]
fn what_was_put_aside_goes_when_it_is_too_old_and_when_nothing_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let aside = [
        "history.db.damaged",
        "history.db.damaged-wal",
        "history.db.version-9",
    ];
    let others = [
        "history.db",
        "history.db.old",
        "history.db.version-9.gz",
        "state",
    ];
    for name in aside.iter().chain(&others) {
        std::fs::write(folder.path().join(name), "").unwrap();
    }
    let is_there = |name: &&str| folder.path().join(name).exists();
    let place = HistoryPlace::open(folder.path()).unwrap();
    let written = Clock::wall();
    place.remove_aside(written - DAY).unwrap();
    assert!(aside.iter().all(is_there));
    place.remove_aside(written + DAY).unwrap();
    assert!(!aside.iter().any(is_there));
    assert!(others.iter().all(is_there));
    std::fs::write(folder.path().join(aside[0]), "").unwrap();
    place.remove().unwrap();
    assert!(!is_there(&aside[0]) && !is_there(&"history.db"));
    // The historian does so in its rounds.
    let mut kept = Kept::new();
    kept.tell(RecordedEvent::Act("did this".to_owned()));
    kept.write();
    let (old, new) = (
        kept.path("history.db.damaged"),
        kept.path("history.db.version-2"),
    );
    for path in [&old, &new] {
        std::fs::write(path, "").unwrap();
    }
    let file = std::fs::File::options().write(true).open(&old).unwrap();
    let at = std::time::UNIX_EPOCH + Duration::from_secs(Clock::wall().as_seconds());
    file.set_modified(at - 31 * DAY).unwrap();
    for _ in 0..300 {
        kept.historian.round();
    }
    assert!(!old.exists() && new.exists());
}

#[test]
fn bans_of_a_botnet_push_out_neither_those_of_networks_nor_those_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    let place = HistoryPlace::open(folder.path()).unwrap();
    let database = Database::open(&place).unwrap();
    let connection = &database.connection;
    let insert = |cause: &str| {
        let row =
            "INSERT INTO bans (subject, began, until, cause, dry_run) VALUES ('x', 1, 2, ?, 0)";
        connection.execute(row, [cause]).unwrap();
    };
    connection.execute_batch("BEGIN").unwrap();
    insert("operator");
    (0..12_000).for_each(|_| insert("neighbours"));
    (0..22_000).for_each(|_| insert("strikes"));
    connection.execute_batch("COMMIT").unwrap();
    super::prune::prune(connection, Moment::from_seconds(2), DAY).unwrap();
    let count = |cause: &str| -> u64 {
        let counted = "SELECT count(*) FROM bans WHERE cause = ?";
        connection
            .query_row(counted, [cause], |row| row.get(0))
            .unwrap()
    };
    let counts = ["operator", "neighbours", "strikes"].map(count);
    assert_eq!(counts, [1, 10_000, 20_000]);
    // Where the file may not grow, what is least wanted goes first.
    super::prune::make_room(connection).unwrap();
    assert_eq!(count("strikes"), 19_000);
}

#[test]
fn the_busiest_network_is_named_in_a_flood_of_others() {
    let mut kept = Kept::new();
    let stranger = kept.user("x", None);
    for number in 0..40_000_u32 {
        let client = std::net::Ipv4Addr::from_bits(0x0b00_0000 + number * 256).to_string();
        kept.attempt(&client, stranger.clone(), AttemptVerdict::Refuse);
        // Later than there is room for.
        if number > 8_000 && number % 4 == 0 {
            kept.attempt("198.51.100.9", stranger.clone(), AttemptVerdict::Reject);
        }
    }
    kept.write();
    let found = kept.reader().attackers(Moment::EPOCH, 1).unwrap();
    assert_eq!(kept.historian.fault, None);
    assert_eq!(found[0].network, "198.51.100.0/24");
    assert!(found[0].rejected > 7_000, "{found:?}");
}

#[test]
fn bans_outages_acts_and_counters_are_kept_over_a_restart() {
    let mut kept = Kept::new();
    let subject = Subject::Client("198.51.100.9".parse::<ClientKey>().unwrap());
    let until = kept.clock.now() + DAY;
    for longer in [DAY, 2 * DAY] {
        kept.tell(RecordedEvent::Ban(BanRecord {
            subject,
            until: until + longer,
            cause: BanCause::Operator,
            mode: Mode::Enforce,
        }));
    }
    // Of such there are thousands in a day.
    kept.tell(RecordedEvent::Ban(BanRecord {
        subject: Subject::Client("198.51.100.10".parse().unwrap()),
        until,
        cause: BanCause::Trap,
        mode: Mode::Enforce,
    }));
    let outage = |why: Option<&str>| {
        RecordedEvent::Outage(OutageRecord {
            backend: Some("127.0.0.1:10465".to_owned()),
            why: why.map(ToOwned::to_owned),
        })
    };
    kept.tell(outage(Some("no answer")));
    kept.tell(RecordedEvent::Act("did this".to_owned()));
    kept.write();
    let kept = {
        let Kept { folder, .. } = kept;
        let mut kept = Kept::in_folder(folder, Some(30 * DAY));
        kept.tell(outage(None));
        kept.tell(RecordedEvent::BanEnded(subject));
        kept.write();
        kept
    };
    let reader = kept.reader();
    let bans = reader.bans(Moment::EPOCH, 10).unwrap();
    assert_eq!(bans.len(), 1, "a longer end is the same ban: {bans:?}");
    assert!(bans[0].ended.is_some() && bans[0].until > Clock::wall() + 2 * DAY);
    let outages = reader.outages(Moment::EPOCH, 10).unwrap();
    assert_eq!(outages.len(), 1);
    assert!(outages[0].ended.is_some() && outages[0].why == "no answer");
    assert_eq!(reader.acts(Moment::EPOCH, 10).unwrap()[0].did, "did this");
}

#[test]
fn counters_go_to_their_hour_as_far_as_they_have_grown() {
    let folder = tempfile::tempdir().unwrap();
    let (clock, limits) = (Clock::start(), Arc::new(LimitCounters::default()));
    let settings = HistorySettings {
        directory: folder.path().to_owned(),
        keep: Some(DAY),
    };
    let reader = HistoryReader::new(&settings);
    let sum = |hours: &[HourCount]| hours.iter().map(|hour| hour.count).sum::<u64>();
    for (begins, before) in [(100_u64, 0), (0, 7)] {
        let (_recorder, records) = Recorder::channel(&limits);
        let count = Arc::new(std::sync::atomic::AtomicU64::new(begins));
        let read = Arc::clone(&count);
        let totals = move || {
            let now = read.load(std::sync::atomic::Ordering::Relaxed);
            Totals::from([("attempts".to_owned(), now)])
        };
        let until_now = |begins| {
            let (hours, totals) = reader
                .hours_until_now(Moment::EPOCH, totals.clone())
                .unwrap();
            assert_eq!(totals["attempts"], begins);
            sum(&hours)
        };
        let mut historian = Historian::new(
            settings.clone(),
            (records, unread()),
            (Box::new(totals.clone()), reader.written().clone()),
            clock,
            &limits,
        );
        count.fetch_add(5, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(until_now(begins + 5), before + 5, "what is not written yet");
        (0..20).for_each(|_| historian.round());
        count.fetch_add(2, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(until_now(begins + 7), before + 7, "of both");
        (0..10).for_each(|_| historian.round());
        assert_eq!(until_now(begins + 7), before + 7, "what is written");
    }
    let hours = reader.hours(Moment::EPOCH).unwrap();
    assert_eq!(sum(&hours), 14, "{hours:?}");
}

#[test]
fn a_user_is_forgotten_in_a_network_or_everywhere_and_the_octets_go_too() {
    let mut kept = Kept::new();
    let secret = kept.user("a-name-to-be-found", Some(Trust::Familiar));
    for client in ["203.0.113.7", "198.51.100.9"] {
        kept.attempt(client, secret.clone(), AttemptVerdict::Refuse);
    }
    let bob = kept.user("bob", Some(Trust::Familiar));
    kept.attempt("203.0.113.7", bob, AttemptVerdict::Refuse);
    let forget = |kept: &mut Kept, network: Option<&str>, rows: u64| {
        let (told, mut answer) = tokio::sync::oneshot::channel();
        let forgotten = Forgotten {
            user: secret.id,
            network: network.map(|network| network.parse().unwrap()),
        };
        kept.tell(RecordedEvent::Forget(forgotten, told));
        assert_eq!(answer.try_recv().unwrap(), Ok(rows));
    };
    kept.write();
    forget(&mut kept, Some("203.0.113.0/24"), 1);
    kept.write();
    let left = kept.decisions(DecisionsOf::User(secret.id));
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].client.to_string(), "198.51.100.9");
    // What is not written yet is forgotten as well.
    kept.attempt("203.0.113.9", secret.clone(), AttemptVerdict::Refuse);
    forget(&mut kept, None, 2);
    kept.write();
    assert_eq!(
        kept.decisions(DecisionsOf::Everybody).len(),
        1,
        "bob's stays"
    );
    for name in ["history.db", "history.db-wal"] {
        let octets = std::fs::read(kept.path(name)).unwrap_or_default();
        let found = octets
            .windows(18)
            .any(|window| window == b"a-name-to-be-found");
        assert!(!found, "{name} still names them");
    }
}

#[test]
fn what_is_damaged_or_of_a_later_version_is_put_aside_and_a_new_one_begun() {
    let noise = vec![b'x'; 20_000];
    let later = |path: &Path| {
        let connection = rusqlite::Connection::open(path).unwrap();
        connection
            .execute_batch(
                "PRAGMA user_version = 99; PRAGMA application_id = 1196451945; CREATE TABLE t(a)",
            )
            .unwrap();
    };
    let foreign = |path: &Path| {
        let connection = rusqlite::Connection::open(path).unwrap();
        connection.execute_batch("CREATE TABLE t(a)").unwrap();
    };
    let noise = |path: &Path| std::fs::write(path, &noise).unwrap();
    for (case, aside) in [
        ("noise", "history.db.damaged"),
        ("later", "history.db.version-99"),
        ("foreign", "history.db.damaged"),
    ] {
        let mut kept = Kept::new();
        let path = kept.path("history.db");
        match case {
            "noise" => noise(&path),
            "later" => later(&path),
            _ => foreign(&path),
        }
        let alice = kept.user("alice", Some(Trust::Familiar));
        kept.attempt("203.0.113.7", alice, AttemptVerdict::Refuse);
        kept.write();
        assert!(kept.path(aside).exists(), "{aside}");
        assert_eq!(kept.decisions(DecisionsOf::Everybody).len(), 1, "{aside}");
    }
}

#[test]
fn one_damaged_page_is_found_at_the_next_start() {
    let mut kept = Kept::new();
    let alice = kept.user("alice", Some(Trust::Familiar));
    for number in 0..59 {
        let client = format!("203.0.113.{number}");
        kept.attempt(&client, alice.clone(), AttemptVerdict::Refuse);
    }
    kept.write();
    let Kept {
        folder, historian, ..
    } = kept;
    // The last connection brings all to the file.
    drop(historian);
    let path = folder.path().join("history.db");
    let mut octets = std::fs::read(&path).unwrap();
    octets[4096..8192].fill(0xa5);
    std::fs::write(&path, octets).unwrap();
    let mut kept = Kept::in_folder(folder, Some(DAY));
    kept.attempt("203.0.113.7", alice, AttemptVerdict::Refuse);
    kept.write();
    assert!(kept.path("history.db.damaged").exists());
    assert_eq!(kept.decisions(DecisionsOf::Everybody).len(), 1);
}

#[test]
fn the_file_is_ours_alone_and_no_link_is_followed() {
    let mut kept = Kept::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let victim = elsewhere.path().join("victim");
    std::fs::write(&victim, "precious").unwrap();
    symlink(&victim, kept.path("history.db")).unwrap();
    let alice = kept.user("alice", Some(Trust::Familiar));
    kept.attempt("203.0.113.7", alice, AttemptVerdict::Refuse);
    kept.write();
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    assert_eq!(kept.decisions(DecisionsOf::Everybody).len(), 1);
    for name in ["history.db", "history.db-wal", "history.db-shm"] {
        let found = std::fs::symlink_metadata(kept.path(name)).unwrap();
        assert!(found.is_file(), "{name}");
        assert_eq!(found.mode() & 0o777, 0o600, "{name}");
    }
    // One that somebody opened to others is closed again.
    let open = std::fs::Permissions::from_mode(0o666);
    std::fs::set_permissions(kept.path("history.db"), open).unwrap();
    HistoryPlace::open(kept.folder.path())
        .unwrap()
        .prepare()
        .unwrap();
    let found = std::fs::metadata(kept.path("history.db")).unwrap();
    assert_eq!(found.mode() & 0o777, 0o600);
}

#[test]
fn a_file_that_was_removed_is_made_anew() {
    let mut kept = Kept::new();
    let alice = kept.user("alice", Some(Trust::Familiar));
    kept.attempt("203.0.113.7", alice.clone(), AttemptVerdict::Refuse);
    kept.write();
    for name in ["history.db", "history.db-wal", "history.db-shm"] {
        std::fs::remove_file(kept.path(name)).unwrap();
    }
    kept.attempt("203.0.113.8", alice, AttemptVerdict::Refuse);
    kept.write();
    assert_eq!(kept.decisions(DecisionsOf::Everybody).len(), 1);
}

#[test]
fn with_keep_0_nothing_is_kept_and_what_was_goes() {
    let mut kept = Kept::new();
    let alice = kept.user("alice", Some(Trust::Familiar));
    kept.attempt("203.0.113.7", alice.clone(), AttemptVerdict::Refuse);
    kept.write();
    let Kept { folder, .. } = kept;
    let mut kept = Kept::in_folder(folder, None);
    kept.attempt("203.0.113.7", alice, AttemptVerdict::Refuse);
    kept.write();
    let Kept {
        folder,
        historian,
        _recorder,
        ..
    } = kept;
    drop(_recorder);
    historian.run();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn what_is_too_old_and_what_is_too_much_goes_the_oldest_first() {
    let folder = tempfile::tempdir().unwrap();
    let place = HistoryPlace::open(folder.path()).unwrap();
    let database = Database::open(&place).unwrap();
    let connection = &database.connection;
    let now = Moment::from_seconds(1_000_000_000);
    let insert = |at: u64| {
        let row = "INSERT INTO acts (at, did) VALUES (?, 'x')";
        connection.execute(row, [at]).unwrap();
    };
    let count = || -> u64 {
        connection
            .query_row("SELECT count(*) FROM acts", [], |row| row.get(0))
            .unwrap()
    };
    let oldest = now.as_seconds() - DAY.as_secs();
    (oldest - 1..=oldest + 1).for_each(insert);
    super::prune::prune(connection, now, DAY).unwrap();
    assert_eq!(count(), 2, "the one that is older than a day");
    let most = BOUNDS
        .iter()
        .find(|bound| bound.table == "acts")
        .unwrap()
        .most;
    connection.execute_batch("BEGIN").unwrap();
    (0..most).for_each(|_| insert(now.as_seconds()));
    connection.execute_batch("COMMIT").unwrap();
    super::prune::prune(connection, now, DAY).unwrap();
    assert_eq!(count(), most);
    let first: u64 = connection
        .query_row("SELECT min(at) FROM acts", [], |row| row.get(0))
        .unwrap();
    assert_eq!(first, now.as_seconds(), "the oldest two are gone");
}

#[test]
fn a_full_file_makes_room_for_what_is_new() {
    let mut kept = Kept::new();
    let stranger = kept.user("stranger", None);
    for number in 0..190 {
        kept.attempt(
            &format!("203.0.113.{number}"),
            stranger.clone(),
            AttemptVerdict::Refuse,
        );
    }
    kept.write();
    kept.historian.bound_pages();
    for number in 0..300 {
        let alice = kept.user(&format!("alice{number}"), Some(Trust::Familiar));
        kept.attempt("198.51.100.9", alice, AttemptVerdict::Refuse);
        kept.write();
    }
    let found = kept.decisions(DecisionsOf::Network("198.51.100.0/24".parse().unwrap()));
    assert_eq!(
        found[0].user.as_deref(),
        Some("alice299"),
        "the newest is there"
    );
    let strangers = kept.decisions(DecisionsOf::Network("203.0.113.0/24".parse().unwrap()));
    assert!(strangers.len() < 190, "{}", strangers.len());
}

impl Historian {
    /// The file may not grow any more.
    fn bound_pages(&mut self) {
        let (_, database) = self.open.as_mut().unwrap();
        let pages = "SELECT page_count FROM pragma_page_count";
        let pages: u32 = database
            .connection
            .query_row(pages, [], |row| row.get(0))
            .unwrap();
        let bound = format!("PRAGMA max_page_count = {pages}");
        database
            .connection
            .query_row(&bound, [], |_| Ok(()))
            .unwrap();
    }
}

/// By hand: `GATEPOST_FLOOD=1000000`.
#[test]
fn a_flood_leaves_the_file_within_its_bounds_and_makes_nobody_wait() {
    let records = std::env::var("GATEPOST_FLOOD").map_or(100_000, |count| count.parse().unwrap());
    let Kept {
        folder,
        clock,
        limits,
        gate,
        ..
    } = Kept::new();
    let (recorder, received) = Recorder::channel(&limits);
    let settings = HistorySettings {
        directory: folder.path().to_owned(),
        keep: Some(DAY),
    };
    let reader = HistoryReader::new(&settings);
    let historian = Historian::new(
        settings,
        (received, unread()),
        (Box::new(Totals::new), WrittenTotals::default()),
        clock,
        &limits,
    );
    let thread = std::thread::spawn(|| historian.run());
    let mut longest = Duration::ZERO;
    let began = clock.now();
    for number in 0..records {
        let attempt = of_a_flood(number, &gate);
        let at = clock.now();
        recorder.tell(at, RecordedEvent::Attempt(attempt));
        longest = longest.max(clock.now().since(at));
    }
    let took = clock.now().since(began);
    while !thread.is_finished() {
        recorder.tell(clock.now(), RecordedEvent::Stop);
        std::thread::yield_now();
    }
    let rows = reader
        .decisions(DecisionsOf::Everybody, Moment::EPOCH, usize::MAX)
        .unwrap();
    let octets = std::fs::metadata(folder.path().join("history.db"))
        .unwrap()
        .len();
    println!(
        "{records} records in {took:?}, the longest {longest:?}; {} rows, {octets} octets",
        rows.len()
    );
    assert!(longest < Duration::from_millis(500), "{longest:?}");
    assert!(rows.len() < 10_000, "{}", rows.len());
    assert!(octets < 8 << 20, "{octets}");
    let counted: u64 = rows.iter().map(|row| row.count).sum();
    assert!(counted + limits.get(ResourceLimit::History) >= u64::from(records));
}

/// By hand: `GATEPOST_FLOOD=1000000`.
#[test]
fn no_write_of_a_flood_takes_longer_than_the_time_until_the_next() {
    let records = std::env::var("GATEPOST_FLOOD").map_or(100_000, |count| count.parse().unwrap());
    let mut kept = Kept::new();
    let mut rounds = Vec::new();
    for number in 0..records {
        let attempt = of_a_flood(number, &kept.gate);
        kept.tell(RecordedEvent::Attempt(attempt));
        // As many in a second as the program can refuse.
        if number % 5_000 == 0 {
            let began = kept.clock.now();
            kept.historian.round();
            rounds.push(kept.clock.now().since(began));
        }
    }
    assert_eq!(kept.historian.fault, None);
    rounds.sort();
    let [.., second, longest] = &*rounds else {
        panic!("{rounds:?}");
    };
    println!("{} writes, the longest {longest:?}", rounds.len());
    // Once the machine may have been busy with something else.
    assert!(*second < Duration::from_secs(1), "{second:?} {longest:?}");
}

/// Half at known accounts, from as many clients as there are.
fn of_a_flood(number: u32, gate: &gatepost_core::gate::Gate) -> AttemptRecord {
    let name = UserName::new(format!("user{}", number % 1_000).into_bytes());
    AttemptRecord {
        ja4: None,
        door: "smtp",
        session: u64::from(number),
        client: ClientKey::new(std::net::Ipv4Addr::from_bits(number.wrapping_mul(4093)).into()),
        place: crate::places::Whereabouts::default(),
        user: Some(NamedUser {
            id: gate.user_id(&name),
            name,
            known: number.is_multiple_of(2),
            trust: Trust::Far,
        }),
        verdict: AttemptVerdict::Refuse,
        reason: Some(Reason::Repeat),
        wait: Duration::ZERO,
        listed: None,
    }
}

#[test]
fn an_account_is_listed_until_its_password_is_none_of_the_list_or_it_is_forgotten() {
    let mut kept = Kept::new();
    for (name, listed) in [
        ("ann", Some(true)),
        ("bob", Some(true)),
        ("eve", None),
        ("dan", Some(false)),
    ] {
        kept.login_with(name, listed);
    }
    kept.write();
    assert_eq!(kept.listed(), ["bob", "ann"]);
    kept.login_with("ann", Some(false));
    // Nothing was looked up: a list that is away does not change what is known.
    kept.login_with("bob", None);
    kept.write();
    assert_eq!(kept.listed(), ["bob"]);
    let mut kept = Kept::in_folder(kept.folder, Some(30 * DAY));
    kept.login_with("bob", Some(false));
    kept.login_with("ann", Some(true));
    kept.write();
    assert_eq!(kept.listed(), ["ann"], "known from the file");
    let user = kept.gate.user_id(&UserName::new(b"ann".to_vec()));
    let forgotten = Forgotten {
        user,
        network: None,
    };
    let (told, _answer) = tokio::sync::oneshot::channel();
    kept.tell(RecordedEvent::Forget(forgotten, told));
    assert_eq!(kept.listed(), Vec::<String>::new());
    kept.login_with("ann", Some(true));
    kept.write();
    assert_eq!(kept.listed(), ["ann"], "and is found anew");
}

#[test]
fn a_file_of_an_earlier_version_has_no_listed_accounts_until_one_is_found() {
    let mut kept = Kept::new();
    kept.attempt(
        "198.51.100.7",
        kept.user("ann", None),
        AttemptVerdict::Reject,
    );
    kept.write();
    let file = rusqlite::Connection::open(kept.path("history.db")).unwrap();
    file.execute_batch("DROP TABLE listed").unwrap();
    drop(file);
    assert_eq!(kept.listed(), Vec::<String>::new());
    let mut kept = Kept::in_folder(kept.folder, Some(30 * DAY));
    kept.login_with("ann", Some(true));
    kept.write();
    assert_eq!(kept.listed(), ["ann"]);
}

const ONE: &str = "t13d1516h2_8daaf6152771_e5627efa2ab1";
const OTHER: &str = "t13i181000_85036bcba153_d41ae481755e";

impl Kept {
    fn programs(&self, of: DecisionsOf) -> Vec<String> {
        let all = self.reader().programs(of, 10).unwrap().into_iter();
        let mut labels: Vec<String> = all.map(|one| one.label).collect();
        // The latest comes first, and these come within one second or two.
        labels.sort();
        labels
    }
}

#[test]
fn a_program_is_found_by_its_user_its_client_and_its_network_and_goes_with_them() {
    let mut kept = Kept::new();
    let (here, there) = ("198.51.100.7", "203.0.113.9");
    let id = |kept: &Kept, name| kept.user(name, None).id;
    let (ann, bob) = (id(&kept, "ann"), id(&kept, "bob"));
    for (label, client, name) in [
        (Some(ONE), here, "ann"),
        (Some(ONE), there, "ann"),
        (Some(OTHER), there, "bob"),
        (None, here, "bob"),
    ] {
        let user = kept.user(name, None);
        kept.attempt_of(label, client, user, AttemptVerdict::Reject);
    }
    kept.write();
    assert_eq!(kept.programs(DecisionsOf::User(ann)), [ONE]);
    assert_eq!(kept.programs(DecisionsOf::User(bob)), [OTHER]);
    let client: ClientKey = there.parse().unwrap();
    assert_eq!(kept.programs(DecisionsOf::Client(client)), [ONE, OTHER]);
    let network = DecisionsOf::Network(client.network());
    assert_eq!(kept.programs(network), [ONE, OTHER]);
    let both = |user| DecisionsOf::UserAt(user, client);
    assert_eq!(kept.programs(both(bob)), [OTHER]);
    let (told, _answer) = tokio::sync::oneshot::channel();
    let forgotten = Forgotten {
        user: bob,
        network: None,
    };
    kept.tell(RecordedEvent::Forget(forgotten, told));
    assert_eq!(kept.programs(DecisionsOf::Client(client)), [ONE]);
}

#[test]
fn of_attempts_that_are_alike_the_program_of_the_last_is_known() {
    let mut kept = Kept::new();
    for label in [ONE, OTHER] {
        let ann = kept.user("ann", None);
        kept.attempt_of(Some(label), "198.51.100.7", ann, AttemptVerdict::Reject);
        kept.write();
    }
    let ann = kept.user("ann", None).id;
    assert_eq!(kept.programs(DecisionsOf::User(ann)), [OTHER]);
}

#[test]
fn a_file_of_an_earlier_version_has_no_programs_until_one_comes_and_keeps_its_decisions() {
    let mut kept = Kept::new();
    let ann = kept.user("ann", None);
    let of_ann = DecisionsOf::User(ann.id);
    kept.attempt("198.51.100.7", ann, AttemptVerdict::Reject);
    kept.write();
    let file = rusqlite::Connection::open(kept.path("history.db")).unwrap();
    file.execute_batch("ALTER TABLE decisions DROP COLUMN ja4")
        .unwrap();
    drop(file);
    assert_eq!(kept.programs(of_ann), Vec::<String>::new());
    let mut kept = Kept::in_folder(kept.folder, Some(30 * DAY));
    let ann = kept.user("ann", None);
    kept.attempt_of(Some(ONE), "203.0.113.9", ann, AttemptVerdict::Reject);
    kept.write();
    assert_eq!(kept.programs(of_ann), [ONE]);
    let decisions = kept.reader().decisions(of_ann, Moment::EPOCH, 10).unwrap();
    assert_eq!(decisions.len(), 2);
}
