//! late_greeting - a Postfix that is late for one client, and there for all others
//!
//! What it owes one connection decides for that connection alone: nobody else is turned away for it, and a
//! Postfix that answers others is waited for as long as the client has time to log in.
//! A scripted Postfix, since no real one is late on demand.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use crate::kit::client::{auth_plain, loopback};
use crate::kit::mail::ANNA;
use crate::kit::proxy::{Proxy, Setup};
use crate::kit::wait;

/// So many logins with such a pause before each take longer than an address that answers nobody is waited for.
const OTHERS: u32 = 24;
const PAUSE: Duration = Duration::from_millis(500);

/// Which clients are not greeted, and how many of them are there.
#[derive(Default)]
struct Held {
    clients: HashSet<IpAddr>,
    waiting: usize,
}

/// A Postfix that greets all clients but some.
#[derive(Clone, Default)]
struct SelectivePostfix(Arc<(Mutex<Held>, Condvar)>);

impl SelectivePostfix {
    fn serve(&self, listener: TcpListener) {
        let postfix = self.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let postfix = postfix.clone();
                thread::spawn(move || postfix.session(&stream));
            }
        });
    }

    fn hold(&self, client: IpAddr) {
        self.0.0.lock().unwrap().clients.insert(client);
    }

    fn release(&self) {
        self.0.0.lock().unwrap().clients.clear();
        self.0.1.notify_all();
    }

    /// How many wait for their greeting.
    fn waiting(&self) -> usize {
        self.0.0.lock().unwrap().waiting
    }

    fn wait(&self, client: IpAddr) {
        let (held, released) = &*self.0;
        let mut held = held.lock().unwrap();
        if held.clients.contains(&client) {
            held.waiting += 1;
            let held = released.wait_while(held, |held| held.clients.contains(&client));
            held.unwrap().waiting -= 1;
        }
    }

    /// The PROXY header names the client; then one login.
    fn session(&self, mut stream: &TcpStream) -> Option<()> {
        let mut lines = BufReader::new(stream).lines();
        let header = lines.next()?.ok()?;
        self.wait(header.split(' ').nth(2)?.parse().ok()?);
        stream.write_all(b"220 selective ESMTP\r\n").ok()?;
        for line in lines.map_while(Result::ok) {
            let reply = match line.get(..4)? {
                "EHLO" => "250-selective\r\n250 AUTH PLAIN\r\n",
                "AUTH" => "235 2.7.0 welcome\r\n",
                _ => "221 2.0.0 bye\r\n",
            };
            stream.write_all(reply.as_bytes()).ok()?;
        }
        Some(())
    }
}

fn start(address: SocketAddr) -> Proxy {
    Setup::new(&address.to_string())
        .with("upstream.announce", "proxy-v1")
        // All come from networks of their own, and nobody is familiar: their turns are not what is tried here.
        .with("networks.allow", vec![toml::Value::from("127.0.0.0/8")])
        .start()
}

fn log_in(proxy: &Proxy, client: IpAddr) -> u16 {
    let mut client = proxy.client(client);
    client.greet();
    let reply = client.say(&auth_plain(ANNA));
    client.say("QUIT");
    reply.code
}

#[test]
fn a_postfix_that_answers_others_meanwhile_may_greet_late() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let proxy = start(listener.local_addr().unwrap());
    let postfix = SelectivePostfix::default();
    postfix.hold(loopback(42, 1));
    postfix.serve(listener);
    thread::scope(|scope| {
        let late = scope.spawn(|| log_in(&proxy, loopback(42, 1)));
        wait::until("it is at Postfix", || postfix.waiting() == 1);
        for _ in 0..OTHERS {
            thread::park_timeout(PAUSE);
            assert!(!late.is_finished(), "it was given up");
            assert_eq!(log_in(&proxy, loopback(42, 2)), 235);
        }
        postfix.release();
        assert_eq!(late.join().unwrap(), 235);
    });
    assert!(
        proxy
            .logged(|event| event.message() == "upstream fails")
            .is_empty()
    );
}

#[test]
fn those_who_are_not_greeted_turn_nobody_else_away() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let proxy = start(address);
    // Gatepost saw it greet, and then it refuses a connection: it is taken for dead.
    let postfix = SelectivePostfix::default();
    {
        let (mut stream, _) = listener.accept().unwrap();
        postfix.session(&stream);
        stream.flush().unwrap();
    }
    drop(listener);
    assert_eq!(log_in(&proxy, loopback(42, 2)), 454);
    let late = [3, 4, 5, 6].map(|host| loopback(42, host));
    // The probe names no client, and would tell everybody that Postfix is back.
    postfix.hold(Ipv4Addr::LOCALHOST.into());
    late.iter().for_each(|client| postfix.hold(*client));
    postfix.serve(TcpListener::bind(address).unwrap());
    thread::scope(|scope| {
        let tries = late.map(|client| {
            scope.spawn({
                let proxy = &proxy;
                move || log_in(proxy, client)
            })
        });
        wait::until("some are at Postfix", || postfix.waiting() > 1);
        assert_eq!(log_in(&proxy, loopback(42, 7)), 235);
        assert!(tries.iter().all(|one| !one.is_finished()));
        postfix.release();
        for one in tries {
            assert_eq!(one.join().unwrap(), 235);
        }
    });
}
