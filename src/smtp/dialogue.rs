//! dialogue - the SMTP conversation before a client is handed to Postfix

use crate::smtp::sasl::Mechanism;

/// What the dialogue needs to know of the config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The name in banner and EHLO.
    pub hostname: String,
    /// The mechanisms that may be offered, of those that Postfix offers.
    pub mechanisms: Vec<Mechanism>,
}
