//! trial - judges the attempts in old logs by a config, at the times of the logs
//!
//! Not here: parsing logs (`logs` in the core), the output (`report`).
//!
//! Logs show no passwords. Every failure is taken as a new guess and as no common password, so no repetition is
//! free and none takes a token from `words`. Both results of a trial, guesses let through and honest logins
//! refused, are then upper bounds for the other shared buckets. A user's right password is always the
//! same and not common. A failure without a user name is taken as one for an unknown user of its own. Turns
//! are always free, and a refused client neither waits nor comes back later than in the log.

use std::collections::{BTreeMap, HashMap};

use gatepost_core::gate::queue::Woken;
use gatepost_core::gate::request::attempt::{AuthAttempt, AuthOutcome, Password, Secret, UserName};
use gatepost_core::gate::request::change::{Change, Fact};
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::doors::Door;
use gatepost_core::gate::request::place::Located;
use gatepost_core::gate::request::settings::{GateSettings, Mode, QueueSettings};
use gatepost_core::gate::request::verdict::{Reason, Refusal};
use gatepost_core::gate::sequence::{Begun, GrantedAttempt, JudgingSequence, RefusedAttempt};
use gatepost_core::gate::{Changes, Gate, Keys};
use gatepost_core::logs::{LoggedAttempt, LoginHistory, Service};
use gatepost_core::moment::Moment;

/// What to do with logins that a submission proxy does not see: IMAP, POP3, ManageSieve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Elsewhere {
    /// Ignore them, as without `gatepost learn --follow`
    Ignore,
    /// Successful ones make users familiar, as with `gatepost learn --follow`
    Learn,
    /// All are judged, as if they came by SMTP
    Judge,
}

/// How the logs are replayed.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReplayPlan {
    /// Older logins only make users familiar, like `gatepost learn` at the installation.
    pub(super) since: Moment,
    pub(super) elsewhere: Elsewhere,
}

/// A successful login that would have been refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) at: Moment,
    pub(super) user: UserName,
    pub(super) client: ClientKey,
    pub(super) service: Service,
    pub(super) refusal: Refusal,
}

/// The failures of one client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ClientFailures {
    /// Failures in the log.
    pub(super) failures: u64,
    /// Those of them that would have reached Postfix.
    pub(super) reached: u64,
}

/// What would have happened to the attempts; keys are log values of [`Reason`].
#[derive(Debug, Default)]
pub(super) struct Trial {
    pub(super) attempts: u64,
    pub(super) successes: u64,
    pub(super) allowed: BTreeMap<&'static str, u64>,
    /// Allowed only because of settling in.
    pub(super) would_refuse: BTreeMap<&'static str, u64>,
    pub(super) refused: BTreeMap<&'static str, u64>,
    /// Answered by Gatepost itself: a repetition of the same wrong password.
    pub(super) repeated: u64,
    /// Failures that would have reached Postfix, by day since the epoch.
    pub(super) guesses: BTreeMap<u64, u64>,
    pub(super) mistakes: Vec<Mistake>,
    pub(super) bans: u64,
    pub(super) offenders: HashMap<ClientKey, ClientFailures>,
    /// Successful logins that only made users familiar.
    pub(super) learnt: u64,
    /// Attempts at other services, not judged.
    pub(super) elsewhere: BTreeMap<&'static str, u64>,
    /// Successful logins without a user name: not judged.
    pub(super) unnamed_successes: u64,
    /// Failures without a user name.
    pub(super) unnamed_failures: u64,
    pub(super) first: Option<Moment>,
    pub(super) last: Option<Moment>,
}

/// The keys are not secret: a trial is reproducible.
const KEYS: Keys = Keys {
    users: *b"replay's users..",
    passwords: *b"replay's secrets",
    table: *b"replay's tables.",
};
const DAY_SECONDS: u64 = 86_400;

