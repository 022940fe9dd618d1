//! dialogue/tests - what transcripts do not show: 421 replies, names, and calls out of order
//!
//! Not here: the conversation itself; its transcripts are in `tests/dialogues`.

use super::*;

fn dialogue(channel: Channel) -> Dialogue {
    let settings = DialogueSettings {
        hostname: "gate".to_owned(),
        mechanisms: Mechanism::ALL.to_vec(),
    };
    Dialogue::new(&Arc::new(settings), "4Kq7", channel)
}

fn capabilities() -> Option<Arc<Capabilities>> {
    let reply = Reply::multiline(250, None, ["mx", "AUTH PLAIN LOGIN SCRAM-SHA-1 CRAM-MD5"]);
    Some(Arc::new(Capabilities::parse(&reply)))
}

/// A conversation in which the client has sent EHLO.
fn greeted(channel: Channel) -> Dialogue {
    let mut dialogue = dialogue(channel);
    let _ = dialogue.open(Following::Nothing);
    let _ = dialogue.feed(b"EHLO my laptop", Following::Nothing);
    let _ = dialogue.helo_judged(Trap::Untouched);
    let _ = dialogue.set_capabilities(capabilities());
    dialogue
}

#[track_caller]
fn check_close(action: &Action, code: u16) {
    match action {
        Action::Close(reply) => assert_eq!(reply.code(), code),
        other => panic!("not a close: {other:?}"),
    }
}

#[test]
fn a_421_names_the_server_and_its_reason() {
    let mut dialogue = dialogue(Channel::Secured);
    for (reply, text) in [
        (
            dialogue.timed_out(),
            "421 4.4.2 gate Error: timeout exceeded",
        ),
        (
            dialogue.draining(),
            "421 4.3.2 gate Error: server is stopping, try again later",
        ),
        (
            dialogue.evicted(),
            "421 4.3.2 gate Error: too many connections, try again later",
        ),
    ] {
        assert_eq!(reply.to_string(), text);
    }
}

#[test]
fn a_refusal_in_place_of_the_banner_says_when_to_come_again_and_under_which_id() {
    for (refusal, text) in [
        (
            BannerRefusal::Later(Duration::from_secs(1_741)),
            "421 4.7.0 gate Error: too many failed logins from here, try again later, in 30 min (4Kq7)",
        ),
        (
            BannerRefusal::Unavailable,
            "421 4.3.0 gate Error: service not available, try again later (4Kq7)",
        ),
    ] {
        match dialogue(Channel::Secured).refuse(refusal) {
            Action::Close(reply) => assert_eq!(reply.to_string(), text),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_helo_name_is_cleaned_and_forgotten_at_starttls() {
    let mut dialogue = greeted(Channel::ClearUntilStartTls);
    assert_eq!(dialogue.helo().map(HeloName::as_str), Some("my?laptop"));
    let action = dialogue.feed(b"STARTTLS", Following::Nothing);
    assert!(matches!(action, Action::StartTls(_)), "{action:?}");
    dialogue.secured();
    assert_eq!(dialogue.helo(), None);
}

#[test]
fn the_trap_check_gets_the_helo_name_as_it_was_sent() {
    let mut dialogue = dialogue(Channel::Secured);
    let _ = dialogue.open(Following::Nothing);
    match dialogue.feed(b"HELO  a \xff b ", Following::Nothing) {
        Action::JudgeHelo(name) => assert_eq!(&*name, b"a \xff b"),
        other => panic!("{other:?}"),
    }
    assert_eq!(dialogue.helo(), None, "not before it is judged");
}

#[test]
fn a_call_out_of_order_closes_the_session_without_a_panic() {
    let talks: [fn(&mut Dialogue) -> Action; 6] = [
        |dialogue| dialogue.open(Following::Nothing),
        |dialogue| dialogue.helo_judged(Trap::Untouched),
        |dialogue| dialogue.helo_judged(Trap::Touched),
        |dialogue| dialogue.set_capabilities(capabilities()),
        |dialogue| dialogue.resolve(Resolution::Refuse),
        |dialogue| {
            dialogue.secured();
            dialogue.feed(b"NOOP", Following::Nothing)
        },
    ];
    for talk in talks {
        let mut dialogue = greeted(Channel::Secured);
        check_close(&talk(&mut dialogue), 421);
        check_close(&dialogue.feed(b"NOOP", Following::Nothing), 421);
        check_close(&dialogue.line_fault(LineFault::TooLong), 421);
    }
    let mut early = dialogue(Channel::Secured);
    check_close(&early.feed(b"EHLO x", Following::Nothing), 421);
}

#[test]
fn a_line_during_a_login_closes_the_session() {
    let mut dialogue = greeted(Channel::Secured);
    let action = dialogue.feed(b"AUTH PLAIN AGFubgBzZXNhbWU=", Following::Octets);
    assert!(matches!(action, Action::LogIn(LogIn::Credentials(_))));
    check_close(&dialogue.feed(b"NOOP", Following::Nothing), 421);
}

#[test]
fn no_password_is_shown_at_any_stage() {
    // "hunter2" alone, and in PLAIN's message.
    for line in [
        "AUTH PLAIN AGFubgBodW50ZXIy",
        "AUTH SCRAM-SHA-1 biwsbj1hbm4scj1odW50ZXIy",
    ] {
        let mut dialogue = greeted(Channel::Secured);
        let action = dialogue.feed(line.as_bytes(), Following::Nothing);
        let shown = format!("{action:?} {dialogue:?}");
        assert!(shown.contains("ann"), "{shown}");
        assert!(
            !shown.contains("hunter2") && !shown.contains("odW50ZXIy"),
            "{shown}"
        );
    }
    let mut dialogue = greeted(Channel::Secured);
    for line in ["AUTH LOGIN", "YW5u", "aHVudGVyMg=="] {
        let shown = format!(
            "{:?} {dialogue:?}",
            dialogue.feed(line.as_bytes(), Following::Nothing)
        );
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn the_first_fault_of_a_session_is_kept_with_its_reply_and_the_others_are_counted() {
    let mut dialogue = greeted(Channel::Secured);
    assert!(dialogue.take_faults().is_none());
    for line in ["AUTH DIGEST-MD5", "QXVu", "QXVu"] {
        let _ = dialogue.feed(line.as_bytes(), Following::Nothing);
    }
    let _ = dialogue.timed_out();
    let faults = dialogue.take_faults().unwrap();
    assert_eq!(
        (faults.first, faults.count),
        (DialogueFault::NoMechanism, 4)
    );
    assert_eq!(
        faults.reply.to_string(),
        "504 5.5.4 Error: unsupported authentication mechanism"
    );
    let mut silent = super::tests::dialogue(Channel::Secured);
    let _ = silent.open(Following::Nothing);
    let _ = silent.timed_out();
    assert!(silent.take_faults().is_none(), "it has said nothing");
}

#[test]
fn a_dialogue_is_small_enough_for_a_hundred_thousand_sessions() {
    assert!(size_of::<Dialogue>() <= 128, "{}", size_of::<Dialogue>());
}
