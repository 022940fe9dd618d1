//! retry - who may try an address that did not answer last time
//!
//! Single flight: one session tries, the others wait for how it fares instead of running into the same
//! silence. A try that hangs decides only for those who were waiting when it began: Postfix may be back
//! since. When a try is no longer fresh, one of those who came after it may begin another, so that a dead
//! address is tried at most once in every such time, however many wait.
//! Not here: what a try is (`upstream`), what is known of the address (`health`).

use tokio::sync::watch;

/// The tries of one address.
#[derive(Debug, Default)]
pub(super) struct Retries(watch::Sender<Tries>);

#[derive(Debug, Default)]
struct Tries {
    /// The number of the latest.
    begun: u64,
    /// The highest number of one that failed.
    failed: u64,
    under_way: u32,
    /// The number of the one that is under way and fresh: no other may begin.
    fresh: Option<u64>,
}

impl Tries {
    /// Whether one that came when `known` tries had begun may begin another.
    fn may_begin(&self, known: u64) -> bool {
        // A try that began later decides for it, unless that was dropped before it came to an end.
        self.fresh.is_none() && (self.begun == known || self.under_way == 0)
    }

    /// Whether that was the fresh one.
    fn age(&mut self, number: u64) -> bool {
        let fresh = self.fresh == Some(number);
        if fresh {
            self.fresh = None;
        }
        fresh
    }
}

/// What one that met a silent address does.
#[derive(Debug)]
pub(super) enum Next {
    /// Try, and tell by the [`Retry`] how that went.
    Try(Retry),
    /// The address answers again.
    Go,
    /// A try that began after we came has failed.
    GiveUp,
}

/// One try under way. Dropped, it has failed nobody: whoever waits may begin another.
#[derive(Debug)]
pub(super) struct Retry {
    tries: watch::Sender<Tries>,
    number: u64,
}

impl Retries {
    /// Waits until it is known what to do; at once, where no try is under way. Cancel-safe.
    pub(super) async fn next(&self, is_dead: impl Fn() -> bool) -> Next {
        let mut tries = self.0.subscribe();
        let known = tries.borrow_and_update().begun;
        loop {
            if !is_dead() {
                return Next::Go;
            }
            if tries.borrow_and_update().failed > known {
                return Next::GiveUp;
            }
            if let Some(retry) = self.begin(known) {
                return Next::Try(retry);
            }
            if tries.changed().await.is_err() {
                // Not while `self` holds a sender.
                return Next::GiveUp;
            }
        }
    }

    fn begin(&self, known: u64) -> Option<Retry> {
        let mut number = None;
        self.0.send_if_modified(|tries| {
            if tries.may_begin(known) {
                tries.begun += 1;
                tries.under_way += 1;
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
    /// Some time has passed: another may begin beside it.
    pub(super) fn is_old(&self) {
        self.tries.send_if_modified(|tries| tries.age(self.number));
    }

    /// It met nobody. Those who waited for it need not try.
    pub(super) fn failed(&self) {
        self.tries
            .send_modify(|tries| tries.failed = tries.failed.max(self.number));
    }
}

impl Drop for Retry {
    fn drop(&mut self) {
        self.tries.send_modify(|tries| {
            tries.under_way = tries.under_way.saturating_sub(1);
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

    type Waiting<'a> = Pin<Box<dyn Future<Output = Next> + 'a>>;

    /// What one that waits is told now, if anything.
    fn now(waiting: &mut Waiting<'_>) -> Option<Next> {
        match waiting
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(next) => Some(next),
            Poll::Pending => None,
        }
    }

    /// One that comes now. It is polled once, and so has come.
    fn comes<'a>(retries: &'a Retries, dead: &'a Cell<bool>) -> (Waiting<'a>, Option<Next>) {
        let mut waiting: Waiting<'a> = Box::pin(retries.next(|| dead.get()));
        let told = now(&mut waiting);
        (waiting, told)
    }

    fn tries(told: Option<Next>) -> Retry {
        match told {
            Some(Next::Try(retry)) => retry,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_tries_and_its_failure_decides_for_nobody_who_came_after() {
        let (retries, dead) = (Retries::default(), Cell::new(true));
        let first = tries(comes(&retries, &dead).1);
        let (mut waiting, told) = comes(&retries, &dead);
        assert!(told.is_none());
        first.failed();
        drop(first);
        let second = tries(now(&mut waiting));
        second.failed();
        drop(second);
        assert!(matches!(comes(&retries, &dead).1, Some(Next::Try(_))));
    }

    #[test]
    fn beside_a_try_that_hangs_another_begins_and_decides_for_those_who_wait() {
        let (retries, dead) = (Retries::default(), Cell::new(true));
        let hangs = tries(comes(&retries, &dead).1);
        let mut waiting: Vec<_> = (0..3).map(|_| comes(&retries, &dead).0).collect();
        hangs.is_old();
        let second = tries(now(&mut waiting[0]));
        assert!(waiting[1..].iter_mut().all(|one| now(one).is_none()));
        // No longer fresh, but it has begun after those came: they leave it at that.
        second.is_old();
        assert!(waiting[1..].iter_mut().all(|one| now(one).is_none()));
        second.failed();
        for one in &mut waiting[1..] {
            assert!(matches!(now(one), Some(Next::GiveUp)));
        }
        drop((hangs, second));
    }

    #[test]
    fn an_address_that_answers_again_is_open_to_all() {
        let (retries, dead) = (Retries::default(), Cell::new(true));
        let retry = tries(comes(&retries, &dead).1);
        let (mut waiting, _) = comes(&retries, &dead);
        dead.set(false);
        drop(retry);
        assert!(matches!(now(&mut waiting), Some(Next::Go)));
    }

    #[test]
    fn a_try_that_is_dropped_leaves_its_place_to_one_that_waits() {
        let (retries, dead) = (Retries::default(), Cell::new(true));
        let hangs = tries(comes(&retries, &dead).1);
        let (mut waiting, _) = comes(&retries, &dead);
        let (mut second, _) = comes(&retries, &dead);
        hangs.is_old();
        drop(tries(now(&mut second)));
        assert!(now(&mut waiting).is_none(), "one is still under way");
        drop(hangs);
        assert!(matches!(now(&mut waiting), Some(Next::Try(_))));
    }
}
