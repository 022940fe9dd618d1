//! honest - people who log in with their own password and send a mail
//!
//! Each has an address of his own; some mistype and try again; visits are due at even times. A
//! person who was refused does what people do: comes again at the next visit.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

use super::attack::percent;
use super::connection::{Connection, Greeting, Letter, Mechanism};
use super::outcome::{Answer, Outcome};
use super::tally::{Figures, Tally};
use super::target::Target;
use crate::load::{Extent, run_open_loop};
use gatepost_core::moment::Moment;
use gatepost_daemon::clock::Clock;
use gatepost_daemon::drain::Drain;

/// One honest user.
#[derive(Clone, Debug)]
pub struct Person {
    /// The login name; a mail address, or the local part of one.
    pub user: String,
    /// The right password.
    pub password: String,
    /// Where the person connects from.
    pub source: IpAddr,
}

/// The plan of the honest users.
#[derive(Clone, Debug)]
pub struct Honest {
    /// Who they are; they visit in turn.
    pub people: Vec<Person>,
    /// How many visits in all.
    pub visits: u64,
    /// Visits a second, all people together.
    pub rate: f64,
    /// The longest that it lasts.
    pub lasting: Duration,
    /// How many visits in 100 begin with a mistyped password.
    pub mistypes_percent: u64,
    /// The size of each mail in octets.
    pub mail_octets: usize,
    /// Visits at once.
    pub at_once: usize,
}

/// What the honest users saw.
#[derive(Debug, Default)]
pub struct HonestTally {
    tries: Tally,
    visits: AtomicU64,
    mistyped: AtomicU64,
    turned_away: AtomicU64,
    mails: AtomicU64,
    mails_refused: AtomicU64,
}

/// What a [`HonestTally`] holds at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HonestFigures {
    /// Visits begun.
    pub visits: u64,
    /// Of these, begun with a mistyped password.
    pub mistyped: u64,
    /// Visits in which the right password did not get in.
    pub turned_away: u64,
    /// Mails taken.
    pub mails: u64,
    /// Mails not taken, after a login.
    pub mails_refused: u64,
    /// The tries to log in; latencies are those of visits without a mistype, from when the visit
    /// was due to 235: TCP, TLS, greeting and login.
    pub tries: Figures,
}

impl HonestTally {
    /// What it holds now. Counts that belong together may be one apart while people visit.
    pub fn figures(&self) -> HonestFigures {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        HonestFigures {
            visits: of(&self.visits),
            mistyped: of(&self.mistyped),
            turned_away: of(&self.turned_away),
            mails: of(&self.mails),
            mails_refused: of(&self.mails_refused),
            tries: self.tries.figures(),
        }
    }
}

/// The address of the person with this number: in 127.16.0.0/12, every one in a /24 of his own.
pub fn person_address(number: u32) -> Ipv4Addr {
    let (region, network) = (16 + number / 256 % 16, number % 256);
    Ipv4Addr::from_bits(127 << 24 | region << 16 | network << 8 | 7)
}

/// Visits until the visits, the time or the drain are over; gives the number of visits made.
///
/// What the people see stands in `tally`, also meanwhile.
pub async fn visit(
    target: &Target,
    plan: Honest,
    tally: &Arc<HonestTally>,
    clock: Clock,
    drain: Drain,
) -> u64 {
    let homes = plan.people.iter().map(|person| Home::new(person, target));
    let homes: Vec<_> = homes.collect();
    let extent = Extent {
        jobs: if homes.is_empty() { 0 } else { plan.visits },
        rate: plan.rate,
        lasting: plan.lasting,
        at_once: plan.at_once,
    };
    let mut in_turn = homes.iter().cycle();
    run_open_loop(extent, clock, drain, |number, due| {
        let visit = in_turn.next().map(|home| Visit {
            home: Arc::clone(home),
            number,
            due,
            clock,
            mistypes: percent(number) < plan.mistypes_percent,
            mail_octets: plan.mail_octets,
            tally: Arc::clone(tally),
        });
        async move {
            if let Some(visit) = visit {
                visit.make().await;
            }
        }
    })
    .await
}

/// A person and his mail program, which resumes its own TLS sessions.
struct Home {
    person: Person,
    target: Target,
}

impl Home {
    fn new(person: &Person, target: &Target) -> Arc<Self> {
        Arc::new(Self {
            person: person.clone(),
            target: target.for_one_that_resumes(),
        })
    }
}

struct Visit {
    home: Arc<Home>,
    number: u64,
    due: Moment,
    clock: Clock,
    mistypes: bool,
    mail_octets: usize,
    tally: Arc<HonestTally>,
}

impl Visit {
    async fn make(self) {
        count(&self.tally.visits);
        let tries = &self.tally.tries;
        tries.connecting();
        let source = self.home.person.source;
        let greeting = Greeting::InTurn("laptop.example");
        let mut connection = match Connection::open(&self.home.target, source, greeting).await {
            Ok(connection) => connection,
            Err(answer) => {
                // A person who finds no server has tried to log in, too.
                tries.trying();
                tries.ended(&answer);
                return count(&self.tally.turned_away);
            }
        };
        let answer = self.log_in(&mut connection).await;
        if answer.outcome == Outcome::Accept {
            self.send(&mut connection).await;
            connection.quit().await;
        } else {
            count(&self.tally.turned_away);
        }
    }

    async fn log_in(&self, connection: &mut Connection) -> Answer {
        let Person { user, password, .. } = &self.home.person;
        if self.mistypes {
            count(&self.tally.mistyped);
            self.try_once(connection, user, &mistyped(password)).await;
            return self.try_once(connection, user, password).await;
        }
        let answer = self.try_once(connection, user, password).await;
        if answer.outcome == Outcome::Accept {
            self.tally.tries.took(self.clock.now().since(self.due));
        }
        answer
    }

    async fn try_once(&self, connection: &mut Connection, user: &str, password: &str) -> Answer {
        self.tally.tries.trying();
        let answer = connection.log_in(Mechanism::Plain, user, password).await;
        self.tally.tries.ended(&answer);
        answer
    }

    async fn send(&self, connection: &mut Connection) {
        let user = self.home.person.user.as_str();
        let sender = match user.contains('@') {
            true => user.to_owned(),
            false => format!("{user}@localhost"),
        };
        let letter = Letter {
            sender: &sender,
            subject: &format!("Letter {} of {user}", self.number),
            octets: self.mail_octets,
        };
        match connection.send(&letter).await {
            Ok(true) => count(&self.tally.mails),
            Ok(false) | Err(_) => count(&self.tally.mails_refused),
        }
    }
}

/// The password with its last two characters exchanged, or one more where they are alike.
fn mistyped(password: &str) -> String {
    let mut characters: Vec<char> = password.chars().collect();
    match characters.as_mut_slice() {
        [.., last_but_one, last] if last_but_one != last => std::mem::swap(last_but_one, last),
        _ => characters.push('x'),
    }
    characters.into_iter().collect()
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_password_is_never_the_right_one() {
        for password in ["green otter", "aa", "a", ""] {
            assert_ne!(mistyped(password), password);
        }
        assert_eq!(mistyped("green otter"), "green ottre");
    }
}
