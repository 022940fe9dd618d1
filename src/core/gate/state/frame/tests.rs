//! tests - frames: what is written is found again, whatever happens to its neighbours

use proptest::prelude::*;

use super::*;

const KIND: Section = Section { number: 7, size: 4 };

fn journal(records: &[u32]) -> Vec<u8> {
    let mut out = Vec::new();
    for record in records {
        push(&mut out, KIND.number, &record.to_le_bytes());
    }
    out
}

/// The records that are found, and how many places are damaged, and torn.
fn found(octets: &[u8]) -> (Vec<u32>, usize, usize) {
    let (mut records, mut damaged, mut torn) = (Vec::new(), 0, 0);
    for item in Frames(octets) {
        match item {
            Item::Frame(frame) => records.extend(
                frame
                    .records()
                    .map(|four| u32::from_le_bytes(four.try_into().unwrap())),
            ),
            Item::Damage(octets) => {
                assert!(octets > 0);
                damaged += 1;
            }
            Item::Torn => torn += 1,
            Item::End(_) => {}
        }
    }
    (records, damaged, torn)
}

#[test]
fn a_frame_is_these_octets_in_every_version() {
    let mut out = Vec::new();
    push(&mut out, 7, &[1, 2, 3, 4]);
    let golden = [
        0xf7, b'g', b'p', b'\n', 7, 0, 4, 0, 4, 0, 0, 0, 0x89, 0x11, 0x97, 0xf5, 1, 2, 3, 4,
    ];
    assert_eq!(out, golden, "{out:02x?}");
}

#[test]
fn a_section_longer_than_a_frame_is_several_and_the_end_counts_its_records() {
    let mut out = Vec::new();
    let mut sections = Sections::begin(&mut out, "line\n").unwrap();
    let many = (LONGEST / 4 + 1) as u32;
    for record in 0..many {
        let add = sections.add(KIND, |out| out.put_u32_le(record));
        add.unwrap();
    }
    let other = Section { number: 8, size: 1 };
    sections.add(other, |out| out.put_u8(1)).unwrap();
    sections.finish().unwrap();
    let octets = out.strip_prefix(b"line\n").unwrap();
    let frames: Vec<_> = Frames(octets).collect();
    assert_eq!(frames.len(), 4);
    assert_eq!(frames[3], Item::End(u64::from(many) + 1));
    let Item::Frame(first) = frames[0] else {
        panic!("{:?}", frames[0]);
    };
    assert_eq!(first.len(), LONGEST / 4);
}

#[test]
fn a_record_that_has_another_length_than_its_section_says_is_an_error_and_is_not_written() {
    let mut out = Vec::new();
    let mut sections = Sections::begin(&mut out, "").unwrap();
    assert!(sections.add(KIND, |out| out.put_u8(1)).is_err());
    sections.add(KIND, |out| out.put_u32_le(5)).unwrap();
    sections.finish().unwrap();
    assert_eq!(found(&out).0, [5]);
}

#[test]
fn a_frame_cut_short_at_the_end_is_torn_and_costs_nothing_else() {
    let octets = journal(&[1, 2, 3]);
    let frame = octets.len() / 3;
    for cut in 0..octets.len() {
        let (records, damaged, torn) = found(&octets[..cut]);
        assert_eq!(records.len(), cut / frame, "cut after {cut} octets");
        assert_eq!(damaged, 0, "cut after {cut} octets");
        assert_eq!(torn, usize::from(cut % frame > 0), "cut after {cut} octets");
    }
}

#[test]
fn half_a_frame_in_the_middle_hides_none_that_come_after_it() {
    let octets = journal(&[1, 2, 3]);
    let frame = octets.len() / 3;
    for cut in 1..frame {
        let half = [&octets[..frame + cut], &octets[frame * 2..]].concat();
        assert_eq!(found(&half), (vec![1, 3], 1, 0), "cut after {cut} octets");
    }
}

#[test]
fn a_frame_of_a_later_version_is_none_of_ours() {
    let mut octets = journal(&[1, 2, 3]);
    let frame = octets.len() / 3;
    let mut later: [u8; HEAD] = octets[..HEAD].try_into().unwrap();
    later[5] = 3;
    let sum = checksum(&later, &octets[HEAD..frame]);
    later[12..].copy_from_slice(&sum.to_le_bytes());
    octets[..HEAD].copy_from_slice(&later);
    assert_eq!(found(&octets), (vec![2, 3], 1, 0));
    assert_eq!(behind_damage(&octets[..frame]), None);
}

proptest! {
    #[test]
    fn one_wrong_octet_costs_one_frame(
        records in prop::collection::vec(any::<u32>(), 1..20),
        at in any::<prop::sample::Index>(),
        flip in 1..=255_u8,
    ) {
        let mut octets = journal(&records);
        let at = at.index(octets.len());
        octets[at] ^= flip;
        let mut others = records.clone();
        others.remove(at / (octets.len() / records.len()));
        let (kept, damaged, torn) = found(&octets);
        prop_assert_eq!(kept, others);
        prop_assert_eq!(damaged + torn, 1);
    }

    #[test]
    fn any_octets_are_gone_through(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = found(&octets);
        let marked = [&MARK[..], &octets, &MARK, &octets].concat();
        let _ = found(&marked);
    }
}
