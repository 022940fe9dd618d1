//! tests - how often is sent what happens, and what a flood hides

use super::*;

const START: Moment = Moment::from_seconds(1_000_000);

impl NoticeRate {
    /// What is sent of it at once.
    fn ask(&mut self, what: &Occurrence, now: Moment) -> Option<String> {
        let _ = self.note(what.clone(), now);
        self.next(now).map(|sent| sent.text)
    }
}

fn occurrence(kind: OccurrenceKind, subject: &str) -> Occurrence {
    Occurrence {
        kind,
        subject: subject.to_owned(),
        text: "it is so".to_owned(),
    }
}

#[test]
fn a_subject_is_told_of_once_an_hour() {
    let mut rate = NoticeRate::default();
    let ann = occurrence(OccurrenceKind::FamiliarRefused, "ann");
    assert!(rate.ask(&ann, START).is_some());
    assert!(
        rate.ask(&ann, START + SPAN - Duration::from_nanos(1))
            .is_none()
    );
    assert!(rate.ask(&ann, START + SPAN).is_some());
    let other = occurrence(OccurrenceKind::ManyNetworks, "ann");
    assert!(rate.ask(&other, START + SPAN).is_some());
}

#[test]
fn a_flood_is_ten_and_the_next_says_how_many_there_were() {
    let mut rate = NoticeRate::default();
    let sent = (0..1_000).filter(|number| {
        let what = occurrence(OccurrenceKind::NetworkBanned, &number.to_string());
        rate.ask(&what, START).is_some()
    });
    assert_eq!(sent.count(), 10);
    let late = occurrence(OccurrenceKind::NetworkBanned, "late");
    let text = rate.ask(&late, START + RATE.every).unwrap();
    assert_eq!(text, "it is so (990 other notices were not sent)");
}

#[test]
fn a_backend_is_told_of_when_it_changes() {
    let mut rate = NoticeRate::default();
    let up = occurrence(OccurrenceKind::BackendUsable, "b");
    let down = occurrence(OccurrenceKind::BackendUnusable, "b");
    let second = |seconds| START + Duration::from_secs(seconds);
    let mut ask = |what: &Occurrence, at| rate.ask(what, second(at)).is_some();
    assert!(!ask(&up, 0), "it works at the start: that is no news");
    assert!(ask(&down, 1) && !ask(&down, 2));
    assert!(ask(&up, 3) && !ask(&up, 4));
    assert!(ask(&down, 5), "and again, within the hour");
}

#[test]
fn a_link_that_comes_and_goes_is_told_of_twice_an_hour() {
    let mut rate = NoticeRate::default();
    let back = occurrence(OccurrenceKind::ClusterConnected, "mx1");
    let away = occurrence(OccurrenceKind::ClusterCutOff, "mx1");
    let hour = SPAN.as_secs();
    let mut ask = |what: &Occurrence, at| rate.ask(what, START + Duration::from_secs(at)).is_some();
    assert!(
        !ask(&back, 0),
        "it is connected at the start: that is no news"
    );
    assert!(ask(&away, 1) && !ask(&away, 2));
    assert!(ask(&back, 3) && !ask(&back, 4));
    assert!(!ask(&away, hour) && !ask(&back, hour));
    assert!(ask(&away, hour + 1) && ask(&back, hour + 2));
}

#[test]
fn a_flood_of_bans_hides_neither_a_stolen_password_nor_a_backend() {
    let mut rate = NoticeRate::default();
    for number in 0..1_000 {
        let what = occurrence(OccurrenceKind::NetworkBanned, &number.to_string());
        let _ = rate.ask(&what, START);
    }
    for kind in [
        OccurrenceKind::DecoyOpened,
        OccurrenceKind::StolenSuspected,
        OccurrenceKind::BackendUnusable,
    ] {
        let sent = rate.ask(&occurrence(kind, "one"), START);
        assert_eq!(sent.as_deref(), Some("it is so"), "{kind}");
    }
    for number in 0..100 {
        let what = occurrence(OccurrenceKind::StolenSuspected, &number.to_string());
        let _ = rate.ask(&what, START);
    }
    let due = occurrence(OccurrenceKind::CertificateDue, "mx1");
    assert!(rate.ask(&due, START).is_some(), "whatever thieves do");
}

#[test]
fn what_needs_a_right_password_waits_for_its_turn_and_is_not_lost() {
    let mut rate = NoticeRate::default();
    let decoy = |number: usize| occurrence(OccurrenceKind::DecoyOpened, &number.to_string());
    let most = 10 + WAITING;
    for number in 0..most {
        assert_eq!(rate.note(decoy(number), START), Noted::Kept, "{number}");
    }
    assert_eq!(rate.note(decoy(most), START), Noted::Lost);
    for number in 0..10 {
        assert_eq!(rate.next(START).unwrap().subject, number.to_string());
    }
    assert_eq!(
        (rate.next(START), rate.wait(START)),
        (None, Some(RATE.every))
    );
    let almost = START + RATE.every.saturating_sub(Duration::from_nanos(1));
    assert_eq!(rate.next(almost), None);
    let mut now = START;
    for number in 10..most {
        now = now + rate.wait(now).unwrap();
        let late = rate.next(now).unwrap();
        assert_eq!(late.subject, number.to_string());
        let minutes = (number - 9) * 5;
        let lost = if number == 10 {
            " (1 other notices were not sent)"
        } else {
            ""
        };
        assert_eq!(late.text, format!("it is so ({minutes} min ago){lost}"));
    }
    assert_eq!((rate.next(now), rate.wait(now)), (None, None));
}

#[test]
fn a_backend_that_comes_and_goes_leaves_room_for_others() {
    let mut rate = NoticeRate::default();
    let kinds = [
        OccurrenceKind::BackendUnusable,
        OccurrenceKind::BackendUsable,
    ];
    for number in 0..1_000 {
        let now = START + Duration::from_millis(number);
        let kind = kinds[usize::try_from(number % 2).unwrap()];
        assert_eq!(rate.note(occurrence(kind, "b"), now), Noted::Kept);
    }
    let due = occurrence(OccurrenceKind::CertificateDue, "mx1");
    assert_eq!(rate.note(due, START + RATE.every), Noted::Kept);
    let mut last = None;
    while let Some(next) = rate.next(START + RATE.every * 3) {
        last = Some(next.kind);
    }
    assert_eq!(last, Some(OccurrenceKind::CertificateDue));
}
