//! run - plays one scenario before one policy
//!
//! An event queue on moments: the next login, guess or incident, the retries of clients that were
//! refused, and the policy's own timers, whichever comes first. Ties are broken by the order in which events were
//! queued, so a run is the same on every machine.
//! Not here: who comes (`routine`, `campaign`), what is written down (`report`).

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::time::Duration;

use crate::traffic::campaign::{Campaign, GuessSender, PlannedGuess};
use crate::traffic::crowd::Crowd;
use crate::traffic::incident::IncidentSchedule;
use crate::traffic::ledger::{Ledger, Locality};
use crate::traffic::people::People;
use crate::traffic::planned::{FirstTry, PlannedLogin};
use crate::traffic::policy::{
    ClientAnswer, Ended, Expected, Incident, LoginAttempt, Outcome, PasswordForm, Policy,
};
use crate::traffic::report::{LoginProgress, Occasion, Report, ReportBuilder};
use crate::traffic::routine::Routine;
use crate::traffic::scenario::Scenario;
use crate::traffic::{DAY, MINUTE, SimulationPlan};
use gatepost_core::gate::request::attempt::{Secret, UserName};
use gatepost_core::gate::request::client::{ClientKey, NetworkKey};
use gatepost_core::gate::request::verdict::Reason;
use gatepost_core::moment::Moment;

mod feedback;
mod past;
mod queue;
mod tickets;

use feedback::{Feedback, next_try};
use queue::QueuedEvent;
use tickets::ProgramTickets;

/// Users whose right password was answered 535 type it once more after this.
const RETYPED_UNCHANGED: Duration = MINUTE;
/// How often they do so before they give up.
const MOST_RETYPED: u32 = 10;
/// A mail program with a wrong password tries again after this, and one that was refused gives up after a day.
const RETRY: Duration = MINUTE.saturating_mul(5);
const GIVE_UP: Duration = DAY;

/// Plays `scenario`, and checks its promises if the policy is the gate.
pub fn run(scenario: &Scenario, plan: &SimulationPlan, policy: &mut dyn Policy) -> Report {
    let cast = scenario.cast(plan);
    let mut simulation = Simulation {
        people: cast.people,
        incidents: cast.incidents,
        ledger: Ledger::default(),
        report: ReportBuilder::new(scenario.name, policy.name(), plan),
        queue: BinaryHeap::new(),
        queued: 0,
        tickets: HashMap::new(),
        routines: cast.routines,
        campaigns: cast.campaigns,
        feedback: Feedback::new(cast.patience, plan),
        change: cast.crowd.and_then(Crowd::change),
        places: HashSet::new(),
        devices: ProgramTickets::default(),
        policy,
        ended: Vec::new(),
    };
    simulation.learn_past(cast.start, cast.crowd, plan);
    for (at, incident) in cast.incidents.schedule(plan) {
        simulation.queue(at, SimulatedEvent::Incident(incident));
    }
    for source in 0..simulation.routines.len() {
        simulation.next_visit(source);
    }
    for source in 0..simulation.campaigns.len() {
        simulation.next_guess(source);
    }
    simulation.play();
    let (bans, lost) = (simulation.policy.bans(), simulation.policy.bans_lost());
    let mut report = simulation.report.finish(bans, lost);
    scenario.check(plan, &mut report);
    report
}

struct Simulation<'a> {
    people: People,
    incidents: IncidentSchedule,
    ledger: Ledger,
    report: ReportBuilder,
    queue: BinaryHeap<Reverse<QueuedEvent>>,
    queued: u64,
    /// The attempts that the policy has not ended yet, by ticket.
    tickets: HashMap<u64, TicketHolder>,
    routines: Vec<Routine>,
    campaigns: Vec<Campaign>,
    feedback: Feedback,
    /// When all passwords change.
    change: Option<Moment>,
    /// The user who wanted a login, and from where.
    places: HashSet<(u32, NetworkKey)>,
    devices: ProgramTickets,
    policy: &'a mut dyn Policy,
    ended: Ended,
}

/// What happens next.
enum SimulatedEvent {
    /// The next of the routine with this number.
    PlannedLogin(usize, PlannedLogin),
    /// The next of the campaign with this number.
    PlannedGuess(usize, PlannedGuess),
    /// A user who was refused or has mistyped tries again.
    Again(HonestLogin),
    Incident(Incident),
}

/// An honest user's login under way.
#[derive(Clone, Copy)]
struct HonestLogin {
    visit: PlannedLogin,
    progress: LoginProgress,
    retyped: u32,
    /// How often it was refused.
    put_off: u32,
}

