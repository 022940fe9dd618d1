//! certificates - once a day, and when the clock was set: are those in use good, and still for some days?
//!
//! A start and a reload say it too. But where the renewal broke there is no reload, and nobody looks until users call.
//! Not here: their dates (`net::tls`), the first look (`config`).

use std::time::Duration;

use tokio::time::sleep;

use super::listeners::ListenerContext;
use super::notify;
use crate::clock::{Clock, WallWatch};
use crate::drain::Drain;
use crate::net::tls::Certificate;
use crate::report::events;
use gatepost_core::moment::Moment;

/// From one telling to the next.
const DAY: Duration = Duration::from_secs(86_400);
/// From one look at the clock to the next.
const MINUTE: Duration = Duration::from_secs(60);

/// Until the drain: tells log and operator of certificates in use that are due.
pub(in crate::server) async fn watch_in_use(context: ListenerContext) {
    let in_use = || context.services.tls.certificates();
    let now = Clock::wall();
    // The log has them from the start.
    for certificate in in_use() {
        if is_to_tell(&certificate, now) {
            notify::certificate(&context, &certificate, now);
        }
    }
    let tell = |certificate: &Certificate, now| {
        tell_log(certificate, now);
        notify::certificate(&context, certificate, now);
    };
    let clock = context.services.judging.clock;
    let clocks = || (clock.now(), Clock::wall());
    watch(in_use, clocks, tell, context.drain.clone()).await;
}

fn is_to_tell(certificate: &Certificate, wall: Moment) -> bool {
    certificate.is_due(wall) || certificate.date_problem(wall).is_some()
}

fn tell_log(certificate: &Certificate, now: Moment) {
    let (names, chain) = (certificate.names.join(", "), certificate.chain.display());
    match certificate.date_problem(now) {
        Some(problem) => {
            events::certificate(&names, &chain, &format!("{problem}: clients refuse it"));
        }
        None => {
            let days = certificate.days_left(now);
            events::certificate(&names, &chain, &format!("expires in {days} days"));
        }
    }
}

/// Until the drain: looks at the certificates in use once a day, and when the wall clock was set, and tells those that
/// are due or not valid. `clocks`: the present moment, and what the wall clock shows.
async fn watch(
    in_use: impl Fn() -> Vec<Certificate>,
    clocks: impl Fn() -> (Moment, Moment),
    tell: impl Fn(&Certificate, Moment),
    mut drain: Drain,
) {
    let (mut told, wall) = clocks();
    let mut steps = WallWatch::new(told, wall);
    loop {
        tokio::select! {
            () = sleep(MINUTE) => {}
            () = drain.begun() => return,
        }
        let (now, wall) = clocks();
        if steps.look(now, wall).is_none() && now.since(told) < DAY {
            continue;
        }
        told = now;
        for certificate in in_use().iter().filter(|one| is_to_tell(one, wall)) {
            tell(certificate, wall);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use tokio::time::timeout;

    use super::*;
    use crate::drain;

    fn certificate(name: &str, days: u64) -> Certificate {
        Certificate {
            chain: "chain.pem".into(),
            names: vec![name.into()],
            begins: Moment::EPOCH,
            expires: Moment::EPOCH + DAY * u32::try_from(days).unwrap(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_certificate_is_told_of_once_a_day_on_its_last_fourteen_days_and_after() {
        let minutes = Cell::new(0);
        let clocks = || {
            let now = Moment::EPOCH + DAY * 70 + MINUTE * minutes.get();
            minutes.set(minutes.get() + 1);
            (now, now)
        };
        let in_use = || vec![certificate("a", 90), certificate("b", 900)];
        let told = told(in_use, clocks, DAY * 25 - DAY / 2).await;
        let expected: Vec<_> = (77..95).map(|day| ("a".to_owned(), day)).collect();
        assert_eq!(told, expected);
    }

    /// What is told within this time: the name, and the day.
    async fn told(
        in_use: impl Fn() -> Vec<Certificate>,
        clocks: impl Fn() -> (Moment, Moment),
        within: Duration,
    ) -> Vec<(String, u64)> {
        let told = RefCell::new(Vec::new());
        let tell = |one: &Certificate, now: Moment| {
            let day = now.as_seconds() / 86_400;
            told.borrow_mut().push((one.names[0].to_string(), day));
        };
        let (_drainer, drain) = drain::channel();
        let watched = timeout(within, watch(in_use, clocks, tell, drain));
        assert!(watched.await.is_err(), "it goes on");
        told.into_inner()
    }

    #[tokio::test(start_paused = true)]
    async fn a_certificate_that_is_not_valid_by_a_clock_that_was_set_is_told_of_at_once_and_each_day()
     {
        let minutes = Cell::new(0);
        let clocks = || {
            let now = Moment::EPOCH + DAY * 1_000 + MINUTE * minutes.get();
            minutes.set(minutes.get() + 1);
            // Back after an hour, and right again after three days.
            let wall = match minutes.get() {
                60..4_320 => now - DAY * 990,
                _ => now,
            };
            (now, wall)
        };
        let begins = Moment::EPOCH + DAY * 100;
        let in_use = || {
            let later = certificate("a", 2_000);
            vec![Certificate { begins, ..later }]
        };
        let told = told(in_use, clocks, DAY * 9).await;
        let expected: Vec<_> = (10..13).map(|day| ("a".to_owned(), day)).collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn a_short_life_is_due_in_its_last_third() {
        let at = |hours: u32| certificate("a", 6).is_due(Moment::EPOCH + DAY / 24 * hours);
        assert!(!at(4 * 24) && at(4 * 24 + 1) && at(7 * 24));
    }
}
