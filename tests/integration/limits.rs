//! limits - what is bounded says so when its bound acts, and a log that nobody reads stops nobody
//!
//! Not here: what each bound does to a client (`session_crowd`, `robust`, the rooms' own tests).

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;

use gatepost_daemon::report::limits::TABLE;
use serde_json::Value;
use toml::toml;

use crate::kit::client::{Client, auth_plain, loopback};
use crate::kit::impostor::{Conduct, Fault, Impostor};
use crate::kit::mail::ANNA;
use crate::kit::proxy::{Event, Proxy, Setup};
use crate::kit::{ports, wait};

/// What bounds something, as it is written in the source.
const BOUNDS: [&str; 8] = [
    "Semaphore::new(",
    "Computing::new(",
    "mpsc::channel(",
    "sync_channel(",
    "NonBlockingBuilder::",
    "ClientRate::new(",
    "RefusedCounts::new(",
    "= HttpBounds {",
];

fn before(impostor: &Impostor) -> Setup {
    Setup::new(&impostor.address().to_string()).with("upstream.announce", "none")
}

#[test]
fn whatever_bounds_something_names_its_limit() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut found, mut nameless) = (0, Vec::new());
    for path in files(&source.join("daemon")) {
        if !path.ends_with("tests.rs") {
            found += bounds(&path, &mut nameless);
        }
    }
    assert!(
        nameless.is_empty(),
        "want `// limit: NAME` above, of a row in report/limits.rs:\n{}",
        nameless.join("\n")
    );
    assert!(found >= 7, "the bounds are written otherwise now: {found}");
}

/// Every Rust file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.extension() {
            _ if path.is_dir() => found.extend(files(&path)),
            Some(extension) if extension == "rs" => found.push(path),
            _ => {}
        }
    }
    found
}

#[test]
fn every_limit_is_counted_somewhere() {
    let daemon = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/daemon");
    let present = daemon.join("server/operator/present.rs");
    let asked = fs::read_to_string(&present).unwrap();
    let own = [present, daemon.join("report/limits.rs")];
    let counting: String = files(&daemon)
        .into_iter()
        .filter(|path| !own.contains(path))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let is_word_end = |text: &str| !text.starts_with(|letter: char| letter.is_alphanumeric());
    for row in &TABLE {
        let limit = format!("ResourceLimit::{:?}", row.limit);
        let counted = counting
            .match_indices(&limit)
            .any(|(at, _)| is_word_end(&counting[at + limit.len()..]));
        // Asked of the room that counts it by itself.
        let is_asked = asked.contains(&format!("\n        {limit} => "));
        assert!(counted || is_asked, "nobody counts {}", row.name);
    }
}

/// How many lines of a file bound something; those without a limit of the table go to `nameless`.
fn bounds(path: &Path, nameless: &mut Vec<String>) -> usize {
    let text = fs::read_to_string(path).unwrap();
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let lines: Vec<&str> = code.lines().collect();
    let mut found = 0;
    for (index, line) in lines.iter().enumerate() {
        if !BOUNDS.iter().any(|bound| line.contains(bound)) {
            continue;
        }
        found += 1;
        let named = lines[index.saturating_sub(1)..=index]
            .iter()
            .find_map(|line| line.split_once("// limit: "));
        if !named.is_some_and(|(_, name)| TABLE.iter().any(|row| row.name == name)) {
            nameless.push(format!("{}:{}: {line}", path.display(), index + 1));
        }
    }
    found
}

#[test]
fn few_open_files_make_few_sessions_and_the_oldest_stranger_gives_way() {
    let impostor = Impostor::start(Conduct::Honest);
    let proxy = before(&impostor)
        .under(&["prlimit", "--nofile=400:400"])
        .start();
    let fewer = |event: &Event| event.message().contains("open files");
    let told = proxy.logged(fewer);
    assert_eq!(told.len(), 1);
    assert!(
        told[0].message().contains("100 sessions at once"),
        "{}",
        told[0].message()
    );
    // More strangers than there can be open files for, each from a network of its own.
    let idle: Vec<_> = (1..=250)
        .map(|net| Client::connect(loopback(net, 1), proxy.implicit()))
        .collect();
    // Who comes while an older one is still leaving is reset, and comes again.
    let mut client = wait::find("a place", || proxy.try_client(loopback(251, 1)).ok());
    client.greet();
    client.expect(&auth_plain(ANNA), 235);
    let held = proxy.status()["sessions"].as_u64().unwrap();
    assert!(held <= 100, "{held} sessions");
    drop(idle);
}

