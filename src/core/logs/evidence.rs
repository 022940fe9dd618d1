//! evidence - whether a line that no reader knows looks like a login all the same
//!
//! So that a form of log that is new to us is counted and shown, not passed over. A wrong yes costs a line in a report.
//! Not here: what is read of a line (`parser`).

use std::sync::LazyLock;

use memchr::memmem::Finder;

/// What the lines of Postfix and Dovecot about a login hold, and hardly another.
const MARKS: [&[u8]; 5] = [
    b"sasl_username=",
    b" rip=",
    b"auth failed, ",
    b"-login: ",
    b" authentication failed: ",
];

static FINDERS: LazyLock<[Finder<'static>; 5]> = LazyLock::new(|| MARKS.map(Finder::new));

/// Whether `line` looks like one about a login at Postfix or Dovecot.
pub(super) fn looks_like_a_login(line: &[u8]) -> bool {
    FINDERS.iter().any(|finder| finder.find(line).is_some())
}