/// Judges the attempts of `history` by `settings`, in the mode `enforce`.
pub(super) fn run(settings: &GateSettings, history: &LoginHistory, plan: ReplayPlan) -> Trial {
    let settings = GateSettings {
        mode: Mode::Enforce,
        ..settings.clone()
    };
    let first = history
        .attempts
        .first()
        .map_or(plan.since, |login| login.at);
    let begin = first.max(plan.since);
    let mut run = ReplayRun {
        judging: JudgingSequence::new(Gate::new(settings, KEYS, begin), QueueSettings::default()),
        history,
        begin,
        changes: Vec::new(),
        failures: 0,
        second: 0,
        trial: Trial::default(),
    };
    for login in &history.attempts {
        run.replay_login(login, plan);
    }
    run.trial
}

struct ReplayRun<'a> {
    /// Nobody waits: each attempt is settled before the next comes.
    judging: JudgingSequence<()>,
    history: &'a LoginHistory,
    begin: Moment,
    changes: Changes,
    failures: u64,
    /// The second of the gate's last tick.
    second: u64,
    trial: Trial,
}

impl ReplayRun<'_> {
    fn replay_login(&mut self, login: &LoggedAttempt, plan: ReplayPlan) {
        if login.at < plan.since {
            self.learn(login);
            return;
        }
        if !login.service.is_submission() && plan.elsewhere != Elsewhere::Judge {
            *self
                .trial
                .elsewhere
                .entry(login.service.as_str())
                .or_default() += 1;
            if plan.elsewhere == Elsewhere::Learn {
                self.learn(login);
            }
            return;
        }
        let Some(user) = self.user(login) else {
            self.trial.unnamed_successes += 1;
            return;
        };
        self.trial.first = self.trial.first.or(Some(login.at));
        self.trial.last = Some(login.at);
        self.judge(login, &user);
    }

    fn learn(&mut self, login: &LoggedAttempt) {
        let user = login.user.and_then(|id| self.history.names.get(id));
        if let (AuthOutcome::Accept, Some(user)) = (login.outcome, user) {
            let now = login.at.max(self.begin);
            let gate = self.judging.gate();
            gate.learn(user, login.client, login.at, now, &mut self.changes);
            gate.finish_settling();
            self.trial.learnt += 1;
        }
    }

    /// The user of the attempt. `None`: a success without a user name.
    fn user(&mut self, login: &LoggedAttempt) -> Option<UserName> {
        let named = login.user.and_then(|id| self.history.names.get(id));
        match (named, login.outcome) {
            (Some(user), _) => Some(user.clone()),
            (None, AuthOutcome::Accept) => None,
            (None, _) => {
                self.trial.unnamed_failures += 1;
                let name = format!("(unnamed {})", self.trial.unnamed_failures);
                Some(UserName::new(name.into_bytes()))
            }
        }
    }

    fn judge(&mut self, login: &LoggedAttempt, user: &UserName) {
        let success = login.outcome == AuthOutcome::Accept;
        let password = self.password(login);
        let attempt = AuthAttempt {
            session: 0,
            client: login.client,
            user,
            password: Password::Shown(&password),
            door: Door::Own,
            device: None,
            country: Located::default(),
            system: None,
        };
        self.tick(login.at);
        let granted = self.granted(&attempt, login.at);
        self.trial.attempts += 1;
        self.trial.successes += u64::from(success);
        let reached = granted.is_ok();
        match granted {
            Ok(granted) => {
                let permit = granted.permit();
                count(&mut self.trial.allowed, permit.grounds());
                if let Some(reason) = permit.would_refuse() {
                    count(&mut self.trial.would_refuse, reason);
                }
                let _ = self
                    .judging
                    .settle(granted, login.outcome, login.at, &mut self.changes);
            }
            Err(RefusedAttempt::Repeat) => self.trial.repeated += 1,
            Err(RefusedAttempt::Refuse(refusal) | RefusedAttempt::Crowded(refusal)) => {
                self.refuse(login, user, refusal)
            }
        }
        if login.outcome == AuthOutcome::Reject {
            self.offend(login, u64::from(reached));
        }
        self.note_changes();
    }

    /// Both stages; all turns are free.
    fn granted(
        &mut self,
        attempt: &AuthAttempt<'_>,
        now: Moment,
    ) -> Result<GrantedAttempt, RefusedAttempt> {
        let (judging, changes) = (&self.judging, &mut self.changes);
        match judging.begin(attempt, now, changes) {
            Begun::Granted(granted) => return Ok(granted),
            Begun::Refused(refused) => return Err(refused),
            Begun::Wait(class) => {
                let network = attempt.client.network();
                judging.queue().enter(network, class, (), now);
            }
        }
        match judging.queue().advance(now).pop() {
            Some(Woken::Turn((), turn)) => judging.in_turn(turn, attempt, now, changes),
            Some(Woken::Missed(())) | None => Err(judging.missed(attempt, now)),
        }
    }

    fn refuse(&mut self, login: &LoggedAttempt, user: &UserName, refusal: Refusal) {
        count(&mut self.trial.refused, refusal.reason);
        if login.outcome == AuthOutcome::Accept {
            self.trial.mistakes.push(Mistake {
                at: login.at,
                user: user.clone(),
                client: login.client,
                service: login.service,
                refusal,
            });
        }
    }

    fn offend(&mut self, login: &LoggedAttempt, reached: u64) {
        let offender = self.trial.offenders.entry(login.client).or_default();
        offender.failures += 1;
        offender.reached += reached;
        let day = login.at.as_seconds() / DAY_SECONDS;
        *self.trial.guesses.entry(day).or_default() += reached;
    }

    /// A unique password: letters, so that folding keeps them, and pseudo-random, so that removing
    /// the user's name keeps them different. A success has its user's own.
    fn password(&mut self, login: &LoggedAttempt) -> Secret {
        let seed = match (login.outcome, login.user) {
            (AuthOutcome::Accept, Some(user)) => u64::from(user.number()),
            _ => {
                self.failures += 1;
                (1 << 40) + self.failures
            }
        };
        let mut state = seed;
        let letters = (0..24).map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            b'a' + u8::try_from((state >> 33) % 26).unwrap_or_default()
        });
        Secret::new(letters.collect())
    }

    fn tick(&mut self, now: Moment) {
        let second = now.as_seconds();
        if second != self.second {
            self.second = second;
            self.judging.gate().tick(now, &mut self.changes);
        }
    }

    fn note_changes(&mut self) {
        let began = |change: &Change| matches!(change.fact, Fact::BanBegan(_));
        self.trial.bans += self.changes.drain(..).filter(began).count() as u64;
    }
}

