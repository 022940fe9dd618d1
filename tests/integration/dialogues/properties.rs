//! dialogues/properties - the dialogue under every split of its octets, and under any octets at all
//!
//! Not here: what is answered to what (the transcripts).

use gatepost_core::smtp::dialogue::{Action, Dialogue, LogIn, Resolution, Trap};
use gatepost_core::smtp::line::LineBuffer;
use gatepost_core::smtp::sasl::Secret;
use proptest::prelude::*;

use super::play::Setup;
use crate::fuzz_corpora::bodies::drive::{Next, Partner, Talk};

/// What one conversation came to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Story {
    /// The codes of the replies, in their order.
    codes: Vec<u16>,
    /// The logins that were asked for.
    logins: Vec<String>,
    /// What was held when a login was accepted, with all that came later.
    handed_over: Option<Vec<u8>>,
}

/// How every login comes out.
#[derive(Clone, Copy)]
enum Outcome {
    Accept,
    Reject,
}

/// Keeps the story.
struct SplitPartner {
    setup: Setup,
    outcome: Outcome,
    story: Story,
}

/// Plays `pieces`, each a segment that comes when all before it was answered.
fn talk<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, outcome: Outcome) -> Story {
    let setup = Setup::new();
    let partner = SplitPartner {
        setup,
        outcome,
        story: Story::default(),
    };
    let mut talk = Talk::new(partner.setup.dialogue(), partner);
    talk.open();
    for piece in pieces {
        match &mut talk.partner.story.handed_over {
            Some(rest) => rest.extend_from_slice(piece),
            None => talk.feed(piece),
        }
    }
    talk.partner.story
}

impl Partner for SplitPartner {
    fn obey(&mut self, action: Action, dialogue: &mut Dialogue, buffer: &mut LineBuffer) -> Next {
        match action {
            Action::Reply(reply) | Action::Cancel(reply) => {
                self.story.codes.push(reply.code());
                Next::Line
            }
            Action::Close(reply) => {
                self.story.codes.push(reply.code());
                Next::Over
            }
            Action::StartTls(_) => {
                *buffer = LineBuffer::new();
                dialogue.secured();
                Next::Line
            }
            Action::JudgeHelo(_) => Next::Then(dialogue.helo_judged(Trap::Untouched)),
            Action::AskCapabilities => {
                Next::Then(dialogue.set_capabilities(Some(self.setup.capabilities())))
            }
            Action::LogIn(LogIn::Credentials(credentials)) => {
                self.story.logins.push(format!("{credentials:?}"));
                self.settle(dialogue, buffer)
            }
            Action::LogIn(_) => {
                let challenge = Resolution::Challenge(Secret::new(b"more".to_vec()));
                Next::Then(dialogue.resolve(challenge))
            }
            Action::Relay(_) => self.settle(dialogue, buffer),
        }
    }
}

impl SplitPartner {
    fn settle(&mut self, dialogue: &mut Dialogue, buffer: &mut LineBuffer) -> Next {
        match self.outcome {
            Outcome::Reject => Next::Then(dialogue.resolve(Resolution::Reject)),
            Outcome::Accept => {
                self.story.handed_over = Some(std::mem::take(buffer).into_rest());
                Next::Over
            }
        }
    }
}

/// `octets` cut at every one of `cuts`.
fn split<'a>(octets: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut cuts = cuts.to_vec();
    cuts.extend([0, octets.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|cut| &octets[cut[0]..cut[1]]).collect()
}

/// What a hasty client says in one go: "\0ann\0sesame", and a mail behind it.
const HASTE: &[u8] = b"EHLO laptop\r\nAUTH PLAIN AGFubgBzZXNhbWU=\r\n";
/// Nothing in it is a line to Gatepost any more.
const BEHIND: &[u8] = b"MAIL FROM:<a@b>\r\nBDAT 9 LAST\r\n\n\0\xff\r\n.\r\nx\r";

#[test]
fn whatever_the_split_not_one_octet_is_lost_or_doubled_at_hand_over() {
    let octets = [HASTE, BEHIND].concat();
    for first in 0..=octets.len() {
        for second in first..=octets.len() {
            let story = talk(split(&octets, &[first, second]), Outcome::Accept);
            assert_eq!(
                story.handed_over.as_deref(),
                Some(BEHIND),
                "cut at {first} and {second}"
            );
            assert_eq!(story.logins, ["Credentials(PLAIN ann)"]);
        }
    }
}

#[test]
fn octet_by_octet_a_login_is_the_same() {
    let octets = [HASTE, BEHIND].concat();
    let story = talk(octets.chunks(1), Outcome::Accept);
    assert_eq!(story.handed_over.as_deref(), Some(BEHIND));
}

/// Lines that clients say, good and bad, of which each may be pipelined.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let said = prop_oneof![
        Just("NOOP".to_owned()),
        Just("EHLO laptop".to_owned()),
        Just("HELO".to_owned()),
        Just("MAIL FROM:<a@b>".to_owned()),
        Just("AUTH PLAIN AGFubgBzZXNhbWU=".to_owned()),
        Just("AUTH PLAIN !".to_owned()),
        Just("QUIT".to_owned()),
        "[B-Z]{0,5}( [a-z]{0,8})?",
    ];
    said.prop_map(|line| format!("{line}\r\n").into_bytes())
}

proptest! {
    #[test]
    fn any_split_of_pipelined_lines_is_answered_alike(
        lines in proptest::collection::vec(line(), 0..20),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..10),
    ) {
        let octets = lines.concat();
        let cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(octets.len() + 1)).collect();
        let whole = talk([octets.as_slice()], Outcome::Reject);
        let pieces = talk(split(&octets, &cuts), Outcome::Reject);
        prop_assert_eq!(whole, pieces);
    }

    #[test]
    fn no_octets_make_it_panic_or_talk_without_end(
        lines in proptest::collection::vec(
            prop_oneof![
                4 => line(),
                1 => "AUTH [A-Z0-9-]{1,9}\r\n".prop_map(String::into_bytes),
                1 => "(YQ==|[*]|)\r\n".prop_map(String::into_bytes),
                1 => proptest::collection::vec(any::<u8>(), 0..30),
            ],
            0..40,
        ),
    ) {
        let story = talk(lines.iter().map(Vec::as_slice), Outcome::Reject);
        // A reply a line, the banner, and the goodbye to a bare CR or LF.
        let ends = lines.concat().windows(2).filter(|octets| octets == b"\r\n").count();
        prop_assert!(story.codes.len() <= ends + 2);
        prop_assert!(story.codes.iter().all(|code| (200..600).contains(code)));
    }
}
