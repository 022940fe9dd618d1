//! names - which names are one user: what Dovecot makes of a name, made of it before it is counted
//!
//! A password is checked for the user that Dovecot finds behind a name. Where two names lead to one user they
//! must be counted as one. [`NameFolding`] repeats Dovecot's steps in Dovecot's order: the user behind a
//! master user's separator, the default realm, the translated characters, then the domain. Letters are always folded.
//! Nothing is allocated: a [`FoldedName`] lends parts of the name and is hashed through a table.
//! Not here: the hash (`keys`), the config's keys (the daemon's `config`), what Dovecot's settings say of them (the
//! daemon's `config::dovecot`).
//! Dovecot's auth_username_format, auth_username_translation, auth_default_realm, auth_master_user_separator.

use std::hash::Hasher;

use siphasher::sip::SipHasher24;

use crate::gate::request::attempt::UserName;

/// What becomes of a name's domain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Domain {
    /// `anna@example.org` and `anna@example.net` are two users.
    #[default]
    Keep,
    /// They are one.
    Strip,
}

/// How names are folded: the section `[names]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameSettings {
    /// What becomes of the domain.
    pub domain: Domain,
    /// The domain of a name without one; empty: none.
    pub default_realm: String,
    /// Pairs of ASCII characters: the first counts as the second. None may be `@`.
    pub translate: Vec<(u8, u8)>,
    /// What stands between the mailbox and the master user whose password is checked.
    pub master_separator: Option<u8>,
    /// What ends the local part.
    pub subaddress: Option<u8>,
}

/// Whether a name is made of the characters that every Dovecot takes as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) enum Characters {
    /// Letters, digits, `.`, `-`, `_` and `@`.
    Plain,
    /// Others too: Dovecot may refuse them, translate them, or separate users by them.
    Unusual,
}

/// What was known under the names of an earlier process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NamesSince {
    /// The names are folded as before.
    #[default]
    Same,
    /// Only the domain is dropped now: every user that was known is known.
    Stripped,
    /// Users may be known under names that nobody has any more.
    Other,
}

/// Folds names.
#[derive(Clone, Debug)]
pub struct NameFolding {
    settings: NameSettings,
    /// What each octet counts as.
    table: Box<[u8; 256]>,
}

/// A name as it is counted: parts of what the client sent, to be read through the table.
#[derive(Clone, Copy, Debug)]
pub struct FoldedName<'a> {
    local: &'a [u8],
    /// From the `@` on; several parts, of which some are empty.
    domain: [&'a [u8]; 3],
    table: &'a [u8; 256],
}

impl Default for NameFolding {
    fn default() -> Self {
        Self::new(&NameSettings::default())
    }
}

impl NameFolding {
    /// Makes the table.
    pub fn new(settings: &NameSettings) -> Self {
        let mut table = Box::new([0; 256]);
        for (octet, folded) in (0_u8..=255).zip(table.iter_mut()) {
            let pairs = settings.translate.iter();
            let translated = pairs.rev().find(|(from, _)| *from == octet);
            let to = translated.map_or(octet, |(_, to)| *to);
            *folded = to.to_ascii_lowercase();
        }
        Self {
            settings: settings.clone(),
            table,
        }
    }

    /// The name as it is counted.
    pub fn fold<'a>(&'a self, name: &'a UserName) -> FoldedName<'a> {
        let name = self.behind_separator(name.as_bytes());
        let at = |&octet: &u8| self.counts_as(octet) == b'@';
        let end = name.iter().position(at).unwrap_or(name.len());
        let (local, rest) = name.split_at_checked(end).unwrap_or_default();
        let realm = self.settings.default_realm.as_bytes();
        // Dovecot looks for the domain before it translates.
        let added: [&[u8]; 2] = match realm.is_empty() || name.contains(&b'@') {
            true => [b"", b""],
            false => [b"@", realm],
        };
        let domain = match self.settings.domain {
            Domain::Keep => [rest, added[0], added[1]],
            Domain::Strip => [b"".as_slice(); 3],
        };
        FoldedName {
            local: self.before_subaddress(local),
            domain,
            table: &self.table,
        }
    }

