//! damage - files that are cut, changed, foreign or made up: what is sound is taken, nothing panics

use proptest::prelude::*;

use super::*;
use crate::gate::state::file::{Form, JOURNAL_LINE, SNAPSHOT_LINE};
use crate::gate::state::frame;

#[test]
fn a_file_that_cannot_be_read_is_told_and_enforcement_goes_on() {
    let mut long = settings();
    long.settling = DAY * 7;
    let report = |form, octets: &[u8]| {
        let octets = octets.to_vec();
        let files = [StateFile { form, octets }];
        let (gate, reports) = Gate::restore(long.clone(), keys(1), &files, NOW);
        assert_eq!(gate.settles_until(NOW), None, "enforcement stays on");
        reports[0].soundness
    };
    let snapshot = |octets| report(Form::Snapshot, octets);
    assert_eq!(snapshot(b""), Soundness::Foreign);
    assert_eq!(snapshot(b"gatepost state 3\nwhat"), Soundness::Version(3));
    assert_eq!(snapshot(b"gatepost state 2\n"), Soundness::Damaged(1));
    assert_eq!(snapshot(b"gatepost state x\n"), Soundness::Foreign);
    let journal = |octets| report(Form::Journal, octets);
    assert_eq!(journal(b"gatepost chang"), Soundness::Whole);
    assert_eq!(journal(b"gatepost changes 77\n"), Soundness::Version(77));
    assert_eq!(journal(&[7; 100]), Soundness::Foreign);
    let first = |octets| report(Form::FirstSnapshot, octets);
    assert_eq!(first(b"gatepost snapshot 1\nwhat"), Soundness::Damaged(1));
    assert_eq!(first(b"gatepost snapshot 4\n"), Soundness::Version(4));
}

#[test]
fn a_snapshot_that_ends_early_is_damaged_and_what_is_there_is_taken() {
    let gate = busy(&mut Vec::new());
    for (at, file) in image(&gate, NOW).into_iter().enumerate() {
        let whole = file.octets.len();
        for length in 0..whole {
            let mut cut = file.clone();
            cut.octets.truncate(length);
            let (restored, reports) = Gate::restore(settings(), keys(9), &[cut], NOW);
            assert_ne!(reports[0].soundness, Soundness::Whole, "{at}: {length}");
            // All but the end: nothing is missing of what the gate needs.
            if at == 0 && length == whole - 1 {
                assert_eq!(bans(&restored, NOW), bans(&gate, NOW));
                assert_eq!(restored.known(), gate.known());
            }
        }
    }
}

#[test]
fn damage_to_the_debts_costs_nobody_who_is_known_and_the_other_way_round() {
    let gate = busy(&mut Vec::new());
    let [known, debts] = image(&gate, NOW);
    let ruined = |file: &StateFile| StateFile {
        form: file.form,
        octets: file.octets.iter().map(|octet| octet ^ 0x55).collect(),
    };
    let (one, _) = Gate::restore(settings(), keys(9), &[known.clone(), ruined(&debts)], NOW);
    assert_eq!(one.known(), gate.known());
    assert_eq!(bans(&one, NOW), bans(&gate, NOW));
    let (other, _) = Gate::restore(settings(), keys(9), &[ruined(&known), debts], NOW);
    assert_eq!(other.known(), (0, 0));
    assert_eq!(shared(&other, NOW), shared(&gate, NOW));
    assert_eq!(other.status(NOW).rows_used, gate.status(NOW).rows_used);
    assert_eq!(other.restored().damaged, 1);
}

fn forms() -> impl Strategy<Value = (Form, &'static [u8])> {
    prop::sample::select(vec![
        (Form::Snapshot, SNAPSHOT_LINE.as_bytes()),
        (Form::Journal, JOURNAL_LINE.as_bytes()),
        (Form::FirstSnapshot, b"gatepost snapshot 1\n".as_slice()),
        (Form::FirstJournal, b"".as_slice()),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_octets_at_all_are_read_without_a_panic(
        files in prop::collection::vec(
            (forms(), prop::collection::vec(any::<u8>(), 0..400)), 0..4),
        now in any::<u64>(),
    ) {
        let files = files.into_iter().map(|((form, line), octets)| StateFile {
            form,
            octets: [line, &octets].concat(),
        });
        let files: Vec<_> = files.collect();
        let _ = Gate::restore(settings(), keys(1), &files, Moment::from_nanos(now));
    }

    /// Sound frames with any content: what a checksum does not keep out.
    #[test]
    fn any_records_at_all_make_a_gate_that_works(
        records in prop::collection::vec((0_u8..24, prop::collection::vec(any::<u8>(), 1..40)), 0..12),
        now in any::<u64>(),
    ) {
        let with = |form, line: &str| {
            let mut octets = line.as_bytes().to_vec();
            for (number, record) in &records {
                frame::push(&mut octets, *number, record);
            }
            StateFile { form, octets }
        };
        let files = [with(Form::Snapshot, SNAPSHOT_LINE), with(Form::Journal, JOURNAL_LINE)];
        let now = Moment::from_nanos(now);
        let (gate, _) = Gate::restore(settings(), keys(1), &files, now);
        let mut changes = Vec::new();
        for n in 0..3 {
            guess(&gate, FAR, "anna", n, now, &mut changes);
            guess(&gate, HOME, "anna", n, now, &mut changes);
        }
        gate.tick(now, &mut changes);
        gate.status(now);
        gate.explain(client(HOME), Some(&user("anna")), now);
        for report in Gate::restore(settings(), keys(1), &image(&gate, now), now).1 {
            prop_assert_eq!(report, WHOLE);
        }
    }

    #[test]
    fn a_damaged_image_costs_no_more_than_the_damaged_places(
        damage in prop::collection::vec((any::<prop::sample::Index>(), 1..=255_u8), 1..6),
    ) {
        let gate = busy(&mut Vec::new());
        let mut files = image(&gate, NOW);
        for (at, flip) in damage {
            let octets = &mut files[0].octets;
            let at = at.index(octets.len());
            octets[at] ^= flip;
        }
        let (restored, _) = Gate::restore(settings(), keys(1), &files, NOW);
        prop_assert_eq!(shared(&restored, NOW), shared(&gate, NOW));
        prop_assert_eq!(restored.settles_until(NOW), None);
    }
}
