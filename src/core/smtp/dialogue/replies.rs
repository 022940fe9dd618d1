//! replies - the text of every reply that a client may get from Gatepost before the hand-over
//!
//! Mail programs, administrators and their scripts read these: they are public API, defined once, here.
//! A refusal carries the session's id and not its reason; the reason is in the log under the same id.
//! Not here: which reply is sent (`commands`, `auth`).
//! RFC 5321 section 4.2, RFC 3463, RFC 4954 section 6, RFC 5248.

use std::sync::Arc;
use std::time::Duration;

use crate::smtp::capabilities::{Capabilities, Offer};
use crate::smtp::dialogue::{Channel, DialogueSettings};
use crate::smtp::reply::{EnhancedCode, Reply};
use crate::smtp::sasl::{self, Mechanism, SaslFault};

/// The reply texts, with the server's name and the session's id.
#[derive(Debug)]
pub(super) struct Replies {
    settings: Arc<DialogueSettings>,
    session: Box<str>,
}

impl Replies {
    pub(super) fn new(settings: Arc<DialogueSettings>, session: Box<str>) -> Self {
        Self { settings, session }
    }

    // The greeting.

    pub(super) fn banner(&self) -> Reply {
        Reply::new(220, None, &format!("{} ESMTP", self.settings.hostname))
    }

    /// In place of the banner.
    pub(super) fn later(&self, wait: Duration) -> Reply {
        let minutes = wait.as_secs().div_ceil(60);
        let text = format!(
            "too many failed logins from here, try again later, in {minutes} min ({})",
            self.session
        );
        self.closing((4, 7, 0), &text)
    }

    /// In place of the banner.
    pub(super) fn down(&self) -> Reply {
        let text = format!("service not available, try again later ({})", self.session);
        self.closing((4, 3, 0), &text)
    }

    pub(super) fn pregreet(&self) -> Reply {
        coded(554, (5, 5, 1), "Error: the server speaks first")
    }

    pub(super) fn ehlo(&self, capabilities: &Capabilities, channel: Channel) -> Reply {
        let DialogueSettings {
            hostname,
            mechanisms,
        } = &*self.settings;
        let offer = match channel {
            Channel::Secured => Offer::Auth,
            Channel::ClearUntilStartTls => Offer::StartTls,
        };
        capabilities.for_client(hostname, mechanisms, offer)
    }

    pub(super) fn helo(&self) -> Reply {
        Reply::new(250, None, &self.settings.hostname)
    }

    pub(super) fn start_tls(&self) -> Reply {
        coded(220, (2, 0, 0), "Ready to start TLS")
    }

    /// Whether `ehlo` offers this mechanism once the channel is secured.
    pub(super) fn offer(&self, mechanism: Mechanism, capabilities: &Capabilities) -> bool {
        let mut offered = capabilities.allowed(&self.settings.mechanisms);
        offered.any(|one| one == mechanism)
    }

    // Replies to harmless commands.

    pub(super) fn ok(&self) -> Reply {
        coded(250, (2, 0, 0), "Ok")
    }

    pub(super) fn verify(&self) -> Reply {
        coded(252, (2, 0, 0), "Cannot verify users; log in and send")
    }

    pub(super) fn help(&self) -> Reply {
        coded(
            214,
            (2, 0, 0),
            "Message submission: log in with AUTH, then send",
        )
    }

    pub(super) fn quit(&self) -> Reply {
        coded(221, (2, 0, 0), "Bye")
    }

    // Faults: commands out of order or malformed.

    pub(super) fn unknown(&self) -> Reply {
        coded(500, (5, 5, 2), "Error: command not recognized")
    }

    pub(super) fn not_implemented(&self) -> Reply {
        coded(502, (5, 5, 1), "Error: command not implemented")
    }

    pub(super) fn syntax(&self, form: &str) -> Reply {
        coded(501, (5, 5, 4), &format!("Syntax: {form}"))
    }

