//! handed_over - a restart as systemd does it: the ports stay open, and nobody who has logged in notices
//!
//! `kit/manager.py` plays systemd, with the real programs on both sides.
//! Not here: what the gate knows afterwards (`restart`); the units themselves (`tests/package`).

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use crate::kit::client::{Client, auth_plain, loopback};
use crate::kit::mail::{ANNA, BERT, Mail, User, numbered};
use crate::kit::proxy::{Event, NAME, Proxy, Setup, gatepost, under_manager};
use crate::kit::{program, wait};

const RESTARTS: usize = 4;
const CALLERS: u8 = 4;

/// What became of those who came while restarts went on.
#[derive(Default)]
struct Arrivals {
    over: AtomicBool,
    greeted: AtomicUsize,
    /// Connected, and cut off before the banner: they had begun when the process left.
    cut_off: AtomicUsize,
    /// Could not connect.
    refused: AtomicUsize,
}

impl Arrivals {
    /// Connects, takes the banner and quits, again and again.
    fn come(&self, proxy: &Proxy, host: u8) {
        while !self.over.load(Ordering::Relaxed) {
            let Ok(mut client) = Client::connect(loopback(90, host), proxy.implicit()) else {
                self.refused.fetch_add(1, Ordering::Relaxed);
                continue;
            };
            let banner = client
                .secure(&proxy.trust(), NAME)
                .and_then(|()| client.try_reply());
            let counter = match banner {
                Ok(_) => &self.greeted,
                Err(_) => &self.cut_off,
            };
            counter.fetch_add(1, Ordering::Relaxed);
            let _ = client.try_say("QUIT");
        }
    }
}

fn logged_in(proxy: &Proxy, host: u8, user: User<'_>) -> Client {
    let mut client = proxy.client(loopback(91, host));
    client.greet();
    client.expect(&auth_plain(user), 235);
    client
}

fn released(proxy: &Proxy, times: usize) {
    wait::until("the state is released", || {
        let released = proxy
            .log()
            .events(|event| event.message().starts_with("state saved and released"));
        released.len() >= times
    });
    // The next one listens: two addresses each, and the first start's.
    wait::until("the next one serves", || {
        let listening = proxy.log().events(|event| event.message() == "listening");
        listening.len() >= 2 * (times + 1)
    });
}

fn managed(mail: &Mail) -> Setup {
    Setup::before(mail)
        .with("timeouts.drain", "10m")
        .with("admission.connects.burst", 100_000)
        .managed()
}

#[test]
fn restarts_refuse_no_connection_and_end_no_session_that_has_logged_in() {
    let mail = Mail::start();
    let proxy = managed(&mail).start();
    let arrivals = Arrivals::default();
    let mut held = Vec::new();
    thread::scope(|scope| {
        for host in 0..CALLERS {
            let (arrivals, proxy) = (&arrivals, &proxy);
            scope.spawn(move || arrivals.come(proxy, host + 1));
        }
        for restart in 0..RESTARTS {
            // Some sit in each of the processes that leave, in the middle of a mail.
            for host in 0..2 {
                let mut client = logged_in(&proxy, host + 1, ANNA);
                client.expect("MAIL FROM:<anna@example.org>", 250);
                held.push(client);
            }
            proxy.signal(Signal::USR1);
            released(&proxy, restart + 1);
            let _served_again = logged_in(&proxy, 9, BERT);
        }
        arrivals.over.store(true, Ordering::Relaxed);
    });
    for client in &mut held {
        client.expect("RCPT TO:<bert@example.org>", 250);
        client.expect("DATA", 354);
        client.expect("Subject: over a restart\r\n\r\nwhole\r\n.", 250);
        client.expect("QUIT", 221);
    }
    assert_eq!(arrivals.refused.load(Ordering::Relaxed), 0);
    assert!(arrivals.greeted.load(Ordering::Relaxed) > RESTARTS * 4);
    let cut_off = arrivals.cut_off.load(Ordering::Relaxed);
    assert!(
        cut_off <= RESTARTS * usize::from(CALLERS),
        "{cut_off} were cut off, more than there can be under way at {RESTARTS} restarts"
    );
}

