//! auth - the AUTH exchange, from the command to a login that can be judged
//!
//! Each state carries only what it knows: the state of a password prompt has a user name. Prompts
//! of relayed mechanisms come from Postfix.
//! Not here: parsing the messages (`sasl`), whether AUTH is allowed at this point (`commands`).
//! RFC 4954 section 4.

use crate::smtp::dialogue::{Action, Dialogue, DialogueFault, LogIn, Stage};
use crate::smtp::reply::Reply;
use crate::smtp::sasl::{self, Credentials, Mechanism, SaslFault, Secret, UserName};

/// What the client's next line holds.
#[derive(Debug)]
pub(super) enum AuthExchange {
    /// The first message of a mechanism in which the client sends first.
    First(Mechanism),
    /// LOGIN's user name.
    LoginUser,
    /// LOGIN's password.
    LoginPassword(UserName),
    /// The answer to a challenge of Postfix.
    Relayed(Mechanism),
    /// Any answer to a challenge that only said why a token is wrong. RFC 7628 section 3.2.3.
    Explained,
}

/// What follows a message of the client.
enum ExchangeStep {
    /// 334 with this, decoded, and the next message.
    Prompt(AuthExchange, &'static [u8]),
    LogIn(LogIn),
    Relay(Mechanism, Secret),
}

/// The side that answers the client's messages in an exchange.
#[derive(Clone, Copy)]
pub(super) enum Partner {
    Gatepost,
    Postfix,
}

impl AuthExchange {
    pub(super) const fn partner(&self) -> Partner {
        match self {
            Self::Relayed(_) => Partner::Postfix,
            _ => Partner::Gatepost,
        }
    }

    /// The step after the AUTH command.
    fn begin(mechanism: Mechanism, initial: Option<Secret>) -> Result<ExchangeStep, SaslFault> {
        match (mechanism, initial) {
            (Mechanism::CramMd5, _) => Ok(ExchangeStep::LogIn(LogIn::CramMd5)),
            // Where the server speaks first, an empty initial response is none. RFC 4954 section 4.
            (Mechanism::Login, Some(user)) if !user.expose().is_empty() => {
                Self::LoginUser.step(user)
            }
            (Mechanism::Login, _) => Ok(ExchangeStep::Prompt(Self::LoginUser, b"Username:")),
            (mechanism, None) => Ok(ExchangeStep::Prompt(Self::First(mechanism), b"")),
            (mechanism, Some(message)) => Self::First(mechanism).step(message),
        }
    }

    /// The step after a decoded message.
    fn step(self, message: Secret) -> Result<ExchangeStep, SaslFault> {
        let credentials = match self {
            Self::LoginUser => {
                let user = sasl::login_user(message.expose())?;
                return Ok(ExchangeStep::Prompt(
                    Self::LoginPassword(user),
                    b"Password:",
                ));
            }
            Self::Relayed(mechanism) => {
                if mechanism == Mechanism::CramMd5 {
                    sasl::cram_user(message.expose())?;
                }
                return Ok(ExchangeStep::Relay(mechanism, message));
            }
            Self::First(mechanism @ (Mechanism::ScramSha1 | Mechanism::ScramSha256)) => {
                let user = sasl::scram_user(message.expose())?;
                return Ok(ExchangeStep::LogIn(LogIn::Scram {
                    mechanism,
                    user,
                    first: message,
                }));
            }
            Self::LoginPassword(user) => Credentials::from_login(user, message)?,
            Self::First(Mechanism::Plain) => Credentials::from_plain(message.expose())?,
            Self::First(Mechanism::XOAuth2) => Credentials::from_xoauth2(message.expose())?,
            Self::First(Mechanism::OAuthBearer) => Credentials::from_oauthbearer(message.expose())?,
            // `begin` makes no such state: in these two the client does not send first. Nor is an answer to an
            // explanation read.
            Self::First(Mechanism::Login | Mechanism::CramMd5) | Self::Explained => {
                return Err(SaslFault::Malformed);
            }
        };
        Ok(ExchangeStep::LogIn(LogIn::Credentials(credentials)))
    }
}

impl Dialogue {
    /// Begins an exchange; the mechanism was checked.
    pub(super) fn begin_exchange(
        &mut self,
        mechanism: Mechanism,
        initial: Option<sasl::InitialResponse<'_>>,
    ) -> Action {
        let initial = initial.map(sasl::InitialResponse::decode).transpose();
        match initial.and_then(|initial| AuthExchange::begin(mechanism, initial)) {
            Ok(step) => self.take_step(step),
            Err(fault) => self.sasl_fault(Partner::Gatepost, fault),
        }
    }

    /// Takes a line within an exchange.
    pub(super) fn answer(&mut self, exchange: AuthExchange, line: &[u8]) -> Action {
        let partner = exchange.partner();
        if line == b"*" {
            let fault = DialogueFault::Cancelled;
            return self.abort_exchange(partner, fault, self.replies.cancelled());
        }
        if matches!(exchange, AuthExchange::Explained) {
            return self.reply(self.replies.reject());
        }
        match sasl::decode(line).and_then(|message| exchange.step(message)) {
            Ok(step) => self.take_step(step),
            Err(fault) => self.sasl_fault(partner, fault),
        }
    }

    /// 334 with `challenge`, decoded.
    pub(super) fn prompt(&mut self, exchange: AuthExchange, challenge: &[u8]) -> Action {
        self.stage = Stage::Exchange(exchange);
        Action::Reply(self.replies.challenge(challenge))
    }

    /// Ends an exchange after a fault of the client; the connection to Postfix is closed if it took part.
    pub(super) fn abort_exchange(
        &mut self,
        partner: Partner,
        fault: DialogueFault,
        reply: Reply,
    ) -> Action {
        match (self.fault(fault, reply), partner) {
            (Action::Reply(reply), Partner::Postfix) => Action::Cancel(reply),
            (action, _) => action,
        }
    }

    /// A message that cannot be used. One that names nobody is a login that failed, as Postfix says, and
    /// programs ask their user for the name then.
    fn sasl_fault(&mut self, partner: Partner, fault: SaslFault) -> Action {
        let (fault, reply) = match fault {
            SaslFault::NoUser => (DialogueFault::NoUser, self.replies.reject()),
            _ => (DialogueFault::AuthMessage, self.replies.sasl(fault)),
        };
        self.abort_exchange(partner, fault, reply)
    }

    fn take_step(&mut self, step: ExchangeStep) -> Action {
        let log_in = match step {
            ExchangeStep::Prompt(exchange, challenge) => return self.prompt(exchange, challenge),
            ExchangeStep::Relay(mechanism, message) => {
                self.stage = Stage::AwaitRound(mechanism);
                return Action::Relay(message);
            }
            ExchangeStep::LogIn(log_in) => log_in,
        };
        self.stage = match &log_in {
            LogIn::Credentials(_) => Stage::AwaitLogin,
            LogIn::Scram { mechanism, .. } => Stage::AwaitRound(*mechanism),
            LogIn::CramMd5 => Stage::AwaitRound(Mechanism::CramMd5),
        };
        Action::LogIn(log_in)
    }
}
