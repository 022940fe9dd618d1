//! cluster_network - several Gateposts, each in a network of its own, whose links to the store are cut
//!
//! One has a clock that is an hour ahead, one is not on the list; the store dies, freezes and forgets. A cut link tells nobody: what
//! was sent is lost. Not here: what machines share while all goes well (`cluster_shares`), every schedule of loans (`gate::buckets::division`).

use std::net::IpAddr;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::kit::client::loopback;
use crate::kit::mail::{ANNA, BERT, CARLA, Entry, Mail, User};
use crate::kit::network::Network;
use crate::kit::proxy::{Proxy, Setup};
use crate::kit::redis::{PORT, Redis};
use crate::kit::siege::attacker;
use crate::kit::wait;

use super::cluster_shares::{SECRET, other_clock};

/// The bound of one machine, in which nothing comes back while the test runs.
const BURST: usize = 60;
/// Guesses at each machine without one that reached Dovecot, after which there is nothing left.
const IN_VAIN: usize = 40;
const RECORDS: &str = "gatepost:1:records";

struct Cluster {
    proxies: Vec<Proxy>,
    guesses: usize,
    redis: Redis,
    mail: Mail,
    network: Network,
}

impl Cluster {
    /// Machines of which the first `listed` are on the list; the second one's clock is an hour ahead.
    fn start(machines: usize, listed: usize) -> Self {
        let (mail, network) = (Mail::start(), Network::of(machines));
        let redis = network.at_hub(Redis::start_open);
        redis.fill("unknown");
        let name = |number: usize| format!("mx{number}");
        let names: Vec<toml::Value> = (0..listed).map(|number| name(number).into()).collect();
        let start = |number: usize| {
            network.lead(number, mail.address(Entry::ProxyProtocol));
            let mut unknown = toml::Table::new();
            unknown.insert("burst".into(), i64::try_from(BURST).unwrap().into());
            unknown.insert("every".into(), "2h".into());
            let store = format!("redis://{}:{PORT}", network.hub_address(number));
            let mut setup = Setup::before(&mail)
                .with("limits.unknown", unknown)
                .with("cluster.machines", names.clone())
                .with("cluster.name", name(number))
                .with("cluster.store", store);
            let secret = setup.write("cluster.secret", SECRET);
            setup.set("cluster.secret-file", secret.display().to_string());
            if number == 1 {
                let clock = other_clock(&setup);
                setup = setup.under(&["env", &clock]);
            }
            network.at(number, || setup.start())
        };
        let cluster = Self {
            proxies: (0..machines).map(start).collect(),
            guesses: 0,
            redis,
            mail,
            network,
        };
        (0..machines).for_each(|machine| cluster.wait_for(machine, "shares"));
        cluster
    }

    fn log_in(&self, machine: usize, source: IpAddr, user: User<'_>) -> Option<u16> {
        let proxy = &self.proxies[machine];
        self.network.at(machine, || proxy.log_in(source, user))
    }

    /// Guesses at unknown names from fresh addresses at all machines in turn, until none has reached Dovecot for long.
    fn attack(&mut self) -> usize {
        let (mut vain, mut before) = (0, self.reached());
        while vain < IN_VAIN * self.proxies.len() {
            for machine in 0..self.proxies.len() {
                let number = self.guesses;
                self.guesses += 1;
                let name = format!("nobody{number}@example.org");
                let password = format!("Zx{number}other{number}q");
                self.log_in(machine, attacker(number), User(&name, &password));
                vain += 1;
            }
            let checks = self.mail.password_checks_so_far();
            let now = checks.iter().filter(|one| one.user.starts_with("nobody"));
            let now = now.count();
            if now > before {
                (before, vain) = (now, 0);
            }
        }
        self.reached()
    }

    fn reached(&self) -> usize {
        let checks = self.mail.password_checks();
        let guesses = checks.iter().filter(|one| one.user.starts_with("nobody"));
        guesses.count()
    }