#[test]
fn a_process_that_leaves_holds_up_the_next_one_for_no_session() {
    let mail = Mail::start();
    let proxy = managed(&mail).start();
    let mut held = logged_in(&proxy, 1, ANNA);
    proxy.signal(Signal::USR1);
    released(&proxy, 1);
    let incomplete = |event: &Event| event.message().contains("under way");
    assert_eq!(proxy.log().events(incomplete).len(), 0, "it waited in vain");
    // Familiar in the next process, while the session that made them so still runs in the last one.
    let ran = proxy.setup.command(&["status"]);
    assert!(
        ran.text.contains("1 known, 1 familiar pairs"),
        "{}",
        ran.text
    );
    held.expect("NOOP", 250);
}

/// How many sessions processes that were stopped still have, as `status` says.
fn left_over(proxy: &Proxy) -> u64 {
    proxy.status()["left_over"].as_u64().expect("a number")
}

/// The sockets of the processes that were stopped.
fn sockets_left(proxy: &Proxy) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(proxy.setup.folder().join("state")).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .filter(|path| path.display().to_string().contains("leaving-"))
        .collect()
}

/// The process that has one of them.
fn process_of(socket: &Path) -> Pid {
    let name = socket.display().to_string();
    let (_, process) = name.rsplit_once('-').expect("its number");
    Pid::from_raw(process.parse().expect("a number")).expect("a process")
}

/// The answer to a request at an operator's socket.
fn ask(socket: &Path, request: &str) -> String {
    let mut stream = UnixStream::connect(socket).expect("somebody answers");
    writeln!(stream, "{request}").expect("ask");
    let mut answer = String::new();
    BufReader::new(stream)
        .read_line(&mut answer)
        .expect("an answer");
    answer
}

