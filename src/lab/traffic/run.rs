//! run - plays one scenario before one door
//!
//! An event queue on moments: the next visit, guess or mishap, the retries of those who were sent away,
//! and the door's own business, whichever comes first. Ties are broken by the order in which events were
//! queued, so a run is the same on every machine.
//! Not here: who comes (`honest`, `attack`), what is written down (`report`).

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

use crate::traffic::attack::{Campaign, Guess, Sender};
use crate::traffic::door::{Answer, Door, Ended, Knock, Mechanism, Mishap, Outcome, Truth};
use crate::traffic::honest::{Routine, Visit};
use crate::traffic::incident::Incidents;
use crate::traffic::ledger::{Ledger, Place};
use crate::traffic::people::People;
use crate::traffic::random::Random;
use crate::traffic::report::{Clerk, Past, Report};
use crate::traffic::scenario::{Scenario, Start};
use crate::traffic::{DAY, MINUTE, Plan, SECOND, START, promise};
use gatepost_core::gate::request::attempt::{Secret, UserName};
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::verdict::Reason;
use gatepost_core::moment::Moment;

/// Who mistyped tries again after this.
const RETYPED: Duration = SECOND.saturating_mul(20);
/// Who is told that his right password is wrong types it once more after this.
const DOUBTED: Duration = MINUTE;
/// After so many doubts he gives up.
const DOUBTS: u32 = 10;
/// A mail program that hears "not now" tries again after this, and gives up after a day.
const RETRIED: Duration = MINUTE.saturating_mul(5);
const GIVEN_UP: Duration = DAY;

/// Plays `scenario`, and checks its promises if the door is the gate.
pub fn run(scenario: &Scenario, plan: &Plan, door: &mut dyn Door) -> Report {
    let cast = scenario.cast(plan);
    let mut stage = Stage {
        people: cast.people,
        incidents: cast.incidents,
        ledger: Ledger::default(),
        clerk: Clerk::new(scenario.name, door.name(), plan),
        queue: BinaryHeap::new(),
        queued: 0,
        tickets: HashMap::new(),
        routines: cast.routines,
        campaigns: cast.campaigns,
        door,
        ended: Vec::new(),
    };
    stage.past(cast.start, plan);
    for (at, mishap) in cast.incidents.mishaps(plan) {
        stage.queue(at, Event::Mishap(mishap));
    }
    for source in 0..stage.routines.len() {
        stage.next_visit(source);
    }
    for source in 0..stage.campaigns.len() {
        stage.next_guess(source);
    }
    stage.play();
    let (bans, lost) = (stage.door.bans(), stage.door.bans_lost());
    let mut report = stage.clerk.finish(bans, lost);
    promise::check(scenario.promises, plan, &mut report);
    report
}

struct Stage<'a> {
    people: People,
    incidents: Incidents,
    ledger: Ledger,
    clerk: Clerk,
    queue: BinaryHeap<Reverse<Queued>>,
    queued: u64,
    /// Who holds a ticket that the door has not ended yet.
    tickets: HashMap<u64, Holder>,
    routines: Vec<Routine>,
    campaigns: Vec<Campaign>,
    door: &'a mut dyn Door,
    ended: Ended,
}

/// What happens next.
enum Event {
    /// The next of the routine with this number.
    Visit(usize, Visit),
    /// The next of the campaign with this number.
    Guess(usize, Guess),
    /// Somebody who was sent away comes again, or has mistyped.
    Again(Caller),
    Mishap(Mishap),
}

struct Queued {
    at: Moment,
    order: u64,
    event: Event,
}

/// An honest person at the door.
#[derive(Clone, Copy)]
struct Caller {
    visit: Visit,
    past: Past,
    doubts: u32,
}

enum Holder {
    Caller(Caller),
    Guesser {
        person: Option<u32>,
        place: Place,
        sender: Sender,
        truth: Truth,
        client: ClientKey,
    },
}

