//! commands - the reply to each command before a login
//!
//! Not here: parsing a line (`smtp::command`), the exchange that AUTH begins (`auth`).
//! RFC 5321 section 4.1, RFC 4954 section 4, RFC 3207 section 4, RFC 3030 section 2.

use crate::smtp::capabilities::Capabilities;
use crate::smtp::command::{Command, CommandFault, HelloVerb, HeloName};
use crate::smtp::dialogue::session_limits::AuthAllowance;
use crate::smtp::dialogue::{
    Action, Awaiting, COMMAND_OCTETS, Channel, Dialogue, DialogueFault, Stage,
};
use crate::smtp::line::Following;
use crate::smtp::sasl::{InitialResponse, Mechanism, Secret};

impl Dialogue {
    /// How many AUTH commands were refused without judging since the last call: for the counter.
    pub fn take_unjudged(&mut self) -> u8 {
        self.limits.take_unjudged()
    }

    /// Takes a line outside of an exchange.
    pub(super) fn command(&mut self, line: &[u8], following: Following) -> Action {
        if self.limits.count_command().is_exceeded() {
            return self.fault_and_close(
                DialogueFault::TooManyCommands,
                self.replies.too_many_commands(),
            );
        }
        match Command::parse(line) {
            Ok(Command::Auth { mechanism, initial }) => self.auth(mechanism, initial),
            Ok(Command::Foreign) => {
                self.fault_and_close(DialogueFault::OtherProtocol, self.replies.foreign())
            }
            _ if line.len() > COMMAND_OCTETS => {
                self.fault(DialogueFault::TooLong, self.replies.command_too_long())
            }
            Ok(Command::StartTls) => self.start_tls(following),
            Ok(Command::Hello { verb, name }) => self.hello(verb, name),
            Ok(Command::Transaction) => self.fault(
                DialogueFault::LoginFirst,
                self.replies.log_in_first(self.channel),
            ),
            // Its octets follow without waiting for the reply, and must not be parsed as commands.
            Ok(Command::Chunk) => self.fault_and_close(
                DialogueFault::LoginFirst,
                self.replies.log_in_first(self.channel),
            ),
            Ok(Command::Noop | Command::Reset) => self.reply(self.replies.ok()),
            Ok(Command::Verify) => self.reply(self.replies.verify()),
            Ok(Command::Help) => self.reply(self.replies.help()),
            Ok(Command::Quit) => self.close(self.replies.quit()),
            Ok(Command::NotImplemented) => self.fault(
                DialogueFault::NotImplemented,
                self.replies.not_implemented(),
            ),
            Err(CommandFault::Unknown) => {
                self.fault(DialogueFault::UnknownCommand, self.replies.unknown())
            }
            Err(CommandFault::Arguments(syntax)) => {
                self.fault(DialogueFault::Arguments, self.replies.syntax(syntax))
            }
        }
    }

    fn hello(&mut self, verb: HelloVerb, name: &[u8]) -> Action {
        let Some(clean) = HeloName::new(name) else {
            return self.fault(
                DialogueFault::Arguments,
                self.replies.syntax("EHLO hostname"),
            );
        };
        self.stage = Stage::AwaitHelo(verb, clean);
        Action::JudgeHelo(name.into())
    }

    fn start_tls(&mut self, following: Following) -> Action {
        match (self.channel, following) {
            (Channel::Secured, _) => {
                self.fault(DialogueFault::TlsAlready, self.replies.already_secured())
            }
            // What follows in clear may be injected by an attacker in front of the client's own commands.
            (_, Following::Octets) => self.fault_and_close(
                DialogueFault::ClearBehindStartTls,
                self.replies.pipelining(),
            ),
            (Channel::ClearUntilStartTls, Following::Nothing) => {
                self.stage = Stage::Handshake;
                Action::StartTls(self.replies.start_tls())
            }
        }
    }

    fn auth(
        &mut self,
        mechanism: Option<Mechanism>,
        initial: Option<InitialResponse<'_>>,
    ) -> Action {
        if self.channel == Channel::ClearUntilStartTls {
            return self.fault(DialogueFault::TlsFirst, self.replies.secure_first());
        }
        match self.capabilities.clone() {
            Some(capabilities) => self.auth_by(mechanism, initial, &capabilities),
            None => {
                let initial = initial.map(|text| Secret::new(text.0.to_vec()));
                self.stage = Stage::AwaitCapabilities(Awaiting::Auth(mechanism, initial));
                Action::AskCapabilities
            }
        }
    }

    /// AUTH, where it is known what Postfix offers.
    pub(super) fn auth_by(
        &mut self,
        mechanism: Option<Mechanism>,
        initial: Option<InitialResponse<'_>>,
        capabilities: &Capabilities,
    ) -> Action {
        let offered = |one: &Mechanism| self.replies.offer(*one, capabilities);
        let Some(mechanism) = mechanism.filter(offered) else {
            return self.fault(DialogueFault::NoMechanism, self.replies.no_such_mechanism());
        };
        match self.limits.count_auth() {
            AuthAllowance::Judge => self.begin_exchange(mechanism, initial),
            AuthAllowance::Refuse => self.reply(self.replies.refuse()),
            AuthAllowance::Close => {
                self.fault_and_close(DialogueFault::TooManyLogins, self.replies.too_many_logins())
            }
        }
    }
}
