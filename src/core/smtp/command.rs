//! command - one command line, parsed
//!
//! Knows the verbs that matter before a login, and the form of their arguments. Not here: the replies
//! (`dialogue`), and the arguments of MAIL and RCPT: Postfix reads those after the hand-over.
//! White space around the verb and the arguments is accepted, as Postfix accepts it.
//! RFC 5321 section 4.1, RFC 4954 section 4, RFC 3207.

use std::fmt;

use crate::smtp::sasl::{InitialResponse, Mechanism};

/// One command of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// EHLO or HELO.
    Hello {
        /// Which of the two.
        verb: HelloVerb,
        /// The name as it was sent, any octets but CR and LF: the input of the trap check.
        name: &'a [u8],
    },
    /// AUTH.
    Auth {
        /// `None`: not a mechanism that Gatepost can relay.
        mechanism: Option<Mechanism>,
        /// The initial response, if one was sent.
        initial: Option<InitialResponse<'a>>,
    },
    /// STARTTLS.
    StartTls,
    /// MAIL, RCPT, DATA: only after login.
    Transaction,
    /// BDAT: as `Transaction`, and the octets that follow it are no commands.
    Chunk,
    /// NOOP.
    Noop,
    /// RSET.
    Reset,
    /// VRFY.
    Verify,
    /// HELP.
    Help,
    /// QUIT.
    Quit,
    /// A command of SMTP or of Postfix that is not implemented before login.
    NotImplemented,
    /// A line of another protocol, so the client does not speak SMTP. RFC 9112, ALPACA (CVE-2021-3618).
    Foreign,
}

/// EHLO or HELO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelloVerb {
    /// EHLO: the client asks for the capabilities.
    Ehlo,
    /// HELO: it does not.
    Helo,
}

/// Why a line is not a valid command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandFault {
    /// Empty, or an unknown verb.
    #[error("command not recognized")]
    Unknown,
    /// A known verb with wrong arguments; holds the right form.
    #[error("Syntax: {0}")]
    Arguments(&'static str),
}

/// The name of a client in EHLO or HELO, safe for Postfix and for a log: 1 to 255 octets of visible
/// ASCII, with `?` in place of any other octet.
///
/// Postfix accepts any name and cleans it the same way; its HELO restrictions decide later.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct HeloName(Box<str>);

impl HeloName {
    /// The longest name, in octets; XCLIENT takes no longer one.
    pub const OCTETS: usize = 255;

    /// Cleans and cuts the name that a client sent. `None` if it is empty.
    pub fn new(octets: &[u8]) -> Option<Self> {
        let name: String = octets
            .iter()
            .take(Self::OCTETS)
            .map(|&octet| match octet {
                b'!'..=b'~' => char::from(octet),
                _ => '?',
            })
            .collect();
        (!name.is_empty()).then(|| Self(name.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HeloName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for HeloName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HeloName({})", self.0)
    }
}

impl<'a> Command<'a> {
    /// Parses one line without its end.
    ///
    /// # Errors
    /// [`CommandFault`]; the session may continue after it.
    pub fn parse(line: &'a [u8]) -> Result<Self, CommandFault> {
        let line = line.trim_ascii_start();
        let end = line.iter().position(|&octet| is_space(octet));
        let (verb, rest) = line.split_at(end.unwrap_or(line.len()));
        let arguments = rest.trim_ascii();
        // No verb of SMTP is longer than STARTTLS or XFORWARD.
        let mut upper = [0; 8];
        let Some(upper) = upper.get_mut(..verb.len()) else {
            return foreign_or_unknown(verb);
        };
        upper.copy_from_slice(verb);
        upper.make_ascii_uppercase();
        match &*upper {
            b"EHLO" => hello(HelloVerb::Ehlo, arguments, "EHLO hostname"),
            b"HELO" => hello(HelloVerb::Helo, arguments, "HELO hostname"),
            b"AUTH" => auth(arguments),
            b"STARTTLS" => alone(Command::StartTls, arguments, "STARTTLS"),
            b"MAIL" | b"RCPT" | b"DATA" => Ok(Command::Transaction),
            b"BDAT" => Ok(Command::Chunk),
            b"NOOP" => Ok(Command::Noop),
            b"RSET" => alone(Command::Reset, arguments, "RSET"),
            b"VRFY" if arguments.is_empty() => Err(CommandFault::Arguments("VRFY address")),
            b"VRFY" => Ok(Command::Verify),
            b"HELP" => Ok(Command::Help),
            b"QUIT" => Ok(Command::Quit),
            b"EXPN" | b"ETRN" | b"TURN" | b"ATRN" | b"SEND" | b"SOML" | b"SAML" | b"BURL"
            | b"XCLIENT" | b"XFORWARD" => Ok(Command::NotImplemented),
            _ => foreign_or_unknown(verb),
        }
    }
}

fn hello<'a>(
    verb: HelloVerb,
    name: &'a [u8],
    syntax: &'static str,
) -> Result<Command<'a>, CommandFault> {
    if name.is_empty() {
        return Err(CommandFault::Arguments(syntax));
    }
    Ok(Command::Hello { verb, name })
}

fn auth(arguments: &[u8]) -> Result<Command<'_>, CommandFault> {
    let mut words = arguments
        .split(|&octet| is_space(octet))
        .filter(|word| !word.is_empty());
    let (Some(name), initial, None) = (words.next(), words.next(), words.next()) else {
        return Err(CommandFault::Arguments("AUTH mechanism [initial-response]"));
    };
    let mechanism = std::str::from_utf8(name).ok();
    Ok(Command::Auth {
        mechanism: mechanism.and_then(|name| name.parse().ok()),
        initial: initial.map(InitialResponse),
    })
}

/// A command that takes no argument.
fn alone<'a>(
    command: Command<'a>,
    arguments: &[u8],
    syntax: &'static str,
) -> Result<Command<'a>, CommandFault> {
    if arguments.is_empty() {
        Ok(command)
    } else {
        Err(CommandFault::Arguments(syntax))
    }
}

/// Other protocols that are sent to SMTP servers by mistake or by an attacker: HTTP methods, header
/// lines, and binary protocols, whose first octet is no letter. Postfix closes on the same.
fn foreign_or_unknown(verb: &[u8]) -> Result<Command<'static>, CommandFault> {
    const METHODS: [&[u8]; 10] = [
        b"GET", b"POST", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"CONNECT", b"TRACE", b"PATCH",
        b"PRI",
    ];
    let is_method = METHODS.iter().any(|m| m.eq_ignore_ascii_case(verb));
    let is_header = verb.ends_with(b":");
    let is_binary = verb
        .first()
        .is_some_and(|octet| !octet.is_ascii_alphabetic());
    if is_method || is_header || is_binary {
        return Ok(Command::Foreign);
    }
    Err(CommandFault::Unknown)
}

const fn is_space(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\r')
}

#[cfg(test)]
mod tests;