#[test]
fn orders_reach_the_sessions_that_stopped_processes_still_have() {
    let mail = Mail::start();
    let mut proxy = managed(&mail).start();
    let mut anna = [1, 2].map(|host| logged_in(&proxy, host, ANNA));
    let mut bert = logged_in(&proxy, 3, BERT);
    proxy.signal(Signal::USR1);
    released(&proxy, 1);
    let mut denied = logged_in(&proxy, 4, BERT);
    let mut stays = logged_in(&proxy, 5, BERT);
    proxy.signal(Signal::USR1);
    released(&proxy, 2);
    assert_eq!(left_over(&proxy), 5);
    let ran = proxy.setup.command(&["status"]);
    assert!(
        ran.text.contains("5 more, logged in before the restart"),
        "{}",
        ran.text
    );

    // What is kept is kept by the one that serves.
    for socket in sockets_left(&proxy) {
        let answer = ask(&socket, r#"{"do":"forgive","target":"anna"}"#);
        assert!(answer.contains("refused"), "{answer}");
    }

    let ran = proxy.setup.command(&["expel", ANNA.0]);
    assert!(ran.text.contains("2 sessions ended"), "{}", ran.text);
    for client in &mut anna {
        assert_eq!(client.rest().expect("its end"), b"");
    }
    let ran = proxy.setup.command(&["bans", "add", "127.91.0.3", "--own"]);
    assert!(ran.text.contains("1 session ended"), "{}", ran.text);
    assert_eq!(bert.rest().expect("its end"), b"");
    proxy.setup.set("networks.deny", vec!["127.91.0.4/32"]);
    proxy.reload();
    assert_eq!(denied.rest().expect("its end"), b"");
    wait::until("one is left", || left_over(&proxy) == 1);
    stays.expect("NOOP", 250);
    stays.expect("QUIT", 221);
    wait::until("none is left", || left_over(&proxy) == 0);
    wait::until("their sockets are removed", || {
        sockets_left(&proxy).is_empty()
    });
}

#[test]
fn a_user_is_expelled_from_a_stopped_process_that_folded_names_in_another_way() {
    let mail = Mail::start();
    let mut proxy = managed(&mail).start();
    let mut anna = logged_in(&proxy, 1, ANNA);
    let mut bert = logged_in(&proxy, 2, BERT);
    proxy.setup.set("names.domain", "strip");
    proxy.setup.write_config();
    proxy.signal(Signal::USR1);
    released(&proxy, 1);
    let ran = proxy.setup.command(&["expel", ANNA.0]);
    assert!(ran.text.contains("1 session ended"), "{}", ran.text);
    assert_eq!(anna.rest().expect("its end"), b"");
    bert.expect("NOOP", 250);
}

#[test]
fn an_order_reaches_a_stopped_process_that_hangs_when_it_answers_again_whatever_the_operators_socket_is_called()
 {
    let mail = Mail::start();
    let mut proxy = managed(&mail).start();
    let mut anna = logged_in(&proxy, 1, ANNA);
    let socket = proxy.setup.folder().join("renamed.sock");
    proxy
        .setup
        .set("admin.socket", socket.display().to_string());
    proxy.setup.write_config();
    proxy.signal(Signal::USR1);
    wait::until("the next one has the socket", || {
        proxy.setup.command(&["status"]).code == Some(0) && !sockets_left(&proxy).is_empty()
    });
    let process = process_of(&sockets_left(&proxy)[0]);
    kill_process(process, Signal::STOP).expect("it is ours");
    let ran = proxy.setup.command(&["expel", ANNA.0]);
    kill_process(process, Signal::CONT).expect("it is ours");
    assert!(ran.text.contains("does not answer"), "{}", ran.text);
    assert_eq!(anna.rest().expect("its end"), b"");
}

/// Logs in with one of the mailboxes `user0`, ...; none: there is no room.
fn try_to_log_in(proxy: &Proxy, host: u8, account: usize) -> Option<Client> {
    let (name, password) = numbered(account);
    let mut client = proxy.client(loopback(94, host));
    client.greet();
    let answer = client.say(&auth_plain(User(&name, &password)));
    (answer.code == 235).then_some(client)
}

#[test]
fn sessions_of_stopped_processes_count_for_their_users_and_for_postfix() {
    const PROCESSES: usize = 16;
    const PER_USER: usize = 3;
    let mail = Mail::start();
    let proxy = managed(&mail)
        .with("upstream.processes", PROCESSES as i64)
        .with("admission.per-user", PER_USER as i64)
        .start();
    let mut held = Vec::new();
    for restart in 0..3 {
        // As many as there are, of four users.
        for account in (0..4).cycle().take(4 * (PER_USER + 1)) {
            let host = 10 * restart + account as u8 + 1;
            held.extend(try_to_log_in(&proxy, host, account).map(|client| (account, client)));
        }
        for account in 0..4 {
            let of_one = held.iter().filter(|(holder, _)| *holder == account).count();
            assert!(of_one <= PER_USER, "{of_one} of one user");
        }
        // 12 for those that hold two or more.
        assert_eq!(held.len(), 4 * PER_USER, "after {restart} restarts");
        proxy.signal(Signal::USR1);
        released(&proxy, usize::from(restart) + 1);
    }
    assert_eq!(left_over(&proxy), held.len() as u64);
    // The rest is there for who holds none.
    let mut others: Vec<_> = [4, 5]
        .map(|account| try_to_log_in(&proxy, 40, account))
        .into_iter()
        .flatten()
        .collect();
    assert_eq!(others.len(), 2);
    for client in held.iter_mut().map(|(_, client)| client).chain(&mut others) {
        client.expect("NOOP", 250);
    }
    // Now all are in use. One of those that are silent gives way, in the process that was stopped.
    let _newcomer = wait::find("who holds none is let in", || {
        for client in &mut others {
            client.expect("NOOP", 250);
        }
        try_to_log_in(&proxy, 41, 6)
    });
    wait::until("one of many has given way", || {
        left_over(&proxy) == held.len() as u64 - 1
    });
    let ended = |event: &Event| event.field("ending") == "gave-way";
    proxy.log().find("why it ended", ended);
    held.retain_mut(|(_, client)| client.try_say("NOOP").is_ok_and(|reply| reply.code == 250));
    assert_eq!(held.len(), 4 * PER_USER - 1);
    // A place that is left there is free here.
    let (account, _) = held.swap_remove(0);
    wait::find("the place is free", || try_to_log_in(&proxy, 42, account));
}

/// The manager's child is the supervisor, and that one's the process that serves.
fn child_of(process: u32) -> u32 {
    let children = format!("/proc/{process}/task/{process}/children");
    let children = std::fs::read_to_string(children).expect("its children");
    children.trim().parse().expect("one child")
}

/// A folder whose name makes the paths of the sockets in it longer than the kernel takes.
fn long_state(proxy: &Setup) -> PathBuf {
    let folder = proxy.folder().as_os_str().len();
    proxy.folder().join("s".repeat(94 - folder))
}

#[test]
fn sessions_are_reached_after_a_restart_however_long_the_path_of_the_state_is() {
    let mail = Mail::start();
    let mut setup = managed(&mail);
    let state = long_state(&setup);
    assert_eq!(state.as_os_str().len(), 95);
    setup.set("state.directory", state.display().to_string());
    let proxy = setup.start();
    let mut thief = logged_in(&proxy, 1, ANNA);
    proxy.signal(Signal::USR1);
    released(&proxy, 1);
    assert_eq!(left_over(&proxy), 1);
    let ran = proxy.setup.command(&["expel", ANNA.0]);
    assert!(ran.text.contains("1 session ended"), "{}", ran.text);
    assert_eq!(thief.rest().expect("its end"), b"");
}

#[test]
fn sessions_that_nobody_could_reach_after_a_restart_end_with_it() {
    let mail = Mail::start();
    let proxy = managed(&mail).start();
    let mut thief = logged_in(&proxy, 1, ANNA);
    // A file in the place of the socket, which stays as it is.
    let serving = child_of(child_of(proxy.process_id()));
    let name = format!("state/leaving-{serving}");
    std::fs::write(proxy.setup.folder().join(name), "").expect("write");
    proxy.signal(Signal::USR1);
    released(&proxy, 1);
    assert_eq!(thief.rest().expect("its end"), b"");
    let told = |event: &Event| event.message().contains("could not reach the sessions");
    assert_eq!(proxy.log().find("why", told).level().as_str(), "ERROR");
    assert_eq!(left_over(&proxy), 0);
}

/// Answers in the place of a process that was stopped, each question with the same.
fn other_process(proxy: &Proxy, id: u32, answer: &'static str) {
    let path = proxy.setup.folder().join(format!("state/leaving-{id}"));
    let listener = UnixListener::bind(path).expect("bind");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a question");
            let mut asked = String::new();
            let mut reader = BufReader::new(stream.try_clone().expect("the same stream"));
            let _ = reader.read_line(&mut asked);
            let _ = writeln!(stream, "{answer}");
        }
    });
}

