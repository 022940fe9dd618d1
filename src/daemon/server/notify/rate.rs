//! rate - how often occurrences are sent: each once an hour, and of each source a few
//!
//! Each source has a bucket of its own ([`NoticeSource`]), so that a flood of what strangers can bring about hides nothing else.
//! What strangers bring about beyond theirs is counted and lost. What is beyond another one waits for it, a few at most,
//! and says then how long ago it was; a backend or a link that was away and is back meanwhile is not told of.
//! Pure. Not here: sending (`notify`), which kind has which source (`report::occurrence`).

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::report::occurrence::{NoticeSource, Occurrence, OccurrenceKind};
use crate::report::quiet::{LineBudget, LineRate};
use gatepost_core::moment::Moment;

/// Of one subject a kind is sent once in this time.
const SPAN: Duration = Duration::from_secs(3600);

/// Of each source: so many at once, and one more in this time.
const RATE: LineRate = LineRate {
    burst: 10,
    every: Duration::from_secs(300),
};

/// So many of one source wait.
const WAITING: usize = 32;

/// What was sent is remembered of so many subjects.
const SUBJECTS: usize = 1024;

/// Limits what is sent.
#[derive(Debug)]
pub(super) struct NoticeRate {
    sent: HashMap<(OccurrenceKind, String), Moment>,
    sources: [SourceRate; NoticeSource::ALL.len()],
    /// Paid for, and to be sent one after the other: so many as the buckets let through while one is sent.
    ready: VecDeque<Occurrence>,
}

/// One source's part.
#[derive(Debug)]
struct SourceRate {
    budget: LineBudget,
    /// Beyond the bucket, with the moment of each.
    waiting: VecDeque<(Occurrence, Moment)>,
    /// Not sent, since the last that was.
    suppressed: u64,
}

/// What becomes of an occurrence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Noted {
    /// It is sent, now or later, or was sent within the hour.
    Kept,
    /// It is not.
    Lost,
}

impl Default for NoticeRate {
    fn default() -> Self {
        Self {
            sent: HashMap::new(),
            sources: NoticeSource::ALL.map(|_| SourceRate::new()),
            ready: VecDeque::new(),
        }
    }
}

impl NoticeRate {
    /// Takes in what happened.
    pub(super) fn note(&mut self, what: Occurrence, now: Moment) -> Noted {
        if !self.is_news(&what, now) {
            return Noted::Kept;
        }
        let source = what.kind.source();
        let own = self.of(source);
        if let Some(opposite) = opposite(what.kind)
            && own.forget(opposite, &what.subject)
        {
            own.suppressed += 2;
            self.remember(&what, now);
            return Noted::Kept;
        }
        if own.waiting.is_empty() && own.budget.take_line(now) {
            let text = own.text(&what.text);
            self.remember(&what, now);
            self.ready.push_back(Occurrence { text, ..what });
            return Noted::Kept;
        }
        if source == NoticeSource::Strangers || own.waiting.len() >= WAITING {
            own.suppressed += 1;
            return Noted::Lost;
        }
        own.waiting.push_back((what.clone(), now));
        self.remember(&what, now);
        Noted::Kept
    }

    /// The next one to send now.
    pub(super) fn next(&mut self, now: Moment) -> Option<Occurrence> {
        let ready = self.ready.pop_front();
        ready.or_else(|| self.sources.iter_mut().find_map(|source| source.late(now)))
    }

    /// How long until [`NoticeRate::next`] has one that waits. None: nothing waits.
    pub(super) fn wait(&self, now: Moment) -> Option<Duration> {
        let waits = |source: &&SourceRate| !source.waiting.is_empty();
        let sources = self.sources.iter().filter(waits);
        sources.map(|source| source.budget.wait(now)).min()
    }

    /// Nobody wants to be told any more.
    pub(super) fn forget_waiting(&mut self) {
        self.ready.clear();
        for source in &mut self.sources {
            source.waiting.clear();
        }
    }

    fn of(&mut self, source: NoticeSource) -> &mut SourceRate {
        let [strangers, passwords, operation] = &mut self.sources;
        match source {
            NoticeSource::Strangers => strangers,
            NoticeSource::Passwords => passwords,
            NoticeSource::Operation => operation,
        }
    }

    fn remember(&mut self, what: &Occurrence, now: Moment) {
        if self.sent.len() >= SUBJECTS {
            self.sent.retain(|_, at| now.since(*at) < SPAN);
        }
        if self.sent.len() < SUBJECTS {
            self.sent.insert((what.kind, what.subject.clone()), now);
        }
    }

    fn is_news(&self, what: &Occurrence, now: Moment) -> bool {
        let last = |kind| self.sent.get(&(kind, what.subject.clone()));
        let Some(other) = opposite(what.kind) else {
            return last(what.kind).is_none_or(|at| now.since(*at) >= SPAN);
        };
        // A change is told: that all is well only behind the notice that it is not.
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

impl SourceRate {
    fn new() -> Self {
        Self {
            budget: LineBudget::new(RATE),
            waiting: VecDeque::new(),
            suppressed: 0,
        }
    }

    /// The one that has waited longest, if the bucket has something again.
    fn late(&mut self, now: Moment) -> Option<Occurrence> {
        if self.waiting.is_empty() || !self.budget.take_line(now) {
            return None;
        }
        let (what, at) = self.waiting.pop_front()?;
        let minutes = now.since(at).as_secs() / 60;
        let text = self.text(&format!("{} ({minutes} min ago)", what.text));
        Some(Occurrence { text, ..what })
    }

    /// The text to send: it says how many were not sent since the last one.
    fn text(&mut self, text: &str) -> String {
        match std::mem::take(&mut self.suppressed) {
            0 => text.to_owned(),
            many => format!("{text} ({many} other notices were not sent)"),
        }
    }

    /// Takes one back that waits; whether there was one.
    fn forget(&mut self, kind: OccurrenceKind, subject: &str) -> bool {
        let before = self.waiting.len();
        self.waiting
            .retain(|(what, _)| (what.kind, &*what.subject) != (kind, subject));
        self.waiting.len() < before
    }
}

/// What undoes it, or what it undoes.
const fn opposite(kind: OccurrenceKind) -> Option<OccurrenceKind> {
    match kind {
        OccurrenceKind::BackendUsable => Some(OccurrenceKind::BackendUnusable),
        OccurrenceKind::BackendUnusable => Some(OccurrenceKind::BackendUsable),
        OccurrenceKind::ClusterConnected => Some(OccurrenceKind::ClusterCutOff),
        OccurrenceKind::ClusterCutOff => Some(OccurrenceKind::ClusterConnected),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
