//! dictionary - the passwords that attackers try
//!
//! A dictionary is words and a second form of each (`summer`, `Summer2024`), as real ones are. Part of its
//! words stand in the list that ships with the gate, the rest in no list.
//! Not here: who tries them (`attack`).

use crate::traffic::random::Random;

/// The gate's own list, to take words from: its head's lines begin with `#`.
static COMMON: &str = include_str!("../../core/gate/buckets/words/common.txt");

/// The most frequent passwords as they are typed, in their order.
static FREQUENT: &str = include_str!("../../core/gate/buckets/words/frequent.txt");

/// Passwords, in the order in which they are tried.
#[derive(Clone, Debug)]
pub(crate) struct Dictionary {
    passwords: Vec<String>,
}

impl Dictionary {
    /// So many passwords; so many of a hundred words behind them are common ones.
    pub(crate) fn new(size: usize, common_percent: u32, seed: u64) -> Self {
        let mut random = Random::new(seed, "dictionary");
        let listed: Vec<&str> = COMMON
            .lines()
            .filter(|line| !line.starts_with('#') && line.len() >= 4)
            .collect();
        let step = (listed.len() / size.div_ceil(2).max(1)).max(1);
        let mut passwords = Vec::with_capacity(size + 1);
        for at in 0.. {
            if passwords.len() >= size {
                break;
            }
            let common = listed
                .get(at * step)
                .filter(|_| random.happens(common_percent));
            let word = common.map_or_else(|| random.word(5), ToString::to_string);
            let mut second = word.clone();
            if let Some(first) = second.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            second.push_str(&format!("20{:02}", random.below(27)));
            passwords.extend([word, second]);
        }
        passwords.truncate(size);
        Self { passwords }
    }

    /// The so many most frequent ones.
    pub(crate) fn frequent(size: usize) -> Self {
        let listed = FREQUENT.lines().filter(|line| !line.starts_with('#'));
        Self {
            passwords: listed.take(size).map(ToOwned::to_owned).collect(),
        }
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.passwords.len()
    }

    /// The `at`th, from the front again after the last.
    pub(crate) fn password(&self, at: usize) -> &str {
        let at = at.checked_rem(self.passwords.len()).unwrap_or(0);
        self.passwords.get(at).map_or("", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dictionary_has_its_size_and_its_part_of_common_words() {
        let dictionary = Dictionary::new(2_000, 50, 1);
        assert_eq!(dictionary.len(), 2_000);
        let listed = |word: &&String| COMMON.lines().any(|line| line == word.as_str());
        let words = dictionary.passwords.iter().step_by(2);
        let common = words.filter(listed).count();
        assert!((400..600).contains(&common), "{common} of 1,000");
        assert!(dictionary.password(1).ends_with(char::is_numeric));
        assert_eq!(dictionary.password(2_000), dictionary.password(0));
    }
}