#[test]
fn a_stopped_process_that_refuses_to_answer_or_tells_no_names_is_not_taken_for_one_without_sessions()
 {
    let mail = Mail::start();
    let proxy = managed(&mail).start();
    let _session = logged_in(&proxy, 1, ANNA);
    let expel = |whose: &str| proxy.setup.command(&["expel", whose]).text;
    assert!(!expel(ANNA.0).contains("process"));
    let full = r#"{"is":"refused","message":"8 operators are connected already; try again"}"#;
    other_process(&proxy, 4_000_001, full);
    let text = expel(ANNA.0);
    assert!(text.contains("does not answer"), "{text}");
    // As the version before last answered.
    let older = r#"{"is":"held","sessions":[{"number":7,"user":"c0ffee","client":"192.0.2.1"}]}"#;
    other_process(&proxy, 4_000_002, older);
    let text = expel(ANNA.0);
    assert!(
        text.contains("of an older version still has sessions (1)"),
        "{text}"
    );
    assert_eq!(left_over(&proxy), 1);
}

#[test]
fn an_order_whose_operator_has_gone_meanwhile_is_kept_all_the_same() {
    let mail = Mail::start();
    let proxy = managed(&mail).start();
    let mut held = Vec::new();
    for restart in 1..=3 {
        held.push(logged_in(&proxy, 1, ANNA));
        proxy.signal(Signal::USR1);
        released(&proxy, restart);
    }
    // Two seconds for each: longer than it takes to see that an operator has gone.
    let hanging = sockets_left(&proxy);
    let hanging: Vec<Pid> = hanging.iter().map(|socket| process_of(socket)).collect();
    for process in &hanging {
        kill_process(*process, Signal::STOP).expect("it is ours");
    }
    let socket = proxy.setup.folder().join("admin.sock");
    let mut operator = UnixStream::connect(socket).expect("somebody answers");
    let order = r#"{"do":"bans-add","subject":"192.0.2.9","seconds":3600}"#;
    writeln!(operator, "{order}").expect("ask");
    drop(operator);
    proxy.log().find("the line about it", |event| {
        event.text().contains("192.0.2.9 is banned")
    });
    for process in hanging {
        kill_process(process, Signal::CONT).expect("it is ours");
    }
}

