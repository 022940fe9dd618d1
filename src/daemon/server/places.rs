//! places - looks at the databases of places, and tells what is new of them
//!
//! A file is looked at by a task, where reading may take its time, and never in a session's way. Not here: what a
//! database says (`places`), what follows from it (`gate`).

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::{error, info, warn};

use super::listeners::ListenerContext;
use crate::drain::Drain;
use crate::judging::Judging;
use crate::places::{PlaceNews, PlaceSettings};
use crate::report::occurrence::{Occurrence, OccurrenceKind};
use crate::report::record::RecordedEvent;

/// From one look to the next.
const LOOK: Duration = Duration::from_secs(5);

/// From one line to the next about rules that nothing holds.
const REMIND: Duration = Duration::from_secs(3600);

/// Reads the databases that a config names, and tells how they are.
pub(in crate::server) async fn take_over(judging: &Arc<Judging>, settings: &PlaceSettings) {
    judging.places.reconfigure(settings);
    look(judging).await;
    remind(judging);
}

/// Looks once, and tells what is new.
async fn look(judging: &Arc<Judging>) {
    let looking = Arc::clone(judging);
    // A panic there ends a release build.
    let news = spawn_blocking(move || looking.places.look()).await;
    for news in news.unwrap_or_default() {
        tell(judging, news);
    }
}

fn tell(judging: &Judging, news: PlaceNews) {
    match news {
        PlaceNews::Read(state) => {
            let holds = state.in_use.unwrap_or_default();
            info!(database = %state.path.display(), holds, "places read");
        }
        PlaceNews::Damaged(state) => {
            let path = state.path.display().to_string();
            let why = state.fault.unwrap_or_default();
            let kept = match state.in_use {
                Some(_) => "the one before stays in use",
                None => "addresses are not looked up in it",
            };
            warn!("the database {path} cannot be used: {why}; {kept}");
            notice(
                judging,
                path.clone(),
                format!("the database {path} cannot be used: {why}; {kept}"),
            );
        }
    }
}

/// Says that rules by country are not held, where that is so.
fn remind(judging: &Judging) {
    if judging.gate().asks_countries() && !judging.places.has_countries() {
        let text = "no database with countries can be read: no rule by country is enforced ([places] only and deny, \
                    [[user]] countries)";
        error!("{text}");
        notice(judging, "countries".to_owned(), text.to_owned());
    }
}

fn notice(judging: &Judging, subject: String, text: String) {
    let occurrence = Occurrence {
        kind: OccurrenceKind::PlacesUnread,
        subject,
        text,
    };
    let event = RecordedEvent::Occurred(occurrence);
    judging.recorder.tell(judging.clock.now(), event);
}

/// Until the drain: looks at the files, and reminds of rules that nothing holds.
pub(in crate::server) async fn watch(context: ListenerContext) {
    let judging = &context.services.judging;
    let mut drain: Drain = context.drain.clone();
    let clock = judging.clock;
    let mut reminded = clock.now();
    loop {
        tokio::select! {
            () = sleep(LOOK) => {}
            () = drain.begun() => return,
        }
        look(judging).await;
        if clock.now().since(reminded) >= REMIND {
            reminded = clock.now();
            remind(judging);
        }
    }
}
