//! keeping - the history's thread: what it counts by, its start and its end
//!
//! Not here: what it keeps (`history`).

use std::io;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tracing::warn;

use super::listeners::ListenerContext;
use crate::history::{Historian, HistorySettings, Totals};
use crate::net::admission::TurnedAway;
use crate::report::occurrence::Occurrence;
use crate::report::record::{Record, RecordedEvent};

/// Notices that wait to be sent.
const OCCURRENCES: usize = 64;

/// How long the process waits for the history's last write.
const LAST_WRITE: Duration = Duration::from_secs(5);
const ROUND: Duration = Duration::from_millis(20);

/// What keeps the history, not running yet.
pub(in crate::server) fn historian(
    settings: &HistorySettings,
    records: Receiver<Record>,
    context: &ListenerContext,
) -> (Historian, mpsc::Receiver<Occurrence>) {
    // limit: occurrences
    let (occurrences, received) = mpsc::channel(OCCURRENCES);
    let judging = &context.services.judging;
    let (clock, limits) = (judging.clock, Arc::clone(&judging.counters.limits));
    let context = context.clone();
    let written = context.history.written().clone();
    let totals = Box::new(move || totals(&context));
    let ends = (records, occurrences);
    let historian = Historian::new(settings.clone(), ends, (totals, written), clock, &limits);
    (historian, received)
}

/// The numbers that are kept by the hour, since the start.
pub(in crate::server) fn totals(context: &ListenerContext) -> Totals {
    let judging = &context.services.judging;
    let counters = &judging.counters;
    let mut totals: Totals = [
        ("sessions", &counters.sessions),
        ("handshakes-failed", &counters.handshakes_failed),
        ("attempts", &counters.attempts),
        ("accepted", &counters.accepted),
        ("rejected", &counters.rejected),
        ("refused", &counters.refused),
        ("repeated", &counters.repeated),
        ("deferred", &counters.deferred),
        ("would-refuse", &counters.would_refuse),
        ("guesses", &counters.guesses),
    ]
    .map(|(name, counter)| (name.to_owned(), counter.get()))
    .into();
    let tallies = judging.gate().tallies();
    let familiar = tallies.iter().map(|tally| tally.familiar_refused).sum();
    totals.insert("familiar-refused".to_owned(), familiar);
    let reasons = tallies.into_iter();
    totals.extend(reasons.map(|tally| (format!("refused.{}", tally.reason), tally.refused)));
    let away = context.admission.counts().turned_away;
    let away = TurnedAway::ALL.iter().zip(away);
    totals.extend(away.map(|(reason, count)| (format!("turned-away.{reason}"), count)));
    totals
}

/// Starts its thread.
///
/// # Errors
///
/// When the system has none to give.
pub(in crate::server) fn start(historian: Historian) -> io::Result<JoinHandle<()>> {
    let thread = thread::Builder::new().name("history".to_owned());
    thread.spawn(|| historian.run())
}

/// Has it write what it holds, and end.
pub(in crate::server) async fn stop(context: &ListenerContext, thread: io::Result<JoinHandle<()>>) {
    let Ok(thread) = thread else { return };
    let judging = &context.services.judging;
    let ended = async {
        while !thread.is_finished() {
            judging
                .recorder
                .tell(judging.clock.now(), RecordedEvent::Stop);
            sleep(ROUND).await;
        }
    };
    if timeout(LAST_WRITE, ended).await.is_err() {
        warn!("the disk does not take the last of the history");
    }
}