#[test]
fn the_state_waits_for_the_answer_to_a_login_that_is_under_way() {
    let mail = Mail::start();
    let proxy = managed(&mail).start();
    let mut client = proxy.client(loopback(93, 1));
    client.greet();
    mail.suspend_dovecot(Signal::STOP);
    client.send(format!("{}\r\n", auth_plain(BERT)).as_bytes());
    wait::until("the login is judged", || {
        proxy.status()["counters"]["attempts"] == 1
    });
    proxy.signal(Signal::USR1);
    let stopping = |event: &Event| event.message().starts_with("stopping");
    proxy.log().find("the stop", stopping);
    mail.suspend_dovecot(Signal::CONT);
    assert_eq!(client.reply().code, 235);
    released(&proxy, 1);
    let ran = proxy.setup.command(&["status"]);
    assert!(
        ran.text.contains("1 known, 1 familiar pairs"),
        "{}",
        ran.text
    );
}

#[test]
fn a_port_that_systemd_opened_and_nobody_serves_is_a_fault() {
    let setup = Setup::new("127.0.0.1:9");
    let mut command = under_manager("127.0.0.1:0");
    command
        .arg(gatepost().get_program())
        .args(["run", "--config"]);
    command.arg(setup.write_config());
    let ran = program::with_input(&mut command, b"");
    assert_eq!(ran.code, Some(2), "{}", ran.text);
    assert!(
        ran.text
            .contains("(socket0) for us, and no [[listen]] nor [auth-policy] has this address"),
        "{}",
        ran.text
    );
}

#[test]
fn who_has_not_logged_in_is_told_that_the_process_leaves() {
    let mail = Mail::start();
    let proxy = managed(&mail).start();
    let mut idle = proxy.client(loopback(92, 1));
    idle.greet();
    proxy.signal(Signal::USR1);
    assert_eq!(idle.reply().code, 421);
    released(&proxy, 1);
    assert_eq!(idle.rest().expect("its end").len(), 0);
}

#[test]
fn the_one_that_serves_leaves_when_its_supervisor_is_killed() {
    let mail = Mail::start();
    let proxy = managed(&mail).start();
    let mut held = logged_in(&proxy, 1, ANNA);
    let pid = i32::try_from(child_of(proxy.process_id())).expect("a number");
    let pid = rustix::process::Pid::from_raw(pid).expect("a process");
    rustix::process::kill_process(pid, Signal::KILL).expect("kill our own child");
    proxy.log().find("the release", |event| {
        event.message().starts_with("state saved and released")
    });
    held.expect("NOOP", 250);
}
