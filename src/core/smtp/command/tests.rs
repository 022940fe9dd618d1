//! command/tests - lines of mail programs and of other protocols

use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(line: &str, expected: Command<'_>) {
    assert_eq!(Command::parse(line.as_bytes()), Ok(expected), "{line:?}");
}

#[track_caller]
fn check_fault(line: &[u8], expected: CommandFault) {
    assert_eq!(Command::parse(line), Err(expected), "{line:?}");
}

#[test]
fn a_verb_is_read_in_either_case_and_with_spaces_around_its_arguments() {
    check("QUIT", Command::Quit);
    check("qUiT  ", Command::Quit);
    check("RSET \t", Command::Reset);
    check("starttls", Command::StartTls);
    let name = b"laptop".as_slice();
    let verb = HelloVerb::Ehlo;
    check("EHLO  laptop ", Command::Hello { verb, name });
}

#[test]
fn every_verb_is_parsed() {
    for (line, command) in [
        ("MAIL FROM:<a@b>", Command::Transaction),
        ("RCPT TO:<a@b>", Command::Transaction),
        ("DATA", Command::Transaction),
        ("BDAT 10 LAST", Command::Chunk),
        ("NOOP anything", Command::Noop),
        ("VRFY a", Command::Verify),
        ("HELP AUTH", Command::Help),
        ("XCLIENT ADDR=127.0.0.1", Command::NotImplemented),
        ("XFORWARD NAME=x", Command::NotImplemented),
        ("ETRN x", Command::NotImplemented),
        ("TURN", Command::NotImplemented),
    ] {
        check(line, command);
    }
}

#[test]
fn auth_takes_a_mechanism_and_an_optional_initial_response() {
    let auth = |mechanism, initial: Option<&'static str>| Command::Auth {
        mechanism,
        initial: initial.map(|text| InitialResponse(text.as_bytes())),
    };
    check("AUTH PLAIN", auth(Some(Mechanism::Plain), None));
    check("AUTH PLAIN ", auth(Some(Mechanism::Plain), None));
    check("auth plain =", auth(Some(Mechanism::Plain), Some("=")));
    check(
        "AUTH  LOGIN  YQ==",
        auth(Some(Mechanism::Login), Some("YQ==")),
    );
    check("AUTH SCRAM-SHA-1-PLUS", auth(None, None));
    check("AUTH \u{e9}", auth(None, None));
    let syntax = CommandFault::Arguments("AUTH mechanism [initial-response]");
    check_fault(b"AUTH", syntax);
    check_fault(b"AUTH PLAIN a b", syntax);
}

#[test]
fn wrong_arguments_are_refused_with_the_right_form() {
    check_fault(b"EHLO", CommandFault::Arguments("EHLO hostname"));
    check_fault(b"HELO  ", CommandFault::Arguments("HELO hostname"));
    check_fault(b"STARTTLS now", CommandFault::Arguments("STARTTLS"));
    check_fault(b"RSET x", CommandFault::Arguments("RSET"));
    check_fault(b"VRFY", CommandFault::Arguments("VRFY address"));
}

#[test]
fn a_line_without_a_known_verb_is_unknown() {
    for line in ["", "QU IT", "QUITS", "HELLOWORLD", "X", "EHLO:"] {
        let parsed = Command::parse(line.as_bytes());
        let expected = if line.ends_with(':') {
            Ok(Command::Foreign)
        } else {
            Err(CommandFault::Unknown)
        };
        assert_eq!(parsed, expected, "{line:?}");
    }
}

#[test]
fn other_protocols_are_foreign() {
    for line in [
        "GET / HTTP/1.1",
        "post / HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "PRI * HTTP/2.0",
        "Content-Disposition: x",
        "Host: mx",
        "\u{16}\u{3}\u{1}",
        "* OK",
        "0123456789",
    ] {
        check(line, Command::Foreign);
    }
}

#[test]
fn the_debug_form_of_a_command_hides_its_initial_response() {
    let command = Command::parse(b"AUTH PLAIN aHVudGVyMg==");
    assert!(!format!("{command:?}").contains("aHV"));
}

#[test]
fn a_helo_name_is_cleaned_and_cut() {
    let name = |octets: &[u8]| HeloName::new(octets).map(|name| name.to_string());
    assert_eq!(name(b"[127.0.0.1]").as_deref(), Some("[127.0.0.1]"));
    assert_eq!(name(b"my pc\x1b\xe9").as_deref(), Some("my?pc??"));
    assert_eq!(name(b""), None);
    for (sent, kept) in [(254, 254), (255, 255), (256, 255)] {
        assert_eq!(name(&vec![b'x'; sent]).unwrap().len(), kept);
    }
}

proptest! {
    #[test]
    fn cleaning_a_helo_name_twice_changes_nothing(octets in proptest::collection::vec(any::<u8>(), 1..400)) {
        let name = HeloName::new(&octets).unwrap();
        prop_assert!(name.as_str().bytes().all(|octet| octet.is_ascii_graphic()));
        prop_assert_eq!(HeloName::new(name.as_str().as_bytes()), Some(name));
    }

    #[test]
    fn no_octets_make_it_panic(octets in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = Command::parse(&octets);
    }
}
