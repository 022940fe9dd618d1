//! command - one command line, parsed
//!
//! Knows the verbs that matter before a login, and what their arguments must look like. Not here: what
//! is answered (`dialogue`), the arguments of MAIL and RCPT: Postfix reads those after the hand-over.
//! White space around arguments is forgiven, as Postfix forgives it.
//! RFC 5321 section 4.1, RFC 4954 section 4, RFC 3207.

use std::fmt;

use crate::smtp::sasl::{InitialResponse, Mechanism};

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// EHLO or HELO.
    Hello {
        /// Which of the two.
        greeting: Greeting,
        /// The name as it was sent, any octets but CR and LF: what a trap looks at.
        name: &'a [u8],
    },
    /// AUTH.
    Auth {
        /// `None`: one that Gatepost cannot pass on.
        mechanism: Option<Mechanism>,
        /// What the client said along with it.
        initial: Option<InitialResponse<'a>>,
    },
    /// STARTTLS.
    StartTls,
    /// MAIL, RCPT, DATA: for those who have logged in.
    Transaction,
    /// BDAT: the same, and octets follow that are no commands.
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
    /// A command of SMTP, or of Postfix, that is not for this place.
    NotImplemented,
    /// A line of another protocol: nobody speaks SMTP there. RFC 9112, ALPACA (CVE-2021-3618).
    Foreign,
}

/// The two ways to say hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Greeting {
    /// EHLO: wants to hear what we can.
    Ehlo,
    /// HELO: does not.
    Helo,
}

/// Why a line is no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandFault {
    /// Nothing on it, or no verb that we know.
    #[error("command not recognized")]
    Unknown,
    /// The verb is known, its arguments are not as they must be; the right form.
    #[error("Syntax: {0}")]
    Arguments(&'static str),
}

/// The name of a client in EHLO or HELO, fit to be said to Postfix and to stand in a log: 1 to 255
/// octets of visible ASCII, `?` for each other octet.
///
/// Postfix itself forgives any name and cleans it likewise; its restrictions on HELO decide later.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct HeloName(Box<str>);

impl HeloName {
    /// The longest name; XCLIENT takes no longer one.
    pub const OCTETS: usize = 255;

    /// Cleans and cuts what a client sent. `None` if it sent nothing.
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
    /// Reads one line without its CRLF.
    ///
    /// # Errors
    /// [`CommandFault`]; the session may go on after it.
    pub fn parse(line: &'a [u8]) -> Result<Self, CommandFault> {
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
            b"EHLO" => hello(Greeting::Ehlo, arguments, "EHLO hostname"),
            b"HELO" => hello(Greeting::Helo, arguments, "HELO hostname"),
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
    greeting: Greeting,
    name: &'a [u8],
    syntax: &'static str,
) -> Result<Command<'a>, CommandFault> {
    if name.is_empty() {
        return Err(CommandFault::Arguments(syntax));
    }
    Ok(Command::Hello { greeting, name })
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

/// What is sent to an SMTP server by mistake or by malice: HTTP's methods, header lines, and binary
/// protocols, whose first octet is no letter. Postfix hangs up on the same.
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
    matches!(octet, b' ' | b'\t')
}

#[cfg(test)]
mod tests;
