//! tests - a stream in a real redis-server: read once and in order, cut, lost, and written by others

use super::length::MEMORY;
use super::*;
use crate::cluster::own_redis::Redis;

/// Entries that are kept where it does not matter how many.
const KEPT: usize = 4096;

async fn stream(redis: &Redis) -> RecordStream {
    RecordStream::connect(&redis.settings()).await.unwrap()
}

fn numbered(from: u32, to: u32) -> Vec<Vec<u8>> {
    (from..to).map(|n| n.to_le_bytes().to_vec()).collect()
}

async fn read(stream: &mut RecordStream, place: &mut StreamPlace) -> StreamPart {
    stream.read(place, BATCH).await.unwrap()
}

fn sealed(part: &StreamPart) -> Vec<Vec<u8>> {
    let entries = part.entries.iter();
    entries.map(|entry| entry.sealed.clone()).collect()
}

#[tokio::test]
async fn each_entry_is_read_once_and_in_its_order() {
    let redis = Redis::start(&[]).await;
    let (mut here, mut there) = (stream(&redis).await, stream(&redis).await);
    let mut place = StreamPlace::default();
    let none = read(&mut there, &mut place).await;
    assert!(none.entries.is_empty() && !none.missed);
    let more = BATCH as u32 + 9;
    here.add("mx1", &numbered(0, more), KEPT).await.unwrap();
    let first = read(&mut there, &mut place).await;
    let second = read(&mut there, &mut place).await;
    assert!(!first.missed && !second.missed);
    assert!(first.entries.len() >= BATCH);
    assert_eq!(
        [sealed(&first), sealed(&second)].concat(),
        numbered(0, more)
    );
    assert!(first.entries.iter().all(|entry| entry.machine == "mx1"));
    let none = read(&mut there, &mut place).await;
    assert!(none.entries.is_empty() && !none.missed);
    here.add("mx2", &numbered(7, 8), KEPT).await.unwrap();
    let last = read(&mut there, &mut place).await;
    assert_eq!((sealed(&last), last.missed), (numbered(7, 8), false));
    assert!(last.entries[0].age < Duration::from_secs(60));
}

#[tokio::test]
async fn who_was_away_for_longer_than_the_stream_keeps_knows_that_something_was_missed() {
    let redis = Redis::start(&[]).await;
    let (mut here, mut there) = (stream(&redis).await, stream(&redis).await);
    let mut place = StreamPlace::default();
    here.add("mx1", &numbered(0, 3), KEPT).await.unwrap();
    read(&mut there, &mut place).await;
    // One entry less would still have the last one that was read.
    redis.run(&["XTRIM", RECORDS, "MAXLEN", "1"]).await;
    assert!(!read(&mut there, &mut place).await.missed);
    here.add("mx1", &numbered(3, 5), KEPT).await.unwrap();
    redis.run(&["XTRIM", RECORDS, "MAXLEN", "1"]).await;
    let part = read(&mut there, &mut place).await;
    assert!(part.missed);
    assert_eq!(sealed(&part), numbered(4, 5));
    assert!(!read(&mut there, &mut place).await.missed);
}

#[tokio::test]
async fn a_stream_that_was_lost_is_missed_and_read_from_its_beginning() {
    let redis = Redis::start(&[]).await;
    let (mut here, mut there) = (stream(&redis).await, stream(&redis).await);
    let mut place = StreamPlace::default();
    here.add("mx1", &numbered(0, 3), KEPT).await.unwrap();
    read(&mut there, &mut place).await;
    redis.run(&["DEL", RECORDS]).await;
    let lost = read(&mut there, &mut place).await;
    assert!(lost.missed && lost.entries.is_empty());
    here.add("mx1", &numbered(5, 7), KEPT).await.unwrap();
    let part = read(&mut there, &mut place).await;
    assert_eq!((sealed(&part), part.missed), (numbered(5, 7), false));
}

#[tokio::test]
async fn a_stream_whose_numbers_are_lower_than_before_is_missed_too() {
    // A store that was restored, or one whose clock was set back: nothing new would come behind the old place.
    let redis = Redis::start(&[]).await;
    let mut there = stream(&redis).await;
    let mut place = StreamPlace::default();
    let add = async |number: &str| {
        let words = ["XADD", RECORDS, number, "m", "mx1", "r", "one"];
        redis.run(&words).await;
    };
    add("9-1").await;
    read(&mut there, &mut place).await;
    redis.run(&["DEL", RECORDS]).await;
    add("5-1").await;
    assert!(read(&mut there, &mut place).await.missed);
    let part = read(&mut there, &mut place).await;
    assert_eq!(sealed(&part), [b"one".to_vec()]);
}

