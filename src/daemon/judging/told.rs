//! told - what is told of an attempt that has ended: to the log, to the history, and to the counter of guesses
//!
//! Not here: how it ended (`attempt`), the lines (`report::events`), what is kept (`history`).

use std::fmt::Display;
use std::time::Duration;

use super::{Asker, Judging};
use crate::places::Whereabouts;
use crate::report::events;
use crate::report::occurrence::{Occurrence, OccurrenceKind};
use crate::report::record::{AttemptRecord, NamedUser, RecordedEvent};
use crate::report::verdicts::AttemptVerdict;
use gatepost_core::gate::Acquaintance;
use gatepost_core::gate::request::attempt::UserName;
use gatepost_core::gate::request::suspicion::{FarLogins, Suspicion, SuspicionCause};
use gatepost_core::gate::request::verdict::{Reason, Refusal};
use gatepost_core::moment::Moment;

impl Judging {
    /// Tells how an attempt ended that `began` with this mechanism.
    pub(super) fn tell(
        &self,
        asker: &impl Asker,
        (mechanism, began): (&'static str, Moment),
        (user, place): (Option<&UserName>, &Whereabouts),
        told: &Told<'_>,
    ) {
        let now = self.clock.now();
        let attempt = events::Attempt {
            session: asker.seen(),
            door: asker.door(),
            mechanism,
            user,
            account: user.map(|user| self.gate().user_id(user)),
            place: Some(place),
            verdict: told.verdict,
            reason: told.reason,
            would_refuse: told.would_refuse,
            wait: told.wait,
            reply: told.reply,
            duration: now.since(began),
        };
        self.reporter.attempt(&attempt, now);
        self.record(asker, (user, place), told, now);
    }

    /// Tells of a right password for a mailbox that nobody has: it was stolen.
    pub(super) fn tell_decoy(&self, asker: &impl Asker, user: &UserName, place: &Whereabouts) {
        self.counters.decoys_opened.count();
        let client = asker.client();
        events::decoy(&asker.seen(), user, place);
        let at = place
            .shown()
            .map(|place| format!(" ({place})"))
            .unwrap_or_default();
        let occurrence = Occurrence {
            kind: OccurrenceKind::DecoyOpened,
            subject: user.to_string(),
            text: format!(
                "{client}{at} has the right password of the decoy {user}, which nobody should know: what holds it was \
                 read by somebody. It was not let in: gatepost explain {client}"
            ),
        };
        self.recorder
            .tell(self.clock.now(), RecordedEvent::Occurred(occurrence));
    }

    /// Tells of a right password that seems to be stolen.
    pub(super) fn tell_suspicion(
        &self,
        asker: &impl Asker,
        (user, place): (&UserName, &Whereabouts),
        suspicion: &Suspicion,
    ) {
        self.counters.stolen_suspected.count();
        events::suspected(&asker.seen(), user, place, suspicion);
        let client = asker.client();
        let at = place
            .shown()
            .map(|place| format!(" ({place})"))
            .unwrap_or_default();
        let why = match suspicion.cause {
            SuspicionCause::Guesses => "from a network that guesses at others".to_owned(),
            _ => format!("from {} new networks within a day", suspicion.places.len()),
        };
        let held = match suspicion.far_logins {
            FarLogins::Hold => ". Its far logins wait until then",
            FarLogins::Tell => "",
        };
        let occurrence = Occurrence {
            kind: OccurrenceKind::StolenSuspected,
            subject: user.to_string(),
            text: format!(
                "{user} has logged in {why}, last from {client}{at}: is the password stolen? gatepost explain {user}. If it is, \
                 change it, then gatepost expel {user}; if not, gatepost forgive {user}{held}"
            ),
        };
        self.recorder
            .tell(self.clock.now(), RecordedEvent::Occurred(occurrence));
    }

    /// Tells the history.
    pub(super) fn record(
        &self,
        asker: &impl Asker,
        (user, place): (Option<&UserName>, &Whereabouts),
        told: &Told<'_>,
        now: Moment,
    ) {
        let client = asker.client();
        let named = user.map(|name| {
            let who = told.who;
            let who =
                who.unwrap_or_else(|| self.gate().acquaintance(name, super::visitor(asker), now));
            NamedUser {
                id: who.user,
                name: name.clone(),
                known: who.known,
                trust: who.trust,
            }
        });
        self.count_of(named.as_ref(), told);
        if let (AttemptVerdict::Accept, Some(user)) = (told.verdict, &named) {
            self.reporter.names.note(user.id, &user.name);
        }
        let attempt = AttemptRecord {
            door: asker.door().as_str(),
            session: asker.session(),
            client,
            place: place.clone(),
            user: named,
            verdict: told.verdict,
            reason: told.reason,
            wait: told.wait,
            listed: told.listed,
            ja4: asker.seen().ja4,
        };
        self.recorder.tell(now, RecordedEvent::Attempt(attempt));
    }

    /// Counts the guesses that the bound is about.
    fn count_of(&self, user: Option<&NamedUser>, told: &Told<'_>) {
        let is_at_home = user.is_some_and(|user| user.trust.is_at_home());
        match (told.verdict, told.reason) {
            // What the operator wants is nobody's fault.
            (_, Some(Reason::AllowList)) => {}
            // A try at a mailbox that nobody has is checked, and a guess.
            (_, Some(reason)) if reason.is_ordered() && reason != Reason::Decoy => {}
            (AttemptVerdict::Reject, _) | (AttemptVerdict::Defer, Some(Reason::Outage))
                if !is_at_home =>
            {
                self.counters.guesses.count();
            }
            _ => {}
        }
    }
}

/// The part of a log line that the end of the attempt decides.
pub(super) struct Told<'a> {
    pub(super) verdict: AttemptVerdict,
    pub(super) reason: Option<Reason>,
    pub(super) would_refuse: Option<Reason>,
    pub(super) wait: Duration,
    /// How well the user was known before; none: as now.
    pub(super) who: Option<Acquaintance>,
    /// Whether its password, which is right, is on the owner's list.
    pub(super) listed: Option<bool>,
    pub(super) reply: &'a dyn Display,
}

impl Told<'_> {
    /// The gate refused.
    pub(super) fn refused(Refusal { reason, wait }: Refusal) -> Self {
        Self {
            reason: Some(reason),
            wait,
            ..Self::of(AttemptVerdict::Refuse)
        }
    }

    /// This, and nothing else.
    pub(super) fn of(verdict: AttemptVerdict) -> Self {
        Self {
            verdict,
            reason: None,
            would_refuse: None,
            wait: Duration::ZERO,
            who: None,
            listed: None,
            reply: &"none",
        }
    }
}
