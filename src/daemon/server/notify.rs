//! notify - tells an operator what happened without being asked: by a command, by a webhook
//!
//! One task, and one notice at a time. Occurrences come by a bounded channel, which is emptied while one is sent; how many
//! wait, and which are lost, `rate` says.
//! Not here: what is an occurrence (`history::detector`), what is configured (`report::occurrence`).

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;
use tracing::{info, warn};

use super::listeners::ListenerContext;
use crate::clock::Clock;
use crate::drain::Drain;
use crate::net::tls::Certificate;
use crate::report::events::timestamp;
use crate::report::limits::ResourceLimit;
use crate::report::occurrence::{Occurrence, OccurrenceKind};
use crate::report::record::RecordedEvent;
use gatepost_core::gate::Gate;
use gatepost_core::gate::buckets::spec::Bucket;
use gatepost_core::gate::request::verdict::Reason;
use gatepost_core::moment::Moment;

mod rate;
mod send;

use rate::{Noted, NoticeRate};
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
        let counters = Arc::clone(&self.context.services.judging.counters.limits);
        let context = self.context.clone();
        let mut rate = NoticeRate::default();
        // What comes meanwhile is taken out of the channel, so that a slow webhook fills it for nobody.
        let mut sending = None;
        loop {
            if !context.notices.load().is_wanted() {
                rate.forget_waiting();
            }
            if sending.is_none()
                && let Some(next) = rate.next(clock.now())
            {
                info!(event = %next.kind, text = next.text, "notice");
                sending = Some(Box::pin(send_one(&context, next)));
            }
            let due = rate.wait(clock.now()).filter(|_| sending.is_none());
            tokio::select! {
                () = drain.begun() => return,
                occurrence = self.occurrences.recv() => {
                    let Some(occurrence) = occurrence else { return };
                    if context.notices.load().is_wanted()
                        && rate.note(occurrence, clock.now()) == Noted::Lost
                    {
                        counters.count(ResourceLimit::Occurrences);
                    }
                }
                faults = sent(&mut sending) => {
                    sending = None;
                    for fault in faults {
                        warn!("a notice was not sent: {fault}");
                    }
                }
                () = sleep(due.unwrap_or_default()), if due.is_some() => {}
            }
        }
    }
}

/// What went wrong with the one that is being sent; never, while none is.
async fn sent<T>(sending: &mut Option<Pin<Box<impl Future<Output = T>>>>) -> T {
    match sending {
        Some(sending) => sending.as_mut().await,
        None => std::future::pending().await,
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
    let judging = &context.services.judging;
    let is_empty = || is_empty_for_strangers(judging.gate(), judging.clock.now());
    let tell = || {
        let text = "strangers have nothing left to pay with: users who log in from new places wait, or are \
                    refused. An attack on everybody: gatepost report"
            .to_owned();
        let occurrence = Occurrence {
            kind: OccurrenceKind::StrangersEmpty,
            subject: "strangers".to_owned(),
            text,
        };
        let event = RecordedEvent::Occurred(occurrence);
        judging.recorder.tell(judging.clock.now(), event);
    };
    look(is_empty, tell, context.drain.clone()).await;
}

async fn look(is_empty: impl Fn() -> bool, tell: impl Fn(), mut drain: Drain) {
    loop {
        tokio::select! {
            () = sleep(LOOK) => {}
            () = drain.begun() => return,
        }
        if is_empty() {
            tell();
        }
    }
}

/// Whether a stranger who has tried something before waits for the bucket that all of them share.
fn is_empty_for_strangers(gate: &Gate, now: Moment) -> bool {
    let strangers = Reason::Bucket(Bucket::Strangers);
    let shared = gate.shared(now);
    let mut held = shared.iter().filter(|held| held.bucket == strangers);
    held.any(|held| held.waits.others > Duration::ZERO)
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use gatepost_core::gate::Keys;
    use gatepost_core::gate::permit::Verdict;
    use gatepost_core::gate::queue::QueueClass;
    use gatepost_core::gate::request::attempt::{
        AuthAttempt, AuthOutcome, Password, Secret, UserName,
    };
    use gatepost_core::gate::request::client::ClientKey;
    use gatepost_core::gate::request::doors::Door;
    use gatepost_core::gate::request::place::Located;
    use gatepost_core::gate::request::settings::GateSettings;
    use tokio::time::timeout;

    use super::*;
    use crate::drain;

    const NOW: Moment = Moment::from_seconds(1_800_000_000);

    /// Guesses by that many clients, each at a user who exists.
    fn attack(gate: &Gate, clients: std::ops::Range<u32>) {
        for number in clients {
            let user = UserName::new(format!("user{number}").as_bytes());
            gate.introduce(&user, None, NOW, &mut Vec::new());
            let secret = Secret::new(format!("Zwiebel{number}kuchen").into_bytes());
            let attempt = AuthAttempt {
                session: 1,
                client: ClientKey::V4(number << 8),
                user: &user,
                password: Password::Shown(&secret),
                door: Door::Own,
                device: None,
                country: Located::default(),
                system: None,
            };
            let ordinary = QueueClass::Ordinary;
            let verdict = gate.judge_in_turn(&attempt, ordinary, NOW, &mut Vec::new());
            if let Verdict::Allow(permit) = verdict {
                drop(gate.settle(permit, AuthOutcome::Reject, NOW, &mut Vec::new()));
            }
        }
    }

    #[test]
    fn a_botnet_empties_the_strangers_bucket_and_a_few_guesses_do_not() {
        let settings = GateSettings {
            settling: Duration::ZERO,
            ..GateSettings::default()
        };
        let keys = Keys {
            users: [1; 16],
            passwords: [2; 16],
            table: [3; 16],
        };
        let gate = Gate::new(settings, keys, NOW);
        attack(&gate, 1..20);
        assert!(!is_empty_for_strangers(&gate, NOW));
        attack(&gate, 20..2000);
        assert!(is_empty_for_strangers(&gate, NOW));
    }

    #[tokio::test(start_paused = true)]
    async fn an_empty_bucket_is_told_at_the_next_look() {
        let (_drainer, drain) = drain::channel();
        let (looks, told) = (Cell::new(0), Cell::new(0));
        let is_empty = || {
            looks.set(looks.get() + 1);
            looks.get() > 2
        };
        let tell = || told.set(told.get() + 1);
        let watched = timeout(LOOK * 4 + LOOK / 2, look(is_empty, tell, drain));
        assert!(watched.await.is_err(), "it ends with the drain alone");
        assert_eq!((looks.get(), told.get()), (4, 2));
    }
}
