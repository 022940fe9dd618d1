//! tests - what logins earn, for which client, and how long it is kept

use super::*;
use proptest::prelude::*;

const QUOTA: EarningQuota = EarningQuota {
    most: 3,
    clients: 2,
};
const OFFICE: ClientKey = ClientKey::V4(1);

fn at(hours: u64) -> Moment {
    Moment::from_seconds(1_800_000_000 + hours * 3600)
}

fn user(number: u64) -> UserId {
    UserId(number << 32 | number)
}

fn credit() -> Credit {
    Credit::new(512, &[1; 16])
}

fn left(credit: &Credit, client: ClientKey, hours: u64) -> u32 {
    credit.left(Key::client(client), at(hours))
}

#[test]
fn the_first_user_of_a_client_earns_nothing_and_each_further_one_a_token_up_to_the_most() {
    let credit = credit();
    for (number, tokens) in [(1, 0), (2, 1), (3, 2), (4, 3), (5, 3)] {
        credit.login(OFFICE, user(number), QUOTA, Need::None, at(0));
        assert_eq!(left(&credit, OFFICE, 0), tokens);
    }
}

#[test]
fn one_user_earns_where_the_client_is_short_once_a_day_and_for_two_clients() {
    let credit = credit();
    let login = |client, hours| {
        let client = ClientKey::V4(client);
        credit.login(client, user(1), QUOTA, Need::Short, at(hours))
    };
    let earned = [
        login(1, 0),
        login(1, 1),
        login(2, 2),
        login(3, 3),
        login(4, 23),
    ];
    assert_eq!(earned, [true, false, true, false, false]);
    assert!(login(5, 24) && !login(6, 25) && login(1, 26) && !login(2, 27));
}

#[test]
fn names_with_one_local_part_earn_once() {
    let credit = credit();
    let name = |domain: u64| UserId(7 << 32 | domain);
    assert!(credit.login(OFFICE, name(1), QUOTA, Need::Short, at(0)));
    assert!((2..90).all(|domain| !credit.login(OFFICE, name(domain), QUOTA, Need::Short, at(0))));
}

#[test]
fn tokens_are_taken_once_given_back_and_gone_after_a_week_without_a_login() {
    let credit = credit();
    for number in 1..=3 {
        credit.login(OFFICE, user(number), QUOTA, Need::None, at(0));
    }
    let key = Key::client(OFFICE);
    let taken: Vec<bool> = (0..3).map(|_| credit.take(key, at(1))).collect();
    assert_eq!(taken, [true, true, false]);
    credit.give_back(key, at(1));
    assert_eq!(left(&credit, OFFICE, 7 * 24 - 1), 1);
    assert_eq!(left(&credit, OFFICE, 7 * 24), 0);
    credit.give_back(Key::client(ClientKey::V4(9)), at(1));
    assert_eq!(left(&credit, ClientKey::V4(9), 1), 0, "it never had one");
}

#[test]
fn an_office_whose_second_user_left_a_week_ago_is_one_user() {
    let credit = credit();
    credit.login(OFFICE, user(1), QUOTA, Need::None, at(0));
    credit.login(OFFICE, user(2), QUOTA, Need::None, at(1));
    let day = |day: u64| credit.login(OFFICE, user(2), QUOTA, Need::None, at(24 * day + 2));
    let earned: Vec<bool> = (1..9).map(day).collect();
    assert_eq!(earned, [true, true, true, true, true, true, false, false]);
}

#[test]
fn nobody_earns_twice_by_pushing_a_row_out() {
    let credit = Credit::new(8, &[1; 16]);
    let all = |hours| {
        let earned = (1..1_000).filter(|number| {
            let client = ClientKey::V4(5);
            credit.login(client, user(*number), QUOTA, Need::Short, at(hours))
        });
        earned.count()
    };
    assert_eq!(all(0), 8);
    assert_eq!(all(1), 0);
    assert!(credit.evictions() > 1_900);
}

proptest! {
    #[test]
    fn rows_are_read_back_as_they_were_written(
        tokens in any::<u8>(),
        words in any::<[u32; 3]>(),
        earned in any::<[(u32, u32); CLIENTS_A_DAY]>(),
    ) {
        let [user, last, other] = words;
        let credit = ClientCredit { tokens, user, last, other };
        prop_assert_eq!(ClientCredit::unpack(&credit.pack()), credit);
        let earnings = earned.map(|(client, at)| Earning { client, at });
        prop_assert_eq!(unpack(&pack(earnings)), earnings);
    }
}
