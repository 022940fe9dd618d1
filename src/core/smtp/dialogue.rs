//! dialogue - the SMTP conversation before a client is handed to Postfix
//!
//! Decides; never reads, writes or waits. `session` feeds lines and carries out [`Action`]s. Where an action
//! asks a question, the method that it names takes the answer and returns the next action.
//! Here: the stages and the transitions between them. In `dialogue/`: `commands` handles a line outside of
//! AUTH, `auth` a line within, `session_limits` counts, `faults` names what was wrong, `replies` holds every text.
//! Not here: decoding credentials (`sasl`), who may log in (`gate`), deadlines (`session`).
//! Attempts are judged at AUTH, not at connect: phones behind one address reconnect often.
//! RFC 5321 section 4, RFC 4954 section 4, RFC 3207, RFC 2920.

use std::sync::Arc;
use std::time::Duration;

use crate::smtp::capabilities::Capabilities;
use crate::smtp::command::{HelloVerb, HeloName};
use crate::smtp::line::{Following, LineFault};
use crate::smtp::reply::Reply;
use crate::smtp::sasl::{Credentials, InitialResponse, Mechanism, Secret, UserName};
use auth::AuthExchange;
use replies::Replies;
use session_limits::SessionLimits;

mod auth;
mod commands;
mod faults;
mod replies;
mod session_limits;

pub use faults::{DialogueFault, FaultRecord};

/// The longest command but AUTH, in octets without CRLF. RFC 5321 section 4.5.3.1.4 requires 512, and
/// extensions more; Postfix takes 2,048.
pub const COMMAND_OCTETS: usize = 2_048;
/// The longest AUTH command and the longest line within an exchange, in octets without CRLF: with it 12,288, which is as much as
/// Postfix takes (smtpd_sasl_response_limit). RFC 4954 section 4.
pub const AUTH_OCTETS: usize = 12_286;

/// The part of the config that the dialogue needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialogueSettings {
    /// The name in banner and EHLO.
    pub hostname: String,
    /// The mechanisms that may be offered, of those that Postfix offers.
    pub mechanisms: Vec<Mechanism>,
}

/// Whether a password may be sent over the client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// TLS.
    Secured,
    /// A STARTTLS listener's connection before TLS.
    ClearUntilStartTls,
}

/// Why a client is refused in place of the banner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BannerRefusal {
    /// It is sure to be refused whatever it says, for so long.
    Later(Duration),
    /// Postfix is not there.
    Unavailable,
}

/// Result of the check of a HELO name against the configured traps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trap {
    /// The name is not a trap.
    Untouched,
    /// The name is a trap: no mail program sends it.
    Touched,
}

/// What the session does next.
#[derive(Debug)]
#[must_use]
pub enum Action {
    /// Send the reply, then feed the next line.
    Reply(Reply),
    /// Wait for Postfix's capabilities, then [`Dialogue::set_capabilities`].
    AskCapabilities,
    /// Check this HELO name, as it was sent, against the traps; then [`Dialogue::helo_judged`].
    JudgeHelo(Box<[u8]>),
    /// Send the reply, drop every octet that arrived in clear, and start TLS; then [`Dialogue::secured`],
    /// and feed the next line.
    StartTls(Reply),
    /// Judge it, and try it at Postfix; then [`Dialogue::resolve`], unless Postfix accepted it.
    LogIn(LogIn),
    /// Relay the client's answer to the last challenge; then as for `LogIn`.
    Relay(Secret),
    /// The relayed exchange is cancelled: close the connection to Postfix, send the reply, feed the next line.
    Cancel(Reply),
    /// Send the reply, then close.
    Close(Reply),
}

/// A login that a client asks for.
#[derive(Debug)]
pub enum LogIn {
    /// Everything that the mechanism needs is known.
    Credentials(Credentials),
    /// SCRAM: its rounds are relayed.
    Scram {
        /// Which SCRAM.
        mechanism: Mechanism,
        /// The user in the first message.
        user: UserName,
        /// The client-first-message, decoded.
        first: Secret,
    },
    /// CRAM-MD5: its rounds are relayed. Postfix sends first, and the user name comes with the one
    /// [`Action::Relay`], where `sasl::cram_user` finds it.
    CramMd5,
}

/// Result of a login that was not accepted, or not yet.
#[derive(Debug)]
pub enum Resolution {
    /// The gate refused: 454, and further AUTH commands of this session are refused without judging.
    Refuse,
    /// The credentials are wrong: 535.
    Reject,
    /// The token is wrong: 334 with this, decoded, which says why; and 535 to whatever the client answers.
    RejectToken(Secret),
    /// Postfix could not check them: 454.
    Defer,
    /// Postfix sent a challenge: 334 with this, decoded; then feed the answer.
    Challenge(Secret),
}

