//! names - every user name of the logs, kept once
//!
//! A log of a million lines names a few thousand users; an attempt holds a small number instead of
//! a name. Names that differ only in the case of ASCII letters are one, as for the gate.

use std::collections::HashMap;

use crate::gate::request::attempt::UserName;

/// A longer name is cut: no log of ours shows more of one.
const LONGEST_OCTETS: usize = 255;

/// Stands for one name of one [`Names`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameId(u32);

impl NameId {
    /// The number itself.
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// The names, in the order of their first appearance.
#[derive(Debug, Default)]
pub struct Names {
    ids: HashMap<Box<[u8]>, u32>,
    list: Vec<UserName>,
}

impl Names {
    /// The number of `name`, folded to lower case; new names get a new one.
    pub fn intern(&mut self, name: &[u8]) -> NameId {
        let folded = name
            .get(..LONGEST_OCTETS)
            .unwrap_or(name)
            .to_ascii_lowercase();
        if let Some(&id) = self.ids.get(folded.as_slice()) {
            return NameId(id);
        }
        let id = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.ids.insert(folded.clone().into(), id);
        self.list.push(UserName::new(folded));
        NameId(id)
    }

    /// How many names there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// The name behind a number that this table gave out.
    pub fn get(&self, id: NameId) -> Option<&UserName> {
        self.list.get(id.0 as usize)
    }

    /// Whether the two may be one user: the same name, or one of them with the domain that the other leaves
    /// out. Of a name that a daemon has cut, or has put `?` into for what it does not print, only
    /// the beginning is compared.
    pub(super) fn may_be_one(&self, one: NameId, two: NameId) -> bool {
        if one == two {
            return true;
        }
        let (Some(one), Some(two)) = (self.get(one), self.get(two)) else {
            return false;
        };
        let (one, two) = (Shown::new(one.as_bytes()), Shown::new(two.as_bytes()));
        let (short, long) = if one.certain.len() < two.certain.len() {
            (one, two)
        } else {
            (two, one)
        };
        long.certain
            .strip_prefix(short.certain)
            .is_some_and(|rest| !short.whole || rest.first() == Some(&b'@'))
    }
}

/// A name as a log shows it.
struct Shown<'a> {
    certain: &'a [u8],
    whole: bool,
}

/// Dovecot shows 64 octets of a name, or 80, and Postfix 100.
const CUT_OCTETS: usize = 60;

impl<'a> Shown<'a> {
    fn new(name: &'a [u8]) -> Self {
        let end = name
            .iter()
            .position(|&octet| octet == b'?')
            .unwrap_or(name.len());
        let certain = name.get(..end.min(CUT_OCTETS)).unwrap_or(name);
        let whole = certain.len() == name.len();
        Self { certain, whole }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_makes_no_other_name_and_a_domain_may_be_left_out() {
        let mut names = Names::default();
        let alice = names.intern(b"Alice");
        assert_eq!(alice, names.intern(b"aLICE"));
        let full = names.intern(b"alice@example.org");
        let other = names.intern(b"alicia");
        assert!(names.may_be_one(alice, full) && names.may_be_one(full, alice));
        assert!(!names.may_be_one(alice, other) && !names.may_be_one(full, other));
        assert_eq!(names.get(full).unwrap().to_string(), "alice@example.org");
    }

    #[test]
    fn a_name_that_two_daemons_show_differently_may_be_one() {
        let mut names = Names::default();
        let mut same = |one: &str, two: &str| {
            let (one, two) = (names.intern(one.as_bytes()), names.intern(two.as_bytes()));
            names.may_be_one(one, two) && names.may_be_one(two, one)
        };
        assert!(same("y??nov 24", "y?r?nnov 24"));
        assert!(!same("m?ller", "m"));
        assert!(!same("m?ller", "n?ller"));
        let long = "x".repeat(120);
        assert!(same(&long[..64], &long[..100]));
        assert!(same(&(long[..80].to_owned() + "..."), &long[..100]));
        assert!(!same(&long[..59], &long[..58]));
    }

    #[test]
    fn a_name_is_cut_at_255_octets() {
        let mut names = Names::default();
        let [short, exact, long] = [254, 255, 256].map(|octets| names.intern(&vec![b'x'; octets]));
        assert_ne!(short, exact);
        assert_eq!(exact, long);
        assert_eq!(names.list.len(), 2);
    }
}
