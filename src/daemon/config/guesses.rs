//! guesses - what a config lets strangers guess in a day, and the warning where that is a lot
//!
//! A day is what comes back of each bucket; what they hold when full is had once. Not here: the buckets (`limits`).

use std::fmt;

use super::finding::{Findings, Remark};
use gatepost_core::gate::buckets::spec::Bucket;
use gatepost_core::gate::request::settings::Quotas;

/// Guesses at one account that are too many, a day.
const MANY_AT_ONE: u64 = 1_000;
const DAY: u128 = 86_400_000_000_000;
/// The buckets that all strangers pay from.
const SHARED: [Bucket; 4] = [
    Bucket::Near,
    Bucket::Words,
    Bucket::Unknown,
    Bucket::Strangers,
];

/// The guesses by strangers that can reach Postfix in a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuessBound {
    /// At all accounts together, while no user is known.
    fixed: u64,
    /// And for each known user.
    each: u64,
    /// At one account.
    account: u64,
}

impl GuessBound {
    /// What these quotas let through.
    pub fn of(quotas: &Quotas) -> Self {
        let daily = |bucket: Bucket| {
            let every = quotas.of(bucket).base.every.as_nanos().max(1);
            u64::try_from(DAY / every).unwrap_or(u64::MAX)
        };
        let grown = |bucket: Bucket| u64::from(quotas.of(bucket).daily_per_user.unwrap_or(0));
        let sum = |each: &dyn Fn(Bucket) -> u64| {
            let all = SHARED.into_iter();
            all.fold(0, |sum: u64, bucket| sum.saturating_add(each(bucket)))
        };
        let (fixed, each) = (sum(&daily), sum(&grown));
        let own = [Bucket::UserNear, Bucket::UserFar, Bucket::UserCredit];
        let own = own.map(daily).into_iter().fold(0, u64::saturating_add);
        Self {
            fixed,
            each,
            account: own.min(fixed.saturating_add(each)),
        }
    }

    /// Warns where one account can be guessed at too often, or each of many.
    pub(super) fn judge(self, findings: &mut Findings) {
        let most = self.account.max(self.each);
        if most > MANY_AT_ONE || self.fixed > DAY_OF_SECONDS {
            findings.warn(
                Remark::of_file(format!("the limits let strangers guess a lot: {self}")).help(
                    "make `every` longer in limits.user, limits.near, limits.strangers, limits.words and limits.unknown; \
                     the defaults are 72 a day at one account and 1632 at all",
                ),
            );
        }
    }
}

/// What an account that logs in where guesses come from earns its client a day, in guesses.
const EARNED: u64 = 2;

/// One a second: more than any list of passwords needs.
const DAY_OF_SECONDS: u64 = 86_400;

impl fmt::Display for GuessBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            fixed,
            each,
            account,
        } = self;
        write!(
            f,
            "at most {fixed} a day, {each} more for each known user, {EARNED} for each account that logs in where guesses come from, \
             and {account} at one account"
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::testing::findings;

    fn warned(change: impl Fn(&mut Quotas)) -> usize {
        let mut quotas = Quotas::default();
        change(&mut quotas);
        let mut findings = findings();
        GuessBound::of(&quotas).judge(&mut findings);
        findings.conclude().unwrap().len()
    }

    fn every(bucket: Bucket, seconds: u64) -> usize {
        warned(|quotas| {
            quotas.change(bucket, |quota| {
                quota.base.every = Duration::from_secs(seconds);
            });
        })
    }

    #[test]
    fn the_defaults_are_the_bound_that_is_promised() {
        let bound = GuessBound::of(&Quotas::default()).to_string();
        let told = "at most 1632 a day, 6 more for each known user, 2 for each account that logs in where guesses come from, \
                    and 72 at one account";
        assert_eq!(bound, told);
        assert_eq!(warned(|_| ()), 0);
    }

    #[test]
    fn more_than_a_thousand_a_day_at_one_account_are_warned_of() {
        // A third of a thousand a day from far, and a little more; near and in credit as many: one setting is for all three.
        assert_eq!(every(Bucket::UserFar, 259), 0);
        assert_eq!(every(Bucket::UserFar, 258), 1);
        assert_eq!(every(Bucket::Strangers, 2), 0);
        assert_eq!(every(Bucket::Strangers, 1), 1);
    }
}
