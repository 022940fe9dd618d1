//! ja4 - real programs have the label in the log that a second computation finds in their ClientHellos
//!
//! Each connects through a relay of ours, which keeps its ClientHello and passes it on in other pieces. The second computation
//! is `label.py`. Not here: what is no ClientHello (`net::tls::ja4`), labels in the history (`history`).

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;

use crate::kit::client::{Client, Trust, auth_plain, loopback};
use crate::kit::mail::{ANNA, Mail, User};
use crate::kit::program;
use crate::kit::proxy::{Event, NAME, Proxy, Setup};
use crate::kit::wait;

const WRONG: User<'static> = User(ANNA.0, "Wrong1Password");

/// Tries a wrong password at this address.
type Program = fn(SocketAddr);

/// In what pieces the relay passes a ClientHello on.
#[derive(Clone, Copy, Debug)]
enum Pieces {
    /// TCP segments of so many octets.
    Segments(usize),
    /// TLS records of so many octets.
    Records(usize),
}

/// The ClientHello that was passed on, without the heads of records, and where it came from as Gatepost sees it.
struct Relayed {
    message: Vec<u8>,
    client: SocketAddr,
}

/// Lets `program` connect to an address that leads to `to`, and waits until it has ended.
fn relayed(to: SocketAddr, pieces: Pieces, program: impl FnOnce(SocketAddr)) -> Relayed {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let relay = thread::spawn(move || {
        let (near, _) = listener.accept()?;
        pass_on(near, TcpStream::connect(to)?, pieces)
    });
    program(address);
    relay.join().unwrap().unwrap()
}

fn pass_on(mut near: TcpStream, mut far: TcpStream, pieces: Pieces) -> io::Result<Relayed> {
    far.set_nodelay(true)?;
    let client = far.local_addr()?;
    let mut head = [0; 5];
    near.read_exact(&mut head)?;
    let mut message = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    near.read_exact(&mut message)?;
    match pieces {
        Pieces::Segments(octets) => {
            for segment in [&head[..], &message].concat().chunks(octets) {
                far.write_all(segment)?;
            }
        }
        Pieces::Records(octets) => {
            for part in message.chunks(octets) {
                let length = u16::try_from(part.len()).unwrap().to_be_bytes();
                far.write_all(&[&head[..3], &length, part].concat())?;
            }
        }
    }
    let (mut back, mut to_program) = (far.try_clone()?, near.try_clone()?);
    let answers = thread::spawn(move || {
        // However it ends: what counts is in the log.
        let _ = io::copy(&mut back, &mut to_program);
        let _ = to_program.shutdown(Shutdown::Write);
    });
    let _ = io::copy(&mut near, &mut far);
    let _ = far.shutdown(Shutdown::Write);
    answers.join().unwrap();
    Ok(Relayed { message, client })
}

/// The label by the second computation.
fn computed(message: &[u8]) -> String {
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/integration/ja4/label.py"
    );
    let ran = program::with_input(Command::new("python3").arg(script), message);
    assert!(ran.success, "{}", ran.text);
    ran.text.trim().to_owned()
}

/// The line about the attempt of the client with this address.
fn attempt(proxy: &Proxy, client: SocketAddr) -> Event {
    let client = client.to_string();
    proxy.log().find("the attempt", |event| {
        event.message() == "attempt" && event.field("client") == client
    })
}

