//! check_files - `gatepost check` names what is wrong with certificate and key files as other tools leave them
//!
//! All of them are made by the real openssl. Not here: what clients say of a good file (`check_chains`).

use std::fs;
use std::process::Command;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::kit::client::loopback;
use crate::kit::program::{self, Ran};
use crate::kit::proxy::{Setup, gatepost};

/// A folder of files that openssl made: `a` and `b` are names of pairs.
fn made() -> Setup {
    let setup = Setup::new("127.0.0.1:9");
    for commands in [
        "req -x509 -newkey rsa:2048 -nodes -subj /CN=a -addext subjectAltName=DNS:mail.example.org -keyout a.key -out a.pem",
        "req -x509 -newkey rsa:1024 -nodes -subj /CN=short -keyout short.key -out short.pem",
        "rsa -in a.key -traditional -aes128 -passout pass:x -out pkcs1.key",
        "pkcs8 -topk8 -in a.key -passout pass:x -out pkcs8.key",
        "ecparam -name prime256v1 -genkey -noout -out ec.key",
        "ec -in ec.key -aes128 -passout pass:x -out sec1.key",
        "ecparam -name secp256k1 -genkey -noout -out koblitz.key",
        "req -x509 -key koblitz.key -subj /CN=koblitz -out koblitz.pem",
        "req -new -key a.key -subj /CN=a -out a.csr",
        "x509 -req -in a.csr -signkey a.key -out version1.pem",
        "x509 -in a.pem -outform der -out a.der",
        "rsa -in a.key -outform der -out key.der",
        "pkcs8 -topk8 -nocrypt -in ec.key -outform der -out eckey.der",
        "pkey -in a.key -pubout -out public.key",
        "pkcs12 -export -in a.pem -inkey a.key -passout pass:x -out a.p12",
        "crl2pkcs7 -nocrl -certfile a.pem -out a.p7b",
        "crl2pkcs7 -nocrl -certfile a.pem -outform der -out a.der.p7b",
        "x509 -in a.pem -trustout -out trusted.pem",
    ] {
        let mut command = Command::new("env");
        command.arg("-C").arg(setup.folder()).arg("openssl");
        program::run(command.args(commands.split_whitespace()));
    }
    setup
}

/// What `check` says of two files in the folder.
fn check(setup: &mut Setup, chain: &str, key: &str) -> Ran {
    let file = |name: &str| setup.folder().join(name).display().to_string();
    let certificate = toml::toml! { list = [{ chain = (file(chain)), key = (file(key)) }] };
    setup.set("tls.certificate", certificate["list"].clone());
    let mut command = gatepost();
    command
        .args(["check", "--config"])
        .arg(setup.write_config());
    // Postfix and Dovecot are not asked.
    let mut alone = program::under(&["env", "PATH=/nonexistent"], &command);
    program::with_input(&mut alone, b"")
}

/// The chain, its key, and what is said of them.
const REFUSED: [(&str, &str, &str); 24] = [
    (
        "a.pem",
        "pkcs1.key",
        "pkcs1.key is encrypted with a passphrase",
    ),
    (
        "a.pem",
        "pkcs8.key",
        "pkcs8.key is encrypted with a passphrase",
    ),
    (
        "a.pem",
        "sec1.key",
        "sec1.key is encrypted with a passphrase",
    ),
    ("a.pem", "sec1.key", "openssl pkey -in"),
    ("short.pem", "short.key", "(RSA of 1024 bits)"),
    (
        "koblitz.pem",
        "koblitz.key",
        "(ECDSA with a curve that mail programs do not know)",
    ),
    ("a.der", "a.key", "openssl x509 -inform der"),
    ("a.pem", "key.der", "openssl pkey -inform der"),
    ("a.pem", "eckey.der", "openssl pkey -inform der"),
    ("a.p12", "a.key", "openssl pkcs12 -in"),
    ("a.pem", "a.p12", "openssl pkcs12 -in"),
    ("a.p7b", "a.key", "openssl pkcs7 -print_certs"),
    ("a.der.p7b", "a.key", "openssl pkcs7 -print_certs"),
    ("trusted.pem", "a.key", "openssl x509 -in"),
    ("a.csr", "a.key", "is a request for a certificate"),
    ("a.pem", "public.key", "holds a public key"),
    ("utf16.pem", "a.key", "is text in UTF-16"),
    ("version1.pem", "a.key", "X.509 version 1"),
    ("a.key", "a.key", "are chain and key exchanged?"),
    ("pkcs8.key", "a.key", "are chain and key exchanged?"),
    ("key.der", "a.key", "are chain and key exchanged?"),
    ("a.pem", "a.der", "are chain and key exchanged?"),
    ("none.pem", "a.key", "none.pem does not exist"),
    (".", "a.key", "write the path of a PEM file"),
];

#[test]
fn each_form_that_cannot_be_used_is_named_with_what_turns_it_into_the_right_one() {
    let mut setup = made();
    let text = fs::read_to_string(setup.folder().join("a.pem")).unwrap();
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(setup.folder().join("utf16.pem"), utf16).unwrap();
    for (chain, key, said) in REFUSED {
        let ran = check(&mut setup, chain, key);
        assert_eq!(ran.code, Some(2), "{chain} {key}: {}", ran.text);
        let words: Vec<_> = ran.text.split_whitespace().collect();
        assert!(
            words.join(" ").contains(said),
            "{chain} {key}: {}",
            ran.text
        );
    }
}

#[test]
fn byte_order_marks_and_blocks_without_a_line_break_between_them_are_read() {
    let mut setup = made();
    let read = |setup: &Setup, name: &str| fs::read_to_string(setup.folder().join(name)).unwrap();
    let (chain, key) = (read(&setup, "a.pem"), read(&setup, "a.key"));
    setup.write("mark.pem", &format!("\u{feff}{chain}"));
    setup.write("mark.key", &format!("\u{feff}{key}"));
    setup.write(
        "joined.pem",
        &format!("{}\u{feff}{}", key.trim_end(), chain),
    );
    setup.write("glued.pem", &format!("{}{}", key.trim_end(), chain));
    for (chain, key) in [
        ("mark.pem", "mark.key"),
        ("joined.pem", "a.key"),
        ("glued.pem", "glued.pem"),
    ] {
        let ran = check(&mut setup, chain, key);
        assert_eq!(ran.code, Some(0), "{chain}: {}", ran.text);
    }
}

#[test]
fn a_fifo_a_device_and_a_socket_in_place_of_a_file_keep_nobody_waiting() {
    let mut setup = made();
    let fifo = setup.folder().join("fifo");
    mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(setup.folder().join("socket")).unwrap();
    for (name, said) in [
        ("fifo", "it is a FIFO"),
        ("socket", "write the path of a PEM file"),
        ("../../../../dev/zero", "it is a device"),
    ] {
        for (chain, key) in [(name, "a.key"), ("a.pem", name)] {
            let ran = check(&mut setup, chain, key);
            assert_eq!(ran.code, Some(2), "{name}: {}", ran.text);
            assert!(ran.text.contains(said), "{name}: {}", ran.text);
        }
    }
}

#[test]
fn a_reload_that_finds_a_fifo_goes_on_with_what_it_had() {
    let proxy = made().start();
    let chain = proxy.setup.folder().join("chain.pem");
    fs::remove_file(&chain).unwrap();
    mknodat(CWD, &chain, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    proxy.reload();
    proxy.log().wait_for_text("it is a FIFO");
    proxy
        .log()
        .wait_for_text("not reloaded, the old config stays");
    // With its handshake.
    drop(proxy.client(loopback(71, 1)));
}
