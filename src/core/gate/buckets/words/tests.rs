//! tests - folding, the list, and what two users share

use std::time::Duration;

use super::*;
use crate::gate::request::client::ClientKey;

/// Behind so many octets nothing is left out.
const OCTETS_COMPARED: usize = 16;
const NOW: Moment = Moment::from_seconds(1_800_000_000);
/// When whoever mistyped has long corrected it.
const LATER: Moment = Moment::from_seconds(1_800_000_600);

fn keys() -> Keys {
    Keys {
        users: [1; 16],
        passwords: [2; 16],
        table: [3; 16],
    }
}

fn folded(password: &str, user: &str) -> String {
    let folded = fold(password.as_bytes(), &UserName::new(user.as_bytes()));
    String::from_utf8(folded.to_vec()).unwrap()
}

fn of(password: &str, user: &str) -> Word {
    let (user, ladder) = (UserName::new(user.as_bytes()), Ladder::default());
    FoldedPassword::new(password.as_bytes(), &user, &ladder).word(&keys(), &ladder)
}

fn network(n: u32) -> NetworkKey {
    ClientKey::V4(n << 8).network()
}

#[test]
fn folding_lowers_cuts_the_own_name_and_trims_digits_and_signs() {
    for (password, user, want) in [
        ("Summer2024!", "anna", "summer"),
        ("##1summer7", "anna", "summer"),
        ("Anna1990", "anna", ""),
        ("anna.smith@example.org", "anna.smith@example.org", ""),
        ("AnnaSmith2024", "anna.smith@example.org", ""),
        ("Example123", "anna@example.org", ""),
        ("mail.example!", "anna@mail.example.org", ""),
        ("orgel", "anna@example.org", "orgel"),
        ("a1b2c3", "", "a1b2c"),
        ("123456", "anna", ""),
        ("", "anna", ""),
        ("Zürich1", "anna", "zürich"),
        ("xannay", "anna", "xy"),
        ("anannana", "anna", ""),
        ("Annabell1", "anna.annabell@example.org", ""),
    ] {
        assert_eq!(folded(password, user), want, "{password} for {user}");
    }
}

#[test]
fn empty_and_common_passwords_are_words_and_good_ones_are_not() {
    for password in [
        "", "123456", "anna2024", "password", "Qwerty!", "Dragon99", "iloveyou",
    ] {
        assert_eq!(of(password, "anna@example.org"), Word::Common, "{password}");
    }
    for password in [
        "correct horse battery staple",
        "vK9#wrQz!Lp2mX",
        "Zwiebelkuchenfest",
    ] {
        assert_ne!(of(password, "anna@example.org"), Word::Common, "{password}");
    }
}

#[test]
fn every_line_of_the_list_is_found_and_what_lies_between_is_not() {
    let words: Vec<&str> = COMMON
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    assert_eq!(words.len(), 14_744);
    for word in &words {
        assert!(is_common(word.as_bytes()), "{word}");
        let next = format!("{word}\u{1}");
        assert!(!is_common(next.as_bytes()), "{word}");
    }
    assert!(
        words
            .windows(2)
            .all(|two| two[0].as_bytes() < two[1].as_bytes())
    );
    assert!(!is_common(b"") && !is_common(b"\xff\xff") && !is_common(b"passwor\n"));
}

#[test]
fn a_password_tried_for_two_users_from_two_networks_is_a_word() {
    let seen = Seen::new(512, &[1; 16]);
    let word = of("Zwiebelkuchen1", "");
    assert_eq!(of("zwiebelkuchen!", ""), word);
    seen.note(word, UserId(1), network(1), NOW);
    seen.note(word, UserId(1), network(2), NOW);
    seen.note(word, UserId(2), network(1), NOW);
    assert!(!seen.is_word(word));
    seen.note(word, UserId(2), network(2), NOW);
    assert!(seen.is_word(word));
    // Once a word, always a word, as long as it is remembered.
    seen.note(word, UserId(1), network(1), NOW);
    assert!(seen.is_word(word));
}

#[test]
fn a_flood_of_unique_passwords_does_not_push_shared_words_out() {
    let seen = Seen::new(512, &[1; 16]);
    let shared = Word::Rare(7);
    seen.note(shared, UserId(1), network(1), NOW);
    seen.note(shared, UserId(2), network(2), NOW);
    for n in 0..100_000 {
        let later = NOW + Duration::from_secs(n / 10);
        seen.note(Word::Rare(1000 + n), UserId(n), network(n as u32), later);
    }
    assert!(seen.is_word(shared));
}

fn variants(password: &str, user: u64) -> Variants {
    let (name, ladder) = (UserName::new(Vec::new()), Ladder::default());
    let folded = FoldedPassword::new(password.as_bytes(), &name, &ladder);
    Variants::of(&folded, UserId(user), &keys(), &ladder)
}