#[test]
fn status_counts_every_limit() {
    let impostor = Impostor::start(Conduct::Honest);
    let proxy = before(&impostor).start();
    let status = proxy.status();
    let counts = status["limits"].as_object().unwrap();
    for row in &TABLE {
        assert!(
            counts.get(row.name).is_some_and(Value::is_u64),
            "{}: {counts:?}",
            row.name
        );
    }
    assert_eq!(counts.len(), TABLE.len());
}

#[test]
fn eight_operators_who_are_silent_or_do_not_read_keep_out_no_other_and_hold_up_no_end() {
    let impostor = Impostor::start(Conduct::Honest);
    let mut proxy = before(&impostor).start();
    let socket = proxy.setup.folder().join("admin.sock");
    let operators: Vec<_> = (0..8)
        .map(|_| UnixStream::connect(&socket).unwrap())
        .collect();
    for mut operator in &operators[..4] {
        // The answers find no room: nobody reads them.
        operator.set_nonblocking(true).unwrap();
        while operator.write(b"{\"do\":\"status\"}\n").is_ok() {}
    }
    for _ in 0..9 {
        let ran = proxy.setup.command(&["status", "--json"]);
        assert_eq!(ran.code, Some(0), "{}", ran.text);
    }
    let more: Vec<_> = (0..4)
        .map(|_| UnixStream::connect(&socket).unwrap())
        .collect();
    for mut operator in &more {
        operator.set_nonblocking(true).unwrap();
        while operator.write(b"{\"do\":\"status\"}\n").is_ok() {}
    }
    proxy.terminate();
    proxy.ends_well();
}

#[test]
fn beyond_eight_operators_who_are_being_answered_the_next_one_is_told_and_counted() {
    let impostor = Impostor::start(Conduct::Honest);
    let command = vec![toml::Value::from("/bin/sleep"), toml::Value::from("600")];
    let proxy = before(&impostor).with("notices.command", command).start();
    let socket = proxy.setup.folder().join("admin.sock");
    let mut operators: Vec<_> = (0..8)
        .map(|_| {
            let mut operator = UnixStream::connect(&socket).unwrap();
            operator.write_all(b"{\"do\":\"notices-test\"}\n").unwrap();
            operator
        })
        .collect();
    let told = wait::find("all are being answered", || {
        let ran = proxy.setup.command(&["status"]);
        (ran.code == Some(2)).then_some(ran.text)
    });
    assert!(told.contains("8 operators"), "{told}");
    // One whose command was ended has gone.
    operators.pop();
    let status = wait::find("a place for an operator", || {
        let ran = proxy.setup.command(&["status", "--json"]);
        (ran.code == Some(0)).then_some(ran.text)
    });
    let status: Value = serde_json::from_str(&status).unwrap();
    assert!(
        status["limits"]["operators"].as_u64() >= Some(1),
        "{status}"
    );
}

#[test]
fn a_log_that_nobody_reads_stops_neither_sessions_nor_the_operator() {
    let impostor = Impostor::start(Conduct::Honest);
    let setup = before(&impostor).with("networks.allow", vec![toml::Value::from("127.0.0.0/8")]);
    let (mut proxy, log) = setup.start_unread();
    // A line each, of some 250 octets: a pipe holds 64 KiB, the queue 4,096 lines.
    for _ in 0..6_000 {
        let mut client = TcpStream::connect(proxy.starttls()).unwrap();
        client.write_all(b"QUIT\r\n").unwrap();
        let mut told = String::new();
        client.read_to_string(&mut told).unwrap();
        assert!(
            told.contains("\r\n221 ") || told.starts_with("554"),
            "{told}"
        );
    }
    let mut client = proxy.client(loopback(31, 1));
    client.greet();
    client.expect(&auth_plain(ANNA), 235);
    let lost = proxy.status()["limits"]["log-queue"].as_u64();
    assert!(lost >= Some(100), "{lost:?}");

    let reader = thread::spawn(move || {
        let mut text = String::new();
        let [_, mut stderr] = log;
        stderr.read_to_string(&mut text).unwrap();
        text
    });
    proxy.terminate();
    proxy.ends_well();
    let text = reader.join().unwrap();
    assert!(text.contains("log lines were lost"), "nobody is told");
    let last = text.lines().last().unwrap();
    assert!(last.contains("stopped"), "{last}");
}

/// A client that has logged in, in front of an impostor.
fn logged_in(proxy: &Proxy, host: u8) -> Client {
    let mut client = proxy.client(loopback(31, host));
    client.greet();
    client.expect(&auth_plain(ANNA), 235);
    client
}