    #[track_caller]
    fn ask(&self, machine: usize, words: &[&str]) -> String {
        let ran = self.proxies[machine].setup.command(words);
        assert_eq!(ran.code, Some(0), "{words:?}: {}", ran.text);
        ran.text
    }

    fn status(&self, machine: usize) -> Value {
        let text = self.ask(machine, &["status", "--json"]);
        let status: Value = serde_json::from_str(&text).expect("JSON");
        status["cluster"].clone()
    }

    #[track_caller]
    fn wait_for(&self, machine: usize, state: &str) {
        wait::until(state, || self.status(machine)["sharing"]["state"] == state);
    }

    /// What a machine knows of a user.
    fn known(&self, machine: usize, User(user, _): User<'_>) -> String {
        self.proxies[machine].setup.command(&["explain", user]).text
    }

    fn is_familiar(&self, machine: usize, net: u8, user: User<'_>) -> bool {
        let network = format!("127.{net}.0.0/24 familiar");
        self.known(machine, user).contains(&network)
    }

    fn is_known(&self, machine: usize, user: User<'_>) -> bool {
        self.known(machine, user).contains("known, last login")
    }

    fn is_banned(&self, machine: usize, subject: &str) -> bool {
        self.ask(machine, &["bans", "list"]).contains(subject)
    }

    #[track_caller]
    fn at_all(&self, what: &str, holds: impl Fn(usize) -> bool) {
        wait::until(what, || (0..self.proxies.len()).all(&holds));
    }

