//! user_lines - the lines about accounts that are logged in: all of an ordinary user's, and no flood by one account
//!
//! A client that has a password can log in without end, and each login is two lines. So each account has a bucket of
//! lines; what is beyond it is counted, for the account's next line and for the summary. An account is one mailbox, by
//! whatever names. Memory is bounded: an account whose bucket is full again is forgotten where there are too many. Where
//! all of them have just written, the others' lines are written too: an attacker does not have so many accounts.
//! Not here: lines about strangers (`quiet`), what is written (`events`).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::quiet::{LineBudget, LineRate, Say, Summary};
use gatepost_core::capacity::give_back;
use gatepost_core::gate::request::keys::UserId;
use gatepost_core::moment::Moment;

/// Lines of one account.
const RATE: LineRate = LineRate {
    burst: 60,
    every: Duration::from_secs(5),
};

/// Accounts that are remembered, of some 100 octets each.
const ACCOUNTS: usize = 10_000;

/// How often those are looked for that need not be.
const SWEEP: Duration = Duration::from_secs(1);

/// Limits the lines of each account.
#[derive(Debug, Default)]
pub(in crate::report) struct UserLines(Mutex<UserLineBook>);

#[derive(Debug, Default)]
struct UserLineBook {
    accounts: HashMap<UserId, UserLineRow>,
    swept: Moment,
    summary: Summary,
}

#[derive(Debug)]
struct UserLineRow {
    budget: LineBudget,
    /// Since its last line.
    suppressed: u32,
}

impl UserLines {
    /// Asks to write a line about `user`, for `reason`.
    pub(in crate::report) fn ask(&self, user: UserId, reason: &'static str, now: Moment) -> Say {
        let mut book = self.lock();
        if !book.has_room(user, now) {
            return Say::Now { suppressed: 0 };
        }
        let row = book.accounts.entry(user).or_insert_with(|| UserLineRow {
            budget: LineBudget::new(RATE),
            suppressed: 0,
        });
        if row.budget.take_line(now) {
            let suppressed = std::mem::take(&mut row.suppressed);
            return Say::Now { suppressed };
        }
        row.suppressed = row.suppressed.saturating_add(1);
        *book.summary.entry(reason).or_default() += 1;
        Say::Counted
    }

    /// What was only counted since the last call, by reason.
    pub(in crate::report) fn take_summary(&self) -> Summary {
        std::mem::take(&mut self.lock().summary)
    }

    fn lock(&self) -> MutexGuard<'_, UserLineBook> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UserLineBook {
    fn has_room(&mut self, user: UserId, now: Moment) -> bool {
        let is_full = |book: &Self| book.accounts.len() >= ACCOUNTS;
        if !is_full(self) || self.accounts.contains_key(&user) {
            return true;
        }
        if now.since(self.swept) >= SWEEP {
            self.swept = now;
            self.accounts.retain(|_, row| !row.budget.is_full(now));
            give_back(&mut self.accounts);
        }
        !is_full(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Moment = Moment::from_seconds(1_000_000);

    fn id(number: u64) -> UserId {
        format!("{number:x}").parse().unwrap()
    }

    fn written(lines: &UserLines, user: u64, now: Moment) -> bool {
        matches!(lines.ask(id(user), "accept", now), Say::Now { .. })
    }

    #[test]
    fn an_account_that_logs_in_without_end_writes_sixty_lines_and_one_in_five_seconds() {
        let lines = UserLines::default();
        let in_an_hour = (0..360_000_u64).filter(|number| {
            let now = START + Duration::from_millis(number * 10);
            written(&lines, 1, now)
        });
        let count = in_an_hour.count();
        assert_eq!(count, 60 + 719);
        let summary = lines.take_summary();
        assert_eq!(summary, Summary::from([("accept", 360_000 - 779)]));
        assert!(lines.take_summary().is_empty(), "it is told once");
    }

    #[test]
    fn beside_it_every_line_of_an_ordinary_user_is_written() {
        let lines = UserLines::default();
        for second in 0..3_600 {
            let now = START + Duration::from_secs(second);
            for _ in 0..100 {
                written(&lines, 1, now);
            }
            if second % 10 == 0 {
                assert!(
                    written(&lines, 2, now) && written(&lines, 2, now),
                    "{second}"
                );
            }
        }
    }

    #[test]
    fn the_next_line_of_an_account_tells_how_many_there_were() {
        let lines = UserLines::default();
        (0..60).for_each(|_| assert!(written(&lines, 1, START)));
        (0..5).for_each(|_| assert!(!written(&lines, 1, START)));
        let later = START + RATE.every;
        let said = lines.ask(id(1), "session", later);
        assert_eq!(said, Say::Now { suppressed: 5 });
    }

    #[test]
    fn of_accounts_without_end_a_bounded_number_is_remembered_and_all_are_told() {
        let lines = UserLines::default();
        for number in 0..30_000 {
            assert!(written(&lines, number, START));
        }
        assert_eq!(lines.lock().accounts.len(), ACCOUNTS);
        let later = START + RATE.every;
        assert!(written(&lines, 50_000, later));
        assert_eq!(
            lines.lock().accounts.len(),
            1,
            "the others have written long ago"
        );
    }
}
