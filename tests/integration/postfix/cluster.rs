//! cluster - several Gateposts before one Postfix, and what Dovecot counts
//!
//! Unknown names from ever new addresses, so that one shared bucket pays for all, at a speed at which none comes back
//! meanwhile. However the machines and the store fare, Dovecot sees no more than one machine alone would let through.
//! Not here: every schedule of loans and losses (`gate::buckets::division`), the store's scripts (`cluster::store`).

use rustix::process::Signal;
use serde_json::Value;

use crate::kit::machines::{BURST, FreshGuesses, GuessTarget};
use crate::kit::mail::{Mail, User, numbered};
use crate::kit::proxy::{Proxy, Setup};
use crate::kit::redis::Redis;
use crate::kit::siege::home;
use crate::kit::wait;

struct Cluster {
    mail: Mail,
    proxies: Vec<Proxy>,
    guesses: FreshGuesses,
}

impl Cluster {
    /// Gateposts with these names; `mx1` and `mx2` are the machines.
    fn start(names: &[&str], store: Option<&Redis>) -> Self {
        let mail = Mail::start();
        let start = |name: &&str| {
            let mut setup = Setup::before(&mail)
                .with_few_unknown()
                .of_machine(name, &["mx1", "mx2"]);
            if let Some(store) = store {
                setup.set("cluster.store", store.address());
            }
            setup.start()
        };
        Self {
            proxies: names.iter().map(start).collect(),
            mail,
            guesses: FreshGuesses::default(),
        }
    }

    /// Guesses at each of these machines in turn until nothing gets through any more; how many guesses have reached
    /// Dovecot in all.
    fn attack(&mut self, machines: &[usize]) -> usize {
        let proxies = &self.proxies;
        let log_in = |machine: usize, source, user: User<'_>| {
            proxies[machine].log_in(source, user);
        };
        let (guesses, target) = (&mut self.guesses, GuessTarget::Unknown);
        guesses.attack(target, machines, &self.mail, log_in)
    }

    fn reached(&self) -> usize {
        GuessTarget::Unknown.count(&self.mail.password_checks())
    }

    fn status(&self, machine: usize) -> Value {
        self.proxies[machine].status()["cluster"].take()
    }

    /// The machines that the first one sees.
    fn seen(&self) -> Vec<String> {
        let seen = self.status(0)["seen"].clone();
        let names = seen.as_array().into_iter().flatten();
        let name = |one: &Value| one["name"].as_str().map(ToOwned::to_owned);
        names.filter_map(name).collect()
    }

    fn wait_for(&self, machine: usize, state: &str, in_force: &str) {
        wait::until(&format!("{state}, {in_force}"), || {
            let cluster = self.status(machine);
            cluster["store"]["state"] == state && cluster["in_force"] == in_force
        });
    }
}

#[test]
fn two_machines_without_a_store_let_through_what_one_would() {
    let mut cluster = Cluster::start(&["mx1", "mx2"], None);
    let status = cluster.status(0);
    assert_eq!(status["in_force"], "its-part");
    assert_eq!(status["store"], Value::Null);
    // Half of the bucket each, but for the sixth that is kept for retries.
    assert_eq!(cluster.attack(&[0]), BURST / 2 - BURST / 2 / 6);
    assert_eq!(cluster.attack(&[0, 1]), BURST - BURST / 6);
    cluster.proxies[0].kill_and_start();
    assert_eq!(
        cluster.attack(&[0, 1]),
        BURST - BURST / 6,
        "a kill -9 gives nothing back"
    );
}

#[test]
fn with_a_store_that_dies_freezes_and_forgets_three_machines_let_through_no_more_than_one_would() {
    let mut redis = Redis::start();
    redis.fill("unknown");
    let mut cluster = Cluster::start(&["mx1", "mx2", "mx3"], Some(&redis));
    cluster.wait_for(0, "lends", "its-part-and-loans");
    cluster.wait_for(1, "lends", "its-part-and-loans");
    // It is none of the machines.
    cluster.wait_for(2, "lends", "loans");

    // Known and at home at the first machine.
    let (user, password) = numbered(1);
    let at_home = |cluster: &Cluster| cluster.proxies[0].log_in(home(1), User(&user, &password));
    assert_eq!(at_home(&cluster), Some(235));

    // All at one machine: its quarter, and nearly all that is lent, but for what both keep for retries.
    let (owned, lent) = (BURST / 4, BURST - BURST / 2 - 1);
    let kept = |tokens: usize| tokens.div_ceil(6);
    let at_one = cluster.attack(&[0]);
    let most = owned - kept(owned) + lent;
    assert!(
        (owned + lent / 2..=most).contains(&at_one),
        "{at_one} of {most}"
    );

    // Cut off: the other machine still has its own.
    redis.kill();
    cluster.wait_for(1, "cut-off", "its-part");
    cluster.wait_for(2, "cut-off", "nothing");
    let before = cluster.reached();
    let at_guest = cluster.attack(&[2]);
    assert!(
        at_guest <= before + 3,
        "{at_guest}: a slice at most, which it had before"
    );
    let before = at_guest;
    let cut_off = cluster.attack(&[0, 1, 2]);
    assert!(cut_off >= before + owned - kept(owned), "{cut_off}");
    assert!(cut_off <= BURST, "{cut_off}");

    // It has lost everything, and so it lends nothing.
    redis.restart_empty();
    cluster.wait_for(0, "lends", "its-part-and-loans");
    cluster.wait_for(2, "lends", "loans");
    assert_eq!(cluster.attack(&[0, 1, 2]), cut_off);

    // Frozen, it holds nobody up.
    redis.signal(Signal::STOP);
    for _ in 0..20 {
        assert_eq!(at_home(&cluster), Some(235));
    }
    cluster.wait_for(0, "cut-off", "its-part");
    redis.signal(Signal::CONT);
    cluster.wait_for(0, "lends", "its-part-and-loans");
    assert!(cluster.attack(&[0, 1, 2]) <= BURST);

    // Who stops has left.
    cluster.proxies[2].terminate();
    cluster.proxies[2].ends_well();
    wait::until("mx3 has left", || cluster.seen() == ["mx1", "mx2"]);
}

#[test]
fn of_two_processes_with_one_name_the_second_owns_nothing() {
    let redis = Redis::start();
    let mut cluster = Cluster::start(&["mx1", "mx1"], Some(&redis));
    wait::until("one of them owns nothing", || {
        let mut forces =
            [cluster.status(0), cluster.status(1)].map(|one| one["in_force"].to_string());
        forces.sort();
        forces == ["\"its-part-and-loans\"", "\"loans\""]
    });
    let first = usize::from(cluster.status(0)["in_force"] == "loans");
    let (owner, twin) = (first, 1 - first);
    assert_eq!(cluster.attack(&[twin]), 0);
    // What it owns would be told to the log as another's.
    let told = |event: &crate::kit::proxy::Event| {
        event
            .message()
            .contains("another process has this machine's name")
    };
    cluster.proxies[twin].log().find("the name is taken", told);
    cluster.proxies[owner].terminate();
    cluster.proxies[owner].ends_well();
    cluster.wait_for(twin, "lends", "its-part-and-loans");
    assert!(cluster.attack(&[twin]) > 0);
}
