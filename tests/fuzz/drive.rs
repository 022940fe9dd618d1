//! drive - a dialogue, its client's octets, and a partner that carries out what the dialogue wants
//!
//! The session's loop without sockets, for transcripts, properties and fuzzing alike.
//! Not here: what is made of an action (the [`Partner`]), what must hold (the tests).

use gatepost_core::smtp::dialogue::{Action, Dialogue};
use gatepost_core::smtp::line::{Following, LineBuffer};

/// Carries out actions.
pub trait Partner {
    /// Carries out one action.
    fn obey(&mut self, action: Action, dialogue: &mut Dialogue, buffer: &mut LineBuffer) -> Next;
}

/// What comes after an action.
#[derive(Debug)]
pub enum Next {
    /// Another action.
    Then(Action),
    /// The client's next line.
    Line,
    /// Nothing: the conversation has ended.
    Over,
}

/// One conversation.
#[derive(Debug)]
pub struct Talk<P> {
    /// Who carries out the actions.
    pub partner: P,
    dialogue: Dialogue,
    buffer: LineBuffer,
    over: bool,
}

impl<P: Partner> Talk<P> {
    /// A conversation that has not begun.
    pub fn new(dialogue: Dialogue, partner: P) -> Self {
        Self {
            partner,
            dialogue,
            buffer: LineBuffer::new(),
            over: false,
        }
    }

    /// The banner, to a client that waits for it.
    pub fn open(&mut self) {
        self.open_before(&[]);
    }

    /// The banner, to a client that has sent `octets` already.
    pub fn open_before(&mut self, octets: &[u8]) {
        self.buffer.push(octets);
        let following = self.buffer.following();
        debug_assert_eq!(octets.is_empty(), following == Following::Nothing);
        let action = self.dialogue.open(following);
        self.obey(action);
    }

    /// More octets of the client, and all that comes of them.
    pub fn feed(&mut self, octets: &[u8]) {
        self.buffer.push(octets);
        while !self.over {
            let action = match self.buffer.next_line(self.dialogue.line_limit()) {
                Ok(Some(line)) => self.dialogue.feed(&line, self.buffer.following()),
                Ok(None) => return,
                Err(fault) => self.dialogue.line_fault(fault),
            };
            self.obey(action);
        }
    }

    /// Whether it has ended.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Obeys an action and those that follow from it, until a line of the client is needed.
    fn obey(&mut self, action: Action) {
        let mut next = Next::Then(action);
        while let Next::Then(action) = next {
            next = self
                .partner
                .obey(action, &mut self.dialogue, &mut self.buffer);
        }
        self.over = matches!(next, Next::Over);
    }
}