fn count(by: &mut BTreeMap<&'static str, u64>, reason: Reason) {
    *by.entry(reason.as_str()).or_default() += 1;
}

impl Trial {
    /// The number of allowed attempts.
    pub(super) fn allowed_in_all(&self) -> u64 {
        self.allowed.values().sum()
    }

    /// The number of refused attempts.
    pub(super) fn refused_in_all(&self) -> u64 {
        self.refused.values().sum()
    }

    /// The number of failures that would have reached Postfix.
    pub(super) fn guesses_in_all(&self) -> u64 {
        self.guesses.values().sum()
    }

    /// The number of failures in the log.
    pub(super) fn failures(&self) -> u64 {
        self.offenders
            .values()
            .map(|offender| offender.failures)
            .sum()
    }

    /// From the first attempt to the last, at least one day.
    pub(super) fn days(&self) -> f64 {
        let span = self
            .last
            .unwrap_or_default()
            .since(self.first.unwrap_or_default());
        (span.as_secs_f64() / DAY_SECONDS as f64).max(1.0)
    }

    /// The day with the most guesses that would have reached Postfix, in days since the epoch, and their number.
    pub(super) fn worst_day(&self) -> Option<(u64, u64)> {
        let days = self.guesses.iter().map(|(&day, &guesses)| (day, guesses));
        days.max_by_key(|&(day, guesses)| (guesses, std::cmp::Reverse(day)))
    }

    /// The clients with the most failures, at most `most` of them.
    pub(super) fn worst_offenders(&self, most: usize) -> Vec<(ClientKey, ClientFailures)> {
        let mut all: Vec<_> = self
            .offenders
            .iter()
            .map(|(&key, &offender)| (key, offender))
            .collect();
        all.sort_by_key(|&(client, offender)| (std::cmp::Reverse(offender.failures), client));
        all.truncate(most);
        all
    }
}
