//! certificates - once a day: are those in use still good for some days?
//!
//! A start and a reload say it too. But where the renewal broke there is no reload, and nobody looks until users call.
//! Not here: their dates (`net::tls`), the first look (`config`).

use std::time::Duration;

use tokio::time::sleep;

use super::listeners::ListenerContext;
use super::notify;
use crate::clock::Clock;
use crate::drain::Drain;
use crate::net::tls::Certificate;
use crate::report::events;
use gatepost_core::moment::Moment;

/// From one look to the next.
const DAY: Duration = Duration::from_secs(86_400);

/// Until the drain: tells log and operator of certificates in use that are due.
pub(in crate::server) async fn watch_in_use(context: ListenerContext) {
    let in_use = || context.services.tls.certificates();
    let now = Clock::wall();
    // The log has them from the start.
    for certificate in in_use() {
        if certificate.is_due(now) {
            notify::certificate(&context, &certificate, now);
        }
    }
    let tell = |certificate: &Certificate, now| {
        tell_log(certificate, now);
        notify::certificate(&context, certificate, now);
    };
    watch(in_use, Clock::wall, tell, context.drain.clone()).await;
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

/// Until the drain: looks at the certificates in use once a day, and tells those that are due.
async fn watch(
    in_use: impl Fn() -> Vec<Certificate>,
    now: impl Fn() -> Moment,
    tell: impl Fn(&Certificate, Moment),
    mut drain: Drain,
) {
    loop {
        tokio::select! {
            () = sleep(DAY) => {}
            () = drain.begun() => return,
        }
        let now = now();
        for certificate in in_use().iter().filter(|one| one.is_due(now)) {
            tell(certificate, now);
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
        let looks = Cell::new(0);
        let now = || {
            looks.set(looks.get() + 1);
            Moment::EPOCH + DAY * (70 + looks.get())
        };
        let told = RefCell::new(Vec::new());
        let tell = |one: &Certificate, now: Moment| {
            let day = now.as_seconds() / 86_400;
            told.borrow_mut().push((one.names[0].to_string(), day));
        };
        let in_use = || vec![certificate("a", 90), certificate("b", 900)];
        let (_drainer, drain) = drain::channel();
        let watched = timeout(DAY * 25 - DAY / 2, watch(in_use, now, tell, drain));
        assert!(watched.await.is_err(), "it goes on");
        assert_eq!(looks.get(), 24);
        let expected: Vec<_> = (77..95).map(|day| ("a".to_owned(), day)).collect();
        assert_eq!(told.into_inner(), expected);
    }

    #[test]
    fn a_short_life_is_due_in_its_last_third() {
        let at = |hours: u32| certificate("a", 6).is_due(Moment::EPOCH + DAY / 24 * hours);
        assert!(!at(4 * 24) && at(4 * 24 + 1) && at(7 * 24));
    }
}