#[tokio::test]
async fn the_stream_keeps_a_limited_number_of_entries() {
    let redis = Redis::start(&[]).await;
    let mut here = stream(&redis).await;
    let most = KEPT as u32;
    for from in [0, most] {
        here.add("mx1", &numbered(from, from + most), KEPT)
            .await
            .unwrap();
    }
    let mut place = StreamPlace::default();
    let mut kept = 0;
    loop {
        let part = read(&mut here, &mut place).await;
        if part.entries.is_empty() {
            break;
        }
        kept += part.entries.len();
    }
    // The store trims whole nodes of its tree, of 100 entries.
    assert!((KEPT..KEPT + 200).contains(&kept), "{kept}");
}

#[tokio::test]
async fn of_200_machines_that_are_attacked_one_that_was_cut_off_for_half_a_minute_misses_nothing() {
    let redis = Redis::start(&[]).await;
    let (mut here, mut there) = (stream(&redis).await, stream(&redis).await);
    let mut length = StreamLength::new(200);
    // What all of them write in 30 s: each what it has to tell and what was spent there, five times a second.
    let in_a_cut = 200 * 10 * 30;
    let mut number = 0_u32;
    let mut place = StreamPlace::default();
    for half in ["before", "the cut"] {
        for _ in 0..in_a_cut / 500 {
            let mut records = numbered(number, number + 500);
            records.iter_mut().for_each(|record| record.resize(620, 0));
            here.add("mx1", &records, length.kept()).await.unwrap();
            records.iter().for_each(|record| length.note(record.len()));
            number += 500;
        }
        let mut first = number - in_a_cut;
        while first < number {
            let part = read(&mut there, &mut place).await;
            assert!(!part.missed, "{half}: from {first} on");
            for sealed in sealed(&part) {
                assert_eq!(sealed[..4], first.to_le_bytes(), "{half}");
                first += 1;
            }
        }
    }
    let first = read(&mut there, &mut StreamPlace::default()).await;
    assert_ne!(sealed(&first)[0][..4], 0_u32.to_le_bytes(), "all are kept");
}

#[tokio::test]
async fn records_as_large_as_ours_can_be_fill_no_more_than_the_manual_says() {
    let redis = Redis::start(&[]).await;
    let mut here = stream(&redis).await;
    let mut length = StreamLength::new(200);
    let records = vec![vec![7; 8_246]; 200];
    for _ in 0..100 {
        here.add("mx1", &records, length.kept()).await.unwrap();
        records.iter().for_each(|record| length.note(record.len()));
    }
    let mut usage = redis::cmd("MEMORY");
    usage.arg("USAGE").arg(RECORDS).arg("SAMPLES").arg(0);
    let octets: usize = here.connection.ask(&usage).await.unwrap();
    assert!(octets > MEMORY * 8 / 10, "{octets}");
    assert!(octets < MEMORY + 4 * 1024 * 1024, "{octets}");
}

#[tokio::test]
async fn what_others_write_there_is_passed_over_and_fills_no_memory() {
    let redis = Redis::start(&[]).await;
    let (mut here, mut there) = (stream(&redis).await, stream(&redis).await);
    let mut place = StreamPlace::default();
    redis.run(&["XADD", RECORDS, "*", "some", "thing"]).await;
    let (longest, longer) = (vec![7; LONGEST], vec![7; LONGEST + 1]);
    for record in [&longest, &longer] {
        here.add("mx1", std::slice::from_ref(record), KEPT)
            .await
            .unwrap();
    }
    let mut not_text = redis::cmd("XADD");
    not_text.arg(RECORDS).arg("*").arg("m").arg(&[0xff_u8][..]);
    redis.ask(not_text.arg("r").arg("x")).await;
    here.add("mx1", &numbered(1, 2), KEPT).await.unwrap();
    let part = read(&mut there, &mut place).await;
    let read = part.entries.iter();
    let read: Vec<_> = read
        .map(|entry| (entry.machine.as_str(), entry.sealed.as_slice()))
        .collect();
    let ours = 1_u32.to_le_bytes();
    let expected: [(&str, &[u8]); 5] = [
        ("", b""),
        ("mx1", &longest),
        ("", b""),
        ("", b"x"),
        ("mx1", &ours),
    ];
    assert!(read == expected, "{}", read.len());
}

#[tokio::test]
async fn a_key_that_is_no_stream_is_said_to_be_none() {
    let redis = Redis::start(&[]).await;
    redis.run(&["SET", RECORDS, "another program's"]).await;
    let mut here = stream(&redis).await;
    let refused = here
        .read(&mut StreamPlace::default(), BATCH)
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("wrong kind"), "{refused}");
    let refused = here.add("mx1", &numbered(0, 1), KEPT).await.unwrap_err();
    assert!(refused.to_string().contains("wrong kind"), "{refused}");
}

#[test]
fn an_entry_s_number_tells_its_age() {
    let millis = Duration::from_millis;
    assert_eq!(age("1000-5", 3_000_000), millis(2_000));
    assert_eq!(age("4000-0", 3_000_000), millis(0));
    assert_eq!(age("none", 3_000_000), millis(3_000));
}