/// One client's conversation until it is handed over.
#[derive(Debug)]
pub struct Dialogue {
    replies: Replies,
    channel: Channel,
    stage: Stage,
    hello: Option<HeloName>,
    /// What Postfix offers, once a client has asked for something that depends on it.
    capabilities: Option<Arc<Capabilities>>,
    limits: SessionLimits,
    faults: Option<Box<FaultRecord>>,
}

/// The call that is expected next.
#[derive(Debug)]
enum Stage {
    /// `open`.
    Start,
    /// A command.
    Commands,
    /// `helo_judged`.
    AwaitHelo(HelloVerb, HeloName),
    /// `set_capabilities`.
    AwaitCapabilities(Awaiting),
    /// A line of an AUTH exchange.
    Exchange(AuthExchange),
    /// `resolve` of known credentials.
    AwaitLogin,
    /// `resolve` of one relayed round.
    AwaitRound(Mechanism),
    /// `secured`.
    Handshake,
    /// None: the last reply was sent.
    Closed,
}

/// The command that waits for Postfix's capabilities.
#[derive(Debug)]
enum Awaiting {
    Hello(HelloVerb, HeloName),
    /// AUTH without a hello before it, which Postfix accepts, too.
    /// With its initial response, as it was sent.
    Auth(Option<Mechanism>, Option<Secret>),
}

impl Dialogue {
    /// A conversation before its first reply. `session` is the session's id, for the text of a refusal.
    pub fn new(
        settings: &Arc<DialogueSettings>,
        session: impl Into<Box<str>>,
        channel: Channel,
    ) -> Self {
        Self {
            replies: Replies::new(Arc::clone(settings), session.into()),
            channel,
            stage: Stage::Start,
            hello: None,
            capabilities: None,
            limits: SessionLimits::default(),
            faults: None,
        }
    }

    /// The banner; 554 and close if the client sent before it (pregreet).
    pub fn open(&mut self, following: Following) -> Action {
        match (&self.stage, following) {
            (Stage::Start, Following::Nothing) => self.reply(self.replies.banner()),
            (Stage::Start, Following::Octets) => {
                self.fault_and_close(DialogueFault::TalksFirst, self.replies.pregreet())
            }
            _ => self.out_of_order(),
        }
    }

    /// 421 and close in place of the banner: programs show it to their user as it stands, and half of them take a
    /// refusal of AUTH for a wrong password. RFC 5321 section 3.1.
    pub fn refuse(&mut self, refusal: BannerRefusal) -> Action {
        self.close(match refusal {
            BannerRefusal::Later(wait) => self.replies.later(wait),
            BannerRefusal::Unavailable => self.replies.down(),
        })
    }

    /// Takes one line without its end, and whether more octets follow it.
    pub fn feed(&mut self, line: &[u8], following: Following) -> Action {
        match self.take_stage() {
            Stage::Commands => self.command(line, following),
            Stage::Exchange(exchange) => self.answer(exchange, line),
            _ => self.out_of_order(),
        }
    }

    /// Takes the fault that the line buffer returned in place of a line.
    pub fn line_fault(&mut self, fault: LineFault) -> Action {
        let stage = self.take_stage();
        let reply = match (fault, &stage) {
            (LineFault::TooLong, Stage::Commands) => self.replies.command_too_long(),
            (LineFault::TooLong, Stage::Exchange(_)) => self.replies.exchange_too_long(),
            _ => return self.out_of_order(),
        };
        match stage {
            Stage::Exchange(exchange) => {
                self.abort_exchange(exchange.partner(), DialogueFault::TooLong, reply)
            }
            _ => self.fault(DialogueFault::TooLong, reply),
        }
    }

    /// The limit for the next line, in octets without its end.
    pub const fn line_limit(&self) -> usize {
        // Only the first word shows whether a line is AUTH, so `feed` checks the shorter limit.
        AUTH_OCTETS
    }

    /// The name of the client's last EHLO or HELO since TLS began.
    pub fn helo(&self) -> Option<&HeloName> {
        self.hello.as_ref()
    }

    /// Answers [`Action::JudgeHelo`].
    pub fn helo_judged(&mut self, trap: Trap) -> Action {
        match (self.take_stage(), trap) {
            (Stage::AwaitHelo(verb, name), Trap::Untouched) => {
                self.stage = Stage::AwaitCapabilities(Awaiting::Hello(verb, name));
                Action::AskCapabilities
            }
            (Stage::AwaitHelo(..), Trap::Touched) => {
                self.fault_and_close(DialogueFault::Trap, self.replies.trap())
            }
            _ => self.out_of_order(),
        }
    }