/// Passwords that strangers tried at user 1 some time ago, each with where it was tried.
fn tried(passwords: &[(&str, u32)]) -> SeenVariants {
    let seen = SeenVariants::new(4096, &[1; 16]);
    for (password, from) in passwords {
        let guess = keys().guess(UserId(1), password.as_bytes());
        seen.wrong(
            UserId(1),
            network(*from),
            (guess, variants(password, 1)),
            NOW,
        );
    }
    assert!(
        passwords
            .iter()
            .all(|(password, _)| !seen.has_any(&variants(password, 1), NOW))
    );
    seen
}

/// Two strangers have tried these at user 1; whether the third is a variant of both.
fn is_variant(first: &str, second: &str, third: &str) -> bool {
    tried(&[(first, 1), (second, 2)]).has_any(&variants(third, 1), LATER)
}

#[test]
fn what_is_one_edit_from_two_strangers_passwords_is_a_variant() {
    for third in [
        "zwiebelfest",
        "ZWIEBELFEST-2031",
        "zwiebeelfest",
        "zwiebefest",
        "zwiebolfest",
        "wiebelfest",
        "zwiebelfes7",
        "xzwiebelfest",
    ] {
        assert!(is_variant("Zwiebelfest1", "zwiebelfest!", third), "{third}");
    }
    // A chain: each is one edit from the one before.
    assert!(is_variant("zwiebelfest", "zwiebolfest", "zwiebulfest"));
    for other in ["zwoebolfest", "zwiebel", "festzwiebel", "kuchenfest", ""] {
        assert!(
            !is_variant("Zwiebelfest1", "zwiebelfest!", other),
            "{other}"
        );
    }
}

#[test]
fn every_edit_of_the_first_sixteen_octets_is_found_and_none_behind_them() {
    let word = "abcdefghijklmnoprstuv";
    for at in 0..word.len() {
        let (head, tail) = word.split_at(at);
        for edited in [
            format!("{head}{}", &tail[1..]),
            format!("{head}q{}", &tail[1..]),
            format!("{head}q{tail}"),
        ] {
            let found = is_variant(word, "ABCDEFGHIJKLMNOPRSTUV7", &edited);
            assert_eq!(found, at < OCTETS_COMPARED, "{edited}");
        }
    }
}

#[test]
fn one_password_one_network_another_user_and_short_words_make_no_variant() {
    let third = variants("Zwiebelfest3", 1);
    // An old phone that roams.
    let phone: Vec<_> = (0..9).map(|from| ("Zwiebelfest1", from)).collect();
    assert!(!tried(&phone).has_any(&third, LATER));
    // Somebody who mistypes in a hotel.
    let hotel = ["Zwiebelfest1", "Zwiebelfest2", "Zwiebelfest4"].map(|password| (password, 7));
    assert!(!tried(&hotel).has_any(&third, LATER));
    let strangers = tried(&[("Zwiebelfest1", 1), ("Zwiebelfest2", 2)]);
    assert!(strangers.has_any(&third, LATER));
    assert!(!strangers.has_any(&variants("Zwiebelfest3", 2), LATER));
    assert!(
        !is_variant("xkcd1", "xkcd2", "xkcd3"),
        "four letters are too short"
    );
}

#[test]
fn what_the_right_password_follows_within_ten_minutes_was_a_typing_error() {
    let strangers = [("Zwiebelfesst", 1), ("Zwiebelfestt", 2)];
    let right = variants("Zwiebelfest", 1);
    let seen = tried(&strangers);
    // Somebody else, somewhere else.
    seen.right(UserId(2), network(1));
    seen.right(UserId(1), network(3));
    assert!(seen.has_any(&right, LATER));
    let seen = tried(&strangers);
    seen.right(UserId(1), network(2));
    assert!(!seen.has_any(&right, LATER));
}

#[test]
fn of_too_many_wrong_passwords_the_oldest_wait_no_longer() {
    let seen = tried(&[("Zwiebelfesst", 1), ("Zwiebelfestt", 2)]);
    for n in 0..1_100 {
        let password = format!("{n}Kuchen{n}schlacht");
        let guess = keys().guess(UserId(n), password.as_bytes());
        seen.wrong(UserId(n), network(9), (guess, variants(&password, n)), NOW);
    }
    assert!(seen.has_any(&variants("Zwiebelfest", 1), NOW));
}

#[test]
fn long_and_hostile_names_and_passwords_cost_little() {
    let name = "anna.".repeat(3000);
    assert!(parts(name.as_bytes()).len() <= PARTS);
    let long = "a".repeat(65);
    assert_ne!(of(&long, &name), Word::Common);
    assert_eq!(of(&"1".repeat(64), &name), Word::Common);
    // A sentence of digits is no word, and what is too long is not folded.
    assert_ne!(of(&"1".repeat(65), &name), Word::Common);
}
