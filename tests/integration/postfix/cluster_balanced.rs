//! cluster_balanced - several Gateposts behind one load balancer, which names its clients with the PROXY protocol
//!
//! All connections come from the balancer's address. What counts is the client that it names, at each machine and at all together.
//! Not here: one Gatepost behind a balancer (`session_balancer`), machines to which clients connect themselves (`cluster_shares`).

use std::net::IpAddr;
use std::time::Duration;

use crate::kit::balancer::{BALANCER, BehindBalancer};
use crate::kit::client::{Client, loopback};
use crate::kit::machines::{BURST, FreshGuesses, GuessTarget, SECRET, time_of};
use crate::kit::mail::{ANNA, BERT, CARLA, Mail, User};
use crate::kit::proxy::{Proxy, Setup};
use crate::kit::redis::Redis;
use crate::kit::wait;

use super::cluster_cut::AT_ONCE;

const NAMES: [&str; 3] = ["mx1", "mx2", "mx3"];

/// Machines that have their bound together and tell one another what they know.
struct BalancedCluster {
    machines: Vec<BehindBalancer>,
    mail: Mail,
    _redis: Redis,
}

impl BalancedCluster {
    #[track_caller]
    fn start() -> Self {
        let (mail, redis) = (Mail::start(), Redis::start());
        redis.fill("unknown");
        let start = |name: &&str| {
            let setup = Setup::before(&mail)
                .with_few_unknown()
                .of_machine(name, &NAMES)
                .with_secret(SECRET)
                .with("cluster.store", redis.address());
            BehindBalancer::start(setup)
        };
        let cluster = Self {
            machines: NAMES.iter().map(start).collect(),
            mail,
            _redis: redis,
        };
        cluster.at_all("shares", |machine| {
            let told = machine.status();
            let cluster = &told["cluster"];
            cluster["sharing"]["state"] == "shares" && cluster["store"]["state"] == "lends"
        });
        cluster
    }

    #[track_caller]
    fn at_all(&self, what: &str, holds: impl Fn(&Proxy) -> bool) {
        let holds = |machine: &BehindBalancer| holds(&machine.proxy);
        wait::until(what, || self.machines.iter().all(&holds));
    }

    /// Guesses at all machines in turn until nothing gets through any more; how many have reached Dovecot in all.
    #[track_caller]
    fn attack(&self, guesses: &mut FreshGuesses) -> usize {
        let log_in = |machine: usize, named, user: User<'_>| {
            self.machines[machine].log_in(named, user);
        };
        guesses.attack(GuessTarget::Unknown, &[0, 1, 2], &self.mail, log_in)
    }
}

/// Whether some of these were at once. On a busy machine one of some must.
#[track_caller]
fn assert_one_in_time(times: &[Duration]) {
    assert!(times.iter().any(|time| *time < AT_ONCE), "{times:?}");
}

#[test]
fn guesses_of_many_clients_behind_a_balancer_at_all_machines_are_within_one_bound() {
    let cluster = BalancedCluster::start();
    assert_eq!(cluster.machines[0].log_in(loopback(95, 1), ANNA), Some(235));
    cluster.at_all("familiar", |machine| machine.is_familiar(95, ANNA));
    let mut guesses = FreshGuesses::default();
    let all = cluster.attack(&mut guesses);
    // Each owns a sixth, of which a sixth is kept for retries; nearly all of the other half is lent.
    let owned = 3 * (BURST / 6 - BURST.div_ceil(36));
    assert!((owned + BURST / 4..=BURST).contains(&all), "{all}");
    // A known user pays from other buckets, at home and elsewhere; and the balancer is not banned for its clients.
    for (machine, net) in cluster.machines.iter().zip(96..) {
        assert_eq!(machine.log_in(loopback(95, 1), ANNA), Some(235));
        assert_eq!(machine.log_in(loopback(net, 1), ANNA), Some(235));
        assert!(!machine.proxy.is_banned(&BALANCER.to_string()));
    }
    assert_eq!(cluster.attack(&mut guesses), all);
}

#[test]
fn the_network_of_a_named_client_is_familiar_at_the_other_machines_at_once() {
    let cluster = BalancedCluster::start();
    let [first, second, ..] = &cluster.machines[..] else {
        panic!("there are three");
    };
    let times = [97, 98, 99, 100].map(|net| {
        assert_eq!(first.log_in(loopback(net, 1), ANNA), Some(235));
        time_of(|| wait::until("familiar", || second.proxy.is_familiar(net, ANNA)))
    });
    assert_one_in_time(&times);
    let six: IpAddr = "2001:db8:97::1".parse().expect("an address");
    assert_eq!(first.log_in(six, BERT), Some(235));
    cluster.at_all("familiar", |machine| {
        let explained = machine.explained(BERT);
        explained.contains("2001:db8:97::/48 familiar")
    });
    // Of the balancer nobody has said so, nor of another client of it.
    cluster.at_all("familiar", |machine| machine.is_familiar(100, ANNA));
    for machine in &cluster.machines {
        assert!(!machine.proxy.is_familiar(21, ANNA));
        assert!(!machine.proxy.is_familiar(101, ANNA));
        assert!(!machine.proxy.explained(BERT).contains("127."));
    }
}

/// Whether a session is served.
fn is_open(session: &mut Client) -> bool {
    session.try_say("NOOP").is_ok_and(|reply| reply.code == 250)
}

#[test]
fn a_ban_of_a_named_client_ends_its_sessions_at_the_other_machines_and_no_others() {
    let cluster = BalancedCluster::start();
    let [first, second, ..] = &cluster.machines[..] else {
        panic!("there are three");
    };
    let times = [98, 99, 100, 101].map(|net| {
        let (banned, neighbour) = (loopback(net, 1), loopback(net, 2));
        let mut ends = second.session(banned, BERT);
        let mut others = [
            second.session(neighbour, BERT),
            second.session(loopback(net, 3), CARLA),
        ];
        first.proxy.ask(&["bans", "add", &banned.to_string()]);
        let ended = time_of(|| drop(ends.rest().expect("the session's end")));
        assert!(others.iter_mut().all(is_open));
        assert_eq!(second.log_in(banned, BERT), None);
        assert_eq!(second.log_in(neighbour, BERT), Some(235));
        ended
    });
    assert_one_in_time(&times);
    // At whichever machine it is lifted.
    second.proxy.ask(&["bans", "remove", "127.98.0.1"]);
    let is_banned = |machine: &Proxy| machine.is_banned("127.98.0.1");
    cluster.at_all("lifted", |machine| !is_banned(machine));
    assert_eq!(first.log_in(loopback(98, 1), BERT), Some(235));
}
