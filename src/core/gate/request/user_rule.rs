//! user_rule - what the owner has set for one user: a row of `[[user]]`
//!
//! A scanner logs in from one network, a bookkeeping program never by IMAP; and a mailbox that nobody has is there to be
//! tried by those who guess. Such a rule holds for its user whatever else is known of them, at home too.
//! Not here: reading it (the daemon's `config`), asking it (`gate::rules`), more sessions (the daemon's `session::registry`).

use ipnet::IpNet;

use crate::gate::request::doors::Door;
use crate::gate::request::place::Country;

/// Whose mailbox it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mailbox {
    /// Somebody's.
    #[default]
    Real,
    /// Nobody's mailbox: a client that tries it guesses, and one that has its password has stolen it.
    Decoy,
}

/// The rule for one user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserRule {
    /// The name, as a client sends it.
    pub name: String,
    /// Only from here; empty: from everywhere.
    pub networks: Vec<IpNet>,
    /// Only from these countries; empty: from all.
    pub countries: Vec<Country>,
    /// Not by these doors.
    pub closed: Vec<Door>,
    /// Sessions at once; none: as all users.
    pub sessions: Option<usize>,
    /// Whose mailbox it is.
    pub mailbox: Mailbox,
}
