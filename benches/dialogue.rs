//! dialogue - what does the conversation up to AUTH cost, without sockets?
//!
//! `cargo bench --bench dialogue`. Worrying: more than 20 µs for a whole login, which is a tenth of a TLS
//! handshake, or a bad command that costs more than a good one.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};

use gatepost_core::smtp::capabilities::Capabilities;
use gatepost_core::smtp::dialogue::{
    Action, Channel, Dialogue, DialogueSettings, Resolution, Trap,
};
use gatepost_core::smtp::line::Following;
use gatepost_core::smtp::reply::ReplyBuffer;
use gatepost_core::smtp::sasl::Mechanism;

/// Postfix's answer to EHLO.
const EHLO: &[u8] = b"250-mail.example.org\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250-AUTH PLAIN LOGIN\r\n\
                      250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-DSN\r\n250-SMTPUTF8\r\n250 CHUNKING\r\n";

/// PLAIN for user@example.org.
const AUTH: &[u8] = b"AUTH PLAIN AHVzZXJAZXhhbXBsZS5vcmcAQXBmZWw3cXVpdHRl";

fn settings() -> Arc<DialogueSettings> {
    Arc::new(DialogueSettings {
        hostname: "mail.example.org".to_owned(),
        mechanisms: vec![Mechanism::Plain, Mechanism::Login],
    })
}

fn capabilities() -> Option<Arc<Capabilities>> {
    let mut replies = ReplyBuffer::new();
    replies.push(EHLO);
    let reply = replies.next().ok().flatten()?;
    Some(Arc::new(Capabilities::parse(&reply)))
}

/// Feeds a line and does what the session would do, until there is a reply.
fn feed(dialogue: &mut Dialogue, line: &[u8], known: &Option<Arc<Capabilities>>) -> Vec<u8> {
    let mut action = dialogue.feed(line, Following::Nothing);
    let mut sent = Vec::with_capacity(256);
    loop {
        action = match action {
            Action::JudgeHelo(_) => dialogue.helo_judged(Trap::Untouched),
            Action::AskCapabilities => dialogue.set_capabilities(known.clone()),
            Action::LogIn(_) => dialogue.resolve(Resolution::Refuse),
            Action::Reply(reply) | Action::Close(reply) => {
                reply.render(&mut sent);
                return sent;
            }
            _ => return sent,
        };
    }
}

fn dialogues(bench: &mut Criterion) {
    let (settings, known) = (settings(), capabilities());
    let mut group = bench.benchmark_group("dialogue");
    group.bench_function("banner, EHLO, AUTH refused, QUIT", |bench| {
        bench.iter(|| {
            let mut dialogue = Dialogue::new(&settings, "0123456789ab", Channel::Secured);
            let _ = black_box(dialogue.open(Following::Nothing));
            for line in [b"EHLO laptop.example.org".as_slice(), AUTH, b"QUIT"] {
                black_box(feed(&mut dialogue, black_box(line), &known));
            }
        });
    });
    group.bench_function("EHLO", |bench| {
        bench.iter(|| {
            let mut dialogue = Dialogue::new(&settings, "0123456789ab", Channel::Secured);
            black_box(feed(
                &mut dialogue,
                black_box(b"EHLO laptop.example.org"),
                &known,
            ))
        });
    });
    group.bench_function("a bad command", |bench| {
        bench.iter(|| {
            let mut dialogue = Dialogue::new(&settings, "0123456789ab", Channel::Secured);
            black_box(feed(&mut dialogue, black_box(b"GET / HTTP/1.1"), &known))
        });
    });
    group.finish();
}

fn quick() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(800))
}

criterion_group! { name = all; config = quick(); targets = dialogues }
criterion_main!(all);
