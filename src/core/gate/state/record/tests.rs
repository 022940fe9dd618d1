//! tests - records: their octets are the same in every version, and each is read back

use super::*;
use crate::gate::request::change::{Expulsion, Forgiven, ForgivenUser};
use crate::gate::state::frame::{Frames, Item};

const AT: Moment = Moment::from_nanos(0x0102_0304_0506_0708);

fn here(fact: Fact) -> Change {
    Change::here(AT, fact)
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Moment and origin, as every record of the journal begins.
const PLACE: &str = "08070605040302010000";

#[track_caller]
fn check(change: Change, number: u8, golden: &str) {
    let mut out = Vec::new();
    assert_eq!(write_change(&mut out, &change), Some(number));
    assert_eq!(hex(&out), format!("{PLACE}{golden}"));
    assert_eq!(read_change(number, &out), Some(change));
    // A later version may add to the end; nothing that is missing is made up.
    let longer = [out.as_slice(), &[9; 5]].concat();
    assert_eq!(read_change(number, &longer), Some(change));
    for short in 0..out.len() {
        assert_eq!(read_change(number, &out[..short]), None);
    }
}

fn client(text: &str) -> ClientKey {
    text.parse().unwrap()
}

fn began(subject: Subject, cause: BanCause, mode: Mode) -> Change {
    here(Fact::BanBegan(BanStart {
        subject,
        until: Moment::from_nanos(0x1122),
        cause,
        mode,
        strikes: 3,
    }))
}

#[test]
fn every_journal_record_has_the_octets_that_it_always_had() {
    let v4 = Subject::Client(client("192.0.2.1"));
    let v6 = Subject::Client(client("2001:db8:1:2::1"));
    let network = Subject::Network(client("192.0.2.1").network());
    let until = "2211000000000000";
    for (subject, octets) in [
        (v4, "00010200c000000000"),
        (v6, "0102000100b80d0120"),
        (network, "020100000200c00000"),
    ] {
        let golden = format!("{octets}{until}010103");
        check(
            began(subject, BanCause::Strikes, Mode::Enforce),
            16,
            &golden,
        );
    }
    for (cause, mode, octets) in [
        (BanCause::Strikes, Mode::DryRun, "010203"),
        (BanCause::Trap, Mode::Enforce, "020103"),
        (BanCause::Neighbours, Mode::Enforce, "030103"),
        (BanCause::Operator, Mode::Enforce, "040103"),
    ] {
        let golden = format!("00010200c000000000{until}{octets}");
        check(began(v4, cause, mode), 16, &golden);
    }
    for (why, octet) in [(BanEnding::Lifted, "02"), (BanEnding::Evicted, "03")] {
        let end = BanEnd { subject: v4, why };
        let golden = format!("00010200c000000000{octet}");
        check(here(Fact::BanEnded(end)), 17, &golden);
    }
}

#[test]
fn every_record_of_a_bucket_or_a_user_has_the_octets_that_it_always_had() {
    for (bucket, octet) in [(0, "00"), (1, "01"), (2, "02"), (3, "03")] {
        let level = SharedLevel {
            bucket,
            arrival: 0x33,
            every: 0x44,
        };
        let golden = format!("{octet}33000000000000004400000000000000");
        check(here(Fact::SharedBucket(level)), 18, &golden);
    }
    let (user, last) = (UserId(0x55), 0x66);
    let known = UserLogin { user, last };
    check(here(Fact::UserKnown(known)), 19, "550000000000000066000000");
    let pair = PairLogin {
        user,
        network: client("192.0.2.1").network(),
        last,
    };
    let golden = "55000000000000000100000200c0000066000000";
    check(here(Fact::PairFamiliar(pair)), 20, golden);
    let change = PasswordChange {
        user: UserId(0x55),
        since: 0x66,
    };
    check(
        here(Fact::PasswordChanged(change)),
        23,
        "550000000000000066000000",
    );
    let forgiven = Forgiven::Client(client("192.0.2.1"));
    check(here(Fact::Forgiven(forgiven)), 21, "00010200c000000000");
    let forgiven = Forgiven::User(ForgivenUser(user));
    check(here(Fact::Forgiven(forgiven)), 21, "035500000000000000");
    let place = Expulsion::Place(Subject::Client(client("192.0.2.1")));
    check(here(Fact::Expelled(place)), 25, "00010200c000000000");
    let network = Some(client("192.0.2.1").network());
    let golden = "035500000000000000010100000200c00000";
    let user = Expulsion::User(user, network);
    check(here(Fact::Expelled(user)), 25, golden);
    check(here(Fact::SettlingEnded), 26, "");
}

#[test]
fn every_bucket_has_the_number_that_it_always_had() {
    let shared = [
        Bucket::Near,
        Bucket::Words,
        Bucket::Unknown,
        Bucket::Strangers,
    ];
    assert_eq!(shared.map(Bucket::shared_number), [0, 1, 2, 3].map(Some));
    assert_eq!([0, 1, 2, 3].map(Bucket::of_shared_number), shared.map(Some));
    assert_eq!(Bucket::of_shared_number(200), None);
    let kinds = [
        Kind::CLIENT_V4,
        Kind::CLIENT_V6,
        Kind::NETWORK,
        Kind::USER_NEAR,
        Kind::USER_FAR,
        Kind::PAIR,
    ];
    assert_eq!(kinds.map(Kind::number), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_head_that_does_not_say_what_the_wall_showed_is_of_a_process_that_did_not_look() {
    let head = Head {
        at: AT,
        origin: Origin::HERE,
        mode: Mode::Enforce,
        settling: 0,
        bans: Moment::EPOCH,
        names: None,
        wall: AT + std::time::Duration::from_secs(9),
    };
    let mut octets = Vec::new();
    head.write(&mut octets);
    assert_eq!(Head::read(&octets), Some(head));
    octets.truncate(octets.len() - 8);
    assert_eq!(Head::read(&octets), Some(Head { wall: AT, ..head }));
}

fn golden(section: Section, write: &dyn Fn(&mut Vec<u8>), octets: &str) {
    let mut out = Vec::new();
    write(&mut out);
    assert_eq!(hex(&out), octets, "section {}", section.number);
    assert_eq!(out.len(), usize::from(section.size));
}

#[test]
fn the_head_begins_with_the_octets_that_it_always_had() {
    let head = Head {
        at: AT,
        origin: Origin::HERE,
        mode: Mode::DryRun,
        settling: 0x77,
        bans: Moment::from_nanos(0x88),
        names: Some(0x99),
        wall: Moment::from_nanos(0xbb),
    };
    let octets = format!(
        "{PLACE}0277000000000000008800000000000000990000000000000\
         0bb00000000000000"
    );
    golden(HEAD, &|out| head.write(out), &octets);
}

#[test]
fn every_section_has_the_octets_that_it_always_had() {
    let user = UserId(0x55);
    let octets = "550000000000000066000000";
    golden(USERS, &|out| write_user(out, user, 0x66), octets);
    let network = client("192.0.2.1").network().code();
    let octets = "55000000000000000100000200c0000066000000";
    golden(PAIRS, &|out| write_pair(out, user, network, 0x66), octets);
    let held = HeldBan {
        ban: Ban {
            until: Moment::from_nanos(0x1122),
            cause: BanCause::Operator,
            mode: Mode::Enforce,
        },
        changed: AT,
    };
    let subject = Subject::Client(client("192.0.2.1"));
    let octets = format!("{PLACE}00010200c00000000022110000000000000401");
    golden(BANS, &|out| write_ban(out, subject, held), &octets);
    let row = BucketRow {
        arrival: 0x99,
        strikes: Strikes::from_file(3),
        counted: 0xaa,
    };
    let octets = "035500000000000000990000000000000003aa000000";
    let kind = Kind::NETWORK;
    golden(BUCKETS, &|out| write_bucket(out, kind, 0x55, row), octets);
    let level = SharedLevel {
        bucket: 2,
        arrival: 0x33,
        every: 0x44,
    };
    let octets = format!("{PLACE}0233000000000000004400000000000000");
    golden(SHARED, &|out| write_shared(out, AT, level), &octets);
    let numbers = [HEAD, USERS, PAIRS, BANS, BUCKETS, SHARED].map(|section| section.number);
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn what_ends_by_itself_or_is_only_told_has_no_record() {
    let subject = Subject::Client(client("192.0.2.1"));
    let why = BanEnding::Expired;
    for fact in [
        Fact::BanEnded(BanEnd { subject, why }),
        Fact::BackendFailing,
        Fact::BackendRecovered,
    ] {
        assert_eq!(write_change(&mut Vec::new(), &here(fact)), None);
        assert!(!here(fact).is_awaited());
    }
}

#[test]
fn what_happened_on_another_machine_is_known_here_and_when_that_was_noted() {
    let change = Change {
        origin: Origin::ELSEWHERE,
        noted: Moment::from_nanos(0x0102_0304_0506_0709),
        ..began(
            Subject::Client(client("192.0.2.1")),
            BanCause::Trap,
            Mode::Enforce,
        )
    };
    let mut out = Vec::new();
    let number = write_change(&mut out, &change).unwrap();
    let origin = Origin::HERE;
    assert_eq!(read_change(number, &out), Some(Change { origin, ..change }));
    // What another version took down as another machine's.
    out[8] = 1;
    assert_eq!(read_change(number, &out), None);
}

#[test]
fn a_journal_holds_its_changes_in_their_order() {
    let subject = Subject::Client(client("192.0.2.1"));
    let changes = [
        began(subject, BanCause::Trap, Mode::Enforce),
        here(Fact::BackendFailing),
        here(Fact::BanEnded(BanEnd {
            subject,
            why: BanEnding::Lifted,
        })),
    ];
    let mut out = Vec::new();
    crate::gate::state::journal::write(&changes, &mut out);
    let read = Frames(&out).map(|item| match item {
        Item::Frame(frame) => {
            let record = frame.records().next().unwrap();
            read_change(frame.section.number, record).unwrap()
        }
        other => panic!("{other:?}"),
    });
    let read: Vec<_> = read.collect();
    assert_eq!(read, [changes[0], changes[2]]);
}

#[test]
fn a_head_of_before_names_could_be_folded_says_nothing_of_it() {
    let head = Head {
        at: AT,
        origin: Origin::HERE,
        mode: Mode::Enforce,
        settling: 0,
        bans: AT,
        names: Some(0x99),
        wall: AT,
    };
    let mut octets = Vec::new();
    head.write(&mut octets);
    assert_eq!(Head::read(&octets), Some(head));
    let short = Head::read(&octets[..27]);
    assert_eq!(
        short,
        Some(Head {
            names: None,
            ..head
        })
    );
}