    pub(super) fn command_too_long(&self) -> Reply {
        coded(500, (5, 5, 2), "Error: line too long")
    }

    pub(super) fn foreign(&self) -> Reply {
        self.closing((4, 7, 0), "this is a mail server")
    }

    pub(super) fn pipelining(&self) -> Reply {
        coded(503, (5, 5, 1), "Error: wait for the reply to this command")
    }

    pub(super) fn already_secured(&self) -> Reply {
        coded(503, (5, 5, 1), "Error: TLS is active")
    }

    pub(super) fn log_in_first(&self, channel: Channel) -> Reply {
        match channel {
            Channel::Secured => coded(530, (5, 7, 0), "Authentication required"),
            Channel::ClearUntilStartTls => coded(530, (5, 7, 0), "Must issue STARTTLS first"),
        }
    }

    // AUTH.

    pub(super) fn secure_first(&self) -> Reply {
        coded(538, (5, 7, 11), "Encryption required: issue STARTTLS first")
    }

    pub(super) fn no_such_mechanism(&self) -> Reply {
        coded(
            504,
            (5, 5, 4),
            "Error: unsupported authentication mechanism",
        )
    }

    pub(super) fn challenge(&self, challenge: &[u8]) -> Reply {
        let text = sasl::encode(challenge);
        Reply::new(334, None, &String::from_utf8_lossy(text.expose()))
    }

    pub(super) fn sasl(&self, fault: SaslFault) -> Reply {
        coded(501, (5, 5, 2), &format!("Error: {fault}"))
    }

    pub(super) fn exchange_too_long(&self) -> Reply {
        coded(
            500,
            (5, 5, 6),
            "Error: authentication exchange line too long",
        )
    }

    pub(super) fn cancelled(&self) -> Reply {
        coded(501, (5, 7, 0), "Authentication cancelled")
    }

    pub(super) fn refuse(&self) -> Reply {
        let text = format!(
            "Login failed or put off: check name and password, or try again later ({})",
            self.session
        );
        coded(454, (4, 7, 0), &text)
    }

    pub(super) fn reject(&self) -> Reply {
        coded(535, (5, 7, 8), "Error: authentication failed")
    }

    pub(super) fn defer(&self) -> Reply {
        coded(
            454,
            (4, 7, 0),
            "Temporary authentication failure, try again later",
        )
    }

    // Replies before closing.

    pub(super) fn too_many_commands(&self) -> Reply {
        self.closing((4, 7, 0), "too many commands before login")
    }

    pub(super) fn too_many_faults(&self) -> Reply {
        self.closing((4, 7, 0), "too many errors")
    }

    pub(super) fn too_many_logins(&self) -> Reply {
        self.closing((4, 7, 0), "too many login attempts")
    }

    pub(super) fn trap(&self) -> Reply {
        self.closing((4, 7, 0), "not welcome")
    }

    pub(super) fn unavailable(&self) -> Reply {
        self.closing((4, 3, 0), "service not available, try again later")
    }

    pub(super) fn timed_out(&self) -> Reply {
        self.closing((4, 4, 2), "timeout exceeded")
    }

    pub(super) fn draining(&self) -> Reply {
        self.closing((4, 3, 2), "server is stopping, try again later")
    }

    pub(super) fn evicted(&self) -> Reply {
        self.closing((4, 3, 2), "too many connections, try again later")
    }

    /// 421 carries the server's name. RFC 5321 section 4.2.3.
    fn closing(&self, enhanced: (u16, u16, u16), text: &str) -> Reply {
        let text = format!("{} Error: {text}", self.settings.hostname);
        coded(421, enhanced, &text)
    }
}

fn coded(code: u16, (class, subject, detail): (u16, u16, u16), text: &str) -> Reply {
    Reply::new(code, Some(EnhancedCode::new(class, subject, detail)), text)
}