    /// How many of some logins of a familiar user took half a second or more: half of what a question to the store may.
    fn slow_logins(&self) -> usize {
        let login = |_| time_of(|| assert_eq!(self.log_in(0, loopback(97, 1), ANNA), Some(235)));
        let times = (0..40).map(login);
        times
            .filter(|time| *time >= Duration::from_millis(500))
            .count()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how soon others know, and how long a person waits, is asserted"
)]
fn time_of(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

#[test]
fn whatever_becomes_of_links_store_and_clocks_all_machines_let_through_what_one_would() {
    let mut cluster = Cluster::start(4, 3);
    assert_eq!(cluster.log_in(0, loopback(97, 1), ANNA), Some(235));
    let slow_before = cluster.slow_logins();
    let all = cluster.attack();
    // Each of the three owns a sixth, of which a sixth is kept for retries; nearly all of the other half is lent.
    let owned = 3 * (BURST / 6 - BURST.div_ceil(36));
    assert!((owned + BURST / 4..=BURST).contains(&all), "{all}");

    cluster.network.cut(0);
    cluster.wait_for(0, "cut-off");
    assert!(cluster.attack() <= BURST);
    cluster.network.cut(1);
    cluster.network.cut(2);
    cluster.network.cut(3);
    cluster.wait_for(3, "cut-off");
    // It is not on the list.
    wait::until("nothing", || cluster.status(3)["in_force"] == "nothing");
    assert!(cluster.attack() <= BURST);
    (0..4).for_each(|machine| cluster.network.mend(machine));
    (0..4).for_each(|machine| cluster.wait_for(machine, "shares"));
    assert!(cluster.attack() <= BURST);

    cluster.redis.kill();
    cluster.wait_for(2, "cut-off");
    assert!(cluster.attack() <= BURST);
    let Cluster { network, redis, .. } = &mut cluster;
    network.at_hub(|| redis.restart_empty());
    (0..4).for_each(|machine| cluster.wait_for(machine, "shares"));
    assert!(cluster.attack() <= BURST);

    cluster.redis.signal(Signal::STOP);
    assert!(cluster.slow_logins() <= slow_before + 2);
    cluster.wait_for(0, "cut-off");
    let all = cluster.attack();
    cluster.redis.signal(Signal::CONT);
    assert!((owned + BURST / 4..=BURST).contains(&all), "{all}");
}

impl Cluster {
    /// What happens while the third machine is cut off, there too.
    fn live_without_the_third(&self) {
        assert_eq!(self.log_in(1, loopback(97, 1), BERT), Some(235));
        self.at_all("familiar", |machine| self.is_familiar(machine, 97, BERT));
        self.ask(2, &["bans", "add", "127.98.0.0/24"]);
        self.at_all("banned", |machine| self.is_banned(machine, "127.98.0.0/24"));

        self.network.cut(2);
        self.wait_for(2, "cut-off");
        self.ask(0, &["forget", BERT.0]);
        self.ask(1, &["bans", "remove", "127.98.0.0/24"]);
        self.ask(1, &["bans", "add", "127.99.0.0/24"]);
        assert_eq!(self.log_in(0, loopback(97, 1), ANNA), Some(235));
        // At the one that is cut off all is as it was, and something happens there too.
        assert!(self.is_familiar(2, 97, BERT) && self.is_banned(2, "127.98.0.0/24"));
        assert_eq!(self.log_in(2, loopback(96, 1), CARLA), Some(235));
        self.ask(2, &["bans", "add", "127.95.0.0/24"]);
    }

    /// Waits until all know all of that.
    fn agree(&self) {
        self.at_all("forgotten", |machine| !self.is_known(machine, BERT));
        self.at_all("lifted", |machine| {
            !self.is_banned(machine, "127.98.0.0/24")
        });
        for banned in ["127.99.0.0/24", "127.95.0.0/24"] {
            self.at_all("banned", |machine| self.is_banned(machine, banned));
        }
        self.at_all("familiar", |machine| self.is_familiar(machine, 97, ANNA));
        self.at_all("familiar", |machine| self.is_familiar(machine, 96, CARLA));
    }

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
    let cluster = Cluster::start(3, 3);
    cluster.live_without_the_third();
    cluster.network.mend(2);
    let agreed = time_of(|| cluster.agree());
    // A connection that was lost is given up after a second, and a new one takes two.
    assert!(agreed < Duration::from_secs(5), "{agreed:?}");
}

#[test]
fn a_machine_that_has_missed_more_than_the_store_keeps_agrees_within_five_seconds_too() {
    let cluster = Cluster::start(3, 3);
    let began = cluster.store_second();
    cluster.live_without_the_third();
    cluster.tell_more_than_is_kept();
    // Who has told all is left alone for 20 seconds, and after ten minutes nobody is.
    wait::until("all may answer", || cluster.store_second() > began + 21);
    cluster.network.mend(2);
    let agreed = time_of(|| cluster.agree());
    assert!(agreed < Duration::from_secs(5), "{agreed:?}");
    wait::until("whole", || cluster.status(2)["sharing"]["whole"] == true);
}

#[test]
fn what_happens_at_one_machine_holds_at_all_within_a_second() {
    let cluster = Cluster::start(3, 3);
    // On a busy machine one of some must be in time.
    let in_time = [98, 99, 100, 101].map(|net: u8| {
        let known = time_of(|| {
            assert_eq!(cluster.log_in(1, loopback(net, 1), BERT), Some(235));
            cluster.at_all("familiar", |machine| {
                cluster.is_familiar(machine, net, BERT)
            });
        });
        let sessions = [0, 1, 2].map(|machine: usize| {
            let proxy = &cluster.proxies[machine];
            let mut client = cluster
                .network
                .at(machine, || proxy.client(loopback(net, 1)));
            assert_eq!(client.try_log_in(BERT).expect("an answer").code, 235);
            client
        });
        cluster.ask(2, &["bans", "add", &format!("127.{net}.0.0/24")]);
        let ended = time_of(|| {
            for mut session in sessions {
                drop(session.rest().expect("the session's end"));
            }
        });
        [known, ended]
            .iter()
            .all(|time| *time < Duration::from_secs(1))
    });
    assert!(in_time.contains(&true), "{in_time:?}");
}
