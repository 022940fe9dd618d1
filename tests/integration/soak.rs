//! soak - honest and hostile load for as long as one likes, while everything around Gatepost fails and comes back
//!
//! A round plays each disturbance once: reloads, new certificates, a Postfix that is frozen and one that is stopped,
//! a Dovecot that is stopped, an operator. Afterwards the counters must add up, every mail that was acknowledged
//! must be in the queue, and memory and descriptors must be what they were after the first round.
//! The ordinary run plays two rounds. `GATEPOST_SOAK_SECONDS=3600 cargo test --test integration soak:: -- --nocapture` plays for an hour.
//! Not here: how fast any of it is (`benches`).

use std::collections::VecDeque;
use std::env;
use std::fs;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use gatepost_daemon::clock::Clock;
use serde_json::Value;

use crate::kit::client::{Client, auth_plain};
use crate::kit::mail::{Mail, NUMBERED, User, numbered};
use crate::kit::proxy::{Proxy, Setup};
use crate::kit::wait;

const HONEST_WORKERS: usize = 2;
const GUESSERS: usize = 2;
/// The addresses that guess, each in a network of its own: so few that the first round has them all, and what a table
/// holds of them does not grow afterwards.
const ATTACKERS: usize = 2_000;
/// Connections that want nothing, open at once.
const HELD: usize = 60;
/// Honest sessions between two disturbances; half as many guesses.
const BETWEEN: u64 = 20;

/// What the workers of all kinds have seen.
#[derive(Default)]
struct Seen {
    over: AtomicBool,
    /// Grows when Postfix is stopped and when it has recovered: even while it runs, if it runs on or stands still.
    postfix: AtomicU64,
    honest: AtomicU64,
    queued: AtomicU64,
    accepted: AtomicU64,
    /// Sessions that ended after their login because Postfix was stopped.
    cut: AtomicU64,
    guesses: AtomicU64,
    /// Of clients that want nothing.
    connections: AtomicU64,
    told_wrong: AtomicU64,
    told_later: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::SeqCst);
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::SeqCst)
}

/// Where user `number` logs in.
fn home(number: usize) -> IpAddr {
    let network = u8::try_from(number).expect("few users");
    Ipv4Addr::new(127, 40, network, 1).into()
}

fn attacker(number: usize) -> IpAddr {
    let number = number % ATTACKERS;
    let octet = |value: usize| u8::try_from(value).expect("few addresses");
    Ipv4Addr::new(127, octet(60 + number / 250), octet(number % 250), 1).into()
}

/// One honest session, from connection to QUIT.
///
/// # Panics
/// When a right password is answered with 535, or a session is lost that Postfix did not end.
fn send_a_mail(proxy: &Proxy, seen: &Seen, number: usize) {
    let (name, password) = numbered(number % NUMBERED);
    let before = read(&seen.postfix);
    let mut client = match log_in(proxy, home(number % NUMBERED), User(&name, &password)) {
        Ok((client, 235)) => client,
        Ok((_, 535)) => panic!("{name}: a right password was called wrong"),
        Ok(_) | Err(_) => return,
    };
    count(&seen.accepted);
    match deliver(&mut client, &name, number) {
        Ok(()) => count(&seen.queued),
        Err(error) => {
            let disturbed = read(&seen.postfix) != before || before % 2 == 1;
            assert!(disturbed, "{name}: a session was lost: {error}");
            count(&seen.cut);
        }
    }
}

fn log_in(proxy: &Proxy, source: IpAddr, user: User<'_>) -> io::Result<(Client, u16)> {
    let mut client = proxy.try_client(source)?;
    let banner = client.try_reply()?;
    if banner.code != 220 {
        return Ok((client, banner.code));
    }
    let greeted = client.try_say("EHLO laptop.example.net")?;
    if greeted.code != 250 {
        return Ok((client, greeted.code));
    }
    let reply = client.try_say(&auth_plain(user))?;
    Ok((client, reply.code))
}

fn deliver(client: &mut Client, sender: &str, number: usize) -> io::Result<()> {
    let text = format!("Subject: {number}\r\n\r\nmail {number}\r\n.");
    let script = [
        (format!("MAIL FROM:<{sender}>"), 250),
        ("RCPT TO:<someone@example.net>".to_owned(), 250),
        ("DATA".to_owned(), 354),
        (text, 250),
    ];
    for (line, code) in script {
        let reply = client.try_say(&line)?;
        if reply.code != code {
            return Err(io::Error::other(format!("{line:?}: {reply:?}")));
        }
    }
    // The mail is in the queue, whatever becomes of the farewell.
    client.try_say("QUIT").ok();
    Ok(())
}

