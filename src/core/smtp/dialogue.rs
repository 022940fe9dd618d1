//! dialogue - the SMTP conversation before a client is handed to Postfix
//!
//! Decides; never reads, writes or waits. `session` feeds lines and obeys [`Action`]s; where an action
//! asks something, the method that it names takes the answer and gives the next action.
//! Here: the stages and what moves between them; in `dialogue/`, `commands` answers a line outside of
//! AUTH, `auth` is the exchange within, `patience` counts, `replies` holds every text.
//! Not here: decoding credentials (`sasl`), who may log in (`gate`), deadlines (`session`).
//! We judge at AUTH, not at connect: phones behind one address reconnect often.
//! RFC 5321 section 4, RFC 4954 section 4, RFC 3207, RFC 2920.

use std::sync::Arc;

use crate::smtp::capabilities::Capabilities;
use crate::smtp::command::{Greeting, HeloName};
use crate::smtp::line::{Following, LineFault};
use crate::smtp::reply::Reply;
use crate::smtp::sasl::{Credentials, Mechanism, Secret, UserName};
use auth::Exchange;
use patience::Patience;
use replies::Replies;

mod auth;
mod commands;
mod patience;
mod replies;

pub use patience::{COMMANDS, FAULTS, REFUSALS, REJECTS};

/// The longest command but AUTH, in octets without CRLF. RFC 5321 section 4.5.3.1.4 asks for 512, and
/// extensions for more; Postfix takes 2,048.
pub const COMMAND_OCTETS: usize = 2_048;
/// The longest AUTH command, and the longest line within an exchange. RFC 4954 section 4.
pub const AUTH_OCTETS: usize = 12_288;

/// What the dialogue needs to know of the config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The name in banner and EHLO.
    pub hostname: String,
    /// The mechanisms that may be offered, of those that Postfix offers.
    pub mechanisms: Vec<Mechanism>,
}

/// Whether a password may be sent over what the client speaks on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// TLS.
    Secured,
    /// A STARTTLS listener's connection before TLS.
    ClearUntilStartTls,
}

/// What the gate made of a HELO name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trap {
    /// A name like others.
    Clear,
    /// A name that no honest client has.
    Sprung,
}

/// What the session does next.
#[derive(Debug)]
#[must_use]
pub enum Action {
    /// Send the reply, then feed the next line.
    Reply(Reply),
    /// Wait for Postfix's capabilities, then [`Dialogue::learn`].
    AskCapabilities,
    /// Ask the gate about this HELO name, as it was sent; then [`Dialogue::helo_judged`].
    JudgeHelo(Box<[u8]>),
    /// Send the reply, drop every octet that came in clear, and start TLS; then [`Dialogue::secured`],
    /// and feed the next line.
    StartTls(Reply),
    /// Judge it, and try it at Postfix; then [`Dialogue::resolve`], unless Postfix accepted.
    LogIn(LogIn),
    /// Pass the client's answer to the last challenge on; then as for `LogIn`.
    Relay(Secret),
    /// The relayed exchange is off: let go of Postfix, send the reply, feed the next line.
    Cancel(Reply),
    /// Send the reply, then hang up.
    Close(Reply),
}

/// A login that a client asks for.
#[derive(Debug)]
pub enum LogIn {
    /// All that the mechanism needs is known.
    Credentials(Credentials),
    /// The rounds of SCRAM are to be relayed.
    Scram {
        /// Which SCRAM.
        mechanism: Mechanism,
        /// Whom the first message names.
        user: UserName,
        /// The client-first-message, decoded.
        first: Secret,
    },
    /// The rounds of CRAM-MD5 are to be relayed; Postfix speaks first, and the name comes with the one
    /// [`Action::Relay`], where `sasl::cram_user` finds it.
    CramMd5,
}

/// What became of a login that was not accepted (yet).
#[derive(Debug)]
pub enum Resolution {
    /// The gate refused: 454, and further AUTH verbs in this session are refused unjudged.
    Refuse,
    /// The credentials are wrong: 535.
    Reject,
    /// Postfix could not say: 454.
    Defer,
    /// Postfix asks on: 334 with this, decoded; then feed the answer.
    Challenge(Secret),
}

/// One client's conversation until it is handed over.
#[derive(Debug)]
pub struct Dialogue {
    replies: Replies,
    channel: Channel,
    stage: Stage,
    hello: Option<Hello>,
    patience: Patience,
}

/// What a client that said hello is known by, and was told.
#[derive(Debug)]
struct Hello {
    name: HeloName,
    capabilities: Arc<Capabilities>,
}

/// What is expected next.
#[derive(Debug)]
enum Stage {
    /// `open`.
    Begin,
    /// A command.
    Commands,
    /// `helo_judged`.
    Judging(Greeting, HeloName),
    /// `learn`.
    Learning(Greeting, HeloName),
    /// A line of an AUTH exchange.
    Exchange(Exchange),
    /// `resolve` of credentials that are known.
    Trying,
    /// `resolve` of one round that is relayed.
    Relaying(Mechanism),
    /// `secured`.
    Handshake,
    /// Nothing: the client was told goodbye.
    Over,
}

impl Dialogue {
    /// A conversation that has not begun. `session` is the session's id, for the text of a refusal.
    pub fn new(settings: &Arc<Settings>, session: impl Into<Box<str>>, channel: Channel) -> Self {
        Self {
            replies: Replies::new(Arc::clone(settings), session.into()),
            channel,
            stage: Stage::Begin,
            hello: None,
            patience: Patience::default(),
        }
    }

