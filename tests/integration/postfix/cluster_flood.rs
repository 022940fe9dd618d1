//! cluster_flood - ten thousand guesses at three machines with a store, while a link is cut and the store is killed
//!
//! Unknown names from ever new addresses, by several threads at each machine. Nothing comes back meanwhile, so how long it takes does not
//! matter: what happens to the link and to the store begins after so many guesses, and they go on until all of it is over.
//! Not here: the same in small, step by step (`cluster_network`), every schedule of loans and losses (`gate::buckets::division`).

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::kit::client::{Client, Trust};
use crate::kit::machines::{ClusterMachines, GuessTarget, SECRET};
use crate::kit::mail::{Mail, User};
use crate::kit::network::Network;
use crate::kit::proxy::{NAME, Setup};
use crate::kit::redis::{PORT, Redis};
use crate::kit::siege::attacker;
use crate::kit::wait;

const MACHINES: [&str; 3] = ["mx0", "mx1", "mx2"];
const GUESSES: usize = 10_000;
/// The bound of one machine: so large that it takes a while to spend it, and that much is lent when the store dies.
const BOUND: usize = 600;
/// What each machine owns of it, but for the sixth that is kept for retries.
const OWNED: usize = BOUND / 6 - BOUND.div_ceil(36);
/// Threads that guess at each machine.
const THREADS: usize = 2;
/// Addresses that [`attacker`] has.
const ADDRESSES: usize = 49_000;

/// Machines that reach one store at the hub.
#[track_caller]
fn start() -> (ClusterMachines, Redis) {
    let (mail, network) = (Mail::start(), Network::of(MACHINES.len()));
    let redis = network.at_hub(Redis::start_open);
    redis.fill("unknown");
    let setup = |(number, name): (usize, &&str)| {
        let store = format!("redis://{}:{PORT}", network.hub_address(number));
        let bound = i64::try_from(BOUND).expect("a small number");
        Setup::before(&mail)
            .with_few_unknown()
            .with("limits.unknown.burst", bound)
            .of_machine(name, &MACHINES)
            .with_secret(SECRET)
            .with("cluster.store", store)
    };
    let setups = MACHINES.iter().enumerate().map(setup).collect();
    let machines = ClusterMachines::start(mail, network, setups);
    all_lend(&machines);
    (machines, redis)
}

/// Waits until all are lent to.
#[track_caller]
fn all_lend(machines: &ClusterMachines) {
    let all = machines.all().into_iter();
    all.for_each(|machine| wait_for(machines, machine, "lends"));
}

#[track_caller]
fn wait_for(machines: &ClusterMachines, machine: usize, state: &str) {
    wait::until(state, || {
        machines.cluster(machine)["store"]["state"] == state
    });
}

/// What happens while they guess: one machine is cut off, the store dies with what it has lent and comes back with nothing, the
/// machine comes back, and another one is cut off for a while.
#[track_caller]
fn disturb(machines: &ClusterMachines, redis: &mut Redis, guesses: &Guesses) {
    let network = &machines.network;
    guesses.wait_for(150);
    network.cut(2);
    guesses.wait_for(300);
    redis.kill();
    wait_for(machines, 0, "cut-off");
    wait_for(machines, 2, "cut-off");
    guesses.wait_for(2_500);
    network.at_hub(|| redis.restart_empty());
    wait_for(machines, 0, "lends");
    guesses.wait_for(5_000);
    network.mend(2);
    all_lend(machines);
    guesses.wait_for(7_500);
    network.cut(1);
    wait_for(machines, 1, "cut-off");
    network.mend(1);
    all_lend(machines);
    guesses.wait_for(GUESSES);
}

/// What the threads that guess know of each other.
#[derive(Default)]
struct Guesses {
    begun: AtomicUsize,
    /// Those that a machine has answered, by their number.
    answered: Mutex<BTreeSet<usize>>,
    over: AtomicBool,
}

impl Guesses {
    fn answered(&self) -> usize {
        self.answered.lock().expect("no guess panics").len()
    }

    #[track_caller]
    fn wait_for(&self, guesses: usize) {
        let mut before = 0;
        // Each step has its minute: this is no test of speed.
        while before < guesses {
            let next = guesses.min(before + 100);
            wait::until("more guesses", || self.answered() >= next);
            before = next;
        }
    }

    /// Guesses at one machine until all is over.
    fn guess(&self, server: SocketAddr, trust: &Trust) {
        while !self.over.load(Ordering::Relaxed) {
            let number = self.begun.fetch_add(1, Ordering::Relaxed);
            let name = format!("nobody{number}@example.org");
            let password = format!("Zx{number}other{number}q");
            let source = attacker(number % ADDRESSES);
            let answer = Client::connect(source, server).and_then(|mut client| {
                client.secure(trust, NAME)?;
                client.try_log_in(User(&name, &password))
            });
            let is_answer = answer.is_ok_and(|reply| matches!(reply.code, 454 | 535));
            if is_answer {
                let mut answered = self.answered.lock().expect("no guess panics");
                answered.insert(number);
            }
        }
    }
}

/// Ends the guesses, even when the test has failed.
struct UntilOver<'a>(&'a Guesses);

impl Drop for UntilOver<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
    }
}

#[test]
fn of_ten_thousand_guesses_at_machines_that_are_cut_off_dovecot_sees_no_more_than_the_bound() {
    let (machines, mut redis) = start();
    let (guesses, network) = (Guesses::default(), &machines.network);
    let doors = machines.proxies.iter().enumerate();
    let doors: Vec<(usize, SocketAddr, Trust)> = doors
        .map(|(number, proxy)| (number, proxy.implicit(), proxy.trust()))
        .collect();
    thread::scope(|scope| {
        let (_over, guesses) = (UntilOver(&guesses), &guesses);
        for (number, server, trust) in doors.iter().cycle().take(THREADS * MACHINES.len()) {
            scope.spawn(move || network.at(*number, || guesses.guess(*server, trust)));
        }
        disturb(&machines, &mut redis, guesses);
    });
    assert!(guesses.answered() >= GUESSES);
    let reached = GuessTarget::Unknown.count(&machines.mail.password_checks());
    // All that is owned, and some of what was lent: how much is lent before the store dies depends on who was quick.
    let least = MACHINES.len() * OWNED + BOUND / 20;
    let most = BOUND + BOUND / 100;
    assert!((least..=most).contains(&reached), "{reached}");
}