fn guess(proxy: &Proxy, seen: &Seen, number: usize) {
    let (name, _) = numbered(number % NUMBERED);
    let password = format!("Zx{number}unique{}q", number * 31);
    count(&seen.guesses);
    match log_in(proxy, attacker(number), User(&name, &password)) {
        Ok((_, 535)) => count(&seen.told_wrong),
        Ok((_, 454)) => count(&seen.told_later),
        Ok((_, 235)) => panic!("{name}: {password} was accepted"),
        Ok(_) | Err(_) => {}
    }
}

/// Clients that want nothing: silent ones, broken handshakes, other protocols.
fn nuisance(proxy: &Proxy, number: usize) -> Option<Client> {
    let source = attacker(number * 7 + 3);
    if number % 4 == 3 {
        return proxy.try_client(source).ok();
    }
    let mut client = Client::connect(source, proxy.implicit()).ok()?;
    let octets: &[u8] = match number % 4 {
        0 => b"",
        1 => b"\x16\x03\x01\x02\x00\x01\x00",
        _ => b"GET / HTTP/1.1\r\n\r\n",
    };
    client.try_send(octets).ok();
    Some(client)
}

/// Ends the workers, also when the script panics.
struct Over<'a>(&'a Seen);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::SeqCst);
    }
}

/// Runs all workers beside `script`.
fn under_load(proxy: &Proxy, seen: &Seen, script: impl FnOnce()) {
    seen.over.store(false, Ordering::SeqCst);
    let start = usize::try_from(read(&seen.guesses)).expect("few guesses");
    let goes_on = || !seen.over.load(Ordering::SeqCst);
    thread::scope(|scope| {
        for worker in 0..HONEST_WORKERS {
            scope.spawn(move || {
                let mut number = worker;
                while goes_on() {
                    send_a_mail(proxy, seen, number);
                    count(&seen.honest);
                    number += HONEST_WORKERS;
                }
            });
        }
        for worker in 0..GUESSERS {
            scope.spawn(move || {
                let mut number = start + worker;
                while goes_on() {
                    guess(proxy, seen, number);
                    number += GUESSERS;
                }
            });
        }
        scope.spawn(move || {
            let mut held = VecDeque::new();
            let mut number = start;
            while goes_on() {
                held.push_back(nuisance(proxy, number));
                if held.len() > HELD {
                    held.pop_front();
                }
                number += 1;
                count(&seen.connections);
            }
        });
        let _over = Over(seen);
        script();
    });
}

/// Until honest users and guessers have had some answers.
fn some_answers(seen: &Seen) {
    let goal = read(&seen.honest) + BETWEEN;
    wait::until("honest users go on", || read(&seen.honest) >= goal);
    let told = || read(&seen.told_wrong) + read(&seen.told_later);
    let goal = told() + BETWEEN / 2;
    wait::until("guesses are answered", || told() >= goal);
}

/// Lets some time pass: what needs no Postfix goes on whatever Postfix does.
fn some_connections(seen: &Seen) {
    let goal = read(&seen.connections) + 1_000;
    wait::until("connections go on", || read(&seen.connections) >= goal);
}

/// Until mails are queued again.
fn recovered(seen: &Seen) {
    let goal = read(&seen.queued) + BETWEEN;
    wait::until("mails are queued again", || read(&seen.queued) >= goal);
}

/// Every disturbance once.
fn round(mail: &mut Mail, proxy: &Proxy, seen: &Seen, number: u64) {
    proxy.reload();
    some_answers(seen);
    proxy.setup.new_certificate();
    proxy.reload();
    some_answers(seen);
    operate(proxy, number);
    mail.freeze_postfix();
    some_connections(seen);
    mail.thaw_postfix();
    recovered(seen);
    count(&seen.postfix);
    mail.stop_postfix();
    some_connections(seen);
    mail.start_postfix();
    recovered(seen);
    count(&seen.postfix);
    mail.stop_dovecot();
    some_connections(seen);
    mail.start_dovecot();
    recovered(seen);
}

