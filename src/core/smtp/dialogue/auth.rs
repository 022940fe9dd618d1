//! auth - the AUTH exchange, from the verb to a login that can be judged
//!
//! Each state carries only what it knows: a prompt for the password exists only with a name. Prompts
//! of mechanisms whose rounds are relayed come from Postfix.
//! Not here: what the messages mean (`sasl`), whether AUTH is in place at all (`commands`).
//! RFC 4954 section 4.

use crate::smtp::dialogue::{Action, Dialogue, LogIn, Stage};
use crate::smtp::line::Following;
use crate::smtp::reply::Reply;
use crate::smtp::sasl::{self, Credentials, Mechanism, SaslFault, Secret, UserName};

/// What the client's next line is.
#[derive(Debug)]
pub(super) enum Exchange {
    /// The first message of a mechanism in which the client begins.
    First(Mechanism),
    /// LOGIN's user name.
    LoginUser,
    /// LOGIN's password.
    LoginPassword(UserName),
    /// The answer to a challenge of Postfix.
    Relayed(Mechanism),
}

/// What one message of the client leads to.
enum Step {
    /// 334 with this, decoded, and the next message.
    Prompt(Exchange, &'static [u8]),
    LogIn(LogIn),
    Relay(Mechanism, Secret),
}

/// Who answers the client's messages in an exchange.
#[derive(Clone, Copy)]
pub(super) enum Partner {
    Gatepost,
    Postfix,
}

impl Exchange {
    pub(super) const fn partner(&self) -> Partner {
        match self {
            Self::Relayed(_) => Partner::Postfix,
            _ => Partner::Gatepost,
        }
    }

    /// What comes of the AUTH verb.
    fn begin(mechanism: Mechanism, initial: Option<Secret>) -> Result<Step, SaslFault> {
        match (mechanism, initial) {
            (Mechanism::CramMd5, _) => Ok(Step::LogIn(LogIn::CramMd5)),
            (Mechanism::Login, None) => Ok(Step::Prompt(Self::LoginUser, b"Username:")),
            (Mechanism::Login, Some(user)) => Self::LoginUser.step(user),
            (mechanism, None) => Ok(Step::Prompt(Self::First(mechanism), b"")),
            (mechanism, Some(message)) => Self::First(mechanism).step(message),
        }
    }

    /// What comes of a decoded message.
    fn step(self, message: Secret) -> Result<Step, SaslFault> {
        let credentials = match self {
            Self::LoginUser => {
                let user = sasl::login_user(message.expose())?;
                return Ok(Step::Prompt(Self::LoginPassword(user), b"Password:"));
            }
            Self::Relayed(mechanism) => {
                if mechanism == Mechanism::CramMd5 {
                    sasl::cram_user(message.expose())?;
                }
                return Ok(Step::Relay(mechanism, message));
            }
            Self::First(mechanism @ (Mechanism::ScramSha1 | Mechanism::ScramSha256)) => {
                let user = sasl::scram_user(message.expose())?;
                return Ok(Step::LogIn(LogIn::Scram {
                    mechanism,
                    user,
                    first: message,
                }));
            }
            Self::LoginPassword(user) => Credentials::from_login(user, message)?,
            Self::First(Mechanism::Plain) => Credentials::from_plain(message.expose())?,
            Self::First(Mechanism::XOAuth2) => Credentials::from_xoauth2(message.expose())?,
            Self::First(Mechanism::OAuthBearer) => Credentials::from_oauthbearer(message.expose())?,
            // `begin` makes no such state: in these the client does not begin.
            Self::First(Mechanism::Login | Mechanism::CramMd5) => return Err(SaslFault::Malformed),
        };
        Ok(Step::LogIn(LogIn::Credentials(credentials)))
    }
}

impl Dialogue {
    /// Begins an exchange whose mechanism is in place.
    pub(super) fn begin_exchange(
        &mut self,
        mechanism: Mechanism,
        initial: Option<sasl::InitialResponse<'_>>,
    ) -> Action {
        let initial = initial.map(sasl::InitialResponse::decode).transpose();
        match initial.and_then(|initial| Exchange::begin(mechanism, initial)) {
            Ok(step) => self.take_step(step),
            Err(fault) => self.fault(self.replies.sasl(fault)),
        }
    }

    /// Takes a line within an exchange.
    pub(super) fn answer(
        &mut self,
        exchange: Exchange,
        line: &[u8],
        following: Following,
    ) -> Action {
        if following == Following::Octets {
            return self.close(self.replies.pipelining());
        }
        let partner = exchange.partner();
        if line == b"*" {
            return self.break_off(partner, self.replies.cancelled());
        }
        match sasl::decode(line).and_then(|message| exchange.step(message)) {
            Ok(step) => self.take_step(step),
            Err(fault) => self.break_off(partner, self.replies.sasl(fault)),
        }
    }

    /// 334 with `challenge`, decoded.
    pub(super) fn prompt(&mut self, exchange: Exchange, challenge: &[u8]) -> Action {
        self.stage = Stage::Exchange(exchange);
        Action::Reply(self.replies.challenge(challenge))
    }

    /// Ends an exchange by a fault of the client; Postfix is let go if it took part.
    pub(super) fn break_off(&mut self, partner: Partner, reply: Reply) -> Action {
        match (self.fault(reply), partner) {
            (Action::Reply(reply), Partner::Postfix) => Action::Cancel(reply),
            (action, _) => action,
        }
    }

    fn take_step(&mut self, step: Step) -> Action {
        let log_in = match step {
            Step::Prompt(exchange, challenge) => return self.prompt(exchange, challenge),
            Step::Relay(mechanism, message) => {
                self.stage = Stage::Relaying(mechanism);
                return Action::Relay(message);
            }
            Step::LogIn(log_in) => log_in,
        };
        self.stage = match &log_in {
            LogIn::Credentials(_) => Stage::Trying,
            LogIn::Scram { mechanism, .. } => Stage::Relaying(*mechanism),
            LogIn::CramMd5 => Stage::Relaying(Mechanism::CramMd5),
        };
        Action::LogIn(log_in)
    }
}
