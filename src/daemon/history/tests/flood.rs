//! flood - a flood becomes counts, and hides nobody

use super::*;

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
    super::prune::remove_excess(connection).unwrap();
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