    /// Answers [`Action::AskCapabilities`]; `None` if Postfix did not answer in time.
    pub fn set_capabilities(&mut self, capabilities: Option<Arc<Capabilities>>) -> Action {
        let (waiting, capabilities) = match (self.take_stage(), capabilities) {
            (Stage::AwaitCapabilities(waiting), Some(capabilities)) => (waiting, capabilities),
            (Stage::AwaitCapabilities(_), None) => return self.close(self.replies.unavailable()),
            _ => return self.out_of_order(),
        };
        self.capabilities = Some(Arc::clone(&capabilities));
        match waiting {
            Awaiting::Hello(verb, name) => {
                self.hello = Some(name);
                self.reply(match verb {
                    HelloVerb::Ehlo => self.replies.ehlo(&capabilities, self.channel),
                    HelloVerb::Helo => self.replies.helo(),
                })
            }
            Awaiting::Auth(mechanism, initial) => {
                let initial = initial.as_ref().map(|text| InitialResponse(text.expose()));
                self.auth_by(mechanism, initial, &capabilities)
            }
        }
    }

    /// Follows [`Action::StartTls`]: TLS is established. Everything said before it is forgotten but the
    /// counts of faults. RFC 3207 section 4.2.
    pub fn secured(&mut self) {
        if let Stage::Handshake = self.take_stage() {
            self.channel = Channel::Secured;
            self.hello = None;
            self.capabilities = None;
            self.stage = Stage::Commands;
        }
    }

    /// Answers [`Action::LogIn`] and [`Action::Relay`].
    pub fn resolve(&mut self, resolution: Resolution) -> Action {
        let relayed = match self.take_stage() {
            Stage::AwaitLogin => None,
            Stage::AwaitRound(mechanism) => Some(mechanism),
            _ => return self.out_of_order(),
        };
        match (resolution, relayed) {
            (Resolution::RejectToken(why), _) => {
                self.limits.count_reject();
                self.prompt(AuthExchange::Explained, why.expose())
            }
            (Resolution::Challenge(challenge), Some(mechanism)) => {
                let exchange = AuthExchange::Relayed(mechanism);
                self.prompt(exchange, challenge.expose())
            }
            (Resolution::Refuse, _) => {
                self.limits.count_refusal();
                self.reply(self.replies.refuse())
            }
            (Resolution::Reject, _) => {
                self.limits.count_reject();
                self.reply(self.replies.reject())
            }
            // A challenge after complete credentials is a fault of Postfix.
            (Resolution::Defer | Resolution::Challenge(_), _) => self.reply(self.replies.defer()),
        }
    }

    /// The reply before closing on a client that is too slow. It is no fault of one that has said nothing at all.
    pub fn timed_out(&mut self) -> Reply {
        let reply = self.replies.timed_out();
        if self.limits.has_commands() {
            self.record(DialogueFault::TimedOut, &reply);
        }
        reply
    }

    /// The reply before closing because Gatepost stops.
    pub fn draining(&self) -> Reply {
        self.replies.draining()
    }

    /// The reply before closing to make room for another client.
    pub fn evicted(&self) -> Reply {
        self.replies.evicted()
    }

    /// Takes the stage. The caller must set the next one: without that the conversation is over.
    fn take_stage(&mut self) -> Stage {
        std::mem::replace(&mut self.stage, Stage::Closed)
    }

    fn reply(&mut self, reply: Reply) -> Action {
        self.stage = Stage::Commands;
        Action::Reply(reply)
    }

    fn close(&mut self, reply: Reply) -> Action {
        self.stage = Stage::Closed;
        Action::Close(reply)
    }

    /// A reply to a protocol fault. Too many of them close the session.
    fn fault(&mut self, fault: DialogueFault, reply: Reply) -> Action {
        self.record(fault, &reply);
        if self.limits.count_fault().is_exceeded() {
            return self.close(self.replies.too_many_faults());
        }
        self.reply(reply)
    }

    /// The reply to a fault that ends the session.
    fn fault_and_close(&mut self, fault: DialogueFault, reply: Reply) -> Action {
        self.record(fault, &reply);
        self.close(reply)
    }

    fn record(&mut self, fault: DialogueFault, reply: &Reply) {
        match &mut self.faults {
            Some(faults) => faults.count = faults.count.saturating_add(1),
            None => {
                self.faults = Some(Box::new(FaultRecord {
                    first: fault,
                    reply: reply.clone(),
                    count: 1,
                }));
            }
        }
    }

    /// The caller broke the order of calls. No client can cause it, and it is no reason to panic.
    fn out_of_order(&mut self) -> Action {
        self.close(self.replies.unavailable())
    }
}

#[cfg(test)]
mod tests;
