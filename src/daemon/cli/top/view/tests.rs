use gatepost_core::moment::Moment;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::super::screen_state::tests::{attempt, press, state, watch};
use super::*;
use crate::admin::message::{CertificateMessage, Response, UpstreamMessage};

/// The screen as text, a line each, and whether anything on it is drawn reversed or in colour.
fn screen(state: &TopState, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, state)).unwrap();
    let buffer = terminal.backend().buffer();
    let cells = buffer.content().chunks(usize::from(width));
    let line = |cells: &[ratatui::buffer::Cell]| -> String {
        cells.iter().map(ratatui::buffer::Cell::symbol).collect()
    };
    cells.map(|cells| line(cells) + "\n").collect()
}

#[track_caller]
fn assert_shows(screen: &str, parts: &[&str]) {
    for part in parts {
        assert!(screen.contains(part), "{part:?} is missing:\n{screen}");
    }
}

#[test]
fn everything_is_there_on_the_smallest_terminal() {
    let state = state();
    let small = screen(&state, 80, 24);
    assert_shows(
        &small,
        &[
            "gatepost 1.2.3, up 20m 16s, enforce",
            "All is well: logins work.",
            "refuse 40",
            "the bound is 1,872 a day",
            "bans 1",
            "Clients",
            "203.0.113.7 ",
            "Networks",
            "203.0.113.0/24",
            "Users attacked",
            "anna",
            "Bans",
            "203.0.113.9 ",
            "09:00:00",
            "Last attempts",
            "07:20:16",
            "refuse",
            "e explain  b ban  f forgive  x expel",
            "Clients since 07:05:00",
            "198.51.100.1 ",
            "bea ",
        ],
    );
    assert!(!small.contains("rejected"), "{small}");
    let wide = screen(&state, 160, 40);
    assert_shows(&wide, &["tries", "refused", "rejected", "strangers"]);
}

#[test]
fn what_is_wrong_stands_in_words_in_place_of_all_is_well() {
    let mut wrong = watch();
    wrong.status.logins_work = false;
    wrong.status.upstream = vec![UpstreamMessage {
        address: "127.0.0.1:10465".to_owned(),
        state: "unusable".to_owned(),
        reason: Some("it offers no AUTH".to_owned()),
        ..UpstreamMessage::default()
    }];
    wrong.status.familiar_refused = BTreeMap::from([("turn".to_owned(), 3)]);
    wrong.status.certificates = vec![CertificateMessage {
        names: vec!["mx.example.org".to_owned()],
        days_left: 2,
        is_due: true,
        ..CertificateMessage::default()
    }];
    let mut state = state();
    state.take(Response::Watch(Box::new(wrong)), Moment::EPOCH);
    let shown = screen(&state, 200, 30);
    assert_shows(
        &shown,
        &[
            "LOGINS FAIL",
            "127.0.0.1:10465 is not usable: it offers no AUTH",
            "3 attempts of familiar users were refused (turn)",
            "the certificate mx.example.org has 2 days left",
        ],
    );
    assert!(!shown.contains("All is well"), "{shown}");
    state.lose("nobody answers", Moment::EPOCH);
    assert_shows(&screen(&state, 80, 24), &["NO ANSWER", "nobody answers"]);
}

#[test]
fn a_question_names_what_it_would_change_and_what_came_of_it_is_told() {
    let mut state = state();
    press(&mut state, "b");
    assert_shows(
        &screen(&state, 80, 24),
        &[
            "Sure?",
            "Ban 203.0.113.7 for a day",
            "y: yes, any other key: no",
        ],
    );
    press(&mut state, "y");
    state.take_answer(Ok(Response::Done {
        message: "203.0.113.7 is banned".to_owned(),
    }));
    assert_shows(&screen(&state, 80, 24), &["203.0.113.7 is banned"]);
}

#[test]
fn the_selected_row_is_drawn_reversed_and_nothing_else() {
    let mut state = state();
    press(&mut state, "v");
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
    terminal.draw(|frame| draw(frame, &state)).unwrap();
    let cells = terminal.backend().buffer().content();
    let reversed = cells
        .iter()
        .filter(|cell| cell.modifier.contains(Modifier::REVERSED));
    let text: String = reversed.map(ratatui::buffer::Cell::symbol).collect();
    assert!(
        text.starts_with("198.51.100.1 ") && text.ends_with("10"),
        "{text:?}"
    );
}

#[test]
fn a_name_cannot_write_to_the_terminal() {
    let mut state = state();
    let mut next = watch();
    next.attempts = vec![attempt(9, "203.0.113.7", "\u{1b}[2Jx\u{7}\u{9b}31m")];
    state.take(Response::Watch(Box::new(next)), Moment::EPOCH);
    let shown = screen(&state, 160, 24);
    assert!(!shown.contains(|letter: char| letter.is_control() && letter != '\n'));
}

#[test]
fn a_terminal_of_any_size_is_drawn() {
    let mut state = state();
    for keys in ["", "?", "q\tb"] {
        press(&mut state, keys);
        for (width, height) in [(1, 1), (10, 3), (40, 8), (300, 100)] {
            screen(&state, width, height);
        }
    }
}

#[test]
fn numbers_are_grouped() {
    for (number, shown) in [
        (0, "0"),
        (999, "999"),
        (1_000, "1,000"),
        (1_234_567, "1,234,567"),
    ] {
        assert_eq!(grouped(number), shown);
    }
}
