//! found - what was kept is found again

use super::*;

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
    for name in ["history.db", "history.db-journal"] {
        let octets = std::fs::read(kept.path(name)).unwrap_or_default();
        let found = octets
            .windows(18)
            .any(|window| window == b"a-name-to-be-found");
        assert!(!found, "{name} still names them");
    }
}
