//! machines - several Gateposts that are one cluster, each in a network of its own, and what is asked of them
//!
//! Not here: by which way they share (the tests), the networks and their links (`network`).

use std::net::IpAddr;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::mail::{Entry, Mail, PasswordCheck, User};
use super::network::Network;
use super::proxy::{Proxy, Setup};
use super::siege::attacker;
use super::wait;

/// The secret of a cluster.
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// The bound of one machine on unknown users, in which nothing comes back while a test runs.
pub(crate) const BURST: usize = 60;
/// Guesses at each machine without one that reached Dovecot, after which there is nothing left.
const IN_VAIN: usize = 40;
/// The same at one account, of which less is let through.
const IN_VAIN_AT_ONE: usize = 12;

impl Setup {
    /// Of the machine `name` of a cluster of these.
    #[must_use]
    pub(crate) fn of_machine(self, name: &str, machines: &[&str]) -> Self {
        let machines: Vec<toml::Value> = machines.iter().map(|one| (*one).into()).collect();
        self.with("cluster.machines", machines)
            .with("cluster.name", name)
    }

    /// With the cluster's secret, in a file.
    #[must_use]
    pub(crate) fn with_secret(self, secret: &str) -> Self {
        let file = self.write("cluster.secret", secret);
        self.with("cluster.secret-file", file.display().to_string())
    }

    /// With the bound [`BURST`] on unknown users.
    #[must_use]
    pub(crate) fn with_few_unknown(self) -> Self {
        let burst = i64::try_from(BURST).expect("a small number");
        self.with("limits.unknown.burst", burst)
            .with("limits.unknown.every", "2h")
    }
}

/// Whose password is guessed.
#[derive(Clone, Copy)]
pub(crate) enum GuessTarget<'a> {
    /// A new name each time, which nobody has.
    Unknown,
    /// This one's.
    User(&'a str),
}

impl GuessTarget<'_> {
    fn name(self, number: usize) -> String {
        match self {
            Self::Unknown => format!("nobody{number}@example.org"),
            Self::User(name) => name.to_owned(),
        }
    }

    /// How many of these were guesses at it.
    pub(crate) fn count(self, checks: &[PasswordCheck]) -> usize {
        let is_guess = |check: &&PasswordCheck| match self {
            Self::Unknown => check.user.starts_with("nobody"),
            Self::User(name) => check.user == name,
        };
        checks.iter().filter(is_guess).count()
    }

    fn in_vain(self) -> usize {
        match self {
            Self::Unknown => IN_VAIN,
            Self::User(_) => IN_VAIN_AT_ONE,
        }
    }
}

/// Guesses, each from a fresh address and with a fresh password.
#[derive(Default)]
pub(crate) struct FreshGuesses {
    made: usize,
}

impl FreshGuesses {
    /// Guesses by way of `log_in` at these machines in turn, until none has reached Dovecot for long; how many have in all.
    #[track_caller]
    pub(crate) fn attack(
        &mut self,
        target: GuessTarget<'_>,
        machines: &[usize],
        mail: &Mail,
        log_in: impl Fn(usize, IpAddr, User<'_>),
    ) -> usize {
        let (mut vain, mut before) = (0, target.count(&mail.password_checks()));
        while vain < target.in_vain() * machines.len() {
            for machine in machines {
                let number = self.made;
                self.made += 1;
                let password = format!("Zx{number}other{number}q");
                let user = User(&target.name(number), &password);
                log_in(*machine, attacker(number), user);
                vain += 1;
            }
            let now = target.count(&mail.password_checks_so_far());
            if now > before {
                (before, vain) = (now, 0);
            }
        }
        target.count(&mail.password_checks())
    }
}

/// Gateposts in front of one Postfix.
pub(crate) struct ClusterMachines {
    pub(crate) proxies: Vec<Proxy>,
    guesses: FreshGuesses,
    pub(crate) mail: Mail,
    pub(crate) network: Network,
}

impl ClusterMachines {
    /// Starts one machine of the network with each of these.
    #[track_caller]
    pub(crate) fn start(mail: Mail, network: Network, setups: Vec<Setup>) -> Self {
        let start = |(n, setup): (usize, Setup)| {
            network.lead(n, mail.address(Entry::ProxyProtocol));
            network.at(n, || setup.start())
        };
        Self {
            proxies: setups.into_iter().enumerate().map(start).collect(),
            guesses: FreshGuesses::default(),
            mail,
            network,
        }
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<usize> {
        (0..self.proxies.len()).collect()
    }

    /// The code that a login at a machine got; none if the session ended before.
    #[track_caller]
    pub(crate) fn log_in(&self, machine: usize, source: IpAddr, user: User<'_>) -> Option<u16> {
        let proxy = &self.proxies[machine];
        self.network.at(machine, || proxy.log_in(source, user))
    }

    /// Guesses at unknown names as [`FreshGuesses::attack`] does.
    #[track_caller]
    pub(crate) fn attack(&mut self, machines: &[usize]) -> usize {
        self.guess(GuessTarget::Unknown, machines)
    }

    /// As [`FreshGuesses::attack`].
    #[track_caller]
    pub(crate) fn guess(&mut self, target: GuessTarget<'_>, machines: &[usize]) -> usize {
        let (proxies, network) = (&self.proxies, &self.network);
        let log_in = |machine: usize, source, user: User<'_>| {
            network.at(machine, || proxies[machine].log_in(source, user));
        };
        self.guesses.attack(target, machines, &self.mail, log_in)
    }

    /// What a machine says when it is asked.
    #[track_caller]
    pub(crate) fn ask(&self, machine: usize, words: &[&str]) -> String {
        self.proxies[machine].ask(words)
    }

    /// What a machine's `status` tells of the cluster.
    #[track_caller]
    pub(crate) fn cluster(&self, machine: usize) -> Value {
        self.proxies[machine].status()["cluster"].take()
    }

    /// Waits until a machine shares in this way.
    #[track_caller]
    pub(crate) fn wait_for(&self, machine: usize, state: &str) {
        wait::until(state, || self.cluster(machine)["sharing"]["state"] == state);
    }

    /// As [`ClusterMachines::wait_for`], at each.
    #[track_caller]
    pub(crate) fn all_wait_for(&self, state: &str) {
        self.all()
            .into_iter()
            .for_each(|machine| self.wait_for(machine, state));
    }

    /// Waits until this holds at each.
    #[track_caller]
    pub(crate) fn at_all(&self, what: &str, holds: impl Fn(&Proxy) -> bool) {
        wait::until(what, || self.proxies.iter().all(&holds));
    }
}

/// How long this takes.
#[expect(
    clippy::disallowed_methods,
    reason = "how soon others know, and how long a person waits, is asserted"
)]
pub(crate) fn time_of(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}
