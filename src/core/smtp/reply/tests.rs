//! reply/tests - replies parsed from any octets, and rendered

use proptest::prelude::*;

use super::*;

fn wire(reply: &Reply) -> String {
    let mut wire = Vec::new();
    reply.render(&mut wire);
    String::from_utf8(wire).unwrap()
}

/// The replies in `octets`, up to the first fault or the end.
fn parse(octets: &[u8]) -> Result<Vec<Reply>, ReplyFault> {
    let mut buffer = ReplyBuffer::new();
    buffer.push(octets);
    let mut replies = Vec::new();
    while let Some(reply) = buffer.next()? {
        replies.push(reply);
    }
    Ok(replies)
}

#[test]
fn a_reply_is_rendered_with_its_codes_on_every_line() {
    let code = EnhancedCode::new(5, 7, 8);
    assert_eq!(wire(&Reply::new(535, Some(code), "no")), "535 5.7.8 no\r\n");
    assert_eq!(
        wire(&Reply::multiline(250, None, ["mx", "PIPELINING"])),
        "250-mx\r\n250 PIPELINING\r\n"
    );
    assert_eq!(wire(&Reply::new(334, None, "")), "334 \r\n");
    assert_eq!(wire(&Reply::multiline(250, None, [])), "250 \r\n");
}

#[test]
fn no_reply_text_can_end_its_line() {
    let reply = Reply::new(250, None, "a\r\n235 b\x1b[31m\u{e9}");
    assert_eq!(wire(&reply), "250 a??235 b?[31m??\r\n");
}

#[test]
fn postfix_replies_are_parsed() {
    let replies =
        parse(b"535 5.7.8 Error: authentication failed: x\r\n250-mx\r\n250 DSN\r\n220\r\n");
    let replies = replies.unwrap();
    assert_eq!(replies.len(), 3);
    assert_eq!(replies[0].code(), 535);
    assert_eq!(replies[0].enhanced(), Some(EnhancedCode::new(5, 7, 8)));
    assert_eq!(replies[0].first_line(), "Error: authentication failed: x");
    assert!(replies[0].is_permanent() && !replies[0].is_transient());
    assert_eq!(replies[1].lines().collect::<Vec<_>>(), ["mx", "DSN"]);
    assert_eq!(replies[1].to_string(), "250 mx / DSN");
    assert_eq!((replies[2].code(), replies[2].first_line()), (220, ""));
}

#[test]
fn only_a_code_that_every_line_carries_is_an_enhanced_code() {
    let replies = parse(
        b"250-2.1.0 a\r\n250 2.1.5 b\r\n454 5.7.0 c\r\n250 2.01.0 d\r\n250 2.0 e\r\n250 2.0.0.0 f\r\n\
          250 258.0.0 g\r\n",
    );
    for reply in replies.unwrap() {
        assert_eq!(reply.enhanced(), None, "{reply}");
    }
}

#[test]
fn octets_that_are_not_a_reply_are_a_fault() {
    for (octets, fault) in [
        (&b"hello\r\n"[..], ReplyFault::NotAReply),
        (b"25\r\n", ReplyFault::NotAReply),
        (b"150 x\r\n", ReplyFault::NotAReply),
        (b"650 x\r\n", ReplyFault::NotAReply),
        (b"250x\r\n", ReplyFault::NotAReply),
        (b"\r\n", ReplyFault::NotAReply),
        (b"250-a\r\n251 b\r\n", ReplyFault::CodeChanges),
    ] {
        assert_eq!(parse(octets), Err(fault), "{octets:?}");
    }
}

#[test]
fn a_reply_is_bounded_in_its_lines() {
    let lines = |count: usize| ["250-x\r\n".repeat(count - 1).as_str(), "250 x\r\n"].concat();
    assert_eq!(parse(lines(LINES - 1).as_bytes()).unwrap().len(), 1);
    assert_eq!(parse(lines(LINES).as_bytes()).unwrap().len(), 1);
    assert_eq!(parse(lines(LINES + 1).as_bytes()), Err(ReplyFault::Endless));
}

#[test]
fn a_reply_line_is_bounded_even_if_it_never_ends() {
    let line = |octets: usize| format!("250 {}\r\n", "x".repeat(octets - 4));
    assert_eq!(parse(line(LINE_OCTETS).as_bytes()).unwrap().len(), 1);
    let too_long = Err(ReplyFault::Line(LineFault::TooLong));
    assert_eq!(parse(line(LINE_OCTETS + 1).as_bytes()), too_long);
    assert_eq!(parse(&[b'2'; LINE_OCTETS + 3]), too_long);
}

#[test]
fn a_reply_is_bounded_as_a_whole() {
    let line = format!("250-{}\r\n", "x".repeat(2_044));
    let full = |last: usize| format!("{}250 {}\r\n", line.repeat(31), "x".repeat(last - 4));
    assert_eq!(parse(full(2_047).as_bytes()).unwrap().len(), 1);
    assert_eq!(parse(full(2_048).as_bytes()).unwrap().len(), 1);
    let over = format!("{}250 \r\n", line.repeat(32));
    assert_eq!(parse(over.as_bytes()), Err(ReplyFault::Endless));
}

#[test]
fn octets_after_a_reply_are_kept() {
    let mut buffer = ReplyBuffer::new();
    buffer.push(b"235 2.7.0 ok\r\n250 early");
    assert_eq!(buffer.next().unwrap().unwrap().code(), 235);
    assert!(!buffer.is_empty());
    assert_eq!(buffer.into_rest(), b"250 early");
}

proptest! {
    #[test]
    fn what_is_rendered_is_parsed_back(
        code in 200_u16..600,
        enhanced in proptest::option::of((0_u16..1_000, 0_u16..1_000)),
        lines in proptest::collection::vec("[a-z][ -~]{0,80}", 1..6),
    ) {
        let enhanced = enhanced.map(|(b, c)| EnhancedCode::new(code / 100, b, c));
        let reply = Reply::multiline(code, enhanced, lines.iter().map(String::as_str));
        let wire = wire(&reply);
        prop_assert_eq!(parse(wire.as_bytes()).unwrap(), [reply]);
    }

    #[test]
    fn what_is_parsed_is_rendered_back(text in "([2-5][0-9]{2}[ -][ -~]{0,40}\r\n){1,5}") {
        if let Ok(replies) = parse(text.as_bytes()) {
            let rendered: String = replies.iter().map(wire).collect();
            prop_assert!(text.starts_with(&rendered));
        }
    }

    #[test]
    fn no_octets_make_it_panic(octets in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse(&octets);
    }
}
