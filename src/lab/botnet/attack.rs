//! attack - a botnet that goes through a word list
//!
//! Guesses are due at even times, whatever the result of those before. Each is made by a bot that holds
//! an open session, or else by the next bot's new one. Bots have the habits that published logs show:
//! `EHLO User`, sometimes `ylmf-pc`, often before the banner; LOGIN more often than PLAIN; a drop as
//! often as a QUIT; a few addresses that guess more than all others.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::connection::{ClientConnection, HelloTiming, LoginMethod};
use super::outcome::{LoginAnswer, LoginOutcome};
use super::tally::{AttemptTally, lock};
use super::target::Target;
use crate::load::{LoadExtent, run_open_loop};
use gatepost_core::moment::Moment;
use gatepost_daemon::clock::Clock;
use gatepost_daemon::drain::Drain;

/// How many addresses guess more than all others.
const LOUD: u64 = 2;

/// The plan of an attack.
#[derive(Clone, Debug)]
pub struct AttackPlan {
    /// The names to try, each with every password: all names with the first, then with the second.
    pub names: Vec<String>,
    /// The passwords to try. When all are through, it begins anew.
    pub passwords: Vec<String>,
    /// How many addresses the bots have together, 1 to 4,000,000.
    pub addresses: u32,
    /// How many guesses in all.
    pub guesses: u64,
    /// Guesses a second.
    pub rate: f64,
    /// The longest that it lasts.
    pub lasting: Duration,
    /// Guesses after which a bot disconnects by itself.
    pub per_session: u32,
    /// Sessions at once. A guess that has to wait for one is late, and its latency counts the wait.
    pub at_once: usize,
    /// How bots behave.
    pub habits: BotHabits,
}

/// How bots behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BotHabits {
    /// How many bots in 100 send `EHLO ylmf-pc`, every second one before the banner; the rest send
    /// `EHLO User`.
    pub ylmf_percent: u64,
    /// How many sessions in 100 come from the first two addresses, which guess most.
    pub loud_percent: u64,
    /// How many guesses in 100 go by LOGIN; the others by PLAIN.
    pub login_percent: u64,
}

impl Default for BotHabits {
    fn default() -> Self {
        Self {
            ylmf_percent: 5,
            loud_percent: 10,
            login_percent: 70,
        }
    }
}

/// The address of the bot with this number: in 127.64.0.0/10, neighbours in number far apart.
///
/// The first 64 bots are in as many /16s, the first 16,384 in as many /24s.
pub fn bot_address(number: u32) -> Ipv4Addr {
    let region = 64 + (number % 64);
    let network = number / 64 % 256;
    let host = 1 + number / 16_384 % 254;
    Ipv4Addr::from_bits(127 << 24 | region << 16 | network << 8 | host)
}

/// Whether an address is one of [`bot_address`]'s.
pub fn is_bot(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => matches!(v4.octets(), [127, 64..=127, _, _]),
        IpAddr::V6(_) => false,
    }
}

/// Attacks until the guesses, the time or the drain are over; gives the number of guesses made.
///
/// What the bots see stands in `tally`, also meanwhile.
pub async fn attack(
    target: &Target,
    plan: AttackPlan,
    tally: &Arc<AttemptTally>,
    clock: Clock,
    drain: Drain,
) -> u64 {
    let extent = LoadExtent {
        jobs: plan.guesses,
        rate: plan.rate,
        lasting: plan.lasting,
        at_once: plan.at_once,
    };
    let botnet = Arc::new(Botnet {
        target: target.clone(),
        plan,
        tally: Arc::clone(tally),
        clock,
        idle: Mutex::default(),
        bots: AtomicU64::new(0),
    });
    run_open_loop(extent, clock, drain, |number, due| {
        tally.count_try();
        let botnet = Arc::clone(&botnet);
        async move { botnet.guess(number, due).await }
    })
    .await
}

struct Botnet {
    target: Target,
    plan: AttackPlan,
    tally: Arc<AttemptTally>,
    clock: Clock,
    /// Sessions that wait for their next guess.
    idle: Mutex<Vec<Bot>>,
    /// How many bots have connected.
    bots: AtomicU64,
}

/// A bot in a session.
struct Bot {
    connection: ClientConnection,
    left: u32,
}

impl Botnet {
    /// One guess, by a bot that waits in a session or else by a new one.
    ///
    /// New sessions are opened only while no bot waits, so those under way and those that wait
    /// together are never more than the guesses that may be under way at once.
    async fn guess(&self, number: u64, due: Moment) {
        let waiting = lock(&self.idle).pop();
        let bot = match waiting {
            Some(bot) => Ok(bot),
            None => self.connect().await,
        };
        let (answer, bot) = match bot {
            Ok(mut bot) => (
                self.try_password(number, &mut bot.connection).await,
                Some(bot),
            ),
            Err(answer) => (answer, None),
        };
        self.tally.record_latency(self.clock.now().since(due));
        self.tally.count_end(&answer);
        let Some(mut bot) = bot else { return };
        bot.left = bot.left.saturating_sub(1);
        match answer.outcome {
            LoginOutcome::Reject | LoginOutcome::TryLater if bot.left > 0 => {
                lock(&self.idle).push(bot)
            }
            // It has logged in, or has made its guesses; every second one sends QUIT.
            LoginOutcome::Accept | LoginOutcome::Reject | LoginOutcome::TryLater
                if number.is_multiple_of(2) =>
            {
                bot.connection.quit().await;
            }
            _ => {}
        }
    }

    async fn connect(&self) -> Result<Bot, LoginAnswer> {
        let bot = self.bots.fetch_add(1, Ordering::Relaxed);
        let source = self.plan.source(bot).into();
        let greeting = match percent(bot) < self.plan.habits.ylmf_percent {
            true if bot.is_multiple_of(2) => HelloTiming::BeforeBanner("ylmf-pc"),
            true => HelloTiming::AfterBanner("ylmf-pc"),
            false => HelloTiming::AfterBanner("User"),
        };
        self.tally.count_session();
        let connection = ClientConnection::open(&self.target, source, greeting).await?;
        Ok(Bot {
            connection,
            left: self.plan.per_session.max(1),
        })
    }

    async fn try_password(&self, number: u64, connection: &mut ClientConnection) -> LoginAnswer {
        let (user, password) = self.plan.guess(number);
        let mechanism = if percent(number) < self.plan.habits.login_percent {
            LoginMethod::Login
        } else {
            LoginMethod::Plain
        };
        connection.log_in(mechanism, user, password).await
    }
}

impl AttackPlan {
    /// Where the session with this number comes from.
    pub(super) fn source(&self, session: u64) -> Ipv4Addr {
        let is_loud = percent(session.wrapping_add(1 << 32)) < self.habits.loud_percent;
        let among = u64::from(self.addresses.max(1));
        let number = session % if is_loud { among.min(LOUD) } else { among };
        bot_address(u32::try_from(number).unwrap_or(0))
    }

    /// The guess with this number.
    fn guess(&self, number: u64) -> (&str, &str) {
        let number = usize::try_from(number).unwrap_or(0);
        let names = self.names.len().max(1);
        let round = number / names % self.passwords.len().max(1);
        let name = self.names.get(number % names);
        let password = self.passwords.get(round);
        (
            name.map_or("", String::as_str),
            password.map_or("", String::as_str),
        )
    }
}

/// 0 to 99, evenly spread over the numbers, without a pattern that follows theirs.
pub(super) fn percent(number: u64) -> u64 {
    // Fibonacci hashing: Knuth, The Art of Computer Programming, section 6.4.
    (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % 100
}
