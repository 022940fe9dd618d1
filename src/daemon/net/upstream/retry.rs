//! retry - the single-flight retry of an address that did not answer last time
//!
//! One session tries; the others wait for its result. A try that hangs decides only for the sessions that
//! waited when it began, because Postfix may have recovered since. When a try is no longer fresh, a
//! session that came after it may begin another. So a dead address is tried at most once in that time,
//! independent of how many sessions wait.
//! Not here: the try itself (`upstream`), the state of the address (`health`).

use tokio::sync::watch;

/// The tries of one address.
#[derive(Debug, Default)]
pub(super) struct Retries(watch::Sender<RetryState>);

#[derive(Debug, Default)]
struct RetryState {
    /// The number of the latest try.
    begun: u64,
    /// The highest number of a try that failed.
    failed: u64,
    in_progress: u32,
    /// The number of the try in progress while it is fresh: no other may begin.
    fresh: Option<u64>,
}

impl RetryState {
    /// Whether a session that came when `known` tries had begun may begin another.
    fn may_begin(&self, known: u64) -> bool {
        // A try that began later decides for it, unless that one was dropped before its end.
        self.fresh.is_none() && (self.begun == known || self.in_progress == 0)
    }

    /// Whether this was the fresh try.
    fn age(&mut self, number: u64) -> bool {
        let fresh = self.fresh == Some(number);
        if fresh {
            self.fresh = None;
        }
        fresh
    }
}

/// What a session does at an address that did not answer.
#[derive(Debug)]
pub(super) enum RetryDecision {
    /// Try, and report the result through the [`Retry`].
    Try(Retry),
    /// The address answers again.
    Go,
    /// A try that began after the session came has failed.
    GiveUp,
}

/// A try in progress. Dropping it without a result lets a waiting session begin another.
#[derive(Debug)]
pub(super) struct Retry {
    tries: watch::Sender<RetryState>,
    number: u64,
}

impl Retries {
    /// Waits for the decision; returns at once if no try is in progress. Cancel-safe.
    pub(super) async fn next(&self, is_dead: impl Fn() -> bool) -> RetryDecision {
        let mut tries = self.0.subscribe();
        let known = tries.borrow_and_update().begun;
        loop {
            if !is_dead() {
                return RetryDecision::Go;
            }
            if tries.borrow_and_update().failed > known {
                return RetryDecision::GiveUp;
            }
            if let Some(retry) = self.begin(known) {
                return RetryDecision::Try(retry);
            }
            if tries.changed().await.is_err() {
                // Not while `self` holds a sender.
                return RetryDecision::GiveUp;
            }
        }
    }

    fn begin(&self, known: u64) -> Option<Retry> {
        let mut number = None;
        self.0.send_if_modified(|tries| {
            if tries.may_begin(known) {
                tries.begun += 1;
                tries.in_progress += 1;
                tries.fresh = Some(tries.begun);
                number = Some(tries.begun);
            }
            number.is_some()
        });
        let tries = self.0.clone();
        number.map(|number| Retry { tries, number })
    }
}

impl Retry {
    /// The try is no longer fresh: another may begin beside it.
    pub(super) fn expire(&self) {
        self.tries.send_if_modified(|tries| tries.age(self.number));
    }

    /// The try got no answer. The sessions that waited for it need not try.
    pub(super) fn failed(&self) {
        self.tries
            .send_modify(|tries| tries.failed = tries.failed.max(self.number));
    }
}

impl Drop for Retry {
    fn drop(&mut self) {
        self.tries.send_modify(|tries| {
            tries.in_progress = tries.in_progress.saturating_sub(1);
            tries.age(self.number);
        });
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    type WaitingSession<'a> = Pin<Box<dyn Future<Output = RetryDecision> + 'a>>;

    /// The decision for a waiting session, if there is one now.
    fn now(waiting: &mut WaitingSession<'_>) -> Option<RetryDecision> {
        match waiting
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(next) => Some(next),
            Poll::Pending => None,
        }
    }

    /// A session that comes now: it is polled once.
    fn comes<'a>(
        retries: &'a Retries,
        dead: &'a Cell<bool>,
    ) -> (WaitingSession<'a>, Option<RetryDecision>) {
        let mut waiting: WaitingSession<'a> = Box::pin(retries.next(|| dead.get()));
        let told = now(&mut waiting);
        (waiting, told)
    }

    fn tries(told: Option<RetryDecision>) -> Retry {
        match told {
            Some(RetryDecision::Try(retry)) => retry,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_session_tries_and_its_failure_decides_only_for_those_that_waited() {
        let (retries, dead) = (Retries::default(), Cell::new(true));
        let first = tries(comes(&retries, &dead).1);
        let (mut waiting, told) = comes(&retries, &dead);
        assert!(told.is_none());
        first.failed();
        drop(first);
        let second = tries(now(&mut waiting));
        second.failed();
        drop(second);
        assert!(matches!(
            comes(&retries, &dead).1,
            Some(RetryDecision::Try(_))
        ));
    }

    #[test]
    fn beside_a_try_that_hangs_another_begins_and_decides_for_those_who_wait() {
        let (retries, dead) = (Retries::default(), Cell::new(true));
        let hangs = tries(comes(&retries, &dead).1);
        let mut waiting: Vec<_> = (0..3).map(|_| comes(&retries, &dead).0).collect();
        hangs.expire();
        let second = tries(now(&mut waiting[0]));
        assert!(waiting[1..].iter_mut().all(|one| now(one).is_none()));
        // No longer fresh, but it began after those sessions came: they wait for it.
        second.expire();
        assert!(waiting[1..].iter_mut().all(|one| now(one).is_none()));
        second.failed();
        for one in &mut waiting[1..] {
            assert!(matches!(now(one), Some(RetryDecision::GiveUp)));
        }
        drop((hangs, second));
    }

    #[test]
    fn every_session_uses_an_address_that_answers_again() {
        let (retries, dead) = (Retries::default(), Cell::new(true));
        let retry = tries(comes(&retries, &dead).1);
        let (mut waiting, _) = comes(&retries, &dead);
        dead.set(false);
        drop(retry);
        assert!(matches!(now(&mut waiting), Some(RetryDecision::Go)));
    }

    #[test]
    fn a_dropped_try_lets_a_waiting_session_begin_another() {
        let (retries, dead) = (Retries::default(), Cell::new(true));
        let hangs = tries(comes(&retries, &dead).1);
        let (mut waiting, _) = comes(&retries, &dead);
        let (mut second, _) = comes(&retries, &dead);
        hangs.expire();
        drop(tries(now(&mut second)));
        assert!(now(&mut waiting).is_none(), "one is still under way");
        drop(hangs);
        assert!(matches!(now(&mut waiting), Some(RetryDecision::Try(_))));
    }
}
