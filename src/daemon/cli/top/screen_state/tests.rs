use std::collections::BTreeMap;

use super::*;
use crate::admin::message::{BanMessage, UserMessage};

pub(in crate::cli::top) fn busy(name: &str, attempts: u64) -> BusyMessage {
    BusyMessage {
        name: name.to_owned(),
        attempts,
        refused: attempts,
        ..BusyMessage::default()
    }
}

pub(in crate::cli::top) fn attempt(number: u64, client: &str, user: &str) -> AttemptMessage {
    AttemptMessage {
        number,
        at: "2026-11-27T07:20:16Z".to_owned(),
        client: client.to_owned(),
        place: None,
        user: Some(user.to_owned()),
        verdict: "refuse".to_owned(),
        reason: Some("strangers".to_owned()),
        wait_s: 60,
    }
}

pub(in crate::cli::top) fn watch() -> WatchMessage {
    let refused = BTreeMap::from([("strangers".to_owned(), 40)]);
    WatchMessage {
        status: StatusMessage {
            version: "1.2.3".to_owned(),
            started: "2026-11-27T07:00:00Z".to_owned(),
            mode: "enforce".to_owned(),
            uptime_s: 1216,
            logins_work: true,
            attempts: BTreeMap::from([("refuse".to_owned(), refused)]),
            bound_per_day: 1872,
            bans: 1,
            ..StatusMessage::default()
        },
        since: "2026-11-27T07:05:00Z".to_owned(),
        clients: vec![busy("203.0.113.7", 30), busy("198.51.100.1", 10)],
        networks: vec![busy("203.0.113.0/24", 40)],
        users: vec![busy("anna", 25), busy("198.51.100.0/24", 5)],
        bans: vec![BanMessage {
            address: "203.0.113.9".to_owned(),
            until: "2026-11-27T09:00:00Z".to_owned(),
            reason: "strikes".to_owned(),
        }],
        suspected: Vec::new(),
        attempts: vec![
            attempt(1, "203.0.113.7", "anna"),
            attempt(2, "198.51.100.1", "bea"),
        ],
    }
}

pub(in crate::cli::top) fn state() -> TopState {
    let mut state = TopState::default();
    state.take(Response::Watch(Box::new(watch())), Moment::EPOCH);
    state
}

pub(in crate::cli::top) fn press(state: &mut TopState, keys: &str) -> KeyEffect {
    let mut last = KeyEffect::Nothing;
    for letter in keys.chars() {
        let code = match letter {
            '\t' => KeyCode::Tab,
            'v' => KeyCode::Down,
            '^' => KeyCode::Up,
            letter => KeyCode::Char(letter),
        };
        last = state.on_key(KeyEvent::new(code, KeyModifiers::NONE));
    }
    last
}

fn asked(keys: &str) -> KeyEffect {
    press(&mut state(), keys)
}

#[test]
fn what_changes_something_is_asked_back_and_only_y_does_it() {
    let ban = |subject: &str| {
        KeyEffect::Ask(Request::BansAdd {
            subject: subject.to_owned(),
            seconds: 86_400,
            own: false,
        })
    };
    assert_eq!(asked("b"), KeyEffect::Nothing);
    assert_eq!(asked("by"), ban("203.0.113.7"));
    assert_eq!(asked("\tby"), ban("203.0.113.0/24"));
    assert_eq!(asked("vby"), ban("198.51.100.1"));
    for other in ["bn", "bq", "b ", "be", "bb", "b\t"] {
        let mut state = state();
        assert_eq!(press(&mut state, other), KeyEffect::Nothing, "{other:?}");
        assert_eq!(state.overlay, None);
        assert_eq!(state.message.as_deref(), Some("nothing was done"));
    }
    let forgive = Request::Forgive {
        target: "203.0.113.9".to_owned(),
    };
    assert_eq!(asked("\t\t\tfy"), KeyEffect::Ask(forgive));
    let expel = Request::Expel {
        target: "anna".to_owned(),
        network: None,
    };
    assert_eq!(asked("\t\txy"), KeyEffect::Ask(expel));
}

#[test]
fn a_user_whose_name_reads_as_an_address_is_not_taken_for_it() {
    for key in ["b", "f", "x"] {
        let mut state = state();
        assert_eq!(
            press(&mut state, &format!("\t\tv{key}y")),
            KeyEffect::Nothing
        );
        assert_eq!(state.overlay, None);
        let told = state.message.unwrap();
        assert!(told.contains("198.51.100.0/24"), "{told}");
    }
}

#[test]
fn a_user_is_not_banned() {
    let mut state = state();
    assert_eq!(press(&mut state, "\t\tby"), KeyEffect::Nothing);
    assert!(state.message.unwrap().contains("cannot be banned"));
}

