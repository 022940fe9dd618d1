//! cluster_mesh - several Gateposts that are linked directly, each in a network of its own, whose links are cut
//!
//! One has a clock that is an hour ahead. One has another secret, another list, or another one's name; strangers come to the port.
//! Not here: the same over a store (`cluster_network`, `cluster_shares`), both ends of one link (`cluster::mesh`).

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::kit::client::loopback;
use crate::kit::machines::{BURST, ClusterMachines, GuessTarget, SECRET};
use crate::kit::mail::{ANNA, Mail};
use crate::kit::network::Network;
use crate::kit::proxy::{Event, Proxy, Setup};
use crate::kit::wait;

use super::cluster_cut::{assert_agree_soon, assert_known_at_once, live_without_the_third};

/// Where machines listen for each other.
const PORT: u16 = 4652;
const NAMES: [&str; 3] = ["mx0", "mx1", "mx2"];
const TWO: [&str; 2] = ["mx0", "mx1"];

/// Three machines that are linked; the second one's clock is an hour ahead.
fn linked() -> ClusterMachines {
    let mesh = start(&NAMES.map(|name| (name, &NAMES[..], SECRET)), Some(1));
    mesh.all_wait_for("shares");
    mesh
}

/// Machines with their names, their lists and their secrets; one's clock may be an hour ahead.
fn start(machines: &[(&str, &[&str], &str)], ahead: Option<usize>) -> ClusterMachines {
    let (mail, network) = (Mail::start(), Network::routed(machines.len()));
    let peer = |n: usize| format!("{}:{PORT}", network.machine_address(n));
    let peers: Vec<toml::Value> = (0..machines.len()).map(|n| peer(n).into()).collect();
    let setup = |(n, (name, machines, secret)): (usize, &(&str, &[&str], &str))| {
        let setup = Setup::before(&mail)
            .with_few_unknown()
            .of_machine(name, machines)
            .with_secret(secret)
            .with("cluster.listen", format!("0.0.0.0:{PORT}"))
            .with("cluster.peers", peers.clone());
        match ahead == Some(n) {
            true => setup.with_other_clock(3600).0,
            false => setup,
        }
    };
    let setups = machines.iter().enumerate().map(setup).collect();
    ClusterMachines::start(mail, network, setups)
}

#[track_caller]
fn told(mesh: &ClusterMachines, machine: usize, text: &'static str) -> Event {
    let says = |event: &Event| event.message().contains(text);
    mesh.proxies[machine].log().find(text, says)
}

fn times_told(mesh: &ClusterMachines, machine: usize, text: &'static str) -> usize {
    let says = |event: &Event| event.message().contains(text);
    mesh.proxies[machine].logged(says).len()
}

#[test]
fn linked_or_cut_off_all_machines_let_through_what_one_would() {
    let mut mesh = linked();
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
    mesh.all_wait_for("shares");
    assert!(mesh.attack(&[0, 1, 2]) <= BURST);
    for machine in [0, 2] {
        told(
            &mesh,
            machine,
            "this machine is linked with all others of [cluster]",
        );
        told(&mesh, machine, "no link with this machine of [cluster]");
    }
}

#[test]
fn after_a_cut_linked_machines_agree_and_what_was_forgotten_stays_forgotten() {
    let mesh = linked();
    let ahead = |machine| mesh.cluster(machine)["sharing"]["clock_ahead_s"].as_i64();
    wait::until("the common clock", || {
        ahead(0) == Some(0) && ahead(1).is_some_and(|ahead| (-3601..=-3599).contains(&ahead))
    });
    assert_eq!(mesh.cluster(1)["mesh"]["clock"], "mx0");
    live_without_the_third(&mesh);
    mesh.network.mend(2);
    assert_agree_soon(&mesh);
}

#[test]
fn what_happens_at_one_linked_machine_holds_at_all_at_once() {
    let mesh = linked();
    assert_known_at_once(&mesh);
}

#[test]
fn at_one_account_linked_machines_let_through_what_one_would_and_a_new_process_is_told_what_is_owed()
 {
    let mut mesh = start(&TWO.map(|name| (name, &TWO[..], SECRET)), None);
    mesh.all_wait_for("shares");
    mesh.ask(0, &["introduce", ANNA.0, "127.40.1.0/24"]);
    mesh.at_all("known", |machine| machine.is_known(ANNA));
    let of_one = 10 - 10 / 6;
    assert_eq!(mesh.guess(GuessTarget::User(ANNA.0), &[0]), of_one);
    let left = |mesh: &ClusterMachines| far_of(&mesh.proxies[1], "tokens");
    wait::until("told", || left(&mesh) <= 1);
    assert_eq!(mesh.guess(GuessTarget::User(ANNA.0), &[1]), of_one);
    // What was told is in no snapshot yet; the other one tells what is owed.
    let ClusterMachines {
        network, proxies, ..
    } = &mut mesh;
    network.at(1, || proxies[1].kill_and_start());
    mesh.wait_for(1, "shares");
    wait::until("whole", || mesh.cluster(1)["sharing"]["whole"] == true);
    assert!(left(&mesh) <= 1);
}

