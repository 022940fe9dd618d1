//! cluster_mesh - several Gateposts that are linked directly, each in a network of its own, whose links are cut
//!
//! One has a clock that is an hour ahead. One has another secret, another list, or another one's name; strangers come to the port.
//! Not here: the same over a store (`cluster_network`, `cluster_shares`), both ends of one link (`cluster::mesh`).

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::kit::client::loopback;
use crate::kit::mail::{ANNA, BERT, CARLA, Entry, Mail, User};
use crate::kit::network::Network;
use crate::kit::proxy::{Event, Proxy, Setup};
use crate::kit::siege::attacker;
use crate::kit::wait;

use super::cluster_shares::{SECRET, other_clock};

/// The bound of one machine, in which nothing comes back while the test runs.
const BURST: usize = 60;
/// Guesses at each machine without one that reached Dovecot, after which there is nothing left.
const IN_VAIN: usize = 25;
/// Where machines listen for each other.
const PORT: u16 = 4652;

/// What one machine's config has.
struct Machine {
    name: &'static str,
    machines: &'static [&'static str],
    secret: String,
    has_other_clock: bool,
}

const NAMES: [&str; 3] = ["mx0", "mx1", "mx2"];

fn machine(name: &'static str, machines: &'static [&'static str]) -> Machine {
    Machine {
        name,
        machines,
        secret: SECRET.to_owned(),
        has_other_clock: false,
    }
}

struct Mesh {
    proxies: Vec<Proxy>,
    guesses: usize,
    mail: Mail,
    network: Network,
}

impl Mesh {
    /// Three machines that are linked; the second one's clock is an hour ahead.
    fn linked() -> Self {
        let mesh = Self::start(NAMES.map(|name| Machine {
            has_other_clock: name == "mx1",
            ..machine(name, &NAMES)
        }));
        (0..NAMES.len()).for_each(|machine| mesh.wait_for(machine, "shares"));
        mesh
    }

    fn start<const N: usize>(machines: [Machine; N]) -> Self {
        let (mail, network) = (Mail::start(), Network::routed(N));
        let peer = |n: usize| format!("{}:{PORT}", network.machine_address(n));
        let peers: Vec<toml::Value> = (0..N).map(|n| peer(n).into()).collect();
        let start = |(n, machine): (usize, Machine)| {
            network.lead(n, mail.address(Entry::ProxyProtocol));
            let mut unknown = toml::Table::new();
            unknown.insert("burst".into(), i64::try_from(BURST).unwrap().into());
            unknown.insert("every".into(), "2h".into());
            let names: Vec<toml::Value> =
                machine.machines.iter().map(|one| (*one).into()).collect();
            let mut setup = Setup::before(&mail)
                .with("limits.unknown", unknown)
                .with("cluster.machines", names)
                .with("cluster.name", machine.name)
                .with("cluster.listen", format!("0.0.0.0:{PORT}"))
                .with("cluster.peers", peers.clone());
            let secret = setup.write("cluster.secret", &machine.secret);
            setup.set("cluster.secret-file", secret.display().to_string());
            if machine.has_other_clock {
                let clock = other_clock(&setup);
                setup = setup.under(&["env", &clock]);
            }
            network.at(n, || setup.start())
        };
        Self {
            proxies: machines.into_iter().enumerate().map(start).collect(),
            guesses: 0,
            mail,
            network,
        }
    }

    fn log_in(&self, machine: usize, source: IpAddr, user: User<'_>) -> Option<u16> {
        let proxy = &self.proxies[machine];
        self.network.at(machine, || proxy.log_in(source, user))
    }

    /// Guesses at unknown names from fresh addresses at these machines in turn, until none has reached Dovecot for long.
    fn attack(&mut self, machines: &[usize]) -> usize {
        let (mut vain, mut before) = (0, self.reached());
        while vain < IN_VAIN * machines.len() {
            for machine in machines {
                let number = self.guesses;
                self.guesses += 1;
                let name = format!("nobody{number}@example.org");
                let password = format!("Zx{number}other{number}q");
                self.log_in(*machine, attacker(number), User(&name, &password));
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
        serde_json::from_str(&text).expect("JSON")
    }

    fn cluster(&self, machine: usize) -> Value {
        self.status(machine)["cluster"].clone()
    }

    #[track_caller]
    fn wait_for(&self, machine: usize, state: &str) {
        wait::until(state, || self.cluster(machine)["sharing"]["state"] == state);
    }

    #[track_caller]
    fn told(&self, machine: usize, text: &'static str) -> Event {
        let proxy = &self.proxies[machine];
        proxy
            .log()
            .find(text, |event: &Event| event.message().contains(text))
    }

    fn times_told(&self, machine: usize, text: &'static str) -> usize {
        let told = self.proxies[machine].logged(|event: &Event| event.message().contains(text));
        told.len()
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
}

#[expect(
    clippy::disallowed_methods,
    reason = "how soon others know is asserted"
)]
fn time_of(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

#[test]
fn linked_or_cut_off_all_machines_let_through_what_one_would() {
    let mut mesh = Mesh::linked();
    let text = mesh.ask(0, &["status"]);
    assert!(
        text.contains("of 3 machines with this bound together"),
        "{text}"
    );
    assert!(
        text.contains("machine     mx2                linked since"),
        "{text}"
    );
    let all = mesh.attack(&[0, 1]);
    // Each owns a third, of which a sixth is kept for retries.
    let owned = BURST / 3 - BURST.div_ceil(18);
    assert!((2 * owned..=2 * BURST / 3).contains(&all), "{all}");
    mesh.network.cut(2);
    mesh.wait_for(0, "in-part");
    mesh.wait_for(2, "cut-off");
    let why = mesh.cluster(2)["sharing"]["reason"].to_string();
    assert!(why.contains("mx0: no answer within 5 s"), "{why}");
    // It has found out which place is its own.
    assert!(!why.contains("10.0.2.2"), "{why}");
    let all = mesh.attack(&[0, 1, 2]);
    assert!((3 * owned..=BURST).contains(&all), "{all}");
    assert_eq!(mesh.cluster(2)["in_force"], "its-part");
    mesh.network.mend(2);
    (0..3).for_each(|machine| mesh.wait_for(machine, "shares"));
    assert!(mesh.attack(&[0, 1, 2]) <= BURST);
    for machine in [0, 2] {
        mesh.told(
            machine,
            "this machine is linked with all others of [cluster]",
        );
        mesh.told(machine, "no link with this machine of [cluster]");
    }
}

#[test]
fn after_a_cut_linked_machines_agree_and_what_was_forgotten_stays_forgotten() {
    let mesh = Mesh::linked();
    let ahead = |machine| mesh.cluster(machine)["sharing"]["clock_ahead_s"].as_i64();
    wait::until("the common clock", || {
        ahead(0) == Some(0) && ahead(1).is_some_and(|ahead| (-3601..=-3599).contains(&ahead))
    });
    assert_eq!(mesh.cluster(1)["mesh"]["clock"], "mx0");
    assert_eq!(mesh.log_in(1, loopback(97, 1), BERT), Some(235));
    mesh.at_all("familiar", |machine| mesh.is_familiar(machine, 97, BERT));
    mesh.ask(2, &["bans", "add", "127.98.0.0/24"]);
    mesh.at_all("banned", |machine| mesh.is_banned(machine, "127.98.0.0/24"));

    mesh.network.cut(2);
    mesh.wait_for(2, "cut-off");
    mesh.ask(0, &["forget", BERT.0]);
    mesh.ask(1, &["bans", "remove", "127.98.0.0/24"]);
    mesh.ask(1, &["bans", "add", "127.99.0.0/24"]);
    assert_eq!(mesh.log_in(0, loopback(97, 1), ANNA), Some(235));
    // At the one that is cut off all is as it was, and something happens there too.
    assert!(mesh.is_familiar(2, 97, BERT) && mesh.is_banned(2, "127.98.0.0/24"));
    assert_eq!(mesh.log_in(2, loopback(96, 1), CARLA), Some(235));
    mesh.ask(2, &["bans", "add", "127.95.0.0/24"]);

    mesh.network.mend(2);
    let agreed = time_of(|| {
        mesh.at_all("forgotten", |machine| !mesh.is_known(machine, BERT));
        mesh.at_all("lifted", |machine| {
            !mesh.is_banned(machine, "127.98.0.0/24")
        });
        for banned in ["127.99.0.0/24", "127.95.0.0/24"] {
            mesh.at_all("banned", |machine| mesh.is_banned(machine, banned));
        }
        mesh.at_all("familiar", |machine| mesh.is_familiar(machine, 97, ANNA));
        mesh.at_all("familiar", |machine| mesh.is_familiar(machine, 96, CARLA));
    });
    assert!(agreed < Duration::from_secs(5), "{agreed:?}");
}

#[test]
fn what_happens_at_one_linked_machine_holds_at_all_within_a_second() {
    let mesh = Mesh::linked();
    // On a busy machine one of some must be in time.
    let in_time = [98, 99, 100, 101].map(|net: u8| {
        let known = time_of(|| {
            assert_eq!(mesh.log_in(1, loopback(net, 1), BERT), Some(235));
            mesh.at_all("familiar", |machine| mesh.is_familiar(machine, net, BERT));
        });
        let sessions = [0, 1, 2].map(|machine: usize| {
            let proxy = &mesh.proxies[machine];
            let mut client = mesh.network.at(machine, || proxy.client(loopback(net, 1)));
            assert_eq!(client.try_log_in(BERT).expect("an answer").code, 235);
            client
        });
        mesh.ask(2, &["bans", "add", &format!("127.{net}.0.0/24")]);
        let ended = time_of(|| {
            for mut session in sessions {
                drop(session.rest().expect("the session's end"));
            }
        });
        [known, ended]
    });
    let is_in_time =
        |times: &[Duration; 2]| times.iter().all(|time| *time < Duration::from_secs(1));
    assert!(in_time.iter().any(is_in_time), "{in_time:?}");
    eprintln!("familiar and banned elsewhere after {in_time:?}");
}

/// Guesses at a user from fresh addresses until none has reached Dovecot for long; how many have in all.
fn guess_at(mesh: &mut Mesh, machine: usize, User(user, _): User<'_>) -> usize {
    let reached = |mesh: &Mesh| {
        let checks = mesh.mail.password_checks();
        checks.iter().filter(|check| check.user == user).count()
    };
    let (mut vain, mut before) = (0, reached(mesh));
    while vain < 12 {
        let number = mesh.guesses;
        mesh.guesses += 1;
        let password = format!("Zx{number}other{number}q");
        mesh.log_in(machine, attacker(number), User(user, &password));
        let now = reached(mesh);
        vain = if now > before { 0 } else { vain + 1 };
        before = now;
    }
    before
}

#[test]
fn at_one_account_linked_machines_let_through_what_one_would_and_a_new_process_is_told_what_is_owed()
 {
    const TWO: [&str; 2] = ["mx0", "mx1"];
    let mut mesh = Mesh::start(TWO.map(|name| machine(name, &TWO)));
    (0..2).for_each(|machine| mesh.wait_for(machine, "shares"));
    mesh.ask(0, &["introduce", ANNA.0, "127.40.1.0/24"]);
    mesh.at_all("known", |machine| mesh.is_known(machine, ANNA));
    let of_one = 10 - 10 / 6;
    assert_eq!(guess_at(&mut mesh, 0, ANNA), of_one);
    let left = |mesh: &Mesh| {
        let text = mesh.ask(1, &["explain", "127.200.1.1", ANNA.0, "--json"]);
        let explained: Value = serde_json::from_str(&text).expect("JSON");
        let buckets = explained["buckets"].as_array().expect("buckets").clone();
        let far = buckets.iter().find(|one| one["name"] == "user-far");
        far.expect("the user's")["tokens"]
            .as_u64()
            .expect("a number")
    };
    wait::until("told", || left(&mesh) <= 1);
    assert_eq!(guess_at(&mut mesh, 1, ANNA), of_one);
    // What was told is in no snapshot yet; the other one tells what is owed.
    let Mesh {
        network, proxies, ..
    } = &mut mesh;
    network.at(1, || proxies[1].kill_and_start());
    mesh.wait_for(1, "shares");
    wait::until("whole", || mesh.cluster(1)["sharing"]["whole"] == true);
    assert!(left(&mesh) <= 1);
}

#[test]
fn another_secret_is_told_on_both_sides_and_nothing_is_taken() {
    const TWO: [&str; 2] = ["mx0", "mx1"];
    let other = SECRET.replace('0', "1");
    let mesh = Mesh::start([
        machine("mx0", &TWO),
        Machine {
            secret: other,
            ..machine("mx1", &TWO)
        },
    ]);
    assert_eq!(mesh.log_in(0, loopback(97, 1), ANNA), Some(235));
    for machine in [0, 1] {
        let event = mesh.told(machine, "another secret of [cluster] there");
        assert_eq!(&*event.level(), "ERROR");
        mesh.wait_for(machine, "cut-off");
        let why = mesh.cluster(machine)["sharing"]["reason"].to_string();
        assert!(why.contains("it has another secret"), "{why}");
    }
    assert!(!mesh.is_known(1, ANNA));
    assert_eq!(mesh.cluster(1)["sharing"]["taken"], 0);
    assert_eq!(mesh.log_in(1, loopback(97, 1), ANNA), Some(235));
    // As one that dials, and as one that is dialled; every second, but told once an hour.
    assert!(mesh.times_told(1, "another secret of [cluster] there") <= 2);
}

#[test]
fn another_list_is_told_and_a_machine_that_is_not_on_it_is_not_linked() {
    const OTHER: [&str; 3] = ["mx0", "mx1", "mx9"];
    const TWO: [&str; 2] = ["mx0", "mx1"];
    let mesh = Mesh::start([
        machine("mx0", &TWO),
        machine("mx1", &OTHER),
        machine("mx9", &OTHER),
    ]);
    mesh.wait_for(0, "shares");
    for machine in [0, 1] {
        mesh.told(machine, "another list of machines in [cluster] there");
    }
    let event = mesh.told(0, "a machine that is not one of cluster.machines here");
    assert_eq!(&*event.field("machine"), "mx9");
    mesh.wait_for(2, "in-part");
    assert!(
        mesh.ask(0, &["status"])
            .contains("with ANOTHER LIST of machines")
    );
    // What one knows the other is told all the same.
    assert_eq!(mesh.log_in(0, loopback(97, 1), ANNA), Some(235));
    wait::until("familiar", || mesh.is_familiar(1, 97, ANNA));
}

#[test]
fn of_two_linked_processes_with_one_name_one_owns_nothing() {
    const TWO: [&str; 2] = ["mx0", "mx1"];
    let mut mesh = Mesh::start([
        machine("mx0", &TWO),
        machine("mx1", &TWO),
        machine("mx1", &TWO),
    ]);
    let in_force = |mesh: &Mesh| [1, 2].map(|n| mesh.cluster(n)["in_force"].to_string());
    wait::until("one of them yields", || {
        let mut in_force = in_force(&mesh);
        in_force.sort();
        in_force == ["\"its-part\"", "\"nothing\""]
    });
    let twin = if in_force(&mesh)[0] == "\"nothing\"" {
        1
    } else {
        2
    };
    let event = mesh.told(twin, "another process has this machine's name in [cluster]");
    assert_eq!(&*event.level(), "ERROR");
    assert_eq!(mesh.attack(&[twin]), 0);
    let owner = 3 - twin;
    mesh.proxies[owner].terminate();
    mesh.proxies[owner].ends_well();
    wait::until("its own again", || {
        mesh.cluster(twin)["in_force"] == "its-part"
    });
    assert!(mesh.attack(&[twin]) > 0);
}

#[test]
fn strangers_at_the_port_cost_little_and_keep_no_machine_from_being_linked() {
    let mut mesh = Mesh::linked();
    let address = SocketAddr::new(mesh.network.machine_address(0).into(), PORT);
    // From the hub, where no machine is: half of them say nothing, half say what makes no sense.
    let strangers: Vec<TcpStream> = mesh.network.at_hub(|| {
        let connect = |n: usize| {
            let mut stream = TcpStream::connect(address).ok()?;
            if n.is_multiple_of(2) {
                // It may be reset by now.
                let _ = stream.write_all(&[0x16; 2000]);
            }
            Some(stream)
        };
        (0..200).filter_map(connect).collect()
    });
    wait::until("reset", || {
        mesh.status(0)["limits"]["cluster-visitors"].as_u64() >= Some(150)
    });
    mesh.told(0, "that is none of theirs");
    assert_eq!(mesh.times_told(0, "that is none of theirs"), 1);
    // A machine that is started meanwhile is linked.
    let Mesh {
        network, proxies, ..
    } = &mut mesh;
    network.at(2, || proxies[2].kill_and_start());
    (0..3).for_each(|machine| mesh.wait_for(machine, "shares"));
    assert_eq!(mesh.log_in(0, loopback(97, 1), ANNA), Some(235));
    mesh.at_all("familiar", |machine| mesh.is_familiar(machine, 97, ANNA));
    for mut stream in strangers {
        // A reset, or an alert at most.
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said);
        assert!(said.len() < 16, "{said:?}");
    }
}
