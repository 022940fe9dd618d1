//! random - a small seeded generator: the same seed gives the same numbers on every machine
//!
//! xoshiro256++ 1.0 (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2019), its
//! state filled by SplitMix64, as they advise. Each source of events draws from a stream of its own,
//! named by a text, so that one more scenario changes none of the others.
//! Not for secrets: the rest follows from a few numbers.

use std::time::Duration;

/// A stream of numbers.
#[derive(Clone, Debug)]
pub struct Random {
    state: [u64; 4],
}

impl Random {
    /// The stream of this name under this seed.
    pub fn new(seed: u64, stream: &str) -> Self {
        let mut mix = seed;
        for octet in stream.bytes() {
            mix = split_mix(&mut mix) ^ u64::from(octet);
        }
        Self {
            state: std::array::from_fn(|_| split_mix(&mut mix)),
        }
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        self.state = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        result
    }

    /// A number below `end`; 0 if that is 0. The bias is below `end` / 2^64.
    pub fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.draw()) * u128::from(end)) >> 64) as u64
    }

    /// An index below `length`.
    pub fn index(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    /// Whether something happens that happens so many times in a hundred.
    pub fn happens(&mut self, percent: u32) -> bool {
        self.below(100) < u64::from(percent)
    }

    /// A time between the two.
    pub fn between(&mut self, low: Duration, high: Duration) -> Duration {
        let span = high.saturating_sub(low).as_nanos();
        low + Duration::from_nanos(self.below(u64::try_from(span).unwrap_or(u64::MAX)))
    }

    /// A time from half of `mean` to one and a half of it.
    pub fn around(&mut self, mean: Duration) -> Duration {
        self.between(mean / 2, mean + mean / 2)
    }

    /// One of the items, or the type's default if there is none.
    pub fn pick<T: Copy + Default>(&mut self, items: &[T]) -> T {
        let at = self.index(items.len());
        items.get(at).copied().unwrap_or_default()
    }

    /// A made-up word: so many syllables, 6.6 bits each.
    pub fn word(&mut self, syllables: usize) -> String {
        const FIRST: &[u8] = b"bdfghjklmnprstvwz";
        const SECOND: &[u8] = b"aeiouy";
        let mut word = String::with_capacity(2 * syllables);
        for _ in 0..syllables {
            word.push(char::from(self.pick(FIRST)));
            word.push(char::from(self.pick(SECOND)));
        }
        word
    }
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_mix_gives_the_published_numbers() {
        // The first outputs for the seed 1234567, from the authors' reference code.
        let mut state = 1_234_567;
        let numbers: [u64; 3] = std::array::from_fn(|_| split_mix(&mut state));
        let published = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!(numbers, published);
    }

    #[test]
    fn xoshiro_follows_its_reference_step() {
        let mut random = Random {
            state: [1, 2, 3, 4],
        };
        let numbers: [u64; 3] = std::array::from_fn(|_| random.draw());
        assert_eq!(numbers, [41_943_041, 58_720_359, 3_588_806_011_781_223]);
    }

    #[test]
    fn the_same_seed_and_name_give_the_same_stream_and_others_another() {
        let first = |seed, name| Random::new(seed, name).draw();
        assert_eq!(first(1, "a"), first(1, "a"));
        assert_ne!(first(1, "a"), first(2, "a"));
        assert_ne!(first(1, "a"), first(1, "b"));
    }

    #[test]
    fn numbers_stay_below_their_end_and_reach_all_of_it() {
        let mut random = Random::new(7, "below");
        let mut seen = [0; 10];
        for _ in 0..10_000 {
            seen[random.index(10)] += 1;
        }
        assert!(seen.iter().all(|count| (800..1200).contains(count)));
        assert_eq!(random.below(0), 0);
    }
}