fn operate(proxy: &Proxy, number: u64) {
    let address = format!("203.0.113.{}", number % 250);
    for words in [
        &["bans", "add", &address, "--for", "1h"][..],
        &["bans", "list"],
        &["explain", "127.60.1.1"],
        &["status"],
        &["bans", "remove", &address],
    ] {
        let ran = proxy.setup.command(words);
        // While Postfix is away `status` says so by its exit code.
        let is_fine = ran.success || (words == ["status"] && ran.code == Some(1));
        assert!(is_fine, "{words:?}: {}", ran.text);
    }
}

fn status(proxy: &Proxy) -> Value {
    let ran = proxy.setup.command(&["status", "--json"]);
    assert!(matches!(ran.code, Some(0 | 1)), "{}", ran.text);
    serde_json::from_str(&ran.text).unwrap_or_else(|error| panic!("{error}: {}", ran.text))
}

/// Resident memory in KiB and open descriptors, once all sessions have ended.
fn at_rest(proxy: &Proxy) -> (u64, usize) {
    wait::until("all sessions end", || status(proxy)["sessions"] == 0);
    let process = format!("/proc/{}", proxy.process_id());
    let text = fs::read_to_string(format!("{process}/status")).expect("Gatepost runs");
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let digits = line.and_then(|line| line.split_whitespace().next());
    let resident = digits.and_then(|digits| digits.parse().ok());
    let open = fs::read_dir(format!("{process}/fd")).expect("Gatepost runs");
    (resident.expect("a number of KiB"), open.count())
}

/// For how long to begin another round, after the first two.
fn lasting() -> Duration {
    let seconds = env::var("GATEPOST_SOAK_SECONDS");
    let seconds = seconds.map_or(0, |text| text.parse().expect("a number of seconds"));
    Duration::from_secs(seconds)
}

#[test]
fn through_every_failure_the_counters_add_up_and_nothing_is_lost_or_kept() {
    let mut mail = Mail::start();
    let proxy = Setup::before(&mail)
        .with("log.level", "info")
        .with("admission.connects.burst", 100_000)
        // So that most guesses are refused, as in a long attack.
        .with("limits.strangers.burst", 3)
        .start();
    let seen = Seen::default();
    under_load(&proxy, &seen, || round(&mut mail, &proxy, &seen, 0));
    let (memory, descriptors) = at_rest(&proxy);
    under_load(&proxy, &seen, || {
        let clock = Clock::start();
        let began = clock.now();
        for number in 1.. {
            round(&mut mail, &proxy, &seen, number);
            if clock.now().since(began) >= lasting() {
                tell(&format!("{number} rounds"));
                break;
            }
        }
    });
    let (memory_after, descriptors_after) = at_rest(&proxy);
    tell(&format!(
        "{memory} KiB and {descriptors} descriptors, then {memory_after} KiB and {descriptors_after}"
    ));
    assert!(
        memory_after <= memory * 3 / 2,
        "{memory} KiB, then {memory_after} KiB"
    );
    assert!(
        descriptors_after <= descriptors + 2,
        "{descriptors}, then {descriptors_after}"
    );
    add_up(&mail, &proxy, &seen);
}

/// Prints a result, for a long run.
fn tell(text: &str) {
    writeln!(io::stdout(), "{text}").expect("somebody reads the results");
}

/// The counters agree with one another, with what the clients were told, and with the queue.
fn add_up(mail: &Mail, proxy: &Proxy, seen: &Seen) {
    let status = status(proxy);
    let counter = |name: &str| {
        let value = status["counters"][name].as_u64();
        value.unwrap_or_else(|| panic!("no counter {name}: {status}"))
    };
    tell(&status["counters"].to_string());
    let outcomes = ["accepted", "rejected", "refused", "repeated", "deferred"];
    let sum: u64 = outcomes.iter().map(|name| counter(name)).sum();
    assert_eq!(counter("attempts"), sum, "{}", status["counters"]);
    let (accepted, cut) = (read(&seen.accepted), read(&seen.cut));
    assert!(accepted <= counter("accepted"), "{accepted}: {status}");
    assert!(read(&seen.told_wrong) <= counter("rejected") + counter("repeated"));
    assert!(read(&seen.told_later) <= counter("refused") + counter("deferred"));
    let queued = u64::try_from(mail.queue().len()).expect("few mails");
    let acknowledged = read(&seen.queued);
    assert!(
        (acknowledged..=acknowledged + cut).contains(&queued),
        "{queued} mails in the queue, {acknowledged} acknowledged, {cut} sessions were cut"
    );
}
