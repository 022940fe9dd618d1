//! dialogues/play - one case of a transcript, played against the dialogue as the session would

use std::collections::VecDeque;
use std::sync::Arc;

use gatepost_core::smtp::capabilities::Capabilities;
use gatepost_core::smtp::dialogue::{
    Action, Channel, Dialogue, DialogueSettings, LogIn, Resolution, Trap,
};
use gatepost_core::smtp::line::LineBuffer;
use gatepost_core::smtp::reply::Reply;
use gatepost_core::smtp::sasl::{Mechanism, Secret};

use crate::fuzz_corpora::bodies::drive::{Next, Partner, Talk};

const HOSTNAME: &str = "gate.example.org";
const SESSION: &str = "4Kq7";

/// How the cases begin if nothing else is said: every mechanism, TLS, no hello yet.
pub(crate) struct Setup {
    channel: Channel,
    mechanisms: Vec<Mechanism>,
    postfix: Vec<String>,
    greeted: bool,
}

impl Setup {
    pub(crate) fn new() -> Self {
        let all = Mechanism::ALL.map(Mechanism::as_str).join(" ");
        Self {
            channel: Channel::Secured,
            mechanisms: Mechanism::ALL.to_vec(),
            postfix: vec!["PIPELINING".to_owned(), format!("AUTH {all}")],
            greeted: false,
        }
    }

    pub(crate) fn dialogue(&self) -> Dialogue {
        let settings = DialogueSettings {
            hostname: HOSTNAME.to_owned(),
            mechanisms: self.mechanisms.clone(),
        };
        Dialogue::new(&Arc::new(settings), SESSION, self.channel)
    }

    pub(crate) fn capabilities(&self) -> Arc<Capabilities> {
        let lines = std::iter::once("mx").chain(self.postfix.iter().map(String::as_str));
        Arc::new(Capabilities::parse(&Reply::multiline(250, None, lines)))
    }

    fn apply(&mut self, line: &str) {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("clear", _) => self.channel = Channel::ClearUntilStartTls,
            ("greeted", _) => self.greeted = true,
            ("mechanisms", names) => {
                let names = names
                    .split(' ')
                    .map(|name| name.parse().expect("a mechanism"));
                self.mechanisms = names.collect();
            }
            ("postfix", keywords) => {
                self.postfix = keywords.split(" / ").map(str::to_owned).collect();
            }
            _ => panic!("no such setting: {line}"),
        }
    }
}

/// Answers as the script says, and writes down all that happens.
struct Stage<'a> {
    setup: Setup,
    script: VecDeque<&'a str>,
    played: Vec<String>,
}

/// What comes of the client's and the partners' lines in `script`, as the whole case.
pub(crate) fn play(script: &[&str]) -> Vec<String> {
    let mut setup = Setup::new();
    let mut script: VecDeque<&str> = script.iter().copied().collect();
    let mut played = Vec::new();
    while let Some(line) = pop_if(&mut script, '>') {
        setup.apply(line.trim_start_matches("> "));
        played.push((*line).to_owned());
    }
    let (dialogue, greeted) = (setup.dialogue(), setup.greeted);
    let stage = Stage {
        setup,
        script,
        played,
    };
    let mut talk = Talk::new(dialogue, stage);
    if greeted {
        let shown = talk.partner.played.len();
        talk.open();
        talk.feed(b"EHLO laptop\r\n");
        talk.partner.played.truncate(shown);
    } else {
        let early = talk.partner.client_lines();
        talk.open_before(&early);
    }
    while !talk.is_over() {
        talk.partner.skip_expected();
        match talk.partner.client_lines() {
            said if said.is_empty() => break,
            said => talk.feed(&said),
        }
    }
    talk.partner.played
}

impl Partner for Stage<'_> {
    fn obey(&mut self, action: Action, dialogue: &mut Dialogue, buffer: &mut LineBuffer) -> Next {
        match action {
            Action::Reply(reply) => self.say(&reply),
            Action::Cancel(reply) => {
                self.show("Q: let go".to_owned());
                self.say(&reply)
            }
            Action::Close(reply) => {
                self.say(&reply);
                self.end("E: closed".to_owned())
            }
            Action::JudgeHelo(name) => Next::Then(self.judge_helo(&name, dialogue)),
            Action::AskCapabilities => Next::Then(self.tell_capabilities(dialogue)),
            Action::StartTls(reply) => {
                self.say(&reply);
                self.start_tls(dialogue, buffer)
            }
            Action::LogIn(log_in) => {
                self.show(format!("Q: {}", describe(&log_in)));
                self.resolve(dialogue, buffer)
            }
            Action::Relay(message) => {
                self.show(format!("Q: relay {}", quote(message.expose())));
                self.resolve(dialogue, buffer)
            }
        }
    }
}