    fn counts_as(&self, octet: u8) -> u8 {
        self.table.get(usize::from(octet)).copied().unwrap_or(octet)
    }

    /// The user whose password is checked: what follows the first separator.
    fn behind_separator<'a>(&self, name: &'a [u8]) -> &'a [u8] {
        let Some(separator) = self.settings.master_separator else {
            return name;
        };
        let mut parts = name.splitn(2, |&octet| octet == separator);
        let first = parts.next().unwrap_or_default();
        parts.next().unwrap_or(first)
    }

    fn before_subaddress<'a>(&self, local: &'a [u8]) -> &'a [u8] {
        let Some(separator) = self.settings.subaddress else {
            return local;
        };
        let ends = |&octet: &u8| self.counts_as(octet) == separator;
        let mut parts = local.split(ends);
        parts.next().unwrap_or(local)
    }

    /// A number for these settings, kept with the state: the upper half stands for what concerns every
    /// name, the lower for what concerns names with certain characters in them.
    pub(in crate::gate) fn mark(&self) -> u64 {
        let settings = &self.settings;
        let mut all = SipHasher24::new();
        if settings.domain == Domain::Keep {
            all.write(settings.default_realm.to_ascii_lowercase().as_bytes());
        }
        all.write_u8(u8::from(settings.domain == Domain::Keep));
        let mut some = SipHasher24::new();
        some.write(self.table.as_slice());
        for separator in [settings.master_separator, settings.subaddress] {
            // NUL stands in no name.
            some.write_u8(separator.unwrap_or(0));
        }
        all.finish() << 32 | some.finish() & u64::from(u32::MAX)
    }

    /// What a state with this mark, or with one of before there were any, knows.
    pub(in crate::gate) fn since(&self, mark: Option<u64>) -> NamesSince {
        let before = mark.unwrap_or_else(|| Self::default().mark());
        let differ = self.mark() ^ before;
        match (differ >> 32 != 0, differ & u64::from(u32::MAX) != 0) {
            (false, false) => NamesSince::Same,
            (true, false) if self.settings.domain == Domain::Strip => NamesSince::Stripped,
            _ => NamesSince::Other,
        }
    }

    /// Whether names without their domain are users here.
    pub(in crate::gate) fn domain(&self) -> Domain {
        self.settings.domain
    }
}

impl FoldedName<'_> {
    /// The octets of the local part.
    pub(in crate::gate) fn local(&self) -> impl Iterator<Item = u8> {
        self.through_table(self.local)
    }

    /// The octets from the `@` on; none if there is no domain.
    pub(in crate::gate) fn domain(&self) -> impl Iterator<Item = u8> {
        self.domain.iter().flat_map(|part| self.through_table(part))
    }

    pub(in crate::gate) fn has_domain(&self) -> bool {
        self.domain.iter().any(|part| !part.is_empty())
    }

    pub(in crate::gate) fn characters(&self) -> Characters {
        let plain = |octet: u8| octet.is_ascii_alphanumeric() || b".-_@".contains(&octet);
        match self.local().chain(self.domain()).all(plain) {
            true => Characters::Plain,
            false => Characters::Unusual,
        }
    }

    /// The name itself, to be compared or shown.
    pub fn to_name(&self) -> UserName {
        let octets: Vec<u8> = self.local().chain(self.domain()).collect();
        UserName::new(octets)
    }

    fn through_table<'a>(&'a self, part: &'a [u8]) -> impl Iterator<Item = u8> {
        let folded = |octet: &u8| self.table.get(usize::from(*octet)).copied();
        part.iter().filter_map(folded)
    }
}

#[cfg(test)]
mod tests;
