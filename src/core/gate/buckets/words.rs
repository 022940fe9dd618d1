//! words - which passwords are guesses that anybody would make
//!
//! A word is a password that, folded, is empty, stands in the shipped list of common passwords, or
//! was tried for two users from two networks, refused or wrong. Folding makes lower case, cuts out
//! the user's own name and domain, and trims digits and signs at both ends: `Summer2024!` and
//! `summer7` are one word, and so are `anna1990` for anna and the empty password.
//! What was seen is kept as keyed hashes in a bounded table, those seen longest ago are evicted; it
//! does not outlive the process.
//! Not here: what a word costs (`judge`), the words in a hash (`hashed`). The list's source and licence stand at its head.

mod hashed;

use zeroize::Zeroizing;

use crate::gate::buckets::key::Key;
use crate::gate::buckets::spec::{Folding, Ladder, WordList};
use crate::gate::buckets::table::{Table, seconds};
use crate::gate::request::attempt::UserName;
use crate::gate::request::client::NetworkKey;
use crate::gate::request::keys::{Keys, UserId};
use crate::moment::Moment;

pub(in crate::gate) use hashed::HashedWords;

/// Sorted, one a line; the head's lines begin with `#`, which sorts before every letter.
static COMMON: &str = include_str!("words/common.txt");

/// No longer password is folded: it is a token or a sentence, and in no list.
const LONGEST: usize = 64;
/// Parts of a user's name that are cut out; shorter ones than three letters never.
const PARTS: usize = 8;
/// A word that two users share is kept this much longer, in seconds.
const SHARED_KEPT: u64 = 7 * 86_400;
const SHARED: u64 = 1 << 8;
/// Stands for the user who tried a word first where that try does not count.
const NOBODY: u64 = 0;

/// What folding makes of a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) enum Word {
    /// A word by itself: empty, common, or hidden by the mechanism.
    Common,
    /// No word by itself; its keyed hash, to ask what was seen.
    Rare(u64),
}

impl Word {
    /// Folds `password` as tried for `user`, and looks it up.
    pub(in crate::gate) fn of(
        password: &[u8],
        user: &UserName,
        keys: &Keys,
        ladder: &Ladder,
    ) -> Self {
        if password.len() > LONGEST {
            return Self::Rare(keys.word(password));
        }
        let folded = match ladder.folding {
            Folding::Cut => fold(password, user),
            Folding::Whole => Zeroizing::new(password.to_vec()),
        };
        let listed = ladder.list == WordList::Common && is_common(&folded);
        if folded.is_empty() || listed {
            return Self::Common;
        }
        Self::Rare(keys.word(&folded))
    }
}

/// The words that were tried and refused or wrong.
pub(in crate::gate) struct Seen(Table<3>);

impl Seen {
    pub(in crate::gate) fn new(rows: usize, secret: &[u8; 16]) -> Self {
        Self(Table::new(rows, secret, |row| {
            let [_, _, meta] = *row;
            let kept = if meta & SHARED == 0 { 0 } else { SHARED_KEPT };
            ((meta >> 32) + kept) * 1_000_000_000
        }))
    }

    /// Whether this is a word now.
    pub(in crate::gate) fn is_word(&self, word: Word) -> bool {
        match word {
            Word::Common => true,
            Word::Rare(hash) => self
                .0
                .read(Key::word(hash))
                .is_some_and(|[_, _, meta]| meta & SHARED != 0),
        }
    }

    /// Notes a try that was refused or wrong.
    pub(in crate::gate) fn note(&self, word: Word, user: UserId, network: NetworkKey, now: Moment) {
        let Word::Rare(hash) = word else { return };
        let who = (user.0 & 0xffff_ffff) | (tag(network) << 32);
        let stamp = u64::from(seconds(now)) << 32;
        self.0.with(Key::word(hash), now, |row| {
            let new = match row {
                None | Some([_, NOBODY, _]) => [0, who, stamp],
                Some([_, first, meta]) => {
                    let user_differs = (first ^ who) & 0xffff_ffff != 0;
                    let network_differs = (first ^ who) >> 32 != 0;
                    let shared = if user_differs && network_differs {
                        SHARED
                    } else {
                        meta & SHARED
                    };
                    [0, *first, stamp | shared]
                }
            };
            ((), Some(new))
        });
    }

