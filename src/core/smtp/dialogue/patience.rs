//! patience - how much of what is not a login one session may ask for
//!
//! Counts of one session, of at most a few octets. They outlive STARTTLS, or it would wash them off.
//! Not here: limits on clients and users, over all their sessions (`gate`).

/// Commands of any kind before a login; one more ends the session.
pub const COMMANDS: u8 = 100;
/// The fault that ends the session.
pub const FAULTS: u8 = 10;
/// Logins that Postfix rejected, in one session; the next AUTH ends it.
pub const REJECTS: u8 = 3;
/// What the gate refuses in one session, with the AUTH verbs that are refused unjudged after it; the
/// next ends it. As many as there are mechanisms for a password (PLAIN, LOGIN, CRAM-MD5, two of
/// SCRAM): a mail program may fall back through them all, and whoever goes on guessing costs replies
/// here, not handshakes. What is refused unjudged is no try for the gate, nor in its counters.
pub const REFUSALS: u8 = 5;

/// What a session has asked for already.
#[derive(Debug, Default)]
pub(super) struct Patience {
    commands: u8,
    faults: u8,
    rejects: u8,
    refusals: u8,
}

/// What one more of something leads to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    Some,
    Over,
}

/// What the next AUTH verb deserves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Welcome {
    /// To be looked at.
    Open,
    /// 454 at once: an attempt was refused, and this is the mail program's fallback to the next
    /// mechanism with the same password, which must not be charged again.
    Refused,
    /// 421: it was refused or rejected too often.
    Over,
}

impl Left {
    pub(super) fn is_over(self) -> bool {
        self == Self::Over
    }
}

impl Patience {
    /// One more command.
    pub(super) fn commanded(&mut self) -> Left {
        self.commands = self.commands.saturating_add(1);
        if self.commands > COMMANDS {
            Left::Over
        } else {
            Left::Some
        }
    }

    /// One more fault.
    pub(super) fn faulted(&mut self) -> Left {
        self.faults = self.faults.saturating_add(1);
        if self.faults >= FAULTS {
            Left::Over
        } else {
            Left::Some
        }
    }

    /// Postfix rejected a login.
    pub(super) fn rejected(&mut self) {
        self.rejects = self.rejects.saturating_add(1);
    }

    /// The gate refused a login.
    pub(super) fn refused(&mut self) {
        self.refusals = self.refusals.saturating_add(1);
    }

    /// One more AUTH verb, in place and well-formed.
    pub(super) fn asks_to_log_in(&mut self) -> Welcome {
        match self.refusals {
            0 if self.rejects < REJECTS => Welcome::Open,
            1..REFUSALS => {
                self.refused();
                Welcome::Refused
            }
            _ => Welcome::Over,
        }
    }
}
