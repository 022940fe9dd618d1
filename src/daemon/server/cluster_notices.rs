//! cluster_notices - tells the operator that this machine is cut off from those of its cluster, and that it is back
//!
//! A store that is restarted is back within seconds: that is no news. What is cut off for longer is told at every look, and the
//! rate of notices lets through what is to be sent. Not here: that rate (`notify::rate`), what is in force meanwhile (`gate`).

use std::time::Duration;

use tokio::time::sleep;

use super::listeners::ListenerContext;
use crate::cluster::CutOff;
use crate::drain::Drain;
use crate::report::occurrence::{Occurrence, OccurrenceKind};
use crate::report::record::RecordedEvent;
use gatepost_core::moment::Moment;

/// From one look to the next.
const LOOK: Duration = Duration::from_secs(5);
/// A machine that is back within this was not away.
const PATIENCE: Duration = Duration::from_secs(20);

/// Looks until the drain begins.
pub(in crate::server) async fn watch(context: ListenerContext) {
    let Some(settings) = context.cluster.settings.clone() else {
        return;
    };
    let judging = &context.services.judging;
    let look = || (context.cluster.cut_off(), judging.clock.now());
    let tell = |kind, text| {
        let subject = settings.name.clone();
        let occurrence = Occurrence {
            kind,
            subject,
            text,
        };
        let event = RecordedEvent::Occurred(occurrence);
        judging.recorder.tell(judging.clock.now(), event);
    };
    watch_reach(&settings.name, look, tell, context.drain.clone()).await;
}

async fn watch_reach(
    name: &str,
    look: impl Fn() -> (Option<CutOff>, Moment),
    tell: impl Fn(OccurrenceKind, String),
    mut drain: Drain,
) {
    // What was told last.
    let mut told: Option<CutOff> = None;
    loop {
        tokio::select! {
            () = sleep(LOOK) => {}
            () = drain.begun() => return,
        }
        let (cut_off, now) = look();
        match (cut_off, told.take()) {
            (Some(cut_off), _) if now.since(cut_off.since) >= PATIENCE => {
                tell(OccurrenceKind::ClusterCutOff, away(name, &cut_off));
                told = Some(cut_off);
            }
            // Away again before it was told that it is back.
            (Some(_), before) => told = before,
            (None, Some(before)) => {
                let minutes = now.since(before.since).as_secs() / 60;
                tell(OccurrenceKind::ClusterConnected, back(name, minutes));
            }
            (None, None) => {}
        }
    }
}

fn away(name: &str, cut_off: &CutOff) -> String {
    format!(
        "{name} is cut off from the machines of its cluster: {}. Logins go on, strangers wait earlier, and what happens at the \
         others is not known here until it is back: gatepost status, gatepost doctor",
        cut_off.why
    )
}

fn back(name: &str, minutes: u64) -> String {
    let after = match minutes {
        0 => "less than a minute".to_owned(),
        1 => "a minute".to_owned(),
        minutes => format!("{minutes} minutes"),
    };
    format!("{name} is connected to its cluster again, after {after}")
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use tokio::time::timeout;

    use super::*;
    use crate::drain;

    const START: Moment = Moment::from_seconds(1_800_000_000);

    /// What is told of a machine that is away from one second to another, and when.
    async fn told(away: &[(u64, u64)], seconds: u64) -> Vec<(u64, OccurrenceKind)> {
        let (_drainer, drain) = drain::channel();
        let looks = Cell::new(0);
        let second = || looks.get() * LOOK.as_secs();
        let look = || {
            looks.set(looks.get() + 1);
            let is_away = |(from, to): &&(u64, u64)| (*from..*to).contains(&second());
            let cut_off = away.iter().find(is_away).map(|(from, _)| CutOff {
                since: START + Duration::from_secs(*from),
                why: "no route".to_owned(),
            });
            (cut_off, START + Duration::from_secs(second()))
        };
        let told = RefCell::new(Vec::new());
        let tell = |kind, text: String| {
            assert!(text.contains("mx1"), "{text}");
            told.borrow_mut().push((second(), kind));
        };
        let watched = watch_reach("mx1", look, tell, drain);
        let watched = timeout(Duration::from_secs(seconds), watched).await;
        assert!(watched.is_err(), "it ends with the drain alone");
        told.into_inner()
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_is_restarted_is_no_news_and_a_cut_is_told_with_its_end() {
        use OccurrenceKind::{ClusterConnected, ClusterCutOff};
        assert_eq!(told(&[(3, 22), (30, 49)], 100).await, []);
        assert_eq!(
            told(&[(5, 29)], 60).await,
            [(25, ClusterCutOff), (30, ClusterConnected)]
        );
        // Back between two looks, or not for long: the end is told when it is one.
        assert_eq!(
            told(&[(5, 29), (29, 36)], 60).await,
            [(25, ClusterCutOff), (40, ClusterConnected)]
        );
    }

    #[test]
    fn the_end_says_how_long_it_was() {
        assert!(back("mx1", 0).ends_with("less than a minute"));
        assert!(back("mx1", 1).ends_with("a minute"));
        assert!(back("mx1", 12).ends_with("12 minutes"));
    }
}