enum TicketHolder {
    HonestLogin(HonestLogin),
    Guesser {
        person: Option<u32>,
        locality: Locality,
        sender: GuessSender,
        expected: Expected,
        client: ClientKey,
    },
}

impl Simulation<'_> {
    fn play(&mut self) {
        loop {
            let woken = self.policy.next();
            let queued = self.queue.peek().map(|Reverse(next)| next.at);
            match (woken, queued) {
                (None, None) => return,
                (Some(woken), _) if queued.is_none_or(|queued| woken <= queued) => {
                    self.policy.wake(woken, &mut self.ended);
                    self.answer(woken);
                }
                _ => {
                    if let Some(Reverse(next)) = self.queue.pop() {
                        self.handle(next);
                    }
                }
            }
        }
    }

    fn handle(&mut self, next: QueuedEvent) {
        let now = next.at;
        match next.event {
            SimulatedEvent::PlannedLogin(source, visit) => {
                self.next_visit(source);
                let network = visit.client.network();
                let locality = self.ledger.locality(visit.person, network, now);
                let new = self.places.insert((visit.person, network));
                let progress = LoginProgress {
                    locality,
                    occasion: match (locality, new) {
                        (Locality::Far, true) => Occasion::First,
                        _ => Occasion::Later,
                    },
                    refused: None,
                    wrongly_rejected: false,
                };
                self.log_in(
                    HonestLogin {
                        visit,
                        progress,
                        retyped: 0,
                        put_off: 0,
                    },
                    next.order,
                    now,
                );
            }
            SimulatedEvent::PlannedGuess(source, guess) => {
                self.next_guess(source);
                self.guess(guess, next.order, now);
            }
            SimulatedEvent::Again(login) => self.log_in(login, next.order, now),
            SimulatedEvent::Incident(incident) => {
                self.policy.happen(incident, now, &mut self.ended);
                self.answer(now);
            }
        }
    }

    fn next_visit(&mut self, source: usize) {
        let routine = self.routines.get_mut(source);
        if let Some(visit) = routine.and_then(|routine| routine.next(&self.people)) {
            self.queue(visit.at, SimulatedEvent::PlannedLogin(source, visit));
        }
    }

    fn next_guess(&mut self, source: usize) {
        let campaign = self.campaigns.get_mut(source);
        if let Some(guess) = campaign.and_then(|campaign| campaign.next(&self.people)) {
            self.queue(guess.at, SimulatedEvent::PlannedGuess(source, guess));
        }
    }

    fn queue(&mut self, at: Moment, event: SimulatedEvent) {
        let order = self.queued;
        self.queued += 1;
        self.queue.push(Reverse(QueuedEvent { at, order, event }));
    }

    fn log_in(&mut self, login: HonestLogin, ticket: u64, now: Moment) {
        let Some(person) = self.people.person(login.visit.person) else {
            return;
        };
        let mut password = person.right(self.change, now).to_owned();
        let expected = match login.visit.first_try {
            FirstTry::Former(_) if person.former != password => {
                password.clone_from(&person.former);
                Expected::Wrong
            }
            FirstTry::Mistyped(left) => {
                // A finger beside the key, and a different one each day.
                let beside =
                    b'a' + (((now.as_seconds() / 86_400) + 7 * u64::from(left)) % 25) as u8;
                password.insert(password.len() / 2, char::from(beside));
                Expected::Wrong
            }
            FirstTry::Right | FirstTry::Former(_) => Expected::Right,
        };
        let attempt = LoginAttempt {
            client: login.visit.client,
            device: login
                .visit
                .laptop
                .map(|laptop| self.devices.connect(laptop)),
            door: login.visit.door,
            user: person.name.clone(),
            password: Secret::new(password.into_bytes()),
            mechanism: PasswordForm::Plain,
            expected: self.expected(expected, now),
        };
        self.submit(ticket, TicketHolder::HonestLogin(login), attempt, now);
    }

    fn guess(&mut self, guess: PlannedGuess, ticket: u64, now: Moment) {
        let person = guess.person.and_then(|number| self.people.person(number));
        let expected = match person {
            None => Expected::NoSuchUser,
            Some(person) if person.right(self.change, now) == guess.password => Expected::Right,
            Some(_) => Expected::Wrong,
        };
        let network = guess.client.network();
        let locality = guess.person.map_or(Locality::Far, |number| {
            self.ledger.locality(number, network, now)
        });
        let holder = TicketHolder::Guesser {
            person: guess.person,
            locality,
            sender: guess.sender,
            expected,
            client: guess.client,
        };
        let attempt = LoginAttempt {
            client: guess.client,
            device: None,
            door: guess.door,
            user: user_as_typed(guess.user, ticket),
            password: Secret::new(guess.password.into_bytes()),
            mechanism: guess.mechanism,
            expected: self.expected(expected, now),
        };
        self.submit(ticket, holder, attempt, now);
    }

    fn expected(&self, expected: Expected, now: Moment) -> Expected {
        match self.incidents.dovecot_fails(now) {
            true => Expected::Outage,
            false => expected,
        }
    }

    fn submit(&mut self, ticket: u64, holder: TicketHolder, attempt: LoginAttempt, now: Moment) {
        self.tickets.insert(ticket, holder);
        self.policy.log_in(ticket, attempt, now, &mut self.ended);
        self.answer(now);
    }

    /// Passes on what the policy has ended.
    fn answer(&mut self, now: Moment) {
        for (ticket, outcome) in std::mem::take(&mut self.ended) {
            match self.tickets.remove(&ticket) {
                Some(TicketHolder::HonestLogin(login)) => {
                    self.answer_honest(login, outcome.answer, now)
                }
                Some(TicketHolder::Guesser {
                    person,
                    locality,
                    sender,
                    expected,
                    client,
                }) => {
                    if let (ClientAnswer::LoggedIn, Some(person)) = (outcome.answer, person) {
                        self.ledger.login(person, client.network(), now);
                        self.report.login(person, client);
                    }
                    let from = (client, locality);
                    self.write_down(person, from, sender, expected, outcome, now);
                }
                None => {}
            }
        }
    }

    fn write_down(
        &mut self,
        person: Option<u32>,
        from: (ClientKey, Locality),
        sender: GuessSender,
        expected: Expected,
        outcome: Outcome,
        now: Moment,
    ) {
        match sender {
            GuessSender::OldPhone => self.report.old_phone(outcome, now),
            GuessSender::Holder => {}
            GuessSender::Attacker if expected == Expected::Right => {
                if let Some(person) = person.filter(|_| outcome.answer == ClientAnswer::LoggedIn) {
                    self.report.lose(person);
                }
            }
            GuessSender::Attacker => self.report.guess(person, from, outcome, now),
        }
    }

    fn answer_honest(&mut self, mut login: HonestLogin, answer: ClientAnswer, now: Moment) {
        let first_try = login.visit.first_try;
        let wait = match answer {
            ClientAnswer::LoggedIn => {
                let PlannedLogin { person, client, .. } = login.visit;
                self.ledger.login(person, client.network(), now);
                self.report.login(person, client);
                self.report.visit(&login.progress, answer, now);
                return;
            }
            ClientAnswer::Wrong if first_try != FirstTry::Right => {
                login.visit.first_try = next_try(first_try);
                match login.visit.first_try {
                    FirstTry::Former(_) => RETRY,
                    _ => self.feedback.retyped(),
                }
            }
            // The person looks at the password when the mail program has tried it once more. Nor is it a refusal that
            // a wrong password is not called so at once, for which Postfix is not asked twice in a minute.
            ClientAnswer::FailedOrPutOff | ClientAnswer::Later(Some(Reason::Repeat)) => {
                login.visit.first_try = next_try(first_try);
                RETRY
            }
            // A program that looks for mail shows it, keeps its password, and looks again.
            ClientAnswer::Wrong if !login.visit.door.has_later() => {
                login.progress.wrongly_rejected = true;
                login.progress.refused.get_or_insert(now);
                login.put_off += 1;
                self.feedback.retry(login.put_off)
            }
            ClientAnswer::Wrong => {
                login.progress.wrongly_rejected = true;
                login.retyped += 1;
                RETYPED_UNCHANGED
            }
            // What Dovecot cannot check is no refusal of ours, nor is a restart.
            ClientAnswer::Later(Some(Reason::Outage)) | ClientAnswer::Cut => RETRY,
            ClientAnswer::Later(_) => {
                login.progress.refused.get_or_insert(now);
                login.put_off += 1;
                self.feedback.retry(login.put_off)
            }
        };
        if login.retyped > MOST_RETYPED || now.since(login.visit.at) > GIVE_UP {
            self.report.visit(&login.progress, answer, now);
            return;
        }
        self.queue(now + wait, SimulatedEvent::Again(login));
    }
}

/// Attackers write names in letters of any size; it is the same account.
fn user_as_typed(user: UserName, ticket: u64) -> UserName {
    match ticket % 16 {
        0 => UserName::new(user.as_bytes().to_ascii_uppercase()),
        _ => user,
    }
}
