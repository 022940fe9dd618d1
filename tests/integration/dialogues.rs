//! dialogues - the transcripts of `tests/dialogues`, and the dialogue under every split and any octets
//!
//! A transcript is a list of cases. `---` opens one with its name; `>` lines set it up; then
//!
//! ```text
//! C: a line of the client; lines without anything between them come in one segment
//! S: a line of Gatepost's reply
//! Q: what the session is asked to do: judge, relay, let go
//! P: what the gate or Postfix makes of it
//! E: how it ends
//! ```
//!
//! The test plays the `C:` and `P:` lines and compares all that comes of it with the whole case. HELO
//! names are clear and capabilities at hand unless a `P:` line says otherwise.
//! Not here: sockets, TLS, deadlines (`session`), a real Postfix (`postfix`).

mod play;
mod properties;

use std::fs;
use std::path::Path;

use play::play;

/// Plays every case of a transcript; the panic shows the whole of the first that differs.
#[track_caller]
fn check(transcript: &str) {
    let mut cases = transcript.split("\n---").skip(1).peekable();
    assert!(cases.peek().is_some(), "no case in it");
    for case in cases {
        let (name, script) = case.split_once('\n').expect("a case has lines");
        let expected: Vec<&str> = script
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .collect();
        let played = play(&expected);
        assert!(
            played == expected,
            "{name}\nexpected:\n  {}\nplayed:\n  {}\n",
            expected.join("\n  "),
            played.join("\n  ")
        );
    }
}

#[test]
fn every_transcript_is_kept_to() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialogues");
    let mut played = 0;
    for entry in fs::read_dir(folder).expect("the folder of transcripts") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|ending| ending == "smtp") {
            eprintln!("{}", path.display());
            check(&fs::read_to_string(&path).expect("a transcript"));
            played += 1;
        }
    }
    assert!(played >= 10, "only {played} transcripts found");
}

#[test]
#[should_panic(expected = "expected:")]
fn a_transcript_that_differs_is_noticed() {
    check(
        "\n--- the goodbye\nS: 220 gate.example.org ESMTP\nC: QUIT\nS: 221 2.0.0 See you\nE: closed",
    );
}
