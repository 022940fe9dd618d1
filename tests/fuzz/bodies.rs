//! bodies - what is done with octets that a fuzzer made, and what must hold whatever they are
//!
//! One function a target. They are run by libFuzzer (`targets`), and over the kept corpus by the
//! integration tests, on stable.
//! In `asked`, `edges`, `kept`, `linked` and `whole`: what Dovecot asks, what a connection opens with, what is read from disk,
//! what linked machines tell each other, and sessions as a whole.
//! Here: SMTP.
//! Not here: octets (`corpus`). A body that cannot fail would be no target: each asserts more than
//! that nothing panics.

use std::sync::Arc;

use gatepost_core::smtp::capabilities::Capabilities;
use gatepost_core::smtp::command::{Command, HeloName};
use gatepost_core::smtp::dialogue::{
    Action, Channel, Dialogue, DialogueSettings, LogIn, Resolution, Trap,
};
use gatepost_core::smtp::line::{LineBuffer, LineFault};
use gatepost_core::smtp::reply::{LINES, Reply, ReplyBuffer};
use gatepost_core::smtp::sasl::{self, Credentials, Mechanism, Secret};

use drive::{Next, Partner, Talk};

mod asked;
pub mod drive;
mod edges;
mod kept;
mod linked;
mod whole;

pub use asked::policy;
pub use edges::{hello, ja4, proxy_header};
pub use kept::{image, journal, logs, state};
pub use linked::link;
pub use whole::session;

/// Lines: the first octet says how the others are split; the split must not matter.
pub fn line(octets: &[u8]) {
    let Some((&step, octets)) = octets.split_first() else {
        return;
    };
    let whole = lines([octets]);
    let split = lines(octets.chunks(usize::from(step).max(1)));
    assert_eq!(whole, split);
    for line in whole.0.iter().flatten() {
        assert!(line.len() <= 64 && !line.ends_with(b"\r") && !line.contains(&b'\n'));
    }
}

type Lines = (Vec<Result<Vec<u8>, LineFault>>, Vec<u8>);

fn lines<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Lines {
    let mut buffer = LineBuffer::new();
    let mut said = Vec::new();
    for piece in pieces {
        buffer.push(piece);
        loop {
            match buffer.next_line(64) {
                Ok(None) => break,
                Ok(Some(line)) => said.push(Ok(line.to_vec())),
                Err(fault) => said.push(Err(fault)),
            }
        }
        assert!(
            buffer.len() <= 66,
            "an unfinished line over the limit is kept"
        );
    }
    (said, buffer.into_rest())
}

/// Commands: a name that may be passed on is clean, and no initial response is shown.
pub fn command(octets: &[u8]) {
    match Command::parse(octets) {
        Ok(Command::Hello { name, .. }) => {
            let clean = HeloName::new(name).expect("a hello has a name");
            assert!(clean.as_str().bytes().all(|octet| octet.is_ascii_graphic()));
            assert!(clean.as_str().len() <= HeloName::OCTETS);
        }
        Ok(command @ Command::Auth { .. }) => {
            let Command::Auth { mechanism, .. } = command else {
                return;
            };
            let shown = format!("{command:?}");
            assert!(shown.len() < 120, "{shown}");
            assert!(mechanism.is_none_or(|mechanism| Mechanism::ALL.contains(&mechanism)));
        }
        Ok(_) | Err(_) => {}
    }
}

/// Replies: what is read is bounded, printable, and the same when it is rendered and read again.
pub fn reply(octets: &[u8]) {
    for reply in replies(octets) {
        assert!(reply.lines().len() <= LINES);
        let mut wire = Vec::new();
        reply.render(&mut wire);
        let printable = |octet: &u8| matches!(octet, b' '..=b'~' | b'\r' | b'\n');
        assert!(wire.iter().all(printable));
        assert_eq!(replies(&wire), std::slice::from_ref(&reply));
        let offered = Capabilities::parse(&reply);
        assert!(offered.mechanisms().len() <= Mechanism::ALL.len());
    }
}

/// The replies until they end or make no sense.
fn replies(octets: &[u8]) -> Vec<Reply> {
    let mut buffer = ReplyBuffer::new();
    buffer.push(octets);
    let mut replies = Vec::new();
    while let Ok(Some(reply)) = buffer.next() {
        replies.push(reply);
    }
    replies
}

