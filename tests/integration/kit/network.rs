//! network - machines in network namespaces of their own, each with a link to a hub that can be cut
//!
//! The hub is a namespace too, so that nothing of it meets the machine's own network. A test's thread works in one of them at a
//! time, and what it starts there stays there. Not here: what runs on the machines (`proxy`, `redis`).

use std::fs::{self, File};
use std::io::copy;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::program;

static NUMBER: AtomicUsize = AtomicUsize::new(0);

/// Some machines and their hub. Dropped, they are removed.
pub(crate) struct Network {
    hub: String,
    machines: Vec<String>,
}

impl Network {
    /// So many machines. Needs root, and fails without.
    #[track_caller]
    pub(crate) fn of(machines: usize) -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = |what: &str| format!("gatepost-{}-{number}-{what}", std::process::id());
        let network = Self {
            hub: name("hub"),
            machines: (0..machines).map(|n| name(&n.to_string())).collect(),
        };
        for name in network.names() {
            ip(&["netns", "add", name]);
            ip(&["-n", name, "link", "set", "lo", "up"]);
        }
        for (n, machine) in network.machines.iter().enumerate() {
            let (hub, port) = (&network.hub, port(n));
            ip(&[
                "-n", hub, "link", "add", &port, "type", "veth", "peer", "name", "hub0", "netns",
                machine,
            ]);
            let address = |host| format!("10.0.{n}.{host}/24");
            ip(&["-n", hub, "address", "add", &address(1), "dev", &port]);
            ip(&["-n", hub, "link", "set", &port, "up"]);
            ip(&["-n", machine, "address", "add", &address(2), "dev", "hub0"]);
            ip(&["-n", machine, "link", "set", "hub0", "up"]);
        }
        network
    }

    /// So many machines that reach each other by way of the hub.
    #[track_caller]
    pub(crate) fn routed(machines: usize) -> Self {
        let network = Self::of(machines);
        network.at_hub(|| {
            fs::write("/proc/sys/net/ipv4/ip_forward", "1").expect("a hub that forwards, as root");
        });
        for (n, machine) in network.machines.iter().enumerate() {
            let hub = network.hub_address(n).to_string();
            ip(&["-n", machine, "route", "add", "default", "via", &hub]);
        }
        network
    }

    /// A machine's address, as the others know it.
    pub(crate) fn machine_address(&self, machine: usize) -> Ipv4Addr {
        let [a, b, c, _] = self.hub_address(machine).octets();
        Ipv4Addr::new(a, b, c, 2)
    }

    /// The hub's address, as this machine knows it.
    pub(crate) fn hub_address(&self, machine: usize) -> Ipv4Addr {
        let network = u8::try_from(machine).expect("few machines");
        Ipv4Addr::new(10, 0, network, 1)
    }

    /// Works at the hub.
    #[track_caller]
    pub(crate) fn at_hub<T>(&self, work: impl FnOnce() -> T) -> T {
        within(&self.hub, work)
    }

    /// Works at a machine.
    #[track_caller]
    pub(crate) fn at<T>(&self, machine: usize, work: impl FnOnce() -> T) -> T {
        within(&self.machines[machine], work)
    }

    /// Cuts a machine's link: nothing passes, and nobody is told.
    #[track_caller]
    pub(crate) fn cut(&self, machine: usize) {
        self.set(machine, "down");
    }

    /// Mends it.
    #[track_caller]
    pub(crate) fn mend(&self, machine: usize) {
        self.set(machine, "up");
    }

    /// Leads what connects to this loopback address at a machine to the same address here, until the test is over.
    #[track_caller]
    pub(crate) fn lead(&self, machine: usize, to: SocketAddr) {
        let listener = self.at(machine, || {
            TcpListener::bind(to).expect("a port of its own")
        });
        let (sender, accepted) = mpsc::channel::<TcpStream>();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if sender.send(stream).is_err() {
                    return;
                }
            }
        });
        thread::spawn(move || {
            for there in accepted {
                if let Ok(here) = TcpStream::connect(to) {
                    pump(&there, &here);
                    pump(&here, &there);
                }
            }
        });
    }

    fn set(&self, machine: usize, state: &str) {
        ip(&["-n", &self.hub, "link", "set", &port(machine), state]);
    }

    fn names(&self) -> impl Iterator<Item = &String> {
        self.machines.iter().chain([&self.hub])
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for name in self.names() {
            let mut command = Command::new("ip");
            // The test may have failed for want of one.
            let _ = command.args(["netns", "delete", name]).output();
        }
    }
}

fn port(machine: usize) -> String {
    format!("machine{machine}")
}

#[track_caller]
fn ip(words: &[&str]) {
    let mut command = Command::new("ip");
    command.args(words);
    program::run(&mut command);
}

/// Has this thread work in a namespace, and come back.
#[track_caller]
fn within<T>(name: &str, work: impl FnOnce() -> T) -> T {
    let here = File::open("/proc/thread-self/ns/net").expect("the kernel shows where we are");
    let there = File::open(format!("/run/netns/{name}")).expect("the namespace is there");
    enter(&there);
    let _back = Back(here);
    work()
}

/// Where the thread goes back to, even when the work has failed.
struct Back(File);

impl Drop for Back {
    fn drop(&mut self) {
        enter(&self.0);
    }
}

fn enter(namespace: &File) {
    let kind = Some(LinkNameSpaceType::Network);
    move_into_link_name_space(namespace.as_fd(), kind).expect("enter a namespace, as root");
}

/// Copies octets in one direction until their end.
fn pump(from: &TcpStream, to: &TcpStream) {
    let both = from
        .try_clone()
        .and_then(|from| Ok((from, to.try_clone()?)));
    let Ok((mut from, mut to)) = both else { return };
    thread::spawn(move || {
        let _ = copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
}
