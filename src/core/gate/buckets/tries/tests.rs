//! tests - the last tries of clients and users

use proptest::prelude::*;

use super::row::MOST_CHECKS;
use super::*;

const NOW: Moment = Moment::from_seconds(1_800_000_000);
const HERE: ClientKey = ClientKey::V4(1);
const THERE: ClientKey = ClientKey::V4(2);
const ANNA: UserId = UserId(1);

fn tries() -> Tries {
    Tries::new(512, 512, &[1; 16])
}

fn past(tries: &Tries, client: ClientKey, guess: u64) -> Past {
    tries.past(client, ANNA, Some(Guess(guess)), NOW)
}

#[test]
fn a_client_has_four_last_tries_and_a_user_eight_wrong_ones() {
    let tries = tries();
    for guess in 1..=9 {
        tries.wrong(HERE, ANNA, Some(Guess(guess)), Novelty::New, NOW);
    }
    let here = |guess| past(&tries, HERE, guess).wrong_here.is_some();
    assert_eq!(
        (5..=9).map(here).collect::<Vec<_>>(),
        [false, true, true, true, true]
    );
    let user = |guess| past(&tries, THERE, guess).wrong_for_user.is_some();
    assert!(!user(1) && (2..=9).all(user));
    assert!(!past(&tries, THERE, 9).repeated);
}

#[test]
fn nobodys_tries_push_out_those_of_another_user_behind_the_same_address() {
    let tries = tries();
    tries.wrong(HERE, ANNA, Some(Guess(1)), Novelty::New, NOW);
    for user in 2..40 {
        for guess in 0..5 {
            let guess = Some(Guess(100 * user + guess));
            tries.wrong(HERE, UserId(user), guess, Novelty::New, NOW);
        }
    }
    assert!(past(&tries, HERE, 1).wrong_here.is_some());
    tries.forget_client(HERE);
    assert!(!past(&tries, HERE, 1).repeated);
}

#[test]
fn what_was_only_refused_is_evicted_before_what_was_paid_for() {
    let tries = tries();
    tries.wrong(HERE, ANNA, Some(Guess(1)), Novelty::New, NOW);
    let later = NOW + Duration::from_secs(3600);
    for user in 2..5_000 {
        tries.refused(THERE, UserId(user), Some(Guess(user)), later);
    }
    assert!(past(&tries, HERE, 1).wrong_here.is_some());
}

#[test]
fn trying_again_moves_a_try_to_the_front() {
    let tries = tries();
    for guess in [1, 2, 3, 4, 1, 5] {
        tries.wrong(HERE, ANNA, Some(Guess(guess)), Novelty::New, NOW);
    }
    assert!(past(&tries, HERE, 1).repeated);
    assert!(!past(&tries, HERE, 2).repeated);
}

#[test]
fn a_refused_try_is_repeated_but_not_wrong() {
    let tries = tries();
    tries.refused(HERE, ANNA, Some(Guess(1)), NOW);
    let past = past(&tries, HERE, 1);
    assert!(past.repeated);
    assert_eq!(
        (past.wrong_here, past.wrong_for_user, past.failed),
        (None, None, None)
    );
}

#[test]
fn a_hidden_password_repeats_nothing_but_its_failure_counts() {
    let tries = tries();
    tries.wrong(HERE, ANNA, None, Novelty::New, NOW);
    let past = tries.past(HERE, ANNA, None, NOW);
    assert!(!past.repeated);
    assert_eq!(past.failed, Some(NOW));
}

#[test]
fn a_repetition_is_no_new_failure() {
    let tries = tries();
    tries.wrong(HERE, ANNA, Some(Guess(1)), Novelty::Repeat, NOW);
    assert_eq!(past(&tries, HERE, 1).failed, None);
    let wrong = |checks| Some(WrongTry { at: NOW, checks });
    assert_eq!(past(&tries, HERE, 1).wrong_here, wrong(0));
    for checks in 1..=20 {
        tries.wrong(HERE, ANNA, Some(Guess(1)), Novelty::Repeat, NOW);
        assert_eq!(past(&tries, HERE, 1).wrong_here, wrong(checks.min(15)));
    }
    tries.wrong(HERE, ANNA, Some(Guess(1)), Novelty::New, NOW);
    assert_eq!(past(&tries, HERE, 1).wrong_here, wrong(0));
}

#[test]
fn what_postfix_said_of_a_try_stays_known_when_it_is_refused_or_not_answered_later() {
    let tries = tries();
    let later = NOW + Duration::from_secs(90);
    tries.wrong(HERE, ANNA, Some(Guess(1)), Novelty::New, NOW);
    tries.refused(HERE, ANNA, Some(Guess(1)), later);
    let wrong = |checks| Some(WrongTry { at: NOW, checks });
    assert_eq!(past(&tries, HERE, 1).wrong_here, wrong(0));
    tries.stalled(HERE, ANNA, Some(Guess(1)), later);
    assert_eq!(past(&tries, HERE, 1).wrong_here, wrong(1));
    assert_eq!(past(&tries, HERE, 1).fate_here, Fate::Wrong);
    tries.stalled(HERE, ANNA, Some(Guess(2)), later);
    assert_eq!(past(&tries, HERE, 2).fate_here, Fate::Stalled);
}

#[test]
fn a_password_that_turned_out_right_is_forgotten() {
    let tries = tries();
    for guess in [1, 2] {
        tries.wrong(HERE, ANNA, Some(Guess(guess)), Novelty::New, NOW);
    }
    tries.right(HERE, ANNA, Some(Guess(1)), NOW);
    assert!(!past(&tries, HERE, 1).repeated);
    assert_eq!(past(&tries, HERE, 1).wrong_for_user, None);
    assert!(past(&tries, HERE, 2).wrong_here.is_some());
}

proptest! {
    #[test]
    fn a_row_is_read_back_as_it_was_written(
        entries in prop::array::uniform8((any::<u64>(), any::<u32>(), 0u8..4, 0..=MOST_CHECKS)),
        client in any::<u32>(),
    ) {
        let entry = |(guess, at, fate, checks)| Entry {
            guess,
            at,
            fate: [Fate::None, Fate::Refused, Fate::Wrong, Fate::Stalled][usize::from(fate)],
            checks,
        };
        let uncounted = entries.map(|(guess, at, fate, _)| entry((guess, at, fate, 0)));
        let user = OfUser { entries: uncounted, client };
        prop_assert_eq!(OfUser::unpack(&user.pack::<USER_WORDS>()), user);
        let four = [entries[0], entries[1], entries[2], entries[3]];
        let client = OfPair { entries: four.map(entry), client };
        prop_assert_eq!(OfPair::unpack(&client.pack::<PAIR_WORDS>()), client);
    }
}
