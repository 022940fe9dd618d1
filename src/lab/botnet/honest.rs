//! honest - users who log in with their own password and send a mail
//!
//! Each has its own address; some mistype and try again; visits are due at even times. A user who was
//! refused tries again at the next visit.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

use super::attack::percent;
use super::connection::{ClientConnection, HelloTiming, LoginMethod, TestMail};
use super::outcome::{LoginAnswer, LoginOutcome};
use super::tally::{AttemptFigures, AttemptTally};
use super::target::Target;
use crate::load::{LoadExtent, run_open_loop};
use gatepost_core::moment::Moment;
use gatepost_daemon::clock::Clock;
use gatepost_daemon::drain::Drain;

/// One honest user.
#[derive(Clone, Debug)]
pub struct HonestUser {
    /// The login name; a mail address, or the local part of one.
    pub user: String,
    /// The right password.
    pub password: String,
    /// The address that the user connects from.
    pub source: IpAddr,
}

/// The plan of the honest users.
#[derive(Clone, Debug)]
pub struct HonestPlan {
    /// Who they are; they visit in turn.
    pub people: Vec<HonestUser>,
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
    tries: AttemptTally,
    visits: AtomicU64,
    mistyped: AtomicU64,
    locked_out: AtomicU64,
    mails: AtomicU64,
    mails_refused: AtomicU64,
    last_refusal: Mutex<Option<String>>,
}

/// What a [`HonestTally`] holds at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HonestFigures {
    /// Visits begun.
    pub visits: u64,
    /// Of these, begun with a mistyped password.
    pub mistyped: u64,
    /// Visits in which the right password did not get in.
    pub locked_out: u64,
    /// Mails accepted.
    pub mails: u64,
    /// Mails refused, after a login.
    pub mails_refused: u64,
    /// Why the last of them was.
    pub last_refusal: Option<String>,
    /// The tries to log in; latencies are those of visits without a mistype, from when the visit
    /// was due to 235: TCP, TLS, greeting and login.
    pub tries: AttemptFigures,
}

impl HonestTally {
    /// What it holds now. Counts that belong together may be one apart while people visit.
    pub fn figures(&self) -> HonestFigures {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        HonestFigures {
            visits: of(&self.visits),
            mistyped: of(&self.mistyped),
            locked_out: of(&self.locked_out),
            mails: of(&self.mails),
            mails_refused: of(&self.mails_refused),
            last_refusal: self.refusal().clone(),
            tries: self.tries.figures(),
        }
    }

    fn refusal(&self) -> MutexGuard<'_, Option<String>> {
        let lock = self.last_refusal.lock();
        lock.unwrap_or_else(PoisonError::into_inner)
    }

    fn refused(&self, why: String) {
        count(&self.mails_refused);
        *self.refusal() = Some(why);
    }
}

/// The address of the person with this number: in 127.16.0.0/12, every one in its own /24.
pub fn user_address(number: u32) -> Ipv4Addr {
    let (region, network) = (16 + number / 256 % 16, number % 256);
    Ipv4Addr::from_bits(127 << 24 | region << 16 | network << 8 | 7)
}

/// Visits until the visits, the time or the drain are over; gives the number of visits made.
///
/// `tally` counts what they see, also meanwhile.
pub async fn visit(
    target: &Target,
    plan: HonestPlan,
    tally: &Arc<HonestTally>,
    clock: Clock,
    drain: Drain,
) -> u64 {
    let homes = plan
        .people
        .iter()
        .map(|person| HonestClient::new(person, target));
    let homes: Vec<_> = homes.collect();
    let extent = LoadExtent {
        jobs: if homes.is_empty() { 0 } else { plan.visits },
        rate: plan.rate,
        lasting: plan.lasting,
        at_once: plan.at_once,
    };
    let mut in_turn = homes.iter().cycle();
    run_open_loop(extent, clock, drain, |number, due| {
        let visit = in_turn.next().map(|home| HonestVisit {
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

/// A user and the mail program, which resumes its own TLS sessions.
struct HonestClient {
    person: HonestUser,
    target: Target,
}

impl HonestClient {
    fn new(person: &HonestUser, target: &Target) -> Arc<Self> {
        Arc::new(Self {
            person: person.clone(),
            target: target.for_one_that_resumes(),
        })
    }
}

struct HonestVisit {
    home: Arc<HonestClient>,
    number: u64,
    due: Moment,
    clock: Clock,
    mistypes: bool,
    mail_octets: usize,
    tally: Arc<HonestTally>,
}

impl HonestVisit {
    async fn make(self) {
        count(&self.tally.visits);
        if self.mistypes {
            count(&self.tally.mistyped);
            self.mistype().await;
        }
        let Some(mut connection) = self.connect().await else {
            return count(&self.tally.locked_out);
        };
        let answer = self.log_in(&mut connection).await;
        if answer.outcome == LoginOutcome::Accept {
            self.send(&mut connection).await;
            connection.quit().await;
        } else {
            count(&self.tally.locked_out);
        }
    }

    /// A wrong password. A mail program then asks its user, and comes again in another session.
    async fn mistype(&self) {
        let HonestUser { user, password, .. } = &self.home.person;
        if let Some(mut connection) = self.connect().await {
            self.try_once(&mut connection, user, &mistyped(password))
                .await;
            connection.quit().await;
        }
    }

    async fn connect(&self) -> Option<ClientConnection> {
        let tries = &self.tally.tries;
        tries.count_session();
        let source = self.home.person.source;
        let greeting = HelloTiming::AfterBanner("laptop.example");
        let opened = ClientConnection::open(&self.home.target, source, greeting).await;
        // A user who finds no server has tried to log in, too.
        opened
            .inspect_err(|answer| {
                tries.count_try();
                tries.count_end(answer);
            })
            .ok()
    }

    async fn log_in(&self, connection: &mut ClientConnection) -> LoginAnswer {
        let HonestUser { user, password, .. } = &self.home.person;
        let answer = self.try_once(connection, user, password).await;
        if answer.outcome == LoginOutcome::Accept && !self.mistypes {
            self.tally
                .tries
                .record_latency(self.clock.now().since(self.due));
        }
        answer
    }

    async fn try_once(
        &self,
        connection: &mut ClientConnection,
        user: &str,
        password: &str,
    ) -> LoginAnswer {
        self.tally.tries.count_try();
        let answer = connection.log_in(LoginMethod::Plain, user, password).await;
        self.tally.tries.count_end(&answer);
        answer
    }

    async fn send(&self, connection: &mut ClientConnection) {
        let user = self.home.person.user.as_str();
        let letter = TestMail {
            // Postfix completes one without a domain.
            sender: user,
            subject: &format!("Letter {} of {user}", self.number),
            octets: self.mail_octets,
        };
        match connection.send(&letter).await {
            Ok(None) => count(&self.tally.mails),
            Ok(Some(answer)) => self.tally.refused(answer),
            Err(error) => self.tally.refused(error.to_string()),
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
