//! rate - how often occurrences are sent: each once an hour, and all together a few
//!
//! Pure. Not here: sending (`notify`).

use std::collections::HashMap;
use std::time::Duration;

use crate::report::occurrence::{Occurrence, OccurrenceKind};
use crate::report::quiet::{LineBudget, LineRate};
use gatepost_core::moment::Moment;

/// Of one subject a kind is sent once in this time.
const SPAN: Duration = Duration::from_secs(3600);

/// All together: so many at once, and one more in this time.
const ALL: LineRate = LineRate {
    burst: 10,
    every: Duration::from_secs(300),
};

/// What was sent is remembered of so many subjects.
const SUBJECTS: usize = 1024;

/// Limits what is sent.
#[derive(Debug)]
pub(super) struct NoticeRate {
    sent: HashMap<(OccurrenceKind, String), Moment>,
    budget: LineBudget,
    /// Since the last that was sent.
    suppressed: u64,
}

impl Default for NoticeRate {
    fn default() -> Self {
        Self {
            sent: HashMap::new(),
            budget: LineBudget::new(ALL),
            suppressed: 0,
        }
    }
}

impl NoticeRate {
    /// The text to send, if this is to be sent now; it says how many were not since the last one.
    pub(super) fn ask(&mut self, what: &Occurrence, now: Moment) -> Option<String> {
        if !self.is_news(what, now) {
            return None;
        }
        if !self.budget.take_line(now) {
            self.suppressed += 1;
            return None;
        }
        if self.sent.len() >= SUBJECTS {
            self.sent.retain(|_, at| now.since(*at) < SPAN);
        }
        if self.sent.len() < SUBJECTS {
            self.sent.insert((what.kind, what.subject.clone()), now);
        }
        Some(match std::mem::take(&mut self.suppressed) {
            0 => what.text.clone(),
            many => format!("{} ({many} other notices were not sent)", what.text),
        })
    }

    fn is_news(&mut self, what: &Occurrence, now: Moment) -> bool {
        let other = match what.kind {
            OccurrenceKind::BackendUsable => OccurrenceKind::BackendUnusable,
            OccurrenceKind::BackendUnusable => OccurrenceKind::BackendUsable,
            OccurrenceKind::ClusterConnected => OccurrenceKind::ClusterCutOff,
            OccurrenceKind::ClusterCutOff => OccurrenceKind::ClusterConnected,
            kind => {
                let before = self.sent.get(&(kind, what.subject.clone()));
                return before.is_none_or(|at| now.since(*at) >= SPAN);
            }
        };
        // A change is told: that all is well only behind the notice that it is not.
        let last = |kind| self.sent.get(&(kind, what.subject.clone()));
        let is_bad = matches!(
            what.kind,
            OccurrenceKind::BackendUnusable | OccurrenceKind::ClusterCutOff
        );
        match (last(what.kind), last(other)) {
            (None, None) => is_bad,
            // A link that comes and goes is told once an hour, whatever backends do.
            (Some(own), _)
                if what.kind == OccurrenceKind::ClusterCutOff && now.since(*own) < SPAN =>
            {
                false
            }
            (Some(own), Some(other)) => own < other,
            (Some(_), None) => false,
            (None, Some(_)) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Moment = Moment::from_seconds(1_000_000);

    fn occurrence(kind: OccurrenceKind, subject: &str) -> Occurrence {
        Occurrence {
            kind,
            subject: subject.to_owned(),
            text: "it is so".to_owned(),
        }
    }

    #[test]
    fn a_subject_is_told_of_once_an_hour() {
        let mut rate = NoticeRate::default();
        let ann = occurrence(OccurrenceKind::FamiliarRefused, "ann");
        assert!(rate.ask(&ann, START).is_some());
        assert!(
            rate.ask(&ann, START + SPAN - Duration::from_nanos(1))
                .is_none()
        );
        assert!(rate.ask(&ann, START + SPAN).is_some());
        let other = occurrence(OccurrenceKind::ManyNetworks, "ann");
        assert!(rate.ask(&other, START + SPAN).is_some());
    }

    #[test]
    fn a_flood_is_ten_and_the_next_says_how_many_there_were() {
        let mut rate = NoticeRate::default();
        let sent = (0..1_000).filter(|number| {
            let what = occurrence(OccurrenceKind::NetworkBanned, &number.to_string());
            rate.ask(&what, START).is_some()
        });
        assert_eq!(sent.count(), 10);
        let late = occurrence(OccurrenceKind::NetworkBanned, "late");
        let text = rate.ask(&late, START + ALL.every).unwrap();
        assert_eq!(text, "it is so (990 other notices were not sent)");
    }

    #[test]
    fn a_backend_is_told_of_when_it_changes() {
        let mut rate = NoticeRate::default();
        let up = occurrence(OccurrenceKind::BackendUsable, "b");
        let down = occurrence(OccurrenceKind::BackendUnusable, "b");
        let second = |seconds| START + Duration::from_secs(seconds);
        let mut ask = |what: &Occurrence, at| rate.ask(what, second(at)).is_some();
        assert!(!ask(&up, 0), "it works at the start: that is no news");
        assert!(ask(&down, 1) && !ask(&down, 2));
        assert!(ask(&up, 3) && !ask(&up, 4));
        assert!(ask(&down, 5), "and again, within the hour");
    }

    #[test]
    fn a_link_that_comes_and_goes_is_told_of_twice_an_hour() {
        let mut rate = NoticeRate::default();
        let back = occurrence(OccurrenceKind::ClusterConnected, "mx1");
        let away = occurrence(OccurrenceKind::ClusterCutOff, "mx1");
        let hour = SPAN.as_secs();
        let mut ask =
            |what: &Occurrence, at| rate.ask(what, START + Duration::from_secs(at)).is_some();
        assert!(
            !ask(&back, 0),
            "it is connected at the start: that is no news"
        );
        assert!(ask(&away, 1) && !ask(&away, 2));
        assert!(ask(&back, 3) && !ask(&back, 4));
        assert!(!ask(&away, hour) && !ask(&back, hour));
        assert!(ask(&away, hour + 1) && ask(&back, hour + 2));
    }
}
