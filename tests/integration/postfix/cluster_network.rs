//! cluster_network - several Gateposts, each in a network of its own, whose links to the store are cut
//!
//! One has a clock that is an hour ahead, one is not on the list; the store dies, freezes and forgets. A cut link tells nobody: what
//! was sent is lost. Not here: what machines share while all goes well (`cluster_shares`), every schedule of loans (`gate::buckets::division`).

use std::time::Duration;

use rustix::process::Signal;

use crate::kit::client::loopback;
use crate::kit::machines::{BURST, ClusterMachines, SECRET, time_of};
use crate::kit::mail::{ANNA, Mail};
use crate::kit::network::Network;
use crate::kit::proxy::Setup;
use crate::kit::redis::{PORT, Redis};
use crate::kit::wait;

use super::cluster_cut::{assert_agree_soon, assert_known_at_once, live_without_the_third};

const RECORDS: &str = "gatepost:1:records";

/// Machines that reach one store at the hub.
struct StoreCluster {
    machines: ClusterMachines,
    redis: Redis,
}

impl StoreCluster {
    /// Machines of which the first `listed` are on the list; the second one's clock is an hour ahead.
    fn start(machines: usize, listed: usize) -> Self {
        let (mail, network) = (Mail::start(), Network::of(machines));
        let redis = network.at_hub(Redis::start_open);
        redis.fill("unknown");
        let name = |number: usize| format!("mx{number}");
        let names: Vec<String> = (0..listed).map(name).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let setup = |number: usize| {
            let store = format!("redis://{}:{PORT}", network.hub_address(number));
            let setup = Setup::before(&mail)
                .with_few_unknown()
                .of_machine(&name(number), &names)
                .with_secret(SECRET)
                .with("cluster.store", store);
            match number {
                1 => setup.with_other_clock(3600).0,
                _ => setup,
            }
        };
        let setups = (0..machines).map(setup).collect();
        let machines = ClusterMachines::start(mail, network, setups);
        machines.all_wait_for("shares");
        Self { machines, redis }
    }

    /// Guesses at all machines in turn, until there is nothing left; how many have reached Dovecot in all.
    fn attack(&mut self) -> usize {
        self.machines.attack(&self.machines.all())
    }

    /// How many of some logins of a familiar user took half a second or more: half of what a question to the store may.
    fn slow_logins(&self) -> usize {
        let log_in = || assert_eq!(self.machines.log_in(0, loopback(97, 1), ANNA), Some(235));
        let times = (0..40).map(|_| time_of(log_in));
        times
            .filter(|time| *time >= Duration::from_millis(500))
            .count()
    }
}

#[test]
fn whatever_becomes_of_links_store_and_clocks_all_machines_let_through_what_one_would() {
    let mut cluster = StoreCluster::start(4, 3);
    assert_eq!(cluster.machines.log_in(0, loopback(97, 1), ANNA), Some(235));
    let all = cluster.attack();
    // Each of the three owns a sixth, of which a sixth is kept for retries; nearly all of the other half is lent.
    let owned = 3 * (BURST / 6 - BURST.div_ceil(36));
    assert!((owned + BURST / 4..=BURST).contains(&all), "{all}");

    cluster.machines.network.cut(0);
    cluster.machines.wait_for(0, "cut-off");
    assert!(cluster.attack() <= BURST);
    cluster.machines.network.cut(1);
    cluster.machines.network.cut(2);
    cluster.machines.network.cut(3);
    cluster.machines.wait_for(3, "cut-off");
    // It is not on the list.
    wait::until("nothing", || {
        cluster.machines.cluster(3)["in_force"] == "nothing"
    });
    assert!(cluster.attack() <= BURST);
    (0..4).for_each(|machine| cluster.machines.network.mend(machine));
    cluster.machines.all_wait_for("shares");
    assert!(cluster.attack() <= BURST);

    cluster.redis.kill();
    cluster.machines.wait_for(2, "cut-off");
    assert!(cluster.attack() <= BURST);
    let StoreCluster { machines, redis } = &mut cluster;
    machines.network.at_hub(|| redis.restart_empty());
    cluster.machines.all_wait_for("shares");
    assert!(cluster.attack() <= BURST);

    // On a busy machine some logins are slow anyway.
    let is_held_up_by_none = || {
        let before = cluster.slow_logins();
        cluster.redis.signal(Signal::STOP);
        let frozen = cluster.slow_logins();
        cluster.machines.wait_for(0, "cut-off");
        if frozen > before + 2 {
            cluster.redis.signal(Signal::CONT);
            cluster.machines.all_wait_for("shares");
        }
        frozen <= before + 2
    };
    assert!((0..3).any(|_| is_held_up_by_none()));
    let all = cluster.attack();
    cluster.redis.signal(Signal::CONT);
    assert!((owned + BURST / 4..=BURST).contains(&all), "{all}");
}

impl StoreCluster {
    /// The second that the store's clock shows.
    fn store_second(&self) -> u64 {
        let time = self.redis.command(&["TIME"]);
        time.lines().next().unwrap().parse().expect("a second")
    }

    /// The number of the first record that the store still has.
    fn first_record(&self) -> String {
        let first = self
            .redis
            .command(&["XRANGE", RECORDS, "-", "+", "COUNT", "1"]);
        first.lines().next().unwrap_or_default().to_owned()
    }

    /// Has the records that are there told again and again, until the store keeps none of before; no faster than those read who
    /// are connected.
    fn tell_more_than_is_kept(&self) {
        const AGAIN: &str = "
            local all = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 100)
            for round = 1, 5 do
                for _, entry in ipairs(all) do
                    redis.call('XADD', KEYS[1], 'MAXLEN', '~', 4096, '*', unpack(entry[2]))
                end
            end";
        let first = self.first_record();
        wait::until("nothing of before is kept", || {
            self.redis.command(&["EVAL", AGAIN, "1", RECORDS]);
            let reads = || {
                let stats = self.redis.command(&["INFO", "commandstats"]);
                let calls = stats.split("cmdstat_xrange:calls=").nth(1).expect("reads");
                let calls = calls.split(',').next().unwrap().parse::<u64>();
                calls.expect("a number")
            };
            let before = reads();
            wait::until("it is read", || reads() >= before + 20);
            self.first_record() != first
        });
    }
}

#[test]
fn after_a_cut_all_machines_agree_and_what_was_forgotten_stays_forgotten() {
    let cluster = StoreCluster::start(3, 3);
    live_without_the_third(&cluster.machines);
    cluster.machines.network.mend(2);
    assert_agree_soon(&cluster.machines);
}

#[test]
fn a_machine_that_has_missed_more_than_the_store_keeps_agrees_soon_too() {
    let cluster = StoreCluster::start(3, 3);
    let began = cluster.store_second();
    live_without_the_third(&cluster.machines);
    cluster.tell_more_than_is_kept();
    // Who has told all is left alone for 20 seconds, and after ten minutes nobody is.
    wait::until("all may answer", || cluster.store_second() > began + 21);
    cluster.machines.network.mend(2);
    assert_agree_soon(&cluster.machines);
    wait::until("whole", || {
        cluster.machines.cluster(2)["sharing"]["whole"] == true
    });
}

#[test]
fn what_happens_at_one_machine_holds_at_all_at_once() {
    let cluster = StoreCluster::start(3, 3);
    assert_known_at_once(&cluster.machines);
}
