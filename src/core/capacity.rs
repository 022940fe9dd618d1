//! capacity - gives the memory of a hash map back when a crowd has left it
//!
//! A hash map keeps the room that it once had for as long as it lives: what a million strangers took for a minute would be
//! held for ever. A map whose entries come and go with clients calls [`give_back`] after each removal. It has room for eight times
//! its entries then, at most; and since room is doubled and halved, a map that has been made smaller must lose half of its entries before
//! it is made smaller again. So a removal costs a few steps on average, however the crowd comes and goes. What
//! `capacity` says is not asked: it leaves out the places of entries that were removed.
//! Not here: how many entries a map may have (its owner says so), trees, which give each node back.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};

/// Room that is not worth giving back, in entries.
const SMALL: usize = 1024;

/// A map keeps room for so many times its entries.
const SPARE: usize = 8;

/// Gives back what a map has beyond what it needs, if that is much.
pub fn give_back<K: Eq + Hash, V, S: BuildHasher>(map: &mut HashMap<K, V, S>) {
    map.shrink_to(SMALL.max(map.len().saturating_mul(SPARE)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map_of(entries: usize) -> HashMap<usize, usize> {
        (0..entries).map(|number| (number, number)).collect()
    }

    #[test]
    fn a_map_that_a_crowd_has_left_is_small_again_and_has_what_it_had() {
        let mut map = map_of(100_000);
        for number in 10..100_000 {
            map.remove(&number);
            give_back(&mut map);
            assert!(map.capacity() < 4 * SMALL.max(SPARE * map.len()));
        }
        assert!(map.capacity() <= 2 * SMALL, "{}", map.capacity());
        assert!((0..10).all(|number| map.get(&number) == Some(&number)));
    }

    #[test]
    fn a_map_that_is_small_or_well_used_stays_as_it_is() {
        for (entries, left) in [(SMALL, 0), (100_000, 50_000)] {
            let mut map = map_of(entries);
            map.retain(|number, _| *number < left);
            let before = map.capacity();
            give_back(&mut map);
            assert_eq!(map.capacity(), before, "{entries} {left}");
        }
    }

    #[test]
    fn what_comes_and_goes_at_the_edge_moves_the_map_once() {
        let mut map = map_of(100_000);
        let before = map.capacity();
        let edge = before / 2 / SPARE;
        map.retain(|number, _| *number < edge);
        give_back(&mut map);
        let small = map.capacity();
        assert!(small < before);
        for _ in 0..100 {
            map.insert(edge, 0);
            map.remove(&edge);
            map.remove(&0);
            give_back(&mut map);
            map.insert(0, 0);
            assert_eq!(map.capacity(), small);
        }
    }
}
