//! notify - tells an operator what happened without being asked: by a command, by a webhook
//!
//! One task, and one notice at a time. Occurrences wait in a bounded channel; what finds it full is counted and lost.
//! Not here: what is an occurrence (`history::detector`), what is configured (`report::occurrence`).

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;
use tracing::{info, warn};

use super::listeners::ListenerContext;
use crate::clock::Clock;
use crate::net::tls::Certificate;
use crate::report::events::timestamp;
use crate::report::occurrence::{Occurrence, OccurrenceKind};
use crate::report::record::RecordedEvent;
use gatepost_core::gate::buckets::spec::Bucket;
use gatepost_core::gate::request::verdict::Reason;
use gatepost_core::moment::Moment;

mod rate;
mod send;

use rate::NoticeRate;
use send::NoticeBody;

/// From one look at the strangers' bucket to the next.
const LOOK: Duration = Duration::from_secs(30);

/// Sends what it is told.
#[derive(Debug)]
pub(in crate::server) struct Notifier {
    occurrences: mpsc::Receiver<Occurrence>,
    context: ListenerContext,
}

impl Notifier {
    /// One that has sent nothing yet.
    pub(in crate::server) const fn new(
        occurrences: mpsc::Receiver<Occurrence>,
        context: ListenerContext,
    ) -> Self {
        Self {
            occurrences,
            context,
        }
    }

    /// Sends until the drain begins. What is being sent then is cut off.
    pub(in crate::server) async fn run(mut self) {
        let mut drain = self.context.drain.clone();
        let clock = self.context.services.judging.clock;
        let mut rate = NoticeRate::default();
        loop {
            let occurrence = tokio::select! {
                () = drain.begun() => return,
                occurrence = self.occurrences.recv() => occurrence,
            };
            let Some(occurrence) = occurrence else { return };
            if !self.context.notices.load().is_wanted() {
                continue;
            }
            let Some(text) = rate.ask(&occurrence, clock.now()) else {
                continue;
            };
            info!(event = %occurrence.kind, text, "notice");
            let occurrence = Occurrence { text, ..occurrence };
            tokio::select! {
                () = drain.begun() => return,
                faults = send_one(&self.context, occurrence) => {
                    for fault in faults {
                        warn!("a notice was not sent: {fault}");
                    }
                }
            }
        }
    }
}

/// Sends one, whatever was sent before. What went wrong.
async fn send_one(context: &ListenerContext, what: Occurrence) -> Vec<String> {
    let body = NoticeBody {
        event: what.kind.to_string(),
        subject: what.subject,
        text: what.text,
        at: timestamp(Clock::wall()),
        host: context.services.config.load().dialogue.hostname.clone(),
    };
    let settings = context.notices.load_full();
    send::send(&settings, &body).await
}

/// Sends a test, and says what came of it.
///
/// # Errors
///
/// Where nothing is configured, or something went wrong.
pub(in crate::server) async fn test(context: &ListenerContext) -> Result<String, String> {
    if !context.notices.load().is_wanted() {
        return Err("[notices] has neither a command nor a webhook".to_owned());
    }
    let occurrence = Occurrence {
        kind: OccurrenceKind::Test,
        subject: "test".to_owned(),
        text: "this is a test of [notices]".to_owned(),
    };
    match send_one(context, occurrence).await {
        faults if faults.is_empty() => Ok("the test notice was sent".to_owned()),
        faults => Err(faults.join("; ")),
    }
}

/// Looks now and then whether strangers have anything left to pay with, until the drain.
pub(in crate::server) async fn watch_strangers(context: ListenerContext) {
    let mut drain = context.drain.clone();
    let judging = &context.services.judging;
    loop {
        tokio::select! {
            () = sleep(LOOK) => {}
            () = drain.begun() => return,
        }
        let now = judging.clock.now();
        let strangers = Reason::Bucket(Bucket::Strangers);
        let shared = judging.gate().shared(now);
        let is_empty = |holding: &gatepost_core::gate::explain::Holding| {
            holding.bucket == strangers && holding.waits.others > Duration::ZERO
        };
        if shared.iter().any(is_empty) {
            let text = "strangers have nothing left to pay with: users who log in from new places wait, or are \
                        refused. An attack on everybody: gatepost report"
                .to_owned();
            let occurrence = Occurrence {
                kind: OccurrenceKind::StrangersEmpty,
                subject: "strangers".to_owned(),
                text,
            };
            judging
                .recorder
                .tell(now, RecordedEvent::Occurred(occurrence));
        }
    }
}

/// A certificate that should have been renewed.
pub(in crate::server) fn certificate(context: &ListenerContext, due: &Certificate, now: Moment) {
    let names = due.names.join(", ");
    let when = match due.date_problem(now) {
        Some(problem) => format!("{problem}: clients refuse it"),
        None => format!("expires in {} days", due.days_left(now)),
    };
    let occurrence = Occurrence {
        kind: OccurrenceKind::CertificateDue,
        subject: names.clone(),
        text: format!(
            "the certificate for {names} ({}) {when}",
            due.chain.display()
        ),
    };
    let judging = &context.services.judging;
    let event = RecordedEvent::Occurred(occurrence);
    judging.recorder.tell(judging.clock.now(), event);
}
