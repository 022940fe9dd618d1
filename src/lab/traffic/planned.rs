//! planned - an honest login before it happens: who, when, from where, at which door, and which password is tried first
//!
//! Not here: who plans them (`routine`, `crowd`), what comes of them (`run`).

use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::doors::Door;
use gatepost_core::moment::Moment;

/// One mail to be sent, or one look for new mail.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlannedLogin {
    /// When.
    pub(crate) at: Moment,
    /// Who.
    pub(crate) person: u32,
    /// From where.
    pub(crate) client: ClientKey,
    /// At which door: sending is SMTP's.
    pub(crate) door: Door,
    /// The mail program, where it keeps TLS tickets.
    pub(crate) laptop: Option<u64>,
    /// The password that is tried first.
    pub(crate) first_try: FirstTry,
}

/// The password that is tried first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FirstTry {
    /// The right one.
    Right,
    /// A mistyped one, so many times.
    Mistyped(u32),
    /// The one before the last change, so many times.
    Former(u32),
}
