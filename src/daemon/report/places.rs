//! places - one place in the code writes no more than some lines in a while
//!
//! What clients do is told by `events`, which bounds each of its events where strangers cause it. Everything else is
//! told where it happens: a Postfix that fails and recovers, a socket that refuses. Each such place may have its fault
//! again and again, and somebody may have found out how to cause it. So there is a bound for each, whatever it
//! says, and what is beyond is counted by its module for the summary. Lines at debug and trace are not bounded.
//! Not here: the bound for each client (`quiet`).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tracing::callsite::Identifier;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use super::quiet::{LineBudget, LineRate, Summary};
use crate::clock::Clock;
use gatepost_core::moment::Moment;

/// Lines of one place.
const RATE: LineRate = LineRate {
    burst: 100,
    every: std::time::Duration::from_secs(10),
};

/// The modules that bound their events themselves.
const BOUNDED: [&str; 4] = ["events", "handshakes", "end", "no_room"];

/// What was only counted in this process, by module.
static COUNTED: OnceLock<Mutex<Summary>> = OnceLock::new();

/// Bounds the lines of each place.
pub(in crate::report) struct PlaceBounds {
    clock: Clock,
    /// As many as there are places in the code.
    places: Mutex<HashMap<Identifier, LineBudget>>,
}

impl PlaceBounds {
    /// No place has written anything yet.
    pub(in crate::report) fn new(clock: Clock) -> Self {
        Self {
            clock,
            places: Mutex::default(),
        }
    }

    fn admits(&self, meta: &Metadata<'_>, now: Moment) -> bool {
        let mut places = lock(&self.places);
        let budget = places
            .entry(meta.callsite())
            .or_insert_with(|| LineBudget::new(RATE));
        budget.take_line(now)
    }
}

impl<S: Subscriber> Layer<S> for PlaceBounds {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let meta = event.metadata();
        if *meta.level() > tracing::Level::INFO || BOUNDED.contains(&module(meta)) {
            return true;
        }
        let admitted = self.admits(meta, self.clock.now());
        if !admitted {
            let mut counted = lock(COUNTED.get_or_init(Mutex::default));
            *counted.entry(module(meta)).or_default() += 1;
        }
        admitted
    }
}

/// The module of a place, as it is told.
fn module(meta: &'static Metadata<'static>) -> &'static str {
    let path = meta.module_path().unwrap_or_default();
    path.rsplit("::").next().unwrap_or(path)
}

/// What was only counted since the last call, by module.
pub fn take_summary() -> Summary {
    COUNTED
        .get()
        .map(|counted| std::mem::take(&mut *lock(counted)))
        .unwrap_or_default()
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// Counts what comes through.
    #[derive(Clone, Default)]
    struct Lines(Arc<AtomicUsize>);

    impl<S: Subscriber> Layer<S> for Lines {
        fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_place_that_is_made_to_tell_its_fault_again_and_again_is_told_a_hundred_times() {
        let lines = Lines::default();
        let subscriber = tracing_subscriber::registry()
            .with(PlaceBounds::new(Clock::start()))
            .with(lines.clone());
        tracing::subscriber::with_default(subscriber, || {
            for _ in 0..1000 {
                tracing::warn!("a fault");
            }
            assert_eq!(lines.0.load(Ordering::Relaxed), 100);
            tracing::warn!("another place");
            for _ in 0..100 {
                tracing::debug!("a detail");
            }
        });
        assert_eq!(lines.0.load(Ordering::Relaxed), 201);
        assert!(take_summary().values().sum::<u64>() >= 900);
    }
}
