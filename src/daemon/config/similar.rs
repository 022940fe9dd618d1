//! similar - which of the valid names was meant
//!
//! Not here: where a name is unknown (`read`).

/// The name that `given` was probably meant to be: the nearest, if at most a third of its letters
/// are wrong. Case and `_` for `-` count for nothing.
pub(super) fn meant<'a>(given: &str, names: &[&'a str]) -> Option<&'a str> {
    let given = plain(given);
    names
        .iter()
        .map(|name| (distance(&given, &plain(name)), *name))
        .filter(|(distance, name)| distance * 3 <= name.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

fn plain(name: &str) -> Vec<char> {
    name.chars()
        .map(|letter| match letter {
            '_' => '-',
            _ => letter.to_ascii_lowercase(),
        })
        .collect()
}

/// Letters to insert, to drop, to replace or to swap with their neighbour until `a` is `b`
/// (Damerau's distance, restricted to swaps of untouched neighbours).
fn distance(a: &[char], b: &[char]) -> usize {
    // Rows for the last two letters of `a`, and the one under way.
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    let mut last = None;
    for (row, &letter) in a.iter().enumerate() {
        let mut here = vec![row + 1];
        let mut previous = None;
        for (column, &other) in b.iter().enumerate() {
            let at = |cells: &[usize], column: usize| {
                cells.get(column).copied().unwrap_or(usize::MAX - 1)
            };
            let replaced = at(&above, column) + usize::from(letter != other);
            let moved = at(&above, column + 1).min(at(&here, column)) + 1;
            let swapped = match (last, previous) {
                (Some(last), Some(previous)) if last == other && previous == letter => {
                    at(&before, column - 1) + 1
                }
                _ => usize::MAX,
            };
            here.push(replaced.min(moved).min(swapped));
            previous = Some(other);
        }
        before = std::mem::replace(&mut above, here);
        last = Some(letter);
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &[&str] = &["address", "tls", "proxy-protocol-from"];

    #[test]
    fn a_slip_of_the_fingers_is_recognised() {
        for (given, name) in [
            ("adress", "address"),
            ("Address", "address"),
            ("addrses", "address"),
            ("tsl", "tls"),
            ("proxy_protocol_from", "proxy-protocol-from"),
            ("proxy-protocol-form", "proxy-protocol-from"),
        ] {
            assert_eq!(meant(given, NAMES), Some(name), "{given}");
        }
    }

    #[test]
    fn another_word_is_not_taken_for_a_slip() {
        for given in ["port", "", "t", "certificate", "ädréß"] {
            assert_eq!(meant(given, NAMES), None, "{given}");
        }
    }

    #[test]
    fn the_distance_counts_slips() {
        let between = |a: &str, b: &str| distance(&plain(a), &plain(b));
        assert_eq!(between("", "abc"), 3);
        assert_eq!(between("abc", ""), 3);
        assert_eq!(between("abc", "abc"), 0);
        assert_eq!(between("abcd", "acbd"), 1);
        assert_eq!(between("kitten", "sitting"), 3);
    }
}