    /// The banner; or goodbye, if the client talked first.
    pub fn open(&mut self, following: Following) -> Action {
        match (&self.stage, following) {
            (Stage::Begin, Following::Nothing) => self.reply(self.replies.banner()),
            (Stage::Begin, Following::Octets) => self.close(self.replies.early_talker()),
            _ => self.misused(),
        }
    }

    /// Takes one line without CRLF, and whether more came behind it.
    pub fn feed(&mut self, line: &[u8], following: Following) -> Action {
        match self.take_stage() {
            Stage::Commands => self.command(line, following),
            Stage::Exchange(exchange) => self.answer(exchange, line, following),
            _ => self.misused(),
        }
    }

    /// Takes what the line buffer gave instead of a line.
    pub fn line_fault(&mut self, fault: LineFault) -> Action {
        let stage = self.take_stage();
        let reply = match (fault, &stage) {
            (LineFault::TooLong, Stage::Commands) => self.replies.command_too_long(),
            (LineFault::TooLong, Stage::Exchange(_)) => self.replies.exchange_too_long(),
            (LineFault::BareLineFeed | LineFault::BareCarriageReturn, _) => {
                return self.close(self.replies.bare(fault));
            }
            _ => return self.misused(),
        };
        match stage {
            Stage::Exchange(exchange) => self.break_off(exchange.partner(), reply),
            _ => self.fault(reply),
        }
    }

    /// The limit for the next line, in octets without CRLF.
    pub const fn line_limit(&self) -> usize {
        // A command's first word tells whether it is AUTH, so the shorter limit is checked in `feed`.
        AUTH_OCTETS
    }

    /// The name that the client said last in EHLO or HELO, since TLS began.
    pub fn helo(&self) -> Option<&HeloName> {
        self.hello.as_ref().map(|hello| &hello.name)
    }

    /// Answers [`Action::JudgeHelo`].
    pub fn helo_judged(&mut self, trap: Trap) -> Action {
        match (self.take_stage(), trap) {
            (Stage::Judging(greeting, name), Trap::Clear) => {
                self.stage = Stage::Learning(greeting, name);
                Action::AskCapabilities
            }
            (Stage::Judging(..), Trap::Sprung) => self.close(self.replies.trap()),
            _ => self.misused(),
        }
    }

    /// Answers [`Action::AskCapabilities`]; `None` if Postfix did not tell in time.
    pub fn learn(&mut self, capabilities: Option<Arc<Capabilities>>) -> Action {
        match (self.take_stage(), capabilities) {
            (Stage::Learning(greeting, name), Some(capabilities)) => {
                let reply = match greeting {
                    Greeting::Ehlo => self.replies.ehlo(&capabilities, self.channel),
                    Greeting::Helo => self.replies.helo(),
                };
                self.hello = Some(Hello { name, capabilities });
                self.reply(reply)
            }
            (Stage::Learning(..), None) => self.close(self.replies.unavailable()),
            _ => self.misused(),
        }
    }

    /// Follows [`Action::StartTls`]: TLS is up, and all that was said before it is forgotten but the
    /// client's faults. RFC 3207 section 4.2.
    pub fn secured(&mut self) {
        if let Stage::Handshake = self.take_stage() {
            self.channel = Channel::Secured;
            self.hello = None;
            self.stage = Stage::Commands;
        }
    }

    /// Answers [`Action::LogIn`] and [`Action::Relay`].
    pub fn resolve(&mut self, resolution: Resolution) -> Action {
        let relayed = match self.take_stage() {
            Stage::Trying => None,
            Stage::Relaying(mechanism) => Some(mechanism),
            _ => return self.misused(),
        };
        match (resolution, relayed) {
            (Resolution::Challenge(challenge), Some(mechanism)) => {
                let exchange = Exchange::Relayed(mechanism);
                self.prompt(exchange, challenge.expose())
            }
            (Resolution::Refuse, _) => {
                self.patience.refused();
                self.reply(self.replies.refuse())
            }
            (Resolution::Reject, _) => {
                self.patience.rejected();
                self.reply(self.replies.reject())
            }
            // A challenge to credentials that were told in full is Postfix's fault.
            (Resolution::Defer | Resolution::Challenge(_), _) => self.reply(self.replies.defer()),
        }
    }

    /// What to say before hanging up on a client that is too slow.
    pub fn timed_out(&self) -> Reply {
        self.replies.timed_out()
    }

    /// What to say before hanging up because Gatepost stops.
    pub fn draining(&self) -> Reply {
        self.replies.draining()
    }

    /// What to say before hanging up because others need the place.
    pub fn evicted(&self) -> Reply {
        self.replies.evicted()
    }

    /// The stage, to be replaced or put back: whoever forgets has ended the conversation.
    fn take_stage(&mut self) -> Stage {
        std::mem::replace(&mut self.stage, Stage::Over)
    }

    fn reply(&mut self, reply: Reply) -> Action {
        self.stage = Stage::Commands;
        Action::Reply(reply)
    }

    fn close(&mut self, reply: Reply) -> Action {
        self.stage = Stage::Over;
        Action::Close(reply)
    }

    /// A reply to something that an honest client rarely does: only so many, then goodbye.
    fn fault(&mut self, reply: Reply) -> Action {
        if self.patience.faulted().is_over() {
            return self.close(self.replies.too_many_faults());
        }
        self.reply(reply)
    }

    /// The caller broke the order of calls: never a client's doing, and no reason to die of.
    fn misused(&mut self) -> Action {
        self.close(self.replies.unavailable())
    }
}

#[cfg(test)]
mod tests;