#[test]
fn an_explanation_is_shown_and_scrolls_to_its_end_and_no_further() {
    let mut state = state();
    let explain = KeyEffect::Ask(Request::Explain {
        address: "203.0.113.7".to_owned(),
        user: None,
    });
    assert_eq!(press(&mut state, "e"), explain);
    let user = Box::<UserMessage>::default();
    state.take_answer(Ok(Response::User(user)));
    let shown = |state: &TopState| match &state.overlay {
        Some(Overlay::Text { lines, from, .. }) => (lines.len(), *from),
        other => panic!("{other:?}"),
    };
    let (lines, _) = shown(&state);
    assert!(lines > 1, "{lines}");
    press(&mut state, &"v".repeat(100));
    assert_eq!(shown(&state), (lines, u16::try_from(lines).unwrap() - 1));
    press(&mut state, &"^".repeat(200));
    assert_eq!(shown(&state).1, 0);
    press(&mut state, "q");
    assert_eq!(state.overlay, None);
    assert_eq!(press(&mut state, "q"), KeyEffect::Quit);
}

#[test]
fn in_the_list_of_attempts_keys_mean_the_client_and_u_the_user() {
    let explain = |address: &str| {
        KeyEffect::Ask(Request::Explain {
            address: address.to_owned(),
            user: None,
        })
    };
    assert_eq!(asked("\t\t\t\te"), explain("198.51.100.1"));
    assert_eq!(asked("\t\t\t\tve"), explain("203.0.113.7"));
    assert_eq!(asked("\t\t\t\tvu"), explain("anna"));
    assert_eq!(asked("u"), KeyEffect::Nothing);
}

#[test]
fn what_is_selected_stays_selected_when_its_row_moves() {
    let mut state = state();
    press(&mut state, "v");
    let mut next = watch();
    next.clients.insert(0, busy("192.0.2.200", 99));
    next.attempts.clear();
    state.take(Response::Watch(Box::new(next)), Moment::EPOCH);
    assert_eq!(state.row(Pane::Clients), Some(2));
    let mut next = watch();
    next.clients.clear();
    next.attempts.clear();
    state.take(Response::Watch(Box::new(next)), Moment::EPOCH);
    assert_eq!(state.row(Pane::Clients), None);
    assert_eq!(press(&mut state, "b"), KeyEffect::Nothing);
    assert_eq!(state.overlay, None, "nothing is selected");
}

#[test]
fn only_new_attempts_are_asked_for_and_the_latest_comes_first() {
    let mut state = state();
    assert_eq!(state.wanted(), Request::Watch { after: 2 });
    let mut next = watch();
    next.attempts = (3..=500)
        .map(|number| attempt(number, "203.0.113.7", "anna"))
        .collect();
    state.take(Response::Watch(Box::new(next)), Moment::EPOCH);
    assert_eq!(state.attempts.len(), ATTEMPTS);
    assert_eq!(state.attempts[0].number, 500);
    // Another process begins anew.
    let mut next = watch();
    next.status.started = "2026-11-27T08:00:00Z".to_owned();
    state.take(Response::Watch(Box::new(next)), Moment::EPOCH);
    assert_eq!(state.wanted(), Request::Watch { after: 2 });
    assert_eq!(state.attempts.len(), 2);
}

#[test]
fn numbers_of_the_last_minute_are_those_since_a_minute_ago() {
    let refused = |status: &StatusMessage| {
        let refused = status.attempts.get("refuse");
        refused.map_or(0, |reasons| reasons.values().sum())
    };
    let mut state = state();
    assert_eq!(state.in_a_minute(refused), 0);
    for second in 1..=100 {
        let mut next = watch();
        let reasons = BTreeMap::from([("strangers".to_owned(), 40 + second)]);
        next.status.attempts.insert("refuse".to_owned(), reasons);
        state.take(Response::Watch(Box::new(next)), Moment::EPOCH);
        assert_eq!(state.in_a_minute(refused), second.min(60));
        assert_eq!(state.has_a_minute(), second >= 60);
    }
}

#[test]
fn an_answer_that_does_not_come_is_told_with_its_time_until_one_does() {
    let mut state = state();
    state.lose("no socket", Moment::from_seconds(10));
    state.lose("still none", Moment::from_seconds(20));
    let (since, why) = state.lost.clone().unwrap();
    assert_eq!((since, &*why), (Moment::from_seconds(10), "still none"));
    state.take(Response::Watch(Box::new(watch())), Moment::EPOCH);
    assert_eq!(state.lost, None);
    let refused = Response::Refused {
        message: "no request".to_owned(),
    };
    state.take(refused, Moment::EPOCH);
    assert!(state.lost.is_some());
}
