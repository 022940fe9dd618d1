//! cluster_cut - what happens at three machines of which one is cut off, and what all must know of it afterwards
//!
//! The same by links and by a store. `GATEPOST_APART_SECONDS=600 cargo test --test integration agree` keeps the third away for ten minutes.
//! Not here: the cluster that it happens to (`cluster_mesh`, `cluster_network`).

use std::env;
use std::time::Duration;

use crate::kit::client::loopback;
use crate::kit::machines::{ClusterMachines, time_of};
use crate::kit::mail::{ANNA, BERT, CARLA};
use crate::kit::wait;

/// What happens while the third machine is cut off, there too. It stays cut off.
#[track_caller]
pub(super) fn live_without_the_third(machines: &ClusterMachines) {
    assert_eq!(machines.log_in(1, loopback(97, 1), BERT), Some(235));
    machines.at_all("familiar", |machine| machine.is_familiar(97, BERT));
    machines.ask(2, &["bans", "add", "127.98.0.0/24"]);
    machines.at_all("banned", |machine| machine.is_banned("127.98.0.0/24"));

    machines.network.cut(2);
    machines.wait_for(2, "cut-off");
    machines.ask(0, &["forget", BERT.0]);
    machines.ask(1, &["bans", "remove", "127.98.0.0/24"]);
    machines.ask(1, &["bans", "add", "127.99.0.0/24"]);
    assert_eq!(machines.log_in(0, loopback(97, 1), ANNA), Some(235));
    // At the one that is cut off all is as it was, and something happens there too.
    let third = &machines.proxies[2];
    assert!(third.is_familiar(97, BERT) && third.is_banned("127.98.0.0/24"));
    assert_eq!(machines.log_in(2, loopback(96, 1), CARLA), Some(235));
    machines.ask(2, &["bans", "add", "127.95.0.0/24"]);
    // As long as one by hand wants to wait: the age of what is told must not matter.
    let apart = env::var("GATEPOST_APART_SECONDS");
    let apart = apart.map_or(0, |text| text.parse().expect("seconds"));
    wait::pass(apart);
}

/// What is told at once is known within this; otherwise it is told again after five seconds.
pub(super) const AT_ONCE: Duration = Duration::from_secs(4);

/// A lost connection is given up after a second and a new one takes two; what is found missing otherwise takes twenty.
const SOON: Duration = Duration::from_secs(15);

/// Waits until all know all of that, which is soon.
#[track_caller]
pub(super) fn assert_agree_soon(machines: &ClusterMachines) {
    let agreed = time_of(|| agree(machines));
    assert!(agreed < SOON, "{agreed:?}");
}

#[track_caller]
fn agree(machines: &ClusterMachines) {
    machines.at_all("forgotten", |machine| !machine.is_known(BERT));
    machines.at_all("lifted", |machine| !machine.is_banned("127.98.0.0/24"));
    for banned in ["127.99.0.0/24", "127.95.0.0/24"] {
        machines.at_all("banned", |machine| machine.is_banned(banned));
    }
    machines.at_all("familiar", |machine| machine.is_familiar(97, ANNA));
    machines.at_all("familiar", |machine| machine.is_familiar(96, CARLA));
}

/// Logs in at one machine and bans at another; all of three know it at once.
#[track_caller]
pub(super) fn assert_known_at_once(machines: &ClusterMachines) {
    // On a busy machine one of some must be in time.
    let in_time = [98, 99, 100, 101].map(|net: u8| {
        assert_eq!(machines.log_in(1, loopback(net, 1), BERT), Some(235));
        let known = time_of(|| {
            machines.at_all("familiar", |machine| machine.is_familiar(net, BERT));
        });
        let sessions = [0, 1, 2].map(|number: usize| {
            let proxy = &machines.proxies[number];
            let connect = || proxy.client(loopback(net, 1));
            let mut client = machines.network.at(number, connect);
            assert_eq!(client.try_log_in(BERT).expect("an answer").code, 235);
            client
        });
        machines.ask(2, &["bans", "add", &format!("127.{net}.0.0/24")]);
        let ended = time_of(|| {
            for mut session in sessions {
                drop(session.rest().expect("the session's end"));
            }
        });
        [known, ended]
    });
    let is_in_time = |times: &[Duration; 2]| times.iter().all(|time| *time < AT_ONCE);
    assert!(in_time.iter().any(is_in_time), "{in_time:?}");
}