fn openssl(server: SocketAddr) {
    let mut child = Command::new("timeout")
        .args(["60", "openssl", "s_client", "-quiet", "-connect"])
        .arg(server.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (mut says, mut reads) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let auth = auth_plain(WRONG);
    for line in ["EHLO laptop", &auth, "QUIT"] {
        let taken = reads.read(&mut [0; 4096]).unwrap();
        assert!(taken > 0, "no reply before {line}");
        says.write_all(format!("{line}\r\n").as_bytes()).unwrap();
    }
    assert!(child.wait_with_output().is_ok());
}

fn curl(server: SocketAddr) {
    let mut command = Command::new("curl");
    command
        .args(["--silent", "--insecure", "--max-time", "60"])
        .args(["--login-options", "AUTH=PLAIN", "--user"])
        .arg(format!("{}:{}", WRONG.0, WRONG.1))
        .args(["--mail-from", WRONG.0, "--mail-rcpt", "a@example.net"])
        .args(["--upload-file", "-", "--url"])
        .arg(format!("smtps://{server}"));
    program::with_input(&mut command, b"");
}

fn swaks(server: SocketAddr) {
    let mut command = Command::new("swaks");
    command
        .args(["--server", "127.0.0.1", "--port"])
        .arg(server.port().to_string())
        .args(["--tls-on-connect", "--tls-sni", NAME, "--helo", "laptop"])
        .args(["--auth", "PLAIN", "--quit-after", "AUTH", "--timeout", "60"])
        .args(["--auth-user", WRONG.0, "--auth-password", WRONG.1]);
    program::with_input(&mut command, b"");
}

fn python(server: SocketAddr) {
    let script = format!(
        "import smtplib, ssl\n\
         context = ssl.create_default_context()\n\
         context.check_hostname, context.verify_mode = False, ssl.CERT_NONE\n\
         context.set_alpn_protocols(['smtp', 'x'])\n\
         server = smtplib.SMTP_SSL('localhost', {}, context=context, timeout=60)\n\
         try:\n    server.login({:?}, {:?})\n\
         except smtplib.SMTPException:\n    server.quit()\n",
        server.port(),
        WRONG.0,
        WRONG.1
    );
    program::run(Command::new("python3").args(["-c", &script]));
}

#[test]
fn each_program_has_the_label_of_its_client_hello_however_that_is_cut() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).with("log.level", "debug").start();
    let programs: [(Program, &str, Pieces); 4] = [
        (openssl, "00", Pieces::Segments(1)),
        (curl, "00", Pieces::Records(100)),
        (swaks, "00", Pieces::Segments(100)),
        (python, "sp", Pieces::Records(1)),
    ];
    let mut labels = Vec::new();
    for (program, protocol, pieces) in programs {
        let relayed = relayed(proxy.implicit(), pieces, program);
        let shown = attempt(&proxy, relayed.client).field("ja4");
        assert_eq!(shown, computed(&relayed.message), "{pieces:?}");
        assert!(
            shown.starts_with("t13") && &shown[8..10] == protocol,
            "{shown}"
        );
        labels.push(shown);
    }
    labels.sort();
    labels.dedup();
    assert!(labels.len() > 1, "they are not all the same: {labels:?}");
}

#[test]
fn a_program_has_one_label_from_every_address_and_at_both_listeners() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).with("log.level", "debug").start();
    let trust = Trust::tls12(proxy.setup.authority().roots());
    let hello = trust.client_hello(NAME);
    let mut first = Client::connect(loopback(28, 1), proxy.implicit()).unwrap();
    first.secure(&trust, NAME).unwrap();
    first.greet();
    let mut second = Client::connect(loopback(28, 2), proxy.starttls()).unwrap();
    second.greet();
    second.expect("STARTTLS", 220);
    second.secure(&trust, NAME).unwrap();
    second.expect("EHLO laptop", 250);
    for mut client in [first, second] {
        client.expect(&auth_plain(ANNA), 235);
        let shown = attempt(&proxy, client.address()).field("ja4");
        assert_eq!(shown, computed(&hello[5..]));
        assert!(shown.starts_with("t12d"), "{shown}");
    }
}

#[test]
fn explain_names_the_programs_that_an_address_and_a_user_came_with() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).start();
    let mut client = proxy.client(loopback(28, 3));
    client.greet();
    client.expect(&auth_plain(WRONG), 535);
    let label = attempt(&proxy, client.address()).field("ja4");
    for asked in ["127.28.0.3", ANNA.0] {
        let line = format!("program     ja4 {label}, last ");
        wait::until("the history has it", || {
            let told = proxy.setup.command(&["explain", asked]);
            told.text.contains(&line)
        });
    }
    let told = proxy.setup.command(&["explain", "127.28.0.4"]);
    assert!(!told.text.contains("program "), "{}", told.text);
}