#[test]
fn when_postfix_has_no_process_left_a_login_waits_for_one() {
    let impostor = Impostor::start(Conduct::Honest);
    // Of four, one is the probe's, and two are for sessions.
    let setup = before(&impostor).with("upstream.processes", 4);
    let proxy = setup
        .with("networks.allow", vec![toml::Value::from("127.0.0.0/8")])
        .start();
    let mut first = logged_in(&proxy, 10);
    impostor.conduct(Conduct::AtAuth(Fault::Silence));
    let _checked = [11, 12].map(|host| {
        let mut client = proxy.client(loopback(31, host));
        client.greet();
        client.send(format!("{}\r\n", auth_plain(ANNA)).as_bytes());
        client
    });
    wait::until("both are asked about", || {
        proxy.status()["processes"]["logins"] == 2
    });
    impostor.conduct(Conduct::Honest);
    thread::scope(|scope| {
        let third = scope.spawn(|| logged_in(&proxy, 13));
        wait::until("the third waits", || {
            proxy.status()["processes"]["waiting"] == 1
        });
        first.expect("QUIT", 221);
        drop(third.join().unwrap());
    });
}

#[test]
fn a_login_that_finds_no_process_in_its_time_is_told_to_come_again_and_counted() {
    let impostor = Impostor::start(Conduct::Honest);
    let setup = before(&impostor)
        .with("upstream.processes", 2)
        .with("timeouts.login", "5s")
        .with("limits.client.burst", 1);
    let proxy = setup.start();
    let mut first = logged_in(&proxy, 10);
    let mut second = proxy.client(loopback(31, 11));
    second.greet();
    assert_eq!(second.say(&auth_plain(ANNA)).code, 454);
    let status = proxy.status();
    assert_eq!(status["limits"]["processes"], 1);
    assert_eq!(status["counters"]["deferred"], 1);
    first.expect("QUIT", 221);
    drop(first);
    wait::until("its process is free", || {
        proxy.status()["processes"]["logged-in"] == 0
    });
    drop(logged_in(&proxy, 11));
}

#[test]
fn why_there_is_no_start_is_written_before_the_end() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap();
    let mut setup = Setup::new("127.0.0.1:10465");
    setup.listen(toml! {
        address = (address.to_string())
        tls = "implicit"
    });
    let ran = setup.command(&["run"]);
    assert_eq!(ran.code, Some(2), "{}", ran.text);
    assert!(ran.text.contains("cannot listen on"), "{}", ran.text);
}

/// A Postfix that accepts one login and resets the connection at the next command.
fn dying_postfix() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || serve_until_mail(&stream));
        }
    });
    address
}

fn serve_until_mail(mut stream: &TcpStream) -> Option<()> {
    use std::io::{BufRead, BufReader};
    let mut reader = BufReader::new(stream);
    stream.write_all(b"220 dying ESMTP\r\n").ok()?;
    loop {
        let mut line = String::new();
        let read = reader.read_line(&mut line).ok()?;
        let reply = match line.get(..4).filter(|_| read > 0)? {
            "EHLO" => "250-dying\r\n250 AUTH PLAIN\r\n",
            "AUTH" => "235 2.7.0 welcome\r\n",
            "MAIL" => {
                let at_once = Some(std::time::Duration::ZERO);
                return socket2::SockRef::from(stream).set_linger(at_once).ok();
            }
            _ => "221 2.0.0 bye\r\n",
        };
        stream.write_all(reply.as_bytes()).ok()?;
    }
}

#[test]
fn a_postfix_that_dies_under_a_session_is_told_at_warn_with_its_error() {
    let setup = Setup::new(&dying_postfix().to_string()).with("upstream.announce", "none");
    let proxy = setup.start();
    let mut client = proxy.client(loopback(31, 2));
    client.greet();
    client.expect(&auth_plain(ANNA), 235);
    client
        .try_send(b"MAIL FROM:<anna@example.org>\r\n")
        .unwrap();
    let event = proxy.log().find("the end of the session", |event| {
        event.field("ending") == "upstream-lost"
    });
    assert_eq!(event.level(), "WARN");
    assert_eq!(event.message(), "session");
    assert!(event.field("fault").contains("reset"), "{}", event.text());
}

#[test]
fn a_botnets_name_before_the_banner_springs_its_trap() {
    let impostor = Impostor::start(Conduct::Honest);
    let port = ports::free();
    let mut setup = before(&impostor);
    setup.listen(toml! {
        address = (format!("127.0.0.1:{port}"))
        tls = "starttls"
        proxy-protocol-from = ["127.31.0.3/32"]
    });
    let proxy = setup.start();
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut bot = Client::connect(loopback(31, 3), server).unwrap();
    // With the header in one write: it lies there before the session begins.
    bot.send(b"PROXY TCP4 203.0.113.66 192.0.2.1 4567 587\r\nEHLO ylmf-pc\r\n");
    assert_eq!(bot.reply().code, 554);
    let event = proxy
        .log()
        .find("the ban", |event| event.message() == "ban began");
    assert_eq!(event.field("subject"), "203.0.113.66");
    assert_eq!(event.field("cause"), "trap");
}
