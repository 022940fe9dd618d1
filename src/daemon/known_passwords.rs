//! known_passwords - the owner's list of passwords that are known elsewhere
//!
//! A file of the owner's, one password a line or one SHA-1 hash a line as Have I Been Pwned has them, becomes a filter
//! in memory (`filter`) of 2.3 octets an entry. At a login that Postfix has accepted it is asked whether the password is
//! on the list; nothing about that password is kept, only who and when (`history`). The filter finds every listed
//! password; of the others it takes one in 65,536 for a listed one.
//! A list that cannot be read is told, and the old one stays; logins go on as without one.
//! Not here: when it is read (`server::passwords`), what is told (`report`, `history`).

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwapOption;

use gatepost_core::gate::request::attempt::Secret;

mod filter;
mod list;

pub use filter::PasswordFilter;
pub use list::{ListFault, read};

/// Where the list is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownPasswordsSettings {
    /// The file; none: nothing is looked up.
    pub list: Option<PathBuf>,
}

/// The list in use. Cheap to ask.
#[derive(Debug, Default)]
pub struct KnownPasswords(ArcSwapOption<PasswordFilter>);

impl KnownPasswords {
    /// Whether this password is on the list; none: there is no list.
    pub fn lists(&self, password: &Secret) -> Option<bool> {
        let filter = self.0.load();
        filter.as_ref().map(|filter| filter.has(password.expose()))
    }

    /// How many there are; none: there is no list.
    pub fn count(&self) -> Option<usize> {
        self.0.load().as_ref().map(|filter| filter.count())
    }

    /// Takes over another list, or none.
    pub fn replace(&self, filter: Option<PasswordFilter>) {
        self.0.store(filter.map(Arc::new));
    }
}
