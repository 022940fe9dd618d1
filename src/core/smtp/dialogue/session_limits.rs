//! session_limits - how many commands, faults and failed logins one session may have
//!
//! The counts of one session, a few octets. They are kept over STARTTLS, or a client could reset them by it.
//! Not here: limits on clients and users, over all their sessions (`gate`).

/// Commands of any kind before a login; one more closes the session.
const MAX_COMMANDS: u8 = 100;
/// The fault that closes the session.
const MAX_FAULTS: u8 = 10;
/// Logins that Postfix rejected, in one session; the next AUTH closes it.
const MAX_REJECTS: u8 = 3;
/// Refusals by the gate in one session, with the AUTH commands that are refused without judging after one;
/// the next AUTH closes it. As many as there are mechanisms for a password (PLAIN, LOGIN, CRAM-MD5, two of
/// SCRAM): a mail program may fall back through them all, and a client that goes on guessing costs replies,
/// not handshakes. What is refused without judging is no attempt for the gate, nor in its counters; it has one of its own.
const MAX_REFUSALS: u8 = 5;

/// The counts of a session.
#[derive(Debug, Default)]
pub(super) struct SessionLimits {
    commands: u8,
    faults: u8,
    rejects: u8,
    refusals: u8,
    /// AUTH commands that were not judged, and are not told yet.
    unjudged: u8,
}

/// Whether a count is within its limit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Allowance {
    Within,
    Exceeded,
}

/// What the limits allow for the next AUTH command.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum AuthAllowance {
    /// Judge it.
    Judge,
    /// 454 at once: an attempt was refused, and this is the mail program's fallback to the next
    /// mechanism with the same password, which must not be charged again.
    Refuse,
    /// 421: too many were refused or rejected.
    Close,
}

impl Allowance {
    pub(super) fn is_exceeded(self) -> bool {
        self == Self::Exceeded
    }
}

impl SessionLimits {
    /// Counts a command.
    pub(super) fn count_command(&mut self) -> Allowance {
        self.commands = self.commands.saturating_add(1);
        if self.commands > MAX_COMMANDS {
            Allowance::Exceeded
        } else {
            Allowance::Within
        }
    }

    /// Whether there was any command.
    pub(super) const fn has_commands(&self) -> bool {
        self.commands > 0
    }

    /// Counts a protocol fault.
    pub(super) fn count_fault(&mut self) -> Allowance {
        self.faults = self.faults.saturating_add(1);
        if self.faults >= MAX_FAULTS {
            Allowance::Exceeded
        } else {
            Allowance::Within
        }
    }

    /// Counts a login that Postfix rejected.
    pub(super) fn count_reject(&mut self) {
        self.rejects = self.rejects.saturating_add(1);
    }

    /// Counts a login that the gate refused.
    pub(super) fn count_refusal(&mut self) {
        self.refusals = self.refusals.saturating_add(1);
    }

    /// What the next AUTH command, in place and well-formed, may do.
    pub(super) fn count_auth(&mut self) -> AuthAllowance {
        match self.refusals {
            0 if self.rejects < MAX_REJECTS => AuthAllowance::Judge,
            1..MAX_REFUSALS => {
                self.count_refusal();
                self.count_unjudged();
                AuthAllowance::Refuse
            }
            _ => {
                self.count_unjudged();
                AuthAllowance::Close
            }
        }
    }

    fn count_unjudged(&mut self) {
        self.unjudged = self.unjudged.saturating_add(1);
    }

    /// How many AUTH commands were not judged since the last call.
    pub(super) fn take_unjudged(&mut self) -> u8 {
        std::mem::take(&mut self.unjudged)
    }
}
