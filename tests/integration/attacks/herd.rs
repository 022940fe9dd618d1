//! herd - everybody comes at once, as after a power cut, before a Dovecot that takes its time
//!
//! The queue stands in Gatepost. Nobody who logs in with the right password is told to come again because
//! others came at the same moment, and a user with many devices delays nobody who has one.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;

use crate::kit::client::{Client, auth_plain};
use crate::kit::mail::{FEW, Mail, Passwords, User};
use crate::kit::proxy::{Proxy, Setup};
use crate::kit::wait;

const USERS: u8 = 60;
const DEVICES: usize = 5;

fn name(user: u8) -> String {
    format!("herd{user}@example.org")
}

/// Where a user logs in.
fn home(user: u8) -> IpAddr {
    Ipv4Addr::new(127, 41, user, 1).into()
}

/// A Gatepost with the defaults to which all users are familiar, in front of a slow Dovecot.
fn start(mail: &Mail) -> Proxy {
    let proxy = Setup::before(mail).start();
    for user in 0..USERS {
        let network = format!("127.41.{user}.0/24");
        let ran = proxy.setup.command(&["introduce", &name(user), &network]);
        assert!(ran.success, "{}", ran.text);
    }
    proxy
}

/// One device of a user, ready to log in.
fn device(proxy: &Proxy, user: u8) -> Client {
    let mut client = proxy.client(home(user));
    client.greet();
    client
}

fn log_in(client: &mut Client, user: u8) -> u16 {
    let (name, password) = (name(user), format!("Ahorn{user}blatt"));
    client.say(&auth_plain(User(&name, &password))).code
}

#[test]
fn three_hundred_familiar_logins_at_once_are_all_served() {
    let mail = Mail::with_passwords(Passwords::Slow);
    let proxy = start(&mail);
    let together = Barrier::new(usize::from(USERS) * DEVICES);
    let refused = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for user in (0..USERS).cycle().take(usize::from(USERS) * DEVICES) {
            let (proxy, together, refused) = (&proxy, &together, &refused);
            scope.spawn(move || {
                let mut client = device(proxy, user);
                together.wait();
                let code = log_in(&mut client, user);
                if code != 235 {
                    refused.lock().unwrap().push((user, code));
                }
                client.say("QUIT");
            });
        }
    });
    let told = proxy.logged(|event| event.message().starts_with("upstream fails"));
    assert!(told.is_empty(), "{told:?}");
    assert_eq!(refused.into_inner().unwrap(), [], "all are served");
}

#[test]
fn a_user_with_many_devices_delays_nobody_who_has_one() {
    /// As many as a familiar user may try at once, and as Postfix has processes.
    const MANY: usize = FEW;
    let mail = Mail::with_passwords(Passwords::Slow);
    let proxy = start(&mail);
    let served = AtomicUsize::new(0);
    let served_before = thread::scope(|scope| {
        for _ in 0..MANY {
            let (proxy, served) = (&proxy, &served);
            scope.spawn(move || {
                let mut client = device(proxy, 1);
                assert_eq!(log_in(&mut client, 1), 235);
                served.fetch_add(1, Ordering::SeqCst);
                client.say("QUIT");
            });
        }
        let mut client = device(&proxy, 2);
        wait::until("the crowd is at Postfix", || {
            mail.smtpd_processes() >= MANY / 5
        });
        assert_eq!(log_in(&mut client, 2), 235);
        served.load(Ordering::SeqCst)
    });
    assert!(served_before < MANY, "all of the crowd was served before");
}