impl Stage<'_> {
    /// What the old logs tell, unless there are none.
    fn past(&mut self, start: Start, plan: &Plan) {
        if start == Start::Strangers {
            return;
        }
        let mut random = Random::new(plan.seed, "past");
        let (yesterday, last_week) = (START - DAY, START - DAY * 5);
        for (number, person) in self.people.all() {
            let mut clients = vec![(person.home, yesterday)];
            clients.extend((0..3).map(|_| (person.phone(&mut random), last_week)));
            if number < self.people.staff() {
                clients.push((super::people::OFFICE, yesterday));
            }
            for (client, when) in clients {
                self.door.learn(&person.name, client, when, START);
                self.ledger.login(number, client.network(), when);
            }
        }
        self.door.learnt();
    }

    fn play(&mut self) {
        loop {
            let woken = self.door.next();
            let queued = self.queue.peek().map(|Reverse(next)| next.at);
            match (woken, queued) {
                (None, None) => return,
                (Some(woken), _) if queued.is_none_or(|queued| woken <= queued) => {
                    self.door.wake(woken, &mut self.ended);
                    self.answer(woken);
                }
                _ => {
                    if let Some(Reverse(next)) = self.queue.pop() {
                        self.happen(next);
                    }
                }
            }
        }
    }

    fn happen(&mut self, next: Queued) {
        let now = next.at;
        match next.event {
            Event::Visit(source, visit) => {
                self.next_visit(source);
                let network = visit.client.network();
                let place = self.ledger.place(visit.person, network, now);
                let past = Past {
                    place,
                    refused: None,
                    told_wrong: false,
                };
                self.call(
                    Caller {
                        visit,
                        past,
                        doubts: 0,
                    },
                    next.order,
                    now,
                );
            }
            Event::Guess(source, guess) => {
                self.next_guess(source);
                self.guess(guess, next.order, now);
            }
            Event::Again(caller) => self.call(caller, next.order, now),
            Event::Mishap(mishap) => {
                self.door.befall(mishap, now, &mut self.ended);
                self.answer(now);
            }
        }
    }

    fn next_visit(&mut self, source: usize) {
        let routine = self.routines.get_mut(source);
        if let Some(visit) = routine.and_then(|routine| routine.next(&self.people)) {
            self.queue(visit.at, Event::Visit(source, visit));
        }
    }

    fn next_guess(&mut self, source: usize) {
        let campaign = self.campaigns.get_mut(source);
        if let Some(guess) = campaign.and_then(|campaign| campaign.next(&self.people)) {
            self.queue(guess.at, Event::Guess(source, guess));
        }
    }

    fn queue(&mut self, at: Moment, event: Event) {
        let order = self.queued;
        self.queued += 1;
        self.queue.push(Reverse(Queued { at, order, event }));
    }

    fn call(&mut self, caller: Caller, ticket: u64, now: Moment) {
        let Some(person) = self.people.person(caller.visit.person) else {
            return;
        };
        let mut password = person.password.clone();
        let truth = match caller.visit.mistyped {
            true => {
                // A finger beside the key, and a different one each day.
                let beside = b'a' + (now.as_seconds() / 86_400 % 25) as u8;
                password.insert(password.len() / 2, char::from(beside));
                Truth::Wrong
            }
            false => Truth::Right,
        };
        let knock = Knock {
            client: caller.visit.client,
            user: person.name.clone(),
            password: Secret::new(password.into_bytes()),
            mechanism: Mechanism::Plain,
            truth: self.truth(truth, now),
        };
        self.knock(ticket, Holder::Caller(caller), knock, now);
    }

    fn guess(&mut self, guess: Guess, ticket: u64, now: Moment) {
        let person = guess.person.and_then(|number| self.people.person(number));
        let truth = match person {
            None => Truth::NoSuchUser,
            Some(person) if person.password == guess.password => Truth::Right,
            Some(_) => Truth::Wrong,
        };
        let network = guess.client.network();
        let place = guess
            .person
            .map_or(Place::Far, |number| self.ledger.place(number, network, now));
        let holder = Holder::Guesser {
            person: guess.person,
            place,
            sender: guess.sender,
            truth,
            client: guess.client,
        };
        let knock = Knock {
            client: guess.client,
            user: user_as_typed(guess.user, ticket),
            password: Secret::new(guess.password.into_bytes()),
            mechanism: guess.mechanism,
            truth: self.truth(truth, now),
        };
        self.knock(ticket, holder, knock, now);
    }

    fn truth(&self, truth: Truth, now: Moment) -> Truth {
        match self.incidents.is_sick(now) {
            true => Truth::Sick,
            false => truth,
        }
    }

    fn knock(&mut self, ticket: u64, holder: Holder, knock: Knock, now: Moment) {
        self.tickets.insert(ticket, holder);
        self.door.knock(ticket, knock, now, &mut self.ended);
        self.answer(now);
    }

    /// Hands out what the door has ended.
    fn answer(&mut self, now: Moment) {
        for (ticket, outcome) in std::mem::take(&mut self.ended) {
            match self.tickets.remove(&ticket) {
                Some(Holder::Caller(caller)) => self.answer_caller(caller, outcome.answer, now),
                Some(Holder::Guesser {
                    person,
                    place,
                    sender,
                    truth,
                    client,
                }) => {
                    if let (Answer::LoggedIn, Some(person)) = (outcome.answer, person) {
                        self.ledger.login(person, client.network(), now);
                    }
                    self.write_down(person, place, sender, truth, outcome, now);
                }
                None => {}
            }
        }
    }

    fn write_down(
        &mut self,
        person: Option<u32>,
        place: Place,
        sender: Sender,
        truth: Truth,
        outcome: Outcome,
        now: Moment,
    ) {
        match sender {
            Sender::OldPhone => self.clerk.old_phone(outcome, now),
            // Whoever knows the password does not guess.
            Sender::Attacker if truth == Truth::Right => {}
            Sender::Attacker => self.clerk.guess(person, place, outcome, now),
        }
    }

    fn answer_caller(&mut self, mut caller: Caller, answer: Answer, now: Moment) {
        let wait = match answer {
            Answer::LoggedIn => {
                let Visit { person, client, .. } = caller.visit;
                self.ledger.login(person, client.network(), now);
                self.clerk.visit(&caller.past, answer, now);
                return;
            }
            Answer::Wrong if caller.visit.mistyped => {
                caller.visit.mistyped = false;
                RETYPED
            }
            Answer::Wrong => {
                caller.past.told_wrong = true;
                caller.doubts += 1;
                DOUBTED
            }
            // What Dovecot cannot check is no refusal of ours, nor is a restart.
            Answer::Later(Some(Reason::Sick)) | Answer::Cut => RETRIED,
            Answer::Later(_) => {
                caller.past.refused.get_or_insert(now);
                RETRIED
            }
        };
        if caller.doubts > DOUBTS || now.since(caller.visit.at) > GIVEN_UP {
            self.clerk.visit(&caller.past, answer, now);
            return;
        }
        self.queue(now + wait, Event::Again(caller));
    }
}

/// Attackers write names in letters of any size; it is the same account.
fn user_as_typed(user: UserName, ticket: u64) -> UserName {
    match ticket % 16 {
        0 => UserName::new(user.as_bytes().to_ascii_uppercase()),
        _ => user,
    }
}

impl PartialEq for Queued {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl Eq for Queued {}

impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Queued {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}
