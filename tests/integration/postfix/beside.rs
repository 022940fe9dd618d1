//! beside - the same conversations with Postfix itself and with Gatepost in front of it
//!
//! Who can log in at Postfix can log in at Gatepost: where Postfix is laxer and strictness gains nothing, Gatepost is as
//! lax. `tests/dialogues/beside_postfix` has the conversations. `---` opens one with its name, and then
//!
//! ```text
//! C: a line of the client; lines without anything between them come in one segment
//! S: the code of a reply of both, or `closed`
//! P: the code of Postfix's reply, and
//! G: that of Gatepost's in its place; the reason stands in the line before, after a `#`
//! > clear: without TLS at Gatepost. > end \n: what ends each line
//! ```
//!
//! In a line of the client, `{base64 ...}` is encoded, `\0`, `\1`, `\n`, `\r`, `\t` and `\{octet*count}` are octets, and
//! `\T` is a token of Anna's.
//! `GATEPOST_WRITE_EXPECTED=1` writes what came in place of what is expected; read the difference.
//! Not here: the words of Gatepost's replies (`dialogues`), and mail programs (`programs`).

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

use crate::kit::client::{Client, base64, loopback};
use crate::kit::mail::{Entry, Mail};
use crate::kit::proxy::{Proxy, Setup};

/// All that Gatepost can relay.
const MECHANISMS: [&str; 7] = [
    "PLAIN",
    "LOGIN",
    "XOAUTH2",
    "OAUTHBEARER",
    "SCRAM-SHA-1",
    "SCRAM-SHA-256",
    "CRAM-MD5",
];

/// What Dovecot checks a token's signature with, in base64.
const KEY: &str = "a2lyc2Noa2Vybi1mdWVyLWRpZS1wcm9iZS0wMTIzNDU2Nzg5";

/// Anna's token, signed with it: HS256, valid from 2020 to 2100. RFC 7519.
const TOKEN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.\
    eyJzdWIiOiJhbm5hQGV4YW1wbGUub3JnIiwiZXhwIjo0MTAyNDQ0ODAwLCJpYXQiOjE1Nzc4MzY4MDAsInNjb3BlIjoibWFpbCJ9.\
    TbPYut9dn3cHJLyXjmSPDWrOo7d7XIv7mDg7OGUVKbg";

/// The two that a conversation is held with.
struct Servers {
    mail: Mail,
    proxy: Proxy,
    /// What Dovecot needs for tokens.
    _tokens: TempDir,
}

#[derive(Clone, Copy)]
enum Side {
    Postfix,
    Gatepost,
}

/// One conversation.
struct Conversation<'a> {
    name: &'a str,
    lines: Vec<&'a str>,
}

impl Servers {
    fn start() -> Self {
        let tokens = token_settings();
        let mail = Mail::with_dovecot(&format!(
            "auth_mechanisms = {}\npassdb {{\n  driver = oauth2\n  mechanisms = xoauth2 oauthbearer\n  args = {}\n}}",
            MECHANISMS.join(" "),
            tokens.path().join("oauth2.conf").display(),
        ));
        let proxy = Setup::before(&mail)
            .with("mechanisms", MECHANISMS.map(toml::Value::from).to_vec())
            .with("bans.strikes", 0)
            .with("settling", "0s")
            .with("timeouts.failure-delay", "0s")
            .start();
        Self {
            mail,
            proxy,
            _tokens: tokens,
        }
    }

    fn client(&self, side: Side, number: u8, clear: bool) -> Client {
        let source = loopback(120, number);
        match side {
            Side::Postfix => {
                let server = self.mail.address(Entry::Plain);
                Client::connect(source, server).expect("connect to Postfix")
            }
            Side::Gatepost if clear => self.proxy.starttls_client(source),
            Side::Gatepost => self.proxy.client(source),
        }
    }

    /// What the server says to each segment of the client, as codes.
    fn play(&self, side: Side, number: u8, conversation: &Conversation<'_>) -> Vec<Vec<String>> {
        let setting = |name: &str| {
            let mut lines = conversation.lines.iter();
            lines.find_map(|line| line.strip_prefix("> ")?.strip_prefix(name))
        };
        let mut client = self.client(side, number, setting("clear").is_some());
        assert_eq!(client.reply().code, 220, "{}", conversation.name);
        let end = unescape(setting("end ").unwrap_or("\\r\\n"));
        let mut came = Vec::new();
        for (segment, replies) in segments(&conversation.lines, &end) {
            let sent = client.try_send(&segment);
            let mut codes = Vec::new();
            for _ in 0..replies {
                let reply = sent.as_ref().ok().and_then(|()| client.try_reply().ok());
                codes.push(reply.map_or("closed".to_owned(), |reply| reply.code.to_string()));
            }
            came.push(codes);
        }
        came
    }
}

/// A folder with `oauth2.conf`, by which Dovecot checks tokens itself.
fn token_settings() -> TempDir {
    let folder = TempDir::with_prefix("gatepost-tokens-").expect("a folder for Dovecot");
    let path = folder.path();
    fs::set_permissions(path, Permissions::from_mode(0o755)).expect("open the folder");
    let keys = path.join("keys/default/HS256");
    fs::create_dir_all(&keys).expect("make the folder of keys");
    fs::write(keys.join("default"), KEY).expect("write the key");
    let settings = format!(
        "introspection_mode = local\nusername_attribute = sub\n\
         local_validation_key_dict = fs:posix:prefix={}/keys/\n",
        path.display()
    );
    fs::write(path.join("oauth2.conf"), settings).expect("write Dovecot's settings");
    folder
}