/// SASL: base64 has one reading, and Postfix gets the user and password that were read.
pub fn sasl(octets: &[u8]) {
    if let Ok(decoded) = sasl::decode(octets) {
        let encoded = sasl::encode(decoded.expose());
        let again = sasl::decode(encoded.expose()).expect("what we say can be read");
        assert_eq!(again.expose(), decoded.expose());
        assert_eq!(encoded.expose().len(), octets.len());
    }
    for read in [
        Credentials::from_plain,
        Credentials::from_xoauth2,
        Credentials::from_oauthbearer,
    ] {
        let Ok(heard) = read(octets) else { continue };
        assert!(!heard.user.as_bytes().is_empty() && !heard.user.as_bytes().contains(&0));
        let told = heard.client_messages();
        let [message] = told.as_slice() else {
            panic!("one message")
        };
        let again = read(message.expose()).expect("what we say can be read");
        assert_eq!(again.user, heard.user);
        assert_eq!(again.secret.expose(), heard.secret.expose());
        assert_eq!(again.authzid, heard.authzid);
    }
    for name in [sasl::scram_user(octets), sasl::cram_user(octets)] {
        assert!(!name.is_ok_and(|name| name.as_bytes().contains(&0)));
    }
}

/// The dialogue: the first octet says how it begins and how logins come out; NULs separate segments.
pub fn dialogue(octets: &[u8]) {
    let Some((&plot, octets)) = octets.split_first() else {
        return;
    };
    let settings = DialogueSettings {
        hostname: "gate".to_owned(),
        mechanisms: Mechanism::ALL.to_vec(),
    };
    let secured = plot & 1 == 0;
    let channel = match secured {
        true => Channel::Secured,
        false => Channel::ClearUntilStartTls,
    };
    let all = Mechanism::ALL.map(Mechanism::as_str).join(" ");
    let ehlo = Reply::multiline(250, None, ["mx", "DSN", &format!("AUTH {all}")]);
    let judge = Judge {
        capabilities: Arc::new(Capabilities::parse(&ehlo)),
        secured,
        plot: plot >> 1,
    };
    let mut talk = Talk::new(Dialogue::new(&Arc::new(settings), "id", channel), judge);
    talk.open();
    for segment in octets.split(|&octet| octet == 0) {
        talk.feed(segment);
    }
}

/// Answers for the gate and Postfix, and looks whether it may be asked.
struct Judge {
    capabilities: Arc<Capabilities>,
    secured: bool,
    plot: u8,
}

impl Partner for Judge {
    fn obey(&mut self, action: Action, dialogue: &mut Dialogue, buffer: &mut LineBuffer) -> Next {
        match action {
            Action::Reply(reply) | Action::Cancel(reply) => say(&reply, Next::Line),
            Action::Close(reply) => say(&reply, Next::Over),
            Action::JudgeHelo(name) => {
                assert!(!name.is_empty());
                Next::Then(dialogue.helo_judged(Trap::Untouched))
            }
            Action::AskCapabilities => {
                Next::Then(dialogue.set_capabilities(Some(Arc::clone(&self.capabilities))))
            }
            Action::StartTls(reply) => {
                assert!(!self.secured && buffer.is_empty());
                self.secured = true;
                dialogue.secured();
                say(&reply, Next::Line)
            }
            Action::LogIn(LogIn::Credentials(credentials)) => {
                assert!(!credentials.user.as_bytes().is_empty());
                self.resolve(dialogue)
            }
            Action::LogIn(LogIn::Scram { .. } | LogIn::CramMd5) | Action::Relay(_) => {
                self.resolve(dialogue)
            }
        }
    }
}

impl Judge {
    fn resolve(&mut self, dialogue: &mut Dialogue) -> Next {
        // Postfix takes AUTH without a hello before it, and so does Gatepost.
        assert!(self.secured, "judged out of place");
        self.plot = self.plot.rotate_left(2);
        let resolution = match self.plot & 3 {
            0 => Resolution::Refuse,
            1 => Resolution::Reject,
            2 => Resolution::Defer,
            _ => Resolution::Challenge(Secret::new(b"more".to_vec())),
        };
        Next::Then(dialogue.resolve(resolution))
    }
}

/// What is sent must be one whole reply.
fn say(reply: &Reply, next: Next) -> Next {
    let mut wire = Vec::new();
    reply.render(&mut wire);
    assert_eq!(replies(&wire), std::slice::from_ref(reply));
    next
}