    /// Forgets that this was tried for `user`, whose password it is: otherwise a client that tries it for somebody else
    /// finds out that it was refused for an honest user.
    pub(in crate::gate) fn is_right(&self, word: Word, user: UserId, now: Moment) {
        let Word::Rare(hash) = word else { return };
        self.0.with(Key::word(hash), now, |row| {
            let own = row.filter(|[_, first, meta]| {
                meta & SHARED == 0 && (first ^ user.0) & 0xffff_ffff == 0
            });
            ((), own.map(|[_, _, meta]| [0, NOBODY, *meta]))
        });
    }

    pub(in crate::gate) fn clear(&self) {
        self.0.clear();
    }
}

/// 32 bits that tell networks apart: all of an IPv4 /24, a mix of an IPv6 /48.
fn tag(network: NetworkKey) -> u64 {
    let code = network.code();
    (code ^ (code >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32
}

/// Lower case, without the user's own name and domain, without digits and signs at both ends.
fn fold(password: &[u8], user: &UserName) -> Zeroizing<Vec<u8>> {
    let mut folded = Zeroizing::new(password.to_ascii_lowercase());
    for part in parts(&user.folded()) {
        cut(&mut folded, part);
    }
    let letter = |octet: &u8| octet.is_ascii_lowercase() || !octet.is_ascii();
    let end = folded.iter().rposition(letter).map_or(0, |last| last + 1);
    folded.truncate(end);
    let start = folded.iter().position(letter).unwrap_or(0);
    folded.drain(..start);
    folded
}

/// The user's name, its parts, and those of the domain but the last, the longest first.
fn parts(name: &[u8]) -> Vec<&[u8]> {
    let at = name.iter().position(|&octet| octet == b'@');
    let (local, domain) = match at {
        Some(at) => (name.get(..at), name.get(at + 1..)),
        None => (Some(name), None),
    };
    let (local, domain) = (local.unwrap_or_default(), domain.unwrap_or_default());
    let labels = domain.split(|&octet| octet == b'.');
    let top = domain.rsplit(|&octet| octet == b'.').next();
    let mut parts: Vec<&[u8]> = [name, local, domain]
        .into_iter()
        .chain(local.split(|octet| !octet.is_ascii_alphabetic()))
        .chain(labels.filter(|label| Some(*label) != top))
        .filter(|part| part.len() >= 3)
        .take(PARTS)
        .collect();
    parts.sort_unstable_by_key(|part| std::cmp::Reverse(part.len()));
    parts
}

/// Cuts every `part` out of `text`.
fn cut(text: &mut Vec<u8>, part: &[u8]) {
    while let Some(at) = text.windows(part.len()).position(|window| window == part) {
        text.drain(at..at + part.len());
    }
}

/// Whether a folded password stands in the list: a binary search over its lines.
fn is_common(word: &[u8]) -> bool {
    let list = COMMON.as_bytes();
    let (mut low, mut high) = (0, list.len());
    // Invariant: both ends are line starts (or the end), and the word is in between if anywhere.
    while low < high {
        let middle = low + (high - low) / 2;
        let before = list.get(low..middle).unwrap_or_default();
        let start = match before.iter().rposition(|&octet| octet == b'\n') {
            Some(newline) => low + newline + 1,
            None => low,
        };
        let rest = list.get(start..high).unwrap_or_default();
        let length = rest.iter().position(|&octet| octet == b'\n');
        let length = length.unwrap_or(rest.len());
        match rest.get(..length).unwrap_or_default().cmp(word) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => low = start + length + 1,
            std::cmp::Ordering::Greater => high = start,
        }
    }
    false
}

#[cfg(test)]
mod tests;