/// What the client sends at once, and how many replies each side gives to it.
fn segments(lines: &[&str], end: &[u8]) -> Vec<(Vec<u8>, usize)> {
    let mut segments: Vec<(Vec<u8>, usize)> = Vec::new();
    let mut speaks = false;
    for line in lines {
        match line.split_at(2) {
            ("C:", text) => {
                if !speaks {
                    segments.push((Vec::new(), 0));
                }
                let (segment, _) = segments.last_mut().expect("there is one now");
                segment.extend(unescape(text.strip_prefix(' ').unwrap_or(text)));
                segment.extend(end);
                speaks = true;
            }
            ("S:" | "P:", _) => {
                let (_, replies) = segments.last_mut().expect("the client speaks first");
                *replies += 1;
                speaks = false;
            }
            ("G:" | "> " | "# ", _) => {}
            _ => panic!("not a line of a conversation: {line}"),
        }
    }
    segments
}

fn unescape(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text;
    while let Some((plain, special)) = rest.split_once(['\\', '{']) {
        octets.extend_from_slice(plain.as_bytes());
        let opening = rest.as_bytes()[plain.len()];
        rest = if opening == b'{' {
            let (encoded, after) = special.split_once('}').expect("a closing brace");
            let message = encoded.strip_prefix("base64 ").expect("{base64 ...}");
            octets.extend_from_slice(base64(unescape(message)).as_bytes());
            after
        } else {
            escape(special, &mut octets)
        };
    }
    octets.extend_from_slice(rest.as_bytes());
    octets
}

/// The octets of what stands behind a backslash. What follows it.
fn escape<'a>(special: &'a str, octets: &mut Vec<u8>) -> &'a str {
    let (kind, after) = special.split_at(1);
    match kind {
        "n" => octets.push(b'\n'),
        "r" => octets.push(b'\r'),
        "t" => octets.push(b'\t'),
        "0" => octets.push(0),
        "1" => octets.push(1),
        "s" => octets.push(b' '),
        "T" => octets.extend_from_slice(TOKEN.as_bytes()),
        "{" => {
            let (repeated, after) = after.split_once('}').expect("a closing brace");
            let (octet, count) = repeated.split_once('*').expect("an octet and a count");
            octets.extend(octet.repeat(count.parse().expect("a count")).bytes());
            return after;
        }
        _ => panic!("no such escape: {special}"),
    }
    after
}

/// The conversation with what came in place of what is expected.
fn filled(conversation: &Conversation<'_>, came: [&[Vec<String>]; 2]) -> String {
    let mut both: Vec<(&String, &String)> = Vec::new();
    for (postfix, gatepost) in came[0].iter().zip(came[1]) {
        both.extend(postfix.iter().zip(gatepost));
    }
    let mut both = both.into_iter();
    let mut text = format!("--- {}\n", conversation.name);
    for line in &conversation.lines {
        match line.split_at(2).0 {
            "S:" | "P:" => match both.next().expect("as many as are expected") {
                (postfix, gatepost) if postfix == gatepost => text += &format!("S: {postfix}\n"),
                (postfix, gatepost) => text += &format!("P: {postfix}\nG: {gatepost}\n"),
            },
            "G:" => {}
            _ => text += &format!("{line}\n"),
        }
    }
    text
}

#[test]
fn every_conversation_goes_as_it_does_with_postfix_itself() {
    let servers = Servers::start();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialogues/beside_postfix");
    let (mut played, mut differing) = (0, String::new());
    for entry in fs::read_dir(folder).expect("the conversations") {
        let path = entry.expect("an entry").path();
        let expected = fs::read_to_string(&path).expect("conversations");
        let mut parts = expected.split("\n--- ");
        let mut text = format!("{}\n", parts.next().expect("a head"));
        for part in parts {
            let (name, lines) = part.split_once('\n').expect("a name and lines");
            let lines = lines.lines().filter(|line| !line.is_empty()).collect();
            let conversation = Conversation { name, lines };
            played += 1;
            let number = u8::try_from(played).expect("as many as there are addresses");
            let came = [Side::Postfix, Side::Gatepost]
                .map(|side| servers.play(side, number, &conversation));
            let as_came = filled(&conversation, [&came[0], &came[1]]);
            if as_came.trim_end() != format!("--- {}", part.trim_end()) {
                differing += &as_came;
            }
            text += &format!("{as_came}\n");
        }
        if std::env::var_os("GATEPOST_WRITE_EXPECTED").is_some() {
            fs::write(&path, text.trim_end().to_owned() + "\n").expect("write what came");
        }
    }
    assert!(differing.is_empty(), "these went otherwise:\n{differing}");
    assert!(played >= 60, "only {played} conversations");
}

/// A difference without its reason is no decision.
#[test]
fn every_difference_has_its_reason() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialogues/beside_postfix");
    for entry in fs::read_dir(folder).expect("the conversations") {
        let text = fs::read_to_string(entry.expect("an entry").path()).expect("conversations");
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            if line.starts_with("P: ") {
                let before = at.checked_sub(1).and_then(|at| lines.get(at));
                let reasoned = before.is_some_and(|line| line.starts_with("# "));
                assert!(reasoned, "no reason for line {} ({line})", at + 1);
            }
        }
    }
}
