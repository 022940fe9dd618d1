//! tests - folding, the list, and what two users share

use std::time::Duration;

use super::*;
use crate::gate::request::client::ClientKey;

const NOW: Moment = Moment::from_seconds(1_800_000_000);

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
    Word::of(
        password.as_bytes(),
        &UserName::new(user.as_bytes()),
        &keys(),
        &Ladder::default(),
    )
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
fn an_owners_password_that_was_refused_once_leaves_no_mark_when_it_is_accepted() {
    let seen = Seen::new(512, &[1; 16]);
    let word = of("Zwiebelkuchen1", "");
    seen.note(word, UserId(1), network(1), NOW);
    seen.is_right(word, UserId(2), NOW);
    seen.is_right(word, UserId(1), NOW);
    seen.note(word, UserId(2), network(2), NOW);
    assert!(!seen.is_word(word), "nobody else's");
    // What two have tried stays a word, whose password it may be.
    seen.note(word, UserId(3), network(3), NOW);
    seen.is_right(word, UserId(2), NOW);
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