/// Of anna's bucket from far, at one machine.
fn far_of(machine: &Proxy, what: &str) -> u64 {
    let explained = machine.ask_json(&["explain", "127.200.1.1", ANNA.0]);
    let buckets = explained["buckets"].as_array().expect("buckets");
    let far = buckets.iter().find(|one| one["name"] == "user-far");
    far.expect("the user's")[what].as_u64().expect("a number")
}

#[test]
fn of_three_linked_machines_each_pays_for_what_the_others_let_through_while_they_were_apart() {
    let mut mesh = linked();
    mesh.ask(0, &["introduce", ANNA.0, "127.40.1.0/24"]);
    mesh.at_all("known", |machine| machine.is_known(ANNA));
    let of_one = 10 - 10 / 6;
    let anna = GuessTarget::User(ANNA.0);
    // The first seconds of a cut nobody knows of it: what is told then arrives nowhere.
    mesh.network.cut(2);
    assert_eq!(mesh.guess(anna, &[0]), of_one);
    assert_eq!(mesh.guess(anna, &[2]), 2 * of_one);
    mesh.wait_for(0, "in-part");
    mesh.wait_for(2, "cut-off");
    assert_eq!(mesh.guess(anna, &[1]), 2 * of_one);
    // Each knows what one would have let through; the last tokens are kept for retries.
    let left = |machine: &Proxy| far_of(machine, "tokens");
    assert!(mesh.proxies.iter().all(|machine| left(machine) > 0));
    mesh.network.mend(2);
    mesh.all_wait_for("shares");
    mesh.at_all("added", |machine| left(machine) == 0);
}

#[test]
fn another_secret_is_told_on_both_sides_and_nothing_is_taken() {
    let other = SECRET.replace('0', "1");
    let mesh = start(&[("mx0", &TWO, SECRET), ("mx1", &TWO, &other)], None);
    assert_eq!(mesh.log_in(0, loopback(97, 1), ANNA), Some(235));
    for machine in [0, 1] {
        let event = told(&mesh, machine, "another secret of [cluster] there");
        assert_eq!(&*event.level(), "ERROR");
        mesh.wait_for(machine, "cut-off");
        let why = mesh.cluster(machine)["sharing"]["reason"].to_string();
        assert!(why.contains("it has another secret"), "{why}");
    }
    assert!(!mesh.proxies[1].is_known(ANNA));
    assert_eq!(mesh.cluster(1)["sharing"]["taken"], 0);
    assert_eq!(mesh.log_in(1, loopback(97, 1), ANNA), Some(235));
    // As one that dials, and as one that is dialled; every second, but told once an hour.
    assert!(times_told(&mesh, 1, "another secret of [cluster] there") <= 2);
}

#[test]
fn another_list_is_told_and_a_machine_that_is_not_on_it_is_not_linked() {
    const OTHER: [&str; 3] = ["mx0", "mx1", "mx9"];
    let mesh = start(
        &[
            ("mx0", &TWO, SECRET),
            ("mx1", &OTHER, SECRET),
            ("mx9", &OTHER, SECRET),
        ],
        None,
    );
    mesh.wait_for(0, "shares");
    for machine in [0, 1] {
        told(
            &mesh,
            machine,
            "another list of machines in [cluster] there",
        );
    }
    let event = told(
        &mesh,
        0,
        "a machine that is not one of cluster.machines here",
    );
    assert_eq!(&*event.field("machine"), "mx9");
    mesh.wait_for(2, "in-part");
    assert!(
        mesh.ask(0, &["status"])
            .contains("with ANOTHER LIST of machines")
    );
    // What one knows the other is told all the same.
    assert_eq!(mesh.log_in(0, loopback(97, 1), ANNA), Some(235));
    wait::until("familiar", || mesh.proxies[1].is_familiar(97, ANNA));
}

#[test]
fn of_two_linked_processes_with_one_name_one_owns_nothing() {
    let mut mesh = start(
        &["mx0", "mx1", "mx1"].map(|name| (name, &TWO[..], SECRET)),
        None,
    );
    let in_force = |mesh: &ClusterMachines| [1, 2].map(|n| mesh.cluster(n)["in_force"].to_string());
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
    let event = told(
        &mesh,
        twin,
        "another process has this machine's name in [cluster]",
    );
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
    let mut mesh = linked();
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
        mesh.proxies[0].status()["limits"]["cluster-visitors"].as_u64() >= Some(150)
    });
    told(&mesh, 0, "that is none of theirs");
    assert_eq!(times_told(&mesh, 0, "that is none of theirs"), 1);
    // A machine that is started meanwhile is linked.
    let ClusterMachines {
        network, proxies, ..
    } = &mut mesh;
    network.at(2, || proxies[2].kill_and_start());
    mesh.all_wait_for("shares");
    assert_eq!(mesh.log_in(0, loopback(97, 1), ANNA), Some(235));
    mesh.at_all("familiar", |machine| machine.is_familiar(97, ANNA));
    for mut stream in strangers {
        // A reset, or an alert at most.
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said);
        assert!(said.len() < 16, "{said:?}");
    }
}
