//! similar - finds the valid name that was probably meant
//!
//! Not here: where an unknown name is found (`read`), the distance of two names (`strsim`).

use strsim::osa_distance;

/// The name that `given` was probably meant to be: the nearest by insertions, deletions, replacements and swaps
/// of neighbours, if at most a third of its letters are wrong. Case and `_` for `-` count for nothing.
pub(super) fn meant<'a>(given: &str, names: &[&'a str]) -> Option<&'a str> {
    let given = plain(given);
    names
        .iter()
        .map(|name| (osa_distance(&given, &plain(name)), *name))
        .filter(|(distance, name)| distance * 3 <= name.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

fn plain(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &[&str] = &["address", "tls", "proxy-protocol-from"];

    #[test]
    fn a_typing_error_is_recognised() {
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
    fn another_word_is_not_taken_for_a_typing_error() {
        for given in ["port", "", "t", "certificate", "ädréß"] {
            assert_eq!(meant(given, NAMES), None, "{given}");
        }
    }
}
