//! first_days - whether those who log in are known already, so that settling in may end before its time
//!
//! Each day of settling in is a count of users who logged in, by whether they were known before. After a day with at
//! least ten of them, nine of ten known, there is little left to forgive. Each user counts once a day, so that one
//! account does not decide. It does not outlive the process: then another day is counted.
//! Not here: what settling in forgives (`settling`), since when it lasts (`gate`).

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::gate::request::keys::UserId;

const DAY: Duration = Duration::from_secs(86_400);
/// Users that make a day tell something.
const LEAST: usize = 10;
/// Users of a day that are counted: as many tell enough.
const MOST: usize = 4_096;

/// Who logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) enum LoginBy {
    Known,
    New,
}

#[derive(Default)]
pub(in crate::gate) struct FirstDays(Mutex<CountedDay>);

#[derive(Default)]
struct CountedDay {
    number: u64,
    /// Users by the local parts of their names.
    users: HashSet<u32>,
    known: usize,
}

impl FirstDays {
    /// A login so long after settling in began. Whether the last day counted shows that it may end.
    pub(in crate::gate) fn login(&self, user: UserId, who: LoginBy, age: Duration) -> bool {
        let mut day = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = age.as_secs() / DAY.as_secs();
        let is_over = number > day.number && day.is_settled();
        if number != day.number {
            *day = CountedDay {
                number,
                ..CountedDay::default()
            };
        }
        if day.users.len() < MOST && day.users.insert(user.local_part()) {
            day.known += usize::from(who == LoginBy::Known);
        }
        is_over
    }
}

impl CountedDay {
    fn is_settled(&self) -> bool {
        let users = self.users.len();
        users >= LEAST && self.known * 10 >= users * 9
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One day's logins of users, known and new, many times each; whether settling is over when the next begins.
    fn is_over_after(known: u64, new: u64) -> bool {
        let days = FirstDays::default();
        let logins = (0..known).map(|user| (user, LoginBy::Known));
        let logins = logins.chain((0..new).map(|user| (1_000 + user, LoginBy::New)));
        for (user, who) in logins {
            for hour in 0..24 {
                let age = DAY * 2 + Duration::from_secs(3600 * hour);
                assert!(!days.login(UserId(user << 32), who, age));
            }
        }
        days.login(UserId(0), LoginBy::Known, DAY * 3)
    }

    #[test]
    fn it_is_over_after_a_day_of_ten_users_nine_of_them_known() {
        assert!(is_over_after(10, 0) && is_over_after(9, 1) && is_over_after(90, 10));
    }

    #[test]
    fn it_goes_on_while_few_log_in_or_many_are_new() {
        for (known, new) in [(9, 0), (1, 0), (8, 2), (89, 11), (0, 300)] {
            assert!(!is_over_after(known, new), "{known} known, {new} new");
        }
    }
}