impl Stage<'_> {
    /// Skips what is expected, to the client's next words.
    fn skip_expected(&mut self) {
        while pop_unless(&mut self.script, 'C').is_some() {}
    }

    /// The client's next segment.
    fn client_lines(&mut self) -> Vec<u8> {
        let mut said = Vec::new();
        while let Some(line) = pop_if(&mut self.script, 'C') {
            let text = line.trim_start_matches("C:");
            said.extend_from_slice(&unescape(text.strip_prefix(' ').unwrap_or(text)));
            self.played.push(line.to_owned());
        }
        said
    }

    fn judge_helo(&mut self, name: &[u8], dialogue: &mut Dialogue) -> Action {
        let Some(line) = self.partner_line(&["P: sprung"]) else {
            return dialogue.helo_judged(Trap::Untouched);
        };
        self.show(format!("Q: helo {}", quote(name)));
        self.show(line);
        dialogue.helo_judged(Trap::Touched)
    }

    fn tell_capabilities(&mut self, dialogue: &mut Dialogue) -> Action {
        let Some(line) = self.partner_line(&["P: silent"]) else {
            return dialogue.set_capabilities(Some(self.setup.capabilities()));
        };
        self.show(line);
        dialogue.set_capabilities(None)
    }

    fn start_tls(&mut self, dialogue: &mut Dialogue, buffer: &mut LineBuffer) -> Next {
        if let Some(line) = self.partner_line(&["P: TLS"]) {
            self.show(line);
            *buffer = LineBuffer::new();
            dialogue.secured();
        }
        Next::Line
    }

    fn resolve(&mut self, dialogue: &mut Dialogue, buffer: &mut LineBuffer) -> Next {
        let partners = [
            "P: refuse",
            "P: reject",
            "P: defer",
            "P: challenge",
            "P: wrong",
            "P: accept",
        ];
        let Some(line) = self.partner_line(&partners) else {
            return self.end("E: nobody resolves it".to_owned());
        };
        self.show(line.clone());
        let resolution = match line.trim_start_matches("P: ") {
            "refuse" => Resolution::Refuse,
            "reject" => Resolution::Reject,
            "defer" => Resolution::Defer,
            "accept" => {
                let rest = std::mem::take(buffer).into_rest();
                return self.end(format!("E: handed over with {}", quote(&rest)));
            }
            wrong if wrong.starts_with("wrong ") => {
                let why = wrong.trim_start_matches("wrong ");
                Resolution::RejectToken(Secret::new(why.into()))
            }
            challenge => {
                let text = challenge.trim_start_matches("challenge").trim_start();
                Resolution::Challenge(Secret::new(text.as_bytes().to_vec()))
            }
        };
        Next::Then(dialogue.resolve(resolution))
    }

    /// The next `P:` line, if the script has one of these before the client speaks again.
    fn partner_line(&mut self, expected: &[&str]) -> Option<String> {
        let ahead = self
            .script
            .iter()
            .take_while(|line| !line.starts_with("C:"));
        let at = ahead.clone().position(|line| line.starts_with("P:"))?;
        let line = *self.script.get(at)?;
        let fits = expected.iter().any(|start| line.starts_with(start));
        fits.then(|| {
            self.script.drain(..=at);
            line.to_owned()
        })
    }

    fn say(&mut self, reply: &Reply) -> Next {
        let mut wire = Vec::new();
        reply.render(&mut wire);
        for line in String::from_utf8(wire)
            .expect("ASCII")
            .split_terminator("\r\n")
        {
            self.show(format!("S: {line}").trim_end().to_owned());
        }
        Next::Line
    }

    fn end(&mut self, line: String) -> Next {
        self.show(line);
        Next::Over
    }

    fn show(&mut self, line: String) {
        self.played.push(line);
    }
}

/// The next line of the script, if it is of this kind.
fn pop_if<'a>(script: &mut VecDeque<&'a str>, kind: char) -> Option<&'a str> {
    let fits = script.front().is_some_and(|line| line.starts_with(kind));
    fits.then(|| script.pop_front()).flatten()
}

/// The next line of the script, if it is of any other kind.
fn pop_unless<'a>(script: &mut VecDeque<&'a str>, kind: char) -> Option<&'a str> {
    let fits = script.front().is_some_and(|line| !line.starts_with(kind));
    fits.then(|| script.pop_front()).flatten()
}

fn describe(log_in: &LogIn) -> String {
    match log_in {
        LogIn::Credentials(credentials) => {
            let mut text = format!("{} {}", credentials.mechanism, credentials.user);
            text += &format!(" {}", quote(credentials.secret.expose()));
            if !credentials.authzid.is_empty() {
                text += &format!(" as {}", quote(&credentials.authzid));
            }
            text
        }
        LogIn::Scram {
            mechanism,
            user,
            first,
        } => format!("{mechanism} {user} {}", quote(first.expose())),
        LogIn::CramMd5 => "CRAM-MD5".to_owned(),
    }
}

fn quote(octets: &[u8]) -> String {
    format!("\"{}\"", octets.escape_ascii())
}

/// A client's line as octets: `\n`, `\r`, `\0` are octets, `\{octet}*count` repeats one, and CRLF ends it.
fn unescape(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text;
    while let Some((plain, escape)) = rest.split_once('\\') {
        octets.extend_from_slice(plain.as_bytes());
        let (kind, after) = escape.split_at(1);
        rest = after;
        match kind {
            "n" => octets.push(b'\n'),
            "r" => octets.push(b'\r'),
            "0" => octets.push(0),
            "{" => {
                let (repeated, after) = after.split_once('}').expect("a closing brace");
                let (octet, count) = repeated.split_once('*').expect("an octet and a count");
                octets.extend_from_slice(octet.repeat(count.parse().expect("a count")).as_bytes());
                rest = after;
            }
            _ => panic!("no such escape in {text:?}"),
        }
    }
    octets.extend_from_slice(rest.as_bytes());
    octets.extend_from_slice(b"\r\n");
    octets
}
